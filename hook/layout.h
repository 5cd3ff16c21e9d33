/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the members of another module's private structures are, by the kernel's own
 * description of its types (BTF): no header of that module is needed, and a kernel whose
 * structures are others is recognized when this module is loaded.
 */
#ifndef PHYR_LAYOUT_H
#define PHYR_LAYOUT_H

#include <linux/types.h>

#define LAYOUT_ABSENT	(~0U)

/**
 * struct layout - a member of a structure, an enumerator, or a structure as a whole
 * @type: name of the structure or enum
 * @name: name of the member or enumerator; NULL for the structure as a whole
 * @size: what the member has to take in bytes; 0 for any
 * @enumerator: whether @type is an enum
 * @optional: other kernels lack it, and then @value is LAYOUT_ABSENT
 * @value: out: the member's offset in bytes, the enumerator's value, or the structure's size
 */
struct layout {
	const char *type;
	const char *name;
	u32 size;
	bool enumerator;
	bool optional;
	u32 value;
};

int layout_find(const char *module, struct layout *layouts, unsigned int nr);

#endif /* PHYR_LAYOUT_H */
