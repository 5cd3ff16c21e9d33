// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock way, as RDMA's ib_umem goes it: a page of page pointers at a time
 * through pin_user_pages_fast(), appended to an sg_table that glues adjacent
 * pages together again; unpinned by scatterlist entry.
 */
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "bench.h"

#define BATCH	(PAGE_SIZE / sizeof(struct page *))

static unsigned int gup_flags(const struct bench_run *run)
{
	return (run->flags & BENCH_WRITE ? FOLL_WRITE : 0) |
	       (run->flags & BENCH_SHORT ? FOLL_PCI_P2PDMA : FOLL_LONGTERM);
}

static void stock_unpin(struct sg_append_table *append, bool dirty)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&append->sgt, sg, i)
		unpin_user_page_range_dirty_lock(sg_page(sg),
						 DIV_ROUND_UP(sg->length, PAGE_SIZE), dirty);
	sg_free_append_table(append);
}

/* A batch of the caller's pages, or of another process's. */
static long gup(struct mm_struct *mm, const struct bench_run *run, unsigned long addr,
		unsigned long nr, struct page **pages)
{
	long got;

	if (mm == current->mm)
		return pin_user_pages_fast(addr, nr, gup_flags(run), pages);
	mmap_read_lock(mm);
	got = pin_user_pages_remote(mm, addr, nr, gup_flags(run), pages, NULL);
	mmap_read_unlock(mm);
	return got;
}

static int stock_pin(struct mm_struct *mm, struct sg_append_table *append,
		     const struct bench_run *run, unsigned int max_seg)
{
	unsigned long addr = run->addr & PAGE_MASK;
	unsigned long left = PAGE_ALIGN(run->addr + run->len - addr) >> PAGE_SHIFT;
	struct page **pages = (struct page **)__get_free_page(GFP_KERNEL);
	long got;
	int ret = 0;

	if (!pages)
		return -ENOMEM;
	while (left && !ret) {
		cond_resched();
		got = gup(mm, run, addr, min_t(unsigned long, left, BATCH), pages);
		if (got < 0) {
			ret = got;
			break;
		}
		addr += got * PAGE_SIZE;
		left -= got;
		ret = sg_alloc_append_table_from_pages(append, pages, got, 0,
						       got << PAGE_SHIFT, max_seg, left,
						       GFP_KERNEL);
		if (ret)
			unpin_user_pages_dirty_lock(pages, got, false);
	}
	free_page((unsigned long)pages);
	if (ret)
		stock_unpin(append, false);
	return ret;
}

static int stock_map(struct device *dev, struct sg_table *sgt, enum dma_data_direction dir,
		     struct bench_side *side)
{
	u64 start = ktime_get_ns();
	int ret = dma_map_sgtable(dev, sgt, dir, 0);

	side->map_ns = ktime_get_ns() - start;
	if (ret)
		return ret;
	side->segments = sgt->nents;
	start = ktime_get_ns();
	dma_unmap_sgtable(dev, sgt, dir, 0);
	side->unmap_ns = ktime_get_ns() - start;
	return 0;
}

void stock_run(struct device *dev, struct mm_struct *mm, const struct bench_run *run,
	       struct bench_side *side)
{
	struct sg_append_table append = { };
	u64 start = ktime_get_ns();
	int ret;

	ret = stock_pin(mm, &append, run, dev ? dma_get_max_seg_size(dev) : UINT_MAX);
	side->pin_ns = ktime_get_ns() - start;
	if (!ret) {
		side->entries = append.sgt.orig_nents;
		side->bytes = sizeof(append) + append.total_nents * sizeof(struct scatterlist);
		if (run->flags & BENCH_MAP)
			ret = stock_map(dev, &append.sgt, run->flags & BENCH_WRITE ?
					DMA_BIDIRECTIONAL : DMA_TO_DEVICE, side);
		start = ktime_get_ns();
		stock_unpin(&append, run->flags & BENCH_DIRTY);
		side->unpin_ns = ktime_get_ns() - start;
	}
	side->error = -ret;
}

/* The same batches, each unpinned again, with only GUP's own time taken. */
int gup_alone(struct mm_struct *mm, const struct bench_run *run, u64 *ns)
{
	unsigned long addr = run->addr & PAGE_MASK;
	unsigned long left = PAGE_ALIGN(run->addr + run->len - addr) >> PAGE_SHIFT;
	struct page **pages = (struct page **)__get_free_page(GFP_KERNEL);
	long got = 0;
	u64 start;

	if (!pages)
		return -ENOMEM;
	*ns = 0;
	for (; left; left -= got, addr += got * PAGE_SIZE) {
		cond_resched();
		start = ktime_get_ns();
		got = gup(mm, run, addr, min_t(unsigned long, left, BATCH), pages);
		*ns += ktime_get_ns() - start;
		if (got <= 0)
			break;
		unpin_user_pages(pages, got);
	}
	free_page((unsigned long)pages);
	return left ? (got ?: -EFAULT) : 0;
}
