// SPDX-License-Identifier: GPL-2.0-only
/*
 * Phyrs become DMA addresses.
 *
 * What goes in is a list of phyrs and what comes out is a list of
 * { dma_address, dma_length }, and nothing is in both: the end state that the
 * proposal of 2022 wants for scatterlists.  The chain is in the chunks that
 * enclose the entries.  There are four ways to get there:
 *
 *	one	just one phyr, of ordinary memory: one call of the DMA API;
 *	IOVA	an IOMMU, and a kernel that can lay out a range of its
 *		addresses: the whole list becomes one entry;
 *	table	an IOMMU, and a list or a kernel that the way before does not
 *		suit: a classic scatterlist, which is kept for unmapping;
 *	ranges	no IOMMU: each phyr is mapped by itself, in pieces no longer
 *		than what the bounce buffer can hold if there is one.
 *
 * The list must outlive the mapping: its kinds and addresses are read again for
 * unmapping and syncing.
 *
 * When a list of memory without pages is revoked, so are its mappings: the
 * device's owner is notified and stops it, then what the IOMMU maps is torn down.
 * IOVA keeps the range of addresses until it is unmapped, so a device that goes on
 * finds nothing there; in the others they may belong to another mapping, or there is
 * no IOMMU, and then it takes an owner that makes the device stop.
 */
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "compat.h"
#include "dma_private.h"
#include "internal.h"
#include "phyr_trace.h"

/* dma_sync_single_for_cpu() or dma_sync_single_for_device() */
typedef void (*sync_fn)(struct device *dev, dma_addr_t addr, size_t len,
			enum dma_data_direction dir);

/* IOVA */

static unsigned long kind_attrs(const struct phyr_dma *dma, enum phyr_kind kind)
{
	if (kind == PHYR_PFNMAP || (kind == PHYR_P2P && PHYR_P2P_IS_MMIO))
		return dma->attrs | DMA_ATTR_MMIO;
	return dma->attrs;
}

/*
 * Only the two ends of a slice may lie inside a granule of the IOMMU, which is never
 * larger than a page; where it is smaller, what would join by granules goes another way.
 */
static bool iova_joins(const struct phyr_dma *dma, u64 at, const struct phyr *phyr)
{
	return !at || !offset_in_page(phyr->addr | (dma->iova.addr + at));
}

/* Links some phyrs of one kind, and counts their bytes in *@linked. */
static int iova_link_some(struct phyr_dma *dma, const struct phyr *phyr, unsigned int nr,
			  unsigned long attrs, u64 *linked)
{
	u64 at = *linked;
	int ret = 0;

	for (; nr; nr--, phyr++) {
		if (!iova_joins(dma, at, phyr)) {
			ret = -EINVAL;
			break;
		}
		ret = dma_iova_link(dma->dev, &dma->iova, phyr->addr, at, phyr->len, dma->dir,
				    attrs);
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
static u64 iova_link(struct phyr_dma *dma, int *error)
{
	struct phyr phyrs[FILL_FEW] __uninitialized;
	struct phyr_cursor cur;
	unsigned int nr;
	u64 linked = 0;
	int ret;

	nr = phyr_cursor_begin(&cur, dma->list, dma->offset, dma->len, phyrs, FILL_FEW);
	/* how it lies in a granule depends on the first address */
	ret = dma_iova_try_alloc(dma->dev, &dma->iova, phyrs[0].addr, dma->len) ? 0 : -EOPNOTSUPP;
	while (!ret) {
		ret = iova_link_some(dma, phyrs, nr, kind_attrs(dma, cur.kind), &linked);
		if (ret || linked == dma->len)
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
static void iova_unlink(struct phyr_dma *dma, u64 len, unsigned long attrs)
{
	struct phyr_iter it;
	struct phyr phyr;
	u64 at = 0;

	if (dev_is_dma_coherent(dma->dev)) {
		dma_iova_unlink(dma->dev, &dma->iova, 0, len, dma->dir, dma->attrs | attrs);
		return;
	}
	phyr_list_for_each_slice(dma->list, dma->offset, len, it, phyr) {
		dma_iova_unlink(dma->dev, &dma->iova, at, phyr.len, dma->dir,
				kind_attrs(dma, it.kind) | attrs);
		at += phyr.len;
		cond_resched();
	}
}

static int map_iova(struct phyr_dma *dma)
{
	u64 linked;
	int ret;

	if (!PHYR_HAS_IOVA)
		return -EOPNOTSUPP;
	linked = iova_link(dma, &ret);
	if (!ret)
		ret = dma_iova_sync(dma->dev, &dma->iova, 0, dma->len);
	if (!ret) {
		seg_set(dma, dma->iova.addr, dma->len);
		dma->way = DMA_IOVA;
		return 0;
	}
	if (linked)
		iova_unlink(dma, linked, DMA_ATTR_SKIP_CPU_SYNC);
	if (dma_use_iova(&dma->iova))
		dma_iova_free(dma->dev, &dma->iova);
	return ret;
}

/*
 * The DMA API's own condition.  dma-debug knows nothing of what is linked, and
 * warns of every sync of it, so none is called that does nothing.
 */
static bool iova_needs_sync(const struct phyr_dma *dma)
{
	return !dev_is_dma_coherent(dma->dev) || dma->iova.__size & DMA_IOVA_USE_SWIOTLB;
}

/*
 * Syncs what is between two granules of the IOMMU by itself: the odd ends of a
 * list may be bounced, and a bounced piece must not be synced with others.
 */
static void iova_sync(struct phyr_dma *dma, sync_fn sync)
{
	unsigned long mask = dma_get_merge_boundary(dma->dev);
	dma_addr_t addr = dma->iova.addr;
	struct phyr_iter it;
	struct phyr phyr;
	size_t step;

	if (!iova_needs_sync(dma))
		return;
	phyr_list_for_each_slice(dma->list, dma->offset, dma->len, it, phyr) {
		for (; phyr.len; phyr.len -= step, addr += step) {
			step = phyr.len & ~mask;
			if (addr & mask || !step)
				step = min_t(size_t, phyr.len, mask + 1 - (addr & mask));
			if (!phyr_kind_is_device(it.kind))
				sync(dma->dev, addr, step, dma->dir);
		}
	}
}

/* A classic scatterlist */

static int table_alloc(struct phyr_dma *dma)
{
	u64 nr = phyr_sg_entries(dma->list, dma->offset, dma->len, sg_max_len());

	if (nr > UINT_MAX)
		return -EOVERFLOW;
	if (nr > SG_FEW)
		return sg_alloc_table(&dma->sgt, nr, GFP_KERNEL_ACCOUNT);
	sg_init_table(dma->few, nr);
	dma->sgt.sgl = dma->few;
	dma->sgt.nents = nr;
	dma->sgt.orig_nents = nr;
	return 0;
}

static void table_free(struct phyr_dma *dma)
{
	if (dma->sgt.sgl != dma->few)
		sg_free_table(&dma->sgt);
}

static int table_segs(struct phyr_dma *dma)
{
	struct scatterlist *s;
	int i, ret;

	for_each_sgtable_dma_sg(&dma->sgt, s, i) {
		ret = seg_merge(dma, sg_dma_address(s), sg_dma_len(s));
		if (ret)
			return ret;
		sg_pause(i);
	}
	return 0;
}

static int map_table(struct phyr_dma *dma)
{
	int ret = table_alloc(dma);

	if (ret)
		return ret;
	phyr_sg_fill(dma->sgt.sgl, dma->list, dma->offset, dma->len, sg_max_len());
	ret = dma_map_sgtable(dma->dev, &dma->sgt, dma->dir, dma->attrs);
	if (ret)
		goto free;
	ret = table_segs(dma);
	if (ret)
		goto unmap;
	dma->way = DMA_TABLE;
	return 0;
unmap:
	dma_unmap_sgtable(dma->dev, &dma->sgt, dma->dir, dma->attrs | DMA_ATTR_SKIP_CPU_SYNC);
	phyr_dma_clear(dma);
free:
	table_free(dma);
	return ret;
}

/* Range by range */

/* Walks the pieces that are mapped each by itself. */
struct piece_iter {
	struct phyr_iter it;
	struct phyr rest;
	size_t max;
};

static void piece_init(struct piece_iter *pi, const struct phyr_dma *dma)
{
	phyr_iter_init(&pi->it, dma->list, dma->offset, dma->len);
	pi->rest.len = 0;
	pi->max = dma->piece_max;
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

/* Memory of a device is not bounced, so the device has to reach it directly. */
static bool mmio_reachable(const struct phyr_dma *dma, const struct phyr *phyr)
{
	return dma_get_merge_boundary(dma->dev) ||
	       phyr->addr + phyr->len - 1 <= dma_get_mask(dma->dev);
}

static int map_piece(struct phyr_dma *dma, const struct phyr *phyr, enum phyr_kind kind)
{
	unsigned long attrs = kind_attrs(dma, kind);
	dma_addr_t addr;
	int ret;

	if (phyr_kind_is_device(kind) && !mmio_reachable(dma, phyr))
		return -EREMOTEIO;
	addr = dma_map_phys(dma->dev, phyr->addr, phyr->len, dma->dir, attrs);
	if (dma_mapping_error(dma->dev, addr))
		return phyr_kind_is_device(kind) ? -EREMOTEIO : -EIO;
	ret = seg_append(dma, addr, phyr->len);
	if (ret)
		dma_unmap_phys(dma->dev, addr, phyr->len, dma->dir,
			       attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return ret;
}

/* Unmaps as many pieces as there are entries. */
static void unmap_ranges(struct phyr_dma *dma, unsigned long attrs)
{
	struct sg_phyr_chunk *chunk;
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	unsigned int i;

	piece_init(&pi, dma);
	for (chunk = &dma->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr && piece_next(&pi, &piece); i++)
			dma_unmap_phys(dma->dev, chunk->seg[i].dma_address, piece.len,
				       dma->dir, kind_attrs(dma, pi.it.kind) | attrs);
		cond_resched();
	}
}

static int map_ranges(struct phyr_dma *dma)
{
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	int ret;

	/* kept: a driver may set another mask until all this is unmapped */
	dma->piece_max = dma_max_mapping_size(dma->dev);
	if (dma->piece_max > PAGE_SIZE)
		dma->piece_max &= PAGE_MASK;

	piece_init(&pi, dma);
	while (piece_next(&pi, &piece)) {
		ret = map_piece(dma, &piece, pi.it.kind);
		if (ret) {
			unmap_ranges(dma, DMA_ATTR_SKIP_CPU_SYNC);
			phyr_dma_clear(dma);
			return ret;
		}
		cond_resched();
	}
	dma->way = DMA_RANGES;
	return 0;
}

/*
 * dma-debug cannot distinguish several mappings of one address here, and warns; no sync
 * is called where it does nothing.
 */
static void ranges_sync(struct phyr_dma *dma, sync_fn sync)
{
	struct sg_phyr_chunk *chunk;
	struct piece_iter pi __uninitialized;
	struct phyr piece;
	dma_addr_t addr;
	unsigned int i;

	piece_init(&pi, dma);
	for (chunk = &dma->head; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->nr && piece_next(&pi, &piece); i++) {
			addr = chunk->seg[i].dma_address;
			if (!phyr_kind_is_device(pi.it.kind) && dma_need_sync(dma->dev, addr))
				sync(dma->dev, addr, piece.len, dma->dir);
		}
	}
}

/* Just one phyr */

static bool one_phyr(const struct phyr_dma *dma, struct phyr *phyr)
{
	if (dma->len == phyr_list_len(dma->list) && phyr_list_nr(dma->list) > 1)
		return false;
	return phyr_list_find(dma->list, dma->offset, phyr, NULL) && phyr->len >= dma->len;
}

static int map_one(struct phyr_dma *dma, const struct phyr *phyr)
{
	dma_addr_t addr = dma_map_phys(dma->dev, phyr->addr, dma->len, dma->dir, dma->attrs);

	if (dma_mapping_error(dma->dev, addr))
		return -EIO;
	seg_set(dma, addr, dma->len);
	dma->way = DMA_ONE;
	return 0;
}

static void unmap_one(struct phyr_dma *dma)
{
	dma_unmap_phys(dma->dev, dma->head.seg[0].dma_address, dma->len, dma->dir, dma->attrs);
}

static void one_sync(struct phyr_dma *dma, sync_fn sync)
{
	dma_addr_t addr = dma->head.seg[0].dma_address;

	if (dma_need_sync(dma->dev, addr))
		sync(dma->dev, addr, dma->len, dma->dir);
}

/* All of it */

static int map_any(struct phyr_dma *dma)
{
	unsigned int kinds = phyr_list_kinds(dma->list);
	struct phyr phyr __uninitialized;
	bool one = one_phyr(dma, &phyr);
	int ret;

	if (one && !(kinds & PHYR_DEVICE_KINDS) && dma->len <= dma_max_mapping_size(dma->dev))
		return map_one(dma, &phyr);
	if (kinds & PHYR_DEVICE_KINDS) {
		ret = phyr_p2p_check(dma->dev, dma->list, dma->offset, dma->len);
		if (ret)
			return ret;
	}
	ret = map_iova(dma);
	/* other errors: addresses that do not suit one range, or the odd ends of it */
	if (!ret || ret == -ENOMEM)
		return ret;
	if (dma_get_merge_boundary(dma->dev) && !one && !(kinds & BIT(PHYR_PFNMAP)))
		return map_table(dma);
	return map_ranges(dma);
}

/* The device has nothing mapped after this; the entries stay. */
static void dma_unmap_hw(struct phyr_dma *dma)
{
	switch (dma->way) {
	case DMA_ONE:
		unmap_one(dma);
		break;
	case DMA_IOVA:
		iova_unlink(dma, dma->len, 0);
		break;
	case DMA_TABLE:
		dma_unmap_sgtable(dma->dev, &dma->sgt, dma->dir, dma->attrs);
		break;
	case DMA_RANGES:
		unmap_ranges(dma, 0);
		break;
	}
	dma->unmapped = true;
}

/* An object in which nothing is mapped. */
static void dma_reset(struct phyr_dma *dma)
{
	dma->len = 0;
	dma->way = DMA_ONE;
	dma->unmapped = false;
}

static void dma_end(struct phyr_dma *dma)
{
	if (!dma->unmapped)
		dma_unmap_hw(dma);
	if (dma->way == DMA_IOVA)
		dma_iova_free(dma->dev, &dma->iova);
	else if (dma->way == DMA_TABLE)
		table_free(dma);
	phyr_dma_clear(dma);
	dma_reset(dma);
}

/* The IOMMU may defer its flush; here it must not. */
static void dma_unmap_now(struct phyr_dma *dma)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dma->dev);

	dma_unmap_hw(dma);
	if (domain && domain->type & __IOMMU_DOMAIN_PAGING)
		iommu_flush_iotlb_all(domain);
}

static void dma_revoke(struct phyr_user *user)
{
	struct phyr_dma *dma = container_of(user, struct phyr_dma, user);

	if (dma->owner)
		dma->owner->revoke(dma->owner);
	dma_unmap_now(dma);
}

/* A mapping of memory that may be revoked is registered for that. */
static int dma_register(struct phyr_dma *dma)
{
	int ret;

	if (!dma->list->watch)
		return 0;
	if (!dma->owner && dma->way != DMA_IOVA)
		return -EOPNOTSUPP;
	dma->user.revoke = dma_revoke;
	ret = phyr_list_register_user(dma->list, &dma->user);
	if (ret)
		dma_unmap_now(dma);
	return ret;
}

/* In its objects nothing is mapped. */
static struct kmem_cache *dma_cache;

static void dma_construct(void *object)
{
	struct phyr_dma *dma = object;

	dma->head.max = SG_FIRST;
	dma->array = NULL;
	segs_init(dma);
	dma_reset(dma);
}

int __init phyr_dma_init(void)
{
	dma_cache = kmem_cache_create("phyr_dma",
				      struct_size_t(struct phyr_dma, head.seg, SG_FIRST), 0, 0,
				      dma_construct);
	return dma_cache ? 0 : -ENOMEM;
}

void phyr_dma_exit(void)
{
	kmem_cache_destroy(dma_cache);
}

static void array_put(struct phyr_list *list)
{
	if (list)
		phyr_list_free(list);
	kfree(list);
}

/**
 * phyr_dma_alloc - allocate a mapping, in which nothing is mapped yet
 * @dev: the device
 * @owner: its revoke() makes the device stop using the addresses, and the caller stop
 *	syncing them; it obeys the rules of phyr_list_register_user(), where
 *	phyr_dma_unmap() takes the place of phyr_list_unregister_user().  NULL if there is
 *	nothing to do: that is enough for memory with pages, and where the IOMMU alone can
 *	stop the device: on Linux 6.18 and later, with an IOMMU that translates, for a
 *	slice that becomes one range
 * @gfp: how to allocate it
 *
 * A driver that maps for each of its requests allocates as many as it has requests, and
 * maps into them with phyr_dma_map() again and again.  They may have one owner: its
 * revoke() is called once for each mapping that is revoked, by several threads at a time
 * if they are of several lists, and possibly before phyr_dma_map() has returned.
 *
 * Context: sleeps if @gfp allows it.
 * Return: the mapping, for phyr_dma_free(); or NULL.
 */
struct phyr_dma *phyr_dma_alloc(struct device *dev, struct phyr_user *owner, gfp_t gfp)
{
	struct phyr_dma *dma = kmem_cache_alloc(dma_cache, gfp);

	if (!dma)
		return NULL;
	dma->dev = dev;
	dma->owner = owner;
	return dma;
}
EXPORT_SYMBOL_GPL(phyr_dma_alloc);

/**
 * phyr_dma_free - free a mapping in which nothing is mapped
 * @dma: what phyr_dma_alloc() returned; or NULL
 *
 * Warns and does nothing if something is still mapped.
 *
 * Context: any in which kfree() may be called.
 */
void phyr_dma_free(struct phyr_dma *dma)
{
	if (!dma || WARN_ON_ONCE(dma->nr))
		return;
	array_put(dma->array);
	dma->array = NULL;
	kmem_cache_free(dma_cache, dma);
}
EXPORT_SYMBOL_GPL(phyr_dma_free);

/**
 * phyr_dma_map - map a slice of a list for a device
 * @dma: the mapping, in which nothing is mapped
 * @list: the list; it must not change until it is unmapped
 * @offset: first byte of the slice
 * @len: its length in bytes; not 0
 * @dir: DMA direction
 * @attrs: DMA_ATTR_*
 *
 * @dma then holds the DMA addresses, in the order of the bytes of the slice; iterate over
 * them with phyr_dma_iter_init().  With an IOMMU they are one range where the kernel
 * allows it.  Memory without a struct page is mapped as MMIO.
 *
 * Context: process, may sleep.
 * Return: 0; -EBUSY if something is mapped in @dma, which stays; -EINVAL for an
 * empty slice, one that passes the end of the list, an invalid direction, or a
 * device without a DMA mask; -EACCES for a direction in which the device may write,
 * if the list is read-only (pinned without FOLL_WRITE); -ENODEV if the list was
 * revoked; -EOPNOTSUPP without an owner if one is needed; -EREMOTEIO if the device cannot
 * reach memory of another device: by its DMA mask, or because a bridge on the way does
 * not route it; -EOVERFLOW for more phyrs than a scatterlist can have where one is
 * needed; -EIO if the DMA API failed; -ENOMEM.  After all these but -EBUSY nothing is
 * mapped in @dma.
 */
int phyr_dma_map(struct phyr_dma *dma, const struct phyr_list *list, u64 offset, u64 len,
		 enum dma_data_direction dir, unsigned long attrs)
{
	u64 total = phyr_list_len(list);
	int ret;

	if (dma->nr)
		return -EBUSY;
	if (!len || offset > total || len > total - offset || len > SIZE_MAX)
		return -EINVAL;
	if (!valid_dma_direction(dir) || !dma->dev->dma_mask)
		return -EINVAL;
	if (dir != DMA_TO_DEVICE && phyr_list_read_only(list))
		return -EACCES;
	if (phyr_list_revoked(list))
		return -ENODEV;
	dma->list = list;
	dma->offset = offset;
	dma->len = len;
	dma->dir = dir;
	dma->attrs = attrs;
	ret = map_any(dma);
	if (ret) {
		dma_reset(dma);
	} else {
		ret = dma_register(dma);
		if (ret)
			dma_end(dma);
	}
	trace_phyr_map(dma->dev, len, dma->nr, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_dma_map);

/**
 * phyr_dma_unmap - unmap what is mapped, and keep the mapping for another
 * @dma: the mapping; fine if nothing is mapped in it
 *
 * What the device wrote is visible to the CPU afterwards.  The memory stays
 * pinned.
 *
 * Context: process, may sleep: a revocation of this mapping is waited for.  The
 * device must have stopped using it.
 */
void phyr_dma_unmap(struct phyr_dma *dma)
{
	if (!dma->nr)
		return;
	trace_phyr_unmap(dma->dev, dma->len, dma->nr);
	phyr_list_unregister_user(dma->list, &dma->user);
	dma_end(dma);
}
EXPORT_SYMBOL_GPL(phyr_dma_unmap);

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
		array_put(list);
		return ERR_PTR(ret);
	}
	return list;
}

/**
 * sg_map_phyrs - map an array of phyrs for a device
 * @dev: the device
 * @phyrs: the array; it need not outlive the call, the memory has to
 * @nr: how many, not 0
 * @dir: DMA direction
 * @attrs: DMA_ATTR_*
 *
 * phyr_dma_alloc() without an owner and phyr_dma_map(), of a list made from the array.
 *
 * "Add a sg_map_phyrs().  This will take an array of phyrs and allocate an sg
 * for them": the proposal of 2022.
 *
 * Context: process, may sleep.
 * Return: the mapping, for sg_unmap_phyrs(); or an ERR_PTR() as phyr_dma_map(), and of
 * -EOVERFLOW for a phyr that passes the end of the address space.
 */
struct phyr_dma *sg_map_phyrs(struct device *dev, const struct phyr *phyrs, unsigned int nr,
			      enum dma_data_direction dir, unsigned long attrs)
{
	struct phyr_list *list = list_from_array(phyrs, nr);
	struct phyr_dma *dma;
	int ret = -ENOMEM;

	if (IS_ERR(list))
		return ERR_CAST(list);
	dma = phyr_dma_alloc(dev, NULL, GFP_KERNEL_ACCOUNT);
	if (dma)
		ret = phyr_dma_map(dma, list, 0, phyr_list_len(list), dir, attrs);
	if (ret) {
		phyr_dma_free(dma);
		array_put(list);
		return ERR_PTR(ret);
	}
	dma->array = list;
	return dma;
}
EXPORT_SYMBOL_GPL(sg_map_phyrs);

/**
 * sg_unmap_phyrs - unmap an array of phyrs
 * @dma: what sg_map_phyrs() returned
 *
 * phyr_dma_unmap() and phyr_dma_free().
 *
 * Context: as phyr_dma_unmap().
 */
void sg_unmap_phyrs(struct phyr_dma *dma)
{
	phyr_dma_unmap(dma);
	phyr_dma_free(dma);
}
EXPORT_SYMBOL_GPL(sg_unmap_phyrs);

/* All ways but a table, for which the DMA API has calls of its own. */
static void dma_sync(struct phyr_dma *dma, sync_fn sync)
{
	if (dma->way == DMA_IOVA)
		iova_sync(dma, sync);
	else if (dma->way == DMA_ONE)
		one_sync(dma, sync);
	else
		ranges_sync(dma, sync);
}

/**
 * phyr_dma_sync_for_cpu - make what the device wrote visible to the CPU
 * @dma: the mapping
 *
 * Costs nothing for a coherent device that bounces nothing.
 *
 * Context: any; the device must not touch the memory meanwhile.
 */
void phyr_dma_sync_for_cpu(struct phyr_dma *dma)
{
	if (!dma->nr || dma->unmapped || !dma_dev_need_sync(dma->dev))
		return;
	if (dma->way == DMA_TABLE)
		dma_sync_sgtable_for_cpu(dma->dev, &dma->sgt, dma->dir);
	else
		dma_sync(dma, dma_sync_single_for_cpu);
}
EXPORT_SYMBOL_GPL(phyr_dma_sync_for_cpu);

/**
 * phyr_dma_sync_for_device - make what the CPU wrote visible to the device
 * @dma: the mapping
 *
 * Context: any; the CPU must not touch the memory until it is synced back.
 */
void phyr_dma_sync_for_device(struct phyr_dma *dma)
{
	if (!dma->nr || dma->unmapped || !dma_dev_need_sync(dma->dev))
		return;
	if (dma->way == DMA_TABLE)
		dma_sync_sgtable_for_device(dma->dev, &dma->sgt, dma->dir);
	else
		dma_sync(dma, dma_sync_single_for_device);
}
EXPORT_SYMBOL_GPL(phyr_dma_sync_for_device);

/**
 * phyr_dma_nr - how many ranges of DMA addresses a mapping has
 * @dma: the mapping
 *
 * Return: how many.
 */
unsigned long phyr_dma_nr(const struct phyr_dma *dma)
{
	return dma->nr;
}
EXPORT_SYMBOL_GPL(phyr_dma_nr);

/**
 * phyr_dma_bytes - kernel memory that a mapping takes
 * @dma: the mapping
 *
 * Return: bytes, page tables of the IOMMU not counted.
 */
size_t phyr_dma_bytes(const struct phyr_dma *dma)
{
	const struct sg_phyr_chunk *chunk;
	size_t bytes = struct_size(dma, head.seg, SG_FIRST);

	for (chunk = dma->head.next; chunk; chunk = chunk->next)
		bytes += struct_size(chunk, seg, chunk->max);
	if (dma->way == DMA_TABLE && dma->sgt.sgl != dma->few)
		bytes += dma->sgt.orig_nents * sizeof(struct scatterlist);
	if (dma->array)
		bytes += sizeof(*dma->array) + phyr_list_bytes(dma->array);
	return bytes;
}
EXPORT_SYMBOL_GPL(phyr_dma_bytes);
