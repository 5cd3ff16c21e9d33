// SPDX-License-Identifier: GPL-2.0-only
/*
 * ibv_reg_mr() with phyr_rdma: memory of every kind, reached over the wire of
 * soft RoCE, and refused in the same words as before.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/exporters.h"
#include "common/rdma.h"

#define BUF	(128 * KIB)
#define EDGE	(3 * PAGE + 40)		/* of a copy: some pages, and an odd end */

static struct rdma r;
static char *buf;		/* the near side of every transfer */
static struct ibv_mr *near;

static int open_all(void **state)
{
	(void)state;
	near = rdma_begin(&r, BUF);
	buf = near->addr;
	return 0;
}

static int close_all(void **state)
{
	rdma_end(&r, near);
	return fixture_nothing_left(state);
}

#define rdma_test(f)	{ #f, f, open_all, close_all, NULL }

static struct ibv_mr *reg(void *addr, size_t len, int access)
{
	long regions = rdma_regions();
	struct ibv_mr *mr = ibv_reg_mr(r.pd, addr, len, access);

	if (!mr)
		fail_msg("ibv_reg_mr of %zu bytes: %s", len, strerror(errno));
	if (!getenv("RDMA_STOCK"))
		assert_int_equal(rdma_regions(), regions + 1);
	return mr;
}

static void dereg(struct ibv_mr *mr)
{
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

/* There and back, at one place; @mem is where the CPU sees it. */
static void check_place(struct ibv_mr *mr, volatile const char *mem, size_t at, size_t len)
{
	struct rdma_at far = rdma_at(mr, at);
	unsigned int seed = (unsigned int)(at >> 8) + 3;

	pattern_fill(buf, len, seed);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), len), IBV_WC_SUCCESS);
	for (size_t i = 0; i < len; i++)
		assert_int_equal((unsigned char)mem[at + i], pattern(i, seed));
	memset(buf, 0, len);
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), len), IBV_WC_SUCCESS);
	assert_true(pattern_is(buf, len, seed));
}

static void check_read(struct ibv_mr *mr, const char *mem, size_t at, size_t len)
{
	memset(buf, 0, len);
	assert_int_equal(rdma_read(&r, rdma_at(mr, at), rdma_at(near, 0), len), IBV_WC_SUCCESS);
	assert_memory_equal(buf, mem + at, len);
}

static void check_places(struct ibv_mr *mr, const char *mem, size_t len, bool read_only)
{
	const size_t places[] = {
		0, 1, PAGE - 1, len / 2 - EDGE / 2, 2 * MIB - EDGE / 2, GIB - EDGE / 2,
		4 * GIB - EDGE / 2, len - EDGE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i] > len - EDGE)
			continue;
		if (read_only)
			check_read(mr, mem, places[i], EDGE);
		else
			check_place(mr, mem, places[i], EDGE);
	}
}

/* The debug kernel takes its time to hand out much memory. */
static size_t size_of(const struct mem_kind *kind)
{
	bool whole = kind->page == GIB || !strcmp(kind->name, "mixed");

	if (!getenv("PHYR_DEBUG") || whole || kind->size < 64 * MIB)
		return kind->size;
	return 64 * MIB;
}

static void check_kind(const struct mem_kind *kind)
{
	struct ibv_mr *mr;
	struct mem mem;

	assert_return_code(mem_map(&mem, kind, size_of(kind)), errno);
	mr = reg(mem.addr, mem.len, kind->read_only ? IBV_ACCESS_REMOTE_READ : RDMA_ALL);
	check_places(mr, mem.addr, mem.len, kind->read_only);
	dereg(mr);
	mem_unmap(&mem);
}

/* All of them: what the kernel refuses to pin for long (fsdax) is in test_refused. */
static void test_every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < mem_nr_kinds; i++) {
		if (mem_kinds[i].short_only)
			continue;
		print_message("# %s, %zu MiB\n", mem_kinds[i].name, mem_kinds[i].size >> 20);
		check_kind(&mem_kinds[i]);
	}
}

/* Far beyond what stock rxe can register, where a region of 1 GiB takes 4 MiB. */
static void test_large(void **state)
{
	static const size_t sizes[] = { 2 * GIB, 4 * GIB, 8 * GIB, 32 * GIB };
	const struct mem_kind *kind = mem_find("one 1 GiB page x5");
	struct ibv_mr *mr;
	struct mem mem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_return_code(mem_map(&mem, kind, sizes[i]), errno);
		mr = reg(mem.addr, mem.len, RDMA_ALL);
		check_places(mr, mem.addr, mem.len, false);
		check_place(mr, mem.addr, sizes[i] - GIB - EDGE / 2, EDGE);
		dereg(mr);
		mem_unmap(&mem);
	}
}

/* Regions that begin and end inside a page, and messages across many pages. */
static void test_odd_ends(void **state)
{
	char *mem = anon(64 * PAGE, RW);
	const size_t ends[][2] = {
		{ 1, 64 * PAGE - 2 }, { PAGE - 1, PAGE + 2 }, { 100, 8 }, { 4095, 1 },
		{ 3 * PAGE + 5, 40 * PAGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t start = ends[i][0], len = ends[i][1];
		struct ibv_mr *mr = reg(mem + start, len, RDMA_ALL);

		for (size_t at = 0; at < len; at += len / 3 + 1)
			check_place(mr, mem + start, at, len - at < BUF ? len - at : BUF);
		/* the bytes around it are not it */
		assert_int_equal(rdma_write(&r, rdma_at(mr, len), rdma_at(near, 0), 1),
				 IBV_WC_REM_ACCESS_ERR);
		rdma_reconnect(&r);
		assert_int_equal(rdma_write(&r, rdma_at(mr, (size_t)-1), rdma_at(near, 0), 2),
				 IBV_WC_REM_ACCESS_ERR);
		rdma_reconnect(&r);
		dereg(mr);
	}
	release(mem, 64 * PAGE);
}

/* The region's address on the wire is not its address in the process. */
static void test_iova(void **state)
{
	char *mem = anon(16 * PAGE, RW);
	const uint64_t iova = 0x7000000000000000 + 123;
	struct ibv_mr *mr = ibv_reg_mr_iova(r.pd, mem + 123, 9 * PAGE, iova, RDMA_ALL);
	struct rdma_at far;

	(void)state;
	assert_non_null(mr);
	far = (struct rdma_at){ .key = mr->rkey, .addr = iova + 5 * PAGE - 7 };
	pattern_fill(buf, EDGE, 9);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), EDGE), IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 123 + 5 * PAGE - 7, EDGE, 9));
	far.addr = (uintptr_t)mem + 123;
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), 8), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	dereg(mr);
	release(mem, 16 * PAGE);
}

static void test_send(void **state)
{
	char *mem = anon(32 * PAGE, RW);
	struct ibv_mr *mr = reg(mem, 32 * PAGE, RDMA_ALL);

	(void)state;
	pattern_fill(buf, 20 * PAGE, 4);
	assert_int_equal(rdma_send(&r, rdma_at(near, 0), rdma_at(mr, 77), 20 * PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 77, 20 * PAGE, 4));
	dereg(mr);
	release(mem, 32 * PAGE);
}

/* Atomics */

static void check_atomics(struct ibv_mr *mr, volatile uint64_t *word, size_t at)
{
	uint64_t *old = (uint64_t *)(buf + 64);
	struct rdma_at far = rdma_at(mr, at), result = rdma_at(near, 64);

	*word = 1000;
	assert_int_equal(rdma_add(&r, far, result, 234), IBV_WC_SUCCESS);
	assert_int_equal(*old, 1000);
	assert_int_equal(*word, 1234);
	assert_int_equal(rdma_cas(&r, far, result, 1, 99), IBV_WC_SUCCESS);
	assert_int_equal(*old, 1234);
	assert_int_equal(*word, 1234);
	assert_int_equal(rdma_cas(&r, far, result, 1234, 0x1122334455667788), IBV_WC_SUCCESS);
	assert_int_equal(*old, 1234);
	assert_int_equal(*word, 0x1122334455667788);
	assert_int_equal(rdma_atomic_write(&r, far, "ABCDEFGH"), IBV_WC_SUCCESS);
	assert_int_equal(*word, 0x4847464544434241);

	far = rdma_at(mr, at ? at - 4 : 4);
	assert_int_equal(rdma_add(&r, far, result, 1), IBV_WC_REM_INV_REQ_ERR);
	rdma_reconnect(&r);
	assert_int_equal(*word, 0x4847464544434241);
}

static void atomics_on(const char *name)
{
	const struct mem_kind *kind = mem_find(name);
	size_t len = kind->size < 4 * MIB ? kind->size : 4 * MIB;
	struct ibv_mr *mr;
	struct mem mem;

	assert_return_code(mem_map(&mem, kind, len), errno);
	mr = reg(mem.addr, mem.len, RDMA_ALL);
	check_atomics(mr, (volatile uint64_t *)mem.addr, 0);
	check_atomics(mr, (volatile uint64_t *)(mem.addr + len - 8), len - 8);
	assert_int_equal(rdma_add(&r, rdma_at(mr, len - 4), rdma_at(near, 64), 1),
			 IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	dereg(mr);
	mem_unmap(&mem);
}

static void test_atomics(void **state)
{
	(void)state;
	atomics_on("4 KiB pages");
	atomics_on("hugetlb 2 MiB");
	atomics_on("devdax pmem");
}

static void test_atomics_of_bar(void **state)
{
	(void)state;
	atomics_on("PCI BAR");
}

/* To the persistence domain: pmem only. */
static void test_flush(void **state)
{
	const int access = RDMA_ALL | IBV_ACCESS_FLUSH_GLOBAL | IBV_ACCESS_FLUSH_PERSISTENT;
	const struct mem_kind *kind = mem_find("devdax pmem");
	char *ram = anon(PAGE, RW);
	struct ibv_mr *mr;
	struct mem mem;

	(void)state;
	assert_return_code(mem_map(&mem, kind, 8 * MIB), errno);
	mr = reg(mem.addr, mem.len, access);
	check_place(mr, mem.addr, 2 * MIB - 100, EDGE);
	assert_int_equal(rdma_flush(&r, rdma_at(mr, 2 * MIB - 100), EDGE), IBV_WC_SUCCESS);
	assert_int_equal(rdma_flush(&r, rdma_at(mr, mem.len - 1), 2), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	dereg(mr);
	mem_unmap(&mem);

	assert_null(ibv_reg_mr(r.pd, ram, PAGE, access));
	assert_int_equal(errno, EINVAL);
	release(ram, PAGE);
}

/* Keys, access rights, windows */

static void test_wrong_keys(void **state)
{
	char *mem = anon(4 * PAGE, RW);
	struct ibv_mr *mr = reg(mem, 4 * PAGE, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ);
	struct rdma_at far = rdma_at(mr, 0);

	(void)state;
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), 100), IBV_WC_SUCCESS);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), 100), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	assert_int_equal(rdma_add(&r, far, rdma_at(near, 0), 1), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	far.key ^= 1;
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), 100), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	far.key = mr->rkey;
	dereg(mr);
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), 100), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	assert_int_equal(mem[0], 0x5a);
	release(mem, 4 * PAGE);
}

static void test_windows(void **state)
{
	char *mem = anon(16 * PAGE, RW);
	struct ibv_mr *mr = reg(mem, 16 * PAGE, RDMA_ALL | IBV_ACCESS_MW_BIND);
	struct ibv_mw *mw = ibv_alloc_mw(r.pd, IBV_MW_TYPE_2);
	struct rdma_at far;
	uint32_t key;

	(void)state;
	assert_non_null(mw);
	key = ibv_inc_rkey(mw->rkey);
	assert_int_equal(rdma_bind(&r, mw, key, mr, 5 * PAGE, 2 * PAGE,
				   RDMA_ALL & ~IBV_ACCESS_LOCAL_WRITE), IBV_WC_SUCCESS);
	far = (struct rdma_at){ .key = key, .addr = (uintptr_t)mem + 6 * PAGE - 50 };
	pattern_fill(buf, PAGE, 8);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), PAGE), IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 6 * PAGE - 50, PAGE, 8));
	/* rxe holds a window to the region's bounds only, stock as well */
	far.addr = (uintptr_t)mem + 16 * PAGE;
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), PAGE), IBV_WC_REM_ACCESS_ERR);
	/* a queue pair cannot go before its window */
	assert_int_equal(ibv_dealloc_mw(mw), 0);
	rdma_reconnect(&r);

	/* invalidated from the other side */
	mw = ibv_alloc_mw(r.pd, IBV_MW_TYPE_2);
	assert_non_null(mw);
	key = ibv_inc_rkey(mw->rkey);
	assert_int_equal(rdma_bind(&r, mw, key, mr, 0, 16 * PAGE, IBV_ACCESS_REMOTE_READ),
			 IBV_WC_SUCCESS);
	far = (struct rdma_at){ .key = key, .addr = (uintptr_t)mem + 6 * PAGE - 50 };
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), PAGE), IBV_WC_SUCCESS);
	assert_int_equal(rdma_send_inv(&r, rdma_at(near, 0), rdma_at(mr, 0), key), IBV_WC_SUCCESS);
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), PAGE), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	assert_int_equal(ibv_dealloc_mw(mw), 0);

	/* invalidated on its own side */
	mw = ibv_alloc_mw(r.pd, IBV_MW_TYPE_2);
	assert_non_null(mw);
	key = ibv_inc_rkey(mw->rkey);
	assert_int_equal(rdma_bind(&r, mw, key, mr, 0, PAGE, IBV_ACCESS_REMOTE_READ),
			 IBV_WC_SUCCESS);
	far = (struct rdma_at){ .key = key, .addr = (uintptr_t)mem };
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), PAGE), IBV_WC_SUCCESS);
	assert_int_equal(rdma_local_inv(&r, key), IBV_WC_SUCCESS);
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), PAGE), IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(ibv_dealloc_mw(mw), 0);
	rdma_reconnect(&r);
	dereg(mr);
	release(mem, 16 * PAGE);
}

static int rereg(struct ibv_mr *mr, int flags, struct ibv_pd *pd, int access)
{
	return ibv_rereg_mr(mr, flags, pd, mr->addr, mr->length, access) ? errno : 0;
}

static void test_rereg(void **state)
{
	struct ibv_pd *pd = ibv_alloc_pd(r.context);
	char *mem = anon(4 * PAGE, RW);
	struct ibv_mr *mr = reg(mem, 4 * PAGE, RDMA_ALL);
	char *ro = anon(4 * PAGE, RW);
	struct ibv_mr *ro_mr = reg(ro, 4 * PAGE, IBV_ACCESS_REMOTE_READ);

	(void)state;
	check_place(mr, mem, 100, PAGE);
	assert_int_equal(rereg(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, IBV_ACCESS_REMOTE_READ), 0);
	assert_int_equal(rdma_write(&r, rdma_at(mr, 0), rdma_at(near, 0), 8),
			 IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	check_read(mr, mem, 0, PAGE);
	/* what was pinned for reading cannot be written afterwards */
	assert_int_equal(rereg(ro_mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, RDMA_ALL), EACCES);
	/* in another protection domain the queue pairs cannot reach it, until it is back */
	assert_non_null(pd);
	assert_int_equal(rereg(mr, IBV_REREG_MR_CHANGE_PD, pd, 0), 0);
	assert_ptr_equal(mr->pd, pd);
	assert_int_equal(rdma_read(&r, rdma_at(mr, 0), rdma_at(near, 0), 8),
			 IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	assert_int_equal(rereg(mr, IBV_REREG_MR_CHANGE_PD, r.pd, 0), 0);
	check_read(mr, mem, 0, PAGE);
	assert_int_equal(ibv_dealloc_pd(pd), 0);
	/* rxe moves no region to other memory */
	assert_int_equal(rereg(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, 0), EOPNOTSUPP);
	check_read(mr, mem, 0, PAGE);
	dereg(ro_mr);
	dereg(mr);
	release(ro, 4 * PAGE);
	release(mem, 4 * PAGE);
}

/* Registrations that must not be */

static int refused(void *addr, size_t len, int access)
{
	struct ibv_mr *mr = ibv_reg_mr(r.pd, addr, len, access);

	if (!mr)
		return errno;
	dereg(mr);
	return 0;
}

static void test_refused(void **state)
{
	char *mem = anon(8 * PAGE, RW), *ro = anon(4 * PAGE, PROT_READ);
	const struct mem_kind *fsdax = mem_find("fsdax pmem");
	struct mem pmem;

	(void)state;
	assert_return_code(munmap(mem + 4 * PAGE, PAGE), errno);
	assert_int_equal(refused(mem, 8 * PAGE, RDMA_ALL), EFAULT);
	assert_int_equal(refused(mem, 4 * PAGE, RDMA_ALL), 0);
	assert_int_equal(refused(ro, 4 * PAGE, RDMA_ALL), EFAULT);
	assert_int_equal(refused(ro, 4 * PAGE, IBV_ACCESS_REMOTE_READ), 0);
	assert_int_equal(refused((void *)-8192ul, 16384, RDMA_ALL), EINVAL);
	assert_int_equal(refused(NULL, PAGE, RDMA_ALL), EFAULT);
	assert_return_code(mem_map(&pmem, fsdax, fsdax->size), errno);
	assert_int_equal(refused(pmem.addr, pmem.len, RDMA_ALL), EOPNOTSUPP);
	mem_unmap(&pmem);
	release(ro, 4 * PAGE);
	release(mem, 4 * PAGE);
	release(mem + 5 * PAGE, 3 * PAGE);
}

/*
 * A mapping of a region is none to register, with phyr_rdma or without; the region is,
 * and so is the memory that it was made of.
 */
static int reg_errno(struct ibv_pd *pd, void *addr)
{
	struct ibv_mr *mr = ibv_reg_mr(pd, addr, PAGE, RDMA_ALL);

	if (!mr)
		return errno;
	assert_int_equal(ibv_dereg_mr(mr), 0);
	return 0;
}

static void check_mapping(struct ibv_pd *pd, const char *kind, bool stock)
{
	struct mem mem;
	struct ibv_mr *mr;
	int region;
	char *map;

	assert_return_code(mem_map(&mem, mem_find(kind), MIB), errno);
	region = pin(mem.addr, MIB, PHYR_PIN_WRITE);
	map = map_shared(region, MIB, RW, 0);
	assert_int_equal(reg_errno(pd, map), stock ? EFAULT : EOPNOTSUPP);
	if (!stock || mem.kind->struct_page)
		assert_int_equal(reg_errno(pd, mem.addr), 0);
	if (!stock) {
		mr = ibv_reg_dmabuf_mr(pd, 0, MIB, 0, region, RDMA_ALL);
		assert_non_null(mr);
		assert_int_equal(ibv_dereg_mr(mr), 0);
	}
	release(map, MIB);
	close(region);
	mem_unmap(&mem);
}

static void test_mapping_of_region(void **state)
{
	static const char *const kinds[] = { "4 KiB pages", "memfd", "PCI BAR" };
	struct rdma mine;

	(void)state;
	rdma_open(&mine);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_mapping(mine.pd, kinds[i], false);
	assert_int_equal(rdma_unload(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_mapping(mine.pd, kinds[i], true);
	assert_int_equal(rdma_load(), 0);
	rdma_close(&mine);
}

/* In a child: what it gives up it does not get back. */
static void limited(void *arg)
{
	struct rlimit limit = { .rlim_cur = 64 * PAGE, .rlim_max = 64 * PAGE };
	struct ibv_context *context = arg;
	struct ibv_pd *pd;
	char *mem = mmap(NULL, 65 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ibv_mr *mr;

	must(mem != MAP_FAILED);
	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
	pd = ibv_alloc_pd(context);
	must(pd);
	become_nobody();
	must(!ibv_reg_mr(pd, mem, 65 * PAGE, RDMA_ALL) && errno == ENOMEM);
	mr = ibv_reg_mr(pd, mem, 64 * PAGE, RDMA_ALL);
	must(mr);
	must(!ibv_reg_mr(pd, mem, PAGE, RDMA_ALL) && errno == ENOMEM);
	must(!ibv_dereg_mr(mr));
	mr = ibv_reg_mr(pd, mem, 64 * PAGE, RDMA_ALL);
	must(mr && !ibv_dereg_mr(mr));
	must(!ibv_dealloc_pd(pd));
}

static void test_memlock(void **state)
{
	(void)state;
	child_run(limited, r.context);
}

/* Memory without pages is for those who may have it. */
static void pageless_nobody(void *arg)
{
	struct mem *bar = arg;
	struct ibv_pd *pd = ibv_alloc_pd(r.context);

	must(pd);
	become_nobody();
	must(!ibv_reg_mr(pd, bar->addr, PAGE, RDMA_ALL) && errno == EPERM);
	must(!ibv_dealloc_pd(pd));
}

static void test_pageless_nobody(void **state)
{
	const struct mem_kind *kind = mem_find("PCI BAR");
	struct mem bar;

	(void)state;
	assert_return_code(mem_map(&bar, kind, kind->size), errno);
	child_run(pageless_nobody, &bar);
	mem_unmap(&bar);
}

/* A process that dies with regions, and in the middle of traffic. */

static void die_with_regions(void *arg)
{
	struct rdma mine;
	char *mem = anon(64 * PAGE, RW);
	struct ibv_mr *mr;

	(void)arg;
	rdma_open(&mine);
	mr = ibv_reg_mr(mine.pd, mem, 64 * PAGE, RDMA_ALL);
	must(mr);
	for (;;)
		rdma_write(&mine, rdma_at(mr, 0), rdma_at(mr, 32 * PAGE), 32 * PAGE);
}

static void test_killed(void **state)
{
	long regions = rdma_regions();

	(void)state;
	for (int i = 0; i < 3; i++) {
		pid_t pid = child_start(die_with_regions, NULL);
		int status;

		while (rdma_regions() == regions)
			usleep(1000);
		usleep(200000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	assert_int_equal(rdma_regions(), regions);
}

/* In the middle of a long write; what it was about is as good as before. */
static void test_peer_disappears(void **state)
{
	const size_t len = 32 * MIB;
	char *mem = anon(len, RW);
	struct ibv_mr *mr = reg(mem, len, RDMA_ALL);

	(void)state;
	rdma_write_start(&r, rdma_at(mr, len / 2), rdma_at(mr, 0), len / 2);
	rdma_lose_peer(&r);
	assert_int_equal(rdma_write_end(&r), IBV_WC_RETRY_EXC_ERR);
	assert_int_equal(rdma_write(&r, rdma_at(mr, 0), rdma_at(near, 0), 8),
			 IBV_WC_WR_FLUSH_ERR);
	rdma_reconnect(&r);
	check_place(mr, mem, len / 2, EDGE);
	/* and the side that is left can release its memory first */
	rdma_write_start(&r, rdma_at(mr, len / 2), rdma_at(near, 0), EDGE);
	rdma_lose_peer(&r);
	dereg(mr);
	release(mem, len);
	rdma_reconnect(&r);
}

/* dma-bufs */

static void check_dmabuf(int fd, char *cpu, size_t len)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(r.pd, 0, len, 0, fd, RDMA_ALL);
	struct rdma_at far;

	if (!mr)
		fail_msg("ibv_reg_dmabuf_mr: %s", strerror(errno));
	for (size_t at = 0; at + EDGE <= len; at += len / 2 - EDGE / 2) {
		far = (struct rdma_at){ .key = mr->rkey, .addr = at };
		pattern_fill(buf, EDGE, 6);
		assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), EDGE), IBV_WC_SUCCESS);
		assert_true(pattern_is(cpu + at, EDGE, 6));
		memset(cpu + at, 0x33, EDGE);
		assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), EDGE), IBV_WC_SUCCESS);
		assert_memory_equal(buf, cpu + at, EDGE);
	}
	far = (struct rdma_at){ .key = mr->rkey, .addr = len - 8 };
	assert_int_equal(rdma_add(&r, far, rdma_at(near, 0), 1), IBV_WC_SUCCESS);
	far.addr = len - 4;
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), 8), IBV_WC_REM_ACCESS_ERR);
	rdma_reconnect(&r);
	dereg(mr);

	assert_null(ibv_reg_dmabuf_mr(r.pd, PAGE, len, PAGE, fd, RDMA_ALL));
	assert_int_equal(errno, EINVAL);
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, 0, 0, fd, RDMA_ALL));
	mr = ibv_reg_dmabuf_mr(r.pd, PAGE, PAGE, 5 * PAGE, fd, RDMA_ALL);
	assert_non_null(mr);
	far = (struct rdma_at){ .key = mr->rkey, .addr = 5 * PAGE };
	pattern_fill(buf, PAGE, 7);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), PAGE), IBV_WC_SUCCESS);
	assert_true(pattern_is(cpu + PAGE, PAGE, 7));
	/* the region outlives the descriptor */
	close(fd);
	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), PAGE), IBV_WC_SUCCESS);
	dereg(mr);
}

static void test_dmabuf_of_phyr(void **state)
{
	static const char *const names[] = { "4 KiB pages", "hugetlb 2 MiB", "PCI BAR" };
	struct mem mem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_return_code(mem_map(&mem, mem_find(names[i]), 4 * MIB), errno);
		check_dmabuf(pin(mem.addr, mem.len, PHYR_PIN_WRITE), mem.addr, mem.len);
		mem_unmap(&mem);
	}
}

static void test_dmabuf_read_only(void **state)
{
	char *mem = anon(4 * PAGE, RW);
	int fd = pin(mem, 4 * PAGE, 0);
	struct ibv_mr *mr;

	(void)state;
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, 4 * PAGE, 0, fd, RDMA_ALL));
	assert_int_equal(errno, EACCES);
	mr = ibv_reg_dmabuf_mr(r.pd, 0, 4 * PAGE, 0, fd, IBV_ACCESS_REMOTE_READ);
	assert_non_null(mr);
	assert_int_equal(rdma_read(&r, (struct rdma_at){ .key = mr->rkey, .addr = 9 },
				   rdma_at(near, 0), 100), IBV_WC_SUCCESS);
	dereg(mr);
	close(fd);
	release(mem, 4 * PAGE);
	fd = open("/dev/null", O_RDWR);
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, PAGE, 0, fd, RDMA_ALL));
	assert_int_equal(errno, EINVAL);
	close(fd);
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, PAGE, 0, fd, RDMA_ALL));
	assert_int_equal(errno, EBADF);
}

/* Nobody writes through a descriptor that is for reading. */
static void test_dmabuf_open_for_reading(void **state)
{
	int fd = heap_buffer(4 * PAGE, O_RDONLY);
	struct ibv_mr *mr;

	(void)state;
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, 4 * PAGE, 0, fd, RDMA_ALL));
	assert_int_equal(errno, EACCES);
	mr = ibv_reg_dmabuf_mr(r.pd, 0, 4 * PAGE, 0, fd, IBV_ACCESS_REMOTE_READ);
	assert_non_null(mr);
	assert_int_equal(rdma_read(&r, (struct rdma_at){ .key = mr->rkey, .addr = 9 },
				   rdma_at(near, 0), 100), IBV_WC_SUCCESS);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	close(fd);
}

/* A region may begin at any byte: what is aligned on the wire need not be in memory. */
static void test_dmabuf_misaligned_word(void **state)
{
	char *addr = anon(2 * PAGE, RW);
	int fd = pin(addr + 4, PAGE, PHYR_PIN_WRITE);
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(r.pd, 0, PAGE, 0, fd, RDMA_ALL);
	struct rdma_at word = { .addr = 0 };
	uint64_t expected;

	(void)state;
	assert_non_null(mr);
	pattern_fill(addr, 2 * PAGE, 3);
	word.key = mr->rkey;
	assert_int_equal(rdma_add(&r, word, rdma_at(near, 0), 1), IBV_WC_REM_INV_REQ_ERR);
	rdma_reconnect(&r);
	assert_int_equal(rdma_atomic_write(&r, word, "ABCDEFGH"), IBV_WC_REM_INV_REQ_ERR);
	rdma_reconnect(&r);
	assert_true(pattern_is(addr, 2 * PAGE, 3));
	word.addr = 4;			/* not on the wire, but in memory */
	expected = *(uint64_t *)(addr + 8) + 1;
	assert_int_equal(rdma_add(&r, word, rdma_at(near, 0), 1), IBV_WC_SUCCESS);
	assert_int_equal(*(uint64_t *)(addr + 8), expected);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	close(fd);
	release(addr, 2 * PAGE);
}

static void test_dmabuf_of_udmabuf(void **state)
{
	char *cpu;
	int fd = udmabuf(&cpu, MIB, 0);

	(void)state;
	check_dmabuf(fd, cpu, MIB);
	release(cpu, MIB);
}

/*
 * Before Linux 6.16, which has ranges of DMA addresses as well, udmabuf shows the kernel
 * other pages than a huge one's.
 */
static void test_dmabuf_of_huge_udmabuf(void **state)
{
	struct phyr_info info = { .size = sizeof(info) };
	char *cpu;
	int fd;

	(void)state;
	if (getenv("PHYR_DEBUG")) {
		print_message("# DMA debugging complains of how udmabuf itself maps this\n");
		skip();
	}
	fd = udmabuf(&cpu, 4 * MIB, MFD_HUGETLB);
	assert_int_equal(phyr_info(dev, &info), 0);
	if (info.iova) {
		check_dmabuf(fd, cpu, 4 * MIB);
	} else {
		assert_null(ibv_reg_dmabuf_mr(r.pd, 0, 4 * MIB, 0, fd, RDMA_ALL));
		assert_int_equal(errno, EOPNOTSUPP);
		close(fd);
	}
	release(cpu, 4 * MIB);
}

static void test_dmabuf_of_heap(void **state)
{
	int fd = heap_buffer(MIB, O_RDWR);
	char *cpu = mmap(NULL, MIB, RW, MAP_SHARED, fd, 0);

	(void)state;
	assert_ptr_not_equal(cpu, MAP_FAILED);
	check_dmabuf(fd, cpu, MIB);
	release(cpu, MIB);
}

/* Loading and unloading */

static void test_unload_refused(void **state)
{
	(void)state;
	assert_int_equal(rdma_regions(), 1);	/* the near side */
	assert_int_not_equal(rdma_unload(), 0);
	check_place(near, buf, 64 * KIB, 8);
}

/* A region of stock rxe works on, and goes, while phyr_rdma is there. */
static void test_old_regions(void **state)
{
	char *mem = anon(64 * PAGE, RW), *ours = anon(64 * PAGE, RW);
	struct ibv_mr *old, *young;

	(void)state;
	assert_int_equal(rdma_unload(), 0);
	rdma_open(&r);
	buf = anon(BUF, RW);
	near = ibv_reg_mr(r.pd, buf, BUF, RDMA_ALL);
	old = ibv_reg_mr(r.pd, mem, 64 * PAGE, RDMA_ALL);
	assert_non_null(near);
	assert_non_null(old);
	check_place(old, mem, 100, EDGE);
	assert_int_equal(rdma_load(), 0);
	assert_int_equal(rdma_regions(), 0);
	young = reg(ours, 64 * PAGE, RDMA_ALL);
	for (int i = 0; i < 10; i++) {
		check_place(old, mem, 100, EDGE);
		check_place(young, ours, 100, EDGE);
		check_atomics(old, (volatile uint64_t *)mem, 0);
	}
	assert_int_not_equal(rdma_unload(), 0);
	dereg(young);
	assert_int_equal(rdma_unload(), 0);
	check_place(old, mem, 100, EDGE);
	dereg(old);
	dereg(near);
	release(buf, BUF);
	release(mem, 64 * PAGE);
	release(ours, 64 * PAGE);
	rdma_close(&r);
	assert_int_equal(rdma_load(), 0);
}

/* Traffic through stock regions while the module comes and goes. */
static void traffic(void *arg)
{
	struct rdma mine;
	char *mem = anon(64 * PAGE, RW);
	struct ibv_mr *mr;
	const int *stop = arg;

	rdma_open(&mine);
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		mr = ibv_reg_mr(mine.pd, mem, 64 * PAGE, RDMA_ALL);
		must(mr);
		pattern_fill(mem, 32 * PAGE, 1);
		must(rdma_write(&mine, rdma_at(mr, 32 * PAGE), rdma_at(mr, 0), 32 * PAGE) ==
		     IBV_WC_SUCCESS);
		must(pattern_is(mem + 32 * PAGE, 32 * PAGE, 1));
		must(!ibv_dereg_mr(mr));
		usleep(100000);		/* a moment without a region, to unload in */
	}
	rdma_close(&mine);
}

static void test_load_under_fire(void **state)
{
	int *stop = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int rounds = getenv("PHYR_DEBUG") ? 3 : 6, unloaded = 0;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(stop, MAP_FAILED);
	assert_int_equal(rdma_unload(), 0);
	pid = child_start(traffic, stop);
	for (unsigned int i = 0; i < rounds; i++) {
		assert_int_equal(rdma_load(), 0);
		usleep(50000);
		/* it may be in use at this moment */
		for (int tries = 0; rdma_unload() && tries < 20; tries++)
			usleep(10000);
		unloaded += rdma_regions() < 0;
	}
	*stop = 1;
	child_wait(pid);
	assert_int_equal(rdma_load(), 0);
	print_message("# %u of %u times unloaded under traffic\n", unloaded, rounds);
	assert_true(unloaded > 0);
	release(stop, PAGE);
}

/* test_rdma [PATTERN]: those tests only */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		rdma_test(test_every_kind),
		rdma_test(test_large),
		rdma_test(test_odd_ends),
		rdma_test(test_iova),
		rdma_test(test_send),
		rdma_test(test_atomics),
		rdma_test(test_atomics_of_bar),
		rdma_test(test_flush),
		rdma_test(test_wrong_keys),
		rdma_test(test_windows),
		rdma_test(test_rereg),
		rdma_test(test_refused),
		rdma_test(test_memlock),
		rdma_test(test_pageless_nobody),
		rdma_test(test_killed),
		rdma_test(test_peer_disappears),
		rdma_test(test_dmabuf_of_phyr),
		rdma_test(test_dmabuf_read_only),
		rdma_test(test_dmabuf_open_for_reading),
		rdma_test(test_dmabuf_misaligned_word),
		rdma_test(test_dmabuf_of_udmabuf),
		rdma_test(test_dmabuf_of_huge_udmabuf),
		rdma_test(test_dmabuf_of_heap),
		rdma_test(test_unload_refused),
		fixture_test(test_mapping_of_region),
		fixture_test(test_old_regions),
		fixture_test(test_load_under_fire),
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
