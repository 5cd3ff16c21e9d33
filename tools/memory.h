/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of a chosen kind, for phyr pin. */
#ifndef PHYR_MEMORY_H
#define PHYR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory {
	void *addr;			/* what to pin */
	size_t len;
	void *map;			/* what to unmap */
	size_t map_len;
	uint64_t past_end;		/* bytes of it that lie past the end of its file */
};

struct memory_kind;

const struct memory_kind *memory_kind_find(const char *name);
const char *memory_kind_name(const struct memory_kind *kind);
void memory_kinds_help(void);
const char *memory_kind_missing(const struct memory_kind *kind, uint64_t size);

/* Both: 0, or an exit status after a message. */
int memory_make(struct memory *mem, const struct memory_kind *kind, uint64_t size);
int memory_map_file(struct memory *mem, const char *path, uint64_t offset, uint64_t size,
		    bool write);
void memory_free(struct memory *mem);

#endif /* PHYR_MEMORY_H */
