// SPDX-License-Identifier: GPL-2.0-only
/* Append and merge. */
#include "host.h"

static void test_empty(void **state)
{
	struct phyr_list zero = { 0 };
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_check(&p);
	assert_int_equal(phyr_list_kinds(&p.list), 0);
	assert_true(model_find_matches(&p.model, &p.list, 0));
	pair_truncate(&p, 0);
	pair_truncate(&p, 1);
	phyr_list_trim(&p.list, GFP_KERNEL);
	pair_check(&p);
	phyr_list_free(&p.list);
	phyr_list_free(&p.list);
	pair_check(&p);

	assert_true(model_matches(&p.model, &zero));
	assert_int_equal(append(&zero, 0, 1, PHYR_RAM), 0);
	assert_int_equal(phyr_list_len(&zero), 1);
	phyr_list_free(&zero);
}

static void test_adjacent_merge(void **state)
{
	unsigned int i;
	struct pair p;

	(void)state;
	pair_init(&p);
	for (i = 0; i < 1000; i++)
		pair_append(&p, range(GiB + i * 4 * KiB, 4 * KiB, PHYR_PMEM));
	pair_append(&p, range(GiB + 1000 * 4 * KiB, 1, PHYR_PMEM));
	pair_append(&p, range(GiB + 1000 * 4 * KiB + 1, 77, PHYR_PMEM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	assert_int_equal(phyr_list_bytes(&p.list), 0);
	assert_int_equal(phyr_list_kinds(&p.list), 1u << PHYR_PMEM);
	pair_check(&p);
	pair_free(&p);
}

static void test_others_do_not_merge(void **state)
{
	static const u64 pages[] = { 10, 9, 8, 8, 10, 12, 7, 9, 11, 10 };
	unsigned int i;
	struct pair p;

	(void)state;
	pair_init(&p);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pair_append(&p, range(pages[i] * 4 * KiB, 4 * KiB, PHYR_RAM));
	pair_append(&p, range(11 * 4 * KiB - 1, 4 * KiB, PHYR_RAM));
	pair_append(&p, range(12 * 4 * KiB, 4 * KiB, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), ARRAY_SIZE(pages) + 2);
	pair_check(&p);
	pair_free(&p);
}

static void test_kinds_do_not_merge(void **state)
{
	unsigned int a, b;
	struct pair p;

	(void)state;
	for (a = 0; a < PHYR_NR_KINDS; a++)
		for (b = 0; b < PHYR_NR_KINDS; b++) {
			pair_init(&p);
			pair_append(&p, range(0, 4 * KiB, (enum phyr_kind)a));
			pair_append(&p, range(4 * KiB, 4 * KiB, (enum phyr_kind)b));
			pair_append(&p, range(8 * KiB, 4 * KiB, (enum phyr_kind)a));
			assert_int_equal(phyr_list_nr(&p.list), a == b ? 1 : 3);
			assert_int_equal(phyr_list_kinds(&p.list), 1u << a | 1u << b);
			pair_check(&p);
			pair_free(&p);
		}
}

/* A seal holds until something comes after it, or is cut off before it. */
static void test_sealed_does_not_merge(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_seal(&p);
	pair_append(&p, range(0, 100, PHYR_RAM));
	pair_append(&p, range(100, 100, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	pair_seal(&p);
	pair_truncate(&p, 200);
	pair_append(&p, range(200, 100, PHYR_RAM));
	pair_append(&p, range(300, 100, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 2);
	pair_check(&p);

	pair_seal(&p);
	pair_truncate(&p, 399);
	pair_append(&p, range(399, 1, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 2);
	pair_seal(&p);
	pair_truncate(&p, 200);
	pair_append(&p, range(200, 100, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	pair_check(&p);
	pair_free(&p);
}

/* A failed append does not lift the seal. The first leaf takes six odd ranges. */
static void test_seal_outlives_failure(void **state)
{
	struct pair p;
	unsigned int i;

	(void)state;
	pair_init(&p);
	for (i = 1; i <= 6; i++)
		pair_append(&p, range(1000 * i + 1, 10, PHYR_RAM));
	pair_append(&p, range(0, 100, PHYR_RAM));
	pair_seal(&p);
	host_fail_at(1);
	assert_int_equal(append(&p.list, 100, 100, PHYR_RAM), -ENOMEM);
	assert_true(host_fail_done());
	pair_append(&p, range(100, 100, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 8);
	pair_check(&p);
	pair_free(&p);
}

static void test_bad_arguments(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(4 * KiB, 4 * KiB, PHYR_RAM));
	assert_int_equal(append(&p.list, 8 * KiB, 0, PHYR_RAM), -EINVAL);
	assert_int_equal(append(&p.list, 8 * KiB, 1, PHYR_NR_KINDS), -EINVAL);
	assert_int_equal(append(&p.list, 8 * KiB, 1, (enum phyr_kind)-1), -EINVAL);
	assert_int_equal(append(&p.list, 8 * KiB, 1, (enum phyr_kind)256), -EINVAL);
	pair_check(&p);
	pair_free(&p);
}

static void test_top_of_address_space(void **state)
{
	u64 top = PHYS_MAX;
	struct pair p;

	(void)state;
	pair_init(&p);
	assert_int_equal(append(&p.list, top, 2, PHYR_PFNMAP), -EOVERFLOW);
	assert_int_equal(append(&p.list, top - 4 * KiB + 2, 4 * KiB, PHYR_PFNMAP), -EOVERFLOW);
	if (sizeof(size_t) == sizeof(phys_addr_t))
		assert_int_equal(append(&p.list, 2, SIZE_MAX, PHYR_PFNMAP), -EOVERFLOW);
	pair_check(&p);

	pair_append(&p, range(top, 1, PHYR_PFNMAP));
	pair_append(&p, range(top - 4 * KiB + 1, 4 * KiB, PHYR_PFNMAP));
	pair_append(&p, range(top - 8 * KiB + 1, 4 * KiB, PHYR_PFNMAP));
	pair_append(&p, range(top - 4 * KiB + 1, 4 * KiB - 1, PHYR_PFNMAP));
	pair_append(&p, range(top, 1, PHYR_PFNMAP));
	assert_int_equal(phyr_list_nr(&p.list), 3);
	pair_check(&p);
	pair_free(&p);
}

static void test_whole_address_space(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(1, SIZE_MAX, PHYR_RAM));
	pair_check(&p);
	pair_free(&p);

	pair_init(&p);
	pair_append(&p, range(0, SIZE_MAX, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	pair_append(&p, range(SIZE_MAX, 1, PHYR_RAM));
	pair_check(&p);
	pair_free(&p);
}

/* One past the top is 0, and yet 0 does not follow the top. */
static void test_no_merge_around_zero(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(PHYS_MAX - 4 * KiB + 1, 4 * KiB, PHYR_RAM));
	pair_append(&p, range(0, 4 * KiB, PHYR_RAM));
	pair_append(&p, range(4 * KiB, 4 * KiB, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 2);
	pair_check(&p);
	pair_free(&p);
}

/* Pages by the bulk are what they are one by one, wherever a bulk begins and ends. */
static void check_pages(pattern_fn pattern, unsigned int bulk, unsigned int shift)
{
	phys_addr_t addrs[128];
	unsigned int i, n;
	struct pair p;

	pair_init(&p);
	for (n = 0; n < 3000; n += bulk) {
		for (i = 0; i < bulk; i++) {
			struct range r = pattern(n + i);

			r.addr &= ~((1ULL << shift) - 1);
			r.len = 1ULL << shift;
			addrs[i] = (phys_addr_t)r.addr;
			assert_int_equal(model_append(&p.model, r), 0);
		}
		assert_int_equal(phyr_list_append_pages(&p.list, addrs, bulk, shift,
							PHYR_RAM, GFP_KERNEL), 0);
		if (n < 300)
			pair_check(&p);
	}
	pair_check(&p);
	pair_free(&p);
}

static struct range pages_in_pairs(unsigned int i)
{
	struct range r = scattered_pages(i / 2);

	r.addr = (r.addr & ~(2 * MiB - 1)) + i % 2 * 4 * KiB;
	return r;
}

static void test_pages_in_bulk(void **state)
{
	static const unsigned int bulks[] = { 1, 2, 7, 64, 128 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bulks); i++) {
		check_pages(scattered_pages, bulks[i], 12);
		check_pages(scattered_pages, bulks[i], 16);
		check_pages(scattered_pages, bulks[i], 9);
		check_pages(scattered_pages, bulks[i], 21);
		check_pages(pages_in_pairs, bulks[i], 12);
	}
}

/* The open phyr is not a page, is sealed, or is of another kind. */
static void test_pages_after_others(void **state)
{
	static const phys_addr_t addrs[] = { 8 * KiB, 12 * KiB, 64 * KiB };
	static const struct range before[] = {
		{ 4 * KiB + 100, 4 * KiB - 100, PHYR_RAM }, { 4 * KiB, 4 * KiB, PHYR_PMEM },
		{ 2 * MiB, 2 * MiB, PHYR_RAM }, { 1, 2, PHYR_RAM }, { 4 * KiB, 4 * KiB, PHYR_RAM },
	};
	unsigned int i, sealed, n;
	struct pair p;

	(void)state;
	for (i = 0; i < 2 * ARRAY_SIZE(before); i++) {
		sealed = i % 2;
		pair_init(&p);
		pair_append(&p, range(MiB, 4 * KiB, PHYR_RAM));
		pair_append(&p, range(5 * MiB, 4 * KiB, PHYR_RAM));
		pair_append(&p, before[i / 2]);
		if (sealed)
			pair_seal(&p);
		assert_int_equal(phyr_list_append_pages(&p.list, addrs, ARRAY_SIZE(addrs), 12,
							PHYR_RAM, GFP_KERNEL), 0);
		for (n = 0; n < ARRAY_SIZE(addrs); n++)
			model_append(&p.model, range(addrs[n], 4 * KiB, PHYR_RAM));
		pair_check(&p);
		pair_free(&p);
	}
}

static void test_bad_pages(void **state)
{
	static const phys_addr_t addrs[] = { 4 * KiB, 64 * KiB, PHYS_MAX - 4 * KiB + 1, PHYS_MAX };
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(0, 4 * KiB, PHYR_RAM));
	pair_seal(&p);
	assert_int_equal(phyr_list_append_pages(&p.list, addrs, 1, 12, PHYR_NR_KINDS,
						GFP_KERNEL), -EINVAL);
	assert_int_equal(phyr_list_append_pages(&p.list, addrs, 1, sizeof(size_t) * 8,
						PHYR_RAM, GFP_KERNEL), -EINVAL);
	assert_int_equal(phyr_list_append_pages(&p.list, addrs, 4, 12, PHYR_RAM, GFP_KERNEL),
			 -EOVERFLOW);
	pair_check(&p);
	assert_int_equal(phyr_list_append_pages(&p.list, addrs, 0, 12, PHYR_RAM, GFP_KERNEL), 0);
	pair_append(&p, range(4 * KiB, 4 * KiB, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 2);
	pair_check(&p);
	pair_free(&p);
}

/* A phyr ends where its length would not fit in size_t any more. */
static void test_length_of_a_phyr(void **state)
{
	u64 half = (u64)SIZE_MAX / 2 + 1;
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(0, half, PHYR_RAM));
	pair_append(&p, range(half, half - 1, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	assert_int_equal(phyr_list_len(&p.list), SIZE_MAX);
	pair_check(&p);
	pair_free(&p);

	pair_init(&p);
	pair_append(&p, range(0, half, PHYR_RAM));
	pair_append(&p, range(half, half, PHYR_RAM));
	pair_check(&p);
	assert_int_equal(phyr_list_nr(&p.list), sizeof(size_t) == 8 ? 1 : 2);
	pair_free(&p);
}

/* 64 GiB, with phyrs of 512 MiB that are easy to merge and easy to tell apart. */
static void test_beyond_4g(void **state)
{
	unsigned int i;
	struct pair p;
	u64 offset;

	(void)state;
	pair_init(&p);
	for (i = 0; i < 128; i++)
		pair_append(&p, range(i % 3 * 512 * MiB, 512 * MiB, PHYR_RAM));
	assert_int_equal(phyr_list_len(&p.list), 64 * GiB);
	pair_check(&p);
	for (offset = 0; offset <= 64 * GiB; offset += 128 * MiB) {
		assert_true(model_find_matches(&p.model, &p.list, offset));
		assert_true(model_slice_matches(&p.model, &p.list, offset - 1, 5 * GiB));
	}
	pair_truncate(&p, 4 * GiB + 1);
	pair_check(&p);
	pair_free(&p);
}

#if SIZE_MAX > 0xffffffffu
static void test_length_of_a_list(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(0, 1ULL << 63, PHYR_RAM));
	pair_append(&p, range(0, (1ULL << 63) - 2, PHYR_RAM));
	pair_append(&p, range(0, 2, PHYR_RAM));
	pair_append(&p, range(0, 1, PHYR_RAM));
	assert_int_equal(phyr_list_len(&p.list), ~0ULL);
	assert_int_equal(append(&p.list, 1, 1, PHYR_RAM), -EOVERFLOW);
	assert_int_equal(append(&p.list, 0, 4 * KiB, PHYR_PFNMAP), -EOVERFLOW);
	pair_check(&p);
	assert_true(model_find_matches(&p.model, &p.list, ~0ULL - 1));
	assert_true(model_find_matches(&p.model, &p.list, ~0ULL));
	assert_true(model_slice_matches(&p.model, &p.list, ~0ULL - 3, ~0ULL));
	pair_free(&p);
}

static void test_a_terabyte(void **state)
{
	struct pair p;
	unsigned int i;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(TiB, TiB, PHYR_PFNMAP));
	assert_int_equal(phyr_list_bytes(&p.list), 0);
	assert_true(model_find_matches(&p.model, &p.list, 5 * GiB + 1));
	for (i = 0; i < 1024; i++)
		pair_append(&p, range((4096 - 2ULL * i) * GiB, GiB, PHYR_RAM));
	for (i = 0; i < 4; i++)
		pair_append(&p, range((8 + 5ULL * i) * GiB, 5 * GiB, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1026);
	assert_int_equal(phyr_list_len(&p.list), 2 * TiB + 20 * GiB);
	pair_check(&p);
	for (i = 0; i < 4096; i++)
		assert_true(model_find_matches(&p.model, &p.list, i * 513 * MiB));
	pair_free(&p);
}
#endif

/* A phyr of one unit that starts @units behind the first of its leaf. */
static void check_distance(u64 unit, u64 units)
{
	u64 filler = (units - 1) * unit;
	struct pair p;

	if (filler > SIZE_MAX)
		return;
	pair_init(&p);
	pair_append(&p, range(GiB, unit, PHYR_RAM));
	pair_append(&p, range(0, filler, PHYR_RAM));
	pair_append(&p, range(2 * unit, unit, PHYR_RAM));
	pair_append(&p, range(unit, unit, PHYR_RAM));
	pair_check(&p);
	assert_true(model_find_matches(&p.model, &p.list, filler));
	assert_true(model_find_matches(&p.model, &p.list, units * unit));
	assert_true(model_find_matches(&p.model, &p.list, (units + 1) * unit));
	pair_free(&p);
}

/* An offset in a leaf has 16 bits. */
static void test_distance_in_a_leaf(void **state)
{
	static const u64 sizes[] = { 4 * KiB, 2 * MiB, GiB };
	size_t i;
	u64 units;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (units = 0x10000 - 3; units <= 0x10000 + 3; units++)
			check_distance(sizes[i], units);
}

static void test_every_pattern(void **state)
{
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		pair_fill(&p, patterns[i].range, 0, 5000);
		pair_check(&p);
		pair_free(&p);
	}
}

int run_append_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_empty),
		host_test(test_adjacent_merge),
		host_test(test_others_do_not_merge),
		host_test(test_kinds_do_not_merge),
		host_test(test_sealed_does_not_merge),
		host_test(test_seal_outlives_failure),
		host_test(test_bad_arguments),
		host_test(test_top_of_address_space),
		host_test(test_whole_address_space),
		host_test(test_no_merge_around_zero),
		host_test(test_length_of_a_phyr),
		host_test(test_beyond_4g),
#if SIZE_MAX > 0xffffffffu
		host_test(test_length_of_a_list),
		host_test(test_a_terabyte),
#endif
		host_test(test_distance_in_a_leaf),
		host_test(test_every_pattern),
		host_test(test_pages_in_bulk),
		host_test(test_pages_after_others),
		host_test(test_bad_pages),
	};

	return cmocka_run_group_tests_name("append", tests, NULL, NULL);
}
