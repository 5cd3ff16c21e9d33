/* SPDX-License-Identifier: GPL-2.0-only */
/* The boxes of a picture of memory. */
#ifndef PHYR_PICTURE_H
#define PHYR_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"

#define BAR_UNITS	1440u		/* a bar's width, in half pixels */

struct box {
	uint16_t from;			/* in units */
	uint16_t to;
	uint8_t class;
	bool shared;			/* by many phyrs */
};

struct picture {
	unsigned int nr;
	struct box boxes[];
};

struct picture *picture_new(const struct cost_list *list, uint64_t bytes);
void picture_free(struct picture *picture);

#endif
