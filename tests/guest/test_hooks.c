// SPDX-License-Identifier: GPL-2.0-only
/*
 * What phyr_rdma replaces, beside others that have a say in it: ftrace's switch,
 * BPF's programs at the same functions.
 */
#define _GNU_SOURCE
#include "common/bpf.h"
#include "common/rdma.h"

#define BUF		(16 * PAGE)
#define FTRACE_ENABLED	"/proc/sys/kernel/ftrace_enabled"

/* Is there a function of that name? */
static bool in_kernel(const char *function)
{
	char line[300], name[200];
	bool found = false;
	FILE *f = fopen("/proc/kallsyms", "re");

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %199s", name) == 1 && !strcmp(name, function);
	fclose(f);
	return found;
}

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

/* BPF */

static void traced(struct bpf_tracer *t, const char *module, const char *function, bool at_exit)
{
	int error = bpf_attach(t, module, function, at_exit);

	if (error)
		fail_msg("%s: %s", function, strerror(error));
}

/* Programs at functions that phyr_rdma replaces, for registering, releasing and data. */
static void trace_all(struct bpf_tracer t[3], bool at_exit)
{
	traced(&t[0], "rdma_rxe", "rxe_mr_init_user", at_exit);
	traced(&t[1], "rdma_rxe", "rxe_mr_copy", at_exit);
	traced(&t[2], in_kernel("__ib_umem_get_va") ? "ib_core" : "ib_uverbs",
	       "__ib_umem_release", at_exit);
}

/* Both see each call: the program, and then phyr_rdma. */
static void check_all_called(struct bpf_tracer t[3])
{
	unsigned long long before[3];

	for (int i = 0; i < 3; i++)
		before[i] = bpf_calls(&t[i]);
	check_works();
	for (int i = 0; i < 3; i++)
		if (bpf_calls(&t[i]) == before[i])
			fail_msg("program %d is not called any more", i);
}

static void test_after_bpf(void **state)
{
	struct bpf_tracer t[3];

	(void)state;
	if (!bpf_available())
		skip();
	for (int at_exit = 0; at_exit < 2; at_exit++) {
		assert_int_equal(rdma_unload(), 0);
		trace_all(t, at_exit);
		assert_int_equal(rdma_load(), 0);
		check_all_called(t);
		for (int i = 0; i < 3; i++)
			bpf_detach(&t[i]);
		check_works();
	}
}

/* A program comes to a function that phyr_rdma has: refused, or beside it if asked for. */
static void test_before_bpf(void **state)
{
	struct bpf_tracer t;
	int error;

	(void)state;
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	error = bpf_attach(&t, "rdma_rxe", "rxe_mr_init_user", false);
	if (!error)
		bpf_detach(&t);
	if (error != EBUSY && error != EINVAL)
		fail_msg("a function has two direct calls: %s", strerror(error));
	check_works();
}

static int load_shared(void)
{
	return system("modprobe phyr_rdma share=1");
}

static void test_shared(void **state)
{
	struct bpf_tracer t[3];

	(void)state;
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(load_shared(), 0);
	for (int at_exit = 0; at_exit < 2; at_exit++) {
		trace_all(t, at_exit);
		check_all_called(t);
		for (int i = 0; i < 3; i++)
			bpf_detach(&t[i]);
		check_works();
	}
	/* they outlive the hooks */
	trace_all(t, false);
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	check_all_called(t);
	for (int i = 0; i < 3; i++)
		bpf_detach(&t[i]);
}

/* Programs come and go at one of the functions, until they are told to stop. */
static void trace_and_stop(void *arg)
{
	const int *stop = arg;
	struct bpf_tracer t;
	bool at_exit = false;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		if (!bpf_attach(&t, "rdma_rxe", "rxe_mr_init_user", at_exit))
			bpf_detach(&t);
		at_exit = !at_exit;
	}
}

static void test_comings_and_goings(void **state)
{
	int *stop = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(stop, MAP_FAILED);
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	pid = child_start(trace_and_stop, stop);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(i % 2 ? load_shared() : rdma_load(), 0);
		check_works();
		assert_int_equal(rdma_unload(), 0);
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	child_wait(pid);
	release(stop, PAGE);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_ftrace_enabled),
		fixture_test(test_load_while_ftrace_is_off),
		fixture_test(test_after_bpf),
		fixture_test(test_before_bpf),
		fixture_test(test_shared),
		fixture_test(test_comings_and_goings),
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
