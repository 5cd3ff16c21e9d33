// SPDX-License-Identifier: GPL-2.0-only
/* phyr copy, fill and compare: bytes of files, processes, regions, BARs, physical memory. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "endpoint.h"
#include "parse.h"
#include "tool.h"
#include "transfer.h"

#define PLACES \
	"Each place is one of\n" \
	"  PATH[@OFFSET]               a file or a block device\n" \
	"  PID:0xADDRESS               memory of a process\n" \
	"  /proc/PID/fd/N[@OFFSET]     a region of a process, or another dma-buf\n" \
	"  0000:01:00.0/BAR[@OFFSET]   a BAR of a PCI device\n" \
	"  phys:0xADDRESS              physical memory, through /dev/mem\n" \
	"\n"

#define LENGTH_HELP \
	"  -l, --length N  how many bytes, as 4096, 64K, 2M, 1G or 0x1000\n"
#define FORCE_HELP \
	"  -f, --force     do not ask before writing to a BAR, physical memory or a block\n" \
	"                  device\n"
#define MORE_HELP \
	"  -w, --wc        map BARs write-combining, if they are prefetchable\n" \
	"  -j, --json      exact numbers, for programs\n" \
	"  -h, --help      this text\n"

static const char copy_help[] =
	"Usage: phyr copy SRC DST [OPTION]...\n"
	"\n"
	"Copy bytes, by default all that SRC has. A file as DST is created, and without\n"
	"@OFFSET it is made empty first.\n"
	"\n" PLACES LENGTH_HELP FORCE_HELP MORE_HELP;

static const char fill_help[] =
	"Usage: phyr fill DST BYTE [OPTION]...\n"
	"\n"
	"Set bytes to BYTE, 0 to 255 or 0x00 to 0xff, by default all that DST has.\n"
	"\n" PLACES LENGTH_HELP FORCE_HELP MORE_HELP;

static const char compare_help[] =
	"Usage: phyr compare A B [OPTION]...\n"
	"\n"
	"Find the first byte that differs, by default of all that both have. The exit status\n"
	"is 0 if there is none, 1 if there is one, 2 if something failed.\n"
	"\n" PLACES LENGTH_HELP MORE_HELP;

/**
 * struct copy_args - the command line
 * @command: for messages
 * @help: what --help prints
 * @names: the two arguments
 * @length: 0: not given
 * @force: do not ask
 * @wc: map BARs write-combining
 * @json: print JSON
 */
struct copy_args {
	const char *command;
	const char *help;
	char **names;
	uint64_t length;
	bool force;
	bool wc;
	bool json;
};

/* The command line */

static const struct option options[] = {
	{ "length", required_argument, NULL, 'l' },
	{ "force", no_argument, NULL, 'f' },
	{ "wc", no_argument, NULL, 'w' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_option(int c, struct copy_args *args)
{
	switch (c) {
	case 'l':
		if (!parse_size(optarg, &args->length) && args->length)
			return -1;
		return tool_usage(args->command, "\"%s\" is no length (1G, 64K, 4096, 0x1000 are)",
				  optarg);
	case 'f':
		args->force = true;
		return -1;
	case 'w':
		args->wc = true;
		return -1;
	case 'j':
		args->json = true;
		return -1;
	case 'h':
		fputs(args->help, stdout);
		return 0;
	default:
		return tool_try_help(args->command);
	}
}

/* The exit status if there is nothing more to do, or -1. */
static int take_args(int argc, char **argv, struct copy_args *args)
{
	int c, ret;

	args->command = argv[0];
	while ((c = getopt_long(argc, argv, "l:fwjh", options, NULL)) != -1) {
		ret = take_option(c, args);
		if (ret >= 0)
			return ret;
	}
	if (argc - optind < 2)
		return tool_usage(argv[0], "%s", argc - optind ? "one argument is missing" :
				  "no arguments");
	if (argc - optind > 2)
		return tool_usage(argv[0], "unexpected \"%s\"", argv[optind + 2]);
	args->names = argv + optind;
	return -1;
}

static int take_place(const struct copy_args *args, const char *text, struct endpoint *e)
{
	int ret = endpoint_take(e, args->command, text);

	e->wc = args->wc;
	return ret;
}

/* Before bytes are written where they can do more than be wrong. */
static int ask(const struct copy_args *args, const struct endpoint *e, uint64_t length)
{
	const char *danger = endpoint_danger(e);
	char answer[16];

	if (!danger || args->force)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return tool_usage(args->command, "%s is %s: --force writes to it without a "
				  "terminal to ask on", e->text, danger);
	if (length == ENDPOINT_UNKNOWN)
		fprintf(stderr, "%s is %s. Write to it? [y/N] ", e->text, danger);
	else
		fprintf(stderr, "%s is %s. Write %s to it? [y/N] ", e->text, danger,
			text_bytes(length).s);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] | 0x20) == 'y')
		return 0;
	return tool_fail("nothing was written");
}

/* What comes out */

static uint64_t per_second(const struct transfer *t)
{
	return t->ns ? (uint64_t)((double)t->done * 1e9 / (double)t->ns) : 0;
}

static struct json_object *transfer_json(const struct transfer *t)
{
	struct json_object *obj = json_object_new_object();

	json_add_u64(obj, "bytes", t->done);
	json_add_ns(obj, "seconds", t->ns);
	json_add_u64(obj, "bytes_per_second", per_second(t));
	return obj;
}

static void print_rate(const struct transfer *t, const char *verb)
{
	printf("%s %s in %s, %s/s\n", verb, text_bytes(t->done).s, text_ns(t->ns).s,
	       text_bytes(per_second(t)).s);
}

/* Bytes that were copied there are not mixed with words. */
static bool is_standard_output(const struct endpoint *e)
{
	struct stat st;

	return e->place.kind == ENDPOINT_FILE && !e->block && !fstat(STDOUT_FILENO, &st) &&
	       e->id[0] == st.st_dev && e->id[1] == st.st_ino;
}

static void report(const struct copy_args *args, const struct transfer *t, const char *verb)
{
	struct json_object *obj;

	if (is_standard_output(t->dst))
		return;
	if (!args->json) {
		print_rate(t, verb);
		return;
	}
	obj = transfer_json(t);
	json_print(obj);
	json_object_put(obj);
}

/* phyr copy */

static int no_length(const struct endpoint *e)
{
	return tool_fail("%s does not say how long it is: give --length", e->text);
}

static int too_short(const struct endpoint *e, uint64_t length)
{
	return tool_fail("%s has %" PRIu64 " bytes from there on, and %" PRIu64 " are wanted: "
			 "give a smaller --length", e->text, e->size, length);
}

/* Whether it has so many bytes, as far as is known. */
static int check_length(const struct endpoint *e, uint64_t length)
{
	return e->size != ENDPOINT_UNKNOWN && length > e->size ? too_short(e, length) : 0;
}

static int source_length(const struct copy_args *args, const struct endpoint *src,
			 uint64_t *length)
{
	*length = args->length ? args->length : src->size;
	if (args->length)
		return check_length(src, args->length);
	if (src->size == ENDPOINT_UNKNOWN && src->place.kind != ENDPOINT_FILE)
		return no_length(src);
	return 0;
}

/* What does not end by itself ends where there is no more room. */
static int target_length(const struct endpoint *dst, uint64_t *length)
{
	if (dst->regular)
		return 0;
	if (*length != ENDPOINT_UNKNOWN)
		return check_length(dst, *length);
	if (dst->size == ENDPOINT_UNKNOWN && dst->place.kind != ENDPOINT_FILE)
		return no_length(dst);
	*length = dst->size;
	return 0;
}

static bool overlaps(const struct endpoint *a, const struct endpoint *b, uint64_t length)
{
	uint64_t low = a->place.at < b->place.at ? a->place.at : b->place.at;
	uint64_t high = a->place.at + b->place.at - low;

	return endpoint_is_same(a, b) && !a->stream && high - low < length;
}

/* A file that is written from its beginning on ends where that ends. */
static int make_empty(const struct transfer *t)
{
	const struct endpoint *dst = t->dst;

	if (!dst->regular || dst->place.has_at)
		return 0;
	if (endpoint_is_same(t->src, dst))
		return tool_fail("%s and %s are the same file", t->src->text, dst->text);
	return ftruncate(dst->fd, 0) ? tool_fail("cannot write to %s: %m", dst->text) : 0;
}

static int start(struct transfer *t)
{
	int ret;

	if (!t->length)
		return 0;
	ret = endpoint_start(t->src, t->length, false);
	return ret ? ret : endpoint_start(t->dst, t->length, true);
}

/* Nothing is written before all is known to be in order. */
static int prepare_copy(const struct copy_args *args, struct transfer *t)
{
	int ret = endpoint_open(t->src, O_RDONLY);

	if (ret)
		return ret;
	ret = source_length(args, t->src, &t->length);
	if (ret)
		return ret;
	ret = endpoint_open(t->dst, O_WRONLY | O_CREAT);
	if (ret)
		return ret;
	ret = target_length(t->dst, &t->length);
	if (ret)
		return ret;
	ret = ask(args, t->dst, t->length);
	if (ret)
		return ret;
	t->overlap = overlaps(t->src, t->dst, t->length);
	if (t->overlap && t->length == ENDPOINT_UNKNOWN)
		return tool_fail("%s and %s may overlap: say how much, with --length",
				 t->src->text, t->dst->text);
	ret = start(t);
	return ret ? ret : make_empty(t);
}

static int copy(const struct copy_args *args, struct transfer *t)
{
	int ret = prepare_copy(args, t);

	if (ret)
		return ret;
	ret = transfer_copy(t);
	if (ret)
		return ret;
	ret = endpoint_finish(t->dst);
	if (ret)
		return ret;
	if (args->length && t->done < args->length)
		return tool_fail("%s ended after %" PRIu64 " bytes", t->src->text, t->done);
	report(args, t, "copied");
	return 0;
}

int cmd_copy(int argc, char **argv)
{
	struct copy_args args = { .help = copy_help };
	struct endpoint src, dst;
	struct transfer t = { .src = &src, .dst = &dst };
	int ret = take_args(argc, argv, &args);

	if (ret >= 0)
		return ret;
	ret = take_place(&args, args.names[0], &src);
	if (ret)
		return ret;
	ret = take_place(&args, args.names[1], &dst);
	if (ret)
		return ret;
	ret = copy(&args, &t);
	endpoint_close(&dst);
	endpoint_close(&src);
	return ret;
}

/* phyr fill */

static int prepare_fill(const struct copy_args *args, struct transfer *t)
{
	int ret = endpoint_open(t->dst, O_WRONLY | (args->length ? O_CREAT : 0));

	if (ret)
		return ret;
	t->length = args->length ? args->length : t->dst->size;
	if (!t->length || t->length == ENDPOINT_UNKNOWN)
		return no_length(t->dst);
	ret = target_length(t->dst, &t->length);
	if (ret)
		return ret;
	ret = ask(args, t->dst, t->length);
	return ret ? ret : endpoint_start(t->dst, t->length, true);
}

static int fill(const struct copy_args *args, struct transfer *t)
{
	int ret = prepare_fill(args, t);

	if (ret)
		return ret;
	ret = transfer_fill(t);
	if (ret)
		return ret;
	ret = endpoint_finish(t->dst);
	if (ret)
		return ret;
	report(args, t, "filled");
	return 0;
}

int cmd_fill(int argc, char **argv)
{
	struct copy_args args = { .help = fill_help };
	struct endpoint dst;
	struct transfer t = { .dst = &dst };
	int ret = take_args(argc, argv, &args);
	uint64_t byte;

	if (ret >= 0)
		return ret;
	if (parse_size(args.names[1], &byte) || byte > UINT8_MAX)
		return tool_usage(argv[0], "\"%s\" is no byte (0 to 255 and 0x00 to 0xff are)",
				  args.names[1]);
	t.byte = (unsigned char)byte;
	ret = take_place(&args, args.names[0], &dst);
	if (ret)
		return ret;
	ret = fill(&args, &t);
	endpoint_close(&dst);
	return ret;
}

/* phyr compare */

static int compared_length(const struct copy_args *args, const struct transfer *t,
			   uint64_t *length)
{
	const struct endpoint *a = t->src, *b = t->dst;
	int ret;

	*length = args->length;
	if (*length) {
		ret = check_length(a, *length);
		return ret ? ret : check_length(b, *length);
	}
	*length = a->size < b->size ? a->size : b->size;
	if (*length != ENDPOINT_UNKNOWN)
		return 0;
	if (a->place.kind != ENDPOINT_FILE)
		return no_length(a);
	return b->place.kind == ENDPOINT_FILE ? 0 : no_length(b);
}

/* Whether it has a byte behind those that were compared. */
static bool goes_on(const struct endpoint *e, uint64_t length)
{
	char byte;

	if (e->size != ENDPOINT_UNKNOWN)
		return e->size > length;
	return e->place.kind == ENDPOINT_FILE && endpoint_read(e, length, &byte, 1) > 0;
}

static void report_comparison(const struct copy_args *args, const struct transfer *t)
{
	struct json_object *obj;

	if (args->json) {
		obj = transfer_json(t);
		json_add_bool(obj, "equal", !t->differ);
		json_add_shown(obj, "first_difference", t->done, t->differ);
		json_print(obj);
		json_object_put(obj);
		return;
	}
	if (t->ended)
		printf("%s ends after %" PRIu64 " bytes, and %s does not\n", t->ended->text,
		       t->done, t->ended == t->src ? t->dst->text : t->src->text);
	else if (t->differ)
		printf("%s and %s differ at byte %" PRIu64 " (%#" PRIx64 ")\n", t->src->text,
		       t->dst->text, t->done, t->done);
	else
		print_rate(t, "no difference: compared");
}

static int prepare_compare(const struct copy_args *args, struct transfer *t)
{
	int ret = endpoint_open(t->src, O_RDONLY);

	if (ret)
		return ret;
	ret = endpoint_open(t->dst, O_RDONLY);
	if (ret)
		return ret;
	ret = compared_length(args, t, &t->length);
	if (ret || !t->length)
		return ret;
	ret = endpoint_start(t->src, t->length, false);
	return ret ? ret : endpoint_start(t->dst, t->length, false);
}

/* Without --length, all that they have is compared, and one that has more differs. */
static void compare_ends(struct transfer *t)
{
	bool a = goes_on(t->src, t->done), b = goes_on(t->dst, t->done);

	t->differ = a != b;
	if (t->differ)
		t->ended = a ? t->dst : t->src;
}

static int compare(const struct copy_args *args, struct transfer *t)
{
	int ret = prepare_compare(args, t);

	if (ret)
		return ret;
	ret = transfer_compare(t);
	if (ret)
		return ret;
	if (!args->length && !t->differ)
		compare_ends(t);
	report_comparison(args, t);
	return 0;
}

int cmd_compare(int argc, char **argv)
{
	struct copy_args args = { .help = compare_help };
	struct endpoint a, b;
	struct transfer t = { .src = &a, .dst = &b };
	int ret = take_args(argc, argv, &args);

	if (ret >= 0)
		return ret;
	ret = take_place(&args, args.names[0], &a);
	if (ret)
		return ret;
	ret = take_place(&args, args.names[1], &b);
	if (ret)
		return ret;
	ret = compare(&args, &t);
	endpoint_close(&b);
	endpoint_close(&a);
	return ret ? TOOL_USAGE : t.differ;
}
