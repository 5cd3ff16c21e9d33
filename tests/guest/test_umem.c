// SPDX-License-Identifier: GPL-2.0-only
/*
 * ib_umem by phyrs, for a device that does DMA: what its driver is given has an
 * entry a phyr, and DMA addresses that lead to the memory. The driver is
 * /dev/phyr_umem, the device is edu (kmod/umem.c).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "common/edu.h"
#include "common/rdma.h"
#include "kmod/umem_ioctl.h"

#define PLACES	3000u
#define ALL	RDMA_ALL

static int umem = -1;

static bool by_phyrs(void)
{
	return !getenv("RDMA_STOCK");
}

static int get(const void *addr, size_t len, int access, struct umem_get *out)
{
	out->addr = (uintptr_t)addr;
	out->len = len;
	out->access = (uint32_t)access;
	return ioctl(umem, UMEM_IOC_GET, out) ? errno : 0;
}

static int put(void)
{
	return ioctl(umem, UMEM_IOC_PUT) ? errno : 0;
}

static int copy(uint64_t offset, void *buf, size_t len)
{
	struct umem_copy arg = { .offset = offset, .len = len, .buf = (uintptr_t)buf };

	return ioctl(umem, UMEM_IOC_COPY, &arg) ? errno : 0;
}

static int open_all(void **state)
{
	(void)state;
	umem = open("/dev/phyr_umem", O_RDWR | O_CLOEXEC);
	return umem < 0 ? -1 : 0;
}

static int close_all(void **state)
{
	close(umem);
	if (by_phyrs())
		assert_int_equal(rdma_regions(), 0);
	return fixture_nothing_left(state);
}

#define umem_test(f)	{ #f, f, open_all, close_all, NULL }

/* The third line of a PCI device's "resource" is about the BAR of "resource2". */
static uint64_t bar_base(const char *bar)
{
	unsigned long long base = 0;
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%.*s", (int)(strlen(bar) - 1), bar);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*x %*x %*x %*x %*x %*x %llx", &base), 1);
	fclose(f);
	return base;
}

/*
 * Memory without pages, of which the page map says nothing: a mapped BAR, or
 * hidden memory through /dev/mem or phyr_test. The offset of the mapping is the address.
 */
static uint64_t bar_phys(const char *addr)
{
	unsigned long begin, end, offset;
	char line[400], path[300];
	uint64_t phys = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (!phys && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %299s", &begin, &end, &offset, path) != 4)
			continue;
		if ((uintptr_t)addr < begin || (uintptr_t)addr >= end)
			continue;
		if (strcmp(path, "/dev/mem") && strcmp(path, "/dev/phyr_test")) {
			assert_non_null(strstr(path, "/resource2"));
			assert_in_range(offset, bar_base(path), bar_base(path) + 64 * MIB);
		}
		phys = offset + ((uintptr_t)addr - begin);
	}
	fclose(f);
	assert_int_not_equal(phys, 0);
	return phys;
}

/* Where the page table says that a byte is. */
static struct umem_place place_of(const char *addr, uint64_t offset)
{
	const char *at = addr + offset;
	uint64_t pfn = mem_pfn(at);

	return (struct umem_place){
		.offset = offset,
		.phys = pfn ? pfn * PAGE + ((uintptr_t)at & (PAGE - 1)) : bar_phys(at),
	};
}

/* The device finds bytes all over the memory, its ends, and not past them. */
static void check_places(const char *addr, size_t len)
{
	struct umem_place *places = calloc(PLACES, sizeof(*places));
	/* each is looked for from the beginning of the table: that takes time */
	size_t step = len / (getenv("PHYR_DEBUG") ? PLACES / 20 : PLACES - 4);
	struct umem_check check = { .places = (uintptr_t)places };
	uint32_t nr = 0;

	assert_non_null(places);
	if (step < PAGE / 2)
		step = PAGE / 2;
	for (size_t at = 0; at < len; at += step + 1)
		places[nr++] = place_of(addr, at);
	places[nr++] = place_of(addr, len - 1);
	check.nr = nr;
	assert_int_equal(ioctl(umem, UMEM_IOC_CHECK, &check), 0);
	if (check.wrong != nr)
		fail_msg("byte %#llx is at %#llx, and the device finds it at %#llx",
			 places[check.wrong].offset, places[check.wrong].phys, check.found);

	/* not any address would do */
	places[0].phys ^= PAGE;
	assert_int_equal(ioctl(umem, UMEM_IOC_CHECK, &check), 0);
	assert_int_equal(check.wrong, 0);
	free(places);
}

/* ib_umem_copy_from() */
static void check_copy(const char *addr, size_t len)
{
	const size_t n = len < 20000 ? len : 20000;
	const size_t at[] = { 0, 1, len / 2 - n / 2 + 5, len - n };
	char *buf = malloc(n);

	assert_non_null(buf);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		size_t part = n < len - at[i] ? n : len - at[i];

		if (at[i] > len)
			continue;
		memset(buf, 0xee, n);
		assert_int_equal(copy(at[i], buf, part), 0);
		assert_memory_equal(buf, addr + at[i], part);
	}
	assert_int_equal(copy(len - 10, buf, 11), EINVAL);
	assert_int_equal(copy(len + 1, buf, 0), EINVAL);
	free(buf);
}

/* Entries that the phyrs of the same memory make, and those without pages. */
static void expect_entries(const void *addr, size_t len, bool read_only, uint64_t max,
			   uint64_t *entries, uint64_t *pageless)
{
	char *first = (char *)((uintptr_t)addr & ~(PAGE - 1));
	char *last = (char *)(((uintptr_t)addr + len + PAGE - 1) & ~(PAGE - 1));
	const size_t step = 1024;
	struct phyr_range *ranges = calloc(step, sizeof(*ranges));
	int region = pin(first, (size_t)(last - first), read_only ? 0 : PHYR_PIN_WRITE);
	uint64_t done = 0;
	ssize_t got;

	assert_non_null(ranges);
	*entries = 0;
	*pageless = 0;
	while ((got = phyr_ranges(dev, region, done, ranges, step)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			uint64_t n = (ranges[i].len + max - 1) / max;

			*entries += n;
			if (ranges[i].kind == PHYR_KIND_PFNMAP)
				*pageless += n;
			done += ranges[i].len;
		}
	}
	assert_int_equal(got, 0);
	free(ranges);
	close(region);
}

/*
 * A driver that is not asked cannot stop its device when such memory goes, so it
 * takes an IOMMU, and a kernel that keeps its addresses.
 */
static bool pageless_refused(void)
{
	struct phyr_info info = { .size = sizeof(info) };

	assert_int_equal(phyr_info(dev, &info), 0);
	return !info.iova || !edu_translated();
}

static bool has_pages(const struct mem_kind *kind)
{
	return kind->struct_page && strcmp(kind->name, "mixed");
}

/* True if there is nothing more to see: the refusal was checked. */
static bool refused(const struct mem *mem)
{
	struct umem_get out = { 0 };

	if (has_pages(mem->kind) || !pageless_refused())
		return false;
	assert_int_equal(get(mem->addr, mem->len, ALL, &out), EOPNOTSUPP);
	assert_int_equal(fixture_status("VmPin:"), 0);
	return true;
}

/* The longest entry, of whole pages: of what the device takes, or of 32 bits. */
static uint64_t longest(uint32_t max_seg)
{
	return (max_seg ? max_seg : UINT32_MAX) / PAGE * PAGE;
}

static void check_umem(const char *addr, size_t len, bool read_only, uint32_t max_seg)
{
	struct umem_get out = { .max_seg = max_seg };
	size_t pages = ((uintptr_t)addr % PAGE + len + PAGE - 1) / PAGE;
	uint64_t entries, pageless;
	int error;

	error = get(addr, len, read_only ? IBV_ACCESS_REMOTE_READ : ALL, &out);
	if (error)
		fail_msg("ib_umem_get_va of %zu bytes: %s", len, strerror(error));
	assert_int_equal(out.bytes, pages * PAGE);
	assert_int_equal(fixture_status("VmPin:"), pages * PAGE / 1024);
	assert_true(out.page_size >= PAGE);
	assert_int_equal(out.blocks, out.blocks_due);
	check_places(addr, len);
	check_copy(addr, len);
	if (by_phyrs())
		assert_int_equal(rdma_regions(), !!out.pageless);
	assert_int_equal(put(), 0);
	assert_int_equal(fixture_status("VmPin:"), 0);

	if (!by_phyrs())
		return;
	expect_entries(addr, len, read_only, longest(max_seg), &entries, &pageless);
	/* without pages, the table is cut where the device's segments are, too */
	assert_in_range(out.entries, entries, entries + (pageless ? out.dma_entries : 0));
	assert_in_range(out.pageless, pageless, pageless + (pageless ? out.dma_entries : 0));
	assert_true(out.dma_entries <= out.entries);
	print_message("#   %u entries, %u of them for the device, page size %llu KiB\n",
		      out.entries, out.dma_entries, out.page_size / 1024);
}

static size_t size_of(const struct mem_kind *kind)
{
	bool whole = kind->page == GIB || !strcmp(kind->name, "mixed");

	if (!getenv("PHYR_DEBUG") || whole || kind->size < 32 * MIB)
		return kind->size;
	return 32 * MIB;
}

static void test_every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < mem_nr_kinds; i++) {
		const struct mem_kind *kind = &mem_kinds[i];
		struct mem mem;

		if (kind->short_only || (!by_phyrs() && !has_pages(kind)))
			continue;
		assert_return_code(mem_map(&mem, kind, size_of(kind)), errno);
		print_message("# %s, %zu MiB\n", kind->name, mem.len >> 20);
		if (!refused(&mem))
			check_umem(mem.addr, mem.len, kind->read_only, 0);
		mem_unmap(&mem);
	}
}

/* Memory that begins and ends inside a page. */
static void test_odd_ends(void **state)
{
	static const char *const names[] = { "4 KiB scattered", "THP 2 MiB", "PCI BAR", "mixed" };
	struct mem mem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct mem_kind *kind = mem_find(names[i]);

		if (!by_phyrs() && !has_pages(kind))
			continue;
		assert_return_code(mem_map(&mem, kind, 28 * MIB), errno);
		print_message("# %s\n", kind->name);
		if (!refused(&mem)) {
			check_umem(mem.addr + 123, mem.len - 4000, false, 0);
			check_umem(mem.addr + PAGE - 1, 2, false, 0);
		}
		mem_unmap(&mem);
	}
}

/* A device that takes short segments only. */
static void test_short_segments(void **state)
{
	static const char *const names[] = { "4 KiB pages", "THP 2 MiB", "hugetlb 1 GiB", "mixed",
					     "PCI BAR" };
	struct mem mem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct mem_kind *kind = mem_find(names[i]);
		size_t len = kind->page == GIB ? GIB : 28 * MIB;

		if (!by_phyrs() && !has_pages(kind))
			continue;
		assert_return_code(mem_map(&mem, kind, len), errno);
		print_message("# %s\n", kind->name);
		if (!refused(&mem)) {
			check_umem(mem.addr, mem.len, false, 64 * KIB);
			check_umem(mem.addr, mem.len, false, 5 * PAGE + 512);
		}
		mem_unmap(&mem);
	}
}

/* A confidential guest's device that bounces. */
static void check_bouncing(char *mem)
{
	struct umem_get out = { .bounce = 1 };
	int error = get(mem, PAGE, ALL, &out);

	if (error == ENOTTY)
		print_message("# this kernel knows no RDMA devices that bounce\n");
	else
		assert_int_equal(error, EOPNOTSUPP);
	out.bounce = 0;
	assert_int_equal(get(mem, PAGE, ALL, &out), 0);
	assert_int_equal(put(), 0);
}

static void test_refused(void **state)
{
	char *mem = anon(8 * PAGE, RW), *ro = anon(4 * PAGE, PROT_READ);
	struct umem_get out = { 0 };
	struct mem bar;

	(void)state;
	assert_int_equal(get(mem, 0, ALL, &out), EINVAL);
	assert_int_equal(get((void *)-8192ul, 16384, ALL, &out), EINVAL);
	assert_int_equal(get(mem, 1ul << 60, ALL, &out), EINVAL);
	assert_int_equal(get(NULL, PAGE, ALL, &out), EFAULT);
	assert_int_equal(get(ro, 4 * PAGE, ALL, &out), EFAULT);
	assert_int_equal(get(ro, 4 * PAGE, IBV_ACCESS_REMOTE_READ, &out), 0);
	assert_int_equal(put(), 0);
	assert_return_code(munmap(mem + 4 * PAGE, PAGE), errno);
	assert_int_equal(get(mem, 8 * PAGE, ALL, &out), EFAULT);
	assert_int_equal(get(mem, PAGE, ALL | IBV_ACCESS_ON_DEMAND, &out), EOPNOTSUPP);
	check_bouncing(mem);
	assert_int_equal(get(mem, PAGE, ALL | IBV_ACCESS_RELAXED_ORDERING, &out), 0);
	assert_int_equal(put(), 0);
	if (by_phyrs()) {
		/* no segment has room for a page: the stock kernel warns */
		out.max_seg = 2048;
		assert_int_equal(get(mem, PAGE, ALL, &out), EINVAL);
		assert_return_code(mem_map(&bar, mem_find("PCI BAR"), MIB), errno);
		assert_int_equal(get(bar.addr, PAGE, ALL, &out), EINVAL);
		mem_unmap(&bar);
	}
	assert_int_equal(fixture_status("VmPin:"), 0);
	release(ro, 4 * PAGE);
	release(mem, 4 * PAGE);
	release(mem + 5 * PAGE, 3 * PAGE);
}

/* In a child: what it gives up it does not get back. */
static void limited(void *arg)
{
	struct rlimit limit = { .rlim_cur = 64 * PAGE, .rlim_max = 64 * PAGE };
	struct umem_get out = { 0 };
	char *mem = arg;

	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
	become_nobody();
	must(get(mem, 1ul << 60, ALL, &out) == EINVAL);
	must(get(mem, 65 * PAGE, ALL, &out) == ENOMEM);
	must(get(mem + 1, 64 * PAGE, ALL, &out) == ENOMEM);
	must(!get(mem, 64 * PAGE, ALL, &out));
	must(!put());
}

static void test_memlock(void **state)
{
	char *mem = anon(70 * PAGE, RW);

	(void)state;
	child_run(limited, mem);
	release(mem, 70 * PAGE);
}

/* Memory without pages is for those who may have it. */
static void pageless_nobody(void *arg)
{
	struct umem_get out = { 0 };
	struct mem *mem = arg;

	become_nobody();
	must(get(mem->addr, PAGE, ALL, &out) == (by_phyrs() ? EPERM : EFAULT));
}

static void test_pageless_nobody(void **state)
{
	struct mem mem;

	(void)state;
	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), MIB), errno);
	child_run(pageless_nobody, &mem);
	mem_unmap(&mem);
}

/* When the mapping goes, the IOMMU has nothing any more where the memory was. */
static void test_revoked(void **state)
{
	struct umem_get out = { 0 };
	struct umem_place place;
	struct umem_check check = { .places = (uintptr_t)&place, .nr = 1 };
	struct mem mem;

	(void)state;
	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), MIB), errno);
	if (!refused(&mem)) {
		assert_int_equal(get(mem.addr, mem.len, ALL, &out), 0);
		place = place_of(mem.addr, MIB / 2);
		assert_int_equal(ioctl(umem, UMEM_IOC_CHECK, &check), 0);
		assert_int_equal(check.wrong, 1);
		release(mem.addr, PAGE);
		assert_int_equal(ioctl(umem, UMEM_IOC_CHECK, &check), 0);
		assert_int_equal(check.wrong, 0);
		assert_int_equal(check.found, 0);
		assert_int_equal(put(), 0);
	}
	mem_unmap(&mem);
}

/*
 * dma-bufs: importers as ib_core has them for its drivers, which pin or can be notified, and
 * cut the table that they are given to what they want of it.
 */

static int take(int region, uint64_t offset, size_t len, unsigned int how)
{
	struct umem_dmabuf arg = {
		.offset = offset, .len = len, .fd = region, .how = how, .access = ALL,
	};

	return ioctl(umem, UMEM_IOC_DMABUF, &arg) ? errno : 0;
}

static int remap(void)
{
	return ioctl(umem, UMEM_IOC_REMAP) ? errno : 0;
}

static void check_taken(int region, const char *addr, size_t len, unsigned int how)
{
	static const size_t edges[] = { 0, PAGE, 3 * PAGE };

	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		size_t n = len - 2 * edges[i];

		assert_int_equal(take(region, edges[i], n, how), 0);
		check_places(addr + edges[i], n);
		assert_int_equal(remap(), 0);
		assert_int_equal(put(), 0);
	}
	assert_int_equal(take(region, 0, len + PAGE, how), EINVAL);
}

static void test_dmabuf(void **state)
{
	static const char *const kinds[] = {
		"4 KiB scattered", "THP 2 MiB", "hugetlb 1 GiB", "devdax pmem",
	};
	struct mem mem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct mem_kind *kind = mem_find(kinds[i]);
		int region;

		assert_return_code(mem_map(&mem, kind, kind->page == GIB ? GIB : 4 * MIB), errno);
		region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
		for (unsigned int how = UMEM_DYNAMIC; how <= UMEM_REVOCABLE; how++)
			check_taken(region, mem.addr, mem.len, how);
		close(region);
		mem_unmap(&mem);
	}
}

/* Memory that may be revoked is for importers that can be notified. */
static void check_taken_away(unsigned int how, int again)
{
	struct umem_place place = { .offset = 0 };
	struct umem_check check = { .places = (uintptr_t)&place, .nr = 1 };
	struct mem mem;
	int region;

	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), MIB), errno);
	region = pin(mem.addr, MIB, PHYR_PIN_WRITE);
	assert_int_equal(take(region, 0, MIB, how), 0);
	check_places(mem.addr, MIB);
	mem_unmap(&mem);
	assert_int_equal(ioctl(umem, UMEM_IOC_CHECK, &check), 0);
	assert_int_equal(check.found, 0);
	assert_int_equal(remap(), again);
	assert_int_equal(put(), 0);
	assert_int_equal(take(region, 0, MIB, how), ENODEV);
	close(region);
}

static void check_not_taken(unsigned int how)
{
	struct mem mem;
	int region;

	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), MIB), errno);
	region = pin(mem.addr, MIB, PHYR_PIN_WRITE);
	assert_int_equal(take(region, 0, MIB, how), EOPNOTSUPP);
	mem_unmap(&mem);
	close(region);
}

/* Before Linux 7.0 those that pin look all the same. */
static bool pins_alike(void)
{
	struct utsname name;

	assert_return_code(uname(&name), errno);
	return strtol(name.release, NULL, 10) < 7;
}

static void test_dmabuf_revoked(void **state)
{
	(void)state;
	check_taken_away(UMEM_DYNAMIC, ENODEV);
	check_not_taken(UMEM_PINNED);
	if (pins_alike())
		check_not_taken(UMEM_REVOCABLE);
	else
		check_taken_away(UMEM_REVOCABLE, EINVAL);
}

/* What has pages needs the module no more; what has none keeps it there. */
static void test_unload(void **state)
{
	struct umem_get out = { 0 };
	struct mem mem;

	(void)state;
	assert_return_code(mem_map(&mem, mem_find("THP 2 MiB"), 8 * MIB), errno);
	assert_int_equal(get(mem.addr, mem.len, ALL, &out), 0);
	assert_int_equal(rdma_unload(), 0);
	check_places(mem.addr, mem.len);
	check_copy(mem.addr, mem.len);
	assert_int_equal(put(), 0);
	/* and the other way round */
	assert_int_equal(get(mem.addr, mem.len, ALL, &out), 0);
	assert_int_equal(rdma_load(), 0);
	check_places(mem.addr, mem.len);
	check_copy(mem.addr, mem.len);
	assert_int_equal(put(), 0);
	mem_unmap(&mem);

	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), MIB), errno);
	if (refused(&mem)) {
		mem_unmap(&mem);
		return;
	}
	assert_int_equal(get(mem.addr, mem.len, ALL, &out), 0);
	assert_int_not_equal(rdma_unload(), 0);
	check_places(mem.addr, mem.len);
	/* a file that goes with it */
	close(umem);
	assert_int_equal(rdma_regions(), 0);
	umem = open("/dev/phyr_umem", O_RDWR | O_CLOEXEC);
	assert_return_code(umem, errno);
	mem_unmap(&mem);
}

/* test_umem [PATTERN]; RDMA_STOCK=1: what the kernel's own ib_umem has to do alike */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		umem_test(test_every_kind),
		umem_test(test_odd_ends),
		umem_test(test_short_segments),
		umem_test(test_refused),
		umem_test(test_memlock),
		umem_test(test_pageless_nobody),
		umem_test(test_dmabuf),
		umem_test(test_dmabuf_revoked),
		umem_test(test_revoked),
		umem_test(test_unload),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (system("modprobe phyr_umem_test") || rdma_load())
		return 1;
	/* the last two are about what stock code has not */
	failed = fixture_run_tests("umem", tests, ARRAY_SIZE(tests) - (by_phyrs() ? 0 : 2));
	rdma_unload();
	if (system("rmmod phyr_umem_test"))
		return 1;
	return failed;
}
