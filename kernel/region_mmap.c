// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region mapped by a program: an entry of the page table for each leaf.
 *
 * The first access to a table of PMDs (1 GiB) fills what the mapping has of it: with PMD
 * entries where the memory is of large folios and the address fits, else with PTEs.
 * There are no PUD entries, as Linux 7.3 cannot split a mapping that has them.  Folios
 * decide, and not adjacent pages, so that the number of faults tells a program nothing
 * about physical memory that it does not know.
 *
 * Entries are special: nothing counts their pages, which are pinned.  They go with the
 * mapping, or when page-less memory is revoked.
 */
#include <linux/dma-buf.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/page_table_check.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "region_private.h"

#ifdef CONFIG_PAGE_TABLE_CHECK
static bool page_tables_checked(void)
{
	return !static_branch_likely(&page_table_check_disabled);
}
#else
static bool page_tables_checked(void)
{
	return false;
}
#endif

/* Where an address of a mapping is in the region. */
static u64 vma_offset(const struct vm_area_struct *vma, unsigned long addr)
{
	return ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
}

/* Memory without a struct page is cached as the program that lends it does. */
static pgprot_t region_prot(const struct phyr_region *region, u64 offset, pgprot_t prot)
{
	switch (phyr_watch_caching(&region->list, offset)) {
	case PHYR_WB:
		return prot;
	case PHYR_WC:
		return pgprot_writecombine(prot);
	default:
		return pgprot_noncached(prot);
	}
}

/* One PTE. */
static vm_fault_t insert_page(const struct phyr_region *region, struct vm_area_struct *vma,
			      unsigned long addr, unsigned long pfn, enum phyr_kind kind)
{
	pgprot_t prot = vma->vm_page_prot;

	/*
	 * A driver may have given the memory pages since it was pinned.  One that does so
	 * just now, of a BAR that is mapped by others, is not excluded.
	 */
	if (kind == PHYR_PFNMAP && pfn_valid(pfn))
		return VM_FAULT_SIGBUS;
	if (kind != PHYR_PFNMAP && is_page_hwpoison(pfn_to_page(pfn)))
		return VM_FAULT_HWPOISON;
	if (kind == PHYR_PFNMAP)
		prot = region_prot(region, vma_offset(vma, addr), prot);
	else if (vma->vm_flags & VM_MIXEDMAP)
		return vmf_insert_mixed(vma, addr, pfn);
	return vmf_insert_pfn_prot(vma, addr, pfn, prot);
}

/* PTEs for [@addr, @end): an error is one of the page that was touched, or of all. */
static vm_fault_t insert_pages(const struct phyr_region *region, const struct vm_fault *vmf,
			       unsigned long addr, unsigned long end)
{
	unsigned long touched = vmf->address & PAGE_MASK;
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	unsigned long pfn, last;
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each_slice(&region->list, vma_offset(vma, addr), end - addr, it, phyr) {
		last = PHYS_PFN(phyr.addr + phyr.len - 1);
		for (pfn = PHYS_PFN(phyr.addr); pfn <= last; pfn++, addr += PAGE_SIZE) {
			ret = insert_page(region, vma, addr, pfn, it.kind);
			if (ret & VM_FAULT_OOM || (ret & VM_FAULT_ERROR && addr == touched))
				return ret;
		}
	}
	return VM_FAULT_NOPAGE;
}

/*
 * A kernel that checks its page tables takes a second writable entry of an anonymous page
 * for an error.  It knows special PTEs, but not that a PMD entry may be special too.
 */
static bool may_be_large(struct folio *folio)
{
	return !page_tables_checked() || !folio_test_anon(folio);
}

/* Is there memory for a whole PMD entry at the beginning of a phyr? */
static bool is_large(const struct phyr *phyr, enum phyr_kind kind)
{
	struct folio *folio;

	if (kind != PHYR_RAM || phyr->len < PMD_SIZE || !IS_ALIGNED(phyr->addr, PMD_SIZE))
		return false;
	folio = page_folio(pfn_to_page(PHYS_PFN(phyr->addr)));
	return folio_order(folio) >= PMD_ORDER && !folio_contain_hwpoisoned_page(folio) &&
	       may_be_large(folio);
}

/* Cuts a phyr to where memory for a PMD entry begins. */
static bool find_large(struct phyr *phyr, enum phyr_kind kind)
{
	size_t skip = -phyr->addr & (PMD_SIZE - 1);

	for (; skip < phyr->len; skip = PMD_SIZE) {
		phyr->addr += skip;
		phyr->len -= skip;
		if (is_large(phyr, kind))
			return true;
	}
	return false;
}

static bool has_all_of_pmd(const struct vm_area_struct *vma, unsigned long addr)
{
	return addr >= vma->vm_start && addr + PMD_SIZE <= vma->vm_end;
}

/* One PMD entry, if the memory and the mapping have all of it. */
static vm_fault_t insert_large(const struct phyr_region *region, const struct vm_fault *vmf,
			       unsigned long addr, pmd_t *pmd, bool write)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vm_fault at = {
		.vma = vma,
		.address = addr,
		.pmd = pmd,
	};
	enum phyr_kind kind;
	struct phyr phyr;

	/* a kernel without THP has no vmf_insert_pfn_pmd() */
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !has_all_of_pmd(vma, addr))
		return VM_FAULT_FALLBACK;
	if (!phyr_list_find(&region->list, vma_offset(vma, addr), &phyr, &kind))
		return VM_FAULT_SIGBUS;
	if (!is_large(&phyr, kind))
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pmd(&at, PHYS_PFN(phyr.addr), write);
}

/*
 * What the mapping has of the 2 MiB at @addr, all of it.  An entry that is there may be one
 * for reading (soft-dirty bits, or mprotect(), make them), and a write to it comes here too:
 * it is made writable, or split by the caller.
 */
static vm_fault_t fill_pmd(const struct phyr_region *region, const struct vm_fault *vmf,
			   unsigned long addr, pmd_t *pmd, bool large)
{
	bool write = pmd == vmf->pmd && vmf->flags & FAULT_FLAG_WRITE;
	struct vm_area_struct *vma = vmf->vma;
	pmd_t entry = READ_ONCE(*pmd);
	vm_fault_t ret;

	if (large && (pmd_none(entry) || (write && pmd_leaf(entry)))) {
		ret = insert_large(region, vmf, addr, pmd, write);
		if (!(ret & VM_FAULT_FALLBACK))
			return ret;
	}
	if (pmd_leaf(READ_ONCE(*pmd)))
		return write ? VM_FAULT_FALLBACK : VM_FAULT_NOPAGE;
	return insert_pages(region, vmf, max(addr, vma->vm_start),
			    min(addr + PMD_SIZE, vma->vm_end));
}

/*
 * Other faults of this region's mappings are kept out meanwhile: each finds no entry, or a
 * whole one.  A revocation waits for phyr_list_leave(), so the lock is taken before.
 */
static vm_fault_t fill_pmd_locked(struct phyr_region *region, const struct vm_fault *vmf,
				  unsigned long addr, pmd_t *pmd, bool large)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;
	int idx;

	mutex_lock(&region->fault_lock);
	idx = phyr_list_enter(&region->list);
	if (idx >= 0) {
		ret = fill_pmd(region, vmf, addr, pmd, large);
		phyr_list_leave(&region->list, idx);
	}
	mutex_unlock(&region->fault_lock);
	return ret;
}

/*
 * The rest of the table, where nothing is yet.  It is there as long as the mapping is, and
 * only faults in mappings of this region put something there.  At both ends the PTEs of
 * other mappings may be beside.
 */
static void fill_neighbours(struct phyr_region *region, const struct vm_fault *vmf, bool large)
{
	unsigned long here = vmf->address & PMD_MASK, first = vmf->address & PUD_MASK, addr;
	struct vm_area_struct *vma = vmf->vma;
	pmd_t *pmd;

	for (addr = max(first, vma->vm_start & PMD_MASK);
	     addr < vma->vm_end && addr - first < PUD_SIZE; addr += PMD_SIZE) {
		pmd = vmf->pmd - (here - first) / PMD_SIZE + (addr - first) / PMD_SIZE;
		if (pmd == vmf->pmd || (!pmd_none(READ_ONCE(*pmd)) && has_all_of_pmd(vma, addr)))
			continue;
		if (fill_pmd_locked(region, vmf, addr, pmd, large) & VM_FAULT_ERROR ||
		    fatal_signal_pending(current))
			break;
		cond_resched();
	}
}

/*
 * Memory without pages, as of a BAR of a terabyte, may be touched here and there only; so
 * may be any that the program says so of.
 */
static bool fills_table(const struct phyr_region *region, const struct vm_area_struct *vma)
{
	return !(phyr_list_kinds(&region->list) & BIT(PHYR_PFNMAP)) &&
	       !(vma->vm_flags & VM_RAND_READ);
}

static vm_fault_t region_fill(struct vm_fault *vmf, bool large)
{
	struct phyr_region *region = vmf->vma->vm_private_data;
	vm_fault_t ret = fill_pmd_locked(region, vmf, vmf->address & PMD_MASK, vmf->pmd, large);

	if (!(ret & (VM_FAULT_ERROR | VM_FAULT_FALLBACK)) && fills_table(region, vmf->vma))
		fill_neighbours(region, vmf, large);
	return ret;
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	return region_fill(vmf, false);
}

/* Called for an empty entry, before region_fault(), unless the process wants no THP. */
static vm_fault_t region_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	if (order != PMD_ORDER)
		return VM_FAULT_FALLBACK;
	return region_fill(vmf, vmf->vma->vm_flags & VM_PFNMAP);
}

static void region_vm_open(struct vm_area_struct *vma)
{
	struct phyr_region *region = vma->vm_private_data;

	atomic_inc(&region->nr_holders);
}

static void region_vm_close(struct vm_area_struct *vma)
{
	struct phyr_region *region = vma->vm_private_data;

	atomic_dec(&region->nr_holders);
}

static const struct vm_operations_struct region_vm_ops = {
	.open = region_vm_open,
	.close = region_vm_close,
	.fault = region_fault,
	.huge_fault = region_huge_fault,
};

/*
 * VFIO's type1 driver reads page frames without a struct page, or with a reserved one as
 * devdax has, from VM_PFNMAP mappings, and programs an IOMMU with them: without a pin, and
 * without being notified of a revocation.  It does not of VM_MIXEDMAP mappings, and GUP
 * fails for VM_IO.  Entries are special all the same: the architecture marks them, and
 * nothing counts their pages.  Whether the pages of an import are reserved is not known.
 */
static vm_flags_t region_vm_flags(const struct phyr_region *region)
{
	BUILD_BUG_ON(!IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL));
	if (region_imported(region) || phyr_list_kinds(&region->list) & ~BIT(PHYR_RAM))
		return VM_IO | VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP;
	return VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
}

static bool has_large_entries(const struct phyr_region *region)
{
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && region_vm_flags(region) & VM_PFNMAP;
}

/**
 * phyr_region_congruent - the alignment at which a mapping of a region gets large entries
 * @region: the region
 * @congruent: set to the address of the region's first byte, modulo what is returned
 *
 * Context: process, may sleep.
 * Return: the size of large entries, or 0 if there is no memory for one.
 */
u64 phyr_region_congruent(const struct phyr_region *region, u64 *congruent)
{
	struct phyr_iter it;
	struct phyr phyr;
	u64 end = 0;

	*congruent = 0;
	if (!region_whole_pages(region) || !has_large_entries(region))
		return 0;
	phyr_list_for_each(&region->list, it, phyr) {
		end += phyr.len;
		cond_resched();
		if (find_large(&phyr, it.kind)) {
			*congruent = (phyr.len - end) & (PMD_SIZE - 1);
			return PMD_SIZE;
		}
	}
	return 0;
}

/**
 * phyr_region_mmap - map a region for a program
 * @dmabuf: the region
 * @vma: the mapping; dma-buf has checked that it is within the region
 *
 * Context: process, with the mmap_lock.
 * Return: 0; -EINVAL for a private mapping, or a region that is not whole pages; -EACCES
 * for writing to one that is read-only; -ENODEV if it was revoked.
 */
int phyr_region_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_whole_pages(region) || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (phyr_list_revoked(&region->list))
		return -ENODEV;
	if (!region->write) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, region_vm_flags(region));
	vma->vm_private_data = region;
	vma->vm_ops = &region_vm_ops;
	region_vm_open(vma);
	return 0;
}
