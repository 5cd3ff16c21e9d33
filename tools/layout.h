/* SPDX-License-Identifier: GPL-2.0-only */
/* What phyr layout found out about a process. */
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
 * @file: it maps a file
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
	bool file;
	char perms[5];
	char *path;
	bool hidden;
	uint64_t absent[NR_PAGE_ABSENCES];
	struct page_kinds kinds;
	struct cost cost;
	struct picture *picture;
};

#define SVG_MAPPINGS	40

struct layout {
	int pid;
	char comm[32];
	uint64_t page_size;
	bool has_flags;			/* kinds are from /proc/kpageflags */
	struct mapping *maps;
	size_t nr;
	struct mapping total;
	struct mapping *pictured[SVG_MAPPINGS + 1];
	unsigned int nr_pictured;
};

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

/* svg.c */
struct picture *picture_new(const struct cost_list *list, uint64_t bytes);
void picture_free(struct picture *picture);
int svg_write(const char *path, const struct layout *layout);

#endif /* PHYR_LAYOUT_H */
