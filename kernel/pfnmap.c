// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of memory without a struct page: PCI BARs, hidden memory.
 *
 * There is no reference to take on such memory, so nothing here pins: it says
 * where a mapping leads.  A caller that keeps the answer has to watch the mapping, see
 * revoke.c.  The caller of the pin decides whether such memory may be pinned at all.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "internal.h"

/* The major numbers of graphics drivers and accelerators, as in their headers. */
#define DRM_MAJOR	226
#define ACCEL_MAJOR	261

static bool allow_pfnmap;
module_param(allow_pfnmap, bool, 0600);
MODULE_PARM_DESC(allow_pfnmap,
		 "let users without CAP_SYS_RAWIO pin mappings of memory without a struct page");

/**
 * phyr_may_pin_pfnmap - may the current process pin memory without a struct page
 *
 * For a driver that pins on behalf of the process that calls it, and gives
 * PHYR_FOLL_PFNMAP if this allows it.  A kernel thread always has the right, so one that
 * pins for a process checks in the process's call.
 *
 * Context: process.
 * Return: true with CAP_SYS_RAWIO, or if the administrator has set allow_pfnmap.
 */
bool phyr_may_pin_pfnmap(void)
{
	return READ_ONCE(allow_pfnmap) || ns_capable_noaudit(&init_user_ns, CAP_SYS_RAWIO);
}
EXPORT_SYMBOL_GPL(phyr_may_pin_pfnmap);

/* The first page frame after @pfn for which pfn_valid() may differ. */
static unsigned long next_pfn(unsigned long pfn)
{
#ifdef CONFIG_SPARSEMEM
	unsigned long step = valid_section(__pfn_to_section(pfn)) ? PAGES_PER_SUBSECTION :
								    PAGES_PER_SECTION;

	return ALIGN_DOWN(pfn, step) + step;
#else
	return pfn + 1;
#endif
}

/*
 * How many page frames from @pfn on have no struct page.  Some drivers map ordinary
 * pages into VM_PFNMAP areas.  The driver decides how long they live; they cannot
 * be held.
 */
static unsigned long pfns_without_page(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr, at = pfn;

	while (at < end && !pfn_valid(at))
		at = next_pfn(at);
	return min(at, end) - pfn;
}

/* Asks about @addr while the entry is locked; -EFAULT if it is not mapped. */
static long pfnmap_look(struct vm_area_struct *vma, unsigned long addr,
			unsigned long max, bool write, struct phyr_pfnmap *map)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	struct phyr_pt_run run;
	long nr;

	if (follow_pfnmap_start(&args))
		return -EFAULT;
	if (write && !args.writable) {
		nr = -EFAULT;
	} else if (!pfns_without_page(args.pfn, 1)) {
		nr = -EOPNOTSUPP;
	} else {
		map->pfn = args.pfn;
		map->prot = args.pgprot;
		phyr_pt_runs(vma->vm_mm, addr, max, &run, 1);
		nr = 1;
		if (run.nr && run.pfn == args.pfn)
			nr = pfns_without_page(run.pfn, run.nr);
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

/*
 * Graphics drivers take mappings away with a buffer's reservation locked, and a
 * revocation has to wait for such locks.  Their memory is available as a dma-buf, and a
 * dma-buf by its descriptor; regions of phyr are dma-bufs, too.
 */
static bool is_gpu_or_dmabuf(const struct vm_area_struct *vma)
{
	const struct inode *inode;

	if (!vma->vm_file)
		return false;
	inode = file_inode(vma->vm_file);
	if (inode->i_sb->s_magic == DMA_BUF_MAGIC)
		return true;
	return S_ISCHR(inode->i_mode) &&
	       (imajor(inode) == DRM_MAJOR || imajor(inode) == ACCEL_MAJOR);
}

/* The mapping at @addr, if the caller may pin its memory. */
static struct vm_area_struct *pfnmap_allowed(struct mm_struct *mm, unsigned long addr,
					     unsigned int gup_flags)
{
	struct vm_area_struct *vma = pfnmap_vma(mm, addr, gup_flags & FOLL_WRITE);

	if (!vma)
		return ERR_PTR(-EFAULT);
	if (!(gup_flags & PHYR_FOLL_PFNMAP))
		return ERR_PTR(-EPERM);
	return is_gpu_or_dmabuf(vma) ? ERR_PTR(-EOPNOTSUPP) : vma;
}

/**
 * phyr_pfnmap_span - how far a page-less mapping goes
 * @mm: whose mapping
 * @addr: the page to begin at
 * @max: pages to look at, at most
 * @gup_flags: PHYR_FOLL_PFNMAP; FOLL_WRITE if it is to be written
 *
 * Context: process; takes @mm's mmap_lock, may sleep.
 * Return: pages, at least 1; or an error as phyr_pfnmap_run().
 */
long phyr_pfnmap_span(struct mm_struct *mm, unsigned long addr, unsigned long max,
		      unsigned int gup_flags)
{
	struct vm_area_struct *vma;
	long nr;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = pfnmap_allowed(mm, addr, gup_flags);
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
 * @gup_flags: PHYR_FOLL_PFNMAP; FOLL_WRITE if it is to be written
 * @map: filled in
 *
 * Faults the mapping in where it is not there yet.
 *
 * Context: process; takes @mm's mmap_lock, may sleep.
 * Return: pages, at least 1; -EFAULT if there is no such mapping or it forbids
 * the access; -EPERM without PHYR_FOLL_PFNMAP; -EOPNOTSUPP if it maps memory with pages
 * after all, or is of a graphics driver or a dma-buf; -EINTR if the process is being
 * killed.
 */
long phyr_pfnmap_run(struct mm_struct *mm, unsigned long addr, unsigned long max,
		     unsigned int gup_flags, struct phyr_pfnmap *map)
{
	bool write = gup_flags & FOLL_WRITE;
	struct vm_area_struct *vma;
	long nr;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = pfnmap_allowed(mm, addr, gup_flags);
	if (IS_ERR(vma)) {
		nr = PTR_ERR(vma);
		goto out;
	}
	max = min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
	nr = pfnmap_look(vma, addr, max, write, map);
	if (nr != -EFAULT)
		goto out;

	ret = fixup_user_fault(mm, addr, write ? FAULT_FLAG_WRITE : 0, NULL);
	if (ret) {
		nr = ret;
		goto out;
	}
	nr = pfnmap_look(vma, addr, max, write, map);
out:
	mmap_read_unlock(mm);
	return nr;
}
