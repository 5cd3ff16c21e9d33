// SPDX-License-Identifier: GPL-2.0-only
/*
 * A foreign dma-buf becomes a region: its phyrs are where its memory is, and
 * whatever a region can do, an imported one can.
 */
#define _GNU_SOURCE
#include <drm/drm.h>
#include <drm/vgem_drm.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/edu.h"
#include "common/exporters.h"
#include "common/importers.h"
#include "common/layout.h"

#define SIZE	(128 * PAGE)
#define HUGE	(2 * MIB)
#define ALL	(PHYR_ACCESS_READ | PHYR_ACCESS_WRITE)

static struct mem mem;

static int import(int buf, uint64_t offset, uint64_t len, unsigned int flags)
{
	int region = phyr_import(dev, buf, offset, len, flags);

	if (region < 0)
		fail_msg("phyr_import of %#llx + %#llx: %s", (unsigned long long)offset,
			 (unsigned long long)len, strerror(-region));
	return region;
}

static struct phyr_query query(int region)
{
	struct phyr_query q = { .size = sizeof(q) };

	assert_int_equal(phyr_query(dev, region, &q), 0);
	return q;
}

static struct phyr_info info(void)
{
	struct phyr_info i = { .size = sizeof(i) };

	assert_int_equal(phyr_info(dev, &i), 0);
	return i;
}

static int map_refused(int region, size_t len, int prot, int flags, off_t offset)
{
	char *addr = mmap(NULL, len, prot, flags, region, offset);

	if (addr == MAP_FAILED)
		return errno;
	release(addr, len);
	return 0;
}

/* Exporters */

/* vgem's node, or the test is skipped. */
static int vgem_begin(void)
{
	if (!importer_load(VGEM)) {
		print_message("# this kernel has no vgem\n");
		skip();
	}
	return vgem_open();
}

static void vgem_close(int drm)
{
	close(drm);
	assert_int_equal(system("modprobe -r vgem"), 0);
}

/* What is true of every import */

/* What the kernel says of @addr is what @region is made of. */
static void check_layout(int region, const char *addr, size_t len)
{
	struct phyr_query q = query(region);
	struct phyr_range *ranges;
	size_t nr;

	ranges = layout_ranges(region, &nr);
	layout_check(addr, len, ranges, nr);
	assert_int_equal(q.bytes, len);
	assert_int_equal(q.phyrs, nr);
	assert_int_equal(q.pages, ((uintptr_t)addr % PAGE + len + PAGE - 1) / PAGE);
	assert_int_equal(lseek(region, 0, SEEK_END), len);
	free(ranges);
}

static void check_mapping(int region, char *addr, size_t len)
{
	char *map = map_shared(region, len, RW, 0);

	assert_int_equal(phyr_begin_access(region, ALL), 0);
	for (size_t at = 3; at < len; at += 5 * PAGE + 100) {
		addr[at] = (char)(at / PAGE + 1);
		assert_int_equal(map[at], addr[at]);
		map[at + 1] = (char)(at / PAGE + 2);
		assert_int_equal(addr[at + 1], map[at + 1]);
	}
	map[len - 1] = 0x3e;
	assert_int_equal(addr[len - 1], 0x3e);
	assert_int_equal(phyr_end_access(region, ALL), 0);
	release(map, len);
}

/* Importers get whole pages; a driver that takes the list gets any bytes. */
static bool whole_pages(const char *addr, size_t len)
{
	return (uintptr_t)addr % PAGE == 0 && len % PAGE == 0;
}

/* A driver that wants phyrs, and one that wants a dma-buf. */
static void check_device(int region, char *addr, size_t len)
{
	int edu = edu_open();

	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	edu_check(edu, 0, addr, 64);
	edu_check(edu, len - 64, addr + len - 64, 64);
	assert_int_equal(edu_unmap(edu), 0);
	if (whole_pages(addr, len)) {
		assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	} else {
		assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), EINVAL);
		assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	}
	edu_check(edu, len / 2 + 1, addr + len / 2 + 1, 64);
	assert_int_equal(phyr_begin_access(region, ALL), 0);
	pattern_fill(addr, 64, 9);
	assert_int_equal(phyr_end_access(region, ALL), 0);
	edu_check_peek(edu, 0, addr, 64);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
}

static void check_vmap(int region, char *addr, size_t len)
{
	int driver = driver_open();
	char bytes[300];

	assert_int_equal(driver_vmap(driver, region, len - sizeof(bytes), bytes, sizeof(bytes), 0),
			 0);
	assert_memory_equal(bytes, addr + len - sizeof(bytes), sizeof(bytes));
	memset(bytes, 0x4d, sizeof(bytes));
	assert_int_equal(driver_vmap(driver, region, 1, bytes, sizeof(bytes), PT_WRITE), 0);
	assert_memory_equal(bytes, addr + 1, sizeof(bytes));
	close(driver);
}

/* All of @buf, of which @addr is a mapping: the same bytes, by whatever way. */
static void check_import(int buf, char *addr, size_t len)
{
	int region = import(buf, 0, 0, PHYR_PIN_WRITE);
	struct phyr_query q = query(region);

	assert_int_equal(q.flags, PHYR_QUERY_WRITE);
	assert_int_equal(q.bytes, len);
	assert_int_equal(q.pages, len / PAGE);
	assert_int_equal(fcntl(region, F_GETFD), FD_CLOEXEC);
	check_mapping(region, addr, len);
	check_device(region, addr, len);
	check_vmap(region, addr, len);
	close(region);
}

/* udmabuf: where its memory is can be known */

static void test_udmabuf(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, 2 * HUGE, 0), region = import(buf, 0, 0, PHYR_PIN_WRITE);

	(void)state;
	check_layout(region, addr, 2 * HUGE);
	assert_int_equal(query(region).kinds, 1 << PHYR_KIND_RAM);
	close(region);
	check_import(buf, addr, 2 * HUGE);
	close(buf);
	release(addr, 2 * HUGE);
}

/*
 * Before Linux 6.16, which has ranges of DMA addresses as well, udmabuf shows the kernel
 * the first part of a huge page in place of all others. That is not to be believed. The
 * CPU's access is not announced here: udmabuf then maps for a device of its own, and
 * says that this takes no more than 64 KiB at once, to which DMA-API debugging objects.
 */
static void test_udmabuf_huge(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, 2 * HUGE, MFD_HUGETLB), region;

	(void)state;
	if (info().iova) {
		region = import(buf, 0, 0, PHYR_PIN_WRITE);
		check_layout(region, addr, 2 * HUGE);
		check_vmap(region, addr, 2 * HUGE);
		close(region);
	} else {
		assert_int_equal(phyr_import(dev, buf, HUGE + PAGE, PAGE, 0), -EOPNOTSUPP);
	}
	close(buf);
	release(addr, 2 * HUGE);
}

static void test_slices(void **state)
{
	const struct {
		uint64_t offset;
		uint64_t len;
	} slices[] = {
		{ 0, 1 }, { 1, PAGE }, { PAGE - 1, 2 }, { 5 * PAGE + 7, 0 }, { SIZE - 1, 0 },
		{ SIZE - 1, 1 }, { 3 * PAGE, 17 * PAGE }, { 100, SIZE - 200 }, { PAGE, 0 },
	};
	char *addr, bytes[20], *expected;
	int driver = driver_open();
	int buf = udmabuf(&addr, SIZE, 0), edu = edu_open();

	(void)state;
	pattern_fill(addr, SIZE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(slices); i++) {
		uint64_t len = slices[i].len ? slices[i].len : SIZE - slices[i].offset;
		size_t some = len < sizeof(bytes) ? len : sizeof(bytes);
		int region = import(buf, slices[i].offset, slices[i].len, PHYR_PIN_WRITE);

		expected = addr + slices[i].offset;
		check_layout(region, expected, len);
		assert_int_equal(driver_vmap(driver, region, len - some, bytes, some, 0), 0);
		assert_memory_equal(bytes, expected + len - some, some);
		assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE),
				 whole_pages(expected, len) ? 0 : EINVAL);
		edu_unmap(edu);
		assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
		edu_check(edu, len - some, expected + len - some, some);
		assert_int_equal(edu_unmap(edu), 0);
		close(region);
	}
	close(edu);
	close(driver);
	close(buf);
	release(addr, SIZE);
}

/*
 * A mapping does not keep every exporter's buffer where it is: it is attached as well,
 * and pinned if it can be moved.
 */
static bool may_be_static(void)
{
	unsigned int major, minor;
	struct utsname name;
	int n;

	assert_return_code(uname(&name), errno);
	n = sscanf(name.release, "%u.%u", &major, &minor);
	assert_int_equal(n, 2);
	return major > 7 || (major == 7 && minor >= 1);
}

static void check_held(int driver, int buf, unsigned int pinned, unsigned int nr)
{
	struct pt_dmabuf state = driver_export_state(driver, buf);

	/* An importer that could not stop does not say that it can, where it need not. */
	assert_int_equal(state.revocable, pinned && !may_be_static() ? nr : 0);
	assert_int_equal(state.attached, nr);
	assert_int_equal(state.pinned, pinned * nr);
	assert_int_equal(state.mapped, nr != 0);
}

static void test_held_in_place(void **state)
{
	static const unsigned int flags[] = { PT_WRITE, PT_WRITE | PT_MOVABLE, PT_MOVABLE, 0 };
	int driver = driver_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int buf = driver_export(driver, SIZE, flags[i]), a, b, c;
		unsigned int pinned = !!(flags[i] & PT_MOVABLE);

		check_held(driver, buf, pinned, 0);
		a = import(buf, PAGE, 2 * PAGE, flags[i] & PT_WRITE ? PHYR_PIN_WRITE : 0);
		check_held(driver, buf, pinned, 1);
		b = import(buf, 0, 0, 0);
		c = import(a, PAGE, PAGE, 0);
		check_held(driver, buf, pinned, 3);
		close(a);
		check_held(driver, buf, pinned, 2);
		close(b);
		check_held(driver, buf, pinned, 1);
		close(c);
		check_held(driver, buf, pinned, 0);
		if (!(flags[i] & PT_WRITE))
			assert_int_equal(phyr_import(dev, buf, 0, 0, PHYR_PIN_WRITE), -EACCES);
		assert_int_equal(phyr_import(dev, buf, 0, SIZE + 1, 0), -EINVAL);
		check_held(driver, buf, pinned, 0);
		close(buf);
	}
	close(driver);
}

/* Only whole pages, only of the slice. */
static void test_mapping_of_slices(void **state)
{
	char *addr, *map;
	int buf = udmabuf(&addr, SIZE, 0), region, odd;

	(void)state;
	region = import(buf, 4 * PAGE, 8 * PAGE, PHYR_PIN_WRITE);
	check_mapping(region, addr + 4 * PAGE, 8 * PAGE);
	map = map_shared(region, 2 * PAGE, RW, 6 * PAGE);
	addr[11 * PAGE] = 0x21;
	assert_int_equal(map[PAGE], 0x21);
	assert_int_equal(map_refused(region, 9 * PAGE, RW, MAP_SHARED, 0), EINVAL);
	assert_int_equal(map_refused(region, 2 * PAGE, RW, MAP_SHARED, 7 * PAGE), EINVAL);
	assert_int_equal(map_refused(region, PAGE, RW, MAP_PRIVATE, 0), EINVAL);
	/* not even afterwards */
	assert_ptr_equal(mremap(map, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_int_equal(errno, EFAULT);
	odd = import(buf, 1, PAGE, PHYR_PIN_WRITE);
	assert_int_equal(map_refused(odd, PAGE, RW, MAP_SHARED, 0), EINVAL);
	close(odd);
	odd = import(buf, 0, PAGE + 1, PHYR_PIN_WRITE);
	assert_int_equal(map_refused(odd, PAGE, RW, MAP_SHARED, 0), EINVAL);
	close(odd);
	close(buf);
	close(region);
	/* the mapping holds all that is behind it */
	addr[10 * PAGE] = 0x22;
	assert_int_equal(map[0], 0x22);
	assert_int_equal(info().regions, 1);
	release(map, 2 * PAGE);
	release(addr, SIZE);
}

/* Nobody has it but the region. */
static void test_source_closed(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0), region = import(buf, PAGE, 0, PHYR_PIN_WRITE), edu;
	char *map;

	(void)state;
	pattern_fill(addr + PAGE, SIZE - PAGE, 2);
	close(buf);
	release(addr, SIZE);
	map = map_shared(region, SIZE - PAGE, RW, 0);
	assert_true(pattern_is(map, SIZE - PAGE, 2));
	assert_int_equal(phyr_begin_access(region, ALL), 0);
	assert_int_equal(phyr_end_access(region, ALL), 0);
	edu = edu_open();
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	close(region);
	edu_check(edu, 3 * PAGE + 5, map + 3 * PAGE + 5, 64);
	close(edu);
	assert_true(pattern_is(map, PAGE, 2));
	release(map, SIZE - PAGE);
}

/* Not pinned again, and so not counted: as one may who may pin nothing. */

static void import_as_nobody(void *arg)
{
	const struct rlimit none = { 0, 0 };
	struct phyr_range range;
	int region;

	must(!setrlimit(RLIMIT_MEMLOCK, &none));
	become_nobody();
	region = phyr_import(dev, *(int *)arg, 0, 0, PHYR_PIN_WRITE);
	must(region >= 0);
	must(fixture_status("VmPin:") == 0);
	must(phyr_ranges(dev, region, 0, &range, 1) == -EPERM);
}

/* What has to be pinned counts, all of it, though only a page is imported. */
static void import_movable_as_nobody(void *arg)
{
	const struct rlimit limit = { SIZE, SIZE }, less = { SIZE - PAGE, SIZE - PAGE };
	int region, buf = *(int *)arg;

	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
	become_nobody();
	region = phyr_import(dev, buf, PAGE, PAGE, 0);
	must(region >= 0);
	must(fixture_status("VmPin:") == SIZE / 1024);
	must(phyr_import(dev, buf, 0, 0, 0) == -ENOMEM);
	must(fixture_status("VmPin:") == SIZE / 1024);
	must(phyr_import(dev, region, 0, 0, 0) == -ENOMEM);
	close(region);
	must(fixture_status("VmPin:") == 0);
	must(!setrlimit(RLIMIT_MEMLOCK, &less));
	must(phyr_import(dev, buf, PAGE, PAGE, 0) == -ENOMEM);
	must(fixture_status("VmPin:") == 0);
}

static void test_movable_counts(void **state)
{
	int driver = driver_open(), buf = driver_export(driver, SIZE, PT_MOVABLE), region;

	(void)state;
	child_run(import_movable_as_nobody, &buf);
	assert_int_equal(driver_export_state(driver, buf).pinned, 0);
	region = import(buf, 0, 0, 0);
	assert_int_equal(info().pinned_pages, SIZE / PAGE);
	close(region);
	assert_int_equal(info().pinned_pages, 0);
	close(buf);
	close(driver);
}

static void test_unprivileged(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0), region;

	(void)state;
	region = import(buf, 0, 0, PHYR_PIN_WRITE);
	assert_int_equal(info().regions, 1);
	assert_int_equal(info().pinned_pages, 0);
	assert_int_equal(fixture_status("VmPin:"), 0);
	child_run(import_as_nobody, &buf);
	close(region);
	close(buf);
	release(addr, SIZE);
}

/* For the administrator: fields 7 and 8 say how it may be used, and what it is. */
static void test_regions_file(void **state)
{
	char line[300], access[8] = "", kind[16] = "";
	unsigned long bytes = 0;
	FILE *f;
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0), region = import(buf, PAGE, 0, 0);

	(void)state;
	f = fopen("/sys/kernel/debug/phyr/regions", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (*line != '#')
			sscanf(line, "%*s %*s %lu %*s %*s %*s %7s %15s", &bytes, access, kind);
	fclose(f);
	assert_int_equal(bytes, SIZE - PAGE);
	assert_string_equal(access, "ro");
	assert_string_equal(kind, "imported");
	close(region);
	close(buf);
	release(addr, SIZE);
}

/* Other exporters */

static void test_heap(void **state)
{
	int buf = heap_buffer(2 * HUGE, O_RDWR);
	char *addr = map_shared(buf, 2 * HUGE, RW, 0);

	(void)state;
	pattern_fill(addr, 2 * HUGE, 3);
	check_import(buf, addr, 2 * HUGE);
	release(addr, 2 * HUGE);
	close(buf);
}

static void test_vgem(void **state)
{
	int drm = vgem_begin(), buf;
	uint32_t handle;
	char *addr;

	(void)state;
	buf = vgem_buffer(drm, SIZE, &handle, &addr);
	pattern_fill(addr, SIZE, 4);
	check_import(buf, addr, SIZE);
	release(addr, SIZE);
	close(buf);
	vgem_close(drm);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* A writer to the one makes readers of the other wait. */
static void test_fences(void **state)
{
	struct drm_vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct drm_vgem_fence_signal done = { 0 };
	struct pollfd p = { .events = POLLIN };
	int drm = vgem_begin(), buf, region;
	char *addr;

	(void)state;
	buf = vgem_buffer(drm, SIZE, &attach.handle, &addr);
	region = import(buf, PAGE, PAGE, PHYR_PIN_WRITE);
	assert_true(readable(region));
	assert_return_code(ioctl(drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach), errno);
	assert_false(readable(buf));
	assert_false(readable(region));
	done.fence = attach.out_fence;
	assert_return_code(ioctl(drm, DRM_IOCTL_VGEM_FENCE_SIGNAL, &done), errno);
	p.fd = region;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(readable(buf));
	close(region);
	close(buf);
	release(addr, SIZE);
	vgem_close(drm);
}

/* The same the other way round, and on kernels without vgem, with a fence that is over. */
static void test_fences_of_import(void **state)
{
	struct dma_buf_export_sync_file out = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };
	struct dma_buf_import_sync_file in = { .flags = DMA_BUF_SYNC_WRITE };
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0), region = import(buf, 0, 0, 0);

	(void)state;
	assert_return_code(ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out), errno);
	in.fd = out.fd;
	assert_return_code(ioctl(region, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in), errno);
	close(out.fd);
	assert_true(readable(buf));
	assert_true(readable(region));
	close(region);
	close(buf);
	release(addr, SIZE);
}

/* Regions */

static void check_region(const char *kind, size_t len)
{
	int region, part;

	assert_int_equal(mem_map(&mem, mem_find(kind), len), 0);
	region = pin(mem.addr + 1000, len - 2000, PHYR_PIN_WRITE);
	part = import(region, 0, 0, PHYR_PIN_WRITE);
	check_layout(part, mem.addr + 1000, len - 2000);
	assert_int_equal(query(part).phyrs, query(region).phyrs);
	assert_int_equal(query(part).kinds, query(region).kinds);
	assert_int_equal(info().pinned_pages, query(region).pages);
	check_device(part, mem.addr + 1000, len - 2000);
	check_vmap(part, mem.addr + 1000, len - 2000);
	close(part);

	part = import(region, 3 * PAGE - 1000, len / 2, PHYR_PIN_WRITE);
	close(region);
	check_layout(part, mem.addr + 3 * PAGE, len / 2);
	check_mapping(part, mem.addr + 3 * PAGE, len / 2);
	assert_int_equal(info().regions, 2);		/* one holds the other */
	close(part);
	mem_unmap(&mem);
	assert_int_equal(fixture_nothing_left(NULL), 0);
}

static void test_region(void **state)
{
	static const char *const kinds[] = {
		"4 KiB scattered", "mTHP 64 KiB", "THP 2 MiB", "hugetlb 2 MiB", "memfd 2 MiB",
		"devdax pmem",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_region(kinds[i], 2 * HUGE);
}

/* The exporter is notified of CPU access: udmabuf knows of no end without a beginning. */
static void test_source_told(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0), region = import(buf, PAGE, 0, PHYR_PIN_WRITE);

	(void)state;
	assert_int_equal(phyr_end_access(region, ALL), -EINVAL);
	assert_int_equal(phyr_begin_access(region, ALL), 0);
	assert_int_equal(phyr_end_access(region, ALL), 0);
	close(region);
	close(buf);
	release(addr, SIZE);
}

/* And where that is a region, what devices have of it is brought up to date. */
static void test_source_in_use(void **state)
{
	int edu = edu_open(), region, part;
	char *addr = anon(SIZE, RW);

	(void)state;
	region = pin(addr, SIZE, PHYR_PIN_WRITE);
	part = import(region, 2 * PAGE, 2 * PAGE, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	assert_int_equal(phyr_begin_access(part, ALL), 0);
	pattern_fill(addr + 2 * PAGE, 2 * PAGE, 5);
	assert_int_equal(phyr_end_access(part, ALL), 0);
	edu_check_peek(edu, 2 * PAGE, addr + 2 * PAGE, 100);
	close(region);
	close(edu);
	close(part);
	release(addr, SIZE);
}

/* Each is a page less; however many there were, the last one holds the first dma-buf. */
static void check_chain(int buf, const char *addr, unsigned int more)
{
	const unsigned int depth = 100;
	int region = import(buf, 0, 0, PHYR_PIN_WRITE), next;

	for (unsigned int i = 0; i < depth; i++) {
		next = import(region, PAGE, 0, PHYR_PIN_WRITE);
		close(region);
		region = next;
	}
	check_layout(region, addr + depth * PAGE, SIZE - depth * PAGE);
	assert_int_equal(phyr_begin_access(region, ALL), 0);
	assert_int_equal(phyr_end_access(region, ALL), 0);
	assert_int_equal(info().regions, 1 + more);
	assert_int_equal(phyr_import(dev, region, 0, SIZE - depth * PAGE + 1, 0), -EINVAL);
	check_mapping(region, (char *)addr + depth * PAGE, SIZE - depth * PAGE);
	check_vmap(region, (char *)addr + depth * PAGE, SIZE - depth * PAGE);
	close(region);
}

static void test_import_of_import(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, SIZE, 0);

	(void)state;
	check_chain(buf, addr, 0);
	close(buf);
	release(addr, SIZE);
	addr = anon(SIZE, RW);
	buf = pin(addr, SIZE, PHYR_PIN_WRITE);
	check_chain(buf, addr, 1);
	close(buf);
	release(addr, SIZE);
}

/* For reading only */

static void check_read_only(int region, const char *addr, size_t len)
{
	int edu = edu_open(), driver = driver_open();
	char *map, byte = 0;

	assert_int_equal(query(region).flags, 0);
	assert_int_equal(map_refused(region, len, RW, MAP_SHARED, 0), EACCES);
	map = map_shared(region, len, PROT_READ, 0);
	assert_memory_equal(map, addr, len);
	assert_int_equal(mprotect(map, len, RW), -1);
	assert_int_equal(errno, EACCES);
	release(map, len);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), EACCES);
	assert_int_equal(edu_map_dmabuf(edu, region, 0), 0);
	edu_check_peek(edu, PAGE + 5, addr + PAGE + 5, 64);
	assert_int_equal(driver_vmap(driver, region, 0, &byte, 1, 0), EINVAL);
	close(edu);
	close(driver);
	assert_int_equal(phyr_import(dev, region, 0, 0, PHYR_PIN_WRITE), -EACCES);
}

static void test_read_only(void **state)
{
	int buf = heap_buffer(SIZE, O_RDONLY), region, again;
	char *addr = map_shared(buf, SIZE, PROT_READ, 0);

	(void)state;
	assert_int_equal(phyr_import(dev, buf, 0, 0, PHYR_PIN_WRITE), -EACCES);
	region = import(buf, 0, 0, 0);
	again = import(region, 0, 0, 0);
	check_read_only(region, addr, SIZE);
	close(region);
	check_read_only(again, addr, SIZE);
	close(again);
	release(addr, SIZE);
	close(buf);

	buf = heap_buffer(SIZE, O_WRONLY);
	assert_int_equal(phyr_import(dev, buf, 0, 0, 0), -EACCES);
	assert_int_equal(phyr_import(dev, buf, 0, 0, PHYR_PIN_WRITE), -EACCES);
	close(buf);

	/* what may be written may be given away for reading */
	buf = udmabuf(&addr, SIZE, 0);
	pattern_fill(addr, SIZE, 6);
	region = import(buf, 0, 0, 0);
	check_read_only(region, addr, SIZE);
	close(region);
	close(buf);
	release(addr, SIZE);

	assert_int_equal(mem_map(&mem, mem_find("ext4 file"), MIB), 0);
	region = pin(mem.addr, MIB, 0);
	assert_int_equal(phyr_import(dev, region, 0, 0, PHYR_PIN_WRITE), -EACCES);
	again = import(region, 0, 0, 0);
	check_read_only(again, mem.addr, MIB);
	close(again);
	close(region);
	mem_unmap(&mem);
}

/* What is refused */

/* Memory without a page is nothing that the kernel maps, not even where it has some. */
static void test_not_mapped(void **state)
{
	static const char *const kinds[] = { "PCI BAR", "hidden RAM", "mixed" };
	int region;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(mem_map(&mem, mem_find(kinds[i]), mem_find(kinds[i])->size), 0);
		region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
		assert_int_equal(phyr_import(dev, region, 0, 0, PHYR_PIN_WRITE), -EOPNOTSUPP);
		assert_int_equal(phyr_import(dev, region, 0, PAGE, 0), -EOPNOTSUPP);
		close(region);
		mem_unmap(&mem);
	}
}

static void test_not_dma_bufs(void **state)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC), path = open("/", O_PATH | O_CLOEXEC);
	int buf = heap_buffer(PAGE, O_RDWR);

	(void)state;
	assert_int_equal(phyr_import(dev, memfd, 0, 0, 0), -EINVAL);
	assert_int_equal(phyr_import(dev, dev, 0, 0, 0), -EINVAL);
	assert_int_equal(phyr_import(dev, path, 0, 0, 0), -EBADF);
	assert_int_equal(phyr_import(dev, -1, 0, 0, 0), -EBADF);
	assert_int_equal(phyr_import(dev, 1 << 30, 0, 0, 0), -EBADF);
	assert_int_equal(phyr_import(memfd, buf, 0, 0, 0), -ENOTTY);
	assert_int_equal(phyr_import(-1, buf, 0, 0, 0), -EBADF);
	close(buf);
	assert_int_equal(phyr_import(dev, buf, 0, 0, 0), -EBADF);
	close(memfd);
	close(path);
}

static void check_ranges(int buf)
{
	const struct {
		uint64_t offset;
		uint64_t len;
		int error;
	} bad[] = {
		{ SIZE, 0, EINVAL }, { SIZE, 1, EINVAL }, { SIZE + 1, 0, EINVAL },
		{ 0, SIZE + 1, EINVAL }, { 1, SIZE, EINVAL }, { SIZE - 1, 2, EINVAL },
		{ ~0ull, 0, EINVAL }, { 1ull << 63, 0, EINVAL }, { 0, ~0ull, EINVAL },
		{ 1ull << 40, 1, EINVAL }, { ~0ull, 1, EOVERFLOW }, { 1, ~0ull, EOVERFLOW },
		{ ~0ull, ~0ull, EOVERFLOW }, { 1ull << 63, 1ull << 63, EOVERFLOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret = phyr_import(dev, buf, bad[i].offset, bad[i].len, PHYR_PIN_WRITE);

		if (ret != -bad[i].error)
			fail_msg("%#llx + %#llx: %d", (unsigned long long)bad[i].offset,
				 (unsigned long long)bad[i].len, ret);
	}
	for (unsigned int bit = 1; bit < 32; bit++)
		assert_int_equal(phyr_import(dev, buf, 0, 0, PHYR_PIN_WRITE | 1u << bit), -EINVAL);
}

static void test_bad_ranges(void **state)
{
	char *addr = anon(SIZE, RW);
	int buf, region;

	(void)state;
	region = pin(addr, SIZE, PHYR_PIN_WRITE);
	check_ranges(region);
	close(region);
	release(addr, SIZE);
	buf = udmabuf(&addr, SIZE + PAGE, 0);
	region = import(buf, PAGE, 0, PHYR_PIN_WRITE);
	check_ranges(region);
	close(region);
	close(buf);
	release(addr, SIZE + PAGE);
}

static void test_no_descriptor(void **state)
{
	int buf = heap_buffer(PAGE, O_RDWR), next = dup(dev);
	struct rlimit old, few;

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit) { .rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(phyr_import(dev, buf, 0, 0, 0), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(import(buf, 0, 0, 0));
	close(buf);
}

/* The end, at any time */

static void use_it(void *arg)
{
	int region = phyr_import(dev, *(int *)arg, PAGE, 0, PHYR_PIN_WRITE);
	int edu = open("/dev/edu0", O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, PAGE, RW, MAP_SHARED, region, 0);

	must(region >= 0 && edu >= 0 && map != MAP_FAILED);
	must(!edu_map_dmabuf(edu, region, EDU_MAP_WRITE));
	must(!phyr_begin_access(region, ALL));
	*map = 1;
	kill(getpid(), SIGKILL);
}

static void import_forever(void *arg)
{
	for (;;)
		must(phyr_import(dev, *(int *)arg, 0, 0, PHYR_PIN_WRITE) >= 0 ||
		     !close_range(200, ~0u, 0));
}

static void check_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Of 64 MiB, which it takes a while to look at, page by page. */
static void test_killed(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, 64 * MIB, 0), region;
	struct rlimit old, many;

	(void)state;
	check_killed(child_start(use_it, &buf));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	many = (struct rlimit) { .rlim_cur = 300, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &many), 0);
	for (unsigned int i = 0; i < 20; i++) {
		pid_t pid = child_start(import_forever, &buf);

		usleep(1000 + i * 3700);
		kill(pid, SIGKILL);
		check_killed(pid);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	region = import(buf, 0, 0, 0);
	assert_int_equal(info().regions, 1);
	check_layout(region, addr, 64 * MIB);
	close(region);
	close(buf);
	release(addr, 64 * MIB);
}

int main(void)
{
	const struct CMUnitTest imports[] = {
		fixture_test(test_udmabuf),
		fixture_test(test_udmabuf_huge),
		fixture_test(test_slices),
		fixture_test(test_held_in_place),
		fixture_test(test_mapping_of_slices),
		fixture_test(test_source_closed),
		fixture_test(test_unprivileged),
		fixture_test(test_movable_counts),
		fixture_test(test_regions_file),
		fixture_test(test_heap),
		fixture_test(test_vgem),
		fixture_test(test_fences),
		fixture_test(test_fences_of_import),
		fixture_test(test_region),
		fixture_test(test_source_told),
		fixture_test(test_source_in_use),
		fixture_test(test_import_of_import),
		fixture_test(test_read_only),
		fixture_test(test_not_mapped),
		fixture_test(test_not_dma_bufs),
		fixture_test(test_bad_ranges),
		fixture_test(test_no_descriptor),
		fixture_test(test_killed),
	};

	return fixture_run(imports);
}
