/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes on their way between two places. */
#ifndef PHYR_TRANSFER_H
#define PHYR_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "progress.h"

/**
 * struct transfer - a copy, a fill or a comparison
 * @src: where bytes come from; the first of two that are compared; not of a fill
 * @dst: where they go to; the second of two
 * @length: how many; ENDPOINT_UNKNOWN: up to the end of @src, which is a file
 * @byte: to fill with
 * @overlap: both are parts of the same, and have bytes in common
 * @done: out: how many were copied, filled or alike, from the beginning
 * @differ: out: what comes next differs, or only one has it
 * @ended: out: the other one has it
 * @ns: out: how long it took
 */
struct transfer {
	struct endpoint *src;
	struct endpoint *dst;
	uint64_t length;
	unsigned char byte;
	bool overlap;
	uint64_t done;
	bool differ;
	const struct endpoint *ended;
	uint64_t ns;

	/* private */
	char *buffers[2];
	bool backward;
	struct progress progress;
};

/* These return 0, or an exit status after a message. */
int transfer_copy(struct transfer *t);
int transfer_fill(struct transfer *t);
int transfer_compare(struct transfer *t);

#endif /* PHYR_TRANSFER_H */
