/* SPDX-License-Identifier: GPL-2.0-only */
/* What phyr bench measures: bench_*.c measure, bench.c and svg_bench.c show. */
#ifndef PHYR_BENCH_H
#define PHYR_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "progress.h"
#include "rdma_device.h"

#define BENCH_MOST_ROUNDS	1000u

struct memory;
struct memory_kind;
struct rdma_switch;

/* The time of one call, in nanoseconds: the median of all rounds; 0 is not measured. */
struct bench_time {
	uint64_t phyr;
	uint64_t stock;
};

/**
 * struct bench_row - what one kind of memory takes
 * @memory: its name
 * @begin: to pin or register it
 * @end: to unpin or deregister it
 */
struct bench_row {
	const char *memory;
	struct bench_time begin;
	struct bench_time end;
};

#define BENCH_KINDS	5u

/**
 * struct bench_table - what was measured
 * @rows: a row for each kind of memory
 * @nr: how many
 */
struct bench_table {
	struct bench_row rows[BENCH_KINDS];
	unsigned int nr;
};

/**
 * struct bench_left_out - a kind of memory that is not measured
 * @memory: its name
 * @why: the reason
 */
struct bench_left_out {
	const char *memory;
	const char *why;
};

/**
 * struct bench - what is to be measured, and what came of it
 * @bytes: of memory
 * @rounds: of each measurement
 * @release: of the kernel
 * @dev: /dev/phyr
 * @device: an RDMA device, or NULL
 * @driver: of that
 * @progress: for who waits
 * @kinds: of memory that there are
 * @nr_kinds: how many
 * @left_out: those that there are not
 * @nr_left_out: how many
 * @pin: phyr_pin() and close(), and registering as buffers of io_uring
 * @uring: why that failed for some or all memory: a negative errno, or 0
 * @reg: ibv_reg_mr() and ibv_dereg_mr(), with phyr_rdma and without
 */
struct bench {
	uint64_t bytes;
	unsigned int rounds;
	const char *release;
	int dev;
	const char *device;
	struct rdma_device driver;
	struct progress progress;
	const struct memory_kind *kinds[BENCH_KINDS];
	unsigned int nr_kinds;
	struct bench_left_out left_out[BENCH_KINDS];
	unsigned int nr_left_out;
	struct bench_table pin;
	int uring;
	struct bench_table reg;
};

/* The times of all rounds */
struct bench_samples {
	uint64_t begin[BENCH_MOST_ROUNDS];
	uint64_t end[BENCH_MOST_ROUNDS];
	unsigned int nr;
};

/* bench_measure.c */
uint64_t bench_now(void);
void bench_sample(struct bench_samples *s, uint64_t start, uint64_t middle, uint64_t end);
void bench_row_set(struct bench_row *row, struct bench_samples *phyr, struct bench_samples *stock);
void bench_progress(struct bench *b, const char *what, const struct bench_row *row,
		    unsigned int round);
void bench_choose(struct bench *b, const struct memory_kind *only);

/* Calls @fn for each kind of memory; 0, or an exit status after a message. */
typedef int (*bench_fn)(struct bench *b, const struct memory *mem, struct bench_row *row,
			void *ctx);
int bench_each(struct bench *b, struct bench_table *table, bench_fn fn, void *ctx);

/* Two times as one number: how many times faster the first one is. */
static inline double bench_ratio(const struct bench_time *time)
{
	return time->phyr ? (double)time->stock / (double)time->phyr : 0;
}

/* bench_pin.c, bench_rdma.c, svg_bench.c: 0, or an exit status after a message */
int bench_pin(struct bench *b);
int bench_rdma_find(struct bench *b, const char *device);
int bench_rdma_check(const struct bench *b, struct rdma_switch *modules);
int bench_rdma(struct bench *b, const struct rdma_switch *modules);
void svg_put_bench(FILE *f, const struct bench *b);

#endif /* PHYR_BENCH_H */
