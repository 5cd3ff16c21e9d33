// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: ibv_reg_mr() and ibv_dereg_mr() on soft RoCE, as the stock
 * kernel does it and with phyr_rdma, for each kind of memory.
 *
 *	rdma-bench FILE.json [ROUNDS [KIND]]
 *
 * The module is loaded and unloaded in between, several times; what counts is
 * the median of all rounds. What a region takes of the kernel's memory is what
 * the kernel's own trace events say that registering it allocated and kept.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../tests/guest/common/mem.h"
#include "../tests/guest/common/kmem.h"
#include "report.h"

#define MAX_ROUNDS	60
#define TURNS		3		/* of stock and phyr */
#define STOCK_MAX	(1 * GIB)	/* beyond it stock rxe fails, with a warning */

#define UNLOAD	"! grep -q '^phyr_rdma ' /proc/modules || modprobe -r phyr_rdma"

enum way { STOCK, PHYR, WAYS };

struct result {
	uint64_t reg[WAYS][MAX_ROUNDS];
	uint64_t dereg[WAYS][MAX_ROUNDS];
	long bytes[WAYS];
	size_t n[WAYS];
};

static struct ibv_pd *pd;

static int access_of(const struct mem_kind *kind)
{
	return IBV_ACCESS_REMOTE_READ |
	       (kind->read_only ? 0 : IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
}

static int one_round(const struct mem *mem, struct result *r, enum way how)
{
	uint64_t start = now(), registered;
	struct ibv_mr *mr = ibv_reg_mr(pd, mem->addr, mem->len, access_of(mem->kind));

	registered = now();
	if (!mr || ibv_dereg_mr(mr)) {
		fprintf(stderr, "rdma-bench: %s: %s\n", mem->kind->name, strerror(errno));
		return -1;
	}
	r->dereg[how][r->n[how]] = now() - registered;
	r->reg[how][r->n[how]++] = registered - start;
	return 0;
}

/* Beside another region, which has made the tables that all share. */
static int measure_bytes(const struct mem *mem, struct result *r, enum way how)
{
	static char page[4096];
	struct ibv_mr *other = ibv_reg_mr(pd, page, sizeof(page), IBV_ACCESS_LOCAL_WRITE);
	struct ibv_mr *mr;

	if (!other || kmem_start())
		return -1;
	mr = ibv_reg_mr(pd, mem->addr, mem->len, access_of(mem->kind));
	r->bytes[how] = kmem_stop();
	if (!mr || ibv_dereg_mr(mr) || ibv_dereg_mr(other) || r->bytes[how] < 0)
		return -1;
	return 0;
}

static int turn(const struct mem *mem, struct result *r, enum way how, size_t rounds)
{
	int ret = system(how == PHYR ? "modprobe phyr_rdma" : UNLOAD);
	struct result warm_up = { 0 };

	if (!ret)
		ret = one_round(mem, &warm_up, how);
	for (size_t i = 0; i < rounds && !ret; i++)
		ret = one_round(mem, r, how);
	if (!ret && !r->bytes[how])
		ret = measure_bytes(mem, r, how);
	return ret;
}

static void report(json_object *rows, const char *kernel, const struct mem *mem,
		   const char *what, struct result *r, uint64_t samples[WAYS][MAX_ROUNDS])
{
	char name[80];
	struct report rep = {
		.rows = rows, .kernel = kernel, .name = name, .bytes = mem->len,
		.stock = r->n[STOCK] ? median(samples[STOCK], r->n[STOCK]) : 0,
		.phyr = median(samples[PHYR], r->n[PHYR]),
	};
	json_object *row;

	snprintf(name, sizeof(name), "%s: %s", what, mem->kind->name);
	printf("  %-32s %9zu %12.1f %12.1f %9.1f %10ld %10ld\n", name, mem->len >> 20,
	       (double)rep.stock / 1e3, (double)rep.phyr / 1e3, report_ratio(&rep),
	       r->bytes[STOCK], r->bytes[PHYR]);
	row = report_row(&rep);
	json_object_object_add(row, "mr_metadata_bytes", json_object_new_int64(r->bytes[PHYR]));
	json_object_object_add(row, "stock_mr_metadata_bytes", rep.stock ?
			       json_object_new_int64(r->bytes[STOCK]) : NULL);
}

static int bench_kind(const struct mem_kind *kind, size_t len, size_t rounds,
		      const char *kernel, json_object *rows)
{
	static struct result r;
	struct mem mem;
	int ret = 0;

	memset(&r, 0, sizeof(r));
	if (mem_map(&mem, kind, len)) {
		perror(kind->name);
		return -1;
	}
	for (int i = 0; i < TURNS && !ret; i++) {
		if (len <= STOCK_MAX && kind->struct_page)
			ret = turn(&mem, &r, STOCK, rounds / TURNS);
		if (!ret)
			ret = turn(&mem, &r, PHYR, rounds / TURNS);
	}
	if (!ret) {
		report(rows, kernel, &mem, "ibv_reg_mr", &r, r.reg);
		report(rows, kernel, &mem, "ibv_dereg_mr", &r, r.dereg);
	}
	mem_unmap(&mem);
	return ret;
}

static struct ibv_pd *open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = list && list[0] ? ibv_open_device(list[0]) : NULL;

	return context ? ibv_alloc_pd(context) : NULL;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	const char *only = argc > 3 ? argv[3] : NULL;
	json_object *rows = json_object_new_array();
	struct utsname uts;
	int ret = 0;

	if (argc < 2 || rounds < TURNS || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: rdma-bench FILE.json [ROUNDS [KIND]]\n");
		return 2;
	}
	pd = open_device();
	if (!pd) {
		fprintf(stderr, "rdma-bench: no RDMA device\n");
		return 1;
	}
	uname(&uts);
	printf("%s, median of %zu rounds\n  %-32s %9s %12s %12s %9s %10s %10s\n", uts.release,
	       rounds / TURNS * TURNS, "", "MiB", "stock us", "phyr us", "ratio", "stock B", "phyr B");
	for (size_t i = 0; i < mem_nr_kinds; i++) {
		const struct mem_kind *kind = &mem_kinds[i];

		if (kind->short_only || (only && strcmp(kind->name, only)))
			continue;
		if (kind->page == GIB)
			ret |= bench_kind(kind, GIB, rounds, uts.release, rows);
		ret |= bench_kind(kind, kind->size, rounds, uts.release, rows);
	}
	return report_write("rdma-bench", argv[1], rows, ret);
}
