/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_TEST_H
#define PHYR_TEST_H

#include <linux/mutex.h>
#include <linux/phyr.h>

#include "phyr_test_ioctl.h"

#define PT_ARRAY_MAX	65536

/* What one open file holds. */
struct pt_file {
	struct mutex lock;		/* over all the others */
	struct phyr_list list;
	struct phyr *phyrs;
	unsigned int nr;
};

/* map.c */
int pt_map(struct pt_file *pt, struct pt_map *map);

/* list.c */
int pt_build(struct pt_build *b);

#endif
