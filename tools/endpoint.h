/* SPDX-License-Identifier: GPL-2.0-only */
/* A place that bytes are read from or written to, whatever it is. */
#ifndef PHYR_ENDPOINT_H
#define PHYR_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "memory.h"
#include "parse.h"

#define ENDPOINT_UNKNOWN	UINT64_MAX	/* a size */

/**
 * struct endpoint - a place that is open
 * @text: as it was given
 * @place: what that says
 * @wc: a BAR is mapped write-combining
 * @dev: /dev/phyr, for what is or becomes a region
 * @fd: of the file or the region
 * @mem: a BAR or physical memory, mapped
 * @at: where offset 0 is in the file, the region or the process
 * @size: bytes from there on, or ENDPOINT_UNKNOWN
 * @id: with the kind, the same for two of the same
 * @stream: a file that cannot seek
 * @regular: a file that grows
 * @block: a block device
 */
struct endpoint {
	const char *text;
	struct endpoint_text place;
	bool wc;
	int dev;
	int fd;
	struct memory mem;
	uint64_t at;
	uint64_t size;
	uint64_t id[2];
	bool stream;
	bool regular;
	bool block;
};

/* These return 0, or an exit status after a message. */
int endpoint_take(struct endpoint *e, const char *command, const char *text);
int endpoint_open(struct endpoint *e, int flags);
int endpoint_start(struct endpoint *e, uint64_t length, bool write);
int endpoint_finish(struct endpoint *e);
int endpoint_fail(const struct endpoint *e, const char *verb, uint64_t offset, int error);
void endpoint_close(struct endpoint *e);

/* What they are */
bool endpoint_is_region(const struct endpoint *e);
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);
const char *endpoint_danger(const struct endpoint *e);

/* The bytes done, 0 at the end of a file, or a negative errno. */
ssize_t endpoint_read(const struct endpoint *e, uint64_t offset, void *buf, size_t len);
ssize_t endpoint_write(const struct endpoint *e, uint64_t offset, const void *buf, size_t len);

#endif /* PHYR_ENDPOINT_H */
