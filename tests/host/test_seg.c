// SPDX-License-Identifier: GPL-2.0-only
/* The segment cutter. */
#include "host.h"

#define NO_BOUNDARY (~0ULL)

static void test_limits(void **state)
{
	static const struct {
		struct phyr_seg_limits lim;
		bool valid;
	} cases[] = {
		{ { ~0ULL, NO_BOUNDARY }, true },
		{ { 1, 0 }, true },
		{ { 4096, 4095 }, true },
		{ { 512, 0xffffffff }, true },
		{ { 1ULL << 40, (1ULL << 63) - 1 }, true },
		{ { 0, NO_BOUNDARY }, false },
		{ { ~0ULL, 510 }, false },
		{ { ~0ULL, 0xfffe }, false },
		{ { ~0ULL, 0x10000 }, false },
		{ { ~0ULL, ~0ULL << 12 }, false },
		{ { ~0ULL, ~1ULL }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(phyr_seg_limits_valid(&cases[i].lim), cases[i].valid);
}

static u64 cut(u64 addr, u64 len, u64 max_len, u64 boundary_mask)
{
	struct phyr_seg_limits lim = { max_len, boundary_mask };

	return phyr_seg_cut(addr, len, &lim);
}

static void test_cut(void **state)
{
	u64 top = 1ULL << 63;

	(void)state;
	assert_int_equal(cut(0, 100, ~0ULL, NO_BOUNDARY), 100);
	assert_int_equal(cut(0, 100, 99, NO_BOUNDARY), 99);
	assert_int_equal(cut(0, 100, 100, NO_BOUNDARY), 100);
	assert_int_equal(cut(8, 100, ~0ULL, 63), 56);
	assert_int_equal(cut(63, 100, ~0ULL, 63), 1);
	assert_int_equal(cut(64, 64, ~0ULL, 63), 64);
	assert_int_equal(cut(64, 65, ~0ULL, 63), 64);
	assert_int_equal(cut(77, 100, ~0ULL, 0), 1);

	/* 64 bits of it. */
	assert_int_equal(cut(0, ~0ULL, ~0ULL, NO_BOUNDARY), ~0ULL);
	assert_int_equal(cut(0, ~0ULL, ~0ULL - 1, NO_BOUNDARY), ~0ULL - 1);
	assert_int_equal(cut(~0ULL, 1, ~0ULL, NO_BOUNDARY), 1);
	assert_int_equal(cut(~0ULL, 1, ~0ULL, 0xfff), 1);
	assert_int_equal(cut(~0ULL << 12, 4096, ~0ULL, NO_BOUNDARY), 4096);
	assert_int_equal(cut(4, ~0ULL - 4, ~0ULL, top - 1), top - 4);
	assert_int_equal(cut(top, top, ~0ULL, top - 1), top);
	assert_int_equal(cut(top + 1, top - 1, ~0ULL, top - 1), top - 1);
	assert_int_equal(cut(GiB, 12 * GiB, ~0ULL, 0xffffffff), 3 * GiB);
}

/* A byte at a time. */
static u64 naive_cut(u64 addr, u64 len, u64 max_len, u64 boundary_mask)
{
	u64 n = 1;

	while (n < len && n < max_len &&
	       (boundary_mask == NO_BOUNDARY || (addr + n) % (boundary_mask + 1)))
		n++;
	return n;
}

static void test_bytewise(void **state)
{
	static const u64 masks[] = { 0, 1, 3, 7, 15, 31, NO_BOUNDARY };
	static const u64 max_lens[] = { 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 100, ~0ULL };
	static const u64 starts[] = { 0, PHYS_MAX - 127 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(starts); s++)
		for (size_t m = 0; m < ARRAY_SIZE(masks); m++)
			for (size_t n = 0; n < ARRAY_SIZE(max_lens); n++)
				for (u64 at = 0; at < 64 * 64; at++) {
					u64 addr = starts[s] + at / 64, len = at % 64 + 1;

					assert_int_equal(cut(addr, len, max_lens[n], masks[m]),
							 naive_cut(addr, len, max_lens[n],
								   masks[m]));
				}
}

/* 12 GiB that straddle 4 GiB three times. */
static void test_4g_boundary(void **state)
{
	u64 addr = 2 * GiB, left = 12 * GiB;
	int n = 0;

	(void)state;
	while (left) {
		u64 len = cut(addr, left, ~0ULL, 0xffffffff);

		assert_int_equal(addr & ~0xffffffffULL, (addr + (len - 1)) & ~0xffffffffULL);
		addr += len;
		left -= len;
		n++;
	}
	assert_int_equal(n, 4);
}

int run_seg_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_limits),
		host_test(test_cut),
		host_test(test_bytewise),
		host_test(test_4g_boundary),
	};

	return cmocka_run_group_tests_name("seg", tests, NULL, NULL);
}
