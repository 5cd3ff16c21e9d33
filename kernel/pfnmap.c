// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of memory without a struct page: PCI BARs, hidden memory.
 *
 * There is no reference to take on such memory, so nothing here pins: it says
 * where a mapping leads.  Whoever keeps the answer has to watch the mapping, see
 * watch.c.  Only an administrator may have it, see may_pfnmap().
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "internal.h"

static bool allow_pfnmap;
module_param(allow_pfnmap, bool, 0600);
MODULE_PARM_DESC(allow_pfnmap,
		 "let users without CAP_SYS_RAWIO pin mappings of memory without a struct page");

static bool may_pfnmap(void)
{
	return READ_ONCE(allow_pfnmap) || capable(CAP_SYS_RAWIO);
}

/*
 * Some drivers map ordinary pages into VM_PFNMAP areas.  Their life is the
 * driver's business and there is no way to prolong it.
 */
static bool pfn_has_page(unsigned long pfn)
{
	return pfn_valid(pfn);
}

/* Asks about @addr while the entry is locked; -EFAULT if it is not mapped. */
static long pfnmap_look(struct vm_area_struct *vma, unsigned long addr,
			unsigned long max, bool write, unsigned long *pfn,
			pgprot_t *prot)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	struct phyr_leaf_run run;
	long nr;

	if (follow_pfnmap_start(&args))
		return -EFAULT;
	if (write && !args.writable) {
		nr = -EFAULT;
	} else if (pfn_has_page(args.pfn)) {
		nr = -EOPNOTSUPP;
	} else {
		*pfn = args.pfn;
		*prot = args.pgprot;
		phyr_leaf_runs(vma->vm_mm, addr, max, &run, 1);
		nr = run.nr;
		if (!nr || run.pfn != args.pfn || pfn_has_page(run.pfn + nr - 1))
			nr = 1;
	}
	follow_pfnmap_end(&args);
	return nr;
}

static struct vm_area_struct *pfnmap_vma(struct mm_struct *mm, unsigned long addr,
					 bool write)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma || !(vma->vm_flags & (VM_PFNMAP | VM_IO)))
		return NULL;
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		return NULL;
	return vma;
}

/* The mapping at @addr, if the caller may have what is behind it. */
static struct vm_area_struct *pfnmap_allowed(struct mm_struct *mm, unsigned long addr,
					     bool write)
{
	struct vm_area_struct *vma = pfnmap_vma(mm, addr, write);

	if (!vma)
		return ERR_PTR(-EFAULT);
	return may_pfnmap() ? vma : ERR_PTR(-EPERM);
}

/**
 * phyr_pfnmap_span - how far a page-less mapping goes
 * @mm: whose mapping
 * @addr: the page to begin at
 * @max: pages to look at, at most
 * @gup_flags: FOLL_WRITE if it is to be written
 *
 * Context: process; takes @mm's mmap_lock, may sleep.
 * Return: pages, at least 1; or an error as phyr_pfnmap_run().
 */
long phyr_pfnmap_span(struct mm_struct *mm, unsigned long addr, unsigned long max,
		      unsigned int gup_flags)
{
	struct vm_area_struct *vma;
	long nr;

	mmap_read_lock(mm);
	vma = pfnmap_allowed(mm, addr, gup_flags & FOLL_WRITE);
	if (IS_ERR(vma))
		nr = PTR_ERR(vma);
	else
		nr = min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
	mmap_read_unlock(mm);
	return nr;
}

/**
 * phyr_pfnmap_run - where a page-less mapping leads, and how far
 * @mm: whose mapping
 * @addr: the page to begin at
 * @max: pages to look at, at most
 * @gup_flags: FOLL_WRITE if it is to be written
 * @pfn: set to the first page frame
 * @prot: set to how it is mapped
 *
 * Faults the mapping in where it is not there yet.
 *
 * Context: process; takes @mm's mmap_lock, may sleep.
 * Return: pages, at least 1; -EFAULT if there is no such mapping or it forbids
 * the access; -EPERM without CAP_SYS_RAWIO, unless the module parameter
 * allow_pfnmap is set; -EOPNOTSUPP if it maps memory with pages after all.
 */
long phyr_pfnmap_run(struct mm_struct *mm, unsigned long addr, unsigned long max,
		     unsigned int gup_flags, unsigned long *pfn, pgprot_t *prot)
{
	bool write = gup_flags & FOLL_WRITE;
	struct vm_area_struct *vma;
	long nr;
	int ret;

	mmap_read_lock(mm);
	vma = pfnmap_allowed(mm, addr, write);
	if (IS_ERR(vma)) {
		nr = PTR_ERR(vma);
		goto out;
	}
	max = min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
	nr = pfnmap_look(vma, addr, max, write, pfn, prot);
	if (nr != -EFAULT)
		goto out;

	ret = fixup_user_fault(mm, addr, write ? FAULT_FLAG_WRITE : 0, NULL);
	if (ret) {
		nr = ret;
		goto out;
	}
	nr = pfnmap_look(vma, addr, max, write, pfn, prot);
out:
	mmap_read_unlock(mm);
	return nr;
}
