// SPDX-License-Identifier: GPL-2.0-only
/* The segment cutter. */
#include "host.h"

#define NO_BOUNDARY (~0ULL)

static struct phyr_seg_limits limits(u64 max_len, u64 boundary_mask, u32 align)
{
	return (struct phyr_seg_limits){ max_len, boundary_mask, align };
}

static void test_limits(void **state)
{
	static const struct {
		struct phyr_seg_limits lim;
		int ret;
	} cases[] = {
		{ { ~0ULL, NO_BOUNDARY, 1 }, 0 },
		{ { 1, 0, 1 }, 0 },
		{ { 4096, 4095, 4096 }, 0 },
		{ { 512, 0xffffffff, 512 }, 0 },
		{ { 1ULL << 40, (1ULL << 63) - 1, 1u << 31 }, 0 },
		{ { ~0ULL, NO_BOUNDARY, 0 }, -EINVAL },
		{ { ~0ULL, NO_BOUNDARY, 3 }, -EINVAL },
		{ { ~0ULL, NO_BOUNDARY, 0xffffffff }, -EINVAL },
		{ { 0, NO_BOUNDARY, 1 }, -EINVAL },
		{ { 511, NO_BOUNDARY, 512 }, -EINVAL },
		{ { ~0ULL, 510, 512 }, -EINVAL },
		{ { ~0ULL, 0xff, 512 }, -EINVAL },
		{ { ~0ULL, 0xfffe, 1 }, -EINVAL },
		{ { ~0ULL, 0x10000, 1 }, -EINVAL },
		{ { ~0ULL, ~0ULL << 12, 1 }, -EINVAL },
		{ { ~0ULL, ~1ULL, 1 }, -EINVAL },
	};
	struct phyr_seg_iter si;
	struct phyr_list list;
	size_t i;

	(void)state;
	phyr_list_init(&list);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(phyr_seg_iter_init(&si, &list, 0, ~0ULL, &cases[i].lim),
				 cases[i].ret);
}

static u64 cut(u64 addr, u64 len, u64 max_len, u64 boundary_mask, u32 align)
{
	struct phyr_seg_limits lim = limits(max_len, boundary_mask, align);

	return phyr_seg_cut(addr, len, &lim);
}

static void test_cut(void **state)
{
	u64 top = 1ULL << 63;

	(void)state;
	assert_int_equal(cut(0, 100, ~0ULL, NO_BOUNDARY, 1), 100);
	assert_int_equal(cut(0, 100, 99, NO_BOUNDARY, 1), 99);
	assert_int_equal(cut(0, 100, 99, NO_BOUNDARY, 8), 96);
	assert_int_equal(cut(0, 100, 100, NO_BOUNDARY, 8), 100);
	assert_int_equal(cut(4, 100, ~0ULL, NO_BOUNDARY, 8), 0);
	assert_int_equal(cut(8, 100, ~0ULL, 63, 8), 56);
	assert_int_equal(cut(63, 100, ~0ULL, 63, 1), 1);
	assert_int_equal(cut(64, 64, ~0ULL, 63, 1), 64);
	assert_int_equal(cut(64, 65, ~0ULL, 63, 1), 64);
	assert_int_equal(cut(77, 100, ~0ULL, 0, 1), 1);

	/* 64 bits of it. */
	assert_int_equal(cut(0, ~0ULL, ~0ULL, NO_BOUNDARY, 1), ~0ULL);
	assert_int_equal(cut(0, ~0ULL, ~0ULL, NO_BOUNDARY, 4096), ~0ULL);
	assert_int_equal(cut(0, ~0ULL, ~0ULL - 1, NO_BOUNDARY, 4096), ~0ULL << 12);
	assert_int_equal(cut(~0ULL, 1, ~0ULL, NO_BOUNDARY, 1), 1);
	assert_int_equal(cut(~0ULL, 1, ~0ULL, 0xfff, 1), 1);
	assert_int_equal(cut(~0ULL << 12, 4096, ~0ULL, NO_BOUNDARY, 4096), 4096);
	assert_int_equal(cut(4, ~0ULL - 4, ~0ULL, top - 1, 1), top - 4);
	assert_int_equal(cut(top, top, ~0ULL, top - 1, 1), top);
	assert_int_equal(cut(top + 1, top - 1, ~0ULL, top - 1, 1), top - 1);
	assert_int_equal(cut(GiB, 12 * GiB, ~0ULL, 0xffffffff, 4096), 3 * GiB);
	assert_int_equal(cut(0, 12 * GiB, 0xffffffff, NO_BOUNDARY, 512), 4 * GiB - 512);
}

/* A list spelled out, one entry a byte. */
struct byte {
	u64 addr;
	size_t phyr;
	enum phyr_kind kind;
};

struct bytes {
	struct byte byte[128];
	unsigned int nr;
};

static void spell_out(struct bytes *bytes, const struct model *m)
{
	size_t i;
	u64 b;

	bytes->nr = 0;
	for (i = 0; i < m->nr; i++)
		for (b = 0; b < m->range[i].len; b++)
			bytes->byte[bytes->nr++] = (struct byte){
				m->range[i].addr + b, i, m->range[i].kind };
}

static bool goes_on(const struct bytes *bytes, unsigned int pos, unsigned int end)
{
	return pos < end && bytes->byte[pos].phyr == bytes->byte[pos - 1].phyr;
}

static bool at_boundary(u64 addr, u64 mask)
{
	return mask != NO_BOUNDARY && addr % (mask + 1) == 0;
}

/* The length of the segment at @pos of a slice that ends at @end, or an errno. */
static int naive_segment(const struct bytes *bytes, unsigned int pos, unsigned int end,
			 const struct phyr_seg_limits *lim)
{
	unsigned int n = 1;

	if (bytes->byte[pos].addr % lim->align)
		return -EINVAL;
	while (goes_on(bytes, pos + n, end) && n < lim->max_len &&
	       !at_boundary(bytes->byte[pos + n].addr, lim->boundary_mask))
		n++;
	if (goes_on(bytes, pos + n, end))
		while (n % lim->align)
			n--;
	if (n % lim->align && pos + n < end)
		return -EINVAL;
	return (int)n;
}

static void check_bytewise(const struct phyr_list *list, const struct bytes *bytes,
			   unsigned int offset, unsigned int len,
			   const struct phyr_seg_limits *lim)
{
	unsigned int pos = offset, end = offset + len;
	struct phyr_seg_iter si;
	struct phyr seg;

	if (end > bytes->nr)
		end = bytes->nr;
	assert_int_equal(phyr_seg_iter_init(&si, list, offset, len, lim), 0);
	while (pos < end) {
		int n = naive_segment(bytes, pos, end, lim);

		if (n < 0) {
			assert_int_equal(phyr_seg_next(&si, &seg), n);
			return;
		}
		assert_int_equal(phyr_seg_next(&si, &seg), 1);
		assert_int_equal(seg.addr, bytes->byte[pos].addr);
		assert_int_equal(seg.len, n);
		assert_int_equal(si.it.kind, bytes->byte[pos].kind);
		pos += (unsigned int)n;
	}
	assert_int_equal(phyr_seg_next(&si, &seg), 0);
}

/* All limits that matter for phyrs of a dozen bytes. */
static void check_all_limits(const struct phyr_list *list, const struct bytes *bytes,
			     unsigned int offset, unsigned int len)
{
	static const u64 masks[] = { 0, 1, 3, 7, 15, 31, NO_BOUNDARY };
	static const u64 max_lens[] = { 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 100, ~0ULL };
	size_t m, n;
	u32 align;

	for (align = 1; align <= 16; align *= 2)
		for (m = 0; m < ARRAY_SIZE(masks); m++)
			for (n = 0; n < ARRAY_SIZE(max_lens); n++) {
				struct phyr_seg_limits lim =
					limits(max_lens[n], masks[m], align);

				if (lim.max_len >= align && masks[m] >= align - 1)
					check_bytewise(list, bytes, offset, len, &lim);
			}
}

/* Up to 6 phyrs of up to 16 bytes, often aligned, as segments want it. */
static void random_list(struct pair *p, u64 *seed)
{
	unsigned int nr = (unsigned int)(next_random(seed) % 6) + 1;
	u64 step = 1ULL << next_random(seed) % 5;

	while (nr--) {
		u64 addr = next_random(seed) % 64 / step * step;
		u64 len = (next_random(seed) % 16 / step + 1) * step;

		if (next_random(seed) % 4 == 0)
			addr += PHYS_MAX - 127;
		pair_append(p, range(addr, len > 16 ? 16 : len,
				     (enum phyr_kind)(next_random(seed) % 2)));
	}
}

static void test_bytewise(void **state)
{
	unsigned int n, offset, len;
	struct bytes bytes;
	struct pair p;
	u64 seed = 3;

	(void)state;
	for (n = 0; n < 150; n++) {
		pair_init(&p);
		random_list(&p, &seed);
		spell_out(&bytes, &p.model);
		check_all_limits(&p.list, &bytes, 0, bytes.nr);
		for (offset = 0; offset < bytes.nr; offset += 3)
			for (len = 0; len <= bytes.nr - offset + 1; len += 5)
				check_all_limits(&p.list, &bytes, offset, len);
		pair_free(&p);
	}
}

static void check_segs(const struct pair *p, u64 max_len, u64 boundary_mask, u32 align)
{
	struct phyr_seg_limits lim = limits(max_len, boundary_mask, align);

	assert_true(model_segs_match(&p->model, &p->list, 0, ~0ULL, &lim));
	assert_true(model_segs_match(&p->model, &p->list, 4 * KiB, 7 * MiB + 3, &lim));
}

static void test_every_pattern(void **state)
{
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		pair_fill(&p, patterns[i].range, 0, 300);
		check_segs(&p, ~0ULL, NO_BOUNDARY, 1);
		check_segs(&p, 64 * KiB, 0xffff, 1);
		check_segs(&p, MiB + 5, 0xffffffff, 512);
		check_segs(&p, 2 * GiB, NO_BOUNDARY, 4096);
		check_segs(&p, 128 * KiB, MiB - 1, 64 * KiB);
		pair_free(&p);
	}
}

static void test_top_of_address_space(void **state)
{
	struct phyr_seg_limits lim;
	struct pair p;
	u32 align;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(PHYS_MAX - 3 * MiB + 1, 3 * MiB, PHYR_PFNMAP));
	pair_append(&p, range(0, 3 * MiB, PHYR_PFNMAP));
	for (align = 1; align <= MiB; align *= 2) {
		check_segs(&p, ~0ULL, NO_BOUNDARY, align);
		check_segs(&p, ~0ULL, 2 * MiB - 1, align);
		check_segs(&p, MiB + 4095, 4 * MiB - 1, align);
	}
	lim = limits(~0ULL, NO_BOUNDARY, 2 * MiB);
	assert_true(model_segs_match(&p.model, &p.list, 0, ~0ULL, &lim));
	pair_free(&p);
}

/* 12 GiB that straddle 4 GiB three times. */
static void test_4g_boundary(void **state)
{
	struct phyr_seg_limits lim = limits(~0ULL, 0xffffffff, 4096);
	struct phyr_seg_iter si;
	struct phyr seg;
	struct pair p;
	int n = 0;

	(void)state;
	if (sizeof(size_t) < 8)
		lim.boundary_mask = 0x3fffffff;
	pair_init(&p);
	pair_append(&p, range((lim.boundary_mask + 1) / 2, 3 * (lim.boundary_mask + 1),
			      PHYR_RAM));
	assert_true(model_segs_match(&p.model, &p.list, 0, ~0ULL, &lim));
	assert_int_equal(phyr_seg_iter_init(&si, &p.list, 0, ~0ULL, &lim), 0);
	while (phyr_seg_next(&si, &seg) == 1) {
		assert_int_equal(seg.addr & ~lim.boundary_mask,
				 (seg.addr + (seg.len - 1)) & ~lim.boundary_mask);
		n++;
	}
	assert_int_equal(n, 4);
	pair_free(&p);
}

static void test_misaligned(void **state)
{
	struct phyr_seg_limits lim = limits(~0ULL, NO_BOUNDARY, 512);
	struct phyr_seg_iter si;
	struct phyr seg;
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(4096, 512, PHYR_RAM));
	pair_append(&p, range(8192, 100, PHYR_RAM));
	pair_append(&p, range(16384, 512, PHYR_RAM));

	/* Odd at the end: fine; odd in the middle or at the beginning: not. */
	assert_int_equal(phyr_seg_iter_init(&si, &p.list, 0, 612, &lim), 0);
	assert_int_equal(phyr_seg_next(&si, &seg), 1);
	assert_int_equal(phyr_seg_next(&si, &seg), 1);
	assert_int_equal(seg.len, 100);
	assert_int_equal(phyr_seg_next(&si, &seg), 0);

	assert_int_equal(phyr_seg_iter_init(&si, &p.list, 0, 613, &lim), 0);
	assert_int_equal(phyr_seg_next(&si, &seg), 1);
	assert_int_equal(phyr_seg_next(&si, &seg), -EINVAL);
	assert_int_equal(phyr_seg_next(&si, &seg), -EINVAL);

	assert_int_equal(phyr_seg_iter_init(&si, &p.list, 1, 600, &lim), 0);
	assert_int_equal(phyr_seg_next(&si, &seg), -EINVAL);
	pair_free(&p);
}

int run_seg_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_limits),
		host_test(test_cut),
		host_test(test_bytewise),
		host_test(test_every_pattern),
		host_test(test_top_of_address_space),
		host_test(test_4g_boundary),
		host_test(test_misaligned),
	};

	return cmocka_run_group_tests_name("seg", tests, NULL, NULL);
}
