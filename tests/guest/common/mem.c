// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

#define PAGE	4096ul
#define RW	(PROT_READ | PROT_WRITE)

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#define HUGE_2M		(21 << MAP_HUGE_SHIFT)
#define HUGE_1G		(30 << MAP_HUGE_SHIFT)

static int area_map(struct mem *mem, size_t len, int prot, int flags, int fd)
{
	mem->area = mmap(NULL, len, prot, flags, fd, 0);
	if (mem->area == MAP_FAILED) {
		mem->area = NULL;
		return -1;
	}
	mem->area_len = len;
	mem->addr = mem->area;
	return 0;
}

static void touch(char *addr, size_t len)
{
	for (size_t i = 0; i < len; i += PAGE)
		addr[i] = (char)(i / PAGE);
}

/* Touches pages in an order that no allocator would make contiguous. */
static void touch_scattered(char *addr, size_t len)
{
	size_t n = len / PAGE, step = n * 5 / 8 | 1, i = 0;

	while (n % step == 0)
		step += 2;
	for (size_t k = 0; k < n; k++, i = (i + step) % n)
		addr[i * PAGE] = 1;
	touch(addr, len);
}

/* Kernels for real-time work have none, and no device DAX, which depends on them. */
static bool has_thp(void)
{
	return !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

/* For huge pages or against them, where there are any. */
static int advise(void *addr, size_t len, int advice)
{
	return has_thp() ? madvise(addr, len, advice) : 0;
}

static int map_anon(struct mem *mem, int advice, size_t align)
{
	if (area_map(mem, mem->len + align, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return -1;
	if (align)
		mem->addr = (char *)(((uintptr_t)mem->area + align - 1) & ~(align - 1));
	return advise(mem->addr, mem->len, advice);
}

static int map_4k(struct mem *mem)
{
	if (map_anon(mem, MADV_NOHUGEPAGE, 0))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

static int map_4k_scattered(struct mem *mem)
{
	if (map_anon(mem, MADV_NOHUGEPAGE, 0))
		return -1;
	touch_scattered(mem->addr, mem->len);
	return 0;
}

/* Large folios that are mapped page by page: no 2 MiB of it lies on its boundary. */
static int map_mthp(struct mem *mem)
{
	size_t step = 2 * MIB, part = step - 64 * KIB;

	if (map_anon(mem, MADV_NOHUGEPAGE, step))
		return -1;
	for (size_t at = 0; at < mem->len; at += step) {
		size_t n = mem->len - at < part ? mem->len - at : part;

		if (advise(mem->addr + at, n, MADV_HUGEPAGE))
			return -1;
	}
	touch(mem->addr, mem->len);
	return 0;
}

static int map_thp(struct mem *mem)
{
	if (map_anon(mem, MADV_HUGEPAGE, 2 * MIB))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

static int map_hugetlb(struct mem *mem, int size)
{
	if (area_map(mem, mem->len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size, -1))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

static int map_2m(struct mem *mem)
{
	return map_hugetlb(mem, HUGE_2M);
}

static int map_1g(struct mem *mem)
{
	return map_hugetlb(mem, HUGE_1G);
}

static int map_memfd_flags(struct mem *mem, unsigned int flags)
{
	mem->fd = memfd_create("phyr", flags);
	if (mem->fd < 0 || ftruncate(mem->fd, (off_t)mem->len))
		return -1;
	if (area_map(mem, mem->len, RW, MAP_SHARED, mem->fd))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

static int map_memfd(struct mem *mem)
{
	return map_memfd_flags(mem, MFD_CLOEXEC);
}

static int map_memfd_2m(struct mem *mem)
{
	return map_memfd_flags(mem, MFD_CLOEXEC | MFD_HUGETLB | HUGE_2M);
}

static int open_file(struct mem *mem, const char *dir)
{
	mem->fd = open(dir, O_TMPFILE | O_RDWR, 0600);
	if (mem->fd < 0)
		return -1;
	errno = posix_fallocate(mem->fd, 0, (off_t)mem->len);
	return errno ? -1 : 0;
}

/* One 1 GiB page, again and again: a list beyond 4 GiB in a small guest. */
static int map_1g_again(struct mem *mem)
{
	mem->fd = memfd_create("phyr", MFD_CLOEXEC | MFD_HUGETLB | HUGE_1G);
	if (mem->fd < 0 || ftruncate(mem->fd, GIB))
		return -1;
	if (area_map(mem, mem->len + GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return -1;
	mem->addr = (char *)(((uintptr_t)mem->area + GIB - 1) & ~(GIB - 1));
	for (size_t at = 0; at < mem->len; at += GIB)
		if (mmap(mem->addr + at, GIB, RW, MAP_SHARED | MAP_FIXED, mem->fd, 0) ==
		    MAP_FAILED)
			return -1;
	touch(mem->addr, GIB);
	return 0;
}

static int map_ext4(struct mem *mem)
{
	char page[PAGE];

	if (open_file(mem, "/var/tmp"))
		return -1;
	for (size_t at = 0; at < mem->len; at += PAGE) {
		memset(page, (int)(at / PAGE), PAGE);
		if (pwrite(mem->fd, page, PAGE, (off_t)at) != (ssize_t)PAGE)
			return -1;
	}
	return area_map(mem, mem->len, PROT_READ, MAP_SHARED, mem->fd);
}

static int open_devdax(void)
{
	return open("/dev/dax0.0", O_RDWR | O_CLOEXEC);
}

static int map_devdax(struct mem *mem)
{
	if (!has_thp())
		return map_memfd(mem);
	mem->fd = open_devdax();
	if (mem->fd < 0 || area_map(mem, mem->len, RW, MAP_SHARED, mem->fd))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

static int map_fsdax(struct mem *mem)
{
	if (open_file(mem, "/mnt/pmem") ||
	    area_map(mem, mem->len, RW, MAP_SHARED_VALIDATE | MAP_SYNC, mem->fd))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

/* The memory BAR of QEMU's ivshmem device, through sysfs. */
static int open_bar(void)
{
	glob_t found;
	int fd = -1;

	if (glob("/sys/bus/pci/devices/*", 0, NULL, &found))
		return -1;
	for (size_t i = 0; fd < 0 && i < found.gl_pathc; i++) {
		char path[300], id[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "%s/device", found.gl_pathv[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(id, sizeof(id), f) && !strncmp(id, "0x1110", 6)) {
			snprintf(path, sizeof(path), "%s/resource2", found.gl_pathv[i]);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		fclose(f);
	}
	globfree(&found);
	if (fd < 0)
		errno = ENODEV;
	return fd;
}

static int map_bar(struct mem *mem)
{
	mem->fd = open_bar();
	if (mem->fd < 0 || area_map(mem, mem->len, RW, MAP_SHARED, mem->fd))
		return -1;
	touch(mem->addr, mem->len);
	return 0;
}

/*
 * Memory that the kernel was told not to use, by "memmap=SIZE$START" on its
 * command line: it has no struct page, as memory kept for guests.
 */
static int hidden_range(unsigned long long *start, unsigned long long *size)
{
	char line[4096] = "", *at;
	FILE *f = fopen("/proc/cmdline", "re");

	if (!f)
		return -1;
	at = fgets(line, sizeof(line), f) ? strstr(line, "memmap=") : NULL;
	fclose(f);
	if (at && sscanf(at, "memmap=%lluM$%llx", size, start) == 2) {
		*size *= MIB;
		return 0;
	}
	errno = ENODEV;
	return -1;
}

static int map_hidden(struct mem *mem)
{
	unsigned long long start, size;

	if (hidden_range(&start, &size))
		return -1;
	if (mem->len > size) {
		errno = EINVAL;
		return -1;
	}
	mem->fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)		/* the debug kernel has none */
		mem->fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		return -1;
	mem->area = mmap(NULL, mem->len, RW, MAP_SHARED, mem->fd, (off_t)start);
	if (mem->area == MAP_FAILED) {
		mem->area = NULL;
		return -1;
	}
	mem->area_len = mem->len;
	mem->addr = mem->area;
	touch(mem->addr, mem->len);
	return 0;
}

/* Part @i of a mixed mapping becomes memory of another sort. */
static int mixed_part(char *at, size_t len, int flags, int fd, int advice)
{
	if (mmap(at, len, RW, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -1;
	if (advice && advise(at, len, advice))
		return -1;
	touch(at, len);
	return 0;
}

static int map_mixed(struct mem *mem)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t part = 4 * MIB;
	int bar = -1, dax = -1, memfd = -1, ret = -1;
	char *at;

	if (map_anon(mem, MADV_NOHUGEPAGE, part))
		return -1;
	at = mem->addr;
	touch_scattered(at, part);
	bar = open_bar();
	dax = has_thp() ? open_devdax() : memfd_create("phyr", MFD_CLOEXEC);
	memfd = memfd_create("phyr", MFD_CLOEXEC);
	if (bar < 0 || dax < 0 || memfd < 0 || ftruncate(memfd, (off_t)part) ||
	    (!has_thp() && ftruncate(dax, (off_t)part)))
		goto close;
	if (!mixed_part(at + part, part, anon, -1, MADV_HUGEPAGE) &&
	    !mixed_part(at + 2 * part, part, anon | MAP_HUGETLB | HUGE_2M, -1, 0) &&
	    !mixed_part(at + 3 * part, part, MAP_SHARED, memfd, 0) &&
	    !mixed_part(at + 4 * part, part, MAP_SHARED, bar, 0) &&
	    !mixed_part(at + 5 * part, part, MAP_SHARED, dax, 0))
		ret = 0;
	touch(at + 6 * part, mem->len - 6 * part);
close:
	close(bar);
	close(dax);
	close(memfd);
	return ret;
}

const struct mem_kind mem_kinds[] = {
	{ "4 KiB pages", 64 * MIB, PAGE, true, false, false, map_4k },
	{ "4 KiB scattered", 64 * MIB, PAGE, true, false, false, map_4k_scattered },
	{ "mTHP 64 KiB", 62 * MIB, 2 * MIB, true, false, false, map_mthp },
	{ "THP 2 MiB", 512 * MIB, 2 * MIB, true, false, false, map_thp },
	{ "hugetlb 2 MiB", 512 * MIB, 2 * MIB, true, false, false, map_2m },
	{ "hugetlb 1 GiB", 2 * GIB, GIB, true, false, false, map_1g },
	{ "one 1 GiB page x5", 5 * GIB, GIB, true, false, false, map_1g_again },
	{ "memfd", 32 * MIB, PAGE, true, false, false, map_memfd },
	{ "memfd 2 MiB", 64 * MIB, 2 * MIB, true, false, false, map_memfd_2m },
	{ "ext4 file", 16 * MIB, PAGE, true, true, false, map_ext4 },
	{ "devdax pmem", 128 * MIB, 2 * MIB, true, false, false, map_devdax },
	{ "fsdax pmem", 32 * MIB, PAGE, true, false, true, map_fsdax },
	{ "PCI BAR", 64 * MIB, PAGE, false, false, false, map_bar },
	{ "hidden RAM", 128 * MIB, PAGE, false, false, false, map_hidden },
	{ "mixed", 28 * MIB, 4 * MIB, false, false, false, map_mixed },
};

const size_t mem_nr_kinds = sizeof(mem_kinds) / sizeof(mem_kinds[0]);

const struct mem_kind *mem_find(const char *name)
{
	for (size_t i = 0; i < mem_nr_kinds; i++)
		if (!strcmp(mem_kinds[i].name, name))
			return &mem_kinds[i];
	return NULL;
}

const char *mem_missing(const struct mem_kind *kind)
{
	if (has_thp())
		return NULL;
	if (kind->map == map_thp || kind->map == map_mthp)
		return "no transparent huge pages in this kernel, small pages instead";
	if (kind->map == map_devdax)
		return "no device DAX in this kernel, a memfd instead";
	if (kind->map == map_mixed)
		return "neither THP nor device DAX in this kernel, small pages and a memfd instead";
	return NULL;
}

int mem_map(struct mem *mem, const struct mem_kind *kind, size_t len)
{
	int err;

	*mem = (struct mem) { .kind = kind, .len = len, .fd = -1 };
	if (!kind->map(mem)) {
		if (mem_missing(kind))
			printf("# %s: %s\n", kind->name, mem_missing(kind));
		return 0;
	}
	err = errno;
	mem_unmap(mem);
	errno = err;
	return -1;
}

void mem_unmap(struct mem *mem)
{
	if (mem->area)
		munmap(mem->area, mem->area_len);
	if (mem->fd >= 0)
		close(mem->fd);
	mem->area = NULL;
	mem->fd = -1;
}

uint64_t mem_pfn(const void *addr)
{
	static int fd = -1;
	uint64_t entry = 0;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)addr / PAGE * 8)) != 8)
		return 0;
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

long long mem_vmstat(const char *name)
{
	char key[64];
	long long value = -1, v;
	int refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	FILE *f;

	/* Each processor counts for itself for a while: have them add it up. */
	if (refresh < 0 || write(refresh, "1", 1) != 1)
		return -1;
	close(refresh);
	f = fopen("/proc/vmstat", "re");
	if (!f)
		return -1;
	while (fscanf(f, "%63s %lld", key, &v) == 2)
		if (!strcmp(key, name))
			value = v;
	fclose(f);
	return value;
}
