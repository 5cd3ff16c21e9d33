// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and an NVMe drive, read into regions and written from them: memory of every kind,
 * slices, ends of files, and what is refused. What a file holds is compared by read() and
 * write() of it, as they always were.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/bar.h"
#include "common/drive.h"

#define LEN	(MIB + 4 * PAGE)
#define WHERE	"/tmp/phyr-rw"

static const char *const kinds[] = {
	"4 KiB pages", "4 KiB scattered", "mTHP 64 KiB", "THP 2 MiB", "hugetlb 2 MiB", "memfd",
	"devdax pmem", "PCI BAR", "hidden RAM", "mixed",
};

/** struct target - what is read and written */
struct target {
	const char *name;
	const char *path;	/* NULL: the drive */
	int flags;
};

static const struct target targets[] = {
	{ "drive, O_DIRECT", NULL, O_DIRECT },
	{ "drive", NULL, 0 },
	{ "ext4, O_DIRECT", WHERE "/file", O_DIRECT },
	{ "ext4", WHERE "/file", 0 },
	{ "tmpfs", "/dev/shm/phyr-rw", 0 },
};

static const char *drive;
static char *plain;		/* a buffer for read() and write() */

/* A file system on the drive, while the targets that are files are used. */
static void mount_drive(void)
{
	char command[128];

	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s", drive);
	assert_int_equal(system(command), 0);
	assert_true(!mkdir(WHERE, 0700) || errno == EEXIST);
	assert_return_code(mount(drive, WHERE, "ext4", 0, NULL), errno);
}

static void unmount_drive(void)
{
	assert_return_code(umount(WHERE), errno);
}

static int target_open(const struct target *t)
{
	int fd = open(t->path ? t->path : drive, O_RDWR | O_CLOEXEC | t->flags |
		      (t->path ? O_CREAT : 0), 0600);

	assert_return_code(fd, errno);
	if (t->path)
		assert_return_code(ftruncate(fd, 4 * (off_t)LEN), errno);
	return fd;
}

static struct mem mem;
static int region;

static void lend(const char *name)
{
	const struct mem_kind *kind = mem_find(name);
	size_t len = (LEN + kind->page - 1) / kind->page * kind->page;

	if (mem_map(&mem, kind, strcmp(name, "mixed") ? len : 28 * MIB))
		fail_msg("%s: %s", name, strerror(errno));
	region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
}

static void take_back(void)
{
	close(region);
	mem_unmap(&mem);
}

static bool is_pageless(void)
{
	struct phyr_query query = { .size = sizeof(query) };

	assert_int_equal(phyr_query(dev, region, &query), 0);
	return query.kinds & (1u << PHYR_KIND_PFNMAP);
}

static void check_direct(uint64_t direct, size_t len)
{
	assert_int_equal(direct, is_pageless() ? 0 : len);
}

/* To the file and, at another place, back. */
static void check_target(int fd, unsigned int seed)
{
	const struct phyr_slice slice = { .offset = PAGE, .len = LEN - PAGE };
	const size_t len = slice.len;
	uint64_t direct = 1;
	char *at = mem.addr + PAGE;

	pattern_fill(at, len, seed);
	assert_int_equal(phyr_pwritev2(dev, fd, region, &slice, 1, PAGE, 0, &direct), len);
	check_direct(direct, len);
	assert_int_equal(pread(fd, plain, len, PAGE), len);
	assert_true(pattern_is(plain, len, seed));

	pattern_fill(plain, len, seed + 1);
	assert_int_equal(pwrite(fd, plain, len, 2 * LEN), len);
	assert_int_equal(phyr_preadv2(dev, fd, region, &slice, 1, 2 * LEN, 0, &direct), len);
	check_direct(direct, len);
	assert_true(pattern_is(at, len, seed + 1));
}

/* DMA debugging complains of a driver that maps such pages itself, by O_DIRECT of any program. */
static bool driver_may_map(const char *kind)
{
	return strcmp(kind, "devdax pmem") || access("/sys/kernel/debug/dma-api", F_OK);
}

static void check_kinds(const struct target *t)
{
	int fd = target_open(t);

	print_message("# %s\n", t->name);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (t->flags & O_DIRECT && !driver_may_map(kinds[k]))
			continue;
		print_message("#   %s\n", kinds[k]);
		lend(kinds[k]);
		check_target(fd, (unsigned int)k * 2 + 1);
		take_back();
	}
	close(fd);
	if (t->path)
		assert_return_code(unlink(t->path), errno);
}

static void test_kinds(void **state)
{
	(void)state;
	check_kinds(&targets[0]);
	check_kinds(&targets[1]);
	mount_drive();
	for (size_t i = 2; i < ARRAY_SIZE(targets); i++)
		check_kinds(&targets[i]);
	unmount_drive();
}

/* The bytes of slices, one after another. */
static void gather(char *to, const struct phyr_slice *slices, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		memcpy(to, mem.addr + slices[i].offset, slices[i].len);
		to += slices[i].len;
	}
}

static size_t sum(const struct phyr_slice *slices, size_t nr)
{
	size_t len = 0;

	while (nr--)
		len += slices[nr].len;
	return len;
}

static void check_slices(int fd, const struct phyr_slice *slices, size_t nr)
{
	size_t len = sum(slices, nr);
	char *expected = anon(len + PAGE, RW);

	pattern_fill(mem.addr, LEN, 9);
	gather(expected, slices, nr);
	assert_int_equal(phyr_pwritev2(dev, fd, region, slices, nr, 8 * PAGE, 0, NULL), len);
	memset(mem.addr, 0, LEN);
	assert_int_equal(phyr_preadv2(dev, fd, region, slices, nr, 8 * PAGE, 0, NULL), len);
	gather(plain, slices, nr);
	assert_memory_equal(plain, expected, len);
	release(expected, len + PAGE);
}

static void test_slices(void **state)
{
	static const struct phyr_slice blocks[] = {
		{ 512, 512 }, { 0, 512 }, { 3 * PAGE + 1024, 2 * PAGE },
		{ LEN - 64 * KIB, 64 * KIB }, { 9 * PAGE + 3584, 1024 },
	};
	static const struct phyr_slice odd[] = {
		{ 1, 1 }, { 7, 64 }, { PAGE - 3, 2 * PAGE + 5 }, { 0, 3 },
		{ 64 * KIB - 5, 128 * KIB },
	};
	static const char *const some[] = { "4 KiB scattered", "THP 2 MiB", "PCI BAR", "mixed" };
	struct phyr_slice many[1024];
	int direct = target_open(&targets[0]), buffered = target_open(&targets[1]);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct phyr_slice) { .offset = i * 1024, .len = 512 };
	for (size_t k = 0; k < ARRAY_SIZE(some); k++) {
		lend(some[k]);
		check_slices(direct, blocks, ARRAY_SIZE(blocks));
		check_slices(direct, many, ARRAY_SIZE(many));
		check_slices(buffered, odd, ARRAY_SIZE(odd));
		take_back();
	}
	close(direct);
	close(buffered);
}

/* More than fits into one piece, from the middle of a page on. */
static void test_long(void **state)
{
	const size_t len = 72 * MIB;
	char *addr = anon(len + PAGE, RW);
	int fd = target_open(&targets[0]);

	(void)state;
	region = pin(addr + 512, len, PHYR_PIN_WRITE);
	pattern_fill(addr + 512, len, 5);
	assert_int_equal(phyr_pwrite(dev, fd, region, 0, len, MIB), len);
	memset(addr, 0, len + PAGE);
	assert_int_equal(phyr_pread(dev, fd, region, 0, len, MIB), len);
	assert_true(pattern_is(addr + 512, len, 5));
	assert_int_equal(addr[511], 0);
	assert_int_equal(addr[512 + len], 0);
	close(region);
	close(fd);
	release(addr, len + PAGE);
}

/* A file is shorter, a hole is zeros, and a file that is written behind its end grows. */
static void test_ends(void **state)
{
	static const char *const some[] = { "4 KiB pages", "PCI BAR" };
	struct stat st;
	int fd;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(some); k++) {
		fd = memfd_create("rw", MFD_CLOEXEC);
		lend(some[k]);
		pattern_fill(mem.addr, LEN, 4);
		assert_int_equal(phyr_pread(dev, fd, region, 0, LEN, 0), 0);
		assert_int_equal(phyr_pwrite(dev, fd, region, 3, 1000, 3 * MIB), 1000);
		assert_return_code(fstat(fd, &st), errno);
		assert_int_equal(st.st_size, 3 * MIB + 1000);
		assert_int_equal(phyr_pread(dev, fd, region, 1, LEN - 1, 3 * MIB - 5), 1005);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(mem.addr[1 + i], 0);
		assert_int_equal((unsigned char)mem.addr[0], pattern(0, 4));
		assert_int_equal((unsigned char)mem.addr[6], pattern(3, 4));
		assert_int_equal((unsigned char)mem.addr[1006], pattern(1006, 4));
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
		take_back();
		close(fd);
	}
}

static ssize_t rw_flags(int fd, int flags)
{
	const struct phyr_slice slice = { .len = PAGE };

	return phyr_preadv2(dev, fd, region, &slice, 1, 0, flags, NULL);
}

static void test_refused(void **state)
{
	const struct phyr_slice slice = { .len = PAGE };
	int fd = target_open(&targets[0]), read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct phyr_rw rw = { .size = sizeof(rw), .flags = 2, .file = fd, .nr = 1 };
	int ro_region, write_only = open("/dev/shm/phyr-wo", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int pipes[2];

	(void)state;
	lend("4 KiB pages");
	ro_region = pin(mem.addr, PAGE, 0);
	assert_return_code(pipe(pipes), errno);
	assert_int_equal(phyr_pread(dev, -1, region, 0, PAGE, 0), -EBADF);
	assert_int_equal(phyr_pread(dev, fd, -1, 0, PAGE, 0), -EBADF);
	assert_int_equal(phyr_pread(dev, fd, fd, 0, PAGE, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, dev, 0, PAGE, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, region, region, 0, PAGE, 0), -ESPIPE);
	assert_int_equal(phyr_pread(fd, fd, region, 0, PAGE, 0), -ENOTTY);
	assert_int_equal(phyr_pread(dev, write_only, region, 0, PAGE, 0), -EBADF);
	assert_int_equal(phyr_pwrite(dev, read_only, region, 0, PAGE, 0), -EBADF);
	assert_int_equal(phyr_pread(dev, pipes[0], region, 0, PAGE, 0), -ESPIPE);
	assert_int_equal(phyr_pread(dev, fd, ro_region, 0, PAGE, 0), -EACCES);
	assert_int_equal(phyr_pwrite(dev, fd, ro_region, 0, PAGE, 0), PAGE);
	assert_int_equal(phyr_pread(dev, fd, region, 0, 0, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, mem.len, 1, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, 1, mem.len, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, ~0ull, 2, 0), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, 0, PAGE, -1), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, 0, PAGE, 1), -EINVAL);
	assert_int_equal(phyr_pread(dev, fd, region, 0, 100, 0), -EINVAL);
	assert_int_equal(phyr_preadv2(dev, fd, region, &slice, 0, 0, 0, NULL), -EINVAL);
	assert_int_equal(phyr_preadv2(dev, fd, region, &slice, 1025, 0, 0, NULL), -EINVAL);
	assert_int_equal(phyr_preadv2(dev, fd, region, NULL, 1, 0, 0, NULL), -EFAULT);
	assert_int_equal(rw_flags(fd, 1 << 30), -EOPNOTSUPP);
	rw.fd = region;
	rw.slices = (uintptr_t)&slice;
	assert_int_equal(ioctl(dev, PHYR_IOC_RW, &rw), -1);
	assert_int_equal(errno, EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	close(read_only);
	close(write_only);
	unlink("/dev/shm/phyr-wo");
	close(ro_region);
	take_back();
	close(fd);
}

/* A buffer would have to be waited for, and may be smaller than what must not be torn. */
static void test_flags(void **state)
{
	int fd = target_open(&targets[0]);

	(void)state;
	lend("PCI BAR");
	assert_int_equal(rw_flags(fd, RWF_NOWAIT), -EAGAIN);
	assert_int_equal(rw_flags(fd, RWF_HIPRI), PAGE);
	take_back();
	lend("THP 2 MiB");
	assert_int_equal(rw_flags(fd, RWF_NOWAIT), PAGE);
	assert_int_equal(rw_flags(fd, RWF_HIPRI), PAGE);
	take_back();
	close(fd);
}

static void test_revoked(void **state)
{
	int fd = target_open(&targets[0]);

	(void)state;
	lend("PCI BAR");
	mem_unmap(&mem);
	assert_int_equal(phyr_pread(dev, fd, region, 0, PAGE, 0), -ENODEV);
	assert_int_equal(phyr_pwrite(dev, fd, region, 0, PAGE, 0), -ENODEV);
	close(region);
	close(fd);
}

/* A file's pages are read from and written to the file that they are of. */
static void test_own_file(void **state)
{
	int fd = memfd_create("own", MFD_CLOEXEC);
	char *addr;

	(void)state;
	assert_return_code(ftruncate(fd, 2 * MIB), errno);
	addr = map_shared(fd, 2 * MIB, RW, 0);
	region = pin(addr, 2 * MIB, PHYR_PIN_WRITE);
	pattern_fill(addr, MIB, 6);
	assert_int_equal(phyr_pwrite(dev, fd, region, 0, MIB, MIB), MIB);
	assert_true(pattern_is(addr + MIB, MIB, 6));
	memset(addr, 0, MIB);
	assert_int_equal(phyr_pread(dev, fd, region, 0, MIB, MIB), MIB);
	assert_true(pattern_is(addr, MIB, 6));
	assert_int_equal(phyr_pread(dev, fd, region, 0, MIB, 0), MIB);
	close(region);
	release(addr, 2 * MIB);
	close(fd);
}

/* Loading the module is the test. */
static void test_conversions(void **state)
{
	(void)state;
	assert_int_equal(system("modprobe phyr_bvec_test"), 0);
	assert_int_equal(system("rmmod phyr_bvec_test"), 0);
}

int main(void)
{
	const struct CMUnitTest rw[] = {
		fixture_test(test_conversions),
		fixture_test(test_kinds),
		fixture_test(test_slices),
		fixture_test(test_long),
		fixture_test(test_ends),
		fixture_test(test_refused),
		fixture_test(test_flags),
		fixture_test(test_revoked),
		fixture_test(test_own_file),
	};

	drive = drive_path();
	if (!drive) {
		fputs("test_rw: this machine has no NVMe drive\n", stderr);
		return 1;
	}
	plain = mmap(NULL, 2 * LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (plain == MAP_FAILED)
		return 1;
	return fixture_run(rw);
}
