/* SPDX-License-Identifier: GPL-2.0-only */
/* A mapping, for the files that it consists of: dma.c and sg.c. */
#ifndef PHYR_DMA_PRIVATE_H
#define PHYR_DMA_PRIVATE_H

#include <linux/dma-map-ops.h>
#include <linux/phyr.h>
#include <linux/scatterlist.h>

#include "compat.h"

#define SG_FIRST	2
#define SG_STEP		1024	/* entries between two calls of cond_resched() */
#define FILL_FEW	32	/* phyrs to take from a list at once */

/* Short lists need no table of their own where a table is what it takes. */
#define SG_FEW		(PHYR_HAS_IOVA ? 0 : 8)

enum phyr_dma_way {
	DMA_ONE,
	DMA_RANGES,
	DMA_TABLE,
	DMA_IOVA,
};

struct phyr_dma {
	struct device *dev;
	const struct phyr_list *list;
	u64 offset;
	u64 len;
	enum dma_data_direction dir;
	enum phyr_dma_way way;
	unsigned long attrs;
	unsigned long nr;
	size_t piece_max;		/* ranges: the longest that is mapped by itself */
	bool unmapped;			/* by a revocation */
	struct phyr_user user;
	struct phyr_user *owner;
	struct phyr_list *array;	/* sg_map_phyrs(): the array, as a list */
	struct dma_iova_state iova;
	struct sg_table sgt;
	struct scatterlist few[SG_FEW];
	struct sg_phyr_chunk *tail;
	struct sg_phyr_chunk head;	/* must be last */
};

/* sg.c */
struct sg_phyr_chunk *phyr_dma_grow(struct phyr_dma *dma);
void phyr_dma_clear(struct phyr_dma *dma);

/* The longest entry of a scatterlist that is whole pages. */
static inline unsigned int sg_max_len(void)
{
	return rounddown(UINT_MAX, PAGE_SIZE);
}

u64 phyr_sg_entries(const struct phyr_list *list, u64 offset, u64 len, unsigned int max);
void phyr_sg_fill(struct scatterlist *s, const struct phyr_list *list, u64 offset, u64 len,
		  unsigned int max);

/* Calls cond_resched() every SG_STEP entries. */
static inline void sg_pause(unsigned int i)
{
	if (i % SG_STEP == SG_STEP - 1)
		cond_resched();
}

static inline int seg_append(struct phyr_dma *dma, dma_addr_t addr, size_t len)
{
	struct sg_phyr_chunk *chunk = dma->tail;

	if (chunk->nr == chunk->max) {
		chunk = phyr_dma_grow(dma);
		if (!chunk)
			return -ENOMEM;
	}
	chunk->seg[chunk->nr].dma_address = addr;
	chunk->seg[chunk->nr].dma_length = len;
	chunk->nr++;
	dma->nr++;
	return 0;
}

/* Where the last entry is continued, it becomes longer. */
static inline int seg_merge(struct phyr_dma *dma, dma_addr_t addr, size_t len)
{
	struct sg_phyr_chunk *chunk = dma->tail;
	struct sg_phyr *last;

	if (chunk->nr) {
		last = &chunk->seg[chunk->nr - 1];
		if (last->dma_address + last->dma_length == addr) {
			last->dma_length += len;
			return 0;
		}
	}
	return seg_append(dma, addr, len);
}

/* The only one. */
static inline void seg_set(struct phyr_dma *dma, dma_addr_t addr, size_t len)
{
	dma->head.seg[0].dma_address = addr;
	dma->head.seg[0].dma_length = len;
	dma->head.nr = 1;
	dma->nr = 1;
}

static inline void segs_init(struct phyr_dma *dma)
{
	dma->head.next = NULL;
	dma->head.nr = 0;
	dma->tail = &dma->head;
	dma->nr = 0;
}

#endif /* PHYR_DMA_PRIVATE_H */
