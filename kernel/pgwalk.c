// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one entry of a page table maps, and how far.
 *
 * A huge page is one entry above the lowest level; a large folio
 * that is mapped by ordinary entries is a run of equal ones.  Nothing is
 * pinned or locked here, so what this says may be old when the caller reads
 * it: it has to hold a pin on the memory first, and ask afterwards.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "compat.h"
#include "internal.h"

/* The part of an entry of @size bytes at @pfn that lies from @addr on. */
static void run_set(struct phyr_pt_run *run, unsigned long pfn, unsigned long size,
		    unsigned long addr, bool writable)
{
	unsigned long skip = (addr & (size - 1)) >> PAGE_SHIFT;

	run->pfn = pfn + skip;
	run->nr = (size >> PAGE_SHIFT) - skip;
	run->writable = writable;
	run->size = size;
}

/* Two entries map alike if they differ in nothing but where they lead and use. */
static pte_t pte_plain(pte_t pte)
{
	return pte_mkold(pte_mkclean(pte));
}

static void pte_walk(pmd_t pmd, unsigned long addr, unsigned long max, struct phyr_pt_run *run)
{
	unsigned long room = PTRS_PER_PTE - pte_index(addr);
	pte_t *ptep = pte_offset_kernel(&pmd, addr);
	pte_t pte = ptep_get_lockless(ptep), expected;

	if (!pte_present(pte) || pte_protnone(pte))
		return;
	run->pfn = pte_pfn(pte);
	run->writable = pte_write(pte);
	expected = pte_plain(pte);
	max = min(max, room);
	while (++run->nr < max) {
		expected = pte_next_pfn(expected);
		if (!pte_same(pte_plain(ptep_get_lockless(++ptep)), expected))
			break;
	}
}

/* The PUD entry that covers an address, for all addresses up to @end. */
struct pud_walk {
	pud_t *entry;
	pud_t pud;
	unsigned long end;
};

/* False if there is none. */
static bool pud_walk_start(struct mm_struct *mm, unsigned long addr, struct pud_walk *walk)
{
	pgd_t *pgdp = pgd_offset(mm, addr), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;

	if (!pgd_present(pgd) || pgd_leaf(pgd))
		return false;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (!p4d_present(p4d) || p4d_leaf(p4d))
		return false;
	walk->entry = pud_offset_lockless(p4dp, p4d, addr);
	walk->pud = READ_ONCE(*walk->entry);
	walk->end = (addr & PUD_MASK) + PUD_SIZE;
	return pud_present(walk->pud);
}

static void pmd_walk(struct pud_walk *walk, unsigned long addr, unsigned long max,
		     struct phyr_pt_run *run)
{
	pmd_t *pmdp, pmd;

	if (pud_leaf(walk->pud)) {
		run_set(run, pud_pfn(walk->pud), PUD_SIZE, addr, pud_write(walk->pud));
		return;
	}
	pmdp = pmd_offset_lockless(walk->entry, walk->pud, addr);
	pmd = pmdp_get_lockless(pmdp);
	if (!pmd_present(pmd))
		return;
	if (pmd_leaf(pmd)) {
		if (!pmd_protnone(pmd))
			run_set(run, pmd_pfn(pmd), PMD_SIZE, addr, pmd_write(pmd));
		return;
	}
	pte_walk(pmd, addr, max, run);
}

/**
 * phyr_pt_runs - how far page-table entries, or runs of equal ones, go
 * @mm: whose page table
 * @addr: the page to begin at
 * @max: pages to look at for one run, at most; not 0
 * @runs: filled in: run i begins @max * i pages from @addr
 * @nr: how many runs
 *
 * Nothing may free the page tables meanwhile.  With interrupts off that is so
 * for the current process: freeing a table of it first interrupts every CPU
 * that runs it, or waits for RCU.  For another process the caller holds
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
void phyr_pt_runs(struct mm_struct *mm, unsigned long addr, unsigned long max,
		  struct phyr_pt_run *runs, unsigned int nr)
{
	struct pud_walk walk = { .end = 0 };
	unsigned long flags;
	unsigned int i;

	if (mm != current->mm)
		mmap_assert_locked(mm);
	memset(runs, 0, nr * sizeof(*runs));
	local_irq_save(flags);
	for (i = 0; i < nr; i++, addr += max * PAGE_SIZE) {
		if (addr >= walk.end && !pud_walk_start(mm, addr, &walk))
			break;
		pmd_walk(&walk, addr, max, &runs[i]);
		runs[i].nr = min(runs[i].nr, max);
	}
	local_irq_restore(flags);
}
