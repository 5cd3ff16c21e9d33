// SPDX-License-Identifier: GPL-2.0-only
/* Truncate and trim, and that a list goes on as if neither had happened. */
#include "host.h"

/* Appends [@from, end) of what @all describes. */
static void append_rest(struct pair *p, const struct model *all, u64 from)
{
	u64 start = 0;
	size_t i;

	for (i = 0; i < all->nr; start += all->range[i++].len) {
		struct range r = all->range[i];

		if (start + r.len <= from)
			continue;
		if (start < from) {
			r.addr += from - start;
			r.len -= from - start;
		}
		pair_append(p, r);
	}
}

/* Builds, cuts to @len, and puts back what was cut off. */
static void check_truncate(pattern_fn pattern, unsigned int n, u64 len)
{
	struct pair p, fresh;

	pair_init(&fresh);
	pair_init(&p);
	pair_fill(&p, pattern, 0, n);
	pair_truncate(&p, len);
	pair_check(&p);
	len = phyr_list_len(&p.list);
	pair_append(&p, range(0, 1, PHYR_P2P));
	pair_check(&p);
	pair_truncate(&p, len);
	phyr_list_trim(&p.list, GFP_KERNEL);
	pair_check(&p);

	pair_fill(&fresh, pattern, 0, n);
	append_rest(&p, &fresh.model, len);
	fresh.model.kinds = p.model.kinds;
	assert_true(model_matches(&p.model, &p.list));
	assert_true(model_matches(&fresh.model, &p.list));
	pair_free(&p);
	pair_free(&fresh);
}

static u64 pattern_len(pattern_fn pattern, unsigned int n)
{
	u64 len = 0;

	while (n--)
		len += pattern(n).len;
	return len;
}

static void test_every_length(void **state)
{
	u64 len;

	(void)state;
	for (len = 0; len <= pattern_len(odd_bytes, 40) + 1; len++)
		check_truncate(odd_bytes, 40, len);
}

static void test_every_edge(void **state)
{
	unsigned int n;
	size_t i;
	int d;

	(void)state;
	for (i = 0; i < nr_patterns; i++)
		for (n = 0; n <= 130; n++)
			for (d = -1; d <= 1; d++)
				check_truncate(patterns[i].range, 130,
					       pattern_len(patterns[i].range, n) + (u64)d);
}

/* From long to nothing, and long again, always with the right storage. */
static void test_down_and_up(void **state)
{
	u64 seed = 7, len;
	unsigned int turn;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		for (turn = 0; turn < 20; turn++) {
			pair_fill(&p, patterns[i].range, turn * 2000, turn * 2000 + 2000);
			len = phyr_list_len(&p.list);
			pair_truncate(&p, len - next_random(&seed) % len * 6 / 5);
			pair_check(&p);
		}
		pair_truncate(&p, 0);
		assert_int_equal(host_live(), 0);
		pair_check(&p);
		pair_free(&p);
	}
}

static void test_deep_tree(void **state)
{
	struct pair p;
	u64 len;

	(void)state;
	pair_init(&p);
	pair_fill(&p, alternating_kinds, 0, DEEP);
	for (len = phyr_list_len(&p.list); len; len = len * 5 / 8) {
		pair_truncate(&p, len);
		pair_check(&p);
		pair_fill(&p, alternating_kinds, 0, 500);
		pair_check(&p);
	}
	pair_truncate(&p, 1);
	assert_int_equal(host_live(), 0);
	pair_free(&p);
}

static void test_no_longer_than_it_is(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_fill(&p, scattered_pages, 0, 100);
	pair_truncate(&p, 100 * 4 * KiB);
	pair_truncate(&p, 100 * 4 * KiB + 1);
	pair_truncate(&p, ~0ULL);
	assert_int_equal(phyr_list_nr(&p.list), 100);
	pair_check(&p);
	pair_free(&p);
}

/* What stays of a cut phyr merges with what follows it. */
static void test_merge_after_truncate(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_append(&p, range(MiB, 8 * KiB, PHYR_RAM));
	pair_fill(&p, scattered_pages, 1, 50);
	pair_truncate(&p, 4 * KiB);
	assert_int_equal(host_live(), 0);
	pair_append(&p, range(MiB + 4 * KiB, 4 * KiB, PHYR_RAM));
	assert_int_equal(phyr_list_nr(&p.list), 1);
	pair_check(&p);
	pair_free(&p);
}

static void test_trim_keeps_content(void **state)
{
	unsigned int n;
	struct pair p;
	size_t before;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		for (n = 0; n < 400; n++) {
			before = phyr_list_bytes(&p.list);
			phyr_list_trim(&p.list, GFP_KERNEL);
			assert_in_range(phyr_list_bytes(&p.list), 0, before);
			pair_check(&p);
			before = phyr_list_bytes(&p.list);
			phyr_list_trim(&p.list, GFP_KERNEL);
			assert_int_equal(phyr_list_bytes(&p.list), before);
			pair_fill(&p, patterns[i].range, n * 5, n * 5 + n % 40);
		}
		pair_check(&p);
		pair_free(&p);
	}
}

/* The leaf in the list head stays there if others follow before it is full; then they go. */
static void test_refill_first_leaf(void **state)
{
	unsigned int first, left;
	struct pair p;

	(void)state;
	for (first = 1; first < 10; first++) {
		for (left = 0; left <= first; left++) {
			pair_init(&p);
			pair_fill(&p, odd_bytes, 0, first);
			pair_fill(&p, scattered_pages, 0, 3000);
			pair_truncate(&p, model_start(&p.model, left) + 1);
			pair_check(&p);
			pair_fill(&p, odd_bytes, 100, 200);
			pair_check(&p);
			phyr_list_trim(&p.list, GFP_KERNEL);
			pair_fill(&p, scattered_pages, 0, 3000);
			pair_check(&p);
			pair_free(&p);
		}
	}
}

int run_truncate_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_every_length),
		host_test(test_every_edge),
		host_test(test_down_and_up),
		host_test(test_deep_tree),
		host_test(test_no_longer_than_it_is),
		host_test(test_merge_after_truncate),
		host_test(test_trim_keeps_content),
		host_test(test_refill_first_leaf),
	};

	return cmocka_run_group_tests_name("truncate", tests, NULL, NULL);
}
