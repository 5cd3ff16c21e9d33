// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr layout: how contiguous a process's memory really is, as a table and as JSON.
 *
 * Needs no module.  Each mapping is printed as soon as it is measured, so that memory and
 * time do not depend on what was printed already.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "layout.h"
#include "parse.h"
#include "stream.h"
#include "tool.h"

#define KINDS_WIDTH	15
#define NAME_WIDTH	20

static const char help[] =
	"Usage: phyr layout PID [OPTION]...\n"
	"\n"
	"Show how physically contiguous the memory of a process is: for each mapping how\n"
	"many phyrs it is made of, and how much it takes to describe it with them and with\n"
	"arrays of 8 bytes a page. Needs no module, but CAP_SYS_ADMIN.\n"
	"\n"
	"  -a, --all       show mappings without any present page too\n"
	"      --svg FILE  draw a picture of it\n"
	"  -j, --json      exact numbers, for programs\n"
	"  -h, --help      this text\n";

struct layout_args {
	uint64_t pid;
	const char *svg;
	bool all;
	bool json;
};

/* An output that has begun */
struct show {
	const struct layout_args *args;
	struct stream json;
};

static bool wanted(const struct mapping *map, bool all)
{
	return all || map->cost.phyrs || map->hidden || map->absent[ABSENT_SWAPPED] ||
	       map->absent[ABSENT_MOVING];
}

/* The table */

static enum page_kind next_kind(const struct mapping *map, unsigned int done)
{
	enum page_kind best = NR_PAGE_KINDS;
	unsigned int i;

	for (i = 0; i < NR_PAGE_KINDS; i++) {
		if (done & 1u << i || !map->kinds.pages[i])
			continue;
		if (best == NR_PAGE_KINDS || map->kinds.pages[i] > map->kinds.pages[best])
			best = i;
	}
	return best;
}

/* Of a mapping of which nothing is present. */
static const char *absence_text(const struct mapping *map)
{
	unsigned int i;

	for (i = 0; i < NR_PAGE_ABSENCES; i++)
		if (map->absent[i])
			return page_absence_names[i];
	return "-";
}

/* The most frequent kind, and how many more there are. */
static void kinds_text(const struct mapping *map, char *text, size_t size)
{
	unsigned int done = 0, more = 0;
	enum page_kind first = next_kind(map, 0), kind;

	if (map->hidden) {
		snprintf(text, size, "device (hidden)");
		return;
	}
	if (first == NR_PAGE_KINDS) {
		snprintf(text, size, "%s", absence_text(map));
		return;
	}
	for (kind = first; kind < NR_PAGE_KINDS; kind = next_kind(map, done)) {
		done |= 1u << kind;
		more++;
	}
	more += !!map->absent[ABSENT_SWAPPED];
	if (more > 1)
		snprintf(text, size, "%s +%u", page_kind_names[first], more - 1);
	else
		snprintf(text, size, "%s", page_kind_names[first]);
}

static void print_row(const struct layout *layout, const struct mapping *map,
		      const char *address, const char *name)
{
	char kinds[32];

	kinds_text(map, kinds, sizeof(kinds));
	printf("%-12s %9s %9s %9" PRIu64 " %9s %9s %9s  %-*s %.*s\n", address,
	       text_bytes(map->end - map->start).s, text_bytes(map->cost.bytes).s,
	       map->cost.phyrs, text_bytes(map->cost.largest).s,
	       text_bytes(layout_array_bytes(layout, map)).s,
	       text_bytes(map->cost.metadata).s, KINDS_WIDTH, kinds,
	       (int)text_cut(name, NAME_WIDTH), name);
}

static void print_notes(const struct layout *layout)
{
	const struct mapping *total = &layout->total;
	uint64_t arrays = layout_array_bytes(layout, total);

	printf("\nTo describe what is present takes %s as arrays of pages and %s as phyrs",
	       text_bytes(arrays).s, text_bytes(total->cost.metadata).s);
	if (total->cost.metadata && arrays >= 2 * total->cost.metadata)
		printf(", %" PRIu64 " times less", arrays / total->cost.metadata);
	puts(".");
	if (total->absent[ABSENT_SWAPPED])
		printf("%s more is swapped out.\n",
		       text_bytes(total->absent[ABSENT_SWAPPED] * layout->page_size).s);
	if (!layout->has_flags)
		puts("/proc/kpageflags cannot be read: huge pages look like others.");
}

static void table_begin(void)
{
	printf("%-12s %9s %9s %9s %9s %9s %9s  %-*s %s\n", "ADDRESS", "SIZE", "PRESENT", "PHYRS",
	       "LARGEST", "ARRAYS", "LIST", KINDS_WIDTH, "KINDS", "NAME");
}

static void table_mapping(const struct layout *layout, const struct mapping *map)
{
	char address[24];

	snprintf(address, sizeof(address), "%012" PRIx64, map->start);
	print_row(layout, map, address, short_name(map->path));
}

static void table_end(const struct layout *layout)
{
	print_row(layout, &layout->total, "total", layout->comm);
	print_notes(layout);
}

/* JSON */

static void json_kinds(struct stream *s, const struct layout *layout, const struct mapping *map)
{
	unsigned int i;

	stream_open(s, "kinds", '{');
	for (i = 0; i < NR_PAGE_KINDS; i++)
		if (map->kinds.pages[i])
			stream_u64(s, page_kind_names[i],
				   map->kinds.pages[i] * layout->page_size);
	stream_close(s, '}');
}

static void json_classes(struct stream *s, const struct mapping *map)
{
	static const char *const names[NR_CLASSES] = {
		"below_64k", "64k_to_2m", "2m_to_1g", "1g_and_up"
	};
	unsigned int i;

	stream_open(s, "classes", '{');
	for (i = 0; i < NR_CLASSES; i++) {
		stream_open(s, names[i], '{');
		stream_u64(s, "bytes", map->cost.class_bytes[i]);
		stream_u64(s, "phyrs", map->cost.class_phyrs[i]);
		stream_close(s, '}');
	}
	stream_close(s, '}');
}

static void json_figures(struct stream *s, const struct layout *layout, const struct mapping *map)
{
	stream_u64(s, "bytes", map->end - map->start);
	stream_u64(s, "present_bytes", map->cost.bytes);
	stream_u64(s, "present_pages", map->cost.bytes / layout->page_size);
	stream_u64(s, "swapped_pages", map->absent[ABSENT_SWAPPED]);
	stream_u64(s, "guard_pages", map->absent[ABSENT_GUARD]);
	stream_u64(s, "marker_pages", map->absent[ABSENT_MARKER]);
	stream_u64(s, "moving_pages", map->absent[ABSENT_MOVING]);
	stream_u64(s, "phyrs", map->cost.phyrs);
	stream_u64(s, "largest", map->cost.largest);
	stream_u64(s, "page_array_bytes", layout_array_bytes(layout, map));
	stream_u64(s, "phyr_bytes", map->cost.metadata);
	json_kinds(s, layout, map);
	json_classes(s, map);
}

static void json_begin(struct stream *s, const struct layout *layout)
{
	stream_open(s, NULL, '{');
	stream_u64(s, "pid", (uint64_t)layout->pid);
	stream_text(s, "command", layout->comm);
	stream_u64(s, "page_size", layout->page_size);
	stream_bool(s, "exact_kinds", layout->has_flags);
	stream_open(s, "mappings", '[');
}

static void json_mapping(struct stream *s, const struct layout *layout, const struct mapping *map)
{
	stream_open(s, NULL, '{');
	stream_hex(s, "start", map->start);
	stream_hex(s, "end", map->end);
	stream_text(s, "permissions", map->perms);
	stream_text(s, "name", map->path);
	stream_bool(s, "hidden", map->hidden);
	json_figures(s, layout, map);
	stream_close(s, '}');
}

static void json_end(struct stream *s, const struct layout *layout)
{
	stream_close(s, ']');
	stream_open(s, "total", '{');
	json_figures(s, layout, &layout->total);
	stream_close(s, '}');
	stream_close(s, '}');
}

/* Both */

static void show_mapping(struct layout *layout, const struct mapping *map, void *ctx)
{
	struct show *show = ctx;
	bool json = show->args->json;

	/* Not before there is something to say. */
	if (layout->nr == 1) {
		if (json)
			json_begin(&show->json, layout);
		else
			table_begin();
	}
	if (!wanted(map, show->args->all))
		return;
	if (json)
		json_mapping(&show->json, layout, map);
	else
		table_mapping(layout, map);
}

static int show_end(struct show *show, const struct layout *layout)
{
	if (show->args->json)
		json_end(&show->json, layout);
	else
		table_end(layout);
	return show->args->svg ? svg_write_layout(show->args->svg, layout) : 0;
}

static int layout_process(const struct layout_args *args)
{
	struct show show = { .args = args, .json.lines = 2 };
	struct layout layout = { .pid = (int)args->pid };
	int ret = survey_process(&layout, args->svg, show_mapping, &show);

	if (!ret)
		ret = show_end(&show, &layout);
	layout_free(&layout);
	return ret;
}

/* The command line */

enum { OPT_SVG = 256 };

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int cmd_layout(int argc, char **argv)
{
	struct layout_args args = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "ajh", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			args.all = true;
			break;
		case OPT_SVG:
			args.svg = optarg;
			break;
		case 'j':
			args.json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return tool_try_help(argv[0]);
		}
	}
	if (optind == argc)
		return tool_usage(argv[0], "no PID");
	if (optind + 1 < argc)
		return tool_usage(argv[0], "unexpected \"%s\"", argv[optind + 1]);
	if (parse_number(argv[optind], INT_MAX, &args.pid) || !args.pid)
		return tool_usage(argv[0], "\"%s\" is no PID", argv[optind]);
	return layout_process(&args);
}
