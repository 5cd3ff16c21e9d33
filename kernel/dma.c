// SPDX-License-Identifier: GPL-2.0-only
/*
 * Phyrs become DMA addresses.
 *
 * What goes in is a list of phyrs and what comes out is a list of
 * { dma_address, dma_length }, and nothing is in both: the end state that the
 * proposal of 2022 wished for scatterlists.  The chain is in the chunks that
 * enclose the entries.  There are four ways to get there:
 *
 *	one	just one phyr, of ordinary memory: one call of the DMA API;
 *	IOVA	an IOMMU, and a kernel that lets us lay out a range of its
 *		addresses: the whole list becomes one entry;
 *	table	an IOMMU, and a list or a kernel that the way before does not
 *		suit: a classic scatterlist does it, and is kept for unmapping;
 *	ranges	no IOMMU: each phyr is mapped by itself, in pieces no longer
 *		than what the bounce buffer can hold if there is one.
 *
 * The list must outlive the mapping: its kinds and addresses are looked at
 * again for unmapping and syncing.
 *
 * When a list of memory without pages is revoked, so are its mappings: the
 * device's owner is told to stop, then what the IOMMU knows is torn down.  IOVA
 * keeps the range of addresses until it is unmapped, so a device that
 * goes on finds nothing there; in the others they may be somebody else's, or
 * there is no IOMMU, and then it takes an owner that makes the device stop.
 */
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "compat.h"
#include "internal.h"
#include "phyr_trace.h"

#define SG_FIRST	2
#define SG_STEP		1024	/* entries between two calls of cond_resched() */
#define FILL_FEW	32	/* phyrs to take from a list at once */
#define SG_CHUNK	((PAGE_SIZE - sizeof(struct sg_phyr_chunk)) / sizeof(struct sg_phyr))

/* Short lists need no table of their own where a table is what it takes. */
#define SG_FEW		(PHYR_HAS_IOVA ? 0 : 8)

enum sg_way {
	SG_ONE,
	SG_RANGES,
	SG_TABLE,
	SG_IOVA,
};

/* dma_sync_single_for_cpu() or dma_sync_single_for_device() */
typedef void (*sync_fn)(struct device *dev, dma_addr_t addr, size_t len,
			enum dma_data_direction dir);

struct sg_phyrs {
	struct device *dev;
	const struct phyr_list *list;
	u64 offset;
	u64 len;
	enum dma_data_direction dir;
	enum sg_way way;
	unsigned long attrs;
	unsigned long nr;
	size_t piece_max;		/* ranges: the longest that is mapped by itself */
	bool gone;			/* revoked: the device has nothing mapped */
	struct phyr_user user;
	struct phyr_user *owner;
	struct phyr_list *own;		/* sg_map_phyrs(): the array, as a list */
	struct dma_iova_state iova;
	struct sg_table sgt;
	struct scatterlist few[SG_FEW];
	struct sg_phyr_chunk *tail;
	struct sg_phyr_chunk head;	/* must be last */
};

/* The entries */

/* Each chunk has twice the room of the one before, up to a page. */
static struct sg_phyr_chunk *chunk_new(struct sg_phyrs *sg)
{
	unsigned int max = min_t(unsigned int, 2 * sg->tail->max, SG_CHUNK);
	struct sg_phyr_chunk *chunk = kmalloc(struct_size(chunk, seg, max), GFP_KERNEL_ACCOUNT);

	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->nr = 0;
	chunk->max = max;
	sg->tail->next = chunk;
	sg->tail = chunk;
	return chunk;
}

static int seg_add(struct sg_phyrs *sg, dma_addr_t addr, size_t len)
{
	struct sg_phyr_chunk *chunk = sg->tail;

	if (chunk->nr == chunk->max) {
		chunk = chunk_new(sg);
		if (!chunk)
			return -ENOMEM;
	}
	chunk->seg[chunk->nr].dma_address = addr;
	chunk->seg[chunk->nr].dma_length = len;
	chunk->nr++;
	sg->nr++;
	return 0;
}

/* Where the last entry is continued, it becomes longer. */
static int seg_merge(struct sg_phyrs *sg, dma_addr_t addr, size_t len)
{
	struct sg_phyr_chunk *chunk = sg->tail;
	struct sg_phyr *last;

	if (chunk->nr) {
		last = &chunk->seg[chunk->nr - 1];
		if (last->dma_address + last->dma_length == addr) {
			last->dma_length += len;
			return 0;
		}
	}
	return seg_add(sg, addr, len);
}

/* The only one. */
static void seg_set(struct sg_phyrs *sg, dma_addr_t addr, size_t len)
{
	sg->head.seg[0].dma_address = addr;
	sg->head.seg[0].dma_length = len;
	sg->head.nr = 1;
	sg->nr = 1;
}

static void segs_init(struct sg_phyrs *sg)
{
	sg->head.next = NULL;
	sg->head.nr = 0;
	sg->tail = &sg->head;
	sg->nr = 0;
}

static void segs_free(struct sg_phyrs *sg)
{
	struct sg_phyr_chunk *chunk, *next;

	for (chunk = sg->head.next; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
	segs_init(sg);
}

/* IOVA */

static unsigned long kind_attrs(const struct sg_phyrs *sg, enum phyr_kind kind)
{
	if (kind == PHYR_PFNMAP || (kind == PHYR_P2P && PHYR_P2P_IS_MMIO))
		return sg->attrs | DMA_ATTR_MMIO;
	return sg->attrs;
}

/*
 * Only the two ends of a slice may lie inside a granule of the IOMMU, which is never
 * larger than a page; where it is smaller, what would join by granules goes another way.
 */
static bool iova_joins(const struct sg_phyrs *sg, u64 at, const struct phyr *phyr)
{
	return !at || !offset_in_page(phyr->addr | (sg->iova.addr + at));
}

/* Links some phyrs of one kind, and counts their bytes in *@linked. */
static int iova_link_some(struct sg_phyrs *sg, const struct phyr *phyr, unsigned int nr,
			  unsigned long attrs, u64 *linked)
{
	u64 at = *linked;
	int ret = 0;

	for (; nr; nr--, phyr++) {
		if (!iova_joins(sg, at, phyr)) {
			ret = -EINVAL;
			break;
		}
		ret = dma_iova_link(sg->dev, &sg->iova, phyr->addr, at, phyr->len, sg->dir, attrs);
		if (ret)
			break;
		at += phyr->len;
	}
	*linked = at;
	return ret;
}

/*
 * Links phyr by phyr, once there is room for all.  Returns how many bytes; if that is
 * not all of them, *@error says why: -EOPNOTSUPP if there cannot be any room.
 */
static u64 iova_link(struct sg_phyrs *sg, int *error)
{
	struct phyr phyrs[FILL_FEW] __uninitialized;
	struct phyr_cursor cur;
	unsigned int nr;
	u64 linked = 0;
	int ret;

	nr = phyr_cursor_begin(&cur, sg->list, sg->offset, sg->len, phyrs, FILL_FEW);
	/* how it lies in a granule depends on the first address */
	ret = dma_iova_try_alloc(sg->dev, &sg->iova, phyrs[0].addr, sg->len) ? 0 : -EOPNOTSUPP;
	while (!ret) {
		ret = iova_link_some(sg, phyrs, nr, kind_attrs(sg, cur.kind), &linked);
		if (ret || linked == sg->len)
			break;
		cond_resched();
		nr = phyr_cursor_fill(&cur, phyrs, FILL_FEW);
		if (WARN_ON_ONCE(!nr))	/* the list has changed */
			ret = -EINVAL;
	}
	*error = ret;
	return linked;
}

/*
 * Unlinks the first @len bytes.  For a device that is not coherent the DMA API syncs what
 * it unlinks, which it must not do to memory of a device.
 */
static void iova_unlink(struct sg_phyrs *sg, u64 len, unsigned long attrs)
{
	struct phyr_iter it;
	struct phyr phyr;
	u64 at = 0;

	if (dev_is_dma_coherent(sg->dev)) {
		dma_iova_unlink(sg->dev, &sg->iova, 0, len, sg->dir, sg->attrs | attrs);
		return;
	}
	phyr_list_for_each_slice(sg->list, sg->offset, len, it, phyr) {
		dma_iova_unlink(sg->dev, &sg->iova, at, phyr.len, sg->dir,
				kind_attrs(sg, it.kind) | attrs);
		at += phyr.len;
		cond_resched();
	}
}

static int map_iova(struct sg_phyrs *sg)
{
	u64 linked;
	int ret;

	if (!PHYR_HAS_IOVA)
		return -EOPNOTSUPP;
	linked = iova_link(sg, &ret);
	if (!ret)
		ret = dma_iova_sync(sg->dev, &sg->iova, 0, sg->len);
	if (!ret) {
		seg_set(sg, sg->iova.addr, sg->len);
		sg->way = SG_IOVA;
		return 0;
	}
	if (linked)
		iova_unlink(sg, linked, DMA_ATTR_SKIP_CPU_SYNC);
	if (dma_use_iova(&sg->iova))
		dma_iova_free(sg->dev, &sg->iova);
	return ret;
}

/*
 * The DMA API's own condition.  dma-debug knows nothing of what is linked, and
 * warns of every sync of it, so none must be asked for that does nothing.
 */
static bool iova_needs_sync(const struct sg_phyrs *sg)
{
	return !dev_is_dma_coherent(sg->dev) || sg->iova.__size & DMA_IOVA_USE_SWIOTLB;
}

/*
 * Syncs what is between two granules of the IOMMU by itself: the odd ends of a
 * list may be bounced, and a bounced piece must not be synced with others.
 */
static void iova_sync(struct sg_phyrs *sg, sync_fn sync)
{
	unsigned long mask = dma_get_merge_boundary(sg->dev);
	dma_addr_t addr = sg->iova.addr;
	struct phyr_iter it;
	struct phyr phyr;
	size_t step;

	if (!iova_needs_sync(sg))
		return;
	phyr_list_for_each_slice(sg->list, sg->offset, sg->len, it, phyr) {
		for (; phyr.len; phyr.len -= step, addr += step) {
			step = phyr.len & ~mask;
			if (addr & mask || !step)
				step = min_t(size_t, phyr.len, mask + 1 - (addr & mask));
			if (!phyr_kind_is_device(it.kind))
				sync(sg->dev, addr, step, sg->dir);
		}
	}
}

/* A classic scatterlist */

static unsigned int table_max(void)
{
	return rounddown(UINT_MAX, PAGE_SIZE);
}

/* An entry for each phyr, and more for one that is too long for an entry. */
static u64 table_entries(const struct sg_phyrs *sg)
{
	struct phyr_iter it __uninitialized;
	struct phyr phyr __uninitialized;
	u64 nr = 0;

	if (sg->len == phyr_list_len(sg->list) && sg->len <= table_max())
		return phyr_list_nr(sg->list);
	phyr_list_for_each_slice(sg->list, sg->offset, sg->len, it, phyr) {
		nr += DIV_ROUND_UP_ULL(phyr.len, table_max());
		cond_resched();
	}
	return nr;
}

static int table_alloc(struct sg_phyrs *sg)
{
	u64 nr = table_entries(sg);

	if (nr > UINT_MAX)
		return -EOVERFLOW;
	if (nr > SG_FEW)
		return sg_alloc_table(&sg->sgt, nr, GFP_KERNEL_ACCOUNT);
	sg_init_table(sg->few, nr);
	sg->sgt.sgl = sg->few;
	sg->sgt.nents = nr;
	sg->sgt.orig_nents = nr;
	return 0;
}

static void table_free(struct sg_phyrs *sg)
{
	if (sg->sgt.sgl != sg->few)
		sg_free_table(&sg->sgt);
}

/* Calls cond_resched() every SG_STEP entries. */
static void sg_pause(unsigned int i)
{
	if (i % SG_STEP == SG_STEP - 1)
		cond_resched();
}

static struct scatterlist *table_next(struct scatterlist *s)
{
	return sg_is_chain(++s) ? sg_chain_ptr(s) : s;
}

/* Sets the entries of one phyr, of which @s is the first; returns the next one. */
static struct scatterlist *table_set(struct scatterlist *s, struct phyr phyr)
{
	for (;;) {
		unsigned int len = min_t(size_t, phyr.len, table_max());

		sg_set_page(s, pfn_to_page(PHYS_PFN(phyr.addr)), len, offset_in_page(phyr.addr));
		if (sg_is_last(s))
			return s;
		s = table_next(s);
		if (likely(phyr.len == len))
			return s;
		phyr.addr += len;
		phyr.len -= len;
	}
}

static void table_fill(struct sg_phyrs *sg)
{
	struct scatterlist *s = sg->sgt.sgl;
	struct phyr phyrs[FILL_FEW] __uninitialized;
	struct phyr_cursor cur;
	const struct phyr *phyr;
	unsigned int nr;

	nr = phyr_cursor_begin(&cur, sg->list, sg->offset, sg->len, phyrs, FILL_FEW);
	for (; nr; nr = phyr_cursor_fill(&cur, phyrs, FILL_FEW)) {
		for (phyr = phyrs; nr; nr--, phyr++)
			s = table_set(s, *phyr);
		cond_resched();
	}
}

static int table_segs(struct sg_phyrs *sg)
{
	struct scatterlist *s;
	int i, ret;

	for_each_sgtable_dma_sg(&sg->sgt, s, i) {
		ret = seg_merge(sg, sg_dma_address(s), sg_dma_len(s));
		if (ret)
			return ret;
		sg_pause(i);
	}
	return 0;
}

static int map_table(struct sg_phyrs *sg)
{
	int ret = table_alloc(sg);

	if (ret)
		return ret;
	table_fill(sg);
	ret = dma_map_sgtable(sg->dev, &sg->sgt, sg->dir, sg->attrs);
	if (ret)
		goto free;
	ret = table_segs(sg);
	if (ret)
		goto unmap;
	sg->way = SG_TABLE;
	return 0;
unmap:
	dma_unmap_sgtable(sg->dev, &sg->sgt, sg->dir, sg->attrs | DMA_ATTR_SKIP_CPU_SYNC);
	segs_free(sg);
free:
	table_free(sg);
	return ret;
}

/* Range by range */

/* Walks the pieces that are mapped each by itself. */
struct piece_iter {
	struct phyr_iter it;
	struct phyr rest;
	size_t max;
};

static void piece_init(struct piece_iter *pi, const struct sg_phyrs *sg)
{
	phyr_iter_init(&pi->it, sg->list, sg->offset, sg->len);
	pi->rest.len = 0;
	pi->max = sg->piece_max;
}

/*
 * Up to a page's end: where devices are not trusted, an IOMMU has pieces bounced that
 * begin or end in the middle of one.
 */
static size_t piece_max(const struct piece_iter *pi)
{
	return pi->max > PAGE_SIZE ? pi->max - offset_in_page(pi->rest.addr) : pi->max;
}

static bool piece_next(struct piece_iter *pi, struct phyr *piece)
{
	if (!pi->rest.len && !phyr_iter_next(&pi->it, &pi->rest))
		return false;
	piece->addr = pi->rest.addr;
	piece->len = pi->rest.len;
	if (!phyr_kind_is_device(pi->it.kind))
		piece->len = min(piece->len, piece_max(pi));
	pi->rest.addr += piece->len;
	pi->rest.len -= piece->len;
	return true;
}

/* Nothing bounces memory of a device, so it has to be reached as it is. */
static bool mmio_reachable(const struct sg_phyrs *sg, const struct phyr *phyr)
{
	return dma_get_merge_boundary(sg->dev) ||
	       phyr->addr + phyr->len - 1 <= dma_get_mask(sg->dev);
}

static int map_piece(struct sg_phyrs *sg, const struct phyr *phyr, enum phyr_kind kind)
{
	unsigned long attrs = kind_attrs(sg, kind);
	dma_addr_t addr;
	int ret;

	if (phyr_kind_is_device(kind) && !mmio_reachable(sg, phyr))
		return -EREMOTEIO;
	addr = dma_map_phys(sg->dev, phyr->addr, phyr->len, sg->dir, attrs);
	if (dma_mapping_error(sg->dev, addr))
		return phyr_kind_is_device(kind) ? -EREMOTEIO : -EIO;
	ret = seg_add(sg, addr, phyr->len);
	if (ret)
		dma_unmap_phys(sg->dev, addr, phyr->len, sg->dir,
			       attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return ret;
}

/* Unmaps as many pieces as there are entries. */
static void unmap_ranges(struct sg_phyrs *sg, unsigned long attrs)
{
	struct sg_phyr_chunk *chunk;
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	unsigned int i;

	piece_init(&pi, sg);
	for (chunk = &sg->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr && piece_next(&pi, &piece); i++)
			dma_unmap_phys(sg->dev, chunk->seg[i].dma_address, piece.len,
				       sg->dir, kind_attrs(sg, pi.it.kind) | attrs);
		cond_resched();
	}
}

static int map_ranges(struct sg_phyrs *sg)
{
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	int ret;

	/* kept: a driver may set another mask until all this is unmapped */
	sg->piece_max = dma_max_mapping_size(sg->dev);
	if (sg->piece_max > PAGE_SIZE)
		sg->piece_max &= PAGE_MASK;

	piece_init(&pi, sg);
	while (piece_next(&pi, &piece)) {
		ret = map_piece(sg, &piece, pi.it.kind);
		if (ret) {
			unmap_ranges(sg, DMA_ATTR_SKIP_CPU_SYNC);
			segs_free(sg);
			return ret;
		}
		cond_resched();
	}
	sg->way = SG_RANGES;
	return 0;
}

/*
 * dma-debug cannot tell several mappings of one address from each other here, and
 * warns; it is left alone where the sync does nothing.
 */
static void ranges_sync(struct sg_phyrs *sg, sync_fn sync)
{
	struct sg_phyr_chunk *chunk;
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	dma_addr_t addr;
	unsigned int i;

	piece_init(&pi, sg);
	for (chunk = &sg->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr && piece_next(&pi, &piece); i++) {
			addr = chunk->seg[i].dma_address;
			if (!phyr_kind_is_device(pi.it.kind) && dma_need_sync(sg->dev, addr))
				sync(sg->dev, addr, piece.len, sg->dir);
		}
	}
}

/* Just one phyr */

static bool one_phyr(const struct sg_phyrs *sg, struct phyr *phyr)
{
	if (sg->len == phyr_list_len(sg->list) && phyr_list_nr(sg->list) > 1)
		return false;
	return phyr_list_find(sg->list, sg->offset, phyr, NULL) && phyr->len >= sg->len;
}

static int map_one(struct sg_phyrs *sg, const struct phyr *phyr)
{
	dma_addr_t addr = dma_map_phys(sg->dev, phyr->addr, sg->len, sg->dir, sg->attrs);

	if (dma_mapping_error(sg->dev, addr))
		return -EIO;
	seg_set(sg, addr, sg->len);
	sg->way = SG_ONE;
	return 0;
}

static void unmap_one(struct sg_phyrs *sg)
{
	dma_unmap_phys(sg->dev, sg->head.seg[0].dma_address, sg->len, sg->dir, sg->attrs);
}

static void one_sync(struct sg_phyrs *sg, sync_fn sync)
{
	dma_addr_t addr = sg->head.seg[0].dma_address;

	if (dma_need_sync(sg->dev, addr))
		sync(sg->dev, addr, sg->len, sg->dir);
}

/* All of it */

static int map_any(struct sg_phyrs *sg)
{
	unsigned int kinds = phyr_list_kinds(sg->list);
	struct phyr phyr __uninitialized;
	bool one = one_phyr(sg, &phyr);
	int ret;

	if (one && !(kinds & PHYR_DEVICE_KINDS) && sg->len <= dma_max_mapping_size(sg->dev))
		return map_one(sg, &phyr);
	if (kinds & PHYR_DEVICE_KINDS) {
		ret = phyr_p2p_check(sg->dev, sg->list, sg->offset, sg->len);
		if (ret)
			return ret;
	}
	ret = map_iova(sg);
	/* other errors: addresses that do not suit one range, or the odd ends of it */
	if (!ret || ret == -ENOMEM)
		return ret;
	if (dma_get_merge_boundary(sg->dev) && !one && !(kinds & BIT(PHYR_PFNMAP)))
		return map_table(sg);
	return map_ranges(sg);
}

/* Takes everything back from the device; the entries are left to be looked at. */
static void sg_unmap_hw(struct sg_phyrs *sg)
{
	switch (sg->way) {
	case SG_ONE:
		unmap_one(sg);
		break;
	case SG_IOVA:
		iova_unlink(sg, sg->len, 0);
		break;
	case SG_TABLE:
		dma_unmap_sgtable(sg->dev, &sg->sgt, sg->dir, sg->attrs);
		break;
	case SG_RANGES:
		unmap_ranges(sg, 0);
		break;
	}
	sg->gone = true;
}

/* An object in which nothing is mapped. */
static void sg_reset(struct sg_phyrs *sg)
{
	sg->len = 0;
	sg->way = SG_ONE;
	sg->gone = false;
}

static void sg_end(struct sg_phyrs *sg)
{
	if (!sg->gone)
		sg_unmap_hw(sg);
	if (sg->way == SG_IOVA)
		dma_iova_free(sg->dev, &sg->iova);
	else if (sg->way == SG_TABLE)
		table_free(sg);
	segs_free(sg);
	sg_reset(sg);
}

/* The IOMMU may put off what it forgets; here it must not. */
static void sg_revoke(struct phyr_user *user)
{
	struct sg_phyrs *sg = container_of(user, struct sg_phyrs, user);
	struct iommu_domain *domain = iommu_get_domain_for_dev(sg->dev);

	if (sg->owner)
		sg->owner->revoke(sg->owner);
	sg_unmap_hw(sg);
	if (domain && domain->type & __IOMMU_DOMAIN_PAGING)
		iommu_flush_iotlb_all(domain);
}

/* A mapping of memory that may go is known to who takes it away. */
static int sg_watch(struct sg_phyrs *sg, struct phyr_user *owner)
{
	if (!sg->list->watch)
		return 0;
	if (!owner && sg->way != SG_IOVA)
		return -EOPNOTSUPP;
	sg->owner = owner;
	sg->user.revoke = sg_revoke;
	return phyr_list_register_user(sg->list, &sg->user);
}

/* In its objects nothing is mapped. */
static struct kmem_cache *sg_cache;

static void sg_construct(void *object)
{
	struct sg_phyrs *sg = object;

	sg->head.max = SG_FIRST;
	sg->own = NULL;
	segs_init(sg);
	sg_reset(sg);
}

int __init phyr_dma_init(void)
{
	sg_cache = kmem_cache_create("phyr_sg", struct_size_t(struct sg_phyrs, head.seg, SG_FIRST),
				     0, 0, sg_construct);
	return sg_cache ? 0 : -ENOMEM;
}

void phyr_dma_exit(void)
{
	kmem_cache_destroy(sg_cache);
}

static void list_put(struct phyr_list *list)
{
	if (list)
		phyr_list_free(list);
	kfree(list);
}

/**
 * sg_phyrs_alloc - make a mapping of nothing
 * @gfp: how to allocate it
 *
 * For a driver that maps for each of its requests: it makes as many as it has
 * requests, and maps into them with sg_phyrs_map() again and again.
 *
 * Context: sleeps if @gfp allows it.
 * Return: for sg_phyrs_free(); or NULL.
 */
struct sg_phyrs *sg_phyrs_alloc(gfp_t gfp)
{
	return kmem_cache_alloc(sg_cache, gfp);
}
EXPORT_SYMBOL_GPL(sg_phyrs_alloc);

/**
 * sg_phyrs_free - free a mapping of nothing
 * @sg: what sg_phyrs_alloc() gave, and nothing mapped in it; or NULL
 *
 * One in which something is mapped is not freed, with a warning.
 *
 * Context: any in which kfree() may be called.
 */
void sg_phyrs_free(struct sg_phyrs *sg)
{
	if (!sg || WARN_ON_ONCE(sg->nr))
		return;
	list_put(sg->own);
	sg->own = NULL;
	kmem_cache_free(sg_cache, sg);
}
EXPORT_SYMBOL_GPL(sg_phyrs_free);

/**
 * sg_phyrs_map - let a device at a slice of a list that may be revoked
 * @sg: what sg_phyrs_alloc() gave, and nothing mapped in it
 * @dev: the device
 * @list: the list; it must not change until the mapping is gone
 * @offset: first byte of the slice
 * @len: its length in bytes; not 0
 * @dir: who writes and who reads
 * @attrs: DMA_ATTR_*
 * @owner: its revoke() makes the device stop using the addresses, and the
 *	caller stop syncing them; it obeys the rules of phyr_list_register_user(), with
 *	sg_phyrs_unmap() for phyr_list_unregister_user().  Or NULL.
 *
 * @sg then holds the DMA addresses, in the order of the bytes of the slice;
 * walk them with sg_phyr_iter_init().  With an IOMMU they are one range where
 * the kernel allows it.  Memory without a struct page is mapped as MMIO.
 *
 * Context: process, may sleep.
 * Return: 0; -EBUSY if something is mapped in @sg, which stays; -EINVAL for an
 * empty slice, one that passes the end of the list, a direction that is none, or a
 * device without a DMA mask; -EACCES for a direction in which the device may write,
 * if the list is read-only (pinned without FOLL_WRITE); -ENODEV if the list was
 * revoked; -EOPNOTSUPP without @owner if that is needed; -EREMOTEIO if @dev cannot
 * reach memory of another device: by its DMA mask, or because a bridge on the way does
 * not route it; -EOVERFLOW for more phyrs than a scatterlist can have where one is needed; -EIO if the
 * DMA API refused; -ENOMEM.  After all these but -EBUSY nothing is mapped in @sg.
 */
int sg_phyrs_map(struct sg_phyrs *sg, struct device *dev, const struct phyr_list *list,
		 u64 offset, u64 len, enum dma_data_direction dir, unsigned long attrs,
		 struct phyr_user *owner)
{
	u64 total = phyr_list_len(list);
	int ret;

	if (sg->nr)
		return -EBUSY;
	if (!len || offset > total || len > total - offset || len > SIZE_MAX)
		return -EINVAL;
	if (!valid_dma_direction(dir) || !dev->dma_mask)
		return -EINVAL;
	if (dir != DMA_TO_DEVICE && phyr_list_read_only(list))
		return -EACCES;
	sg->dev = dev;
	sg->list = list;
	sg->offset = offset;
	sg->len = len;
	sg->dir = dir;
	sg->attrs = attrs;
	ret = map_any(sg);
	if (ret) {
		sg_reset(sg);
	} else {
		ret = sg_watch(sg, owner);
		if (ret)
			sg_end(sg);
	}
	trace_phyr_map(dev, len, sg->nr, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(sg_phyrs_map);

/**
 * sg_phyrs_unmap - end a mapping, and keep the object
 * @sg: the mapping; fine if nothing is mapped in it
 *
 * What the device wrote is visible to the CPU afterwards.  The memory stays
 * pinned.
 *
 * Context: process, may sleep: a revocation of this mapping is waited for.  The
 * device must be done with it.
 */
void sg_phyrs_unmap(struct sg_phyrs *sg)
{
	if (!sg->nr)
		return;
	trace_phyr_unmap(sg->dev, sg->len, sg->nr);
	phyr_list_unregister_user(sg->list, &sg->user);
	sg_end(sg);
}
EXPORT_SYMBOL_GPL(sg_phyrs_unmap);

/**
 * sg_map_phyr_list_revocable - let a device at a slice of a list that may be revoked
 * @dev: the device
 * @list: the list; it must not change until the mapping is gone
 * @offset: first byte of the slice
 * @len: its length in bytes; not 0
 * @dir: who writes and who reads
 * @attrs: DMA_ATTR_*
 * @owner: as for sg_phyrs_map(); or NULL
 *
 * sg_phyrs_alloc() and sg_phyrs_map() in one.
 *
 * "Add a sg_map_phyrs().  This will take an array of phyrs and allocate an sg
 * for them": the proposal of 2022.
 *
 * Context: process, may sleep.
 * Return: the mapping, for sg_unmap_phyrs(); or ERR_PTR() of an error as of
 * sg_phyrs_map().
 */
struct sg_phyrs *sg_map_phyr_list_revocable(struct device *dev, const struct phyr_list *list,
					    u64 offset, u64 len, enum dma_data_direction dir,
					    unsigned long attrs, struct phyr_user *owner)
{
	struct sg_phyrs *sg = sg_phyrs_alloc(GFP_KERNEL_ACCOUNT);
	int ret;

	if (!sg)
		return ERR_PTR(-ENOMEM);
	ret = sg_phyrs_map(sg, dev, list, offset, len, dir, attrs, owner);
	if (ret) {
		sg_phyrs_free(sg);
		return ERR_PTR(ret);
	}
	return sg;
}
EXPORT_SYMBOL_GPL(sg_map_phyr_list_revocable);

/**
 * sg_map_phyr_list - let a device at a slice of a list
 * @dev: the device
 * @list: the list; it must not change until the mapping is gone
 * @offset: first byte of the slice
 * @len: its length in bytes; not 0
 * @dir: who writes and who reads
 * @attrs: DMA_ATTR_*
 *
 * For whoever has nothing to do when the list is revoked.  That is enough for
 * memory with pages, and where the IOMMU alone can stop the device: on Linux
 * 6.16 and later, with an IOMMU that translates.
 *
 * Context: process, may sleep.
 * Return: as sg_map_phyr_list_revocable().
 */
struct sg_phyrs *sg_map_phyr_list(struct device *dev, const struct phyr_list *list,
				  u64 offset, u64 len, enum dma_data_direction dir,
				  unsigned long attrs)
{
	return sg_map_phyr_list_revocable(dev, list, offset, len, dir, attrs, NULL);
}
EXPORT_SYMBOL_GPL(sg_map_phyr_list);

static struct phyr_list *list_from_array(const struct phyr *phyrs, unsigned int nr)
{
	struct phyr_list *list = kmalloc(sizeof(*list), GFP_KERNEL_ACCOUNT);
	int ret = 0;

	if (!list)
		return ERR_PTR(-ENOMEM);
	phyr_list_init(list);
	for (; nr && !ret; nr--, phyrs++)
		ret = phyr_list_append(list, phyrs->addr, phyrs->len,
				       phyr_kind_of(phyrs->addr), GFP_KERNEL_ACCOUNT);
	if (ret) {
		list_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

/**
 * sg_map_phyrs - let a device at an array of phyrs
 * @dev: the device
 * @phyrs: the array; it need not outlive the call, the memory has to
 * @nr: how many, not 0
 * @dir: who writes and who reads
 * @attrs: DMA_ATTR_*
 *
 * See sg_map_phyr_list().
 *
 * Context: process, may sleep.
 * Return: the mapping, for sg_unmap_phyrs(); or an ERR_PTR() as
 * sg_map_phyr_list(), and of -EOVERFLOW for a phyr that passes the end of the
 * address space.
 */
struct sg_phyrs *sg_map_phyrs(struct device *dev, const struct phyr *phyrs,
			      unsigned int nr, enum dma_data_direction dir,
			      unsigned long attrs)
{
	struct phyr_list *list = list_from_array(phyrs, nr);
	struct sg_phyrs *sg;

	if (IS_ERR(list))
		return ERR_CAST(list);
	sg = sg_map_phyr_list(dev, list, 0, phyr_list_len(list), dir, attrs);
	if (IS_ERR(sg))
		list_put(list);
	else
		sg->own = list;
	return sg;
}
EXPORT_SYMBOL_GPL(sg_map_phyrs);

/**
 * sg_unmap_phyrs - end a mapping, and free it
 * @sg: what sg_map_phyrs() or sg_map_phyr_list() gave
 *
 * sg_phyrs_unmap() and sg_phyrs_free() in one.
 *
 * Context: as sg_phyrs_unmap().
 */
void sg_unmap_phyrs(struct sg_phyrs *sg)
{
	sg_phyrs_unmap(sg);
	sg_phyrs_free(sg);
}
EXPORT_SYMBOL_GPL(sg_unmap_phyrs);

/* All ways but a table, for which the DMA API has calls of its own. */
static void sg_sync(struct sg_phyrs *sg, sync_fn sync)
{
	if (sg->way == SG_IOVA)
		iova_sync(sg, sync);
	else if (sg->way == SG_ONE)
		one_sync(sg, sync);
	else
		ranges_sync(sg, sync);
}

/**
 * sg_phyrs_sync_for_cpu - let the CPU see what the device wrote
 * @sg: the mapping
 *
 * Costs nothing for a coherent device that bounces nothing.
 *
 * Context: any; the device must not touch the memory meanwhile.
 */
void sg_phyrs_sync_for_cpu(struct sg_phyrs *sg)
{
	if (!sg->nr || sg->gone || !dma_dev_need_sync(sg->dev))
		return;
	if (sg->way == SG_TABLE)
		dma_sync_sgtable_for_cpu(sg->dev, &sg->sgt, sg->dir);
	else
		sg_sync(sg, dma_sync_single_for_cpu);
}
EXPORT_SYMBOL_GPL(sg_phyrs_sync_for_cpu);

/**
 * sg_phyrs_sync_for_device - let the device see what the CPU wrote
 * @sg: the mapping
 *
 * Context: any; the CPU must not touch the memory until it is synced back.
 */
void sg_phyrs_sync_for_device(struct sg_phyrs *sg)
{
	if (!sg->nr || sg->gone || !dma_dev_need_sync(sg->dev))
		return;
	if (sg->way == SG_TABLE)
		dma_sync_sgtable_for_device(sg->dev, &sg->sgt, sg->dir);
	else
		sg_sync(sg, dma_sync_single_for_device);
}
EXPORT_SYMBOL_GPL(sg_phyrs_sync_for_device);

/**
 * sg_phyrs_nr - how many ranges of DMA addresses a mapping has
 * @sg: the mapping
 *
 * Return: how many.
 */
unsigned long sg_phyrs_nr(const struct sg_phyrs *sg)
{
	return sg->nr;
}
EXPORT_SYMBOL_GPL(sg_phyrs_nr);

/**
 * sg_phyrs_bytes - kernel memory that a mapping takes
 * @sg: the mapping
 *
 * Return: bytes, page tables of the IOMMU not counted.
 */
size_t sg_phyrs_bytes(const struct sg_phyrs *sg)
{
	const struct sg_phyr_chunk *chunk;
	size_t bytes = struct_size(sg, head.seg, SG_FIRST);

	for (chunk = sg->head.next; chunk; chunk = chunk->next)
		bytes += struct_size(chunk, seg, chunk->max);
	if (sg->way == SG_TABLE && sg->sgt.sgl != sg->few)
		bytes += sg->sgt.orig_nents * sizeof(struct scatterlist);
	if (sg->own)
		bytes += sizeof(*sg->own) + phyr_list_bytes(sg->own);
	return bytes;
}
EXPORT_SYMBOL_GPL(sg_phyrs_bytes);

/**
 * sg_phyr_iter_init - stand before a slice of a mapping, to cut it
 * @it: the iterator
 * @sg: the mapping
 * @offset: first byte of the slice, counted from the start of the mapping
 * @len: its length; the walk ends with the mapping if that comes first
 * @lim: what the device can take in one segment; its alignment must be 1
 *
 * Context: any.
 * Return: 0; -EINVAL for limits that no segment can obey (a &phyr_seg_limits.max_len of 0)
 * or an alignment: the slice is empty then.
 */
int sg_phyr_iter_init(struct sg_phyr_iter *it, const struct sg_phyrs *sg,
		      u64 offset, u64 len, const struct phyr_seg_limits *lim)
{
	it->left = 0;
	if (lim->align != 1 || !phyr_seg_limits_valid(lim))
		return -EINVAL;
	offset = min(offset, sg->len);
	it->left = min(len, sg->len - offset);
	it->lim = *lim;
	it->chunk = &sg->head;
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
EXPORT_SYMBOL_GPL(sg_phyr_iter_init);

/**
 * sg_phyr_iter_next - the next segment of a slice of a mapping
 * @it: the iterator
 * @seg: set to the segment
 *
 * Context: any.
 * Return: true, and false at the end of the slice.
 */
bool sg_phyr_iter_next(struct sg_phyr_iter *it, struct sg_phyr *seg)
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
EXPORT_SYMBOL_GPL(sg_phyr_iter_next);

/* Conversion to a classic sg_table */

/* Whole pages, as other makers of tables have it, if that many bytes are allowed. */
static struct phyr_seg_limits dev_limits(struct device *dev)
{
	u64 max = min(dma_get_max_seg_size(dev), table_max());

	return (struct phyr_seg_limits) {
		.max_len = max < PAGE_SIZE ? max : round_down(max, PAGE_SIZE),
		.boundary_mask = dma_get_seg_boundary(dev),
		.align = 1,
	};
}

/*
 * The CPU's half is cut wherever either half is, so that there is room for
 * the DMA half, which is never cut more often.  Fills in @s if that is given.
 */
static u64 sgtable_cpu(const struct sg_phyrs *sg, const struct phyr_seg_limits *lim,
		       struct scatterlist *s)
{
	struct sg_phyr dma = { .dma_length = 0 };
	struct phyr_iter it;
	struct sg_phyr_iter di;
	struct phyr phyr;
	unsigned int len;
	u64 nr = 0;

	sg_phyr_iter_init(&di, sg, 0, ~0ULL, lim);
	phyr_list_for_each_slice(sg->list, sg->offset, sg->len, it, phyr) {
		for (; phyr.len; phyr.addr += len, phyr.len -= len, nr++) {
			if (!dma.dma_length)
				sg_phyr_iter_next(&di, &dma);
			len = min(phyr.len, dma.dma_length);
			dma.dma_length -= len;
			if (!s)
				continue;
			sg_set_page(s, it.kind == PHYR_PFNMAP ? NULL :
				    pfn_to_page(PHYS_PFN(phyr.addr)), len,
				    offset_in_page(phyr.addr));
			s = sg_next(s);
		}
		cond_resched();
	}
	return nr;
}

static unsigned int sgtable_dma(const struct sg_phyrs *sg, const struct phyr_seg_limits *lim,
				struct scatterlist *s)
{
	struct sg_phyr_iter di;
	struct sg_phyr dma;
	unsigned int nr = 0;

	sg_phyr_iter_init(&di, sg, 0, ~0ULL, lim);
	while (sg_phyr_iter_next(&di, &dma)) {
		sg_dma_address(s) = dma.dma_address;
		sg_dma_len(s) = dma.dma_length;
		s = sg_next(s);
		sg_pause(nr++);
	}
	return nr;
}

/**
 * sg_phyrs_to_sgtable - a classic sg_table of a mapping
 * @sg: the mapping; it is ended by itself, not through the table
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
int sg_phyrs_to_sgtable(const struct sg_phyrs *sg, struct sg_table *sgt, gfp_t gfp)
{
	const struct phyr_seg_limits lim = dev_limits(sg->dev);
	int ret;
	u64 nr;

	if (!phyr_seg_limits_valid(&lim))
		return -EINVAL;
	nr = sgtable_cpu(sg, &lim, NULL);
	if (nr > UINT_MAX)
		return -EOVERFLOW;
	ret = sg_alloc_table(sgt, nr, gfp);
	if (ret)
		return ret;
	sgtable_cpu(sg, &lim, sgt->sgl);
	sgt->nents = sgtable_dma(sg, &lim, sgt->sgl);
	return 0;
}
EXPORT_SYMBOL_GPL(sg_phyrs_to_sgtable);
