/* SPDX-License-Identifier: GPL-2.0-only */
/* Kinds of memory that not every machine or kernel has, or that need more than a mapping. */
#ifndef MORE_H
#define MORE_H

#include "../tests/guest/common/mem.h"

/**
 * struct more_kind - a row of the demo's first table
 * @kind: the memory
 * @missing: why it is not here, or NULL
 * @begin: called when it is mapped, and before it is pinned; or NULL
 * @check: called while edu has it, for what only this kind has; what was wrong, or
 *	NULL
 * @by: who else than edu has reached it by then, for the table; or NULL
 * @end: undoes @begin
 */
struct more_kind {
	const struct mem_kind *kind;
	const char *(*missing)(void);
	void (*begin)(const struct mem *mem);
	const char *(*check)(int edu, const struct mem *mem);
	const char *by;
	void (*end)(void);
};

extern const struct more_kind more_kinds[];
extern const size_t more_nr_kinds;

#endif
