/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything textual that the command reads. */
#ifndef PHYR_PARSE_H
#define PHYR_PARSE_H

#include <stdbool.h>
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

/**
 * struct region_line - one line of phyr/regions in debugfs
 * @inode: of the dma-buf
 * @pid: who made it
 * @bytes: its length
 * @pages: that it touches
 * @phyrs: that it is made of
 * @users: who has it
 * @kinds: of memory, with commas
 * @access: "rw" or "ro"
 * @state: "pinned" and its like
 * @comm: the program's name, which may be empty
 */
struct region_line {
	uint64_t inode;
	uint64_t pid;
	uint64_t bytes;
	uint64_t pages;
	uint64_t phyrs;
	uint64_t users;
	char kinds[32];
	char access[8];
	char state[16];
	char comm[32];
};

/**
 * struct hook_line - one line of the parameter hooks of phyr_rdma or phyr_rxe
 * @module: that has the function
 * @function: its name
 * @calls: of its replacement
 * @how: it is replaced: "direct" and its like
 */
struct hook_line {
	char module[64];
	char function[64];
	uint64_t calls;
	char how[16];
};

enum endpoint_kind {
	ENDPOINT_FILE,		/* PATH[@OFFSET] */
	ENDPOINT_PROCESS,	/* PID:0xADDRESS */
	ENDPOINT_REGION,	/* /proc/PID/fd/N[@OFFSET] */
	ENDPOINT_BAR,		/* 0000:01:00.0/N[@OFFSET] */
	ENDPOINT_PHYS,		/* phys:ADDRESS */
};

/**
 * struct endpoint_text - where bytes come from or go to
 * @kind: what it is
 * @name: of a file or a PCI device; points into the text
 * @name_len: its length
 * @pid: of a process; 0 for /proc/self
 * @number: of a descriptor or a BAR
 * @at: the offset or address, 0 if none was given
 * @has_at: one was given
 */
struct endpoint_text {
	enum endpoint_kind kind;
	const char *name;
	size_t name_len;
	uint64_t pid;
	uint64_t number;
	uint64_t at;
	bool has_at;
};

int parse_number(const char *s, uint64_t max, uint64_t *number);
int parse_size(const char *s, uint64_t *bytes);
int parse_maps_line(const char *line, struct maps_line *map);
int parse_region_line(const char *line, struct region_line *region);
int parse_hook_line(const char *line, struct hook_line *hook);
int parse_endpoint(const char *text, struct endpoint_text *place);

void text_clean(char *s);
size_t text_cut(const char *s, size_t chars);

#endif /* PHYR_PARSE_H */
