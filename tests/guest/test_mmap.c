// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs' mappings of regions: an entry for each leaf, few faults, and what becomes of
 * large entries when a mapping is cut, moved, forked, protected and zapped. As any user.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/driver.h"

#define LARGE	(2 * MIB)

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

static char *map_region(int region, uint64_t offset, size_t len, unsigned int flags)
{
	void *addr;
	int error = phyr_mmap(dev, region, offset, len, flags, &addr);

	if (error)
		fail_msg("phyr_mmap: %s", strerror(-error));
	return addr;
}

/* How many faults it takes to read a word of each page. */
static long touch(const char *map, size_t len)
{
	long before = faults();

	for (size_t at = 0; at < len; at += PAGE)
		*(const volatile char *)(map + at);
	return faults() - before;
}

/* Each page begins with its number. */
static void number(char *mem, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE)
		*(uint64_t *)(mem + at) = at / PAGE + 1;
}

static bool numbered(const char *map, size_t len, size_t first)
{
	for (size_t at = 0; at < len; at += PAGE)
		if (*(const uint64_t *)(map + at) != first + at / PAGE + 1)
			return false;
	return true;
}

/* Faults */

struct expectation {
	const char *kind;
	size_t len;
	long most;		/* faults */
};

static void check_faults(const struct expectation *e)
{
	struct mem mem;
	char *map;
	long n;
	int region;

	assert_int_equal(mem_map(&mem, mem_find(e->kind), e->len), 0);
	number(mem.addr, mem.len);
	region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
	map = map_region(region, 0, 0, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE);
	n = touch(map, mem.len);
	print_message("# %s, %zu MiB: %ld faults\n", e->kind, (size_t)(e->len / MIB), n);
	assert_in_range(n, 1, e->most);
	assert_true(numbered(map, mem.len, 0));
	map[mem.len - 1] = 0x55;
	assert_int_equal(mem.addr[mem.len - 1], 0x55);
	release(map, mem.len);
	/* and all at once */
	map = map_region(region, 0, 0, PHYR_ACCESS_READ | PHYR_MMAP_POPULATE);
	if (strcmp(e->kind, "PCI BAR"))
		assert_int_equal(touch(map, mem.len), 0);
	release(map, mem.len);
	close(region);
	mem_unmap(&mem);
}

static void test_faults(void **state)
{
	static const struct expectation expectations[] = {
		{ "hugetlb 1 GiB", GIB, 2 },
		{ "hugetlb 2 MiB", 64 * MIB, 2 },
		{ "THP 2 MiB", 64 * MIB, 2 },
		{ "mTHP 64 KiB", 32 * MIB, 2 },
		{ "4 KiB pages", 32 * MIB, 2 },
		{ "4 KiB scattered", 32 * MIB, 2 },
		{ "memfd", 16 * MIB, 2 },
		{ "memfd 2 MiB", 32 * MIB, 2 },
		{ "devdax pmem", 64 * MIB, 2 },
		{ "PCI BAR", 16 * MIB, 9 },	/* a table at a time */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		check_faults(&expectations[i]);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
}

/* A region that begins and ends inside large pages, and a mapping of a part of it. */
static void test_in_between(void **state)
{
	struct phyr_query query = { .size = sizeof(query) };
	struct mem mem;
	char *map;
	int region;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("memfd 2 MiB"), 16 * MIB), 0);
	number(mem.addr, mem.len);
	region = pin(mem.addr + 5 * PAGE, mem.len - 9 * PAGE, PHYR_PIN_WRITE);
	assert_int_equal(phyr_query(dev, region, &query), 0);
	assert_int_equal(query.large_entry, LARGE);
	assert_int_equal(query.congruent, 5 * PAGE);
	map = map_region(region, 0, 0, PHYR_ACCESS_READ);
	assert_int_equal((uintptr_t)map % LARGE, 5 * PAGE);
	assert_in_range(touch(map, mem.len - 9 * PAGE), 1, 2);
	assert_true(numbered(map, mem.len - 9 * PAGE, 5));
	release(map, mem.len - 9 * PAGE);
	map = map_region(region, 3 * PAGE, 8 * MIB, PHYR_ACCESS_READ);
	assert_int_equal((uintptr_t)map % LARGE, 8 * PAGE);
	assert_true(numbered(map, 8 * MIB, 8));
	release(map, 8 * MIB);
	/* an address that does not fit has small entries, and the same bytes */
	map = map_region(region, 0, 0, PHYR_ACCESS_READ);
	release(map, mem.len - 9 * PAGE);
	map = mmap(map + PAGE, mem.len - 9 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, region, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_in_range(touch(map, mem.len - 9 * PAGE), 1, 2);
	assert_true(numbered(map, mem.len - 9 * PAGE, 5));
	release(map, mem.len - 9 * PAGE);
	close(region);
	mem_unmap(&mem);
}

static void test_errors(void **state)
{
	char *mem = anon(8 * PAGE, RW);
	int region = pin(mem, 8 * PAGE, 0);
	void *map = NULL;

	(void)state;
	assert_int_equal(phyr_mmap(dev, region, 0, 0, 0, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, 0, 0, PHYR_MMAP_POPULATE, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, 0, 0, 1u << 5, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, 1, PAGE, PHYR_ACCESS_READ, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, 8 * PAGE, 0, PHYR_ACCESS_READ, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, PAGE, 8 * PAGE, PHYR_ACCESS_READ, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, ~0ULL, PAGE, PHYR_ACCESS_READ, &map), -EINVAL);
	assert_int_equal(phyr_mmap(dev, region, 0, 0, PHYR_ACCESS_WRITE, &map), -EACCES);
	assert_int_equal(phyr_mmap(-1, region, 0, 0, PHYR_ACCESS_READ, &map), -EBADF);
	assert_int_equal(phyr_mmap(dev, -1, 0, 0, PHYR_ACCESS_READ, &map), -EBADF);
	assert_int_equal(phyr_mmap(dev, dev, 0, 0, PHYR_ACCESS_READ, &map), -EINVAL);
	assert_null(map);
	close(region);
	region = pin(mem + 1, 2 * PAGE, 0);
	assert_int_equal(phyr_mmap(dev, region, 0, 0, PHYR_ACCESS_READ, &map), -EINVAL);
	close(region);
	release(mem, 8 * PAGE);
}

/* Parts of a mapping with large entries, by any user: in a child */

#define LEN	(8 * LARGE)
#define INSIDE	(3 * LARGE + 7 * PAGE)

struct part {
	struct mem mem;
	int region;
	char *map;
};

static bool dies_at(const char *addr, int sig)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		signal(sig, SIG_DFL);
		*(const volatile char *)addr;
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

/* Mapped anew, in place: its entries go, and it is one mapping. */
static void map_anew(const struct part *p, size_t at, size_t len)
{
	must(mmap(p->map + at, len, RW, MAP_SHARED | MAP_FIXED, p->region, (off_t)at) ==
	     p->map + at);
}

static void cut_mprotect(struct part *p)
{
	must(!mprotect(p->map + INSIDE, PAGE, PROT_NONE));
	must(dies_at(p->map + INSIDE, SIGSEGV));
	must(numbered(p->map, INSIDE, 0));
	must(numbered(p->map + INSIDE + PAGE, LEN - INSIDE - PAGE, INSIDE / PAGE + 1));
	must(!mprotect(p->map + INSIDE, PAGE, PROT_READ));
	must(numbered(p->map, LEN, 0));
	must(!mprotect(p->map, LEN, RW));
	must(numbered(p->map, LEN, 0));
	p->map[INSIDE + 8] = 0x11;
}

static void cut_munmap(struct part *p)
{
	must(!munmap(p->map + INSIDE, PAGE));
	must(dies_at(p->map + INSIDE, SIGSEGV));
	must(numbered(p->map, INSIDE, 0));
	must(numbered(p->map + INSIDE + PAGE, LEN - INSIDE - PAGE, INSIDE / PAGE + 1));
	map_anew(p, INSIDE, PAGE);
	must(numbered(p->map, LEN, 0));
}

static void cut_mremap(struct part *p)
{
	char *to = mmap(NULL, LEN + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(to != MAP_FAILED);
	must(mremap(p->map + INSIDE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	must(numbered(to, PAGE, INSIDE / PAGE));
	must(dies_at(p->map + INSIDE, SIGSEGV));
	must(numbered(p->map, INSIDE, 0));
	must(mremap(to, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p->map + INSIDE) ==
	     p->map + INSIDE);
	must(numbered(p->map, LEN, 0));
	/* all of it, to where large entries do and do not fit */
	for (size_t off = 0; off < 2; off++) {
		char *there = to + (((uintptr_t)p->map - (uintptr_t)to) % LARGE) + off * PAGE;

		must(there + LEN <= to + LEN + LARGE);
		must(mremap(p->map, INSIDE, INSIDE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there);
		must(numbered(there, INSIDE, 0));
		must(mremap(there, INSIDE, INSIDE, MREMAP_MAYMOVE | MREMAP_FIXED, p->map) ==
		     p->map);
		must(numbered(p->map, LEN, 0));
	}
	must(!munmap(to, LEN + LARGE));
}

static void cut_fork(struct part *p)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		bool right = numbered(p->map, LEN, 0);

		p->map[INSIDE + 8] = 0x22;
		munmap(p->map + LARGE, LARGE + PAGE);
		right = right && numbered(p->map + 3 * LARGE, LARGE, 3 * LARGE / PAGE);
		_exit(!right);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
	must(p->map[INSIDE + 8] == 0x22);
	must(numbered(p->map, LEN, 0));
	/* one page of it is not inherited */
	must(!madvise(p->map + INSIDE, PAGE, MADV_DONTFORK));
	must(dies_at(p->map + INSIDE, SIGSEGV));
	must(numbered(p->map, LEN, 0));
}

static void cut_no_thp(struct part *p)
{
	must(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	must(numbered(p->map, LEN, 0));
	map_anew(p, 0, LEN);
	must(numbered(p->map, LEN, 0));
	must(!prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	map_anew(p, 0, LEN);
	must(numbered(p->map, LEN, 0));
}

static void cut_random(struct part *p)
{
	must(!madvise(p->map, LEN, MADV_RANDOM));
	must(numbered(p->map, LEN, 0));
	map_anew(p, 0, LEN);
	must(numbered(p->map, LEN, 0));
}

/* Written by the kernel, which would try for ever, and by the program. */
static void write_both_ways(const struct part *p)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	must(zero >= 0);
	for (size_t at = 16; at < LEN; at += LARGE)
		must(read(zero, p->map + at, 1) == 1);
	for (size_t at = LARGE - 24; at < LEN; at += LARGE)
		p->map[at] = 5;
	close(zero);
	must(numbered(p->map, LEN, 0));
}

/* Entries for reading, in a mapping for writing: soft-dirty bits are cleared, by anybody. */
static void cut_soft_dirty(struct part *p)
{
	must(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	if (write_file("/proc/self/clear_refs", "4"))
		return;		/* this kernel has none */
	map_anew(p, 0, LEN);
	must(!write_file("/proc/self/clear_refs", "4"));
	must(numbered(p->map, LEN, 0));
	write_both_ways(p);
	must(!write_file("/proc/self/clear_refs", "4"));
	must(!mprotect(p->map, LEN, PROT_READ));
	must(!mprotect(p->map, LEN, RW));
	write_both_ways(p);
}

static void (*const cuts[])(struct part *p) = {
	cut_mprotect, cut_munmap, cut_mremap, cut_fork, cut_no_thp, cut_random,
	cut_soft_dirty,
};

static const char *cut_kind;

/* Of one kind of memory, pinned and mapped by nobody in particular. */
static void part_begin(struct part *p, const char *kind)
{
	void *map;

	must(!mem_map(&p->mem, mem_find(kind), LEN));
	must(!setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ LEN, LEN }));
	become_nobody();
	number(p->mem.addr, LEN);
	p->region = phyr_pin(dev, p->mem.addr, LEN, PHYR_PIN_WRITE);
	must(p->region >= 0);
	must(!phyr_mmap(dev, p->region, 0, 0, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE, &map));
	p->map = map;
}

static void part_end(struct part *p)
{
	must(!munmap(p->map, LEN));
	close(p->region);
	mem_unmap(&p->mem);
}

static void do_cut(void *arg)
{
	void (*const *cut)(struct part *p) = arg;
	struct part p;

	part_begin(&p, cut_kind);
	must(numbered(p.map, LEN, 0));
	(*cut)(&p);
	part_end(&p);
}

static void test_cuts(void **state)
{
	static const char *const cut_kinds[] = { "memfd 2 MiB", "hugetlb 2 MiB", "THP 2 MiB" };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cut_kinds); k++) {
		cut_kind = cut_kinds[k];
		for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
			child_run(do_cut, (void *)&cuts[i]);
	}
}

/* Faults against all that takes entries away, in one process */

#define RACE_MS	1500

static atomic_bool over;

static void *toucher(void *arg)
{
	struct part *p = arg;
	unsigned int seed = (unsigned int)(uintptr_t)&seed;

	while (!over) {
		size_t page = (size_t)rand_r(&seed) % (LEN / PAGE);

		must(*(volatile uint64_t *)(p->map + page * PAGE) == page + 1);
	}
	return NULL;
}

static void *trouble(void *arg)
{
	struct part *p = arg;
	unsigned int seed = 7;

	while (!over) {
		size_t at = (size_t)rand_r(&seed) % (LEN / PAGE) * PAGE;

		map_anew(p, 0, LEN);
		mprotect(p->map + at, PAGE, PROT_READ);
		prctl(PR_SET_THP_DISABLE, rand_r(&seed) % 2, 0, 0, 0);
		mprotect(p->map, LEN, RW);
		map_anew(p, at, PAGE);
		if (rand_r(&seed) % 16 == 0) {
			pid_t pid = fork();

			if (!pid)
				_exit(*(volatile uint64_t *)(p->map + at) != at / PAGE + 1);
			must(pid < 0 || (waitpid(pid, &(int){ 0 }, 0) == pid));
		}
	}
	return NULL;
}

static void do_race(void *arg)
{
	pthread_t thread[3];
	struct part p;

	(void)arg;
	part_begin(&p, "memfd 2 MiB");
	must(!pthread_create(&thread[0], NULL, toucher, &p));
	must(!pthread_create(&thread[1], NULL, toucher, &p));
	must(!pthread_create(&thread[2], NULL, trouble, &p));
	usleep(RACE_MS * 1000);
	over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	part_end(&p);
}

static void test_races_of_faults(void **state)
{
	(void)state;
	child_run(do_race, NULL);
}

int main(void)
{
	const struct CMUnitTest mmap[] = {
		fixture_test(test_faults),
		fixture_test(test_in_between),
		fixture_test(test_errors),
		fixture_test(test_cuts),
		fixture_test(test_races_of_faults),
	};

	return fixture_run(mmap);
}
