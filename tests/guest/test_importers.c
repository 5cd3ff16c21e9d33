// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions for importers of the kernel's own: DRM's vgem, by PRIME, and V4L2's vivid, by
 * DMABUF buffers; and what dma-buf itself does with a region: fences.
 */
#define _GNU_SOURCE
#include <drm/vgem_drm.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "common/importers.h"

#define HUGE	(2 * MIB)
#define SIZE	(2 * HUGE)
#define SOME	(64 * PAGE)
#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"
#define SW_SYNC	"/sys/kernel/debug/sync/sw_sync"

static struct mem mem;
static bool has_vgem, has_vivid;

static void need(bool has, const char *what)
{
	if (has)
		return;
	print_message("# this kernel has no %s\n", what);
	skip();
}

static int map_kind(const char *kind, size_t len)
{
	assert_int_equal(mem_map(&mem, mem_find(kind), len), 0);
	return pin(mem.addr, mem.len, mem.kind->read_only ? 0 : PHYR_PIN_WRITE);
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_return_code(fstat(fd, &st), errno);
	return st.st_ino;
}

/* A map of the memory, wherever it was got from. */
static void check_map(char *map, size_t len)
{
	const size_t step = len / 61;

	assert_ptr_not_equal(map, MAP_FAILED);
	for (size_t at = 0; at < len; at += step) {
		mem.addr[at] = (char)(at / step + 1);
		assert_int_equal(map[at], mem.addr[at]);
		map[at + 1] = (char)(at / step + 100);
		assert_int_equal(mem.addr[at + 1], map[at + 1]);
	}
	mem.addr[len - 1] = 0x7e;
	assert_int_equal(map[len - 1], 0x7e);
	release(map, len);
}

static void check_vgem(const char *kind, size_t len)
{
	int drm = vgem_open(), region = map_kind(kind, len), again;
	off_t offset = vgem_next_offset(drm, len), unused;
	ino_t number = inode(region);
	uint32_t handle;

	handle = vgem_handle(drm, region);
	assert_int_equal(vgem_handle(drm, region), handle);
	close(region);				/* the importer holds it */
	check_map(mmap(NULL, len, RW, MAP_SHARED, drm, offset), len);
	assert_int_equal(vgem_offset(drm, handle, &unused), EINVAL);

	again = vgem_export(drm, handle);
	assert_int_equal(inode(again), number);
	check_map(mmap(NULL, len, RW, MAP_SHARED, again, 0), len);
	assert_int_equal(vgem_handle(drm, again), handle);
	vgem_drop(drm, handle);
	check_map(mmap(NULL, len, RW, MAP_SHARED, again, 0), len);
	close(again);
	close(drm);
	mem_unmap(&mem);
	assert_int_equal(fixture_nothing_left(NULL), 0);
}

static void test_vgem(void **state)
{
	static const char *const kinds[] = {
		"4 KiB pages", "4 KiB scattered", "mTHP 64 KiB", "THP 2 MiB", "hugetlb 2 MiB",
		"memfd", "memfd 2 MiB", "devdax pmem",
	};

	(void)state;
	need(has_vgem, "vgem");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_vgem(kinds[i], SIZE);
	check_vgem("hugetlb 1 GiB", GIB);
}

/* A mapping by DRM is enough to hold the region, and what it was pinned by may go. */
static void test_vgem_mapping(void **state)
{
	int drm, region;
	off_t offset;
	char *map;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	region = map_kind("THP 2 MiB", SIZE);
	pattern_fill(mem.addr, SIZE, 7);
	offset = vgem_next_offset(drm, SIZE);
	vgem_handle(drm, region);
	map = map_shared(drm, SIZE, RW, offset);
	close(region);
	close(drm);
	mem_unmap(&mem);
	assert_true(pattern_is(map, SIZE, 7));
	memset(map, 0, SIZE);
	release(map, SIZE);
}

/*
 * An importer that wants to write is refused. One that only attaches, as vgem does on
 * newer kernels, is not asked; but it cannot make a mapping that can be written.
 */
static void test_vgem_read_only(void **state)
{
	int drm, region, again, ret;
	uint32_t handle;
	char *map;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	region = map_kind("ext4 file", MIB);
	ret = vgem_import(drm, region, &handle);
	if (ret) {
		assert_int_equal(ret, EACCES);
	} else {
		again = vgem_export(drm, handle);
		assert_ptr_equal(mmap(NULL, MIB, RW, MAP_SHARED, again, 0), MAP_FAILED);
		assert_int_equal(errno, EACCES);
		map = map_shared(again, MIB, PROT_READ, 0);
		assert_memory_equal(map, mem.addr, MIB);
		release(map, MIB);
		close(again);
	}
	close(region);
	close(drm);
	mem_unmap(&mem);
}

/* Parts of pages can be imported, but not mapped. */
/* It would get whole pages.  A driver that only maps it for the kernel (vivid) does not. */
static void test_vgem_unaligned(void **state)
{
	int drm, region;
	uint32_t handle;
	char *addr;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	addr = anon(SOME, RW);
	region = pin(addr + 500, SOME - 1000, PHYR_PIN_WRITE);
	assert_int_equal(vgem_import(drm, region, &handle), EINVAL);
	close(region);
	close(drm);
	release(addr, SOME);
}

/* vgem cannot be notified of a revocation: it gets no memory that may be revoked. */
static void test_vgem_pageless(void **state)
{
	static const char *const kinds[] = { "PCI BAR", "hidden RAM", "mixed" };
	int drm, region;
	uint32_t handle;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		region = map_kind(kinds[i], mem_find(kinds[i])->size);
		assert_int_equal(vgem_import(drm, region, &handle), EOPNOTSUPP);
		assert_int_equal(vgem_import(drm, region, &handle), EOPNOTSUPP);
		close(region);
		mem_unmap(&mem);
	}
	close(drm);
}

static void exit_with_handle(void *arg)
{
	uint32_t handle;

	must(!vgem_import(*(int *)arg, phyr_pin(dev, mem.addr, mem.len, PHYR_PIN_WRITE), &handle));
	must(handle);
}

/* A child whose handle is that of a file which it shares: the region outlives it. */
static void test_vgem_exit(void **state)
{
	int drm, again;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	assert_int_equal(mem_map(&mem, mem_find("memfd"), SIZE), 0);
	child_run(exit_with_handle, &drm);
	again = vgem_export(drm, 1);
	check_map(mmap(NULL, SIZE, RW, MAP_SHARED, again, 0), SIZE);
	close(again);
	close(drm);
	mem_unmap(&mem);
}

/* V4L2 */

static void test_vivid(void **state)
{
	static const char *const kinds[] = {
		"4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "memfd", "devdax pmem",
	};
	int camera;

	(void)state;
	need(has_vivid, "vivid");
	camera = camera_open();
	camera_expect(camera);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(mem_map(&mem, mem_find(kinds[i]), SIZE), 0);
		camera_capture(camera, mem.addr, mem.len, camera_sentinels[0]);
		camera_capture(camera, mem.addr, mem.len, camera_sentinels[1]);
		mem_unmap(&mem);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
	close(camera);
}

/* vivid writes by the CPU: a region that the kernel cannot map for itself is refused. */
static void test_vivid_refused(void **state)
{
	static const char *const kinds[] = { "PCI BAR", "hidden RAM", "ext4 file" };
	int camera, region;

	(void)state;
	need(has_vivid, "vivid");
	camera = camera_open();
	camera_buffers(camera, V4L2_MEMORY_DMABUF, 2);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		region = map_kind(kinds[i], MIB);
		assert_int_equal(camera_queue(camera, 0, region), EFAULT);
		close(region);
		mem_unmap(&mem);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
	assert_int_equal(mem_map(&mem, mem_find("4 KiB pages"), SIZE), 0);
	region = pin(mem.addr, CAMERA_FRAME - 1, PHYR_PIN_WRITE);	/* a byte too small */
	assert_int_equal(camera_queue(camera, 0, region), EINVAL);
	close(region);
	region = camera_pin(mem.addr, 1);			/* and one that fits */
	assert_int_equal(camera_queue(camera, 0, region), 0);
	close(region);
	close(camera);
	mem_unmap(&mem);
}

static void exit_while_streaming(void *arg)
{
	int camera = *(int *)arg, type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	for (unsigned int i = 0; i < CAMERA_BUFFERS; i++)
		must(!camera_queue(camera, i, phyr_pin(dev, mem.addr + camera_place(i),
						       CAMERA_FRAME, PHYR_PIN_WRITE)));
	must(!ioctl(camera, VIDIOC_STREAMON, &type));
}

/* The driver goes on writing into memory of a process that is no more. */
static void test_vivid_exit(void **state)
{
	int camera;

	(void)state;
	need(has_vivid, "vivid");
	camera = camera_open();
	camera_expect(camera);
	assert_int_equal(mem_map(&mem, mem_find("memfd"), SIZE), 0);
	memset(mem.addr, camera_sentinels[0], SIZE);
	camera_buffers(camera, V4L2_MEMORY_DMABUF, CAMERA_BUFFERS);
	child_run(exit_while_streaming, &camera);
	for (unsigned int n = 0; n < CAMERA_BUFFERS; n++)
		camera_frame(camera, V4L2_MEMORY_DMABUF);
	camera_check(mem.addr, mem.len, camera_sentinels[0]);
	close(camera);
	mem_unmap(&mem);
}

static long number_in(const char *path, const char *key)
{
	char line[100];
	long value = -1;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return value;
}

static void set_huge_pages(long count)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", count);
	assert_int_equal(write_file(HUGE_PAGES, text), 0);
}

static bool is_low(const char *addr)
{
	uint64_t frame = mem_pfn(addr);

	return frame && frame * PAGE < 4 * GIB;
}

static void map_huge(char *addr, off_t offset)
{
	assert_ptr_equal(mmap(addr, HUGE, RW, MAP_SHARED | MAP_FIXED, mem.fd, offset), addr);
	*addr = 0;
}

/*
 * Two huge pages, not one behind the other in memory, that a device of 32 bits can reach
 * without a bounce buffer: vivid says that it is one, and writes by the CPU. The kernel
 * takes huge pages from below 4 GiB when there is little else, and gives out first what
 * it took last.
 */
static void map_low(void)
{
	const size_t pages = 32;
	long before = number_in(HUGE_PAGES, ""), free_kib = number_in("/proc/meminfo", "MemFree:");
	long most = before + (free_kib - (long)(GIB / KIB)) / 2048;
	size_t at = 0;

	set_huge_pages(most);
	set_huge_pages(most + (long)pages);
	assert_int_equal(mem_map(&mem, mem_find("memfd 2 MiB"), pages * HUGE), 0);
	set_huge_pages(before);
	while (at + SIZE < mem.len && !(is_low(mem.addr + at) && is_low(mem.addr + at + HUGE)))
		at += HUGE;
	mem.addr += at;
	mem.len = SIZE;
	if (mem_pfn(mem.addr + HUGE) == mem_pfn(mem.addr) + HUGE / PAGE) {
		map_huge(mem.addr, (off_t)(at + HUGE));
		map_huge(mem.addr + HUGE, (off_t)at);
	}
	if (!is_low(mem.addr) || !is_low(mem.addr + HUGE)) {
		mem_unmap(&mem);
		print_message("# other tests have left no huge pages below 4 GiB\n");
		skip();
	}
	assert_int_not_equal(mem_pfn(mem.addr + HUGE), mem_pfn(mem.addr) + HUGE / PAGE);
}

/*
 * As a driver of a device that does DMA, and wants each frame in one piece. What cannot
 * be attached to, memory without pages, is not tried: the kernel's videobuf2 refuses it,
 * but never releases the dma-buf then.
 */
static void test_vivid_contiguous(void **state)
{
	int camera, region;

	(void)state;
	need(has_vivid, "vivid");
	map_low();
	assert_int_equal(system("modprobe -r vivid"), 0);
	importer_load(VIVID " allocators=1");
	camera = camera_open();
	camera_expect(camera);
	camera_capture(camera, mem.addr, mem.len, camera_sentinels[0]);
	camera_capture(camera, mem.addr, mem.len, camera_sentinels[1]);

	camera_buffers(camera, V4L2_MEMORY_DMABUF, 2);
	region = pin(mem.addr + MIB, 2 * MIB, PHYR_PIN_WRITE);	/* of both pages */
	assert_int_equal(camera_queue(camera, 0, region), EFAULT);
	close(region);
	mem_unmap(&mem);
	close(camera);
	/* as it was: scattered memory is contiguous for it only if it is bounced */
	assert_int_equal(system("modprobe -r vivid"), 0);
	importer_load(VIVID);
}

/* From DRM to V4L2: the descriptor is one that vgem gave out. */
static void test_vgem_to_vivid(void **state)
{
	int drm, camera, region, again;

	(void)state;
	need(has_vgem && has_vivid, "vgem or vivid");
	drm = vgem_open();
	camera = camera_open();
	camera_expect(camera);
	region = map_kind("4 KiB scattered", SIZE);
	memset(mem.addr, camera_sentinels[0], SIZE);
	again = vgem_export(drm, vgem_handle(drm, region));
	close(region);
	camera_buffers(camera, V4L2_MEMORY_DMABUF, 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(camera_queue(camera, i, again), 0);
	close(again);
	close(drm);
	camera_stream(camera, true);
	for (unsigned int i = 0; i < 2; i++)
		camera_frame(camera, V4L2_MEMORY_DMABUF);
	assert_memory_equal(mem.addr, camera_expected, CAMERA_FRAME);
	assert_true(camera_all_are(mem.addr + CAMERA_FRAME, mem.addr + SIZE, camera_sentinels[0]));
	close(camera);
	mem_unmap(&mem);
}

/* Fences */

static bool ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int n = poll(&poll_fd, 1, 0);

	assert_return_code(n, errno);
	assert_int_equal(poll_fd.revents & ~events, 0);
	return n == 1;
}

static bool ready_soon(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 5000) == 1 && poll_fd.revents == events;
}

/* What to wait for before reading, or before writing. */
static int fence_export(int buf, uint32_t flags)
{
	struct dma_buf_export_sync_file sync = { .flags = flags, .fd = -1 };

	assert_return_code(ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &sync), errno);
	return sync.fd;
}

static void fence_import(int buf, int fence, uint32_t flags)
{
	struct dma_buf_import_sync_file sync = { .flags = flags, .fd = fence };

	assert_return_code(ioctl(buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &sync), errno);
}

static int fence_status(int fence)
{
	struct sync_file_info info = { 0 };

	assert_return_code(ioctl(fence, SYNC_IOC_FILE_INFO, &info), errno);
	return info.status;
}

static void test_fence_signalled(void **state)
{
	static const uint32_t flags[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	char *addr = anon(SOME, RW);
	int region = pin(addr, SOME, PHYR_PIN_WRITE), other = pin(addr, SOME, 0);

	(void)state;
	assert_true(ready(region, POLLIN));
	assert_true(ready(region, POLLOUT));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fence = fence_export(region, flags[i]);

		assert_true(ready(fence, POLLIN));
		assert_int_equal(fence_status(fence), 1);
		fence_import(region, fence, flags[i]);
		fence_import(other, fence, flags[i]);
		close(fence);
		assert_true(ready(region, POLLIN));
		assert_true(ready(region, POLLOUT));
		assert_true(ready(other, POLLIN));
	}
	close(region);
	close(other);
	release(addr, SOME);
}

/* A fence that is signalled when one says so: of sw_sync, or of an object of vgem. */
struct fence {
	int fd;		/* a sync file */
	int source;
	uint32_t number;
};

/* linux/drivers/dma-buf/sw_sync.c has no header for programs. */
struct sw_sync_fence {
	uint32_t value;
	char name[32];
	int32_t fence;
};

#define SW_SYNC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_fence)
#define SW_SYNC_INC		_IOW('W', 1, uint32_t)

static bool has_sw_sync(void)
{
	return !access(SW_SYNC, F_OK);
}

static uint32_t vgem_fence(int drm, uint32_t handle, uint32_t flags)
{
	struct drm_vgem_fence_attach attach = { .handle = handle, .flags = flags };

	assert_return_code(ioctl(drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach), errno);
	return attach.out_fence;
}

static void vgem_signal(int drm, uint32_t fence)
{
	struct drm_vgem_fence_signal done = { .fence = fence };

	assert_return_code(ioctl(drm, DRM_IOCTL_VGEM_FENCE_SIGNAL, &done), errno);
}

static struct fence fence_of_vgem(void)
{
	struct fence fence = { .source = vgem_open() };
	uint32_t handle = vgem_create(fence.source, PAGE);
	int buf = vgem_export(fence.source, handle);

	fence.number = vgem_fence(fence.source, handle, VGEM_FENCE_WRITE);
	fence.fd = fence_export(buf, DMA_BUF_SYNC_READ);
	close(buf);
	return fence;
}

static struct fence fence_of_sw_sync(void)
{
	struct fence fence = { .source = open(SW_SYNC, O_RDWR | O_CLOEXEC) };
	struct sw_sync_fence create = { .value = 1, .name = "phyr" };

	assert_return_code(fence.source, errno);
	assert_return_code(ioctl(fence.source, SW_SYNC_CREATE_FENCE, &create), errno);
	fence.fd = create.fence;
	return fence;
}

static struct fence fence_new(void)
{
	return has_sw_sync() ? fence_of_sw_sync() : fence_of_vgem();
}

static void fence_signal(const struct fence *fence)
{
	uint32_t by = 1;

	if (fence->number)
		vgem_signal(fence->source, fence->number);
	else
		assert_return_code(ioctl(fence->source, SW_SYNC_INC, &by), errno);
}

static void fence_free(const struct fence *fence)
{
	close(fence->fd);
	close(fence->source);
}

/* Somebody writes: neither reading nor writing is for others before that is done. */
static void check_written(int region)
{
	struct fence fence = fence_new();
	int then;

	assert_false(ready(fence.fd, POLLIN));
	fence_import(region, fence.fd, DMA_BUF_SYNC_WRITE);
	assert_false(ready(region, POLLIN));
	assert_false(ready(region, POLLOUT));
	then = fence_export(region, DMA_BUF_SYNC_READ);
	assert_int_equal(fence_status(then), 0);
	assert_false(ready(then, POLLIN));
	fence_signal(&fence);
	assert_true(ready_soon(then, POLLIN));
	assert_int_equal(fence_status(then), 1);
	assert_true(ready_soon(region, POLLIN));
	assert_true(ready_soon(region, POLLOUT));
	close(then);
	fence_free(&fence);
}

/* Somebody reads: others may, too. */
static void check_read(int region)
{
	struct fence fence = fence_new();
	int then;

	fence_import(region, fence.fd, DMA_BUF_SYNC_READ);
	assert_true(ready(region, POLLIN));
	assert_false(ready(region, POLLOUT));
	then = fence_export(region, DMA_BUF_SYNC_READ);
	assert_int_equal(fence_status(then), 1);
	close(then);
	then = fence_export(region, DMA_BUF_SYNC_WRITE);
	assert_int_equal(fence_status(then), 0);
	fence_signal(&fence);
	assert_true(ready_soon(then, POLLIN));
	assert_true(ready_soon(region, POLLOUT));
	close(then);
	fence_free(&fence);
}

static void test_fence_later(void **state)
{
	static const char *const kinds[] = { "4 KiB pages", "hugetlb 2 MiB", "PCI BAR" };
	int region;

	(void)state;
	need(has_sw_sync() || has_vgem, "sw_sync and no vgem");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		region = map_kind(kinds[i], SIZE);
		check_written(region);
		check_read(region);
		close(region);
		mem_unmap(&mem);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
}

/* What waits for a fence holds the region, and no longer than that. */
static void test_fence_outlives(void **state)
{
	struct phyr_info info = { .size = sizeof(info) };
	char *addr = anon(SOME, RW);
	struct fence fence;
	int region;

	(void)state;
	need(has_sw_sync() || has_vgem, "sw_sync and no vgem");
	fence = fence_new();
	region = pin(addr, SOME, PHYR_PIN_WRITE);
	fence_import(region, fence.fd, DMA_BUF_SYNC_WRITE);
	assert_false(ready(region, POLLIN));
	close(region);
	release(addr, SOME);
	assert_int_equal(phyr_info(dev, &info), 0);
	assert_int_equal(info.regions, 1);
	fence_signal(&fence);
	fence_free(&fence);
}

/* A region that vgem has imported, and writes: its fence is the region's. */
static void test_fence_of_importer(void **state)
{
	int drm, region, then;
	uint32_t handle, fence;
	char *addr;

	(void)state;
	need(has_vgem, "vgem");
	drm = vgem_open();
	addr = anon(SOME, RW);
	region = pin(addr, SOME, PHYR_PIN_WRITE);
	handle = vgem_handle(drm, region);
	fence = vgem_fence(drm, handle, VGEM_FENCE_WRITE);
	assert_false(ready(region, POLLIN));
	then = fence_export(region, DMA_BUF_SYNC_READ);
	assert_int_equal(fence_status(then), 0);
	vgem_signal(drm, fence);
	assert_true(ready_soon(region, POLLIN));
	assert_int_equal(fence_status(then), 1);

	fence = vgem_fence(drm, handle, 0);
	assert_true(ready(region, POLLIN));
	assert_false(ready(region, POLLOUT));
	close(then);
	close(region);
	close(drm);				/* signals it */
	release(addr, SOME);
}

/* Nobody uses the drivers any more. */
static void test_unload(void **state)
{
	(void)state;
	need(has_vgem || has_vivid, "vgem and no vivid");
	if (has_vgem)
		assert_int_equal(system("modprobe -r vgem"), 0);
	if (has_vivid)
		assert_int_equal(system("modprobe -r vivid"), 0);
}

int main(void)
{
	const struct CMUnitTest importers[] = {
		fixture_test(test_vgem),
		fixture_test(test_vgem_mapping),
		fixture_test(test_vgem_read_only),
		fixture_test(test_vgem_unaligned),
		fixture_test(test_vgem_pageless),
		fixture_test(test_vgem_exit),
		fixture_test(test_vivid),
		fixture_test(test_vivid_refused),
		fixture_test(test_vivid_exit),
		fixture_test(test_vivid_contiguous),
		fixture_test(test_vgem_to_vivid),
		fixture_test(test_fence_signalled),
		fixture_test(test_fence_later),
		fixture_test(test_fence_outlives),
		fixture_test(test_fence_of_importer),
		fixture_test(test_unload),
	};

	has_vgem = importer_load(VGEM);
	has_vivid = importer_load(VIVID);
	return fixture_run(importers);
}
