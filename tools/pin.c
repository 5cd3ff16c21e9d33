// SPDX-License-Identifier: GPL-2.0-only
/* phyr pin: get some memory, pin it, show what came out. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include <json-c/json.h>
#include <phyr.h>

#include "memory.h"
#include "parse.h"
#include "system.h"
#include "tool.h"

#define RANGES_BATCH	1024u
#define BAR_WIDTH	40u

static const char help_head[] =
	"Usage: phyr pin [OPTION]...\n"
	"\n"
	"Get memory of some kind, touch it, pin it through " PHYR_DEVICE " and show what came\n"
	"out: how many phyrs, how large, and how long it took.\n"
	"\n"
	"  -s, --size SIZE    how much, as 4096, 64K, 2M, 1G or 0x1000 [1G; a file: all of it]\n"
	"  -k, --kind KIND    what memory, see below [4k]\n"
	"  -f, --file PATH    map this file or device instead\n"
	"  -o, --offset N     begin at this byte of the file [0]\n"
	"  -r, --read-only    pin it for devices that only read\n"
	"      --ranges       list the physical ranges, for CAP_SYS_ADMIN only\n"
	"      --hold SECONDS keep it pinned for so long before exiting\n"
	"  -j, --json         exact numbers, for programs\n"
	"  -h, --help         this text\n"
	"\n"
	"Kinds:\n";

struct pin_args {
	const struct memory_kind *kind;
	const char *file;
	uint64_t offset;
	uint64_t size;			/* 0: not given */
	uint64_t hold;
	bool read_only;
	bool ranges;
	bool json;
};

struct pinned {
	int dev;
	int region;
	uint64_t pin_ns;
	struct phyr_query query;
};

typedef void (*range_fn)(const struct phyr_range *range, void *ctx);

/* Calls @fn for each physical range; 0 or a negative errno. */
static int walk_ranges(const struct pinned *p, range_fn fn, void *ctx)
{
	struct phyr_range *ranges = calloc(RANGES_BATCH, sizeof(*ranges));
	uint64_t offset = 0;
	ssize_t nr = 0, i;

	if (!ranges)
		return -ENOMEM;
	while (offset < p->query.bytes) {
		nr = phyr_ranges(p->dev, p->region, offset, ranges, RANGES_BATCH);
		if (nr <= 0)
			break;
		for (i = 0; i < nr; i++) {
			fn(&ranges[i], ctx);
			offset += ranges[i].len;
		}
	}
	free(ranges);
	return nr < 0 ? (int)nr : 0;
}

static uint64_t page_array_bytes(const struct pinned *p)
{
	return p->query.pages * 8;
}

/* Which pages are adjacent in physical memory is not shown to everybody. */
static bool is_restricted(const struct phyr_query *query)
{
	return query->flags & PHYR_QUERY_RESTRICTED;
}

/* The table */

static void print_kinds(const struct phyr_query *query)
{
	const char *comma = "";
	unsigned int kind;

	printf("  kinds      ");
	for (kind = 0; kind < PHYR_KIND_MAX; kind++) {
		if (!query->kind_bytes[kind])
			continue;
		printf("%s%s %s", comma, phyr_kind_name(kind),
		       text_bytes(query->kind_bytes[kind]).s);
		comma = ", ";
	}
	putchar('\n');
}

static void print_histogram(const struct phyr_query *query)
{
	uint64_t most = 0, width;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(query->histogram); n++)
		if (query->histogram[n] > most)
			most = query->histogram[n];
	printf("\n  phyrs of at least\n");
	for (n = 0; n < ARRAY_SIZE(query->histogram); n++) {
		if (!query->histogram[n])
			continue;
		width = query->histogram[n] / ((most + BAR_WIDTH - 1) / BAR_WIDTH);
		printf("  %9s  %9" PRIu64 "  ", text_bytes(1ULL << n).s,
		       (uint64_t)query->histogram[n]);
		do {
			putchar('#');
		} while (width && --width);
		putchar('\n');
	}
}

static void print_range(const struct phyr_range *range, void *ctx)
{
	(void)ctx;
	printf("  %#14" PRIx64 "  %9s  %s\n", (uint64_t)range->addr, text_bytes(range->len).s,
	       phyr_kind_name(range->kind));
}

static void print_headline(const struct pin_args *args, const struct pinned *p)
{
	printf("pinned %s of %s%s", text_bytes(p->query.bytes).s,
	       args->file ? args->file : memory_kind_name(args->kind),
	       args->file ? "" : " memory");
	if (!is_restricted(&p->query))
		printf(" in %s", text_ns(p->pin_ns).s);
	puts("\n");
}

static void print_restriction(void)
{
	puts("\nHow many phyrs that is, their lengths and the time it took are shown to\n"
	     "CAP_SYS_ADMIN only, as they tell which pages are adjacent in physical memory: run\n"
	     "it as root, or set the module parameter allow_layout.");
}

static int print_table(const struct pin_args *args, const struct pinned *p)
{
	const struct phyr_query *query = &p->query;
	bool shown = !is_restricted(query);

	print_headline(args, p);
	printf("  bytes      %" PRIu64 "%s\n", (uint64_t)query->bytes,
	       query->flags & PHYR_QUERY_WRITE ? "" : ", read-only");
	printf("  pages      %" PRIu64 "\n", (uint64_t)query->pages);
	if (shown) {
		printf("  phyrs      %" PRIu64 "\n", (uint64_t)query->phyrs);
		printf("  largest    %s\n", text_bytes(query->largest).s);
	}
	print_kinds(query);
	if (!shown) {
		print_restriction();
		return 0;
	}
	printf("  metadata   %s (8 bytes a page: %s)\n", text_bytes(query->metadata_bytes).s,
	       text_bytes(page_array_bytes(p)).s);
	print_histogram(query);
	if (!args->ranges)
		return 0;
	printf("\n  physical address     length  kind\n");
	return walk_ranges(p, print_range, NULL);
}

/* JSON */

static struct json_object *json_kinds(const struct phyr_query *query)
{
	struct json_object *obj = json_object_new_object();
	unsigned int kind;

	for (kind = 0; kind < PHYR_KIND_MAX; kind++)
		if (query->kind_bytes[kind])
			json_add_u64(obj, phyr_kind_name(kind), query->kind_bytes[kind]);
	return obj;
}

static struct json_object *json_histogram(const struct phyr_query *query)
{
	struct json_object *array = json_object_new_array(), *obj;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(query->histogram); n++) {
		if (!query->histogram[n])
			continue;
		obj = json_object_new_object();
		json_add_u64(obj, "from", 1ULL << n);
		json_add_u64(obj, "to", (2ULL << n) - 1);
		json_add_u64(obj, "phyrs", query->histogram[n]);
		json_object_array_add(array, obj);
	}
	return array;
}

static void json_range(const struct phyr_range *range, void *ctx)
{
	struct json_object *obj = json_object_new_object();

	json_add_u64(obj, "addr", range->addr);
	json_add_u64(obj, "len", range->len);
	json_add_text(obj, "kind", phyr_kind_name(range->kind));
	json_object_array_add(ctx, obj);
}

static void json_source(struct json_object *root, const struct pin_args *args)
{
	if (args->file) {
		json_add_text(root, "file", args->file);
		json_add_u64(root, "offset", args->offset);
	} else {
		json_add_text(root, "kind", memory_kind_name(args->kind));
	}
}

static int print_json(const struct pin_args *args, const struct pinned *p)
{
	struct json_object *root = json_object_new_object(), *ranges;
	const struct phyr_query *query = &p->query;
	bool shown = !is_restricted(query);
	int ret = 0;

	json_source(root, args);
	json_add_bool(root, "writable", query->flags & PHYR_QUERY_WRITE);
	json_add_u64(root, "bytes", query->bytes);
	json_add_u64(root, "pages", query->pages);
	json_add_bool(root, "restricted", !shown);
	json_add_shown(root, "phyrs", query->phyrs, shown);
	json_add_shown(root, "largest", query->largest, shown);
	json_object_object_add(root, "kinds", json_kinds(query));
	json_object_object_add(root, "histogram", shown ? json_histogram(query) : NULL);
	json_add_shown(root, "metadata_bytes", query->metadata_bytes, shown);
	json_add_u64(root, "page_array_bytes", page_array_bytes(p));
	json_add_shown(root, "pin_ns", p->pin_ns, shown);
	if (args->ranges) {
		ranges = json_object_new_array();
		ret = walk_ranges(p, json_range, ranges);
		json_object_object_add(root, "ranges", ranges);
	}
	if (!ret)
		json_print(root);
	json_object_put(root);
	return ret;
}

/* The work */

static void hold(uint64_t seconds)
{
	unsigned int left = (unsigned int)seconds;

	fflush(stdout);
	while (left)
		left = sleep(left);
}

/* Better known before half of the output is there. */
static int may_list(const struct pinned *p)
{
	struct phyr_range range;
	ssize_t nr = phyr_ranges(p->dev, p->region, 0, &range, 1);

	return nr < 0 ? (int)nr : 0;
}

static int show(const struct pin_args *args, struct pinned *p)
{
	int ret;

	p->query.size = sizeof(p->query);
	ret = phyr_query(p->dev, p->region, &p->query);
	if (ret)
		return tool_fail_phyr(ret, "cannot ask about the region");
	if (args->ranges) {
		ret = may_list(p);
		if (ret)
			return tool_fail_phyr(ret, "cannot list the physical ranges");
	}
	ret = args->json ? print_json(args, p) : print_table(args, p);
	if (ret)
		return tool_fail_phyr(ret, "cannot list the physical ranges");
	hold(args->hold);
	return 0;
}

/* This process pins nothing else, but others of the same user may. */
static void explain_no_memory(const struct memory *mem)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), limit = memlock_limit();
	uint64_t first = (uintptr_t)mem->addr / page;
	uint64_t last = ((uintptr_t)mem->addr + mem->len - 1) / page;
	bool limited = limit != UINT64_MAX && !has_capability(CAP_IPC_LOCK);

	if (limited && (last - first + 1) * page > limit) {
		fprintf(stderr,
			"  that is more than RLIMIT_MEMLOCK allows: raise it (ulimit -l,\n"
			"  /etc/security/limits.conf), or give a smaller --size\n"
			"  RLIMIT_MEMLOCK here: %s\n", text_memlock().s);
		return;
	}
	if (limited)
		fprintf(stderr,
			"  RLIMIT_MEMLOCK here: %s, for all that processes of this user pin;\n"
			"  or the kernel has no memory left,\n", text_memlock().s);
	else
		fputs("  RLIMIT_MEMLOCK is not the reason, as it does not limit this process:\n"
		      "  the kernel has no memory left,\n", stderr);
	fputs("  or could not move pages just now that may not stay where they are (in a movable\n"
	      "  zone or in CMA), as something else has them: try again, and free memory if that\n"
	      "  does not help\n", stderr);
}

/* Whether the same can be pinned without PHYR_PIN_WRITE. */
static bool can_be_read(int dev, const struct memory *mem)
{
	int region = phyr_pin(dev, mem->addr, mem->len, 0);

	if (region < 0)
		return false;
	close(region);
	return true;
}

static int fail_pin(const struct pin_args *args, int dev, const struct memory *mem, int error)
{
	if (error == -ENOMEM) {
		tool_fail("cannot pin %s: %s", text_bytes(mem->len).s, strerror(-error));
		explain_no_memory(mem);
		return TOOL_FAILED;
	}
	if (error != -EFAULT || !args->file)
		return tool_fail_phyr(error, "cannot pin %s", text_bytes(mem->len).s);
	if (mem->past_end) {
		tool_fail("cannot pin %s of %s: the last %s are past the end of the file",
			  text_bytes(mem->len).s, args->file, text_bytes(mem->past_end).s);
		fputs("  give a smaller --size or --offset\n", stderr);
		return TOOL_FAILED;
	}
	if (args->read_only || !can_be_read(dev, mem))
		return tool_fail_phyr(error, "cannot pin %s of %s", text_bytes(mem->len).s,
				      args->file);
	tool_fail("cannot pin %s of %s for writing, only for reading", text_bytes(mem->len).s,
		  args->file);
	fputs("  its file system writes back what changes, and does not see what a device writes:\n"
	      "  --read-only pins it for reading\n", stderr);
	return TOOL_FAILED;
}

static int pin_memory(const struct pin_args *args, int dev, const struct memory *mem)
{
	struct pinned p = { .dev = dev };
	int ret;

	p.region = phyr_pin_timed(dev, mem->addr, mem->len,
				  args->read_only ? 0 : PHYR_PIN_WRITE, &p.pin_ns);
	if (p.region < 0)
		return fail_pin(args, dev, mem, p.region);
	ret = show(args, &p);
	close(p.region);
	return ret;
}

static int pin(const struct pin_args *args)
{
	struct memory mem;
	int dev = phyr_open(), ret;

	if (dev < 0)
		return tool_fail_phyr(dev, "cannot open " PHYR_DEVICE);
	if (args->file)
		ret = memory_map_file(&mem, args->file, args->offset, args->size,
				      !args->read_only);
	else
		ret = memory_make(&mem, args->kind, args->size ? args->size : 1ULL << 30);
	if (ret)
		goto close_dev;
	ret = pin_memory(args, dev, &mem);
	memory_free(&mem);
close_dev:
	close(dev);
	return ret;
}

/* The command line */

enum { OPT_RANGES = 256, OPT_HOLD };

static const struct option options[] = {
	{ "size", required_argument, NULL, 's' },
	{ "kind", required_argument, NULL, 'k' },
	{ "file", required_argument, NULL, 'f' },
	{ "offset", required_argument, NULL, 'o' },
	{ "read-only", no_argument, NULL, 'r' },
	{ "ranges", no_argument, NULL, OPT_RANGES },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_size(const char *command, const char *text, uint64_t *size)
{
	if (parse_size(text, size) || !*size)
		return tool_usage(command, "\"%s\" is no size (1G, 64K, 4096, 0x1000 are)", text);
	return 0;
}

static int take_option(int c, const char *command, struct pin_args *args)
{
	switch (c) {
	case 's':
		return take_size(command, optarg, &args->size);
	case 'k':
		args->kind = memory_kind_find(optarg);
		return args->kind ? 0 : tool_usage(command, "unknown kind \"%s\"", optarg);
	case 'f':
		args->file = optarg;
		return 0;
	case 'o':
		if (parse_size(optarg, &args->offset))
			return tool_usage(command, "\"%s\" is no offset (4096, 64K, 0x60000000 "
					  "are)", optarg);
		return 0;
	case OPT_HOLD:
		if (parse_number(optarg, UINT32_MAX, &args->hold))
			return tool_usage(command, "\"%s\" is no number of seconds", optarg);
		return 0;
	case 'r':
		args->read_only = true;
		return 0;
	case OPT_RANGES:
		args->ranges = true;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	default:
		return tool_try_help(command);
	}
}

int cmd_pin(int argc, char **argv)
{
	struct pin_args args = { 0 };
	int c, ret;

	while ((c = getopt_long(argc, argv, "s:k:f:o:rjh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help_head, stdout);
			memory_kinds_help();
			return 0;
		}
		ret = take_option(c, argv[0], &args);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return tool_usage(argv[0], "unexpected \"%s\"", argv[optind]);
	if (args.file && args.kind)
		return tool_usage(argv[0], "--kind and --file exclude each other");
	if (args.offset && !args.file)
		return tool_usage(argv[0], "--offset is an offset in a --file");
	if (!args.kind)
		args.kind = memory_kind_find("4k");
	return pin(&args);
}
