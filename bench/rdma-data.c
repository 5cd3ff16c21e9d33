// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: messages between two queue pairs of one program on soft RoCE,
 * as the stock kernel moves the bytes and with phyr_rdma.
 *
 *	rdma-data-bench FILE.json [ROUNDS]
 *
 * Whatever is measured happens within the guest, so that instructions can be
 * counted as well as time. A round is some messages, one after the other; stock
 * and phyr take turns, and what counts is the median of all rounds, for one
 * message.
 */
#define _GNU_SOURCE
#include <sys/utsname.h>

#include "../tests/guest/common/rdma.h"
#include "report.h"

#define MAX_ROUNDS	60
#define TURNS		3		/* of stock and phyr */
#define ROUND_BYTES	(4 * MIB)
#define ROUND_MESSAGES	64
#define LEN		(4 * MIB)

#define DEVICE	"rdma link show rxe1/1 >/dev/null 2>&1 || rdma link add rxe1 type rxe netdev lo"

enum way { STOCK, PHYR, WAYS };

struct verb {
	const char *name;
	enum ibv_wc_status (*move)(struct rdma *r, struct rdma_at a, struct rdma_at b, size_t len);
};

static const struct verb verbs[] = { { "RDMA write", rdma_write }, { "RDMA read", rdma_read } };
static const size_t sizes[] = { 4 * KIB, 64 * KIB, MIB };

struct result {
	uint64_t ns[WAYS][MAX_ROUNDS];
	size_t n[WAYS];
};

struct side {
	struct mem mem;
	struct ibv_mr *mr;
};

static uint64_t one_round(struct rdma *r, const struct side sides[2], const struct verb *verb,
			  size_t size)
{
	size_t messages = ROUND_BYTES / size < ROUND_MESSAGES ? ROUND_BYTES / size : ROUND_MESSAGES;
	uint64_t start = now();

	for (size_t i = 0; i < messages; i++)
		assert_int_equal(verb->move(r, rdma_at(sides[0].mr, i * size % LEN),
					    rdma_at(sides[1].mr, i * size % LEN), size),
				 IBV_WC_SUCCESS);
	return (now() - start) / messages;
}

/* A region belongs to the side that registered it, so it is made anew in each turn. */
static void turn(struct side sides[2], const struct verb *verb, size_t size, struct result *res,
		 enum way how, size_t rounds)
{
	struct rdma r;

	assert_int_equal(how == PHYR ? rdma_load() : (rdma_regions() < 0 ? 0 : rdma_unload()), 0);
	rdma_open_device(&r, "rxe1", IBV_MTU_4096);
	for (int i = 0; i < 2; i++) {
		sides[i].mr = ibv_reg_mr(r.pd, sides[i].mem.addr, LEN, RDMA_ALL);
		assert_non_null(sides[i].mr);
	}
	one_round(&r, sides, verb, size);
	for (size_t i = 0; i < rounds; i++)
		res->ns[how][res->n[how]++] = one_round(&r, sides, verb, size);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ibv_dereg_mr(sides[i].mr), 0);
	rdma_close(&r);
}

static void report(json_object *rows, const char *kernel, const char *name, size_t size,
		   struct result *res)
{
	char title[80];
	struct report r = {
		.rows = rows, .kernel = kernel, .name = title, .bytes = size,
		.stock = median(res->ns[STOCK], res->n[STOCK]),
		.phyr = median(res->ns[PHYR], res->n[PHYR]),
	};

	snprintf(title, sizeof(title), "%s: %llu KiB", name, size / KIB);
	printf("  %-32s %12.1f %12.1f %9.3f\n", title, (double)r.stock / 1e3,
	       (double)r.phyr / 1e3, report_ratio(&r));
	report_row(&r);
}

static void measure(json_object *rows, const char *kernel, struct side sides[2],
		    const struct verb *verb, size_t size, size_t rounds)
{
	struct result res = { 0 };

	for (int i = 0; i < TURNS; i++) {
		turn(sides, verb, size, &res, i & 1 ? PHYR : STOCK, rounds / TURNS);
		turn(sides, verb, size, &res, i & 1 ? STOCK : PHYR, rounds / TURNS);
	}
	report(rows, kernel, verb->name, size, &res);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	json_object *rows = json_object_new_array();
	const struct mem_kind *kind = mem_find("hugetlb 2 MiB");
	struct side sides[2];
	struct utsname uts;

	if (argc < 2 || rounds < TURNS || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: rdma-data-bench FILE.json [ROUNDS]\n");
		return 2;
	}
	if (system(DEVICE)) {
		fprintf(stderr, "rdma-data-bench: no RDMA device\n");
		return 1;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(mem_map(&sides[i].mem, kind, LEN), 0);
	uname(&uts);
	printf("%s, one message, median of %zu rounds\n  %-32s %12s %12s %9s\n", uts.release,
	       rounds / TURNS * TURNS, "", "stock us", "phyr us", "ratio");
	for (size_t v = 0; v < ARRAY_SIZE(verbs); v++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			measure(rows, uts.release, sides, &verbs[v], sizes[s], rounds);
	for (int i = 0; i < 2; i++)
		mem_unmap(&sides[i].mem);
	return report_write("rdma-data-bench", argv[1], rows, 0);
}
