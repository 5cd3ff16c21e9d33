// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr layout: how contiguous a process's memory really is.
 *
 * Needs no module.  Each mapping's present pages, in virtual order, are put
 * into the list that the module uses; what comes out is what pinning the
 * mapping would give, as long as the process keeps still.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "layout.h"
#include "parse.h"
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

/* Progress, for who waits at a terminal longer than two seconds */

struct progress {
	struct timespec next;
	const struct layout *layout;
	size_t map;
	uint64_t bytes;
	bool tty;
	bool shown;
};

static void progress_init(struct progress *p, const struct layout *layout)
{
	*p = (struct progress){ .layout = layout, .tty = isatty(STDERR_FILENO) };
	clock_gettime(CLOCK_MONOTONIC, &p->next);
	p->next.tv_sec += 2;
}

static void progress_tick(struct progress *p)
{
	struct timespec now;

	if (!p->tty)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < p->next.tv_sec ||
	    (now.tv_sec == p->next.tv_sec && now.tv_nsec < p->next.tv_nsec))
		return;
	fprintf(stderr, "\r\033[Kmapping %zu of %zu, %s", p->map + 1, p->layout->nr,
		text_bytes(p->bytes).s);
	p->next = now;
	p->next.tv_sec++;
	p->shown = true;
}

static void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}

/* The mappings */

static int add_mapping(struct layout *layout, const struct maps_line *line)
{
	struct mapping *map;

	if (!(layout->nr & (layout->nr - 1))) {
		size_t room = layout->nr ? 2 * layout->nr : 1;

		map = reallocarray(layout->maps, room, sizeof(*map));
		if (!map)
			return -ENOMEM;
		layout->maps = map;
	}
	map = &layout->maps[layout->nr];
	*map = (struct mapping){
		.start = line->start, .end = line->end, .file = line->inode,
	};
	memcpy(map->perms, line->perms, sizeof(map->perms));
	map->path = strdup(line->path);
	if (!map->path)
		return -ENOMEM;
	text_clean(map->path);
	layout->nr++;
	return 0;
}

static int read_lines(struct layout *layout, FILE *file)
{
	struct maps_line map;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	while (!ret && (len = getline(&line, &room, file)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (!parse_maps_line(line, &map))
			ret = add_mapping(layout, &map);
	}
	free(line);
	return ret;
}

static int read_maps(struct layout *layout, int proc_pid)
{
	int fd = openat(proc_pid, "maps", O_RDONLY | O_CLOEXEC), ret;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		ret = tool_fail("cannot look at process %d: %m", layout->pid);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	ret = read_lines(layout, file);
	fclose(file);
	if (ret)
		return tool_fail("out of memory");
	if (!layout->nr)
		return tool_fail("process %d has no memory of its own: a kernel thread, or it "
				 "has ended", layout->pid);
	return 0;
}

/* One mapping's pages become its phyrs */

struct survey {
	struct page_sink sink;		/* must be first */
	struct pagemap *pm;
	struct cost_list *list;
	struct mapping *map;
	struct progress *progress;
};

static int survey_run(struct page_sink *sink, const struct page_run *run)
{
	struct survey *s = (struct survey *)sink;
	uint64_t len = run->pages * pagemap_page_size(s->pm);
	uint64_t devices = s->map->kinds.pages[PAGE_DEVICE];

	s->progress->bytes += len;
	pagemap_kinds(s->pm, run, &s->map->kinds);
	return cost_list_add(s->list, run->addr, len,
			     s->map->kinds.pages[PAGE_DEVICE] > devices);
}

static void survey_gap(struct page_sink *sink)
{
	cost_list_gap(((struct survey *)sink)->list);
}

static void survey_absent(struct page_sink *sink, enum page_absence what)
{
	((struct survey *)sink)->map->absent[what]++;
}

static void survey_tick(struct page_sink *sink)
{
	progress_tick(((struct survey *)sink)->progress);
}

static int survey_mapping(struct survey *s, bool picture)
{
	struct mapping *map = s->map;
	int ret = -ENOMEM;

	s->list = cost_list_new();
	if (!s->list)
		return ret;
	ret = pagemap_walk(s->pm, map->start, map->end, &s->sink);
	if (ret)
		goto out;
	cost_list_finish(s->list, &map->cost);
	map->hidden = !map->cost.phyrs && map->file &&
		      pagemap_is_silent(s->pm, map->start, map->end);
	if (picture && map->cost.phyrs) {
		map->picture = picture_new(s->list, map->cost.bytes);
		ret = map->picture ? 0 : -ENOMEM;
	}
out:
	cost_list_free(s->list);
	return ret;
}

static void add_to_total(struct mapping *total, const struct mapping *map)
{
	unsigned int i;

	total->end += map->end - map->start;
	total->cost.bytes += map->cost.bytes;
	total->cost.phyrs += map->cost.phyrs;
	total->cost.metadata += map->cost.metadata;
	if (map->cost.largest > total->cost.largest)
		total->cost.largest = map->cost.largest;
	for (i = 0; i < NR_PAGE_ABSENCES; i++)
		total->absent[i] += map->absent[i];
	for (i = 0; i < NR_PAGE_KINDS; i++)
		total->kinds.pages[i] += map->kinds.pages[i];
	for (i = 0; i < NR_CLASSES; i++) {
		total->cost.class_bytes[i] += map->cost.class_bytes[i];
		total->cost.class_phyrs[i] += map->cost.class_phyrs[i];
	}
}

/* Pictures are kept of the largest mappings only. */
static void keep_picture(struct layout *layout, struct mapping *map)
{
	struct mapping **pictured = layout->pictured;
	unsigned int i, smallest = 0;

	pictured[layout->nr_pictured++] = map;
	if (layout->nr_pictured <= SVG_MAPPINGS)
		return;
	for (i = 1; i < layout->nr_pictured; i++)
		if (pictured[i]->cost.bytes < pictured[smallest]->cost.bytes)
			smallest = i;
	picture_free(pictured[smallest]->picture);
	pictured[smallest]->picture = NULL;
	pictured[smallest] = pictured[--layout->nr_pictured];
}

static int survey_process(struct layout *layout, struct pagemap *pm, bool pictures)
{
	struct progress progress;
	struct survey s = {
		.sink = { survey_run, survey_gap, survey_absent, survey_tick },
		.pm = pm,
		.progress = &progress,
	};
	int ret = 0;

	progress_init(&progress, layout);
	for (progress.map = 0; !ret && progress.map < layout->nr; progress.map++) {
		s.map = &layout->maps[progress.map];
		ret = survey_mapping(&s, pictures);
		add_to_total(&layout->total, s.map);
		if (s.map->picture)
			keep_picture(layout, s.map);
		progress_tick(&progress);
	}
	progress_end(&progress);
	return ret ? tool_fail("cannot build the list: %s", strerror(-ret)) : 0;
}

/* The table */

static bool wanted(const struct mapping *map, bool all)
{
	return all || map->cost.phyrs || map->hidden || map->absent[ABSENT_SWAPPED] ||
	       map->absent[ABSENT_MOVING];
}

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

static void print_table(const struct layout *layout, bool all)
{
	char address[24];
	size_t i;

	printf("%-12s %9s %9s %9s %9s %9s %9s  %-*s %s\n", "ADDRESS", "SIZE", "PRESENT", "PHYRS",
	       "LARGEST", "ARRAYS", "LIST", KINDS_WIDTH, "KINDS", "NAME");
	for (i = 0; i < layout->nr; i++) {
		if (!wanted(&layout->maps[i], all))
			continue;
		snprintf(address, sizeof(address), "%012" PRIx64, layout->maps[i].start);
		print_row(layout, &layout->maps[i], address, short_name(layout->maps[i].path));
	}
	print_row(layout, &layout->total, "total", layout->comm);
	print_notes(layout);
}

/* JSON */

static struct json_object *json_kinds(const struct layout *layout, const struct mapping *map)
{
	struct json_object *obj = json_object_new_object();
	unsigned int i;

	for (i = 0; i < NR_PAGE_KINDS; i++)
		if (map->kinds.pages[i])
			json_add_u64(obj, page_kind_names[i],
				     map->kinds.pages[i] * layout->page_size);
	return obj;
}

static struct json_object *json_classes(const struct mapping *map)
{
	static const char *const names[NR_CLASSES] = {
		"below_64k", "64k_to_2m", "2m_to_1g", "1g_and_up"
	};
	struct json_object *obj = json_object_new_object(), *class;
	unsigned int i;

	for (i = 0; i < NR_CLASSES; i++) {
		class = json_object_new_object();
		json_add_u64(class, "bytes", map->cost.class_bytes[i]);
		json_add_u64(class, "phyrs", map->cost.class_phyrs[i]);
		json_object_object_add(obj, names[i], class);
	}
	return obj;
}

static struct json_object *json_mapping(const struct layout *layout, const struct mapping *map)
{
	struct json_object *obj = json_object_new_object();

	json_add_u64(obj, "bytes", map->end - map->start);
	json_add_u64(obj, "present_bytes", map->cost.bytes);
	json_add_u64(obj, "present_pages", map->cost.bytes / layout->page_size);
	json_add_u64(obj, "swapped_pages", map->absent[ABSENT_SWAPPED]);
	json_add_u64(obj, "guard_pages", map->absent[ABSENT_GUARD]);
	json_add_u64(obj, "marker_pages", map->absent[ABSENT_MARKER]);
	json_add_u64(obj, "moving_pages", map->absent[ABSENT_MOVING]);
	json_add_u64(obj, "phyrs", map->cost.phyrs);
	json_add_u64(obj, "largest", map->cost.largest);
	json_add_u64(obj, "page_array_bytes", layout_array_bytes(layout, map));
	json_add_u64(obj, "phyr_bytes", map->cost.metadata);
	json_object_object_add(obj, "kinds", json_kinds(layout, map));
	json_object_object_add(obj, "classes", json_classes(map));
	return obj;
}

static struct json_object *json_mappings(const struct layout *layout, bool all)
{
	struct json_object *array = json_object_new_array(), *obj;
	const struct mapping *map;
	char address[24];

	for (map = layout->maps; map < layout->maps + layout->nr; map++) {
		if (!wanted(map, all))
			continue;
		obj = json_mapping(layout, map);
		snprintf(address, sizeof(address), "0x%" PRIx64, map->start);
		json_add_text(obj, "start", address);
		snprintf(address, sizeof(address), "0x%" PRIx64, map->end);
		json_add_text(obj, "end", address);
		json_add_text(obj, "permissions", map->perms);
		json_add_text(obj, "name", map->path);
		json_add_bool(obj, "hidden", map->hidden);
		json_object_array_add(array, obj);
	}
	return array;
}

static void print_json(const struct layout *layout, bool all)
{
	struct json_object *root = json_object_new_object();

	json_add_u64(root, "pid", (uint64_t)layout->pid);
	json_add_text(root, "command", layout->comm);
	json_add_u64(root, "page_size", layout->page_size);
	json_add_bool(root, "exact_kinds", layout->has_flags);
	json_object_object_add(root, "mappings", json_mappings(layout, all));
	json_object_object_add(root, "total", json_mapping(layout, &layout->total));
	json_print(root);
	json_object_put(root);
}

/* The process */

/* Its descriptor stays with this process, should the number be used again. */
static int open_process(int pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		tool_fail("there is no process %d", pid);
	else
		tool_fail("%s: %m", path);
	return -1;
}

static void read_comm(struct layout *layout, int proc_pid)
{
	int fd = openat(proc_pid, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = 0;

	if (fd >= 0) {
		len = read(fd, layout->comm, sizeof(layout->comm) - 1);
		close(fd);
	}
	layout->comm[len > 0 ? len : 0] = '\0';
	layout->comm[strcspn(layout->comm, "\n")] = '\0';
	text_clean(layout->comm);
}

/* If it is gone, what was not read yet looked empty. */
static int check_alive(const struct layout *layout, int proc_pid)
{
	if (!faccessat(proc_pid, "maps", F_OK, 0))
		return 0;
	return tool_fail("process %d ended while it was looked at", layout->pid);
}

static int look_at(struct layout *layout, int proc_pid, bool pictures)
{
	struct pagemap *pm;
	int ret;

	read_comm(layout, proc_pid);
	if (!pagemap_shows_addresses())
		return tool_fail("the kernel shows physical addresses to CAP_SYS_ADMIN only: "
				 "run it as root");
	ret = read_maps(layout, proc_pid);
	if (ret)
		return ret;
	pm = pagemap_open(proc_pid);
	if (!pm)
		return tool_fail("cannot look at the pages of process %d: %m", layout->pid);
	layout->page_size = pagemap_page_size(pm);
	layout->has_flags = pagemap_has_flags(pm);
	ret = survey_process(layout, pm, pictures);
	pagemap_close(pm);
	return ret ? ret : check_alive(layout, proc_pid);
}

static void layout_free(struct layout *layout)
{
	size_t i;

	for (i = 0; i < layout->nr; i++) {
		picture_free(layout->maps[i].picture);
		free(layout->maps[i].path);
	}
	free(layout->maps);
}

static int show(const struct layout_args *args, const struct layout *layout)
{
	if (args->svg) {
		int ret = svg_write(args->svg, layout);

		if (ret)
			return ret;
	}
	if (args->json)
		print_json(layout, args->all);
	else
		print_table(layout, args->all);
	return 0;
}

static int layout_process(const struct layout_args *args)
{
	struct layout layout = { .pid = (int)args->pid };
	int proc_pid = open_process(layout.pid), ret;

	if (proc_pid < 0)
		return TOOL_FAILED;
	ret = look_at(&layout, proc_pid, args->svg);
	if (!ret)
		ret = show(args, &layout);
	layout_free(&layout);
	close(proc_pid);
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
