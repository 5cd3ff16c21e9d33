// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's memory, run by run.
 *
 * /proc/PID/pagemap has 8 bytes for each page of virtual memory, holes too.
 * Where the kernel can (Linux 6.7), the PAGEMAP_SCAN ioctl first tells which
 * parts hold anything, so a reservation of terabytes costs nothing; elsewhere
 * everything is read, in large pieces.
 *
 * The process goes on meanwhile.  What is unmapped before it is read looks
 * like a hole, and so does everything once the process is gone.
 *
 * An entry with the bit "swapped" may be something else: the kernel has page-table entries
 * that are neither empty nor present, and pagemap shows all of them so.  Its low five bits
 * are then the kernel's swap type.  The last type is that of markers, which stand for no
 * page; before it there are up to eight for pages that are being migrated, are lent to a
 * device or are broken; all others are numbers of swap areas.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/kernel-page-flags.h>

#include "pagemap.h"
#include "tool.h"

/* Not in the headers of every system that this is built on. */
#ifndef PAGEMAP_SCAN
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN	_IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_PRESENT	(1 << 3)
#define PAGE_IS_SWAPPED	(1 << 4)
#endif

#define ENTRY_PRESENT	(1ULL << 63)
#define ENTRY_SWAPPED	(1ULL << 62)
#define ENTRY_FILE	(1ULL << 61)
#define ENTRY_GUARD	(1ULL << 58)	/* Linux 6.15 */
#define ENTRY_PFN	((1ULL << 55) - 1)
#define ENTRY_TYPE	31u

#define TYPE_SPECIAL	23u		/* the lowest that is of no swap area, in any kernel */
#define TYPE_MARKER	31u

#define ENTRIES		65536u		/* read at once: half a MiB */
#define REGIONS		1024u		/* scanned at once */
/* kpageflags has it, its header not */
#define KPF_RESERVED	32

#define BLOCK		512u		/* pages: one PMD's worth */

struct pagemap {
	int fd;
	int flags_fd;			/* of /proc/kpageflags, or -1 */
	uint64_t flags_mask;		/* those that mean something */
	uint64_t page_size;
	uint64_t entries[ENTRIES];
	struct page_region regions[REGIONS];
};

/* Where a walk stands. */
struct walk {
	struct pagemap *pm;
	struct page_sink *sink;
	struct page_run run;		/* not told yet; none if it has no pages */
};

const char *const page_kind_names[NR_PAGE_KINDS] = {
	[PAGE_ANON] = "anon",
	[PAGE_ANON_LARGE] = "anon-large",
	[PAGE_SHMEM] = "shmem",
	[PAGE_SHMEM_LARGE] = "shmem-large",
	[PAGE_FILE] = "file",
	[PAGE_FILE_LARGE] = "file-large",
	[PAGE_HUGETLB] = "hugetlb",
	[PAGE_KSM] = "ksm",
	[PAGE_ZERO] = "zero",
	[PAGE_KERNEL] = "kernel",
	[PAGE_DEVICE] = "device",
};

const char *const page_absence_names[NR_PAGE_ABSENCES] = {
	[ABSENT_SWAPPED] = "swapped",
	[ABSENT_GUARD] = "guard",
	[ABSENT_MARKER] = "marker",
	[ABSENT_MOVING] = "moving",
};

/* Entries of 8 bytes from entry @index on; how many, 0 at the end or on errors. */
static size_t read_entries(int fd, uint64_t index, uint64_t *entries, size_t nr)
{
	ssize_t got;

	if (index > INT64_MAX / sizeof(*entries))
		return 0;
	do {
		got = pread(fd, entries, nr * sizeof(*entries),
			    (off_t)(index * sizeof(*entries)));
	} while (got < 0 && errno == EINTR);
	return got < 0 ? 0 : (size_t)got / sizeof(*entries);
}

/* The page frame of a page that is sure to be there; 0 if it may not be known. */
static uint64_t own_frame(void)
{
	uint64_t entry = 0, page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	volatile char here = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	here = 1;
	read_entries(fd, (uintptr_t)&here / page_size, &entry, 1);
	close(fd);
	return entry & ENTRY_PFN;
}

/**
 * pagemap_shows_addresses - may this process see physical addresses?
 *
 * Without CAP_SYS_ADMIN every entry has the page frame 0, that of no page of
 * any process.
 */
bool pagemap_shows_addresses(void)
{
	return own_frame();
}

/* Some kernels (6.12) say of all anonymous memory that it is KSM's. */
static uint64_t meaningful_flags(int flags_fd)
{
	uint64_t flags = 0;

	if (flags_fd >= 0)
		read_entries(flags_fd, own_frame(), &flags, 1);
	return ~(flags & 1ULL << KPF_KSM);
}

/**
 * pagemap_open - get ready to look at a process
 * @proc_pid: descriptor of its directory in /proc
 */
struct pagemap *pagemap_open(int proc_pid)
{
	struct pagemap *pm = malloc(sizeof(*pm));

	if (!pm)
		return NULL;
	pm->fd = openat(proc_pid, "pagemap", O_RDONLY | O_CLOEXEC);
	if (pm->fd < 0) {
		free(pm);
		return NULL;
	}
	pm->flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	pm->flags_mask = meaningful_flags(pm->flags_fd);
	pm->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	return pm;
}

void pagemap_close(struct pagemap *pm)
{
	if (pm->flags_fd >= 0)
		close(pm->flags_fd);
	close(pm->fd);
	free(pm);
}

bool pagemap_has_flags(const struct pagemap *pm)
{
	return pm->flags_fd >= 0;
}

uint64_t pagemap_page_size(const struct pagemap *pm)
{
	return pm->page_size;
}

static int walk_flush(struct walk *w)
{
	int ret = w->run.pages ? w->sink->run(w->sink, &w->run) : 0;

	w->run.pages = 0;
	return ret;
}

static bool run_goes_on(const struct page_run *run, uint64_t addr, bool file,
			uint64_t page_size)
{
	return run->pages && run->addr + run->pages * page_size == addr && run->file == file;
}

static int walk_present(struct walk *w, uint64_t entry)
{
	uint64_t addr = (entry & ENTRY_PFN) * w->pm->page_size;
	bool file = entry & ENTRY_FILE;
	int ret = 0;

	if (!run_goes_on(&w->run, addr, file, w->pm->page_size)) {
		ret = walk_flush(w);
		w->run.addr = addr;
		w->run.file = file;
	}
	w->run.pages++;
	return ret;
}

static int walk_gap(struct walk *w)
{
	int ret = walk_flush(w);

	w->sink->gap(w->sink);
	return ret;
}

/* What an entry is that is neither empty nor present. */
static enum page_absence absence(uint64_t entry)
{
	unsigned int type = entry & ENTRY_TYPE;

	if (entry & ENTRY_GUARD)
		return ABSENT_GUARD;
	if (type == TYPE_MARKER)
		return ABSENT_MARKER;
	return type < TYPE_SPECIAL ? ABSENT_SWAPPED : ABSENT_MOVING;
}

static int walk_entries(struct walk *w, const uint64_t *entries, size_t nr)
{
	bool gap = false;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < nr; i++) {
		if (entries[i] & ENTRY_PRESENT) {
			ret = walk_present(w, entries[i]);
			gap = false;
			continue;
		}
		if (entries[i] & ENTRY_SWAPPED)
			w->sink->absent(w->sink, absence(entries[i]));
		if (!gap)
			ret = walk_gap(w);
		gap = true;
	}
	return ret;
}

/* Reads everything from @start to @end. */
static int walk_read(struct walk *w, uint64_t start, uint64_t end)
{
	uint64_t page = start / w->pm->page_size, last = end / w->pm->page_size;
	size_t nr;
	int ret;

	for (; page < last; page += nr) {
		nr = last - page < ENTRIES ? (size_t)(last - page) : ENTRIES;
		nr = read_entries(w->pm->fd, page, w->pm->entries, nr);
		if (!nr)
			break;
		ret = walk_entries(w, w->pm->entries, nr);
		if (ret)
			return ret;
		w->sink->tick(w->sink);
	}
	return 0;
}

/* Finds the parts that hold something; how many, or a negative errno. */
static long scan(struct pagemap *pm, uint64_t start, uint64_t end, uint64_t *walked)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)pm->regions,
		.vec_len = REGIONS,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};
	long nr = ioctl(pm->fd, PAGEMAP_SCAN, &arg);

	if (nr < 0)
		return -errno;
	*walked = arg.walk_end;
	return nr;
}

static int walk_regions(struct walk *w, long nr, uint64_t *at)
{
	const struct page_region *region = w->pm->regions;
	int ret = 0;

	for (; !ret && nr; nr--, region++) {
		if (region->start != *at)
			ret = walk_gap(w);
		if (!ret)
			ret = walk_read(w, region->start, region->end);
		*at = region->end;
	}
	return ret;
}

/* As walk_read(), but holes are skipped, as far as the kernel can. */
static int walk_scan(struct walk *w, uint64_t start, uint64_t end)
{
	uint64_t at = start, walked = start;
	int ret = 0;
	long nr;

	while (!ret && walked < end) {
		start = walked;
		nr = scan(w->pm, start, end, &walked);
		if (nr < 0)
			return walk_read(w, start, end);
		ret = walk_regions(w, nr, &at);
		w->sink->tick(w->sink);
		if (walked <= start)
			break;
	}
	return ret;
}

/**
 * pagemap_walk - tell about a range of virtual memory
 * @pm: whose
 * @start: first byte, at the beginning of a page
 * @end: first byte after it
 * @sink: whom to tell
 *
 * Return: 0, or what @sink stopped with.
 */
int pagemap_walk(struct pagemap *pm, uint64_t start, uint64_t end, struct page_sink *sink)
{
	struct walk w = { .pm = pm, .sink = sink };
	int ret = walk_scan(&w, start, end);

	return ret ? ret : walk_flush(&w);
}

/**
 * pagemap_is_silent - does the kernel say nothing about a mapping?
 * @pm: whose
 * @start: its first byte
 * @end: first byte after it
 *
 * That is so for mappings with VM_PFNMAP: of memory without a struct page, mostly.  They
 * read as empty, and so do others of which nothing is present.  But a scan for pages that
 * are not present finds those in the others, and skips VM_PFNMAP.
 *
 * Return: true if it is sure; never before Linux 6.7.
 */
bool pagemap_is_silent(struct pagemap *pm, uint64_t start, uint64_t end)
{
	struct page_region found;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)&found,
		.vec_len = 1,
		.max_pages = 1,
		.category_inverted = PAGE_IS_PRESENT,
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT,
	};

	return !ioctl(pm->fd, PAGEMAP_SCAN, &arg);
}

/* What a page is, from its flags in /proc/kpageflags. */
static enum page_kind flags_kind(uint64_t flags, bool file)
{
	bool large = flags & 1ULL << KPF_THP;

	if (flags & 1ULL << KPF_NOPAGE)
		return PAGE_DEVICE;
	if (flags & 1ULL << KPF_ZERO_PAGE)
		return PAGE_ZERO;
	if (flags & 1ULL << KPF_RESERVED)
		return PAGE_KERNEL;
	if (flags & 1ULL << KPF_HUGE)
		return PAGE_HUGETLB;
	if (flags & 1ULL << KPF_KSM)
		return PAGE_KSM;
	if (!file || flags & 1ULL << KPF_ANON)
		return large ? PAGE_ANON_LARGE : PAGE_ANON;
	if (flags & 1ULL << KPF_SWAPBACKED)
		return large ? PAGE_SHMEM_LARGE : PAGE_SHMEM;
	return large ? PAGE_FILE_LARGE : PAGE_FILE;
}

/*
 * Folios are aligned to their size.  So if the page in the middle of an
 * aligned block is the tail of a folio, that folio has all of the block, and
 * the flags of one page tell about each.
 */
static bool block_is_one_folio(const struct pagemap *pm, uint64_t pfn, uint64_t *flags)
{
	return read_entries(pm->flags_fd, pfn + BLOCK / 2, flags, 1) == 1 &&
	       *flags & 1ULL << KPF_COMPOUND_TAIL;
}

static void count_block(struct pagemap *pm, uint64_t pfn, size_t nr, bool file,
			struct page_kinds *kinds)
{
	uint64_t flags[BLOCK];
	size_t got, i;

	if (nr == BLOCK && block_is_one_folio(pm, pfn, flags)) {
		kinds->pages[flags_kind(flags[0] & pm->flags_mask, file)] += nr;
		return;
	}
	got = read_entries(pm->flags_fd, pfn, flags, nr);
	for (i = 0; i < got; i++)
		kinds->pages[flags_kind(flags[i] & pm->flags_mask, file)]++;
	kinds->pages[PAGE_DEVICE] += nr - got;	/* past all RAM */
}

/**
 * pagemap_kinds - what the pages of a run are
 * @pm: of this process
 * @run: the run
 * @kinds: counts them
 *
 * Without /proc/kpageflags, all that is known is what has a file.
 */
void pagemap_kinds(struct pagemap *pm, const struct page_run *run, struct page_kinds *kinds)
{
	uint64_t pfn = run->addr / pm->page_size, left = run->pages;
	size_t nr;

	if (pm->flags_fd < 0) {
		kinds->pages[run->file ? PAGE_FILE : PAGE_ANON] += left;
		return;
	}
	for (; left; left -= nr, pfn += nr) {
		nr = BLOCK - pfn % BLOCK;
		if (nr > left)
			nr = (size_t)left;
		count_block(pm, pfn, nr, run->file, kinds);
	}
}
