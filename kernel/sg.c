// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of DMA addresses: its entries, iterating over it, and scatterlists.
 *
 * Entries are in chunks, and the chain is in the chunks.  Scatterlists are built here
 * from a list of phyrs, for the DMA API, or from a mapping, for drivers that want one.
 * Nothing here maps anything.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dma_private.h"

#define SG_CHUNK	((PAGE_SIZE - sizeof(struct sg_phyr_chunk)) / sizeof(struct sg_phyr))

/* The entries */

/**
 * phyr_dma_grow - make room for more entries
 * @dma: the mapping
 *
 * Each chunk has twice the room of the one before, up to a page.
 *
 * Context: process, may sleep.
 * Return: the new last chunk, or NULL.
 */
struct sg_phyr_chunk *phyr_dma_grow(struct phyr_dma *dma)
{
	unsigned int max = min_t(unsigned int, 2 * dma->tail->max, SG_CHUNK);
	struct sg_phyr_chunk *chunk = kmalloc(struct_size(chunk, seg, max), GFP_KERNEL_ACCOUNT);

	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->nr = 0;
	chunk->max = max;
	dma->tail->next = chunk;
	dma->tail = chunk;
	return chunk;
}

/**
 * phyr_dma_clear - free all entries
 * @dma: the mapping
 *
 * Context: any in which kfree() may be called.
 */
void phyr_dma_clear(struct phyr_dma *dma)
{
	struct sg_phyr_chunk *chunk, *next;

	for (chunk = dma->head.next; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
	segs_init(dma);
}

/**
 * phyr_dma_iter_init - start iterating over a slice of a mapping
 * @it: the iterator
 * @dma: the mapping
 * @offset: first byte of the slice, counted from the start of the mapping
 * @len: its length; the walk ends with the mapping if that comes first
 * @lim: what the device can take in one segment
 *
 * Context: any.
 * Return: 0; -EINVAL for limits that no segment can obey, see phyr_seg_limits_valid(): the
 * slice is empty then.
 */
int phyr_dma_iter_init(struct phyr_dma_iter *it, const struct phyr_dma *dma,
		       u64 offset, u64 len, const struct phyr_seg_limits *lim)
{
	it->left = 0;
	if (!phyr_seg_limits_valid(lim))
		return -EINVAL;
	offset = min(offset, dma->len);
	it->left = min(len, dma->len - offset);
	it->lim = *lim;
	it->chunk = &dma->head;
	it->index = 0;
	it->rest = (struct sg_phyr) { 0 };
	while (it->left) {
		if (it->index == it->chunk->nr) {
			it->chunk = it->chunk->next;
			it->index = 0;
			continue;
		}
		it->rest = it->chunk->seg[it->index++];
		if (offset < it->rest.dma_length)
			break;
		offset -= it->rest.dma_length;
	}
	it->rest.dma_address += offset;
	it->rest.dma_length -= offset;
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_dma_iter_init);

/**
 * phyr_dma_iter_next - the next segment of a slice of a mapping
 * @it: the iterator
 * @seg: set to the segment
 *
 * Context: any.
 * Return: true, and false at the end of the slice.
 */
bool phyr_dma_iter_next(struct phyr_dma_iter *it, struct sg_phyr *seg)
{
	u64 cut;

	if (!it->left)
		return false;
	if (!it->rest.dma_length) {
		if (it->index == it->chunk->nr) {
			it->chunk = it->chunk->next;
			it->index = 0;
		}
		it->rest = it->chunk->seg[it->index++];
	}
	cut = phyr_seg_cut(it->rest.dma_address, min_t(u64, it->rest.dma_length, it->left),
			   &it->lim);
	seg->dma_address = it->rest.dma_address;
	seg->dma_length = cut;
	it->rest.dma_address += cut;
	it->rest.dma_length -= cut;
	it->left -= cut;
	return true;
}
EXPORT_SYMBOL_GPL(phyr_dma_iter_next);

/* The builder of scatterlists: an entry for each phyr, and more for one that is too long */

/**
 * phyr_sg_entries - entries that a scatterlist of a slice of a list takes
 * @list: the list
 * @offset: first byte of the slice
 * @len: its length in bytes
 * @max: the longest entry, in bytes; whole pages
 *
 * Context: process, may sleep.
 * Return: how many.
 */
u64 phyr_sg_entries(const struct phyr_list *list, u64 offset, u64 len, unsigned int max)
{
	struct phyr_iter it __uninitialized;
	struct phyr phyr __uninitialized;
	u64 nr = 0;

	if (len == phyr_list_len(list) && len <= max)
		return phyr_list_nr(list);
	phyr_list_for_each_slice(list, offset, len, it, phyr) {
		nr += DIV_ROUND_UP_ULL(phyr.len, max);
		cond_resched();
	}
	return nr;
}

static struct scatterlist *sg_after(struct scatterlist *s)
{
	return sg_is_chain(++s) ? sg_chain_ptr(s) : s;
}

/* Sets the entries of one phyr, of which @s is the first; returns the next one. */
static struct scatterlist *sg_set_phyr(struct scatterlist *s, struct phyr range, unsigned int max)
{
	for (;;) {
		unsigned int len = min_t(size_t, range.len, max);

		sg_set_page(s, pfn_to_page(PHYS_PFN(range.addr)), len, offset_in_page(range.addr));
		if (sg_is_last(s))
			return s;
		s = sg_after(s);
		if (likely(range.len == len))
			return s;
		range.addr += len;
		range.len -= len;
	}
}

/**
 * phyr_sg_fill - set the pages of a scatterlist
 * @s: its first entry, of as many as phyr_sg_entries() says
 * @list: the list; all of the slice has struct pages
 * @offset: first byte of the slice
 * @len: its length in bytes
 * @max: the longest entry, in bytes; whole pages
 *
 * Context: process, may sleep.
 */
void phyr_sg_fill(struct scatterlist *s, const struct phyr_list *list, u64 offset, u64 len,
		  unsigned int max)
{
	struct phyr phyrs[FILL_FEW] __uninitialized;
	struct phyr_cursor cur;
	const struct phyr *phyr;
	unsigned int nr;

	nr = phyr_cursor_begin(&cur, list, offset, len, phyrs, FILL_FEW);
	for (; nr; nr = phyr_cursor_fill(&cur, phyrs, FILL_FEW)) {
		for (phyr = phyrs; nr; nr--, phyr++)
			s = sg_set_phyr(s, *phyr, max);
		cond_resched();
	}
}

/**
 * phyr_list_to_sgtable - an sg_table of the pages of a list
 * @list: the list; all of it has struct pages
 * @sgt: filled in; for sg_free_table()
 * @max: the longest entry in bytes, whole pages, not 0; or UINT_MAX
 * @gfp: how to allocate it
 *
 * For drivers that map it by themselves.
 *
 * Context: process, may sleep.
 * Return: 0; -EINVAL for a list that is empty or has memory without a struct page;
 * -EOVERFLOW for more entries than a table can have; -ENOMEM.
 */
int phyr_list_to_sgtable(const struct phyr_list *list, struct sg_table *sgt, unsigned int max,
			 gfp_t gfp)
{
	u64 len = phyr_list_len(list), nr;
	int ret;

	max = rounddown(max, PAGE_SIZE);
	if (!len || !max || phyr_list_kinds(list) & BIT(PHYR_PFNMAP))
		return -EINVAL;
	nr = phyr_sg_entries(list, 0, len, max);
	if (nr > UINT_MAX)
		return -EOVERFLOW;
	ret = sg_alloc_table(sgt, nr, gfp);
	if (!ret)
		phyr_sg_fill(sgt->sgl, list, 0, len, max);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_to_sgtable);

/* A mapping as a classic sg_table */

/* Whole pages, as other makers of tables have it, if that many bytes are allowed. */
static struct phyr_seg_limits dev_limits(struct device *dev)
{
	u64 max = min(dma_get_max_seg_size(dev), sg_max_len());

	return (struct phyr_seg_limits) {
		.max_len = max < PAGE_SIZE ? max : round_down(max, PAGE_SIZE),
		.boundary_mask = dma_get_seg_boundary(dev),
	};
}

/*
 * The CPU's half is cut wherever either half is, so that there is room for
 * the DMA half, which is never cut more often.  Fills in @s if that is given.
 */
static u64 sgtable_cpu(const struct phyr_dma *dma, const struct phyr_seg_limits *lim,
		       struct scatterlist *s)
{
	struct sg_phyr range = { .dma_length = 0 };
	struct phyr_iter it;
	struct phyr_dma_iter di;
	struct phyr phyr;
	unsigned int len;
	u64 nr = 0;

	phyr_dma_iter_init(&di, dma, 0, ~0ULL, lim);
	phyr_list_for_each_slice(dma->list, dma->offset, dma->len, it, phyr) {
		for (; phyr.len; phyr.addr += len, phyr.len -= len, nr++) {
			if (!range.dma_length)
				phyr_dma_iter_next(&di, &range);
			len = min(phyr.len, range.dma_length);
			range.dma_length -= len;
			sg_pause(nr);
			if (!s)
				continue;
			sg_set_page(s, it.kind == PHYR_PFNMAP ? NULL :
				    pfn_to_page(PHYS_PFN(phyr.addr)), len,
				    offset_in_page(phyr.addr));
			s = sg_next(s);
		}
	}
	return nr;
}

static unsigned int sgtable_dma(const struct phyr_dma *dma, const struct phyr_seg_limits *lim,
				struct scatterlist *s)
{
	struct phyr_dma_iter di;
	struct sg_phyr range;
	unsigned int nr = 0;

	phyr_dma_iter_init(&di, dma, 0, ~0ULL, lim);
	while (phyr_dma_iter_next(&di, &range)) {
		sg_dma_address(s) = range.dma_address;
		sg_dma_len(s) = range.dma_length;
		s = sg_next(s);
		sg_pause(nr++);
	}
	return nr;
}

/**
 * phyr_dma_to_sgtable - a classic sg_table of a mapping
 * @dma: the mapping; it is ended by itself, not through the table
 * @sgt: filled in; for sg_free_table()
 * @gfp: how to allocate it
 *
 * For drivers that want one.  Both halves obey the device's longest segment
 * and boundary.  Entries for memory without a struct page have none.
 *
 * Context: process, may sleep.
 * Return: 0; -EINVAL for a device whose boundary no segment can obey; -EOVERFLOW for
 * more entries than a table can have; -ENOMEM.
 */
int phyr_dma_to_sgtable(const struct phyr_dma *dma, struct sg_table *sgt, gfp_t gfp)
{
	const struct phyr_seg_limits lim = dev_limits(dma->dev);
	int ret;
	u64 nr;

	if (!phyr_seg_limits_valid(&lim))
		return -EINVAL;
	nr = sgtable_cpu(dma, &lim, NULL);
	if (nr > UINT_MAX)
		return -EOVERFLOW;
	ret = sg_alloc_table(sgt, nr, gfp);
	if (ret)
		return ret;
	sgtable_cpu(dma, &lim, sgt->sgl);
	sgt->nents = sgtable_dma(dma, &lim, sgt->sgl);
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_dma_to_sgtable);
