// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a chosen kind: mapped, and touched so that it is there before
 * anybody measures how long pinning takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "memory.h"
#include "system.h"
#include "tool.h"

#define SIZE_2M		(2ULL << 20)
#define SIZE_1G		(1ULL << 30)
#define HUGE_2M		(21u << 26)	/* MAP_HUGE_SHIFT, MFD_HUGE_SHIFT */
#define HUGE_1G		(30u << 26)

enum touch {
	TOUCH_IN_ORDER,
	TOUCH_SHUFFLED,
};

/**
 * struct memory_kind - a way to get memory
 * @name: on the command line
 * @about: in the help
 * @align: of address and mapped length; 0: the page size
 * @map_flags: for mmap(), if not a memfd
 * @memfd: map a memfd
 * @memfd_flags: for memfd_create()
 * @advice: for madvise(), or 0
 * @touch: in which order its pages are faulted in
 */
struct memory_kind {
	const char *name;
	const char *about;
	uint64_t align;
	int map_flags;
	bool memfd;
	unsigned int memfd_flags;
	int advice;
	enum touch touch;
};

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)

static const struct memory_kind kinds[] = {
	{ .name = "4k", .about = "anonymous memory in pages of the base size",
	  .map_flags = PRIVATE, .advice = MADV_NOHUGEPAGE },
	{ .name = "scattered", .about = "the same, touched in an order that scatters it",
	  .map_flags = PRIVATE, .advice = MADV_NOHUGEPAGE, .touch = TOUCH_SHUFFLED },
	{ .name = "thp", .about = "anonymous memory in transparent huge pages",
	  .map_flags = PRIVATE, .align = SIZE_2M, .advice = MADV_HUGEPAGE },
	{ .name = "2m", .about = "hugetlb, 2 MiB pages (vm.nr_hugepages reserves them)",
	  .map_flags = PRIVATE | MAP_HUGETLB | (int)HUGE_2M, .align = SIZE_2M },
	{ .name = "1g", .about = "hugetlb, 1 GiB pages (hugepagesz=1G hugepages=N at boot)",
	  .map_flags = PRIVATE | MAP_HUGETLB | (int)HUGE_1G, .align = SIZE_1G },
	{ .name = "shmem", .about = "shared anonymous memory",
	  .map_flags = MAP_SHARED | MAP_ANONYMOUS },
	{ .name = "memfd", .about = "a memfd", .memfd = true },
	{ .name = "memfd-2m", .about = "a memfd of 2 MiB pages", .align = SIZE_2M,
	  .memfd = true, .memfd_flags = MFD_HUGETLB | HUGE_2M },
	{ .name = "memfd-1g", .about = "a memfd of 1 GiB pages", .align = SIZE_1G,
	  .memfd = true, .memfd_flags = MFD_HUGETLB | HUGE_1G },
};

const struct memory_kind *memory_kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

const char *memory_kind_name(const struct memory_kind *kind)
{
	return kind->name;
}

void memory_kinds_help(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("  %-10s%s\n", kinds[i].name, kinds[i].about);
}

static bool is_hugetlb(const struct memory_kind *kind)
{
	return kind->map_flags & MAP_HUGETLB || kind->memfd_flags & MFD_HUGETLB;
}

/* Pages that nothing has and nothing has reserved, of as many bytes. */
static uint64_t free_hugetlb(uint64_t page)
{
	uint64_t nr = 0, reserved = 0;

	read_number(&nr, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/free_hugepages",
		    page / 1024);
	read_number(&reserved, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/resv_hugepages",
		    page / 1024);
	return nr > reserved ? nr - reserved : 0;
}

static bool has_thp(void)
{
	char mode[32];

	return read_choice(mode, sizeof(mode), "/sys/kernel/mm/transparent_hugepage/enabled") &&
	       strcmp(mode, "never");
}

/**
 * memory_kind_missing - why there is no memory of a kind
 * @kind: which
 * @size: how much
 *
 * Return: the reason, or NULL if there may be as much.
 */
const char *memory_kind_missing(const struct memory_kind *kind, uint64_t size)
{
	if (is_hugetlb(kind) && free_hugetlb(kind->align) < (size - 1) / kind->align + 1)
		return "too few free pages, see /sys/kernel/mm/hugepages";
	if (kind->advice == MADV_HUGEPAGE && !has_thp())
		return "transparent huge pages are switched off";
	return NULL;
}

/* The kernel's own estimate of what is available without swapping; UINT64_MAX: unknown. */
static uint64_t available(void)
{
	uint64_t kib = UINT64_MAX / 1024;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * 1024;
}

static int fail_make(const struct memory_kind *kind, uint64_t size, int error)
{
	tool_fail("cannot get %s of %s memory: %s", text_bytes(size).s, kind->name,
		  error == EFAULT ? "the kernel has no page for a part of it" : strerror(error));
	if (is_hugetlb(kind))
		fprintf(stderr, "  see HugePages_Free in /proc/meminfo and in "
				"/sys/kernel/mm/hugepages/\n");
	else
		fprintf(stderr,
			"  %s are available (MemAvailable in /proc/meminfo), but\n"
			"  vm.overcommit_memory or a cgroup may allow less: give a smaller --size\n",
			text_bytes(available()).s);
	return TOOL_FAILED;
}

/* More would call the OOM killer. Pages of hugetlb are reserved by mmap(), which fails. */
static int check_available(const struct memory_kind *kind, uint64_t size)
{
	uint64_t most = available();

	if (is_hugetlb(kind) || size <= most)
		return 0;
	tool_fail("cannot get %s of %s memory: only %s are available", text_bytes(size).s,
		  kind->name, text_bytes(most).s);
	fputs("  that is MemAvailable in /proc/meminfo, and pinned memory cannot be swapped out:\n"
	      "  give a smaller --size\n", stderr);
	return TOOL_FAILED;
}

/* A prime that shares no factor with a number of pages: visits each one once. */
#define SHUFFLE_STEP 2654435761u

static void touch_shuffled(struct memory *mem, size_t page_size)
{
	uint64_t pages = (mem->len - 1) / page_size + 1, at = 0, i;

	for (i = 0; i < pages; i++) {
		((volatile char *)mem->addr)[at * page_size] = 1;
		at = (at + SHUFFLE_STEP) % pages;
	}
}

static int touch(struct memory *mem, enum touch order)
{
	if (order == TOUCH_SHUFFLED)
		touch_shuffled(mem, (size_t)sysconf(_SC_PAGESIZE));
	return madvise(mem->addr, mem->len, MADV_POPULATE_WRITE) ? -errno : 0;
}

static int map_memfd(struct memory *mem, const struct memory_kind *kind)
{
	int fd = memfd_create("phyr-pin", MFD_CLOEXEC | kind->memfd_flags), ret = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)mem->map_len)) {
		ret = -errno;
		goto out;
	}
	mem->map = mmap(NULL, mem->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem->map == MAP_FAILED)
		ret = -errno;
out:
	close(fd);
	return ret;
}

static int map_kind(struct memory *mem, const struct memory_kind *kind)
{
	if (kind->memfd)
		return map_memfd(mem, kind);
	mem->map = mmap(NULL, mem->map_len, PROT_READ | PROT_WRITE, kind->map_flags, -1, 0);
	return mem->map == MAP_FAILED ? -errno : 0;
}

/* Only THP wants more alignment than its mapping has by itself. */
static uint64_t slack(const struct memory_kind *kind)
{
	return kind->advice == MADV_HUGEPAGE ? kind->align : 0;
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) / align * align;
}

/**
 * memory_make - get memory of a kind
 * @mem: set to it
 * @kind: which
 * @size: bytes, not 0; what is mapped is rounded up, what is to be pinned not
 */
int memory_make(struct memory *mem, const struct memory_kind *kind, uint64_t size)
{
	uint64_t align = kind->align ? kind->align : (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t whole = round_up(size, align);
	int ret;

	if (whole < size || whole + slack(kind) > PTRDIFF_MAX)
		return tool_fail("%s is more than an address space holds", text_bytes(size).s);
	ret = check_available(kind, whole);
	if (ret)
		return ret;
	mem->past_end = 0;
	mem->map_len = whole + slack(kind);
	ret = map_kind(mem, kind);
	if (ret)
		return fail_make(kind, size, -ret);
	mem->addr = (void *)round_up((uintptr_t)mem->map, slack(kind) ? align : 1);
	mem->len = size;

	if (kind->advice && madvise(mem->map, mem->map_len, kind->advice) && errno != EINVAL) {
		ret = -errno;
		goto unmap;
	}
	ret = touch(mem, kind->touch);
	if (!ret)
		return 0;
unmap:
	memory_free(mem);
	return fail_make(kind, size, -ret);
}

/* File systems whose regular files need not say how long they are. */
static bool has_no_sizes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	switch ((unsigned long)fs.f_type) {
	case DEBUGFS_MAGIC:
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case TRACEFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static int fail_no_size(int fd, const char *path, mode_t mode)
{
	if (S_ISREG(mode) && !has_no_sizes(fd))
		return tool_fail("%s is empty: there is nothing in it to pin", path);
	return tool_fail("%s does not say how long it is: give --size", path);
}

static int file_size(int fd, const char *path, uint64_t offset, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return tool_fail("%s: %m", path);
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return tool_fail("%s is neither a file with contents nor a device", path);
	if (*size)
		return 0;
	if (st.st_size <= 0)
		return fail_no_size(fd, path, st.st_mode);
	if (offset >= (uint64_t)st.st_size)
		return tool_fail("%s has %" PRIu64 " bytes, nothing at offset %" PRIu64
				 ": give a smaller --offset", path, (uint64_t)st.st_size, offset);
	*size = (uint64_t)st.st_size - offset;
	return 0;
}

/* Bytes of [offset, offset + size) that lie behind the last page that the file has. */
static uint64_t past_end(int fd, uint64_t offset, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end, all;
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || has_no_sizes(fd))
		return 0;
	if (!fstatfs(fd, &fs) && (unsigned long)fs.f_type == HUGETLBFS_MAGIC)
		page = (uint64_t)fs.f_bsize;
	end = offset + size;
	all = round_up((uint64_t)st.st_size, page);
	if (end <= all)
		return 0;
	return offset > all ? size : end - all;
}

static bool is_locked_down(void)
{
	char level[32];

	return read_choice(level, sizeof(level), "/sys/kernel/security/lockdown") &&
	       strcmp(level, "none");
}

static int fail_file(const char *what, const char *path)
{
	int error = errno;

	tool_fail("cannot %s %s: %s", what, path, strerror(error));
	if (error == EPERM && is_locked_down())
		fputs("  the kernel is locked down (/sys/kernel/security/lockdown), so that programs\n"
		      "  may not map memory of devices: boot without Secure Boot and lockdown=\n",
		      stderr);
	else if (error == EPERM && !strcmp(path, "/dev/mem") && !geteuid())
		fputs("  the kernel does not show there what it or a driver uses\n"
		      "  (CONFIG_STRICT_DEVMEM, CONFIG_IO_STRICT_DEVMEM)\n", stderr);
	else if (error == EACCES || error == EPERM)
		fputs("  run it as root, or give a file that you may open\n", stderr);
	else if (error == ENODEV)
		fputs("  such a file cannot be mapped\n", stderr);
	return TOOL_FAILED;
}

static int fail_map(int fd, const char *path, uint64_t offset, uint64_t size)
{
	int error = errno;
	struct stat st;

	if (error == EINVAL && !fstat(fd, &st) && st.st_size > 0 && S_ISREG(st.st_mode) &&
	    offset + size > (uint64_t)st.st_size)
		return tool_fail("%s has %" PRIu64 " bytes, less than offset and size: give a "
				 "smaller --size or --offset", path, (uint64_t)st.st_size);
	errno = error;
	return fail_file("map", path);
}

/* Device memory is left alone: reading a register can do things. */
static void touch_file(struct memory *mem, int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_blocks)
		madvise(mem->map, mem->map_len, MADV_POPULATE_READ);
}

static int map_fd(struct memory *mem, int fd, const char *path, uint64_t offset,
		  uint64_t size, bool write)
{
	uint64_t skip = offset % (uint64_t)sysconf(_SC_PAGESIZE);
	int ret = file_size(fd, path, offset, &size);

	if (ret)
		return ret;
	if (size > PTRDIFF_MAX - skip || offset > PTRDIFF_MAX)
		return tool_fail("%s: %s is more than an address space holds", path,
				 text_bytes(size).s);
	mem->map_len = size + skip;
	mem->map = mmap(NULL, mem->map_len, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED,
			fd, (off_t)(offset - skip));
	if (mem->map == MAP_FAILED)
		return fail_map(fd, path, offset, size);
	mem->addr = (char *)mem->map + skip;
	mem->len = size;
	mem->past_end = past_end(fd, offset, size);
	touch_file(mem, fd);
	return 0;
}

/**
 * memory_map_file - map a part of a file or of a device
 * @mem: set to the mapping
 * @path: of the file
 * @offset: first byte; need not be aligned
 * @size: bytes; 0 for all that follow
 * @write: whether it will be pinned for writing
 */
int memory_map_file(struct memory *mem, const char *path, uint64_t offset, uint64_t size,
		    bool write)
{
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC), ret;

	if (fd < 0)
		return fail_file("open", path);
	ret = map_fd(mem, fd, path, offset, size, write);
	close(fd);
	return ret;
}

void memory_free(struct memory *mem)
{
	munmap(mem->map, mem->map_len);
}
