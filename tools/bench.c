// SPDX-License-Identifier: GPL-2.0-only
/* phyr bench: phyrs against the stock way, on this machine and its RDMA device. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include <json-c/json.h>
#include <phyr.h>

#include "bench.h"
#include "memory.h"
#include "parse.h"
#include "rdma_switch.h"
#include "svg.h"
#include "system.h"
#include "tool.h"

#define DEFAULT_BYTES	(256ULL << 20)
#define DEFAULT_ROUNDS	15u

static const char help[] =
	"Usage: phyr bench [OPTION]...\n"
	"\n"
	"Measure on this machine, for memory of each kind that there is, how long it takes\n"
	"\n"
	"  to pin it through " PHYR_DEVICE ", and to register it as buffers of io_uring, which\n"
	"  is how an unmodified kernel pins memory for any program;\n"
	"  to register it with an RDMA device by ibv_reg_mr(), with phyr_rdma and without.\n"
	"\n"
	"For the second, phyr_rdma is loaded and unloaded, which takes root. While it is\n"
	"loaded, it replaces functions of the kernel for all processes. In the end it is as it\n"
	"was before.\n"
	"\n"
	"  -s, --size SIZE    how much memory, as 64K, 2M or 1G [256M, or half of RLIMIT_MEMLOCK]\n"
	"  -k, --kind KIND    memory of this kind only, see \"phyr pin --help\"\n"
	"  -n, --rounds N     how often, of which the median counts [15]\n"
	"  -d, --device NAME  the RDMA device [the first one]\n"
	"  -p, --pin-only     do not measure ibv_reg_mr(), and do not load anything\n"
	"  -y, --yes          do not ask before phyr_rdma is loaded and unloaded\n"
	"      --svg FILE     draw a picture as well\n"
	"  -j, --json         exact numbers, for programs\n"
	"  -h, --help         this text\n";

struct bench_args {
	const char *command;
	const struct memory_kind *kind;	/* NULL: all */
	const char *device;
	const char *svg;
	uint64_t size;			/* 0: not given */
	uint64_t rounds;
	bool pin_only;
	bool yes;
	bool json;
};

/* The command line */

enum { OPT_SVG = 256 };

static const struct option options[] = {
	{ "size", required_argument, NULL, 's' },
	{ "kind", required_argument, NULL, 'k' },
	{ "rounds", required_argument, NULL, 'n' },
	{ "device", required_argument, NULL, 'd' },
	{ "pin-only", no_argument, NULL, 'p' },
	{ "yes", no_argument, NULL, 'y' },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_size(struct bench_args *args)
{
	if (!parse_size(optarg, &args->size) && args->size)
		return -1;
	return tool_usage(args->command, "\"%s\" is no size (1G, 64K, 4096, 0x1000 are)", optarg);
}

static int take_rounds(struct bench_args *args)
{
	if (!parse_number(optarg, BENCH_MOST_ROUNDS, &args->rounds) && args->rounds)
		return -1;
	return tool_usage(args->command, "\"%s\" is no number of rounds (1 to %u are)", optarg,
			  BENCH_MOST_ROUNDS);
}

static int take_kind(struct bench_args *args)
{
	args->kind = memory_kind_find(optarg);
	return args->kind ? -1 : tool_usage(args->command, "unknown kind \"%s\"", optarg);
}

static int take_option(int c, struct bench_args *args)
{
	switch (c) {
	case 's':
		return take_size(args);
	case 'k':
		return take_kind(args);
	case 'n':
		return take_rounds(args);
	case 'd':
		args->device = optarg;
		return -1;
	case 'p':
		args->pin_only = true;
		return -1;
	case 'y':
		args->yes = true;
		return -1;
	case OPT_SVG:
		args->svg = optarg;
		return -1;
	case 'j':
		args->json = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return 0;
	default:
		return tool_try_help(args->command);
	}
}

/* The exit status if there is nothing more to do, or -1. */
static int take_args(int argc, char **argv, struct bench_args *args)
{
	int c, ret;

	while ((c = getopt_long(argc, argv, "s:k:n:d:pyjh", options, NULL)) != -1) {
		ret = take_option(c, args);
		if (ret >= 0)
			return ret;
	}
	if (optind < argc)
		return tool_usage(argv[0], "unexpected \"%s\"", argv[optind]);
	if (args->pin_only && args->device)
		return tool_usage(argv[0], "--pin-only and --device exclude each other");
	return -1;
}

/* What this process may pin twice. */
static uint64_t default_size(void)
{
	uint64_t most = memlock_limit() / 2;

	return has_capability(CAP_IPC_LOCK) || most > DEFAULT_BYTES || !most ? DEFAULT_BYTES : most;
}

/* Before functions are replaced for everybody. */
static int ask(const struct bench_args *args, const struct bench *b,
	       const struct rdma_switch *modules)
{
	char answer[16];

	if (args->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return tool_usage(args->command, "to measure ibv_reg_mr() on %s, phyr_rdma is "
				  "loaded and unloaded:\n  without a terminal to ask on, give --yes or --pin-only",
				  b->device);
	fprintf(stderr,
		"To measure ibv_reg_mr() on %s, phyr_rdma is loaded and unloaded. While it is\n"
		"loaded, it replaces functions of the kernel for all processes. In the end it\n"
		"is %sloaded, as it is now. Go on? [y/N] ",
		b->device, modules->loaded[SWITCH_RDMA] ? "" : "not ");
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] | 0x20) == 'y')
		return 0;
	return tool_fail("nothing was loaded: --pin-only measures pinning alone");
}

/* Tables */

static void print_time(const struct bench_time *time)
{
	printf("  %9s  %9s", text_ns(time->phyr).s, time->stock ? text_ns(time->stock).s : "-");
	if (time->stock)
		printf("  %6.*f", bench_ratio(time) < 1 ? 2 : 1, bench_ratio(time));
	else
		printf("  %6s", "-");
}

static void print_table(const struct bench_table *table, const char *begin, const char *end,
			const char *stock)
{
	const struct bench_row *row;

	printf("  %-10s  %9s  %9s  %6s  %9s  %9s  %6s\n", "MEMORY", begin, stock, "RATIO", end,
	       stock, "RATIO");
	for (row = table->rows; row < table->rows + table->nr; row++) {
		printf("  %-10s", row->memory);
		print_time(&row->begin);
		print_time(&row->end);
		putchar('\n');
	}
}

static const char *uring_hint(int error)
{
	if (error == -EPERM)
		return " (sysctl kernel.io_uring_disabled, or a container)";
	if (error == -ENOMEM)
		return " (it counts whole huge pages against RLIMIT_MEMLOCK)";
	return "";
}

static void print_pin(const struct bench *b)
{
	unsigned int i;

	printf("Linux %s, %s, median of %u round%s\n\n"
	       "Pinning through " PHYR_DEVICE ", and as registered buffers of io_uring\n\n",
	       b->release, text_bytes(b->bytes).s, b->rounds, b->rounds == 1 ? "" : "s");
	print_table(&b->pin, "PIN", "UNPIN", "IO_URING");
	if (b->uring)
		printf("\n  -: io_uring does not register it: %s%s\n", strerror(-b->uring),
		       uring_hint(b->uring));
	if (b->nr_left_out)
		putchar('\n');
	for (i = 0; i < b->nr_left_out; i++)
		printf("  %s memory is left out: %s\n", b->left_out[i].memory, b->left_out[i].why);
	fflush(stdout);
}

static void print_reg(const struct bench *b)
{
	printf("\nibv_reg_mr() and ibv_dereg_mr() on %s (%s), with phyr_rdma and without\n\n",
	       b->device, b->driver.driver);
	print_table(&b->reg, "REG", "DEREG", "WITHOUT");
}

/* JSON */

static void add_time(struct json_object *obj, const char *call, const struct bench_time *time)
{
	struct json_object *both = json_object_new_object();

	json_add_u64(both, "phyr_ns", time->phyr);
	json_add_shown(both, "stock_ns", time->stock, time->stock);
	json_object_object_add(both, "ratio", time->stock ?
			       json_object_new_double(bench_ratio(time)) : NULL);
	json_object_object_add(obj, call, both);
}

static struct json_object *table_json(const struct bench_table *table, const char *begin,
				      const char *end)
{
	struct json_object *array = json_object_new_array(), *obj;
	const struct bench_row *row;

	for (row = table->rows; row < table->rows + table->nr; row++) {
		obj = json_object_new_object();
		json_add_text(obj, "memory", row->memory);
		add_time(obj, begin, &row->begin);
		add_time(obj, end, &row->end);
		json_object_array_add(array, obj);
	}
	return array;
}

static struct json_object *left_out_json(const struct bench *b)
{
	struct json_object *obj = json_object_new_object();
	unsigned int i;

	for (i = 0; i < b->nr_left_out; i++)
		json_add_text(obj, b->left_out[i].memory, b->left_out[i].why);
	return obj;
}

static void print_json(const struct bench *b)
{
	struct json_object *root = json_object_new_object();

	json_add_text(root, "kernel", b->release);
	json_add_u64(root, "bytes", b->bytes);
	json_add_u64(root, "rounds", b->rounds);
	json_add_text(root, "pin_stock", "IORING_REGISTER_BUFFERS");
	json_object_object_add(root, "pin_stock_error", b->uring ?
			       json_object_new_string(strerror(-b->uring)) : NULL);
	json_object_object_add(root, "pin", table_json(&b->pin, "pin", "unpin"));
	json_object_object_add(root, "left_out", left_out_json(b));
	json_object_object_add(root, "device", b->device ?
			       json_object_new_string(b->device) : NULL);
	json_object_object_add(root, "driver", b->device ?
			       json_object_new_string(b->driver.driver) : NULL);
	json_object_object_add(root, "reg_mr", b->device ?
			       table_json(&b->reg, "ibv_reg_mr", "ibv_dereg_mr") : NULL);
	json_print(root);
	json_object_put(root);
}

/* The work */

static int measure_rdma(const struct bench_args *args, struct bench *b,
			const struct rdma_switch *modules)
{
	int ret;

	if (!b->device) {
		if (!args->pin_only && !args->json)
			puts("\nThere is no RDMA device: ibv_reg_mr() is not measured.");
		return 0;
	}
	ret = bench_rdma(b, modules);
	if (!ret && !args->json)
		print_reg(b);
	return ret;
}

static int measure(const struct bench_args *args, struct bench *b,
		   const struct rdma_switch *modules)
{
	int ret;

	progress_init(&b->progress, isatty(STDERR_FILENO));
	ret = bench_pin(b);
	progress_end(&b->progress);
	if (ret)
		return ret;
	if (!args->json)
		print_pin(b);
	ret = measure_rdma(args, b, modules);
	if (ret)
		return ret;
	if (args->json)
		print_json(b);
	return 0;
}

/* With a picture, if one is wanted; whether its file can be written is known at once. */
static int draw(const struct bench_args *args, struct bench *b,
		const struct rdma_switch *modules)
{
	FILE *f;
	int ret, failed;

	if (!args->svg)
		return measure(args, b, modules);
	f = svg_open(args->svg);
	if (!f)
		return TOOL_FAILED;
	ret = measure(args, b, modules);
	if (!ret)
		svg_put_bench(f, b);
	failed = svg_close(f, args->svg);
	return ret ? ret : failed;
}

static int bench(const struct bench_args *args, struct bench *b)
{
	struct rdma_switch modules = { 0 };
	int ret = 0;

	bench_choose(b, args->kind);
	if (!args->pin_only)
		ret = bench_rdma_find(b, args->device);
	if (!ret && b->device)
		ret = bench_rdma_check(b, &modules);
	if (!ret && b->device)
		ret = ask(args, b, &modules);
	return ret ? ret : draw(args, b, &modules);
}

int cmd_bench(int argc, char **argv)
{
	struct bench_args args = { .command = argv[0], .rounds = DEFAULT_ROUNDS };
	struct bench b = { 0 };
	struct utsname uts;
	int ret = take_args(argc, argv, &args);

	if (ret >= 0)
		return ret;
	uname(&uts);
	b.release = uts.release;
	b.bytes = args.size ? args.size : default_size();
	b.rounds = (unsigned int)args.rounds;
	b.dev = phyr_open();
	if (b.dev < 0)
		return tool_fail_phyr(b.dev, "cannot open " PHYR_DEVICE);
	ret = bench(&args, &b);
	close(b.dev);
	return ret;
}
