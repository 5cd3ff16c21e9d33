// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device reaches memory of every kind, in both directions; and what happens
 * when the device, its driver or phyr itself goes. The same with an IOMMU and
 * without one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/edu.h"
#include "common/layout.h"

#define DRIVER	"/sys/bus/pci/drivers/edu"
#define SIZE	(16 * MIB)
#define SOME	64

static size_t size_of(const struct mem_kind *kind)
{
	if (!strcmp(kind->name, "mixed") || !strcmp(kind->name, "one 1 GiB page x5"))
		return kind->size;
	return kind->page > SIZE ? kind->page : SIZE;
}

/* In both directions where that may be, at an offset from @start. */
static void check_place(int edu, const char *start, uint64_t offset)
{
	char *cpu = (char *)start + offset;

	if (kind_mem.kind->read_only)
		edu_check_peek(edu, offset, cpu, SOME);
	else
		edu_check(edu, offset, cpu, SOME);
}

/* The first and the last bytes, and across the first place where phyrs meet. */
static void check_places(int edu, const char *start, size_t len)
{
	uint64_t meet = edu_boundary(edu, 0);

	check_place(edu, start, 0);
	check_place(edu, start, len - SOME);
	if (meet < len)
		check_place(edu, start, meet - SOME / 2);
	if (len > 4 * GIB)
		check_place(edu, start, 4 * GIB - SOME / 2);
}

static unsigned int edu_flags(void)
{
	return kind_mem.kind->read_only ? 0 : EDU_MAP_WRITE;
}

static void test_region(void **state)
{
	int edu, region;

	(void)state;
	need_kind(kind_mem.kind);
	edu = edu_open();
	if (kind_mem.kind->short_only) {
		assert_int_equal(edu_map_user(edu, kind_mem.addr, kind_mem.len, EDU_MAP_WRITE),
				 EOPNOTSUPP);
		close(edu);
		return;
	}
	region = pin(kind_mem.addr + 33, kind_mem.len - 66,
		     kind_mem.kind->read_only ? 0 : PHYR_PIN_WRITE);
	assert_int_equal(edu_map_region(edu, region, edu_flags()), 0);
	close(region);			/* the device's file holds it */
	check_places(edu, kind_mem.addr + 33, kind_mem.len - 66);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
}

static void test_short(void **state)
{
	const size_t skip = kind_mem.len / 2 + 99, len = kind_mem.len / 4;
	int edu;

	(void)state;
	need_kind(kind_mem.kind);
	edu = edu_open();
	assert_int_equal(edu_map_user(edu, kind_mem.addr + skip, len, edu_flags() | EDU_MAP_SHORT),
			 0);
	check_place(edu, kind_mem.addr + skip, len / 2);
	close(edu);			/* and all is unpinned */
}

/* Memory that may not be written is not, by a device neither. */
static void test_read_only(void **state)
{
	char *addr = anon(4 * PAGE, RW), byte = 1;
	int edu = edu_open(), region = pin(addr, 4 * PAGE, 0);

	(void)state;
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), EACCES);
	assert_int_equal(edu_map_region(edu, region, 0), 0);
	assert_int_equal(pwrite(edu, &byte, 1, 0), -1);
	assert_int_equal(errno, EACCES);
	edu_check_peek(edu, PAGE - 10, addr + PAGE - 10, 20);
	assert_int_equal(edu_unmap(edu), 0);
	assert_int_equal(mprotect(addr, 4 * PAGE, PROT_READ), 0);
	assert_int_equal(edu_map_user(edu, addr, PAGE, EDU_MAP_WRITE), EFAULT);
	assert_int_equal(edu_map_user(edu, addr, PAGE, EDU_MAP_WRITE | EDU_MAP_SHORT), EFAULT);
	assert_int_equal(edu_map_user(edu, addr, PAGE, EDU_MAP_SHORT), 0);
	close(edu);
	close(region);
	release(addr, 4 * PAGE);
}

static void test_bad(void **state)
{
	char *addr = anon(PAGE, RW), byte;
	int edu = edu_open();

	(void)state;
	assert_int_equal(edu_unmap(edu), EINVAL);
	assert_int_equal(pread(edu, &byte, 1, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(edu_map_user(edu, addr, 0, 0), EINVAL);
	assert_int_equal(edu_map_user(edu, addr, PAGE, 1u << 31), EINVAL);
	assert_int_equal(edu_map_user(edu, NULL, PAGE, 0), EFAULT);
	assert_int_equal(edu_map_region(edu, -1, 0), EBADF);
	assert_int_equal(edu_map_region(edu, dev, 0), EINVAL);
	assert_int_equal(edu_map_dmabuf(edu, -1, 0), EBADF);
	assert_int_equal(edu_map_user(edu, addr, PAGE, 0), 0);
	assert_int_equal(edu_map_user(edu, addr, PAGE, 0), EBUSY);
	assert_int_equal(pread(edu, &byte, 1, PAGE), 0);
	close(edu);
	release(addr, PAGE);
}

/* Who dies with memory mapped leaves nothing. */
static void killed_child(void *arg)
{
	char *addr = arg;
	int edu = open("/dev/edu0", O_RDWR), other = open("/dev/edu0", O_RDWR), region;
	struct edu_map map = {
		.addr = (uintptr_t)addr, .len = MIB, .flags = EDU_MAP_WRITE | EDU_MAP_SHORT,
	};

	region = phyr_pin(dev, addr, MIB, PHYR_PIN_WRITE);
	must(region >= 0);
	must(!ioctl(edu, EDU_IOC_MAP, &map));
	map.fd = region;
	map.flags = EDU_MAP_REGION;
	must(!ioctl(other, EDU_IOC_MAP, &map));
	raise(SIGKILL);
}

static void test_killed(void **state)
{
	char *addr = anon(MIB, RW);
	pid_t pid = child_start(killed_child, addr);
	int status;

	(void)state;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	release(addr, MIB);
}

/* The device goes */

static void device_name(char *name, size_t size)
{
	glob_t found;

	assert_int_equal(glob(DRIVER "/0000:*", 0, NULL, &found), 0);
	snprintf(name, size, "%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
}

static void check_gone(int edu)
{
	char byte = 0;

	assert_int_equal(pread(edu, &byte, 1, 0), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(pwrite(edu, &byte, 1, 0), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(edu_unmap(edu), ENODEV);
	assert_int_equal(edu_map_user(edu, &byte, 1, 0), ENODEV);
}

static void test_unbind(void **state)
{
	char *addr = anon(MIB, RW), name[64];
	int edu[3] = { edu_open(), edu_open(), edu_open() };
	int region = pin(addr, MIB, PHYR_PIN_WRITE);

	(void)state;
	device_name(name, sizeof(name));
	assert_int_equal(edu_map_user(edu[0], addr, MIB, EDU_MAP_WRITE | EDU_MAP_SHORT), 0);
	assert_int_equal(edu_map_region(edu[1], region, EDU_MAP_WRITE), 0);
	assert_int_equal(edu_map_dmabuf(edu[2], region, EDU_MAP_WRITE), 0);
	close(region);
	assert_int_equal(write_file(DRIVER "/unbind", name), 0);
	/* the files are open, and hold nothing any more */
	assert_int_equal(fixture_nothing_left(NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(edu); i++)
		check_gone(edu[i]);
	assert_int_equal(open("/dev/edu0", O_RDWR), -1);
	assert_int_equal(write_file(DRIVER "/bind", name), 0);
	for (size_t i = 0; i < ARRAY_SIZE(edu); i++) {
		check_gone(edu[i]);
		close(edu[i]);
	}
	edu[0] = edu_open();
	assert_int_equal(edu_map_user(edu[0], addr, MIB, EDU_MAP_WRITE), 0);
	edu_check(edu[0], 4095, addr + 4095, 100);
	close(edu[0]);
	release(addr, MIB);
}

/* The modules go */

static int remove_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

static void load_module(const char *name_and_parameters)
{
	char command[200];

	snprintf(command, sizeof(command), "modprobe %s", name_and_parameters);
	assert_int_equal(system(command), 0);
}

static void remove_users(void)
{
	assert_int_equal(remove_module("edu"), 0);
	assert_int_equal(remove_module("phyr_bench"), 0);
	assert_int_equal(remove_module("phyr_test"), 0);
}

static void test_remove_module(void **state)
{
	char *addr = anon(MIB, RW), *map;
	int region = pin(addr, MIB, PHYR_PIN_WRITE);

	(void)state;
	assert_int_equal(remove_module("phyr"), EWOULDBLOCK);	/* others use it */
	remove_users();
	assert_int_equal(remove_module("phyr"), EWOULDBLOCK);	/* /dev/phyr is open */
	close(dev);
	assert_int_equal(remove_module("phyr"), EWOULDBLOCK);	/* a region is */
	map = map_shared(region, MIB, RW, 0);
	close(region);
	map[5] = 0x44;
	assert_int_equal(remove_module("phyr"), EWOULDBLOCK);	/* it is mapped */
	assert_int_equal(addr[5], 0x44);
	release(map, MIB);
	assert_int_equal(remove_module("phyr"), 0);
	assert_int_equal(access("/dev/phyr", F_OK), -1);

	load_module("phyr");
	load_module("edu");
	load_module("phyr_bench");
	load_module("phyr_test");
	dev = phyr_open();
	assert_true(dev >= 0);
	close(pin(addr, MIB, PHYR_PIN_WRITE));
	release(addr, MIB);
}

static void test_remove_driver(void **state)
{
	char *addr = anon(MIB, RW);
	int edu = edu_open();

	(void)state;
	assert_int_equal(edu_map_user(edu, addr, MIB, EDU_MAP_WRITE), 0);
	assert_int_equal(remove_module("edu"), EWOULDBLOCK);
	close(edu);
	assert_int_equal(remove_module("edu"), 0);
	load_module("edu");
	release(addr, MIB);
}

/*
 * A device with few address bits. An IOMMU has addresses as low as it likes;
 * without one, the kernel's bounce buffer, which is just below 2 GiB here, has
 * to be in reach, and a kernel without ZONE_DMA wants 32 bits at least.
 */
static unsigned int narrow_bits(void)
{
	if (edu_translated())
		return 28;
	return system("grep -Eq 'zone +DMA$' /proc/zoneinfo") ? 32 : 31;
}

static void narrow_begin(void)
{
	char module[32];

	snprintf(module, sizeof(module), "edu dma_bits=%u", narrow_bits());
	assert_int_equal(remove_module("edu"), 0);
	load_module(module);
}

static int narrow_end(void **state)
{
	assert_int_equal(remove_module("edu"), 0);
	load_module("edu");
	return fixture_nothing_left(state);
}

static int narrow_setup(void **state)
{
	(void)state;
	narrow_begin();
	return 0;
}

#define PART	(2 * MIB)

/* Above 2 GiB is out of reach for any of them but one of 32 bits. */
static uint64_t near_end(void)
{
	return narrow_bits() == 32 ? 4 * GIB : 2 * GIB;
}

static bool far_away(const char *addr, size_t len)
{
	uint64_t *frames = layout_frames(addr, len), lowest = ~0ull;

	for (size_t i = 0; i < len / PAGE; i++)
		if (frames[i] < lowest)
			lowest = frames[i];
	free(frames);
	return lowest * PAGE >= near_end();
}

/*
 * The kernel takes memory from below 4 GiB once there is little left above it on the
 * same node: what it keeps of files has to go, and a second node has nothing below.
 */
static void prefer_far(bool far)
{
	unsigned long node1 = 2;
	bool two = far && !access("/sys/devices/system/node/node1", F_OK);

	if (far)
		write_file("/proc/sys/vm/drop_caches", "1");
	syscall(SYS_set_mempolicy, two ? MPOL_PREFERRED : MPOL_DEFAULT, two ? &node1 : NULL,
		two ? 8 * sizeof(node1) : 0);
}

/* A part of a kind of memory that the device cannot reach by itself. */
static char *map_far(const char *kind, size_t size)
{
	int ret;

	prefer_far(true);
	ret = mem_map(&kind_mem, mem_find(kind), size);
	for (size_t at = 0; at < size && !ret; at += PAGE)
		(void)*(volatile char *)(kind_mem.addr + at);	/* a file need not be there */
	prefer_far(false);
	assert_int_equal(ret, 0);
	for (size_t at = 0; at < size; at += PART)
		if (far_away(kind_mem.addr + at, PART))
			return kind_mem.addr + at;
	fail_msg("no %s above %llu GiB", kind, (unsigned long long)(near_end() / GIB));
	return NULL;
}

static void check_narrow(const char *kind, size_t size)
{
	char *addr = map_far(kind, size);
	const size_t len = PART - 300;
	int edu = edu_open(), region;

	region = pin(addr + 100, len, kind_mem.kind->read_only ? 0 : PHYR_PIN_WRITE);
	assert_int_equal(edu_map_region(edu, region, edu_flags()), 0);
	check_place(edu, addr + 100, 0);
	check_place(edu, addr + 100, MIB + 4096 - SOME / 2);
	check_place(edu, addr + 100, len - SOME);
	close(edu);
	close(region);
	mem_unmap(&kind_mem);
}

static void test_narrow(void **state)
{
	(void)state;
	check_narrow("4 KiB pages", 32 * MIB);
	check_narrow("4 KiB scattered", 32 * MIB);
	check_narrow("THP 2 MiB", 32 * MIB);
	check_narrow("hugetlb 2 MiB", 512 * MIB);
	check_narrow("ext4 file", 32 * MIB);
}

/* What bounces is there after unmapping, too. */
static void test_narrow_unmap(void **state)
{
	char *addr = map_far("4 KiB pages", 32 * MIB), bytes[SOME];
	int edu = edu_open();

	(void)state;
	assert_int_equal(edu_map_user(edu, addr, MIB, EDU_MAP_WRITE | EDU_MAP_SHORT), 0);
	memset(addr + 4990, 0x5a, SOME + 20);
	memset(bytes, 0x2b, SOME);
	assert_int_equal(pwrite(edu, bytes, SOME, 5000), SOME);
	assert_int_equal(edu_unmap(edu), 0);
	assert_memory_equal(addr + 5000, bytes, SOME);
	close(edu);
	mem_unmap(&kind_mem);
}

/* As a dma-buf: the CPU's ioctls are what copies. */
static void test_narrow_dmabuf(void **state)
{
	char *addr = map_far("4 KiB pages", 32 * MIB), *map, bytes[SOME];
	int edu = edu_open(), region = pin(addr, MIB, PHYR_PIN_WRITE);

	(void)state;
	map = map_shared(region, MIB, RW, 0);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	assert_int_equal(phyr_begin_access(region, PHYR_ACCESS_WRITE), 0);
	pattern_fill(map, MIB, 9);
	assert_int_equal(phyr_end_access(region, PHYR_ACCESS_WRITE), 0);
	edu_check_peek(edu, 4090, map + 4090, SOME);
	memset(bytes, 0x2c, SOME);
	assert_int_equal(pwrite(edu, bytes, SOME, 9000), SOME);
	assert_int_equal(phyr_begin_access(region, PHYR_ACCESS_READ), 0);
	assert_memory_equal(map + 9000, bytes, SOME);
	assert_int_equal((unsigned char)map[8999], pattern(8999, 9));
	assert_int_equal(phyr_end_access(region, PHYR_ACCESS_READ), 0);
	close(edu);
	release(map, MIB);
	close(region);
	mem_unmap(&kind_mem);
}

/* More than addresses or bounce buffers there are: refused, and all unpinned. */
static void test_narrow_too_much(void **state)
{
	int edu = edu_open();

	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("hugetlb 1 GiB"), GIB), 0);
	assert_int_equal(edu_map_user(edu, kind_mem.addr, GIB, EDU_MAP_WRITE), EIO);
	assert_int_equal(edu_map_user(edu, kind_mem.addr + 10, GIB - 20, EDU_MAP_SHORT), EIO);
	assert_int_equal(fixture_nothing_left(NULL), 0);
	assert_int_equal(edu_map_user(edu, kind_mem.addr, MIB, EDU_MAP_WRITE), 0);
	edu_check(edu, 12345, kind_mem.addr + 12345, SOME);
	close(edu);
	mem_unmap(&kind_mem);
}

/*
 * A device that is not trusted has pages that it is to see a part of bounced, by an
 * IOMMU. A phyr has two of those, however long it is.
 */
static void check_untrusted(size_t skip, size_t len, bool one)
{
	struct edu_map how = { .flags = EDU_MAP_REGION | EDU_MAP_WRITE };
	int edu = edu_open(), region = pin(kind_mem.addr + skip, len, PHYR_PIN_WRITE), ret;

	how.fd = region;
	ret = ioctl(edu, EDU_IOC_MAP, &how);
	assert_return_code(ret, errno);
	assert_int_equal(how.phyrs, 1);
	print_message("# %zu bytes at %zu: %llu ranges\n", len, skip,
		      (unsigned long long)how.segments);
	assert_true(how.segments == 1 || !one);
	check_place(edu, kind_mem.addr + skip, 0);
	check_place(edu, kind_mem.addr + skip, MIB + 4096 - SOME / 2);
	check_place(edu, kind_mem.addr + skip, len - SOME);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
	close(region);
}

static void test_untrusted(void **state)
{
	struct phyr_info info = { .size = sizeof(info) };
	int driver = driver_open();

	(void)state;
	assert_int_equal(phyr_info(dev, &info), 0);
	assert_int_equal(mem_map(&kind_mem, mem_find("hugetlb 1 GiB"), GIB), 0);
	driver_distrust(driver, true);
	/* where dma_iova_link() bounces what begins in a page, it finds no address for it */
	check_untrusted(512, GIB - 1000, false);
	if (info.iova && getenv("PHYR_DEBUG"))
		print_message("# DMA debugging knows no ranges of IOVA: it would warn of a sync\n");
	else
		check_untrusted(PAGE, GIB - PAGE - 1000, info.iova);
	driver_distrust(driver, false);
	close(driver);
	mem_unmap(&kind_mem);
}

/* Memory without pages cannot bounce; an IOMMU brings it within reach. */
static void test_narrow_bar(void **state)
{
	uint64_t *frames;
	int edu = edu_open();
	bool near;

	(void)state;
	assert_int_equal(mem_map(&kind_mem, mem_find("PCI BAR"), MIB), 0);
	frames = layout_frames(kind_mem.addr, MIB);
	near = frames[MIB / PAGE - 1] * PAGE < near_end();
	free(frames);
	if (edu_translated() || near) {
		assert_int_equal(edu_map_user(edu, kind_mem.addr, MIB, EDU_MAP_WRITE), 0);
		edu_check(edu, 4095, kind_mem.addr + 4095, SOME);
	} else {
		assert_int_equal(edu_map_user(edu, kind_mem.addr, MIB, EDU_MAP_WRITE), EREMOTEIO);
	}
	close(edu);
	mem_unmap(&kind_mem);
}

#define narrow_test(f)	{ #f, f, narrow_setup, narrow_end, NULL }

static const struct CMUnitTest others[] = {
	fixture_test(test_read_only),
	fixture_test(test_bad),
	fixture_test(test_killed),
	fixture_test(test_unbind),
	fixture_test(test_remove_driver),
	fixture_test(test_remove_module),
	fixture_test(test_untrusted),
	narrow_test(test_narrow),
	narrow_test(test_narrow_unmap),
	narrow_test(test_narrow_dmabuf),
	narrow_test(test_narrow_too_much),
	narrow_test(test_narrow_bar),
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
		const struct mem_kind *kind = &mem_kinds[i];

		tests[nr++] = fixture_kind_test("region", kind, map_kind, test_region);
		tests[nr++] = fixture_kind_test("short", kind, map_kind, test_short);
	}
	memcpy(tests + nr, others, sizeof(others));
	return fixture_run_tests("dma", tests, nr + ARRAY_SIZE(others));
}
