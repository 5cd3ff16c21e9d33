/* SPDX-License-Identifier: GPL-2.0-only */
/* What phyr layout finds out about a process: survey.c measures, layout.c and svg_layout.c show. */
#ifndef PHYR_LAYOUT_H
#define PHYR_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cost.h"
#include "pagemap.h"

struct picture;

/**
 * struct mapping - one line of /proc/PID/maps, and what is behind it
 * @start: first byte
 * @end: first byte after it
 * @perms: as in maps
 * @path: of the file, or what maps has in its place; "" for anonymous memory
 * @hidden: a file, most likely a device, whose memory pagemap does not tell about
 * @absent: pages that are not present, but not nothing either
 * @kinds: of the present pages
 * @cost: as phyrs
 * @picture: of its phyrs, if one was wanted
 */
struct mapping {
	uint64_t start;
	uint64_t end;
	char perms[5];
	char *path;
	bool hidden;
	uint64_t absent[NR_PAGE_ABSENCES];
	struct page_kinds kinds;
	struct cost cost;
	struct picture *picture;
};

#define SVG_MAPPINGS	40

/**
 * struct layout - a process, as far as it is known
 * @pid: of the process
 * @comm: its name
 * @page_size: of the kernel
 * @has_flags: kinds are from /proc/kpageflags
 * @nr: mappings so far
 * @nr_present: of these, those with a present page
 * @total: their sum; its @end is the sum of sizes
 * @pictured: the largest, with paths and pictures of their own, if those are wanted
 * @nr_pictured: how many there are
 */
struct layout {
	int pid;
	char comm[32];
	uint64_t page_size;
	bool has_flags;
	size_t nr;
	size_t nr_present;
	struct mapping total;
	struct mapping pictured[SVG_MAPPINGS + 1];
	unsigned int nr_pictured;
};

/* survey.c: calls @fn for each mapping, in order; its path is good for that call only. */
typedef void (*mapping_fn)(struct layout *layout, const struct mapping *map, void *ctx);
int survey_process(struct layout *layout, bool pictures, mapping_fn fn, void *ctx);
void layout_free(struct layout *layout);

/* 8 bytes, a pointer, for each page: what phyrs replace */
static inline uint64_t layout_array_bytes(const struct layout *layout, const struct mapping *map)
{
	return map->cost.bytes / layout->page_size * 8;
}

/* Of a file, what comes after the last slash. */
static inline const char *short_name(const char *path)
{
	const char *slash = *path == '/' ? strrchr(path, '/') : NULL;

	if (!*path)
		return "[anon]";
	return slash && slash[1] ? slash + 1 : path;
}

/* svg_layout.c */
int svg_write_layout(const char *path, const struct layout *layout);

#endif /* PHYR_LAYOUT_H */
