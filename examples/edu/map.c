// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a program, ready for the device.  This is the part to copy from:
 *
 *	pin_user_phyr_list()                pins it
 *	phyr_dma_alloc(), phyr_dma_map()    map it for the device
 *	phyr_dma_iter_next()                cuts it into what the device can take
 *	phyr_dma_unmap(), phyr_dma_free(), unpin_user_phyr_list()
 *
 * Memory without a struct page may be revoked at any time.  Then edu_stop() is called,
 * and when it returns the addresses are no longer used.
 *
 * The second half takes a dma-buf in the classic way, to show that a region of
 * /dev/phyr is one that any importer can use.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "edu.h"

static const struct phyr_seg_limits edu_limits = {
	.max_len = EDU_BUF_SIZE,
	.boundary_mask = ~0ULL,
};

/* Waits for a transfer, and prevents others. */
static void edu_stop(struct phyr_user *user)
{
	struct edu_file *file = container_of(user, struct edu_file, stop);

	mutex_lock(&file->edu->engine);
	file->revoked = true;
	mutex_unlock(&file->edu->engine);
}

static int map_list(struct edu_file *file, const struct phyr_list *list)
{
	struct phyr_dma *dma;
	int ret;

	file->stop.revoke = edu_stop;
	dma = phyr_dma_alloc(&file->edu->pdev->dev, &file->stop, GFP_KERNEL_ACCOUNT);
	if (!dma)
		return -ENOMEM;
	ret = phyr_dma_map(dma, list, 0, phyr_list_len(list), file->dir, 0);
	if (ret) {
		phyr_dma_free(dma);
		return ret;
	}
	file->list = list;
	file->dma = dma;
	file->len = phyr_list_len(list);
	return 0;
}

static int map_user(struct edu_file *file, const struct edu_map *map)
{
	unsigned int gup_flags = 0;
	int ret;

	if (map->flags & EDU_MAP_WRITE)
		gup_flags |= FOLL_WRITE;
	gup_flags |= map->flags & EDU_MAP_SHORT ? FOLL_PCI_P2PDMA : FOLL_LONGTERM;
	gup_flags |= phyr_foll_pfnmap();
	ret = pin_user_phyr_list(&file->own, map->addr, map->len, gup_flags);
	if (ret)
		return ret;
	ret = map_list(file, &file->own);
	if (ret)
		unpin_user_phyr_list(&file->own, false);
	return ret;
}

static int map_region(struct edu_file *file, const struct edu_map *map)
{
	struct phyr_region *region = phyr_region_get(map->fd);
	int ret = -EACCES;

	if (IS_ERR(region))
		return PTR_ERR(region);
	if (file->dir == DMA_TO_DEVICE || phyr_region_writable(region))
		ret = map_list(file, phyr_region_list(region));
	if (ret)
		phyr_region_put(region);
	else
		file->region = region;
	return ret;
}

/*
 * The memory goes, or moves: either way these addresses are over, and the program has
 * to map it again.  The exporter holds the dma-buf's lock.  A driver that can do this
 * does not pin.
 */
static void edu_invalidate(struct dma_buf_attachment *attach)
{
	struct edu_file *file = attach->importer_priv;
	struct sg_table *sgt;

	mutex_lock(&file->edu->engine);
	file->revoked = true;
	sgt = file->sgt;
	file->sgt = NULL;
	mutex_unlock(&file->edu->engine);
	if (sgt)
		dma_buf_unmap_attachment(attach, sgt, file->dir);
}

static const struct dma_buf_attach_ops edu_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = edu_invalidate,
};

static int map_attachment(struct edu_file *file, struct dma_buf_attachment *attach)
{
	struct sg_table *sgt = dma_buf_map_attachment(attach, file->dir);

	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	file->attach = attach;
	file->sgt = sgt;
	file->nents = sgt->nents;
	file->orig_nents = sgt->orig_nents;
	return 0;
}

static int map_dmabuf(struct edu_file *file, const struct edu_map *map)
{
	struct dma_buf *dmabuf = dma_buf_get(map->fd);
	struct dma_buf_attachment *attach;
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	attach = dma_buf_dynamic_attach(dmabuf, &file->edu->pdev->dev, &edu_attach_ops, file);
	ret = PTR_ERR_OR_ZERO(attach);
	if (ret)
		goto put;
	file->len = dmabuf->size;
	dma_resv_lock(dmabuf->resv, NULL);
	ret = map_attachment(file, attach);
	dma_resv_unlock(dmabuf->resv);
	if (!ret)
		return 0;
	dma_buf_detach(dmabuf, attach);
put:
	dma_buf_put(dmabuf);
	return ret;
}

static void unmap_dmabuf(struct edu_file *file)
{
	struct dma_buf *dmabuf = file->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	edu_invalidate(file->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, file->attach);
	dma_buf_put(dmabuf);
	file->attach = NULL;
}

static void map_report(const struct edu_file *file, struct edu_map *map)
{
	map->len = file->len;
	map->phyrs = file->dma ? phyr_list_nr(file->list) : 0;
	map->segments = file->dma ? phyr_dma_nr(file->dma) : file->nents;
	map->list_bytes = file->dma ? sizeof(*file->list) + phyr_list_bytes(file->list) : 0;
	map->map_bytes = file->dma ? phyr_dma_bytes(file->dma) :
				    file->orig_nents * sizeof(struct scatterlist);
}

/* Context: the caller holds the device's lock, and the device is there. */
int edu_map(struct edu_file *file, struct edu_map *map)
{
	u64 start = ktime_get_ns();
	int ret;

	if (file->mapped)
		return -EBUSY;
	file->dir = map->flags & EDU_MAP_WRITE ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
	file->revoked = false;
	if (map->flags & EDU_MAP_DMABUF)
		ret = map_dmabuf(file, map);
	else if (map->flags & EDU_MAP_REGION)
		ret = map_region(file, map);
	else
		ret = map_user(file, map);
	if (ret)
		return ret;
	map->map_ns = ktime_get_ns() - start;
	file->mapped = true;
	map_report(file, map);
	return 0;
}

/* Context: the caller holds the device's lock. */
void edu_unmap(struct edu_file *file)
{
	if (!file->mapped)
		return;
	file->mapped = false;
	if (file->attach) {
		unmap_dmabuf(file);
		return;
	}
	phyr_dma_unmap(file->dma);
	phyr_dma_free(file->dma);
	file->dma = NULL;
	file->list = NULL;
	if (file->region)
		phyr_region_put(file->region);
	else
		unpin_user_phyr_list(&file->own, file->dir == DMA_BIDIRECTIONAL);
	file->region = NULL;
}

static ssize_t table_segment(const struct sg_table *sgt, u64 offset, size_t len,
			     dma_addr_t *addr)
{
	struct scatterlist *s;
	int i;

	for_each_sgtable_dma_sg(sgt, s, i) {
		if (offset < sg_dma_len(s)) {
			*addr = sg_dma_address(s) + offset;
			return min_t(u64, len, sg_dma_len(s) - offset);
		}
		offset -= sg_dma_len(s);
	}
	return 0;
}

/*
 * The device's address of byte @offset, and how many of @len bytes it may move
 * from there in one transfer; 0 past the end.
 */
ssize_t edu_segment(struct edu_file *file, u64 offset, size_t len, dma_addr_t *addr)
{
	struct phyr_dma_iter it;
	struct sg_phyr seg;

	len = min_t(size_t, len, EDU_BUF_SIZE);
	if (file->sgt)
		return table_segment(file->sgt, offset, len, addr);
	phyr_dma_iter_init(&it, file->dma, offset, len, &edu_limits);
	if (!phyr_dma_iter_next(&it, &seg))
		return 0;
	*addr = seg.dma_address;
	return seg.dma_length;
}

void edu_sync_for_cpu(struct edu_file *file)
{
	if (file->dma)
		phyr_dma_sync_for_cpu(file->dma);
}

void edu_sync_for_device(struct edu_file *file)
{
	if (file->dma)
		phyr_dma_sync_for_device(file->dma);
}
