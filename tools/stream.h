/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON on standard output, without a copy of it in memory. */
#ifndef PHYR_STREAM_H
#define PHYR_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct stream - what is being written
 * @lines: down to this depth, each value has a line of its own
 * @depth: objects and arrays that are open
 * @any: the innermost of them has a value
 * @used: bytes of @buffer
 * @buffer: what was not written yet
 */
struct stream {
	unsigned int lines;
	unsigned int depth;
	bool any;
	size_t used;
	char buffer[65536];
};

void stream_open(struct stream *s, const char *key, char bracket);
void stream_close(struct stream *s, char bracket);
void stream_u64(struct stream *s, const char *key, uint64_t value);
void stream_hex(struct stream *s, const char *key, uint64_t value);
void stream_bool(struct stream *s, const char *key, bool value);
void stream_text(struct stream *s, const char *key, const char *text);

#endif /* PHYR_STREAM_H */
