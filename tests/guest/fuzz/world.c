// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/mem.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define PAGE		4096ul
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define WORLD		0x200000000000ull
#define APART		(4 * GIB)

/* Files that stay open; those of a process's own are opened by world_map(). */
static struct {
	struct mem bar, dax, huge, gigantic;
	int file, fsdax, exe, secret;
	int memfd;
} files;

static bool torn[NR_MAPPED_AREAS];

char *world_base(enum area area)
{
	return (char *)(WORLD + area * APART);
}

static void touch(char *addr, size_t len)
{
	for (size_t i = 0; i < len; i += PAGE)
		((volatile char *)addr)[i] = (char)(i / PAGE);
}

/* What is not available is a hole. */
static bool map_at(char *addr, size_t len, int prot, int flags, int fd)
{
	return mmap(addr, len, prot, flags | MAP_FIXED, fd, 0) != MAP_FAILED;
}

static bool map_anon(char *addr, size_t len, int advice)
{
	if (!map_at(addr, len, RW, ANON, -1))
		return false;
	madvise(addr, len, advice);
	return true;
}

static void map_touched(char *addr, size_t len, int advice)
{
	if (map_anon(addr, len, advice))
		touch(addr, len);
}

static void map_small(char *addr, size_t len)
{
	if (!map_anon(addr, len, MADV_NOHUGEPAGE))
		return;
	for (size_t i = 0, n = len / PAGE; i < n; i++)
		addr[i * 37 % n * PAGE] = 1;
}

static void map_mthp(char *addr, size_t len)
{
	map_touched(addr + 64 * KIB, len - 64 * KIB, MADV_HUGEPAGE);
}

static void map_thp(char *addr, size_t len)
{
	map_touched(addr, len, MADV_HUGEPAGE);
}

static void map_huge(char *addr, size_t len)
{
	if (map_at(addr, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1))
		touch(addr, len / 2);
}

static void map_memfd(char *addr, size_t len)
{
	if (ftruncate(files.memfd, (off_t)(len * 3 / 4)) ||
	    !map_at(addr, len, RW, MAP_SHARED, files.memfd))
		return;
	touch(addr, len / 2);
}

static void map_memfd_huge(char *addr, size_t len)
{
	map_at(addr, len, RW, MAP_SHARED, files.huge.fd);
}

static void map_gigantic(char *addr, size_t len)
{
	map_at(addr, len, RW, MAP_SHARED, files.gigantic.fd);
}

static void map_file(char *addr, size_t len)
{
	map_at(addr, len, PROT_READ, MAP_SHARED, files.file);
}

static void map_private(char *addr, size_t len)
{
	if (map_at(addr, len, RW, MAP_PRIVATE, files.file))
		touch(addr, len / 2);
}

static void map_fsdax(char *addr, size_t len)
{
	map_at(addr, len, RW, MAP_SHARED, files.fsdax);
}

static void map_devdax(char *addr, size_t len)
{
	map_at(addr, len, RW, MAP_SHARED, files.dax.fd);
}

static void map_bar(char *addr, size_t len)
{
	map_at(addr, len, RW, MAP_SHARED, files.bar.fd);
}

static void map_zero(char *addr, size_t len)
{
	if (!map_anon(addr, len, MADV_NOHUGEPAGE))
		return;
	for (size_t i = 0; i < len / 2; i += PAGE)
		(void)((volatile char *)addr)[i];
}

static void map_rdonly(char *addr, size_t len)
{
	map_touched(addr, len, MADV_NOHUGEPAGE);
	mprotect(addr, len, PROT_READ);
}

static void map_none(char *addr, size_t len)
{
	map_touched(addr, len, MADV_NOHUGEPAGE);
	mprotect(addr, len, PROT_NONE);
}

/* Every kind of memory next to another, without a hole. */
static void map_mixed(char *addr, size_t len)
{
	const size_t part = 64 * KIB;

	map_touched(addr, 2 * MIB, MADV_NOHUGEPAGE);
	map_at(addr + part, part, RW, MAP_SHARED, files.memfd);
	map_at(addr + 2 * part, part, RW, MAP_SHARED, files.bar.fd);
	map_at(addr + 3 * part, part, PROT_READ, MAP_SHARED, files.file);
	map_thp(addr + 2 * MIB, 2 * MIB);
	map_huge(addr + 4 * MIB, 2 * MIB);
	map_bar(addr + 6 * MIB, MIB);
	map_touched(addr + 7 * MIB, len - 7 * MIB, MADV_NOHUGEPAGE);
}

static void map_holey(char *addr, size_t len)
{
	map_touched(addr, len, MADV_NOHUGEPAGE);
	munmap(addr + len / 2, PAGE);
}

static void map_stack(char *addr, size_t len)
{
	/* with MAP_NORESERVE, what a stack grows by stays in Committed_AS for ever */
	if (map_at(addr + len / 2, len / 2, RW,
		   (ANON & ~MAP_NORESERVE) | MAP_GROWSDOWN | MAP_STACK, -1))
		touch(addr + len / 2, len / 2);
}

static void map_text(char *addr, size_t len)
{
	map_at(addr, len, PROT_READ | PROT_EXEC, MAP_PRIVATE, files.exe);
}

static void map_secret(char *addr, size_t len)
{
	if (files.secret >= 0 && map_at(addr, len, RW, MAP_SHARED, files.secret))
		touch(addr, len);
}

/* Programs map something there. */
static void map_nothing(char *addr, size_t len)
{
	(void)addr;
	(void)len;
}

static const struct {
	const char *name;
	size_t len;
	void (*map)(char *addr, size_t len);
} areas[NR_MAPPED_AREAS] = {
	[AREA_SMALL] = { "small", 256 * KIB, map_small },
	[AREA_MTHP] = { "mthp", 256 * KIB, map_mthp },
	[AREA_THP] = { "thp", 4 * MIB, map_thp },
	[AREA_HUGE] = { "huge", 4 * MIB, map_huge },
	[AREA_MEMFD] = { "memfd", 128 * KIB, map_memfd },
	[AREA_MEMFD_HUGE] = { "memfd-huge", 4 * MIB, map_memfd_huge },
	[AREA_GIGANTIC] = { "gigantic", GIB, map_gigantic },
	[AREA_FILE] = { "file", 128 * KIB, map_file },
	[AREA_PRIVATE] = { "private", 128 * KIB, map_private },
	[AREA_FSDAX] = { "fsdax", 128 * KIB, map_fsdax },
	[AREA_DEVDAX] = { "devdax", 4 * MIB, map_devdax },
	[AREA_BAR] = { "bar", MIB, map_bar },
	[AREA_ZERO] = { "zero", 256 * KIB, map_zero },
	[AREA_RDONLY] = { "rdonly", 64 * KIB, map_rdonly },
	[AREA_NONE] = { "none", 64 * KIB, map_none },
	[AREA_MIXED] = { "mixed", 8 * MIB, map_mixed },
	[AREA_HOLEY] = { "holey", 128 * KIB, map_holey },
	[AREA_STACK] = { "stack", 128 * KIB, map_stack },
	[AREA_TEXT] = { "text", 32 * KIB, map_text },
	[AREA_SECRET] = { "secret", 16 * KIB, map_secret },
	[AREA_WINDOW] = { "window", WINDOWS_SIZE, map_nothing },
	[AREA_ELSEWHERE] = { "elsewhere", 4 * MIB, map_nothing },
};

/* Where nothing of ours is. */
static const struct {
	const char *name;
	uint64_t addr;
} places[NR_AREAS - NR_MAPPED_AREAS] = {
	{ "out", 0 },
	{ "null", 0 },
	{ "user-end", 0x7ffffffff000 },
	{ "not-canonical", 1ull << 47 },
	{ "direct", 0xffff888000000000 },
	{ "kernel", 0xffffffff81000000 },
	{ "vsyscall", 0xffffffffff600000 },
	{ "top", 0 },
};

const char *world_name(uint64_t area)
{
	area %= NR_AREAS;
	return area < NR_MAPPED_AREAS ? areas[area].name : places[area - NR_MAPPED_AREAS].name;
}

int world_find(const char *name, size_t len)
{
	for (int i = 0; i < NR_AREAS; i++)
		if (!strncmp(world_name((uint64_t)i), name, len) &&
		    !world_name((uint64_t)i)[len])
			return i;
	return -1;
}

size_t world_len(uint64_t area)
{
	area %= NR_AREAS;
	return area < NR_MAPPED_AREAS ? areas[area].len : PAGE;
}

uint64_t world_addr(uint64_t arg, void *out)
{
	uint64_t area = (arg >> 56) % NR_AREAS;
	uint64_t offset = (uint64_t)((int64_t)(arg << 8) >> 8);

	if (area == AREA_OUT)
		return (uintptr_t)out + offset % (2 * PAGE + 64);
	if (area < NR_MAPPED_AREAS)
		return (uintptr_t)world_base((enum area)area) + offset;
	return places[area - NR_MAPPED_AREAS].addr + offset;
}

bool world_part(uint64_t arg, uint64_t len, char **addr, size_t *size)
{
	uint64_t area = (arg >> 56) % NR_AREAS;
	uint64_t offset = (uint64_t)((int64_t)(arg << 8) >> 8);

	if (area >= NR_MAPPED_AREAS || !len)
		return false;
	offset = offset % areas[area].len & ~(PAGE - 1);
	if (len > areas[area].len - offset)
		len = areas[area].len - offset;
	*addr = world_base((enum area)area) + offset;
	*size = len;
	torn[area] = true;
	return true;
}

int world_memfd(void)
{
	torn[AREA_MEMFD] = true;
	torn[AREA_MIXED] = true;
	return files.memfd;
}

static int open_temporary(const char *dir, size_t len)
{
	char page[PAGE];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	for (size_t at = 0; at < len; at += PAGE) {
		memset(page, (int)(at / PAGE), PAGE);
		if (pwrite(fd, page, PAGE, (off_t)at) != (ssize_t)PAGE)
			break;
	}
	return fd;
}

static void open_kind(struct mem *mem, const char *name, size_t len)
{
	if (mem_map(mem, mem_find(name), len))
		printf("# no %s: %s\n", name, strerror(errno));
}

/* The gigantic page takes seconds to be cleared, so one is for everybody. */
void world_open(void)
{
	open_kind(&files.bar, "PCI BAR", areas[AREA_BAR].len);
	open_kind(&files.dax, "devdax pmem", areas[AREA_DEVDAX].len);
	open_kind(&files.huge, "memfd 2 MiB", areas[AREA_MEMFD_HUGE].len);
	open_kind(&files.gigantic, "one 1 GiB page x5", GIB);
	files.file = open_temporary("/var/tmp", areas[AREA_FILE].len);
	files.fsdax = open_temporary("/mnt/pmem", areas[AREA_FSDAX].len);
	files.exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	files.secret = (int)syscall(SYS_memfd_secret, 0);
	if (files.secret >= 0 && ftruncate(files.secret, (off_t)areas[AREA_SECRET].len)) {
		close(files.secret);
		files.secret = -1;
	}
}

void world_close(void)
{
	mem_unmap(&files.bar);
	mem_unmap(&files.dax);
	mem_unmap(&files.huge);
	mem_unmap(&files.gigantic);
	close(files.file);
	close(files.fsdax);
	close(files.exe);
	close(files.secret);
}

static void area_map(unsigned int i)
{
	munmap(world_base((enum area)i), areas[i].len);
	areas[i].map(world_base((enum area)i), areas[i].len);
	torn[i] = false;
}

void world_map(void)
{
	files.memfd = memfd_create("phyr", MFD_CLOEXEC);
	for (unsigned int i = 0; i < NR_MAPPED_AREAS; i++)
		area_map(i);
}

void world_mend(void)
{
	for (unsigned int i = 0; i < NR_MAPPED_AREAS; i++)
		if (torn[i])
			area_map(i);
}

void world_unmap(void)
{
	for (unsigned int i = 0; i < NR_MAPPED_AREAS; i++)
		munmap(world_base((enum area)i), areas[i].len);
	close(files.memfd);
}
