/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of the benches, what they make of many rounds, and how they report it. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Nanoseconds since some time. */
static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorts them. */
static inline uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* What was measured of one thing; @stock is 0 where the stock kernel cannot do it. */
struct report {
	json_object *rows;
	const char *kernel;
	const char *name;
	uint64_t bytes;
	uint64_t stock;
	uint64_t phyr;
};

static inline double report_ratio(const struct report *r)
{
	return r->phyr ? (double)r->stock / (double)r->phyr : 0;
}

/* The row, to which more can be added. */
static inline json_object *report_row(const struct report *r)
{
	json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(r->name));
	json_object_object_add(row, "kernel", json_object_new_string(r->kernel));
	json_object_object_add(row, "bytes", json_object_new_uint64(r->bytes));
	json_object_object_add(row, "phyr_ns", json_object_new_uint64(r->phyr));
	json_object_object_add(row, "stock_ns",
			       r->stock ? json_object_new_uint64(r->stock) : NULL);
	json_object_object_add(row, "ratio",
			       r->stock ? json_object_new_double(report_ratio(r)) : NULL);
	json_object_array_add(r->rows, row);
	fflush(stdout);
	return row;
}

/* All rows, which are gone then; what a bench exits with. */
static inline int report_write(const char *who, const char *path, json_object *rows, int failed)
{
	if (json_object_to_file_ext(path, rows, JSON_C_TO_STRING_PRETTY)) {
		fprintf(stderr, "%s: %s\n", who, json_util_get_last_err());
		failed = 1;
	}
	json_object_put(rows);
	return failed ? 1 : 0;
}

#endif
