// SPDX-License-Identifier: GPL-2.0-only
/*
 * What phyr_rdma replaces, beside others that have a say in it: ftrace's switch.
 */
#define _GNU_SOURCE
#include "common/rdma.h"

#define BUF		(16 * PAGE)
#define FTRACE_ENABLED	"/proc/sys/kernel/ftrace_enabled"

/* A region that only phyr_rdma makes so, and bytes that go through it. */
static void check_works(void)
{
	struct rdma r;
	struct ibv_mr *mr;
	char *mem = anon(BUF, RW);

	rdma_open(&r);
	mr = ibv_reg_mr(r.pd, mem, BUF, RDMA_ALL);
	if (!mr)
		fail_msg("ibv_reg_mr: %s", strerror(errno));
	assert_int_equal(rdma_regions(), 1);
	pattern_fill(mem, PAGE, 5);
	assert_int_equal(rdma_write(&r, rdma_at(mr, 2 * PAGE + 7), rdma_at(mr, 0), PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 2 * PAGE + 7, PAGE, 5));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_int_equal(rdma_regions(), 0);
	rdma_close(&r);
	release(mem, BUF);
}

/* ftrace's switch */

/*
 * With it off, functions are themselves again, also for regions that only their
 * replacements can read. Newer kernels have given it up, whoever asks.
 */
static void check_switch_refused(void)
{
	int error = -write_file(FTRACE_ENABLED, "0");

	if (error != EBUSY && error != EOPNOTSUPP)
		fail_msg("ftrace_enabled: %s", strerror(error));
}

static void test_ftrace_enabled(void **state)
{
	struct rdma r;
	struct ibv_mr *near;
	char *buf;
	int error;

	(void)state;
	assert_int_equal(rdma_load(), 0);
	check_switch_refused();
	near = rdma_begin(&r, BUF);
	buf = near->addr;
	check_switch_refused();
	pattern_fill(buf, PAGE, 3);
	assert_int_equal(rdma_write(&r, rdma_at(near, 2 * PAGE), rdma_at(near, 0), PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(buf + 2 * PAGE, PAGE, 3));
	rdma_end(&r, near);
	check_switch_refused();
	assert_int_equal(rdma_unload(), 0);
	error = -write_file(FTRACE_ENABLED, "0");
	assert_true(!error || error == EOPNOTSUPP);
	assert_int_equal(write_file(FTRACE_ENABLED, "1"), 0);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

/* A module that replaces nothing must not say that it does. */
static void test_load_while_ftrace_is_off(void **state)
{
	(void)state;
	assert_int_equal(rdma_unload(), 0);
	if (write_file(FTRACE_ENABLED, "0") == -EOPNOTSUPP) {
		assert_int_equal(rdma_load(), 0);
		skip();
	}
	assert_int_not_equal(system("modprobe phyr_rdma 2>/dev/null"), 0);
	assert_int_equal(rdma_regions(), -1);
	assert_int_equal(write_file(FTRACE_ENABLED, "1"), 0);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_ftrace_enabled),
		fixture_test(test_load_while_ftrace_is_off),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (rdma_load())
		return 1;
	failed = fixture_run(tests);
	rdma_unload();
	return failed;
}
