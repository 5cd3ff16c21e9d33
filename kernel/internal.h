/* SPDX-License-Identifier: GPL-2.0-only */
/* What the rooms of phyr.ko show each other. */
#ifndef PHYR_INTERNAL_H
#define PHYR_INTERNAL_H

#include <linux/mm_types.h>
#include <linux/phyr.h>

struct dma_buf;

/* leaf.c */

/**
 * struct phyr_leaf_run - a stretch of memory that is mapped all alike
 * @pfn: the first page frame
 * @nr: how many pages; 0 if nothing is mapped
 * @size: bytes that one entry of this level maps, if that is more than a page
 * @writable: the page table allows writing
 */
struct phyr_leaf_run {
	unsigned long pfn;
	unsigned long nr;
	unsigned long size;
	bool writable;
};

void phyr_leaf_runs(struct mm_struct *mm, unsigned long addr, unsigned long max,
		    struct phyr_leaf_run *runs, unsigned int nr);

/* pfnmap.c */
long phyr_pfnmap_run(struct mm_struct *mm, unsigned long addr, unsigned long max,
		     unsigned int gup_flags, unsigned long *pfn);

/* region.c */
struct dma_buf *phyr_region_pin(unsigned long addr, size_t len, bool write,
				u64 *pin_ns);
void phyr_region_totals(u64 *regions, u64 *pages);
u64 phyr_region_pages(const struct phyr_region *region);

/* chardev.c */
int phyr_chardev_init(void);
void phyr_chardev_exit(void);

#endif /* PHYR_INTERNAL_H */
