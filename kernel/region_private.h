/* SPDX-License-Identifier: GPL-2.0-only */
/* A region, for the files that it consists of: region.c, region_dmabuf.c and debugfs.c. */
#ifndef PHYR_REGION_PRIVATE_H
#define PHYR_REGION_PRIVATE_H

#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "internal.h"

struct phyr_region {
	struct phyr_list list;
	struct dma_buf *dmabuf;
	struct inode *inode;		/* of its file, held: it outlives the file */
	struct phyr_account account;	/* nothing is counted here if imported */
	struct phyr_source source;	/* without a dma-buf if not */
	unsigned long pages;
	unsigned int in_page;		/* offset of the first byte in its page */
	bool write;
	struct phyr_user user;
	struct mutex lock;		/* protects maps */
	struct list_head maps;
	atomic_t nr_maps;		/* importers' mappings that are not over */
	atomic_t nr_holders;		/* programs' mappings, drivers that have it by phyrs */
	struct mutex fault_lock;	/* one fault in programs' mappings at a time */
	wait_queue_head_t unmapped;	/* all of them */
	struct list_head entry;		/* in regions */
	pid_t pid;			/* who pinned it */
	char comm[TASK_COMM_LEN];
};

/*
 * Importers and mappings deal in pages, and the rest of a page belongs to others.  So a
 * region of whole pages only can be attached to or mapped; drivers that take it as a
 * list (phyr_region_list()) keep to the byte.
 */
static inline bool region_whole_pages(const struct phyr_region *region)
{
	return !region->in_page && PAGE_ALIGNED(phyr_list_len(&region->list));
}

static inline bool region_imported(const struct phyr_region *region)
{
	return region->source.dmabuf;
}

/* region_mmap.c */
int phyr_region_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* region_dmabuf.c */
extern struct list_head phyr_regions;
extern struct mutex phyr_regions_lock;

struct dma_buf *phyr_region_export(struct phyr_region *region);
struct phyr_region *phyr_region_of(const struct dma_buf *dmabuf);
void phyr_region_free(struct phyr_region *region);

#endif /* PHYR_REGION_PRIVATE_H */
