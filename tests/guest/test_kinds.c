// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of every kind becomes a region, and what phyr says about it is what
 * the page tables say.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "common/layout.h"

#define SIZE	(16 * MIB)

static unsigned int flags_of(const struct mem_kind *kind)
{
	return kind->read_only ? 0 : PHYR_PIN_WRITE;
}

/* What a mapping that is made of parts needs, or what is enough of another. */
static size_t size_of(const struct mem_kind *kind)
{
	if (!strcmp(kind->name, "mixed") || kind->map == mem_find("one 1 GiB page x5")->map)
		return kind->size;
	if (kind->page > SIZE)
		return kind->page;
	return kind->size < SIZE ? kind->size : SIZE;
}

/* The region's own account of itself, against its ranges. */
static void check_query(int region, const char *addr, size_t len, unsigned int flags,
			const struct phyr_range *ranges, size_t nr)
{
	struct phyr_query query = { .size = sizeof(query) };
	uint64_t kind_bytes[PHYR_KIND_MAX] = { 0 }, histogram[64] = { 0 };
	unsigned int kinds = 0;
	uint64_t largest = 0;

	for (size_t i = 0; i < nr; i++) {
		kind_bytes[ranges[i].kind] += ranges[i].len;
		histogram[63 - __builtin_clzll(ranges[i].len)]++;
		kinds |= 1u << ranges[i].kind;
		if (ranges[i].len > largest)
			largest = ranges[i].len;
	}
	assert_int_equal(phyr_query(dev, region, &query), 0);
	assert_int_equal(query.bytes, len);
	assert_int_equal(query.phyrs, nr);
	assert_int_equal(query.largest, largest);
	assert_int_equal(query.pages, ((uintptr_t)addr % PAGE + len + PAGE - 1) / PAGE);
	assert_int_equal(query.kinds, kinds);
	assert_int_equal(query.flags, flags & PHYR_PIN_WRITE ? PHYR_QUERY_WRITE : 0);
	assert_memory_equal(query.kind_bytes, kind_bytes, sizeof(kind_bytes));
	assert_memory_equal(query.histogram, histogram, sizeof(histogram));
	assert_true(query.metadata_bytes > 0);
	/* little enough: no more than an array of pages would take, beyond the head */
	assert_true(query.metadata_bytes <= 512 + 8 * query.pages);
}

/* Ranges from the middle, a few at a time, are the same ones. */
static void check_resume(int region, const struct phyr_range *ranges, size_t nr)
{
	struct phyr_range some[3];
	uint64_t offset = 0;
	size_t seen = 0;
	ssize_t got;

	while ((got = phyr_ranges(dev, region, offset, some, 3)) > 0) {
		assert_memory_equal(some, ranges + seen, (size_t)got * sizeof(*some));
		for (ssize_t i = 0; i < got; i++)
			offset += some[i].len;
		seen += (size_t)got;
		if (seen > 300)		/* scattered pages: enough is enough */
			return;
	}
	assert_int_equal(got, 0);
	assert_int_equal(seen, nr);
}

static void check_middle(int region, size_t len, const struct phyr_range *ranges, size_t nr)
{
	uint64_t offset = len / 2 + (len > 1), start = 0;
	struct phyr_range got;
	size_t i = 0;

	if (offset >= len)
		return;
	while (start + ranges[i].len <= offset)
		start += ranges[i++].len;
	assert_true(i < nr);
	assert_int_equal(phyr_ranges(dev, region, offset, &got, 1), 1);
	assert_int_equal(got.addr, ranges[i].addr + (offset - start));
	assert_int_equal(got.len, ranges[i].len - (offset - start));
	assert_int_equal(got.kind, ranges[i].kind);
	assert_int_equal(phyr_ranges(dev, region, len, &got, 1), 0);
	assert_int_equal(phyr_ranges(dev, region, ~0ull, &got, 1), 0);
	assert_int_equal(phyr_ranges(dev, region, 0, &got, 0), 0);
}

static struct phyr_range *check_region(const char *addr, size_t len, unsigned int flags, size_t *nr)
{
	long before = fixture_status("VmPin:");
	int region = pin(addr, len, flags);
	struct phyr_range *ranges = layout_ranges(region, nr);

	layout_check(addr, len, ranges, *nr);
	check_query(region, addr, len, flags, ranges, *nr);
	check_resume(region, ranges, *nr);
	check_middle(region, len, ranges, *nr);
	assert_int_equal(fixture_status("VmPin:") - before,
			 ((uintptr_t)addr % PAGE + len + PAGE - 1) / PAGE * 4);
	close(region);
	return ranges;
}

static void check(const char *addr, size_t len, unsigned int flags)
{
	size_t nr;

	free(check_region(addr, len, flags, &nr));
}

/* The kinds of the bytes, which the mapping was made of. */
static void check_kinds(const struct phyr_range *ranges, size_t nr)
{
	uint64_t bytes[PHYR_KIND_MAX] = { 0 }, want[PHYR_KIND_MAX] = { 0 };
	const char *name = kind_mem.kind->name;

	for (size_t i = 0; i < nr; i++)
		bytes[ranges[i].kind] += ranges[i].len;
	if (!strcmp(name, "mixed")) {
		want[PHYR_KIND_PFNMAP] = 4 * MIB;
		want[PHYR_KIND_PMEM] = 4 * MIB;
	} else if (!strcmp(name, "PCI BAR") || !strcmp(name, "hidden RAM")) {
		want[PHYR_KIND_PFNMAP] = kind_mem.len;
	} else if (strstr(name, "pmem")) {
		want[PHYR_KIND_PMEM] = kind_mem.len;
	}
	want[PHYR_KIND_RAM] = kind_mem.len - want[PHYR_KIND_PFNMAP] - want[PHYR_KIND_PMEM];
	assert_memory_equal(bytes, want, sizeof(want));
}

/* Huge pages are few phyrs, memory without pages is one; what was scattered is many. */
static void check_number(size_t nr)
{
	const char *name = kind_mem.kind->name;

	if (!strcmp(name, "4 KiB scattered"))
		assert_true(nr > kind_mem.len / PAGE / 4);
	else if (!strcmp(name, "PCI BAR") || !strcmp(name, "hidden RAM"))
		assert_int_equal(nr, 1);
	else if (kind_mem.kind->page >= 2 * MIB && strcmp(name, "mTHP 64 KiB") &&
		 strcmp(name, "mixed"))
		assert_true(nr <= kind_mem.len / kind_mem.kind->page);
}

/* fsdax: what the kernel refuses stays refused, see test_fsdax(). */
static bool longterm(void)
{
	return !kind_mem.kind->short_only;
}

static void test_whole(void **state)
{
	struct phyr_range *ranges;
	size_t nr;

	(void)state;
	need_kind(kind_mem.kind);
	if (!longterm()) {
		assert_int_equal(phyr_pin(dev, kind_mem.addr, kind_mem.len, PHYR_PIN_WRITE),
				 -EOPNOTSUPP);
		return;
	}
	ranges = check_region(kind_mem.addr, kind_mem.len, flags_of(kind_mem.kind), &nr);
	check_kinds(ranges, nr);
	check_number(nr);
	free(ranges);
}

static void test_parts(void **state)
{
	unsigned int flags = flags_of(kind_mem.kind);
	size_t middle = kind_mem.len / 2;

	(void)state;
	need_kind(kind_mem.kind);
	if (!longterm()) {
		assert_int_equal(phyr_pin(dev, kind_mem.addr + 1, 1, PHYR_PIN_WRITE), -EOPNOTSUPP);
		return;
	}
	check(kind_mem.addr + 123, kind_mem.len - 777, flags);
	check(kind_mem.addr + 123, 1, flags);
	check(kind_mem.addr + kind_mem.len - 1, 1, flags);
	check(kind_mem.addr + middle, PAGE, flags);
	check(kind_mem.addr + middle - 1, 2, flags);
	check(kind_mem.addr + middle - PAGE, 2 * PAGE, flags);
	check(kind_mem.addr + 3 * PAGE, middle, flags);
	check(kind_mem.addr + middle - 5 * PAGE - 1, middle, flags);
	check(kind_mem.addr + PAGE / 2, PAGE, 0);
	check(kind_mem.addr, kind_mem.len - PAGE, 0);
}

/* DAX of a file system, for longer than one operation: refused, even to read. */
static void test_fsdax(void **state)
{
	const struct mem_kind *kind = mem_find("fsdax pmem");

	(void)state;
	assert_int_equal(mem_map(&kind_mem, kind, SIZE), 0);
	assert_int_equal(phyr_pin(dev, kind_mem.addr, kind_mem.len, PHYR_PIN_WRITE), -EOPNOTSUPP);
	assert_int_equal(phyr_pin(dev, kind_mem.addr, kind_mem.len, 0), -EOPNOTSUPP);
	assert_int_equal(mprotect(kind_mem.addr, kind_mem.len, PROT_READ), 0);
	assert_int_equal(phyr_pin(dev, kind_mem.addr, kind_mem.len, 0), -EOPNOTSUPP);
	mem_unmap(&kind_mem);
}

/* Memory that nobody has touched is there afterwards, and zero. */
static void check_absent(char *addr, size_t len, unsigned int flags)
{
	assert_ptr_not_equal(addr, MAP_FAILED);
	assert_int_equal(mem_pfn(addr + len / 2), 0);
	check(addr, len, flags);
	assert_true(mem_pfn(addr + len / 2));
	for (size_t i = 0; i < len; i += PAGE)
		assert_int_equal(addr[i], 0);
	release(addr, len);
}

static void test_absent_anon(void **state)
{
	char *addr;

	(void)state;
	check_absent(anon(2 * MIB, PROT_READ), 2 * MIB, 0);
	addr = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_absent(addr, 4 * MIB, PHYR_PIN_WRITE);
	addr = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_absent(addr, 4 * MIB, 0);
	addr = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	check_absent(addr, 4 * MIB, PHYR_PIN_WRITE);
}

static void test_absent_memfd(void **state)
{
	int fd = memfd_create("phyr", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 4 * MIB), 0);
	check_absent(mmap(NULL, 4 * MIB, RW, MAP_SHARED, fd, 0), 4 * MIB, PHYR_PIN_WRITE);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 4 * MIB), 0);
	check_absent(mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd, 0), 4 * MIB, 0);
	close(fd);
}

static int file_on_ext4(size_t len)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_return_code(fd, errno);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static void test_absent_file(void **state)
{
	int fd = file_on_ext4(MIB);

	(void)state;
	check_absent(mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0), MIB, 0);
	close(fd);
}

/* The kernel keeps writers off pages that a file system has to track. */
static void test_write_shared_file(void **state)
{
	int fd = file_on_ext4(MIB);
	char *addr = mmap(NULL, MIB, RW, MAP_SHARED, fd, 0);

	(void)state;
	assert_ptr_not_equal(addr, MAP_FAILED);
	memset(addr, 1, MIB);
	assert_int_equal(phyr_pin(dev, addr, MIB, PHYR_PIN_WRITE), -EFAULT);
	check(addr, MIB, 0);
	release(addr, MIB);
	close(fd);
}

/* A private mapping gets pages of its own, and the file stays as it was. */
static void test_write_private_file(void **state)
{
	int fd = file_on_ext4(MIB), region;
	char *addr = mmap(NULL, MIB, RW, MAP_PRIVATE, fd, 0), byte;
	uint64_t before;

	(void)state;
	assert_ptr_not_equal(addr, MAP_FAILED);
	assert_int_equal(addr[5 * PAGE], 0);
	before = mem_pfn(addr + 5 * PAGE);
	region = pin(addr, MIB, PHYR_PIN_WRITE);
	assert_int_not_equal(mem_pfn(addr + 5 * PAGE), before);
	addr[5 * PAGE] = 1;
	close(region);
	check(addr + 1, MIB - 1, PHYR_PIN_WRITE);
	assert_int_equal(pread(fd, &byte, 1, 5 * PAGE), 1);
	assert_int_equal(byte, 0);
	release(addr, MIB);
	close(fd);
}

static void test_write_read_only(void **state)
{
	int fd = file_on_ext4(MIB);
	char *addr = anon(MIB, RW);
	char *file = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE, fd, 0);

	(void)state;
	assert_ptr_not_equal(file, MAP_FAILED);
	assert_int_equal(mprotect(addr, MIB, PROT_READ), 0);
	assert_int_equal(phyr_pin(dev, addr, MIB, PHYR_PIN_WRITE), -EFAULT);
	assert_int_equal(phyr_pin(dev, file, MIB, PHYR_PIN_WRITE), -EFAULT);
	check(addr, MIB, 0);
	check(file, MIB, 0);
	release(addr, MIB);
	release(file, MIB);
	close(fd);
}

/* Two regions of the same memory, and one within another. */
static void test_twice(void **state)
{
	char *addr = anon(4 * MIB, RW);
	int a, b, c;

	(void)state;
	a = pin(addr, 4 * MIB, PHYR_PIN_WRITE);
	b = pin(addr, 4 * MIB, 0);
	c = pin(addr + 5000, MIB, PHYR_PIN_WRITE);
	close(a);
	check(addr, 4 * MIB, PHYR_PIN_WRITE);
	close(c);
	close(b);
	release(addr, 4 * MIB);
}

static const struct CMUnitTest others[] = {
	fixture_test(test_fsdax),
	fixture_test(test_absent_anon),
	fixture_test(test_absent_memfd),
	fixture_test(test_absent_file),
	fixture_test(test_write_shared_file),
	fixture_test(test_write_private_file),
	fixture_test(test_write_read_only),
	fixture_test(test_twice),
};

static int map_kind(void **state)
{
	const struct mem_kind *kind = *state;

	return fixture_map_kind(kind, size_of(kind));
}

int main(void)
{
	struct CMUnitTest tests[64];
	size_t nr = 0;

	for (size_t i = 0; i < mem_nr_kinds; i++) {
		tests[nr++] = fixture_kind_test("whole", &mem_kinds[i], map_kind, test_whole);
		tests[nr++] = fixture_kind_test("parts", &mem_kinds[i], map_kind, test_parts);
	}
	memcpy(tests + nr, others, sizeof(others));
	return fixture_run_tests("kinds", tests, nr + ARRAY_SIZE(others));
}
