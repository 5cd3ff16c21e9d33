// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's memory, run by run.
 *
 * /proc/PID/pagemap has 8 bytes for each page of virtual memory, holes too.
 * Where the kernel can (Linux 6.7), the PAGEMAP_SCAN ioctl first tells which
 * parts hold anything, so a reservation of terabytes costs nothing; elsewhere
 * everything is read, in large pieces.
 *
 * Most processes have many small mappings, so scanning and reading do not stop at the end
 * of the one that is asked for: what was found after it is kept for the next call, which is
 * expected to ask for higher addresses.
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
#define SCAN_SPAN	(64ULL << 30)	/* and bytes, as the process cannot mmap() meanwhile */
#define NEAR		64u		/* pages of a hole that are read rather than skipped */
/* kpageflags has it, its header not */
#define KPF_RESERVED	32

#define BLOCK		512u		/* pages: one PMD's worth */

/**
 * struct pagemap - how to look at a process, and what was found ahead
 * @fd: of its pagemap
 * @flags_fd: of /proc/kpageflags, or -1
 * @flags_mask: those that mean something
 * @page_size: of the kernel
 * @limit: the first address that cannot be scanned; 0 if none can be
 * @scanned: first byte that @regions are about
 * @scanned_end: first byte after it
 * @region: the first of @regions that is not behind the walk
 * @nr_regions: how many there are
 * @page: of which @entries has the first entry
 * @nr_entries: how many there are
 * @regions: the parts that hold something
 * @entries: of pagemap
 */
struct pagemap {
	int fd;
	int flags_fd;
	uint64_t flags_mask;
	uint64_t page_size;
	uint64_t limit;
	uint64_t scanned;
	uint64_t scanned_end;
	size_t region;
	size_t nr_regions;
	uint64_t page;
	size_t nr_entries;
	struct page_region regions[REGIONS];
	uint64_t entries[ENTRIES];
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

/*
 * A scan must not pass the end of what a process can have, which differs from machine to
 * machine.  0 if the kernel cannot scan.
 */
static uint64_t scan_limit(const struct pagemap *pm)
{
	struct pm_scan_arg arg = { .size = sizeof(arg) };
	unsigned int bits;

	for (bits = 63; bits >= 30; bits--) {
		arg.end = (1ULL << bits) - pm->page_size;
		arg.start = arg.end - pm->page_size;
		if (!ioctl(pm->fd, PAGEMAP_SCAN, &arg))
			return arg.end;
	}
	return 0;
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
	pm->scanned_end = 0;
	pm->nr_entries = 0;
	pm->limit = scan_limit(pm);
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

/* Where to stop reading: behind the last region that begins soon after another. */
static uint64_t read_until(const struct pagemap *pm, uint64_t page, uint64_t last)
{
	const struct page_region *region = pm->regions + pm->region;
	const struct page_region *end = pm->regions + pm->nr_regions;

	for (; region < end && region->start / pm->page_size <= last + NEAR; region++)
		if (region->end / pm->page_size > last)
			last = region->end / pm->page_size;
	return last - page < ENTRIES ? last : page + ENTRIES;
}

/* The entries of pages from @page on; how many, up to @last, or 0 at the end. */
static size_t get_entries(struct pagemap *pm, uint64_t page, uint64_t last,
			  const uint64_t **entries)
{
	size_t nr;

	if (page < pm->page || page >= pm->page + pm->nr_entries) {
		pm->page = page;
		nr = (size_t)(read_until(pm, page, last) - page);
		pm->nr_entries = read_entries(pm->fd, page, pm->entries, nr);
	}
	*entries = pm->entries + (page - pm->page);
	nr = (size_t)(pm->page + pm->nr_entries - page);
	return nr < last - page ? nr : (size_t)(last - page);
}

/* Everything from @start to @end. */
static int walk_read(struct walk *w, uint64_t start, uint64_t end)
{
	uint64_t page = start / w->pm->page_size, last = end / w->pm->page_size;
	const uint64_t *entries;
	size_t nr;
	int ret;

	for (; page < last; page += nr) {
		nr = get_entries(w->pm, page, last, &entries);
		if (!nr)
			break;
		ret = walk_entries(w, entries, nr);
		if (ret)
			return ret;
		w->sink->tick(w->sink);
	}
	return 0;
}

static bool is_scanned(const struct pagemap *pm, uint64_t addr)
{
	return addr >= pm->scanned && addr < pm->scanned_end;
}

/* Finds what follows @start, for as far as it goes; whether that worked. */
static bool scan_from(struct pagemap *pm, uint64_t start)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = start + SCAN_SPAN < pm->limit ? start + SCAN_SPAN : pm->limit,
		.vec = (uintptr_t)pm->regions,
		.vec_len = REGIONS,
		.max_pages = ENTRIES,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};
	int nr;

	pm->scanned_end = 0;
	pm->nr_regions = 0;
	pm->region = 0;
	if (start >= pm->limit)
		return false;
	nr = ioctl(pm->fd, PAGEMAP_SCAN, &arg);
	if (nr < 0 || arg.walk_end <= start)
		return false;
	pm->nr_regions = (size_t)nr;
	pm->scanned = start;
	pm->scanned_end = arg.walk_end;
	return true;
}

/* The next part of *@start to @end that may hold something; whether there is one. */
static bool next_part(struct pagemap *pm, uint64_t *start, uint64_t end, uint64_t *part_end)
{
	const struct page_region *region;

	for (; *start < end; *start = pm->scanned_end) {
		*part_end = end;
		if (!is_scanned(pm, *start) && !scan_from(pm, *start))
			return true;
		while (pm->region < pm->nr_regions && pm->regions[pm->region].end <= *start)
			pm->region++;
		if (pm->region == pm->nr_regions)
			continue;
		region = &pm->regions[pm->region];
		if (region->start >= end)
			return false;
		if (region->start > *start)
			*start = region->start;
		if (region->end < end)
			*part_end = region->end;
		return true;
	}
	return false;
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
	uint64_t at = start, part_end;
	int ret = 0;

	while (!ret && next_part(pm, &at, end, &part_end)) {
		if (at != start)
			ret = walk_gap(&w);
		if (!ret)
			ret = walk_read(&w, at, part_end);
		at = part_end;
		start = at;
		sink->tick(sink);
	}
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

	return end <= pm->limit && !ioctl(pm->fd, PAGEMAP_SCAN, &arg);
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
