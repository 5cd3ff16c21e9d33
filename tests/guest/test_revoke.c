// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory without a page may be revoked at any time. Then nothing reaches it any more: not
 * the CPU, not a device, not a peer; and every call fails in the same way.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

#include "common/bar.h"
#include "common/driver.h"
#include "common/edu.h"
#include "common/gone.h"
#include "common/rdma.h"

#define SIZE	(64 * PAGE)
#define BUF	(64 * KIB)

/* Its stack is small: the library keeps it for the next thread. */
static pthread_t thread_start(void *(*f)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	assert_int_equal(pthread_create(&thread, &attr, f, arg), 0);
	pthread_attr_destroy(&attr);
	return thread;
}

/* Every way to the memory is closed, with the same errno. */
static void check_revoked(int region)
{
	struct phyr_range range;
	int edu = edu_open();

	assert_true(gone_revoked(region));
	assert_int_equal(phyr_ranges(dev, region, 0, &range, 1), -ENODEV);
	assert_int_equal(gone_mmap_errno(region), ENODEV);
	assert_int_equal(gone_sync_errno(region), ENODEV);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), ENODEV);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), ENODEV);
	close(edu);
}

static void check_alive(int region)
{
	assert_false(gone_revoked(region));
	assert_int_equal(gone_mmap_errno(region), 0);
	assert_int_equal(gone_sync_errno(region), 0);
}

static void need_vfio(void)
{
	if (bar_vfio_missing()) {
		print_message("# %s\n", bar_vfio_missing());
		skip();
	}
}

struct append {
	int driver;
	char *addr;
	size_t len;
	int error;
};

static void *append_main(void *arg)
{
	struct append *append = arg;

	append->error = driver_add(append->driver, append->addr, append->len,
				   PT_WRITE | PT_LONGTERM);
	return NULL;
}

/* What ends a mapping, and what does not */

static void go_munmap(char *bar)
{
	release(bar, SIZE);
}

static void go_a_page(char *bar)
{
	release(bar + 5 * PAGE, PAGE);
	release(bar, 5 * PAGE);
	release(bar + 6 * PAGE, SIZE - 6 * PAGE);
}

static void go_other_mapping(char *bar)
{
	assert_ptr_equal(mmap(bar + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			      -1, 0), bar + PAGE);
	release(bar, SIZE);
}

static void go_move(char *bar)
{
	char *to = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_equal(mremap(bar, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	release(to, SIZE);
}

static void check_gone(void (*go)(char *bar))
{
	char *bar = bar_map(SIZE), *map;
	int region = pin(bar, SIZE, PHYR_PIN_WRITE);

	check_alive(region);
	map = map_shared(region, SIZE, RW, 0);
	map[SIZE - 1] = 0x5a;
	assert_int_equal(bar[SIZE - 1], 0x5a);
	assert_false(gone_bus_error(map));
	go(bar);
	assert_true(gone_bus_error(map));
	assert_true(gone_bus_error(map + SIZE - 1));
	check_revoked(region);
	release(map, SIZE);
	close(region);
	assert_int_equal(fixture_nothing_left(NULL), 0);
}

static void test_gone(void **state)
{
	(void)state;
	check_gone(go_munmap);
	check_gone(go_a_page);
	check_gone(go_other_mapping);
	check_gone(go_move);
}

/*
 * Splitting a mapping is an event over 2 MiB that looks like taking them away, and what
 * was pinned there is revoked; a call on whole aligned 2 MiB is safe.
 */
static char *bar_map_aligned(char **area)
{
	char *bar = bar_map(8 * MIB), *to;

	*area = anon(10 * MIB, PROT_NONE);
	to = *area + 2 * MIB - (uintptr_t)*area % (2 * MIB);
	assert_ptr_equal(mremap(bar, 8 * MIB, 8 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	return to;
}

static void check_split(size_t at, size_t len, bool revoked)
{
	for (int advise = 0; advise < 2; advise++) {
		char *area, *bar = bar_map_aligned(&area);
		int region = pin(bar + 2 * MIB, 2 * MIB, PHYR_PIN_WRITE);

		if (advise)
			assert_return_code(madvise(bar + at, len, MADV_RANDOM), errno);
		else
			assert_return_code(mprotect(bar + at, len, PROT_READ), errno);
		assert_int_equal(gone_revoked(region), revoked);
		close(region);
		release(area, 10 * MIB);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
}

static void test_split(void **state)
{
	(void)state;
	check_split(0, 8 * MIB, false);			/* nothing is split */
	check_split(2 * MIB, 2 * MIB, false);		/* at whole 2 MiB */
	check_split(4 * MIB, 2 * MIB, false);
	check_split(0, MIB, false);			/* in another 2 MiB */
	check_split(4 * MIB + PAGE, PAGE, false);
	check_split(2 * MIB + 64 * PAGE, PAGE, true);	/* within them */
	check_split(3 * MIB, 2 * MIB, true);
}

/*
 * A mapping that is unmapped while it is being appended fails the call, and nothing else:
 * what the list had before is still there.
 */
static void test_appending(void **state)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *first = bar_map(SIZE), *area = anon(2 * SIZE, PROT_NONE), *late, *bar;
	struct pt_map map = { .len = SIZE, .flags = PT_WRITE };
	int driver = driver_open(), fd;
	struct uffd_msg msg;
	struct append append;
	pthread_t thread;

	(void)state;
	/* a BAR, and behind it a page that is not there until it is asked for */
	bar = bar_map(SIZE);
	assert_ptr_equal(mremap(bar, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, area), area);
	late = mmap(area + SIZE, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	assert_ptr_equal(late, area + SIZE);
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	assert_return_code(fd, errno);
	assert_return_code(ioctl(fd, UFFDIO_API, &api), errno);
	reg.range = (struct uffdio_range) { (uintptr_t)late, SIZE };
	assert_return_code(ioctl(fd, UFFDIO_REGISTER, &reg), errno);

	assert_int_equal(driver_add(driver, first, SIZE, PT_WRITE | PT_LONGTERM), 0);
	append = (struct append) { .driver = driver, .addr = area, .len = 2 * SIZE };
	thread = thread_start(append_main, &append);
	assert_int_equal(read(fd, &msg, sizeof(msg)), sizeof(msg));	/* it waits for the page */
	release(area, SIZE);
	assert_return_code(ioctl(fd, UFFDIO_UNREGISTER, &reg.range), errno);
	pthread_join(thread, NULL);
	assert_int_equal(append.error, EFAULT);

	assert_int_equal(driver_bytes(driver, 0), SIZE);
	assert_int_equal(driver_map(driver, &map), 0);
	/* but what it has is revoked as ever */
	release(first, SIZE);
	assert_int_equal(driver_map(driver, &map), ENODEV);
	driver_unpin(driver, 0);
	close(fd);
	close(driver);
	release(late, SIZE);
}

/* Sysfs leaves a mapping where it is when the device is removed; nobody gets at it. */
static void test_removed(void **state)
{
	char *bar = bar_map(SIZE);
	int region = pin(bar, SIZE, PHYR_PIN_WRITE), driver = driver_open();

	(void)state;
	bar_remove();
	check_revoked(region);
	assert_int_equal(phyr_pin(dev, bar, SIZE, PHYR_PIN_WRITE), -ENODEV);
	assert_int_equal(driver_add(driver, bar, SIZE, PT_WRITE), ENODEV);
	close(driver);
	close(region);
	release(bar, SIZE);
	bar_back();
}

/* VFIO takes nothing from a mapping of a region: it would not be notified. */
static int vfio_map_errno(const struct bar_vfio *v, void *addr, size_t len)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)addr, .iova = 0x100000000ull, .size = len,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = map.iova, .size = len,
	};

	if (ioctl(v->container, VFIO_IOMMU_MAP_DMA, &map))
		return errno;
	assert_return_code(ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap), errno);
	return 0;
}

static void check_vfio_refuses(const struct bar_vfio *v, char *addr, size_t len)
{
	int region = pin(addr, len, PHYR_PIN_WRITE);
	char *map = map_shared(region, len, RW, 0);

	map[0] = 0x33;
	assert_int_equal(addr[0], 0x33);
	map[len - 1] = 0x44;
	assert_int_equal(addr[len - 1], 0x44);
	assert_int_equal(vfio_map_errno(v, map, len), EFAULT);
	release(map, len);
	close(region);
}

static void test_vfio_from_mapping(void **state)
{
	char *bar = bar_map(SIZE), *ram = anon(SIZE, RW), *both = anon(2 * SIZE, RW);
	struct bar_vfio v;
	struct mem mem;

	(void)state;
	need_vfio();
	assert_true(bar_find_resettable());
	bar_vfio_open(&v);
	assert_int_equal(vfio_map_errno(&v, ram, SIZE), 0);
	check_vfio_refuses(&v, ram, SIZE);
	check_vfio_refuses(&v, bar, SIZE);
	assert_int_equal(mem_map(&mem, mem_find("devdax pmem"), 4 * MIB), 0);
	check_vfio_refuses(&v, mem.addr, SIZE);
	mem_unmap(&mem);
	assert_ptr_equal(mremap(bar, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, both + SIZE),
			 both + SIZE);
	check_vfio_refuses(&v, both, 2 * SIZE);
	bar_vfio_close(&v);
	release(both, 2 * SIZE);
	release(ram, SIZE);
}

static void child_nothing(void *arg)
{
	char *bar = arg;

	must(!munmap(bar, SIZE));
}

static void test_not_gone(void **state)
{
	char *bar = bar_map(3 * SIZE), *middle = bar + SIZE;
	int region = pin(middle, SIZE, PHYR_PIN_WRITE);

	(void)state;
	release(bar, SIZE);
	release(middle + SIZE, SIZE);
	check_alive(region);
	assert_return_code(mprotect(middle, SIZE, PROT_READ), errno);
	assert_return_code(mprotect(middle, SIZE, PROT_NONE), errno);
	assert_return_code(mprotect(middle, SIZE, RW), errno);
	check_alive(region);
	child_run(child_nothing, middle);	/* a copy of the mapping, by fork */
	check_alive(region);
	close(region);
	release(middle, SIZE);
}

/* The program that lent it goes; another one has the descriptor. */

static void child_lender(void *arg)
{
	int sock = *(int *)arg, region;
	char *bar = bar_map(SIZE), byte;

	region = phyr_pin(dev, bar, SIZE, PHYR_PIN_WRITE);
	must(region >= 0);
	send_fd(sock, region);
	must(read(sock, &byte, 1) == 1);
}

static void test_lender_exits(void **state)
{
	int sock[2], region, edu = edu_open();
	pid_t lender;
	char *map;

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), errno);
	lender = child_start(child_lender, &sock[1]);
	region = receive_fd(sock[0]);
	check_alive(region);
	map = map_shared(region, SIZE, RW, 0);
	map[3] = 1;
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	assert_int_equal(write(sock[0], "x", 1), 1);
	child_wait(lender);
	assert_true(gone_bus_error(map));
	assert_int_equal(pread(edu, map, 1, 0), -1);
	assert_int_equal(errno, ENODEV);
	check_revoked(region);
	release(map, SIZE);
	close(edu);
	close(region);
	close(sock[0]);
	close(sock[1]);
}

/* Devices */

static int map_by_region(int edu, char *bar, int *region)
{
	*region = pin(bar, SIZE, PHYR_PIN_WRITE);
	return edu_map_region(edu, *region, EDU_MAP_WRITE);
}

static int map_by_dmabuf(int edu, char *bar, int *region)
{
	*region = pin(bar, SIZE, PHYR_PIN_WRITE);
	return edu_map_dmabuf(edu, *region, EDU_MAP_WRITE);
}

static int map_by_user(int edu, char *bar, int *region)
{
	*region = -1;
	return edu_map_user(edu, bar, SIZE, EDU_MAP_WRITE);
}

static int (*const ways[])(int edu, char *bar, int *region) = {
	map_by_region, map_by_dmabuf, map_by_user,
};

static void check_device(int (*map)(int edu, char *bar, int *region))
{
	char *bar = bar_map(SIZE);
	int edu = edu_open(), region;

	assert_int_equal(map(edu, bar, &region), 0);
	edu_check(edu, 0, bar, 64);
	edu_check(edu, SIZE - 64, bar + SIZE - 64, 64);
	release(bar, SIZE);
	assert_int_equal(edu_errno(edu), ENODEV);
	if (region >= 0)
		check_revoked(region);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
	if (region >= 0)
		close(region);
	assert_int_equal(fixture_nothing_left(NULL), 0);
}

static void test_device(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		check_device(ways[i]);
}

struct fire {
	int edu;
	atomic_bool stop;
	atomic_uint done;
	int error;
};

static void *fire_main(void *arg)
{
	struct fire *fire = arg;

	while (!fire->stop && !fire->error) {
		fire->error = edu_errno(fire->edu);
		fire->done++;
	}
	return NULL;
}

/* A transfer takes a tenth of a second, and is going on nearly all the time. */
static void test_device_busy(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		char *bar = bar_map(SIZE);
		struct fire fire = { .edu = edu_open() };
		pthread_t thread;
		int region;

		assert_int_equal(ways[i % ARRAY_SIZE(ways)](fire.edu, bar, &region), 0);
		thread = thread_start(fire_main, &fire);
		while (fire.done < 1 + i / ARRAY_SIZE(ways))
			usleep(1000 + (useconds_t)i * 7000);
		release(bar, SIZE);
		pthread_join(thread, NULL);
		assert_int_equal(fire.error, ENODEV);
		close(fire.edu);
		if (region >= 0)
			close(region);
	}
}

/* RAM before and behind it goes with it, and its pins are released. */
static void test_mixture(void **state)
{
	char *area = anon(3 * SIZE, RW), *bar = bar_map(SIZE);
	int edu = edu_open(), region;

	(void)state;
	assert_ptr_equal(mremap(bar, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, area + SIZE),
			 area + SIZE);
	region = pin(area, 3 * SIZE, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	edu_check(edu, 0, area, 64);
	edu_check(edu, SIZE + 64, area + SIZE + 64, 64);
	release(area, SIZE);			/* has pages: held */
	edu_check(edu, SIZE + 64, area + SIZE + 64, 64);
	release(area + SIZE, SIZE);
	assert_int_equal(edu_errno(edu), ENODEV);
	check_revoked(region);
	close(edu);
	close(region);
	release(area + 2 * SIZE, SIZE);
}

/* A hole that opens while it is being pinned, and one that was there */
static void *unmapper_main(void *arg)
{
	release(arg, SIZE);
	return NULL;
}

static void test_while_pinning(void **state)
{
	unsigned int won = 0, lost = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		char *bar = bar_map(SIZE);
		pthread_t thread;
		int region;

		thread = thread_start(unmapper_main, bar);
		region = phyr_pin(dev, bar, SIZE, PHYR_PIN_WRITE);
		if (region < 0)
			assert_int_equal(region, -EFAULT);
		pthread_join(thread, NULL);
		if (region < 0) {
			lost++;
			continue;
		}
		won++;
		check_revoked(region);
		close(region);
	}
	print_message("# %u pinned before, %u found nothing\n", won, lost);
}

/* A descriptor that is one in name only keeps a region, but not its file. */
static void test_file_closed(void **state)
{
	char *bar = bar_map(SIZE), path[64];
	int region = pin(bar, SIZE, PHYR_PIN_WRITE), name, others[64];
	struct phyr_info info = { .size = sizeof(info) };

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", region);
	name = open(path, O_PATH | O_CLOEXEC);
	assert_return_code(name, errno);
	close(region);
	assert_int_equal(phyr_info(dev, &info), 0);
	assert_int_equal(info.regions, 1);
	/* files that may come to lie where the other one was */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	release(bar, SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i]);
	close(name);
}

/* An importer takes its time, as one has to whose device is at work. */
static void test_late_importer(void **state)
{
	char *bar = bar_map(SIZE);
	int region = pin(bar, SIZE, PHYR_PIN_WRITE), driver = driver_open();
	struct timespec before, after;

	(void)state;
	assert_int_equal(driver_attach(driver, region, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	release(bar, SIZE);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec -
		    before.tv_nsec >= 150000000);
	check_revoked(region);
	driver_detach(driver);
	assert_int_equal(driver_attach(driver, region, 0), ENODEV);
	close(driver);
	close(region);
}

/*
 * Until Linux 7.0 an importer that cannot be notified has a callback, too; that it pins is
 * how it is known.
 */
static void test_pinning_importer(void **state)
{
	char *bar = bar_map(SIZE), *ram = anon(SIZE, RW);
	int driver = driver_open(), region = pin(ram, SIZE, PHYR_PIN_WRITE);
	struct utsname name;
	bool refused;

	(void)state;
	assert_return_code(uname(&name), errno);
	refused = strtol(name.release, NULL, 10) < 7;
	assert_int_equal(driver_attach(driver, region, PT_PIN), 0);
	driver_detach(driver);
	close(region);
	release(ram, SIZE);

	region = pin(bar, SIZE, PHYR_PIN_WRITE);
	assert_int_equal(driver_attach(driver, region, PT_PIN), refused ? EOPNOTSUPP : 0);
	driver_detach(driver);
	assert_int_equal(driver_attach(driver, region, 0), 0);
	driver_detach(driver);
	close(driver);
	close(region);
	release(bar, SIZE);
}

/* A region is passed on by its descriptor, not by pinning a mapping of it. */
static void test_no_chain(void **state)
{
	char *bar = bar_map(SIZE), *map;
	int region = pin(bar, SIZE, PHYR_PIN_WRITE);

	(void)state;
	map = mmap(NULL, SIZE, RW, MAP_SHARED | MAP_POPULATE, region, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(phyr_pin(dev, map, SIZE, PHYR_PIN_WRITE), -EOPNOTSUPP);
	release(map, SIZE);
	close(region);
	release(bar, SIZE);
}

/* Caching: a mapping of the region has that of the mapping that it came from. */
static bool log_has(const char *text)
{
	char command[200];

	snprintf(command, sizeof(command), "dmesg | grep -q '%s'", text);
	return system(command) == 0;
}

static void test_caching(void **state)
{
	static const char *const files[] = { "resource2", "resource2_wc" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *bar = bar_map_file(files[i], SIZE), *map;
		int region = pin(bar, SIZE, PHYR_PIN_WRITE), edu = edu_open();

		map = map_shared(region, SIZE, RW, 0);
		for (size_t at = 0; at < SIZE; at += PAGE)
			map[at] = (char)(at / PAGE + 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		for (size_t at = 0; at < SIZE; at += PAGE)
			assert_int_equal(bar[at], (char)(at / PAGE + 1));
		assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
		edu_check(edu, 7, bar + 7, 64);
		close(edu);
		release(map, SIZE);
		close(region);
		release(bar, SIZE);
	}
	/* x86 says so when two mappings of one page differ */
	assert_false(log_has("map pfn expected mapping type"));
	assert_false(log_has("conflicting memory types"));
}

/* RDMA: the peer gets a completion with an error. */

static struct rdma r;
static struct ibv_mr *near;

static void peer_begin(void)
{
	near = rdma_begin(&r, BUF);
}

static void peer_end(void)
{
	rdma_end(&r, near);
}

static void check_peer(struct ibv_mr *mr, bool there)
{
	enum ibv_wc_status wrong = there ? IBV_WC_SUCCESS : IBV_WC_REM_ACCESS_ERR;
	struct rdma_at far = rdma_at(mr, 8);

	assert_int_equal(rdma_write(&r, far, rdma_at(near, 0), 100), wrong);
	if (!there)
		rdma_reconnect(&r);
	assert_int_equal(rdma_read(&r, far, rdma_at(near, 0), 100), wrong);
	if (!there)
		rdma_reconnect(&r);
	assert_int_equal(rdma_add(&r, far, rdma_at(near, 0), 1), wrong);
	if (!there)
		rdma_reconnect(&r);
}

static void test_rdma_peer(void **state)
{
	char *bar;
	struct ibv_mr *mr;

	(void)state;
	peer_begin();
	bar = bar_map(SIZE);
	mr = ibv_reg_mr(r.pd, bar, SIZE, RDMA_ALL);
	assert_non_null(mr);
	check_peer(mr, true);
	release(bar, SIZE);
	check_peer(mr, false);
	/* as the near side: nothing is sent of it, nothing is put into it */
	assert_int_not_equal(rdma_write(&r, rdma_at(near, 0), rdma_at(mr, 0), 100),
			     IBV_WC_SUCCESS);
	rdma_reconnect(&r);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	peer_end();
}

static void test_rdma_region(void **state)
{
	struct ibv_mr *mr;
	int region;
	char *bar;

	(void)state;
	peer_begin();
	bar = bar_map(SIZE);
	region = pin(bar, SIZE, PHYR_PIN_WRITE);
	mr = ibv_reg_dmabuf_mr(r.pd, 0, SIZE, (uintptr_t)bar, region, RDMA_ALL);
	assert_non_null(mr);
	mr->addr = bar;
	check_peer(mr, true);
	release(bar, SIZE);
	check_peer(mr, false);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, SIZE, 0, region, RDMA_ALL));
	assert_int_equal(errno, ENODEV);
	check_revoked(region);
	close(region);
	peer_end();
}

/* The device is pulled out while everybody is at it. */

struct pull {
	pthread_t thread;
	struct ibv_mr *mr;
	atomic_bool stop;
	atomic_uint good, bad;
	atomic_uint status;		/* of the last write */
};

static void *pull_main(void *arg)
{
	struct pull *pull = arg;

	while (!pull->stop) {
		enum ibv_wc_status status = rdma_write(&r, rdma_at(pull->mr, 0),
						       rdma_at(near, 0), BUF);

		pull->status = status;
		if (status == IBV_WC_SUCCESS) {
			pull->good++;
			continue;
		}
		pull->bad++;
		rdma_reconnect(&r);
	}
	return NULL;
}

/* Naps until there is one; a minute is more than it takes. */
static void pull_wait(const struct pull *pull, const atomic_uint *count, const char *what)
{
	for (unsigned int naps = 0; !*count; naps++) {
		if (naps >= 120000)
			fail_msg("no %s: %u good writes, %u bad ones, the last one %s", what,
				 pull->good, pull->bad, ibv_wc_status_str(pull->status));
		usleep(500);
	}
}

static void pull_once(bool busy_edu)
{
	char *bar = bar_map(SIZE);
	struct fire fire = { .edu = edu_open() };
	struct pull pull = { .mr = ibv_reg_mr(r.pd, bar, SIZE, RDMA_ALL) };
	int region = pin(bar, SIZE, PHYR_PIN_WRITE);
	pthread_t thread = 0;

	assert_non_null(pull.mr);
	assert_int_equal(edu_map_dmabuf(fire.edu, region, EDU_MAP_WRITE), 0);
	pull.thread = thread_start(pull_main, &pull);
	if (busy_edu)
		thread = thread_start(fire_main, &fire);
	pull_wait(&pull, &pull.good, "good write");
	if (busy_edu)
		pull_wait(&pull, &fire.done, "transfer by the device");
	bar_remove();
	pull_wait(&pull, &pull.bad, "bad write");
	pull.stop = true;
	pthread_join(pull.thread, NULL);
	if (busy_edu) {
		pthread_join(thread, NULL);
		assert_int_equal(fire.error, ENODEV);
	} else {
		assert_int_equal(edu_errno(fire.edu), ENODEV);
	}
	check_revoked(region);
	assert_int_equal(ibv_dereg_mr(pull.mr), 0);
	close(fire.edu);
	close(region);
	release(bar, SIZE);
	bar_back();
}

static unsigned int rounds(void)
{
	const char *text = getenv("PHYR_PULLS");

	if (text)
		return (unsigned int)strtoul(text, NULL, 0);
	return getenv("PHYR_DEBUG") ? 12 : 60;
}

static void test_pulled_out(void **state)
{
	unsigned int nr = rounds();

	(void)state;
	peer_begin();
	for (unsigned int i = 0; i < nr; i++)
		pull_once(i % 8 == 0);
	peer_end();
	print_message("# pulled out %u times\n", nr);
}

/*
 * A driver that takes its mappings away: vfio, when the memory is switched off or
 * the device is reset.
 */

static void memory_off(const struct bar_vfio *v)
{
	bar_vfio_memory(v, false);
}

static void check_vfio(const struct bar_vfio *v, void (*pull)(const struct bar_vfio *v))
{
	char *bar = bar_vfio_map(v, BAR_SIZE);
	int edu = edu_open(), region, again;

	region = pin(bar, BAR_SIZE, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	edu_check(edu, BAR_SIZE - 64, bar + BAR_SIZE - 64, 64);
	pull(v);
	assert_int_equal(edu_errno(edu), ENODEV);
	check_revoked(region);
	bar_vfio_memory(v, true);
	check_revoked(region);			/* for good */
	assert_int_equal(edu_unmap(edu), 0);

	again = pin(bar, BAR_SIZE, PHYR_PIN_WRITE);	/* the mapping itself is there again */
	assert_int_equal(edu_map_region(edu, again, EDU_MAP_WRITE), 0);
	edu_check(edu, BAR_SIZE - 64, bar + BAR_SIZE - 64, 64);
	close(edu);
	close(region);
	close(again);
	release(bar, BAR_SIZE);
}

static void pull_by_vfio(void (*pull)(const struct bar_vfio *v))
{
	struct bar_vfio v;

	need_vfio();
	bar_vfio_open(&v);
	check_vfio(&v, pull);
	bar_vfio_close(&v);
}

static void test_vfio(void **state)
{
	(void)state;
	pull_by_vfio(memory_off);
}

static void test_vfio_reset(void **state)
{
	(void)state;
	assert_true(bar_find_resettable());
	pull_by_vfio(bar_vfio_reset);
}

static void *unbind_main(void *arg)
{
	(void)arg;
	bar_vfio_unbind();
	return NULL;
}

/*
 * The driver of a device that is used does not go before its memory does; and when
 * it has gone, nobody has any of that.
 */
static void test_vfio_unbind(void **state)
{
	struct bar_vfio v;
	pthread_t thread;
	int edu, region;
	char *bar;

	(void)state;
	need_vfio();
	edu = edu_open();
	bar_vfio_open(&v);
	bar = bar_vfio_map(&v, BAR_SIZE);
	region = pin(bar, BAR_SIZE, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	thread = thread_start(unbind_main, NULL);
	usleep(300000);
	check_alive(region);
	edu_check(edu, 64, bar + 64, 64);
	bar_vfio_release(&v);
	check_alive(region);
	release(bar, BAR_SIZE);
	pthread_join(thread, NULL);
	assert_int_equal(edu_errno(edu), ENODEV);
	check_revoked(region);
	close(edu);
	close(region);
}

static int find_first(void **state)
{
	(void)state;
	return bar_find() ? 0 : -1;
}

#define revoke_test(f)	{ #f, f, find_first, fixture_nothing_left, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		revoke_test(test_gone),
		revoke_test(test_not_gone),
		revoke_test(test_split),
		revoke_test(test_appending),
		revoke_test(test_removed),
		revoke_test(test_vfio_from_mapping),
		revoke_test(test_lender_exits),
		revoke_test(test_device),
		revoke_test(test_device_busy),
		revoke_test(test_mixture),
		revoke_test(test_while_pinning),
		revoke_test(test_file_closed),
		revoke_test(test_late_importer),
		revoke_test(test_pinning_importer),
		revoke_test(test_no_chain),
		revoke_test(test_caching),
		revoke_test(test_rdma_peer),
		revoke_test(test_rdma_region),
		revoke_test(test_pulled_out),
		revoke_test(test_vfio),
		revoke_test(test_vfio_reset),
		revoke_test(test_vfio_unbind),
	};
	int failed;

	failed = fixture_run(tests);
	return rdma_unload() || failed;
}
