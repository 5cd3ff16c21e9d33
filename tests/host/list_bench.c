// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast a list of 16 million scattered pages is, natively.
 *
 * usage: list_bench [FILE]	writes the numbers as JSON, to FILE or stdout
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <linux/phyr_list.h>
#include <linux/slab.h>

#define ENTRIES		(16ULL << 20)
#define PAGE		4096ULL
#define LOOKUPS		(2ULL << 20)
#define RUNS		7

void *host_alloc(size_t size)
{
	return malloc(size);
}

void host_free(const void *p)
{
	free((void *)p);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* An odd factor: no two pages alike, and no two neighbours adjacent. */
static u64 addr_of(u64 index)
{
	return (index * 0x9e3779b97f4a7c15ULL >> 24) * PAGE;
}

static double bench_append(struct phyr_list *list)
{
	double start = now();
	u64 i;

	for (i = 0; i < ENTRIES; i++)
		if (phyr_list_append(list, addr_of(i), PAGE, PHYR_RAM, GFP_KERNEL))
			exit(1);
	return (now() - start) / (double)ENTRIES;
}

static double bench_iterate(const struct phyr_list *list)
{
	double start = now();
	struct phyr_iter it;
	struct phyr phyr;
	u64 i = 0;

	phyr_list_for_each(list, it, phyr)
		if (phyr.addr != addr_of(i++))
			exit(1);
	return (now() - start) / (double)ENTRIES;
}

/* Each look-up depends on the one before, so that none can overlap another. */
static double bench_find(const struct phyr_list *list, u64 seed)
{
	double start = now();
	struct phyr phyr;
	u64 i, offset;

	for (i = 0; i < LOOKUPS; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		offset = (seed >> 20) % (ENTRIES * PAGE);
		if (!phyr_list_find(list, offset, &phyr, NULL) ||
		    phyr.addr != addr_of(offset / PAGE) + offset % PAGE)
			exit(1);
		seed ^= phyr.addr;
	}
	return (now() - start) / (double)LOOKUPS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double append, iterate, find[RUNS];
	struct phyr_list list;
	FILE *out = stdout;
	u64 i;

	if (argc > 1)
		out = fopen(argv[1], "w");
	if (!out) {
		perror(argv[1]);
		return 1;
	}
	phyr_list_init(&list);
	append = bench_append(&list);
	phyr_list_trim(&list, GFP_KERNEL);
	iterate = bench_iterate(&list);
	for (i = 0; i < RUNS; i++)
		find[i] = bench_find(&list, i + 1);
	qsort(find, RUNS, sizeof(find[0]), compare);

	fprintf(out, "{\"name\":\"list find: 16 Mi phyrs\",\"phyr_ns\":%.1f,\"stock_ns\":null,\"ratio\":null,\"ns_min\":%.1f,\"ns_max\":%.1f,",
		find[RUNS / 2], find[0], find[RUNS - 1]);
	fprintf(out, "\"append_ns\":%.1f,\"iterate_ns\":%.1f,", append, iterate);
	fprintf(out, "\"entries\":%llu,\"bytes\":%zu,\"bytes_per_page\":%.3f}\n", ENTRIES,
		phyr_list_bytes(&list), (double)phyr_list_bytes(&list) / (double)ENTRIES);
	phyr_list_free(&list);
	if (fclose(out)) {
		perror(argc > 1 ? argv[1] : "stdout");
		return 1;
	}
	return 0;
}
