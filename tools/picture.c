// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boxes of a picture of memory.
 *
 * Each mapping is one bar of the same width, its present bytes from left to
 * right.  A phyr that is wide enough is a box of its own; the many that are
 * not share columns, coloured by the class that most of a column's bytes
 * belong to.  So a picture has a bounded number of boxes, however many phyrs.
 */
#include <stdlib.h>
#include <string.h>

#include "picture.h"

#define BOX_MIN		4u		/* narrower phyrs share columns */
#define MAX_BOXES	(BAR_UNITS + 1)

/* A picture that is being drawn. */
struct drawing {
	struct picture *picture;
	uint64_t bytes;			/* of the whole bar */
	uint64_t at;			/* bytes already drawn or in the column */
	unsigned int column;		/* where the open column begins, in units */
	uint64_t column_bytes[NR_CLASSES];
};

static unsigned int unit_of(const struct drawing *d, uint64_t at)
{
	return (unsigned int)((double)at / (double)d->bytes * BAR_UNITS + 0.5);
}

static void add_box(struct drawing *d, unsigned int to, unsigned int class, bool shared)
{
	struct picture *picture = d->picture;
	struct box *last = picture->nr ? &picture->boxes[picture->nr - 1] : NULL;

	if (to <= d->column)
		return;
	if (last && shared && last->shared && last->class == class)
		last->to = (uint16_t)to;
	else
		picture->boxes[picture->nr++] = (struct box){
			(uint16_t)d->column, (uint16_t)to, (uint8_t)class, shared };
	d->column = to;
}

static void close_column(struct drawing *d, unsigned int to)
{
	unsigned int class, most = 0;

	for (class = 1; class < NR_CLASSES; class++)
		if (d->column_bytes[class] > d->column_bytes[most])
			most = class;
	if (d->column_bytes[most])
		add_box(d, to, most, true);
	if (d->column == to)
		memset(d->column_bytes, 0, sizeof(d->column_bytes));
}

static void draw_phyr(uint64_t len, void *ctx)
{
	struct drawing *d = ctx;
	unsigned int from = unit_of(d, d->at), to = unit_of(d, d->at + len);

	d->at += len;
	if (to - from >= BOX_MIN) {
		close_column(d, from);
		add_box(d, to, cost_class(len), false);
		return;
	}
	d->column_bytes[cost_class(len)] += len;
	if (to - d->column >= BOX_MIN)
		close_column(d, to);
}

/**
 * picture_new - draw a bar
 * @list: the phyrs
 * @bytes: their sum
 *
 * Return: the boxes, or NULL without memory.
 */
struct picture *picture_new(const struct cost_list *list, uint64_t bytes)
{
	struct drawing d = { .bytes = bytes };
	struct picture *smaller;

	d.picture = malloc(sizeof(*d.picture) + MAX_BOXES * sizeof(struct box));
	if (!d.picture)
		return NULL;
	d.picture->nr = 0;
	cost_list_each(list, draw_phyr, &d);
	close_column(&d, BAR_UNITS);
	smaller = realloc(d.picture, sizeof(*d.picture) + d.picture->nr * sizeof(struct box));
	return smaller ? smaller : d.picture;
}

void picture_free(struct picture *picture)
{
	free(picture);
}
