// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory becomes phyrs.
 *
 * Every pin is GUP's own.  What makes this fast is that GUP is asked once for
 * each leaf of the page table, not once a page: its answer for the first page
 * (may this be written, must it be unshared, moved, is it secret) holds for
 * every page that the same entry maps in the same folio.  So
 *
 *	1. pin the first page through GUP;
 *	2. read the page table: does the entry still lead to that page?
 *	3. if so, add a pin for each further page of leaf and folio at once.
 *
 * The pin of step 1 keeps the folio from being freed, split, migrated or
 * shared by fork; that is why step 2 comes after it and why step 3 cannot
 * fail half-way.  Where leaves of one size follow each other, GUP is asked for
 * the last page of one and the first page of the next in one call.  What does
 * not fit (small pages, odd mappings) goes through GUP a batch at a time.
 *
 * The result holds exactly the pins that GUP would have taken, so any part of
 * it can be released by unpin_user_page_range_dirty_lock().
 *
 * Memory without a struct page is recognized by GUP's error, see pfnmap.c; a
 * list of it is held by watching the mapping, see revoke.c.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/hugetlb_inline.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat.h"
#include "internal.h"
#include "phyr_trace.h"

#define GUP_FLAGS	(FOLL_WRITE | FOLL_LONGTERM | FOLL_PCI_P2PDMA)
#define PIN_FLAGS	(GUP_FLAGS | PHYR_FOLL_PFNMAP)
/* Pages to ask for at once: a page of pointers, and no more than a subsection. */
#define PIN_BATCH	min_t(unsigned int, PAGE_SIZE / sizeof(struct page *), SZ_2M / PAGE_SIZE)
#define PIN_FEW		16
#define PIN_GLUE	32
#define PIN_SCATTERED	64

/*
 * A folio's references are an int, and GUP warns when they become negative.  Leave
 * half of the range to other users.
 */
#define PIN_REFS_MAX	(INT_MAX / 2)

/* Where the phyrs go: a list, or an array with room for @max. */
struct pin_out {
	struct phyr_list *list;
	struct phyr *phyrs;
	unsigned int nr;
	unsigned int max;
	enum phyr_kind kind;
};

/* One call of pin_user_phyrs() and its like. */
struct pinner {
	/* the range */
	struct mm_struct *mm;
	bool remote;
	int locked;			/* holds mmap_lock; GUP may drop it */
	unsigned int flags;
	unsigned long start;
	unsigned long addr;		/* the next byte */
	unsigned long end;
	unsigned long watched;		/* page-less mappings are, up to here */
	struct pin_out out;

	/* leaf by leaf */
	bool leaf;			/* the next page may be part of a large leaf */
	unsigned long stride;		/* bytes of the leaf before, if it was large */
	unsigned int leaves;		/* to pin at once: more each time */

	/* in batches of pages */
	struct page **pages;
	unsigned int max_pages;
	unsigned int batch;		/* to pin at once: more each time */
	struct page *few[PIN_FEW];
};

static void array_append(struct pin_out *out, const struct phyr *phyr, enum phyr_kind kind)
{
	struct phyr *last = &out->phyrs[out->nr];

	if (out->nr && out->kind == kind && last[-1].addr + last[-1].len == phyr->addr) {
		last[-1].len += phyr->len;
		return;
	}
	*last = *phyr;
	out->kind = kind;
	out->nr++;
}

/* The caller has made sure that an array has room. */
static int out_append(struct pin_out *out, const struct phyr *phyrs, unsigned int nr,
		      enum phyr_kind kind)
{
	if (out->list)
		return phyr_list_append_many(out->list, phyrs, nr, kind, GFP_KERNEL_ACCOUNT);
	for (; nr; nr--, phyrs++)
		array_append(out, phyrs, kind);
	return 0;
}

static unsigned long pages_left(const struct pinner *p)
{
	return (p->end - 1 - (p->addr & PAGE_MASK)) / PAGE_SIZE + 1;
}

/* Phyrs that there is still room for. */
static unsigned int out_room(const struct pin_out *out)
{
	return out->list ? UINT_MAX : out->max - out->nr;
}

/* Appends @nr contiguous pages at the next byte. */
static int pin_append(struct pinner *p, unsigned long pfn, unsigned long nr,
		      enum phyr_kind kind)
{
	unsigned long skip = offset_in_page(p->addr);
	const struct phyr phyr = {
		.addr = PFN_PHYS(pfn) + skip,
		.len = min(nr * PAGE_SIZE - skip, p->end - p->addr),
	};
	int ret = out_append(&p->out, &phyr, 1, kind);

	if (!ret)
		p->addr += phyr.len;
	return ret;
}

/* Taken by gup(); held until the page tables were read, and released before the next step. */
static int pinner_lock(struct pinner *p)
{
	if (!p->locked) {
		if (mmap_read_lock_killable(p->mm))
			return -EINTR;
		p->locked = 1;
	}
	return 0;
}

static void pinner_unlock(struct pinner *p)
{
	if (p->locked)
		mmap_read_unlock(p->mm);
	p->locked = 0;
}

static long gup(struct pinner *p, unsigned long addr, unsigned int nr, struct page **pages)
{
	if (!p->remote)
		return pin_user_pages_fast(addr, nr, p->flags & GUP_FLAGS, pages);
	if (pinner_lock(p))
		return -EINTR;
	return pin_user_pages_remote(p->mm, addr, nr, p->flags & GUP_FLAGS, pages, &p->locked);
}

/*
 * Page tables that processes share (hugetlb) are unshared without mmap_lock.  Where that
 * does not wait for all CPUs, only GUP reads them.
 */
static bool vma_keeps_tables(const struct vm_area_struct *vma)
{
	return IS_ENABLED(CONFIG_MMU_GATHER_RCU_TABLE_FREE) || vma->vm_mm == current->mm ||
	       !is_vm_hugetlb_page(vma);
}

/*
 * Fills in @runs as phyr_pt_runs() does, as far as they are in the mapping at @addr
 * if this is another process.
 */
static void pinner_runs(struct pinner *p, unsigned long addr, unsigned long max,
			struct phyr_pt_run *runs, unsigned int nr)
{
	const struct vm_area_struct *vma;
	unsigned long pages;

	if (p->mm == current->mm) {
		phyr_pt_runs(p->mm, addr, max, runs, nr);
		return;
	}
	memset(runs, 0, nr * sizeof(*runs));
	vma = pinner_lock(p) ? NULL : vma_lookup(p->mm, addr);
	if (!vma || !vma_keeps_tables(vma))
		return;
	pages = (vma->vm_end - addr) / PAGE_SIZE;
	max = min(max, pages);
	phyr_pt_runs(p->mm, addr, max, runs, min(nr, pages / max));
}

/* Adds a pin for each further one of @nr pages of a folio that holds one. */
static int pin_more(struct folio *folio, unsigned long nr)
{
	if (nr == 1)
		return 0;
	if (folio_ref_count(folio) > PIN_REFS_MAX - (int)nr)
		return -ENOMEM;
	return folio_add_pins(folio, nr - 1);
}

/*
 * A read-only entry may map a page that GUP would have unshared first.  A huge
 * entry is one page for that, which GUP has seen; ordinary ones are one each.
 */
static bool run_doubtful(const struct phyr_pt_run *run)
{
	return !run->writable && !run->size;
}

/*
 * Of a folio of anonymous memory, a page that need not be unshared has a mark, and
 * keeps it while the folio is pinned, see folio_try_share_anon_rmap_ptes().
 */
static unsigned long exclusive_run(struct folio *folio, unsigned long first, unsigned long nr)
{
	unsigned long i;

	for (i = 1; i < nr; i++)
		if (!PageAnonExclusive(folio_page(folio, first + i)))
			break;
	return i;
}

/* Are writes to it private to the process? */
static bool is_private(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

/*
 * Of a folio of a file, a page is unshared if its mapping is private and it is pinned
 * for long.  Entries do not tell: those of a private mapping that was only read are
 * those of a shared one that may only be read, and both may map parts of one folio
 * side by side.  So the run is read with the mappings held still, and ends where
 * that of its first page does.
 */
static unsigned long mapping_run(struct pinner *p, const struct page *page, unsigned long max)
{
	unsigned long addr = p->addr & PAGE_MASK;
	struct phyr_pt_run run = { .nr = 0 };
	const struct vm_area_struct *vma;

	if (pinner_lock(p))
		return 1;	/* GUP returns the error for the next page */
	vma = vma_lookup(p->mm, addr);
	if (vma && vma->vm_flags & VM_READ && vma_keeps_tables(vma) &&
	    !(p->flags & FOLL_LONGTERM && is_private(vma)))
		phyr_pt_runs(p->mm, addr, min(max, (vma->vm_end - addr) / PAGE_SIZE), &run, 1);
	return run.nr && run.pfn == page_to_pfn(page) ? run.nr : 1;
}

/*
 * How many pages, from the pinned @page on, the same leaf and folio have.  The
 * first one is pinned whatever the page table says by now.
 */
static unsigned long leaf_pages(struct pinner *p, struct folio *folio, struct page *page)
{
	unsigned long idx = folio_page_idx(folio, page);
	unsigned long max = min(folio_nr_pages(folio) - idx, pages_left(p));
	struct phyr_pt_run run;

	pinner_runs(p, p->addr & PAGE_MASK, max, &run, 1);
	if (!run.nr || run.pfn != page_to_pfn(page))
		return 1;
	if (p->flags & FOLL_WRITE && !run.writable)
		return 1;
	if (run_doubtful(&run))
		return folio_test_anon(folio) ? exclusive_run(folio, idx, run.nr) :
						mapping_run(p, page, run.nr);
	p->stride = run.size ? min(run.size, folio_size(folio)) : folio_size(folio);
	return run.nr;
}

/* Pins up to the end of one leaf. */
static int pin_leaf(struct pinner *p)
{
	long got = gup(p, p->addr & PAGE_MASK, 1, p->pages);
	unsigned long nr = 1;
	struct folio *folio;
	struct page *page;
	int ret;

	if (got != 1) {
		pinner_unlock(p);
		return got < 0 ? got : -EFAULT;
	}
	page = p->pages[0];
	folio = page_folio(page);
	p->stride = 0;
	if (folio_test_large(folio))
		nr = leaf_pages(p, folio, page);
	pinner_unlock(p);
	p->leaf = nr > 1;

	ret = pin_more(folio, nr);
	if (ret) {
		unpin_user_page(page);
		return ret;
	}
	ret = pin_append(p, page_to_pfn(page), nr, page_kind(page));
	if (ret)
		unpin_user_page_range_dirty_lock(page, nr, false);
	return ret;
}

/* Is @run all of a leaf of @nr pages in the folio of its pinned page number @at? */
static bool run_whole(const struct pinner *p, const struct phyr_pt_run *run,
		      struct page *page, unsigned long at, unsigned long nr)
{
	struct folio *folio = page_folio(page);
	unsigned long idx = folio_page_idx(folio, page);

	if (run->nr != nr || run->pfn + at != page_to_pfn(page))
		return false;
	if (idx < at || folio_nr_pages(folio) - (idx - at) < nr)
		return false;
	return !(p->flags & FOLL_WRITE && !run->writable) && !run_doubtful(run);
}

/*
 * Leaves to pin at once, of the size that the last one had: an even number, more each
 * time.  Large folios in ordinary entries are mixed with others more often, and a
 * failed attempt costs two pins.
 */
static unsigned int leaves_fit(const struct pinner *p)
{
	unsigned long max = p->stride < PMD_SIZE ? 2 : min_t(unsigned int, p->leaves, PIN_FEW);

	if (p->stride <= PAGE_SIZE || !IS_ALIGNED(p->addr, p->stride))
		return 0;
	return min3(max, (unsigned long)out_room(&p->out), (p->end - p->addr) / p->stride) & ~1ul;
}

/* Unpins @nr pages that are of no use; each has a pin of its own. */
static void unpin_few(struct page **pages, unsigned int nr)
{
	if (nr)
		unpin_user_pages(pages, nr);
}

/*
 * Pins one page of each leaf, with one question to GUP for two of them: about the
 * last page of the first and the first page of the second.  Returns how many.
 */
static unsigned int leaves_gup(struct pinner *p, unsigned int max)
{
	unsigned long addr = p->addr + p->stride - PAGE_SIZE;
	unsigned int nr;
	long got;

	for (nr = 0; nr < max; nr += 2, addr += 2 * p->stride) {
		got = gup(p, addr, 2, p->pages + nr);
		if (got == 2)
			continue;
		if (got > 0)
			unpin_few(p->pages + nr, got);
		break;
	}
	return nr;
}

/*
 * Adds pins to those of @max leaves that are whole, as far as all of them are, and
 * are of one kind.  Returns how many; *@ret is an error if that is why it stopped.
 */
static unsigned int leaves_grab(struct pinner *p, const struct phyr_pt_run *runs,
				unsigned int max, struct phyr *phyrs, int *ret)
{
	unsigned long nr = p->stride / PAGE_SIZE;
	enum phyr_kind kind = page_kind(p->pages[0]);
	unsigned int i;

	for (i = 0; i < max; i++) {
		struct page *page = p->pages[i];

		if (!run_whole(p, &runs[i], page, i & 1 ? 0 : nr - 1, nr))
			break;
		if (page_kind(page) != kind)
			break;
		*ret = pin_more(page_folio(page), nr);
		if (*ret)
			break;
		phyrs[i].addr = PFN_PHYS(runs[i].pfn);
		phyrs[i].len = p->stride;
	}
	return i;
}

/* Appends @nr leaves; if there is no memory for that, unpins them. */
static int leaves_append(struct pinner *p, const struct phyr *phyrs, unsigned int nr)
{
	unsigned long pages = p->stride / PAGE_SIZE;
	int ret = out_append(&p->out, phyrs, nr, page_kind(p->pages[0]));

	if (!ret) {
		p->addr += nr * p->stride;
		return 0;
	}
	for (; nr; nr--, phyrs++)
		unpin_user_page_range_dirty_lock(pfn_to_page(PHYS_PFN(phyrs->addr)), pages,
						 false);
	return ret;
}

/*
 * Pins some whole leaves of the size that the last one had.  Where the tables do
 * not agree with GUP's answers any more, the leaf is done by itself.
 */
static int pin_leaves(struct pinner *p, unsigned int max)
{
	struct phyr_pt_run runs[PIN_FEW] __uninitialized;
	struct phyr phyrs[PIN_FEW] __uninitialized;
	unsigned int asked = leaves_gup(p, max), nr = 0;
	int ret = 0, err;

	if (asked) {
		pinner_runs(p, p->addr, p->stride / PAGE_SIZE, runs, asked);
		pinner_unlock(p);
		nr = leaves_grab(p, runs, asked, phyrs, &ret);
		unpin_few(p->pages + nr, asked - nr);
	}
	if (nr) {
		err = leaves_append(p, phyrs, nr);
		if (err)
			return err;
	}
	p->leaves = nr == max ? 2 * max : 2;
	if (nr || ret)
		return ret;
	p->stride = 0;
	return pin_leaf(p);
}

/* Zero if @page is the one that comes @nr pages after @first. */
static unsigned long page_apart(const struct page *page, const struct page *first,
				unsigned long nr)
{
	if (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return page_to_pfn(page) ^ (page_to_pfn(first) + nr);
	return (unsigned long)page ^ (unsigned long)(first + nr);
}

static bool page_follows(const struct page *page, const struct page *first, unsigned long nr)
{
	return !page_apart(page, first, nr);
}

/*
 * How many of @nr pages follow each other, from the first one on.  Four at a time, with
 * one comparison for the four: for pages that do, this is most of what phyrs cost.
 */
static unsigned int pages_in_row(struct page **pages, unsigned long nr)
{
	const struct page *first = pages[0];
	unsigned long i;

	for (i = 1; i + 4 <= nr; i += 4)
		if (page_apart(pages[i], first, i) | page_apart(pages[i + 1], first, i + 1) |
		    page_apart(pages[i + 2], first, i + 2) | page_apart(pages[i + 3], first, i + 3))
			break;
	while (i < nr && page_follows(pages[i], first, i))
		i++;
	return i;
}

/*
 * Glues together up to @max phyrs of one kind from @nr pages; returns how many
 * phyrs, and in *@used how many pages they took.
 *
 * Kinds begin and end with a subsection of the memory map.  A batch is no longer than
 * that, so of pages that follow each other only the first and the last one need to be
 * checked.
 */
static unsigned int glue_pages(struct page **pages, unsigned int nr, struct phyr *phyrs,
			       unsigned int max, unsigned int *used)
{
	enum phyr_kind kind = page_kind(pages[0]);
	unsigned int row, i, n;

	for (i = 0, n = 0; i < nr && n < max && page_kind(pages[i]) == kind; i += row, n++) {
		row = pages_in_row(pages + i, nr - i);
		while (page_kind(pages[i + row - 1]) != kind)
			row--;
		phyrs[n].addr = page_to_phys(pages[i]);
		phyrs[n].len = row * PAGE_SIZE;
	}
	*used = i;
	return n;
}

/* The addresses of up to @max pages that are of one kind; returns how many. */
static unsigned int page_addrs(struct page **pages, unsigned int max, phys_addr_t *addrs)
{
	enum phyr_kind kind = page_kind(pages[0]);
	unsigned int i;

	for (i = 0; i < max && page_kind(pages[i]) == kind; i++)
		addrs[i] = page_to_phys(pages[i]);
	return i;
}

/* Appends some of @nr whole discontiguous pages; returns how many. */
static int scattered_append(struct pinner *p, struct page **pages, unsigned int nr)
{
	phys_addr_t addrs[PIN_SCATTERED] __uninitialized;
	unsigned int n = page_addrs(pages, min_t(unsigned int, nr, PIN_SCATTERED), addrs);
	int ret = phyr_list_append_pages(p->out.list, addrs, n, PAGE_SHIFT,
					 page_kind(pages[0]), GFP_KERNEL_ACCOUNT);

	if (ret)
		return ret;
	p->addr += n * PAGE_SIZE;
	return n;
}

/* Appends some of @nr pinned pages at the next byte; returns how many. */
static int glued_append(struct pinner *p, struct page **pages, unsigned int nr)
{
	unsigned long skip = offset_in_page(p->addr), len;
	struct phyr phyrs[PIN_GLUE] __uninitialized;
	unsigned int n, used;
	int ret;

	n = glue_pages(pages, nr, phyrs, PIN_GLUE, &used);
	len = used * PAGE_SIZE - skip;
	phyrs[0].addr += skip;
	phyrs[0].len -= skip;
	if (len > p->end - p->addr) {
		phyrs[n - 1].len -= len - (p->end - p->addr);
		len = p->end - p->addr;
	}
	ret = out_append(&p->out, phyrs, n, page_kind(pages[0]));
	if (ret)
		return ret;
	p->addr += len;
	return used;
}

/*
 * The first two of @nr pages decide: most batches are uniform.  Gluing is fast for pages
 * that follow each other, and accepts partial ones.
 */
static int batch_append(struct pinner *p, struct page **pages, unsigned int nr)
{
	if (p->out.list && nr > 1 && !page_follows(pages[1], pages[0], 1) &&
	    !offset_in_page(p->addr) && nr * PAGE_SIZE <= p->end - p->addr)
		return scattered_append(p, pages, nr);
	return glued_append(p, pages, nr);
}

/* Room for a whole batch, once batches have grown that far. */
static void pages_grow(struct pinner *p)
{
	struct page **pages;

	if (p->max_pages > PIN_FEW || p->batch <= PIN_FEW)
		return;
	pages = (struct page **)__get_free_page(GFP_KERNEL | __GFP_NOWARN);
	if (pages) {
		p->pages = pages;
		p->max_pages = PIN_BATCH;
	}
}

/*
 * Begins with few pages, so that a small hole between large folios is soon
 * behind; as long as there are only small ones, batches grow.
 */
static int pin_batch(struct pinner *p)
{
	unsigned int i, max;
	long got;
	int ret;

	pages_grow(p);
	max = min3(p->batch, p->max_pages, out_room(&p->out));
	got = gup(p, p->addr & PAGE_MASK, min_t(unsigned long, pages_left(p), max), p->pages);
	pinner_unlock(p);
	if (got <= 0)
		return got ? got : -EFAULT;
	p->leaf = folio_test_large(page_folio(p->pages[got - 1]));
	p->batch = p->leaf ? PIN_FEW : min_t(unsigned int, 2 * p->batch, PIN_BATCH);
	for (i = 0; i < got; i += ret) {
		ret = batch_append(p, p->pages + i, got - i);
		if (ret < 0) {
			unpin_user_pages(p->pages + i, got - i);
			return ret;
		}
	}
	return 0;
}

/*
 * Watches the mapping at the next byte, so that the list is revoked with it.  An array
 * cannot be revoked, so it cannot hold such memory for long.
 */
static int pfnmap_watch(struct pinner *p)
{
	unsigned long start = p->addr & PAGE_MASK;
	long nr;
	int ret;

	if (p->addr < p->watched)
		return 0;
	nr = phyr_pfnmap_span(p->mm, start, pages_left(p), p->flags);
	if (nr < 0)
		return nr;
	if (!p->out.list)
		return p->flags & FOLL_LONGTERM ? -EOPNOTSUPP : 0;
	ret = phyr_watch_mapping(p->out.list, p->mm, start, nr * PAGE_SIZE);
	if (!ret)
		p->watched = start + nr * PAGE_SIZE;
	return ret;
}

static int pin_pfnmap(struct pinner *p)
{
	unsigned long max, start = p->addr & PAGE_MASK;
	struct phyr_pfnmap map;
	long nr;
	int ret;

	ret = pfnmap_watch(p);
	if (ret)
		return ret;
	max = pages_left(p);
	if (p->out.list)
		max = min(max, (p->watched - start) / PAGE_SIZE);
	nr = phyr_pfnmap_run(p->mm, start, max, p->flags, &map);
	if (nr < 0)
		return nr;
	if (p->out.list)
		phyr_watch_record(p->out.list, PFN_PHYS(map.pfn), nr * PAGE_SIZE, map.prot);
	else if (phyr_pci_removed(PFN_PHYS(map.pfn), PFN_PHYS(map.pfn + nr) - 1))
		return -ENODEV;
	return pin_append(p, map.pfn, nr, PHYR_PFNMAP);
}

static void pages_free(struct pinner *p)
{
	if (p->pages != p->few)
		free_page((unsigned long)p->pages);
}

static int pin_step(struct pinner *p)
{
	unsigned int leaves;

	if (!p->leaf)
		return pin_batch(p);
	leaves = leaves_fit(p);
	return leaves ? pin_leaves(p, leaves) : pin_leaf(p);
}

/* Pins until the end of the range or of the array; 0, or why it stopped. */
static int pin_run(struct pinner *p)
{
	int ret = 0;

	p->pages = p->few;
	p->max_pages = PIN_FEW;
	p->leaf = true;
	p->batch = PIN_FEW;
	p->leaves = 2;
	while (!ret && p->addr < p->end && out_room(&p->out)) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		/* within a page-less mapping GUP would fail every time */
		ret = p->addr < p->watched ? -EFAULT : pin_step(p);
		if (ret == -EFAULT)
			ret = pin_pfnmap(p);
		cond_resched();
	}
	pages_free(p);
	return ret;
}

static int pinner_init(struct pinner *p, struct mm_struct *mm, bool remote,
		       unsigned long start, size_t len, unsigned int gup_flags)
{
	if (!len || gup_flags & ~PIN_FLAGS)
		return -EINVAL;
	if (gup_flags & FOLL_LONGTERM && gup_flags & FOLL_PCI_P2PDMA)
		return -EINVAL;		/* its driver may be unbound at any time */
	if (!mm)
		return -EFAULT;
	if (!remote)
		start = untagged_addr(start);
	if (start + len < start || PAGE_ALIGN(start + len) < start)
		return -EOVERFLOW;
	p->mm = mm;
	p->remote = remote;
	p->flags = gup_flags;
	p->start = start;
	p->addr = start;
	p->end = start + len;
	return 0;
}

static long pin_array(struct mm_struct *mm, bool remote, unsigned long start, size_t len,
		      unsigned int gup_flags, struct phyr *phyrs, unsigned int nr)
{
	struct pinner p = { .out = { .phyrs = phyrs, .max = nr } };
	int ret = nr ? 0 : -EINVAL;

	if (!ret)
		ret = pinner_init(&p, mm, remote, start, len, gup_flags);
	if (!ret)
		ret = pin_run(&p);
	trace_phyr_pin(start, p.addr - p.start, p.out.nr, gup_flags & GUP_FLAGS, ret);
	if (p.out.nr)
		return p.out.nr;
	return ret;
}

static int pin_list(struct phyr_list *list, struct mm_struct *mm, bool remote,
		    unsigned long start, size_t len, unsigned int gup_flags)
{
	struct pinner p = { .out = { .list = list } };
	unsigned long nr = phyr_list_nr(list);
	u64 before = phyr_list_len(list);
	bool sealed = list->sealed;
	u8 kinds = list->kinds;
	int ret;

	ret = pinner_init(&p, mm, remote, start, len, gup_flags);
	if (ret)
		return ret;
	if (phyr_list_revoked(list))
		return -ENODEV;
	if (offset_in_page(start))	/* its first page has a pin of its own */
		phyr_list_seal(list);
	ret = pin_run(&p);
	if (!ret && list->watch)
		ret = phyr_watch_commit(list);
	trace_phyr_pin(start, p.addr - p.start, phyr_list_nr(list) - nr, gup_flags & GUP_FLAGS,
		       ret);
	if (ret) {
		phyr_unpin_from(list, before, false);
		list->sealed = sealed;
		list->kinds = kinds;
		return ret;
	}
	if (!(gup_flags & FOLL_WRITE))
		phyr_list_set_read_only(list);
	phyr_list_trim(list, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return 0;
}

/**
 * pin_user_phyrs - pin memory of the current process, as an array of phyrs
 * @start: user address of the first byte; need not be aligned
 * @len: length in bytes, not 0
 * @gup_flags: FOLL_WRITE if it will be written, FOLL_LONGTERM if it stays
 *	pinned for longer than one operation, or else FOLL_PCI_P2PDMA if memory
 *	of a PCI device with pages (pci_p2pdma) may be pinned; PHYR_FOLL_PFNMAP if
 *	memory without pages may
 * @phyrs: the array
 * @nr: how many it has room for, not 0
 *
 * Fills the array as far as it goes.  The phyrs' lengths add up to @len, or to
 * less if the array was full or something was in the way; the caller goes on
 * from there.  The call stops as soon as the last entry is in use, and does
 * not extend that one.  Memory that is not there yet is faulted
 * in.  A mapping without struct pages is resolved with PHYR_FOLL_PFNMAP, but not
 * held by anything, so not with FOLL_LONGTERM: that takes a list.
 *
 * "Add an interface to gup.c to pin/unpin N phyrs": the proposal of 2022.
 *
 * Context: process, may sleep; takes mmap_lock for reading.
 * Return: how many phyrs were filled, at least 1; -EINVAL for a length or @nr
 * of 0, or other flags; -EOVERFLOW for a range past the end of the address
 * space; -EFAULT for a hole or a mapping that forbids the access; for a mapping without
 * pages -EPERM without PHYR_FOLL_PFNMAP, -EOPNOTSUPP with FOLL_LONGTERM, or if it is of a
 * graphics driver or a dma-buf, -ENODEV if its PCI device has been removed; -ENOMEM;
 * -EINTR if the process is being killed; and what else GUP fails with.
 */
long pin_user_phyrs(unsigned long start, size_t len, unsigned int gup_flags,
		    struct phyr *phyrs, unsigned int nr)
{
	return pin_array(current->mm, false, start, len, gup_flags, phyrs, nr);
}
EXPORT_SYMBOL_GPL(pin_user_phyrs);

/**
 * pin_user_phyrs_remote - pin memory of another process, as an array of phyrs
 * @mm: its memory; the caller holds a reference from get_task_mm() or mmget()
 * @start: address there of the first byte
 * @len: length in bytes, not 0
 * @gup_flags: FOLL_WRITE, FOLL_LONGTERM, PHYR_FOLL_PFNMAP
 * @phyrs: the array
 * @nr: how many it has room for, not 0
 *
 * See pin_user_phyrs().  The caller decides whether this is allowed, for memory without
 * pages too: no capability of the current process is checked.
 *
 * Context: process, may sleep; takes mmap_lock of @mm for reading.
 * Return: as pin_user_phyrs().
 */
long pin_user_phyrs_remote(struct mm_struct *mm, unsigned long start, size_t len,
			   unsigned int gup_flags, struct phyr *phyrs, unsigned int nr)
{
	return pin_array(mm, true, start, len, gup_flags, phyrs, nr);
}
EXPORT_SYMBOL_GPL(pin_user_phyrs_remote);

/**
 * pin_user_phyr_list - pin memory of the current process, at the end of a list
 * @list: the list, which may hold something already
 * @start: user address of the first byte; need not be aligned
 * @len: length in bytes, not 0
 * @gup_flags: FOLL_WRITE, FOLL_LONGTERM, PHYR_FOLL_PFNMAP
 *
 * All or nothing: on failure the list is as it was, and what had been pinned
 * is unpinned.  A list of which any was pinned without FOLL_WRITE is read-only for
 * phyr_dma_map() and phyr_access_write().
 *
 * A mapping without struct pages is watched.  When it is unmapped, all of the list
 * is revoked: see phyr_list_register_user().
 *
 * Context: process, may sleep; takes mmap_lock for reading.  With PHYR_FOLL_PFNMAP it
 * also takes it for writing, with every i_mmap_rwsem and anon_vma lock of the mm the first
 * time, and waits for invalidations as unpin_user_phyr_list() does.  So no lock may be
 * held that an invalidation may wait for, such as one that @list's revoke() takes.
 * Return: 0, or an error as pin_user_phyrs(); -ENODEV for a list that has been
 * revoked; -EINTR with a signal pending, too, at the first pin of memory without pages in
 * an mm.
 */
int pin_user_phyr_list(struct phyr_list *list, unsigned long start, size_t len,
		       unsigned int gup_flags)
{
	return pin_list(list, current->mm, false, start, len, gup_flags);
}
EXPORT_SYMBOL_GPL(pin_user_phyr_list);

/**
 * pin_user_phyr_list_remote - pin memory of another process, at the end of a list
 * @list: the list, which may hold something already
 * @mm: its memory; the caller holds a reference from get_task_mm() or mmget()
 * @start: address there of the first byte
 * @len: length in bytes, not 0
 * @gup_flags: FOLL_WRITE, FOLL_LONGTERM, PHYR_FOLL_PFNMAP
 *
 * Context: process, may sleep; takes mmap_lock of @mm as pin_user_phyr_list().
 * Return: 0, or an error as pin_user_phyrs(); all or nothing.
 */
int pin_user_phyr_list_remote(struct phyr_list *list, struct mm_struct *mm,
			      unsigned long start, size_t len, unsigned int gup_flags)
{
	return pin_list(list, mm, true, start, len, gup_flags);
}
EXPORT_SYMBOL_GPL(pin_user_phyr_list_remote);
