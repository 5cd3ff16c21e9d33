/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything textual that the command reads. */
#ifndef PHYR_PARSE_H
#define PHYR_PARSE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct maps_line - one line of /proc/PID/maps
 * @start: first byte
 * @end: first byte after it
 * @perms: "rwxp" or "s", dashes for what is missing
 * @offset: in the file
 * @inode: of the file, or 0
 * @path: points into the line, which it ends with; "" for anonymous memory
 */
struct maps_line {
	uint64_t start;
	uint64_t end;
	char perms[5];
	uint64_t offset;
	uint64_t inode;
	const char *path;
};

int parse_number(const char *s, uint64_t max, uint64_t *number);
int parse_size(const char *s, uint64_t *bytes);
int parse_maps_line(const char *line, struct maps_line *map);

void text_clean(char *s);
size_t text_cut(const char *s, size_t chars);

#endif /* PHYR_PARSE_H */
