// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a finished list costs, against the array of page pointers that it
 * replaces: 8 bytes a page.  That no allocation is larger than a page is
 * asserted in alloc.c, for every test.
 */
#include "host.h"

#define POINTER 8u

/* Short lists: leaves and nodes are not worth counting in single bytes. */
#define SLACK 512u
#define SHORT 4096u

static u64 pages_touched(struct range r)
{
	return (r.addr + (r.len - 1)) / 4096 - r.addr / 4096 + 1;
}

static u64 bound(u64 pages)
{
	return POINTER * pages + (pages < SHORT ? SLACK : 0);
}

/* The first @n ranges of a pattern, trimmed. */
static void check_bound(pattern_fn pattern, unsigned int n)
{
	struct phyr_list list;
	unsigned int i;
	u64 pages = 0;

	phyr_list_init(&list);
	list_fill(&list, pattern, 0, n);
	phyr_list_trim(&list, GFP_KERNEL);
	for (i = 0; i < n; i++)
		pages += pages_touched(pattern(i));
	assert_int_equal(phyr_list_bytes(&list), host_live_bytes());
	assert_in_range(phyr_list_bytes(&list), 0, bound(pages));
	phyr_list_free(&list);
}

static void check_bounds(pattern_fn pattern)
{
	unsigned int n;

	for (n = 0; n < 700; n++)
		check_bound(pattern, n);
	for (n = 700; n < SHORT + 1300; n += 13)
		check_bound(pattern, n);
	for (n = SHORT - 2; n < 400000; n += n / 7)
		check_bound(pattern, n);
}

static void test_scattered_pages(void **state)
{
	(void)state;
	check_bounds(scattered_pages);
}

/* Near where the tree gets its first node, its first full one, a new root. */
static void test_tree_growth(void **state)
{
	unsigned int n, leaf = 581;

	(void)state;
	for (n = 255 * leaf - 2 * leaf; n < 257 * leaf; n += leaf / 3)
		check_bound(scattered_pages, n);
	check_bound(scattered_pages, 2000000);
}

static struct range pages_after_odd_head(unsigned int i)
{
	struct range r = scattered_pages(i);

	if (!i) {
		r.addr += 100;
		r.len -= 100;
	}
	return r;
}

static struct range huge_and_small(unsigned int i)
{
	struct range r = scattered_pages(i);

	if (i % 3 == 0) {
		r.addr &= ~(2 * MiB - 1);
		r.len = 2 * MiB;
	}
	return r;
}

static struct range giant_and_small(unsigned int i)
{
	struct range r = scattered_pages(i);

	if (i % 2 == 0) {
		r.addr &= ~(GiB - 1);
		r.len = GiB;
	}
	return r;
}

/* Pages, then huge ones, then pages: regions of 50 of a size. */
static struct range regions(unsigned int i)
{
	return i / 50 % 2 ? huge_and_small(i / 3 * 3) : scattered_pages(i);
}

static void test_mixes(void **state)
{
	static const pattern_fn mixes[] = {
		mixed_sizes, pages_after_odd_head, huge_and_small, giant_and_small,
		regions,
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(mixes); i++)
		check_bounds(mixes[i]);
}

/* Both ends of a single buffer inside a page. */
static void test_unaligned_buffer(void **state)
{
	struct phyr_list list;
	struct range last;
	unsigned int n;

	(void)state;
	for (n = 3; n < 10000; n += n / 3) {
		phyr_list_init(&list);
		list_fill(&list, pages_after_odd_head, 0, n - 1);
		last = scattered_pages(n);
		assert_int_equal(append(&list, last.addr, 7, PHYR_RAM), 0);
		phyr_list_trim(&list, GFP_KERNEL);
		assert_in_range(phyr_list_bytes(&list), 0, bound(n));
		phyr_list_free(&list);
	}
}

static void check_limit(pattern_fn pattern, unsigned int n, u64 limit)
{
	struct phyr_list list;

	phyr_list_init(&list);
	list_fill(&list, pattern, 0, n);
	phyr_list_trim(&list, GFP_KERNEL);
	assert_in_range(phyr_list_bytes(&list), 0, limit);
	phyr_list_free(&list);
}

static struct range odd_one_in(unsigned int n, unsigned int i)
{
	struct range r = scattered_pages(i);

	if (i % n == n - 1)
		r.len = 1234;
	return r;
}

static struct range odd_one_in_2(unsigned int i)
{
	return odd_one_in(2, i);
}

static struct range odd_one_in_3(unsigned int i)
{
	return odd_one_in(3, i);
}

static struct range odd_one_in_64(unsigned int i)
{
	return odd_one_in(64, i);
}

/* Where odd ranges and pages take turns, twice a struct phyr is the limit. */
static void test_odd_among_pages(void **state)
{
	static const pattern_fn turns[] = { odd_one_in_2, odd_one_in_3, odd_one_in_64 };
	unsigned int n;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(turns); i++)
		for (n = 0; n < 20000; n += 1 + n / 5)
			check_limit(turns[i], n, 32u * n + SLACK);
}

/* A leaf is of one kind: the smallest leaf each, and a slot in a half full node. */
static void test_alternating_kinds(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 0; n < 20000; n += 1 + n / 5)
		check_limit(alternating_kinds, n, (128u + 2 * 16u) * n + SLACK);
}

static struct range above_52_bits(unsigned int i)
{
	return range(PHYS_MAX - (2ULL * i + 1) * 4 * KiB + 1, 4 * KiB, PHYR_PFNMAP);
}

/* What cannot be packed costs what a struct phyr does, and little more. */
static void test_wide(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 0; n < 20000; n += 1 + n / 5) {
		check_limit(odd_bytes, n, 16u * n + n / 4 + SLACK);
		check_limit(above_52_bits, n, 16u * n + n / 4 + SLACK);
	}
}

/* One range, or ranges that merge into one, need no storage at all. */
static void test_one_range_is_free(void **state)
{
	struct phyr_list list;
	unsigned int i;

	(void)state;
	phyr_list_init(&list);
	for (i = 0; i < 1000; i++)
		assert_int_equal(append(&list, MiB * i, MiB, PHYR_RAM), 0);
	assert_int_equal(phyr_list_bytes(&list), 0);
	assert_int_equal(host_live(), 0);
}

int run_memory_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_scattered_pages),
		host_test(test_tree_growth),
		host_test(test_mixes),
		host_test(test_unaligned_buffer),
		host_test(test_wide),
		host_test(test_odd_among_pages),
		host_test(test_alternating_kinds),
		host_test(test_one_range_is_free),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
