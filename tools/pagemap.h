/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc/PID/pagemap and /proc/kpageflags tell. */
#ifndef PHYR_PAGEMAP_H
#define PHYR_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

/* Kinds of present pages; what is "large" is part of a larger folio. */
enum page_kind {
	PAGE_ANON,
	PAGE_ANON_LARGE,
	PAGE_SHMEM,
	PAGE_SHMEM_LARGE,
	PAGE_FILE,
	PAGE_FILE_LARGE,
	PAGE_HUGETLB,
	PAGE_KSM,
	PAGE_ZERO,
	PAGE_KERNEL,			/* of its own image: vdso */
	PAGE_DEVICE,			/* DAX, or no struct page at all */
	NR_PAGE_KINDS
};

extern const char *const page_kind_names[NR_PAGE_KINDS];

/* What a page is that is not present, but not nothing either */
enum page_absence {
	ABSENT_SWAPPED,
	ABSENT_GUARD,			/* MADV_GUARD_INSTALL: every access is a fault */
	ABSENT_MARKER,			/* a note in the page table, of userfaultfd for instance */
	ABSENT_MOVING,			/* being migrated, lent to a device, or broken */
	NR_PAGE_ABSENCES
};

extern const char *const page_absence_names[NR_PAGE_ABSENCES];

/* Contiguous in virtual and in physical memory. */
struct page_run {
	uint64_t addr;			/* physical */
	uint64_t pages;
	bool file;			/* or shared anonymous */
};

/* How many of a run's pages are of each kind. */
struct page_kinds {
	uint64_t pages[NR_PAGE_KINDS];
};

/**
 * struct page_sink - who wants to know
 * @run: pages that follow each other; not 0 stops the walk
 * @gap: what follows does not follow in virtual memory
 * @absent: one page is not present
 * @tick: called now and then
 */
struct page_sink {
	int (*run)(struct page_sink *sink, const struct page_run *run);
	void (*gap)(struct page_sink *sink);
	void (*absent)(struct page_sink *sink, enum page_absence what);
	void (*tick)(struct page_sink *sink);
};

struct pagemap;

struct pagemap *pagemap_open(int proc_pid);	/* NULL: see errno */
void pagemap_close(struct pagemap *pm);
int pagemap_walk(struct pagemap *pm, uint64_t start, uint64_t end, struct page_sink *sink);
bool pagemap_is_silent(struct pagemap *pm, uint64_t start, uint64_t end);
void pagemap_kinds(struct pagemap *pm, const struct page_run *run, struct page_kinds *kinds);

bool pagemap_has_flags(const struct pagemap *pm);
uint64_t pagemap_page_size(const struct pagemap *pm);
bool pagemap_shows_addresses(void);

#endif /* PHYR_PAGEMAP_H */
