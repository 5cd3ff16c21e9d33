// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process with every sort of mapping, for test_layout.sh, or with very many:
 *
 *	layout-holder DIR
 *	layout-holder --many NUMBER
 *
 * DIR has a file of some pages, "file", and a hugetlbfs, "huge". Writes to DIR/expected
 * what /proc/PID/smaps does not tell, a line for each mapping about which there is
 * something: its address, the guard pages and the other markers in it, and a name. Then
 * stops itself. What a kernel or a machine does not have is left out, and says so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <phyr.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};

#define UFFDIO_POISON	_IOWR(UFFDIO, 0x08, struct uffdio_poison)
#define UFFD_FEATURE_POISON	(1 << 14)
#endif

#define PAGE	4096ul
#define MIB	(1ul << 20)
#define HUGE	(2 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

static const char *dir;
static FILE *expected;

static void expect(const void *addr, unsigned int guards, unsigned int markers, const char *name)
{
	fprintf(expected, "%lx %u %u %s\n", (unsigned long)addr, guards, markers, name);
}

static void left_out(const char *name)
{
	fprintf(stderr, "# left out: %s (%s)\n", name, strerror(errno));
}

static void die(const char *what)
{
	fprintf(stderr, "# %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Mappings with the same rights would become one: between two there is a hole. */
static char *map(size_t len, int prot, int flags, int fd)
{
	size_t room = len + 4 * HUGE;
	char *addr = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			  0);
	char *at;

	if (addr == MAP_FAILED)
		die("reserving addresses");
	at = (char *)(((uintptr_t)addr + 2 * HUGE - 1) / HUGE * HUGE);
	munmap(addr, room);
	return mmap(at, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
}

static char *must_map(size_t len, int prot, int flags, int fd)
{
	char *addr = map(len, prot, flags, fd);

	if (addr == MAP_FAILED)
		die("mapping");
	return addr;
}

static char *anon(size_t len, int advice)
{
	char *addr = must_map(len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(addr, len, advice);
	return addr;
}

static void touch(char *addr, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step)
		addr[at] = (char)(at / PAGE + 1);
}

static void read_in(const char *addr, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE)
		(void)*(volatile const char *)(addr + at);
}

static int open_in_dir(const char *name, int flags)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

/* Anonymous memory */

static void anonymous(void)
{
	char *addr;

	anon(16 * PAGE, MADV_NOHUGEPAGE);
	touch(anon(100 * PAGE, MADV_NOHUGEPAGE), 100 * PAGE, 3 * PAGE);
	touch(anon(2 * HUGE, MADV_HUGEPAGE), 2 * HUGE, PAGE);
	read_in(anon(20 * PAGE, MADV_NOHUGEPAGE), 20 * PAGE);
	read_in(anon(HUGE, MADV_HUGEPAGE), HUGE);

	/* a folio of which a part was given back, and one whose entry was split */
	addr = anon(HUGE, MADV_HUGEPAGE);
	touch(addr, HUGE, PAGE);
	madvise(addr + HUGE / 4, HUGE / 4, MADV_DONTNEED);
	addr = anon(HUGE, MADV_HUGEPAGE);
	touch(addr, HUGE, PAGE);
	mprotect(addr + 8 * PAGE, PAGE, PROT_READ);

	must_map(64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	addr = anon(8 * PAGE, MADV_NOHUGEPAGE);
	touch(addr, 8 * PAGE, PAGE);
	mprotect(addr, 8 * PAGE, PROT_NONE);
	addr = anon(8 * PAGE, MADV_NOHUGEPAGE);
	touch(addr, 8 * PAGE, PAGE);
	mlock(addr, 8 * PAGE);
}

/* Guard pages */

static void guard(char *addr, size_t from, size_t nr, const char *name)
{
	if (madvise(addr + from * PAGE, nr * PAGE, MADV_GUARD_INSTALL)) {
		left_out(name);
		nr = 0;
	}
	expect(addr, (unsigned int)nr, 0, name);
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void guards(void)
{
	int fd = open_in_dir("file", O_RDWR);
	pthread_t thread;
	char *addr;

	addr = anon(32 * PAGE, MADV_NOHUGEPAGE);
	touch(addr, 32 * PAGE, PAGE);
	guard(addr, 7, 5, "guards in the middle of memory");
	guard(anon(32 * PAGE, MADV_NOHUGEPAGE), 0, 32, "nothing but guards");
	addr = anon(2 * HUGE, MADV_HUGEPAGE);
	touch(addr, 2 * HUGE, PAGE);
	guard(addr, 100, 1, "a guard in a huge page");
	guard(anon(4 * HUGE, MADV_NOHUGEPAGE), 10, 1024, "guards over more than a table");
	addr = must_map(16 * PAGE, PROT_READ, MAP_SHARED, fd);
	read_in(addr, 16 * PAGE);
	guard(addr, 3, 2, "guards in a file");
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, wait_for_ever, NULL))
			die("pthread_create");
	close(fd);
}

/* Files, and memory that is a file inside */

static int memfd(size_t len, unsigned int flags)
{
	int fd = memfd_create("layout", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, (off_t)len))
		die("memfd");
	return fd;
}

static void files(void)
{
	int fd = open_in_dir("file", O_RDWR), mem = memfd(2 * HUGE, 0);
	char *addr;

	if (fd < 0)
		die("file");
	must_map(16 * PAGE, PROT_READ, MAP_PRIVATE, fd);
	read_in(must_map(64 * PAGE, PROT_READ, MAP_SHARED, fd), 64 * PAGE);
	addr = must_map(64 * PAGE, RW, MAP_PRIVATE, fd);
	read_in(addr, 64 * PAGE);
	touch(addr, 64 * PAGE, 5 * PAGE);
	touch(must_map(64 * PAGE, RW, MAP_SHARED, fd), 8 * PAGE, PAGE);

	touch(must_map(32 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1), 32 * PAGE, 2 * PAGE);
	addr = must_map(2 * HUGE, RW, MAP_SHARED, mem);
	madvise(addr, HUGE, MADV_HUGEPAGE);
	touch(addr, 2 * HUGE, PAGE);
	addr = must_map(64 * PAGE, RW, MAP_PRIVATE, mem);
	read_in(addr, 64 * PAGE);
	touch(addr, 64 * PAGE, 7 * PAGE);
	must_map(64 * PAGE, RW, MAP_SHARED, memfd(64 * PAGE, 0));
	must_map(4 * PAGE, RW, MAP_PRIVATE, open("/dev/zero", O_RDWR | O_CLOEXEC));
	close(fd);
}

/* hugetlb */

static void hugetlb(void)
{
	int fd = open_in_dir("huge/untouched", O_RDWR | O_CREAT), mem;
	char *addr;

	if (fd < 0 || ftruncate(fd, HUGE))
		die("hugetlbfs");
	expect(must_map(HUGE, RW, MAP_SHARED, fd), 0, 0, "untouched file of hugetlbfs");
	addr = must_map(4 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	touch(addr, 2 * HUGE, HUGE);
	mem = memfd(2 * HUGE, MFD_HUGETLB);
	addr = must_map(2 * HUGE, RW, MAP_SHARED, mem);
	touch(addr, HUGE, PAGE);
	addr = must_map(2 * HUGE, RW, MAP_PRIVATE, mem);
	read_in(addr, 2 * HUGE);
	touch(addr, PAGE, PAGE);
}

/* Swap */

static void swapped(void)
{
	int fd = open_in_dir("file", O_RDWR);
	char *addr = anon(64 * PAGE, MADV_NOHUGEPAGE);

	touch(addr, 64 * PAGE, PAGE);
	madvise(addr, 48 * PAGE, MADV_PAGEOUT);
	addr = anon(2 * HUGE, MADV_HUGEPAGE);
	touch(addr, 2 * HUGE, PAGE);
	madvise(addr, HUGE, MADV_PAGEOUT);
	addr = must_map(64 * PAGE, RW, MAP_PRIVATE, fd);
	touch(addr, 32 * PAGE, PAGE);
	madvise(addr, 64 * PAGE, MADV_PAGEOUT);
	addr = anon(64 * PAGE, MADV_NOHUGEPAGE);
	touch(addr, 64 * PAGE, PAGE);
	madvise(addr, 32 * PAGE, MADV_PAGEOUT);
	guard(addr, 40, 8, "guards beside swap");
	addr = must_map(32 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	touch(addr, 32 * PAGE, PAGE);
	madvise(addr, 16 * PAGE, MADV_PAGEOUT);
	expect(addr, 0, 0, "shared memory in swap");
	close(fd);
}

/* Markers of userfaultfd */

static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void write_protect(char *addr, size_t pages, const char *name)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)addr, .len = pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)addr, .len = pages / 2 * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = uffd_open(UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);

	if (fd < 0 || ioctl(fd, UFFDIO_REGISTER, &reg) || ioctl(fd, UFFDIO_WRITEPROTECT, &wp)) {
		left_out(name);
		return;
	}
	expect(addr, 0, (unsigned int)(pages / 2), name);
}

static void poison(char *addr, size_t pages, const char *name)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)addr, .len = pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_poison order = {
		.range = { .start = (uintptr_t)addr, .len = pages / 4 * PAGE },
	};
	int fd = uffd_open(UFFD_FEATURE_POISON);

	if (fd < 0 || ioctl(fd, UFFDIO_REGISTER, &reg) || ioctl(fd, UFFDIO_POISON, &order)) {
		left_out(name);
		return;
	}
	expect(addr, 0, (unsigned int)(pages / 4), name);
}

static void markers(void)
{
	char *addr = anon(32 * PAGE, MADV_NOHUGEPAGE);

	write_protect(addr, 32, "userfaultfd's marks, anonymous");
	write_protect(must_map(32 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1), 32,
		      "userfaultfd's marks, shared");
	poison(anon(32 * PAGE, MADV_NOHUGEPAGE), 32, "userfaultfd's poison");
}

/* Devices */

static void device(const char *path, size_t len, off_t offset, bool write, const char *name)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *addr = fd < 0 ? MAP_FAILED : mmap(NULL, len, RW, MAP_SHARED, fd, offset);

	if (addr == MAP_FAILED) {
		left_out(name);
		return;
	}
	if (write)
		touch(addr, len, PAGE);
	expect(addr, 0, 0, name);
	close(fd);
}

/* A region of phyr's own. */
static void region(void)
{
	char *addr = anon(16 * PAGE, MADV_NOHUGEPAGE);
	int dev = phyr_open(), fd = dev < 0 ? dev : phyr_pin(dev, addr, 16 * PAGE, PHYR_PIN_WRITE);

	errno = -fd;
	if (fd < 0) {
		left_out("region of phyr");
		return;
	}
	touch(must_map(16 * PAGE, RW, MAP_SHARED, fd), 16 * PAGE, PAGE);
}

static void devices(void)
{
	const char *bar = getenv("LAYOUT_BAR");

	if (bar)
		device(bar, 4 * MIB, 0, false, "BAR");
	device("/dev/mem", 4 * MIB, 0x60000000, false, "RAM that the kernel does not own");
	device("/dev/dax0.0", 2 * HUGE, 0, false, "devdax, untouched");
	device("/dev/dax0.0", 2 * HUGE, 0, true, "devdax");
	region();
}

/* Pages that are mapped one by one, as every second one has other rights. */
static void many(size_t nr)
{
	char *addr = anon(nr * PAGE, MADV_NOHUGEPAGE);

	touch(addr, nr * PAGE, PAGE);
	for (size_t i = 0; i < nr; i += 2)
		if (mprotect(addr + i * PAGE, PAGE, PROT_READ))
			die("mprotect");
}

int main(int argc, char **argv)
{
	char path[300];

	if (argc == 3 && !strcmp(argv[1], "--many")) {
		many(strtoul(argv[2], NULL, 10));
		kill(getpid(), SIGSTOP);
		return 0;
	}
	if (argc != 2)
		return 2;
	dir = argv[1];
	snprintf(path, sizeof(path), "%s/expected", dir);
	expected = fopen(path, "we");
	if (!expected)
		die(path);
	anonymous();
	guards();
	files();
	hugetlb();
	markers();
	devices();
	swapped();
	fclose(expected);
	kill(getpid(), SIGSTOP);
	return 0;
}
