// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers call: arrays of N phyrs, lists that grow, memory of another
 * process, mappings and classic tables of them. Through phyr_test.ko.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/layout.h"

#define SIZE	(4 * MIB)

static const unsigned int sizes[] = { 1, 2, 3, 7, 512 };

static size_t size_of(const struct mem_kind *kind)
{
	if (!strcmp(kind->name, "mixed") || !strcmp(kind->name, "one 1 GiB page x5"))
		return kind->size;
	return kind->page > SIZE ? kind->page : SIZE;
}

static unsigned int kind_flags(void)
{
	return kind_mem.kind->read_only ? 0 : PT_WRITE;
}

/* Neighbours become one, as a list would have it. */
static size_t merge(struct phyr_range *ranges, size_t nr)
{
	size_t out = 0;

	for (size_t i = 1; i < nr; i++) {
		struct phyr_range *last = &ranges[out];

		if (last->kind == ranges[i].kind && last->addr + last->len == ranges[i].addr)
			last->len += ranges[i].len;
		else
			ranges[++out] = ranges[i];
	}
	return nr ? out + 1 : 0;
}

static void check_array(int fd, const char *addr, size_t len, unsigned int nr, unsigned int flags)
{
	struct pt_pin pin = {
		.addr = (uintptr_t)addr, .len = len, .nr = nr, .flags = flags,
	};
	struct phyr_range *ranges;
	size_t got;

	assert_int_equal(driver_array(fd, &pin), 0);
	assert_int_equal(pin.done, len);
	ranges = driver_ranges(fd, PT_ARRAY, &got);
	/* every call but the last fills the array */
	assert_true(got <= (size_t)pin.calls * nr && got > (size_t)(pin.calls - 1) * nr);
	layout_check(addr, len, ranges, merge(ranges, got));
	free(ranges);
}

static void check_arrays(unsigned int flags)
{
	int fd = driver_open();

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		check_array(fd, kind_mem.addr, kind_mem.len, sizes[i], flags);
		driver_unpin(fd, PT_ARRAY | (i % 2 ? PT_HALVES : 0));
		assert_int_equal(fixture_nothing_left(NULL), 0);
		/* a small part of what is large, so that its ends matter */
		check_array(fd, kind_mem.addr + 777, 100 * PAGE - 1000, sizes[i], flags);
		driver_unpin(fd, PT_ARRAY | (flags & PT_WRITE ? PT_DIRTY : 0) |
					 (i % 2 ? 0 : PT_HALVES));
	}
	close(fd);
}

/* Short pins: every kind, fsdax too, can have them. */
static void test_short(void **state)
{
	(void)state;
	need_kind(kind_mem.kind);
	check_arrays(kind_flags());
}

/* fsdax by the kernel; memory without pages, as an array is not told when it goes. */
static bool long_refused(void)
{
	return kind_mem.kind->short_only || !kind_mem.kind->struct_page ||
	       !strcmp(kind_mem.kind->name, "mixed");
}

static void test_long(void **state)
{
	(void)state;
	need_kind(kind_mem.kind);
	if (long_refused()) {
		struct pt_pin pin = {
			.addr = (uintptr_t)kind_mem.addr, .len = kind_mem.len, .nr = 2,
			.flags = kind_flags() | PT_LONGTERM,
		};
		int fd = driver_open();

		assert_int_equal(driver_array(fd, &pin), EOPNOTSUPP);
		driver_unpin(fd, PT_ARRAY);
		close(fd);
		return;
	}
	check_arrays(kind_flags() | PT_LONGTERM);
}

static void check_list(int fd, const char *addr, size_t len)
{
	size_t nr;
	struct phyr_range *ranges = driver_ranges(fd, 0, &nr);

	assert_int_equal(driver_bytes(fd, 0), len);
	layout_check(addr, len, ranges, nr);
	free(ranges);
}

static void test_list(void **state)
{
	int fd;

	(void)state;
	need_kind(kind_mem.kind);
	fd = driver_open();
	assert_int_equal(driver_add(fd, kind_mem.addr + 5, kind_mem.len - 5, kind_flags()), 0);
	check_list(fd, kind_mem.addr + 5, kind_mem.len - 5);
	driver_unpin(fd, PT_DIRTY & (kind_mem.kind->read_only ? 0 : ~0u));
	assert_int_equal(driver_bytes(fd, 0), 0);
	assert_int_equal(driver_add(fd, kind_mem.addr, PAGE, 0), 0);
	check_list(fd, kind_mem.addr, PAGE);
	close(fd);
}

/* Each kind mapped for the device, as a list, a slice of it, and an array. */
static void test_map(void **state)
{
	struct pt_map map = { .offset = 0 };
	int fd;

	(void)state;
	need_kind(kind_mem.kind);
	fd = driver_open();
	assert_int_equal(driver_add(fd, kind_mem.addr + 5, kind_mem.len - 5, kind_flags()), 0);
	map.len = kind_mem.len - 5;
	assert_int_equal(driver_map(fd, &map), 0);
	assert_true(map.segments && map.dma_entries && map.entries >= map.dma_entries);

	map.offset = kind_mem.len / 2 + 17;
	map.len = kind_mem.len / 4 + 11;
	assert_int_equal(driver_map(fd, &map), 0);
	map.len = 1;
	assert_int_equal(driver_map(fd, &map), 0);
	assert_int_equal(map.segments, 1);
	driver_unpin(fd, 0);

	check_array(fd, kind_mem.addr, kind_mem.len, 512, kind_flags());
	map.flags = PT_ARRAY;
	assert_int_equal(driver_map(fd, &map), 0);
	driver_unpin(fd, PT_ARRAY);
	close(fd);
}

/* The limits of a device, from generous to absurd. */
static const struct {
	unsigned int max_seg;
	uint64_t boundary;
} limits[] = {
	{ 4096, 0 }, { 512, 0 }, { 65536, 0xffff }, { 1000, 0 }, { 4096, 0xfff },
	{ 1u << 30, 0xfffff }, { 12345, 0x3fff }, { 4096 * 3, ~0ull },
};

static void check_limits(const char *addr, size_t len)
{
	int fd = driver_open();

	assert_int_equal(driver_add(fd, addr, len, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct pt_map map = {
			.len = len,
			.max_seg = limits[i].max_seg,
			.boundary = limits[i].boundary,
		};

		assert_int_equal(driver_map(fd, &map), 0);
		assert_true(map.dma_entries >= len / limits[i].max_seg);
		map.offset = 333;
		map.len = len - 12345;
		assert_int_equal(driver_map(fd, &map), 0);
	}
	close(fd);
}

static void check_limits_of(const char *name, size_t size)
{
	assert_int_equal(mem_map(&kind_mem, mem_find(name), size), 0);
	check_limits(kind_mem.addr, 300 * KIB);
	check_limits(kind_mem.addr + 100, 300 * KIB - 200);
	mem_unmap(&kind_mem);
}

static void test_limits(void **state)
{
	(void)state;
	check_limits_of("4 KiB pages", MIB);
	check_limits_of("4 KiB scattered", MIB);
	check_limits_of("hugetlb 2 MiB", 2 * MIB);
	check_limits_of("PCI BAR", 64 * MIB);
}

/* A segment is at most 4 GiB less a page in a table; a 5 GiB list is not. */
static void test_map_long(void **state)
{
	struct pt_map map = { .len = 5 * GIB - 999 };
	int fd = driver_open();

	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("one 1 GiB page x5"), 5 * GIB), 0);
	assert_int_equal(driver_add(fd, kind_mem.addr + 999, 5 * GIB - 999, PT_WRITE), 0);
	assert_int_equal(driver_map(fd, &map), 0);
	assert_true(map.dma_entries >= 2);
	map.max_seg = 2 * MIB;
	assert_int_equal(driver_map(fd, &map), 0);
	assert_true(map.dma_entries >= 5 * GIB / (2 * MIB));
	driver_unpin(fd, PT_DIRTY);
	close(fd);
	mem_unmap(&kind_mem);
}

static void test_map_bad(void **state)
{
	char *addr = anon(4 * PAGE, RW);
	struct pt_map map = { .len = 1 };
	int fd = driver_open();

	(void)state;
	assert_int_equal(driver_map(fd, &map), EINVAL);		/* an empty list */
	assert_int_equal(driver_add(fd, addr, 4 * PAGE, 0), 0);
	map = (struct pt_map) { .len = 0 };
	assert_int_equal(driver_map(fd, &map), EINVAL);
	map = (struct pt_map) { .len = 4 * PAGE + 1 };
	assert_int_equal(driver_map(fd, &map), EINVAL);
	map = (struct pt_map) { .offset = 4 * PAGE, .len = 1 };
	assert_int_equal(driver_map(fd, &map), EINVAL);
	map = (struct pt_map) { .offset = 1, .len = ~0ull };
	assert_int_equal(driver_map(fd, &map), EINVAL);
	map = (struct pt_map) { .flags = PT_ARRAY };
	assert_int_equal(driver_map(fd, &map), EINVAL);		/* no phyr at all */
	close(fd);
	release(addr, 4 * PAGE);
}

/* Bad arguments of the calls themselves. */
static void test_bad(void **state)
{
	char *addr = anon(4 * PAGE, RW);
	const struct {
		uint64_t addr;
		uint64_t len;
		unsigned int nr;
		unsigned int flags;
		int error;
	} bad[] = {
		{ (uintptr_t)addr, 0, 1, 0, EINVAL },
		{ (uintptr_t)addr, PAGE, 1, PT_FORCE, EINVAL },
		{ (uintptr_t)addr, -PAGE, 1, 0, EOVERFLOW },
		{ (uintptr_t)addr, ~0ull, 1, 0, EOVERFLOW },
		{ 0, PAGE, 1, 0, EFAULT },
		{ 1ull << 63, PAGE, 1, 0, EFAULT },
		{ -PAGE, PAGE - 1, 1, 0, EOVERFLOW },
	};
	struct pt_pin none = { .addr = (uintptr_t)addr, .len = PAGE, .nr = 0 };
	int fd = driver_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pt_pin pin = {
			.addr = bad[i].addr, .len = bad[i].len, .nr = bad[i].nr,
			.flags = bad[i].flags,
		};

		assert_int_equal(driver_array(fd, &pin), bad[i].error);
		assert_int_equal(driver_append(fd, &pin), bad[i].error);
		pin.pid = getpid();
		pin.flags |= PT_REMOTE;
		assert_int_equal(driver_array(fd, &pin), bad[i].error);
		assert_int_equal(driver_append(fd, &pin), bad[i].error);
	}
	assert_int_equal(driver_array(fd, &none), EINVAL);
	assert_int_equal(driver_bytes(fd, PT_ARRAY), 0);
	assert_int_equal(driver_bytes(fd, 0), 0);
	close(fd);
	release(addr, 4 * PAGE);
}

/* An array goes as far as the hole, and holds what it has; a list has nothing. */
static void test_hole(void **state)
{
	char *addr = anon(64 * PAGE, RW);
	struct pt_pin pin = { .addr = (uintptr_t)addr + 1, .len = 60 * PAGE, .nr = 512 };
	int fd = driver_open();
	struct phyr_range *ranges;
	size_t nr;

	(void)state;
	release(addr + 40 * PAGE, PAGE);
	assert_int_equal(driver_append(fd, &pin), EFAULT);
	assert_int_equal(pin.done, 0);
	assert_int_equal(fixture_nothing_left(NULL), 0);

	pin.flags = PT_LONGTERM;
	assert_int_equal(driver_array(fd, &pin), EFAULT);
	assert_int_equal(pin.done, 40 * PAGE - 1);
	ranges = driver_ranges(fd, PT_ARRAY, &nr);
	layout_check(addr + 1, 40 * PAGE - 1, ranges, merge(ranges, nr));
	free(ranges);
	driver_unpin(fd, PT_ARRAY);
	close(fd);
	release(addr, 40 * PAGE);
	release(addr + 41 * PAGE, 23 * PAGE);
}

/* Two ranges that meet inside a page: that page has two pins, and loses both. */
static void test_append_in_page(void **state)
{
	const size_t len = 8 * PAGE;
	char *addr = anon(len, RW);
	long long before;
	int fd = driver_open();

	(void)state;
	write_file("/proc/sys/vm/stat_refresh", "1");
	before = mem_vmstat("nr_foll_pin_acquired");
	assert_int_equal(driver_add(fd, addr + 10, 2 * PAGE, PT_WRITE), 0);
	assert_int_equal(driver_add(fd, addr + 10 + 2 * PAGE, len - 2 * PAGE - 10, PT_WRITE), 0);
	write_file("/proc/sys/vm/stat_refresh", "1");
	assert_int_equal(mem_vmstat("nr_foll_pin_acquired") - before, 9);
	assert_int_equal(driver_bytes(fd, 0), len - 10);
	driver_unpin(fd, 0);
	assert_int_equal(fixture_nothing_left(NULL), 0);
	close(fd);
	release(addr, len);
}

/* The same in a huge page, which would be one phyr. */
static void test_append_in_huge_page(void **state)
{
	struct phyr_range *ranges;
	int fd = driver_open();
	uint64_t first;
	size_t nr, sum = 0;

	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("hugetlb 2 MiB"), 4 * MIB), 0);
	for (size_t at = 0; at < 2 * MIB; at += 100000)
		assert_int_equal(driver_add(fd, kind_mem.addr + at, 2 * MIB - at < 100000 ?
					    2 * MIB - at : 100000, PT_WRITE | PT_LONGTERM), 0);
	ranges = driver_ranges(fd, 0, &nr);
	first = ranges[0].addr;
	for (size_t i = 0; i < nr; i++, sum += ranges[i - 1].len)
		assert_int_equal(ranges[i].addr, first + sum);
	assert_int_equal(sum, 2 * MIB);
	free(ranges);
	driver_unpin(fd, PT_DIRTY);
	assert_int_equal(fixture_nothing_left(NULL), 0);
	close(fd);
	mem_unmap(&kind_mem);
}

/* Whole pages that touch are one phyr, whichever call appended them. */
static void test_append_merges(void **state)
{
	int fd = driver_open();

	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("hugetlb 2 MiB"), 2 * MIB), 0);
	assert_int_equal(driver_add(fd, kind_mem.addr, MIB, PT_WRITE), 0);
	assert_int_equal(driver_add(fd, kind_mem.addr + MIB, MIB, PT_WRITE), 0);
	check_list(fd, kind_mem.addr, 2 * MIB);
	close(fd);
	mem_unmap(&kind_mem);
}

/* What cannot be appended leaves no trace. */
static void test_append_fails(void **state)
{
	char *addr = anon(64 * PAGE, RW);
	struct phyr_range *before, *after;
	int fd = driver_open();
	size_t nr, nr_after;

	(void)state;
	assert_int_equal(driver_add(fd, addr, 16 * PAGE + 100, PT_WRITE), 0);
	before = driver_ranges(fd, 0, &nr);
	release(addr + 50 * PAGE, PAGE);
	assert_int_equal(driver_add(fd, addr + 16 * PAGE + 100, 40 * PAGE, PT_WRITE), EFAULT);
	assert_int_equal(driver_add(fd, addr + 17 * PAGE, 40 * PAGE, PT_WRITE), EFAULT);
	assert_int_equal(driver_add(fd, addr, 0, 0), EINVAL);
	after = driver_ranges(fd, 0, &nr_after);
	assert_int_equal(nr_after, nr);
	assert_memory_equal(after, before, nr * sizeof(*before));
	assert_int_equal(driver_add(fd, addr + 16 * PAGE + 100, PAGE, PT_WRITE), 0);
	assert_int_equal(driver_bytes(fd, 0), 17 * PAGE + 100);
	close(fd);
	free(before);
	free(after);
	release(addr, 50 * PAGE);
	release(addr + 51 * PAGE, 13 * PAGE);
}

#define KPF_DIRTY	(1ull << 4)

static bool page_dirty(const char *addr)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t flags = 0, pfn = mem_pfn(addr);

	assert_return_code(fd, errno);
	assert_true(pfn);
	assert_int_equal(pread(fd, &flags, 8, (off_t)pfn * 8), 8);
	close(fd);
	return flags & KPF_DIRTY;
}

/* A page of tmpfs that was only read is clean, until someone says otherwise. */
static void check_dirty(unsigned int flags, bool list, bool want)
{
	int fd = driver_open(), file = memfd_create("phyr", MFD_CLOEXEC);
	const size_t len = 4 * PAGE;
	struct pt_pin pin = { .len = len, .nr = 8 };
	volatile char *addr;

	assert_int_equal(ftruncate(file, (off_t)len), 0);
	addr = mmap(NULL, len, PROT_READ, MAP_SHARED, file, 0);
	for (size_t i = 0; i < len; i += PAGE)
		(void)addr[i];
	pin.addr = (uintptr_t)addr;
	assert_false(page_dirty((char *)addr + PAGE));
	assert_int_equal(list ? driver_append(fd, &pin) : driver_array(fd, &pin), 0);
	driver_unpin(fd, flags | (list ? 0 : PT_ARRAY));
	for (size_t i = 0; i < len; i += PAGE)
		assert_int_equal(page_dirty((char *)addr + i), want);
	munmap((char *)addr, len);
	close(file);
	close(fd);
}

static void test_dirty(void **state)
{
	(void)state;
	check_dirty(0, false, false);
	check_dirty(0, true, false);
	check_dirty(PT_HALVES, false, false);
	check_dirty(PT_DIRTY, false, true);
	check_dirty(PT_DIRTY, true, true);
	check_dirty(PT_DIRTY | PT_HALVES, false, true);
}

/* What the kernel finds through the list is what the program wrote, and back. */
static void test_copy(void **state)
{
	unsigned char *buf = malloc(MIB);
	char *addr = anon(MIB, RW);
	int fd = driver_open();

	(void)state;
	pattern_fill(addr, MIB, 1);
	assert_int_equal(driver_add(fd, addr, MIB, PT_WRITE), 0);
	assert_int_equal(driver_copy(fd, 0, buf, MIB, 0), 0);
	assert_true(pattern_is(buf, MIB, 1));
	assert_int_equal(driver_copy(fd, 4097, buf, 10000, 0), 0);
	assert_memory_equal(buf, addr + 4097, 10000);
	pattern_fill(buf, MIB, 2);
	assert_int_equal(driver_copy(fd, 0, buf, MIB, PT_WRITE), 0);
	assert_true(pattern_is(addr, MIB, 2));
	assert_int_equal(driver_copy(fd, MIB, buf, 1, 0), ERANGE);
	driver_unpin(fd, PT_DIRTY);
	close(fd);
	release(addr, MIB);
	free(buf);
}

/* Read-only memory is not for a device to write, nor for the kernel. */

static void test_read_only(void **state)
{
	char *addr = anon(MIB, RW);
	struct pt_map map = { .len = MIB };
	int fd = driver_open();

	(void)state;
	assert_int_equal(driver_add(fd, addr, MIB, PT_LONGTERM), 0);
	assert_int_equal(driver_map(fd, &map), 0);
	map.flags = PT_WRITE;
	assert_int_equal(driver_map(fd, &map), EACCES);
	/* a part of it is enough */
	assert_int_equal(driver_add(fd, addr, MIB, PT_LONGTERM | PT_WRITE), 0);
	assert_int_equal(driver_map(fd, &map), EACCES);
	driver_unpin(fd, 0);
	/* and an empty list is not */
	assert_int_equal(driver_add(fd, addr, MIB, PT_LONGTERM | PT_WRITE), 0);
	assert_int_equal(driver_map(fd, &map), 0);
	driver_unpin(fd, PT_DIRTY);
	close(fd);
	release(addr, MIB);
}

/* Another process */

struct other {
	char *addr;
	size_t len;
	int ready[2];
};

static void other_process(void *arg)
{
	struct other *other = arg;

	pattern_fill(other->addr, other->len, 7);
	must(write(other->ready[1], "x", 1) == 1);
	pause();
}

static pid_t other_start(struct other *other)
{
	pid_t pid;
	char byte;

	assert_int_equal(pipe(other->ready), 0);
	pid = child_start(other_process, other);
	assert_int_equal(read(other->ready[0], &byte, 1), 1);
	close(other->ready[0]);
	close(other->ready[1]);
	return pid;
}

static void other_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void check_other(char *addr, size_t len, unsigned int flags)
{
	struct other other = { .addr = addr, .len = len };
	struct pt_pin pin = {
		.addr = (uintptr_t)addr + 100, .len = len - 100, .nr = 3,
		.flags = flags | PT_REMOTE,
	};
	unsigned char *buf = malloc(len);
	int fd = driver_open();

	memset(addr, 0x11, len);
	pin.pid = other_start(&other);
	assert_int_equal(driver_append(fd, &pin), 0);
	assert_int_equal(driver_copy(fd, 0, buf, len - 100, 0), 0);
	for (size_t i = 100; i < len; i++)
		assert_int_equal(buf[i - 100], pattern(i, 7));
	assert_int_equal(addr[200], 0x11);
	assert_int_equal(driver_array(fd, &pin), 0);
	assert_int_equal(driver_bytes(fd, PT_ARRAY), len - 100);
	/* what is pinned stays, though its process does not */
	other_end(pin.pid);
	memset(buf, 0, len);
	assert_int_equal(driver_copy(fd, 0, buf, len - 100, 0), 0);
	assert_int_equal(buf[len - 101], pattern(len - 1, 7));
	driver_unpin(fd, PT_DIRTY);
	driver_unpin(fd, PT_DIRTY | PT_ARRAY);
	assert_int_equal(driver_append(fd, &pin), ESRCH);
	close(fd);
	free(buf);
}

static void check_other_kind(const char *name, size_t len)
{
	assert_int_equal(mem_map(&kind_mem, mem_find(name), len), 0);
	check_other(kind_mem.addr, len, PT_WRITE | PT_LONGTERM);
	check_other(kind_mem.addr, len, 0);
	mem_unmap(&kind_mem);
}

static void test_remote(void **state)
{
	(void)state;
	check_other_kind("4 KiB pages", MIB);
	check_other_kind("THP 2 MiB", 4 * MIB);
	check_other_kind("hugetlb 2 MiB", 4 * MIB);
}

static void check_self(void)
{
	struct pt_pin pin = {
		.addr = (uintptr_t)kind_mem.addr + 9, .len = kind_mem.len - 9, .nr = 512,
		.pid = getpid(), .flags = PT_WRITE | PT_REMOTE,
	};
	int fd = driver_open();
	struct phyr_range *ranges;
	size_t nr;

	/* memory without pages is the caller's decision, not that of who happens to call */
	assert_int_equal(driver_append(fd, &pin), EPERM);
	assert_int_equal(pin.done, 0);
	pin.flags |= PT_PFNMAP;
	assert_int_equal(driver_append(fd, &pin), 0);
	check_list(fd, kind_mem.addr + 9, kind_mem.len - 9);
	assert_int_equal(driver_array(fd, &pin), 0);
	ranges = driver_ranges(fd, PT_ARRAY, &nr);
	layout_check(kind_mem.addr + 9, kind_mem.len - 9, ranges, merge(ranges, nr));
	free(ranges);
	driver_unpin(fd, PT_ARRAY);
	close(fd);
}

static void test_remote_self(void **state)
{
	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("mixed"), mem_find("mixed")->size), 0);
	check_self();
	mem_unmap(&kind_mem);
}

static const struct CMUnitTest others[] = {
	fixture_test(test_limits),
	fixture_test(test_map_long),
	fixture_test(test_map_bad),
	fixture_test(test_bad),
	fixture_test(test_hole),
	fixture_test(test_append_in_page),
	fixture_test(test_append_in_huge_page),
	fixture_test(test_append_merges),
	fixture_test(test_append_fails),
	fixture_test(test_dirty),
	fixture_test(test_copy),
	fixture_test(test_read_only),
	fixture_test(test_remote),
	fixture_test(test_remote_self),
};

static int map_kind(void **state)
{
	const struct mem_kind *kind = *state;

	return fixture_map_kind(kind, size_of(kind));
}

int main(void)
{
	struct CMUnitTest tests[100];
	size_t nr = 0;

	for (size_t i = 0; i < mem_nr_kinds; i++) {
		const struct mem_kind *kind = &mem_kinds[i];

		tests[nr++] = fixture_kind_test("arrays", kind, map_kind, test_short);
		tests[nr++] = fixture_kind_test("longterm arrays", kind, map_kind, test_long);
		tests[nr++] = fixture_kind_test("list", kind, map_kind, test_list);
		tests[nr++] = fixture_kind_test("map", kind, map_kind, test_map);
	}
	memcpy(tests + nr, others, sizeof(others));
	return fixture_run_tests("array", tests, nr + ARRAY_SIZE(others));
}
