/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The naive model of a list: an array of ranges, every question answered by
 * walking all of it.  The functions that compare say on stderr what differs,
 * and return false.
 */
#ifndef PHYR_HOST_MODEL_H
#define PHYR_HOST_MODEL_H

#include <linux/phyr_list.h>

#define PHYS_MAX ((phys_addr_t)~0ULL)

struct range {
	u64 addr;
	u64 len;
	enum phyr_kind kind;
};

struct model {
	struct range *range;
	size_t nr;
	size_t max;
	u64 len;
	unsigned int kinds;		/* ever held */
	bool sealed;			/* the last range does not grow */
};

void model_free(struct model *m);
int model_append(struct model *m, struct range r);
void model_truncate(struct model *m, u64 len);
u64 model_start(const struct model *m, size_t index);

bool model_matches(const struct model *m, const struct phyr_list *list);
bool model_slice_matches(const struct model *m, const struct phyr_list *list,
			 u64 offset, u64 len);
/* The same by phyr_cursor_fill(), begun in both ways; @max at once, up to MODEL_FILL_MAX. */
#define MODEL_FILL_MAX 40u
bool model_fill_matches(const struct model *m, const struct phyr_list *list,
			u64 offset, u64 len, unsigned int max);

bool model_find_matches(const struct model *m, const struct phyr_list *list,
			u64 offset);

#endif
