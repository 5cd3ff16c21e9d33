// SPDX-License-Identifier: GPL-2.0-only
/* The clock of phyr bench, what it makes of many rounds, and the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "memory.h"
#include "tool.h"

/* Nanoseconds since some time. */
uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One round: the first call took until @middle, the second one until @end. */
void bench_sample(struct bench_samples *s, uint64_t start, uint64_t middle, uint64_t end)
{
	if (s->nr == BENCH_MOST_ROUNDS)
		return;
	s->begin[s->nr] = middle - start;
	s->end[s->nr++] = end - middle;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median(uint64_t *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr ? values[nr / 2] : 0;
}

/* The medians; without samples there is no time. */
void bench_row_set(struct bench_row *row, struct bench_samples *phyr, struct bench_samples *stock)
{
	row->begin.phyr = median(phyr->begin, phyr->nr);
	row->begin.stock = median(stock->begin, stock->nr);
	row->end.phyr = median(phyr->end, phyr->nr);
	row->end.stock = median(stock->end, stock->nr);
}

/* For who waits; @round counts from 0. */
void bench_progress(struct bench *b, const char *what, const struct bench_row *row,
		    unsigned int round)
{
	if (progress_due(&b->progress))
		progress_show(&b->progress, "%s: %s memory, round %u of %u", what, row->memory,
			      round + 1, b->rounds);
}

/**
 * bench_choose - find out which kinds of memory there are
 * @b: with the size; its kinds and those that are left out are set
 * @only: the one that is wanted, or NULL for all
 */
void bench_choose(struct bench *b, const struct memory_kind *only)
{
	static const char *const names[BENCH_KINDS] = { "4k", "scattered", "thp", "2m", "1g" };
	unsigned int i;

	if (only)
		b->kinds[b->nr_kinds++] = only;
	for (i = 0; i < BENCH_KINDS && !only; i++) {
		const struct memory_kind *kind = memory_kind_find(names[i]);
		const char *why = memory_kind_missing(kind, b->bytes);

		if (!why)
			b->kinds[b->nr_kinds++] = kind;
		else
			b->left_out[b->nr_left_out++] = (struct bench_left_out){ names[i], why };
	}
}

int bench_each(struct bench *b, struct bench_table *table, bench_fn fn, void *ctx)
{
	struct bench_row *row;
	struct memory mem;
	int ret = 0;

	while (table->nr < b->nr_kinds && !ret) {
		row = &table->rows[table->nr];
		row->memory = memory_kind_name(b->kinds[table->nr]);
		ret = memory_make(&mem, b->kinds[table->nr], b->bytes);
		if (ret)
			break;
		ret = fn(b, &mem, row, ctx);
		memory_free(&mem);
		table->nr += !ret;
	}
	return ret;
}
