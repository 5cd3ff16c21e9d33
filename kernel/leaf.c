// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one entry of a page table maps, and how far.
 *
 * A huge page is one entry (a "leaf") above the lowest level; a large folio
 * that is mapped by ordinary entries is a run of equal ones.  Nothing is
 * pinned or locked here, so what this says may be old when the caller reads
 * it: it has to hold a pin on the memory first, and ask afterwards.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "compat.h"
#include "internal.h"

/* The part of a leaf of @size bytes at @pfn that lies from @addr on. */
static void leaf_set(struct phyr_leaf_run *leaf, unsigned long pfn, unsigned long size,
		     unsigned long addr, bool writable)
{
	unsigned long skip = (addr & (size - 1)) >> PAGE_SHIFT;

	leaf->pfn = pfn + skip;
	leaf->nr = (size >> PAGE_SHIFT) - skip;
	leaf->writable = writable;
	leaf->size = size;
}

/* Two entries map alike if they differ in nothing but where they lead and use. */
static pte_t pte_plain(pte_t pte)
{
	return pte_mkold(pte_mkclean(pte));
}

static void pte_walk(pmd_t pmd, unsigned long addr, unsigned long max, struct phyr_leaf_run *leaf)
{
	unsigned long room = PTRS_PER_PTE - pte_index(addr);
	pte_t *ptep = pte_offset_kernel(&pmd, addr);
	pte_t pte = ptep_get_lockless(ptep), expected;

	if (!pte_present(pte) || pte_protnone(pte))
		return;
	leaf->pfn = pte_pfn(pte);
	leaf->writable = pte_write(pte);
	expected = pte_plain(pte);
	max = min(max, room);
	while (++leaf->nr < max) {
		expected = pte_next_pfn(expected);
		if (!pte_same(pte_plain(ptep_get_lockless(++ptep)), expected))
			break;
	}
}

/* An entry of the third level, which everything in its PUD_SIZE bytes has in common. */
struct third_level {
	pud_t *entry;
	pud_t pud;
	unsigned long end;
};

/* False if there is none. */
static bool third_find(struct mm_struct *mm, unsigned long addr, struct third_level *third)
{
	pgd_t *pgdp = pgd_offset(mm, addr), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;

	if (!pgd_present(pgd) || pgd_leaf(pgd))
		return false;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (!p4d_present(p4d) || p4d_leaf(p4d))
		return false;
	third->entry = pud_offset_lockless(p4dp, p4d, addr);
	third->pud = READ_ONCE(*third->entry);
	third->end = (addr & PUD_MASK) + PUD_SIZE;
	return pud_present(third->pud);
}

static void leaf_walk(struct third_level *third, unsigned long addr, unsigned long max,
		      struct phyr_leaf_run *leaf)
{
	pmd_t *pmdp, pmd;

	if (pud_leaf(third->pud)) {
		leaf_set(leaf, pud_pfn(third->pud), PUD_SIZE, addr, pud_write(third->pud));
		return;
	}
	pmdp = pmd_offset_lockless(third->entry, third->pud, addr);
	pmd = pmdp_get_lockless(pmdp);
	if (!pmd_present(pmd))
		return;
	if (pmd_leaf(pmd)) {
		if (!pmd_protnone(pmd))
			leaf_set(leaf, pmd_pfn(pmd), PMD_SIZE, addr, pmd_write(pmd));
		return;
	}
	pte_walk(pmd, addr, max, leaf);
}

/**
 * phyr_leaf_runs - how far page-table leaves, or runs of equal entries, go
 * @mm: whose page table
 * @addr: the page to begin at
 * @max: pages to look at for one run, at most; not 0
 * @runs: filled in: run i begins @max * i pages from @addr
 * @nr: how many runs
 *
 * Nothing may free the page tables meanwhile.  With interrupts off that is so
 * for the current process: whoever frees a table of it first interrupts every
 * CPU that runs it, or waits for RCU.  For another process the caller holds
 * its mmap_lock, and all of the range lies in one mapping that was looked up
 * under that lock: munmap() frees tables after it has downgraded the lock, but
 * only those of mappings that are no longer found.  Interrupts are off there,
 * too: khugepaged, zaps that free empty tables, and hugetlb's unsharing free
 * tables without mmap_lock held for writing, but then wait for every CPU that has
 * interrupts off.  x86 before Linux 6.15 frees tables without waiting for RCU,
 * whatever CONFIG_MMU_GATHER_RCU_TABLE_FREE says.
 *
 * A run is physically contiguous, and every entry of it has the same
 * protection and software bits, so whatever GUP decided for one page of it
 * holds for the others, unless it may only be read: then GUP asks the page and
 * the mapping as well.  The idea is that of GUP-fast, see mm/gup.c.
 *
 * Context: process, for @mm of the current process; or with mmap_lock of @mm
 * held.  Turns interrupts off for the walk, which reads no more than a page table
 * for each run.
 */
void phyr_leaf_runs(struct mm_struct *mm, unsigned long addr, unsigned long max,
		    struct phyr_leaf_run *runs, unsigned int nr)
{
	struct third_level third = { .end = 0 };
	unsigned long flags;
	unsigned int i;

	if (mm != current->mm)
		mmap_assert_locked(mm);
	memset(runs, 0, nr * sizeof(*runs));
	local_irq_save(flags);
	for (i = 0; i < nr; i++, addr += max * PAGE_SIZE) {
		if (addr >= third.end && !third_find(mm, addr, &third))
			break;
		leaf_walk(&third, addr, max, &runs[i]);
		runs[i].nr = min(runs[i].nr, max);
	}
	local_irq_restore(flags);
}
