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
 * @is: of a member, what it has to be: the name of a structure, "*" and the name of one for
 *	a pointer to it, "*" for a pointer to anything else, or the bytes of an integer or enum
 * @enumerator: whether @type is an enum
 * @optional: other kernels lack it, and then @value is LAYOUT_ABSENT
 * @value: out: the member's offset in bytes, the enumerator's value, or the structure's size
 */
struct layout {
	const char *type;
	const char *name;
	const char *is;
	bool enumerator;
	bool optional;
	u32 value;
};

/**
 * struct layout_function - what a function takes and returns
 * @name: its name
 * @is: what it returns, and in parentheses its parameters, with commas and without spaces,
 *	each as in struct layout; "0" for nothing
 */
struct layout_function {
	const char *name;
	const char *is;
};

int layout_find(const char *module, struct layout *layouts, unsigned int nr,
		const struct layout_function *functions, unsigned int nr_functions);

#endif /* PHYR_LAYOUT_H */
