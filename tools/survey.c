// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process's mappings consist of.
 *
 * Each mapping's present pages, in virtual order, are put into the list that the
 * module uses; what comes out is what pinning the mapping would give, as long as
 * the process keeps still.
 *
 * A process can have very many mappings, so none is kept: each is handed on as soon as it
 * is measured.  An exception are the few of which there will be a picture.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "parse.h"
#include "picture.h"
#include "progress.h"
#include "tool.h"

struct survey {
	struct page_sink sink;		/* must be first */
	struct layout *layout;
	struct pagemap *pm;
	struct cost_list *list;
	struct mapping *map;
	struct progress progress;
	uint64_t bytes;			/* that were seen */
	bool pictures;
	mapping_fn fn;
	void *ctx;
};

/* One mapping's pages become its phyrs */

static int survey_run(struct page_sink *sink, const struct page_run *run)
{
	struct survey *s = (struct survey *)sink;
	uint64_t len = run->pages * pagemap_page_size(s->pm);
	uint64_t devices = s->map->kinds.pages[PAGE_DEVICE];

	s->bytes += len;
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

static void show_progress(struct survey *s)
{
	if (progress_due(&s->progress))
		progress_show(&s->progress, "mapping %zu, %s", s->layout->nr + 1,
			      text_bytes(s->bytes).s);
}

static void survey_tick(struct page_sink *sink)
{
	show_progress((struct survey *)sink);
}

static int measure(struct survey *s, const struct maps_line *line)
{
	struct mapping *map = s->map;
	int ret;

	s->list = cost_list_new();
	if (!s->list)
		return -ENOMEM;
	ret = pagemap_walk(s->pm, map->start, map->end, &s->sink);
	if (ret)
		goto out;
	cost_list_finish(s->list, &map->cost);
	map->hidden = !map->cost.phyrs && line->inode &&
		      pagemap_is_silent(s->pm, map->start, map->end);
	if (s->pictures && map->cost.phyrs) {
		map->picture = picture_new(s->list, map->cost.bytes);
		ret = map->picture ? 0 : -ENOMEM;
	}
out:
	cost_list_free(s->list);
	return ret;
}

static void add_to_total(struct layout *layout, const struct mapping *map)
{
	struct mapping *total = &layout->total;
	unsigned int i;

	layout->nr++;
	layout->nr_present += !!map->cost.phyrs;
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

static void pictured_free(struct mapping *map)
{
	picture_free(map->picture);
	free(map->path);
}

/* Pictures are kept of the largest mappings only. */
static int keep_picture(struct layout *layout, const struct mapping *map)
{
	struct mapping *pictured = layout->pictured;
	unsigned int i, smallest = 0;

	pictured[layout->nr_pictured] = *map;
	pictured[layout->nr_pictured].path = strdup(map->path);
	if (!pictured[layout->nr_pictured++].path)
		return -ENOMEM;
	if (layout->nr_pictured <= SVG_MAPPINGS)
		return 0;
	for (i = 1; i < layout->nr_pictured; i++)
		if (pictured[i].cost.bytes < pictured[smallest].cost.bytes)
			smallest = i;
	pictured_free(&pictured[smallest]);
	pictured[smallest] = pictured[--layout->nr_pictured];
	return 0;
}

void layout_free(struct layout *layout)
{
	unsigned int i;

	for (i = 0; i < layout->nr_pictured; i++)
		pictured_free(&layout->pictured[i]);
}

/* The mappings */

/* @text holds @line, whose path is cleaned there. */
static int survey_line(struct survey *s, char *text, const struct maps_line *line)
{
	struct mapping map = {
		.start = line->start,
		.end = line->end,
		.path = text + (line->path - text),
	};
	int ret;

	memcpy(map.perms, line->perms, sizeof(map.perms));
	text_clean(map.path);
	s->map = &map;
	ret = measure(s, line);
	if (ret)
		return ret;
	add_to_total(s->layout, &map);
	s->fn(s->layout, &map, s->ctx);
	if (map.picture)
		ret = keep_picture(s->layout, &map);
	show_progress(s);
	return ret;
}

static int survey_lines(struct survey *s, FILE *file)
{
	struct maps_line line;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	/* A table on the same terminal moves on by itself, and would be written over. */
	progress_init(&s->progress, isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO));
	while (!ret && (len = getline(&text, &room, file)) > 0) {
		if (text[len - 1] == '\n')
			text[len - 1] = '\0';
		if (!parse_maps_line(text, &line))
			ret = survey_line(s, text, &line);
	}
	progress_end(&s->progress);
	free(text);
	return ret ? tool_fail("cannot build the list: %s", strerror(-ret)) : 0;
}

static int fail_no_memory(const struct layout *layout)
{
	return tool_fail("process %d has no memory of its own: a kernel thread, or it has ended",
			 layout->pid);
}

static int survey_maps(struct survey *s, int proc_pid)
{
	int fd = openat(proc_pid, "maps", O_RDONLY | O_CLOEXEC), ret;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		ret = tool_fail("cannot look at process %d: %m", s->layout->pid);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	setvbuf(file, NULL, _IOFBF, 65536);
	ret = survey_lines(s, file);
	fclose(file);
	if (!ret && !s->layout->nr)
		return fail_no_memory(s->layout);
	return ret;
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

/* If it has ended, what was not read yet looked empty. */
static int check_alive(const struct layout *layout, int proc_pid)
{
	if (!faccessat(proc_pid, "maps", F_OK, 0))
		return 0;
	return tool_fail("process %d ended while its memory was read", layout->pid);
}

static int survey_pid(struct survey *s, int proc_pid)
{
	int ret;

	read_comm(s->layout, proc_pid);
	if (!pagemap_shows_addresses())
		return tool_fail("the kernel shows physical addresses to CAP_SYS_ADMIN only: "
				 "run it as root");
	s->pm = pagemap_open(proc_pid);
	if (!s->pm && errno == ESRCH)
		return fail_no_memory(s->layout);
	if (!s->pm)
		return tool_fail("cannot look at the pages of process %d: %m", s->layout->pid);
	s->layout->page_size = pagemap_page_size(s->pm);
	s->layout->has_flags = pagemap_has_flags(s->pm);
	ret = survey_maps(s, proc_pid);
	pagemap_close(s->pm);
	return ret ? ret : check_alive(s->layout, proc_pid);
}

/**
 * survey_process - measure the memory of a process
 * @layout: of the process @layout->pid; zero but for that, and to be freed afterwards
 * @pictures: draw the largest mappings
 * @fn: called for each mapping, after it was added to @layout
 * @ctx: for @fn
 *
 * Return: 0, or an exit status after a message.
 */
int survey_process(struct layout *layout, bool pictures, mapping_fn fn, void *ctx)
{
	struct survey s = {
		.sink = { survey_run, survey_gap, survey_absent, survey_tick },
		.layout = layout,
		.pictures = pictures,
		.fn = fn,
		.ctx = ctx,
	};
	int proc_pid = open_process(layout->pid), ret;

	if (proc_pid < 0)
		return TOOL_FAILED;
	ret = survey_pid(&s, proc_pid);
	close(proc_pid);
	return ret;
}
