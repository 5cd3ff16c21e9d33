// SPDX-License-Identifier: GPL-2.0-only
/* Iterate, slice and find. */
#include "host.h"

static void check_slice(const struct pair *p, u64 offset, u64 len)
{
	assert_true(model_slice_matches(&p->model, &p->list, offset, len));
	assert_true(model_fill_matches(&p->model, &p->list, offset, len, 1));
	assert_true(model_fill_matches(&p->model, &p->list, offset, len, 7));
	assert_true(model_fill_matches(&p->model, &p->list, offset, len, MODEL_FILL_MAX));
}

static void check_find(const struct pair *p, u64 offset)
{
	assert_true(model_find_matches(&p->model, &p->list, offset));
}

static void test_every_slice(void **state)
{
	u64 offset, len, total;
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_fill(&p, odd_bytes, 0, 20);
	total = phyr_list_len(&p.list);
	for (offset = 0; offset <= total + 2; offset++) {
		check_find(&p, offset);
		for (len = 0; len <= total + 2; len++)
			check_slice(&p, offset, len);
		check_slice(&p, offset, ~0ULL);
		check_slice(&p, offset, ~0ULL - offset);
	}
	check_slice(&p, ~0ULL, ~0ULL);
	check_find(&p, ~0ULL);
	pair_free(&p);
}

/* Every pair of places at most a byte away from where one phyr meets another. */
static void check_slices_at_edges(const struct pair *p)
{
	size_t i, j;
	int a, b;

	for (i = 0; i <= p->model.nr; i++)
		for (a = -1; a <= 1; a++) {
			u64 from = model_start(&p->model, i) + (u64)a;

			check_find(p, from);
			check_slice(p, from, 0);
			for (j = i; j <= p->model.nr; j++)
				for (b = -1; b <= 1; b++)
					check_slice(p, from, model_start(&p->model, j) +
						    (u64)b - from);
		}
}

static void test_slices_at_edges(void **state)
{
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		pair_fill(&p, patterns[i].range, 0, 40);
		check_slices_at_edges(&p);
		pair_free(&p);
	}
}

static void test_random_slices(void **state)
{
	u64 seed = 1, total;
	unsigned int n;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		pair_fill(&p, patterns[i].range, 0, 3000);
		total = phyr_list_len(&p.list);
		for (n = 0; n < 300; n++) {
			u64 offset = next_random(&seed) % total;

			check_find(&p, offset);
			check_slice(&p, offset, next_random(&seed) % total);
		}
		pair_free(&p);
	}
}

/* The first and last byte of each phyr, found without the model's long walk. */
static void check_find_all(const struct phyr_list *list)
{
	struct phyr phyr, found;
	enum phyr_kind kind;
	struct phyr_iter it;
	u64 start = 0;

	phyr_list_for_each(list, it, phyr) {
		assert_true(phyr_list_find(list, start, &found, &kind));
		assert_int_equal(found.addr, phyr.addr);
		assert_int_equal(found.len, phyr.len);
		assert_int_equal(kind, it.kind);
		start += phyr.len;
		assert_true(phyr_list_find(list, start - 1, &found, NULL));
		assert_int_equal(found.addr, phyr.addr + (phyr.len - 1));
		assert_int_equal(found.len, 1);
	}
	assert_int_equal(start, phyr_list_len(list));
	assert_false(phyr_list_find(list, start, &found, NULL));
}

static void test_find_in_long_lists(void **state)
{
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		pair_fill(&p, patterns[i].range, 0, 30000);
		pair_check(&p);
		check_find_all(&p.list);
		pair_free(&p);
	}
}

static void test_find_in_deep_tree(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_fill(&p, alternating_kinds, 0, DEEP);
	pair_check(&p);
	check_find_all(&p.list);
	pair_free(&p);
}

/* Where a guess from even distances is as wrong as can be. */
static void test_find_uneven(void **state)
{
	unsigned int n;
	struct pair p;

	(void)state;
	for (n = 1; n < 100; n++) {
		pair_init(&p);
		pair_append(&p, range(0, 100 * MiB, PHYR_RAM));
		pair_fill(&p, scattered_pages, 1, n);
		pair_append(&p, range(GiB, 200 * MiB, PHYR_RAM));
		pair_append(&p, range(0, 1, PHYR_PFNMAP));
		check_find_all(&p.list);
		pair_free(&p);
	}
}

static void test_slice_macro(void **state)
{
	struct phyr_iter it;
	struct phyr phyr;
	struct pair p;
	u64 sum = 0;

	(void)state;
	pair_init(&p);
	pair_fill(&p, scattered_pages, 0, 10);
	phyr_list_for_each_slice(&p.list, 4 * KiB + 1, 8 * KiB, it, phyr)
		sum += phyr.len;
	assert_int_equal(sum, 8 * KiB);
	pair_free(&p);
}

int run_iterate_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_every_slice),
		host_test(test_slices_at_edges),
		host_test(test_random_slices),
		host_test(test_find_in_long_lists),
		host_test(test_find_in_deep_tree),
		host_test(test_find_uneven),
		host_test(test_slice_macro),
	};

	return cmocka_run_group_tests_name("iterate", tests, NULL, NULL);
}
