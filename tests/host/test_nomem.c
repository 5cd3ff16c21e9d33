// SPDX-License-Identifier: GPL-2.0-only
/* The n-th allocation fails, for every n: nothing changes, nothing leaks. */
#include "host.h"

struct shape {
	u64 len;
	unsigned long nr;
	unsigned int kinds;
	size_t bytes;
	unsigned long live;
};

static struct shape shape_of(const struct phyr_list *list)
{
	return (struct shape){
		.len = phyr_list_len(list),
		.nr = phyr_list_nr(list),
		.kinds = phyr_list_kinds(list),
		.bytes = phyr_list_bytes(list),
		.live = host_live(),
	};
}

static void assert_same_shape(struct shape a, struct shape b)
{
	assert_int_equal(a.len, b.len);
	assert_int_equal(a.nr, b.nr);
	assert_int_equal(a.kinds, b.kinds);
	assert_int_equal(a.bytes, b.bytes);
	assert_int_equal(a.live, b.live);
}

/* Fails each allocation of one append in turn; how many there were. */
static unsigned int append_at_last(struct phyr_list *list, struct range r)
{
	struct shape before = shape_of(list);
	unsigned int n;

	for (n = 1; ; n++) {
		int ret;

		host_fail_at(n);
		ret = append(list, r.addr, r.len, r.kind);
		if (!host_fail_done()) {
			assert_int_equal(ret, 0);
			return n - 1;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_same_shape(shape_of(list), before);
	}
}

static void test_append(void **state)
{
	unsigned int n;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < nr_patterns; i++) {
		pair_init(&p);
		for (n = 0; n < 2000; n++) {
			append_at_last(&p.list, patterns[i].range(n));
			assert_int_equal(model_append(&p.model, patterns[i].range(n)), 0);
			if (n % 100 == 0 || n < 50)
				pair_check(&p);
		}
		pair_check(&p);
		pair_free(&p);
	}
}

/* Pages by the bulk: all or nothing, whichever allocation fails, sealed or not. */
static void test_append_pages(void **state)
{
	static phys_addr_t addrs[2000];
	unsigned int i, n, before;
	struct pair p;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		addrs[i] = (phys_addr_t)scattered_pages(10 + i).addr;
	for (before = 0; before < 10; before += 3) {
		pair_init(&p);
		pair_fill(&p, scattered_pages, 0, before);
		pair_seal(&p);
		for (n = 1; ; n++) {
			int ret;

			host_fail_at(n);
			ret = phyr_list_append_pages(&p.list, addrs, ARRAY_SIZE(addrs), 12,
						     PHYR_RAM, GFP_KERNEL);
			if (!host_fail_done()) {
				assert_int_equal(ret, 0);
				break;
			}
			assert_int_equal(ret, -ENOMEM);
			pair_check(&p);
			assert_int_equal(p.list.sealed, true);
		}
		assert_in_range(n, 4, 40);
		for (i = 0; i < ARRAY_SIZE(addrs); i++)
			pair_append(&p, range(addrs[i], 4 * KiB, PHYR_RAM));
		pair_free(&p);
	}
}

/* A new leaf may need a node on each level, and one more for a new root. */
static void test_append_to_deep_tree(void **state)
{
	unsigned int n, most = 0;
	struct pair p;

	(void)state;
	pair_init(&p);
	for (n = 0; n < DEEP; n++) {
		unsigned int made = append_at_last(&p.list, alternating_kinds(n));

		assert_int_equal(model_append(&p.model, alternating_kinds(n)), 0);
		if (made > most)
			pair_check(&p);
		most = made > most ? made : most;
	}
	assert_in_range(most, 4, 5);
	pair_check(&p);
	pair_free(&p);
}

static void test_trim(void **state)
{
	struct shape before;
	unsigned int n;
	struct pair p;

	(void)state;
	for (n = 2; n < 200; n++) {
		pair_init(&p);
		pair_fill(&p, scattered_pages, 0, n);
		before = shape_of(&p.list);
		host_fail_at(1);
		phyr_list_trim(&p.list, GFP_KERNEL);
		if (!host_fail_done())
			assert_int_equal(phyr_list_bytes(&p.list), before.bytes);
		assert_same_shape(shape_of(&p.list), before);
		pair_check(&p);
		pair_free(&p);
	}
}

/* What takes memory away needs none. */
static void test_truncate_never_allocates(void **state)
{
	unsigned int n;
	struct pair p;

	(void)state;
	for (n = 1; n < 300; n++) {
		pair_init(&p);
		pair_fill(&p, n % 2 ? scattered_pages : alternating_kinds, 0, n);
		host_fail_at(1);
		pair_truncate(&p, n * 2 * KiB);
		assert_false(host_fail_done());
		pair_check(&p);
		pair_free(&p);
	}
}

int run_nomem_tests(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_append),
		host_test(test_append_pages),
		host_test(test_append_to_deep_tree),
		host_test(test_trim),
		host_test(test_truncate_never_allocates),
	};

	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
