// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins are released: those of an array of phyrs, or of a list or its end.
 *
 * What pin.c pinned is released folio by folio, so that the cost follows the folios and
 * not the pages.  Where the next folio begins is known only while this one is held.
 * Small pages that follow each other are released a row at a time.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "compat.h"
#include "internal.h"
#include "phyr_trace.h"

#define UNPIN_FEW	32
#define UNPIN_STEP	262144UL	/* pages between two calls of cond_resched() */
#define UNPIN_ROW	512UL		/* small pages that are released without being read */

/* Unpins pages of one folio.  One that is dirty already, or need not be, is fast. */
static void unpin_part(struct folio *folio, struct page *page, unsigned long nr,
		       bool make_dirty)
{
	if (make_dirty && !folio_test_dirty(folio))
		unpin_user_page_range_dirty_lock(page, nr, true);
	else
		unpin_user_folio(folio, nr);
}

/* Folio after folio: where the next one begins is known while this one is still held. */
static void unpin_large(unsigned long pfn, unsigned long left, bool make_dirty)
{
	struct page *page = pfn_to_page(pfn);
	struct folio *folio = page_folio(page), *next;
	unsigned long nr = folio_nr_pages(folio) - folio_page_idx(folio, page);

	while (nr < left) {
		next = folio_next(folio);
		unpin_part(folio, page, nr, make_dirty);
		left -= nr;
		folio = next;
		page = folio_page(folio, 0);
		nr = folio_nr_pages(folio);
	}
	unpin_part(folio, page, left, make_dirty);
}

/* Any number of pages of several folios. */
static void unpin_long(unsigned long pfn, unsigned long left, bool make_dirty)
{
	bool large = folio_test_large(pfn_folio(pfn));
	unsigned long nr;

	for (; left; pfn += nr, left -= nr) {
		nr = min(left, UNPIN_STEP);
		if (large)
			unpin_large(pfn, nr, make_dirty);
		else
			unpin_user_page_range_dirty_lock(pfn_to_page(pfn), nr, make_dirty);
		cond_resched();
	}
}

/* Phyrs of memory with pages: a page, a few small ones, part of a folio, or more. */
static void unpin_some(const struct phyr *phyrs, unsigned int nr, bool make_dirty)
{
	unsigned long pfn, pages;
	struct folio *folio;
	struct page *page;

	for (; nr; nr--, phyrs++) {
		pfn = PHYS_PFN(phyrs->addr);
		pages = PHYS_PFN(phyrs->addr + phyrs->len - 1) - pfn + 1;
		page = pfn_to_page(pfn);
		folio = page_folio(page);
		if (pages == 1)
			unpin_part(folio, page, 1, make_dirty);
		else if (!folio_test_large(folio) && pages <= UNPIN_ROW)
			unpin_user_page_range_dirty_lock(page, pages, make_dirty);
		else if (folio_page_idx(folio, page) + pages <= folio_nr_pages(folio))
			unpin_part(folio, page, pages, make_dirty);
		else
			unpin_long(pfn, pages, make_dirty);
	}
	cond_resched();
}

/**
 * phyr_unpin_from - unpin the end of a list, and remove it
 * @list: the list
 * @offset: of the first byte to unpin
 * @make_dirty: whether something wrote to the memory
 *
 * Context: as unpin_user_phyr_list().
 */
void phyr_unpin_from(struct phyr_list *list, u64 offset, bool make_dirty)
{
	struct phyr phyrs[UNPIN_FEW] __uninitialized;
	struct phyr_cursor cur;
	unsigned int nr;

	nr = phyr_cursor_begin(&cur, list, offset, ~0ULL, phyrs, UNPIN_FEW);
	for (; nr; nr = phyr_cursor_fill(&cur, phyrs, UNPIN_FEW))
		if (cur.kind != PHYR_PFNMAP)
			unpin_some(phyrs, nr, make_dirty);
	if (list->watch)
		phyr_watch_cut(list, offset);
	phyr_list_truncate(list, offset);
}

/**
 * unpin_user_phyrs_dirty_lock - unpin an array of phyrs
 * @phyrs: what pin_user_phyrs() gave, or any page-aligned part of it
 * @nr: how many
 * @make_dirty: whether something wrote to the memory
 *
 * Two phyrs that share a page (the second continues the first, in two calls)
 * hold two pins on it, and both are released.
 *
 * Context: process, may sleep; with @make_dirty takes the lock of each folio.
 */
void unpin_user_phyrs_dirty_lock(const struct phyr *phyrs, unsigned int nr,
				 bool make_dirty)
{
	for (; nr; nr--, phyrs++)
		if (phyr_kind_of(phyrs->addr) != PHYR_PFNMAP)
			unpin_some(phyrs, 1, make_dirty);
}
EXPORT_SYMBOL_GPL(unpin_user_phyrs_dirty_lock);

/**
 * unpin_user_phyrs - unpin an array of phyrs that nothing wrote to
 * @phyrs: what pin_user_phyrs() gave, or any page-aligned part of it
 * @nr: how many
 *
 * Context: process, may sleep.
 */
void unpin_user_phyrs(const struct phyr *phyrs, unsigned int nr)
{
	unpin_user_phyrs_dirty_lock(phyrs, nr, false);
}
EXPORT_SYMBOL_GPL(unpin_user_phyrs);

/**
 * unpin_user_phyr_list - unpin everything in a list, and empty it
 * @list: the list
 * @make_dirty: whether something wrote to the memory
 *
 * Context: process, may sleep; with @make_dirty takes the lock of each folio.  For memory
 * without pages it waits for every invalidation that is under way in the mm that it is
 * mapped in, whatever driver's notifier it is for.  So the caller holds no lock that an
 * invalidation may wait for: mmap_lock, i_mmap_rwsem, a reservation lock of a dma-buf, or
 * any that a revoke() or another driver's notifier takes.
 */
void unpin_user_phyr_list(struct phyr_list *list, bool make_dirty)
{
	if (phyr_list_nr(list))
		trace_phyr_unpin(phyr_list_len(list), phyr_list_nr(list), make_dirty);
	phyr_unpin_from(list, 0, make_dirty);
}
EXPORT_SYMBOL_GPL(unpin_user_phyr_list);
