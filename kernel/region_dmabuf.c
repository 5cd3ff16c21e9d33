// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region as a dma-buf: what importers and the kernel do with it, its revocation, and
 * its end.
 *
 * The dma-buf may be anything that this kernel can pin, at any byte offset.  It does not
 * move: importers get their addresses once.  Memory without a struct page may be
 * revoked, though, and the region with it: programs' mappings of it end in SIGBUS,
 * importers are notified and waited for, and every call returns -ENODEV from then on.
 * So such memory is given only to importers that can be notified, and that can do peer
 * to peer, as for any dma-buf of device memory.
 *
 * A region that is imported (see import.c) holds the dma-buf that it was imported from.
 * The two have one reservation object, so fences of the one are those of the other;
 * nothing here is called with it locked that would lock that of the source.  CPU access
 * is announced to the source, too.  Programs' mappings are the region's own, not passed
 * on to the source: that would let a program that has only a part, or may only read it,
 * remap that file.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "region_private.h"

/* What one importer has mapped. */
struct region_map {
	struct list_head entry;		/* in region->maps, if it is not over */
	struct phyr_region *region;
	bool over;			/* revoked: nothing is synced any more */
	struct phyr_user stopped;
	struct phyr_dma *dma;
	struct sg_table sgt;
};

LIST_HEAD(phyr_regions);
DEFINE_MUTEX(phyr_regions_lock);	/* protects the list, and these: */
static u64 nr_regions, nr_pages;

/* Importers */

static int region_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_whole_pages(region))
		return -EINVAL;
	if (!(phyr_list_kinds(&region->list) & BIT(PHYR_PFNMAP)))
		return 0;
	if (!attach->peer2peer || !attach->importer_ops->invalidate_mappings)
		return -EOPNOTSUPP;
	return phyr_list_revoked(&region->list) ? -ENODEV : 0;
}

/*
 * A region does not move, pinned or not.  But an exporter without these calls is
 * treated as an old one by older kernels, and mapped from attaching to detaching,
 * whatever the importer does.
 *
 * There an importer that cannot be notified is known only by its pins, so these are counted.
 */
static int region_pin(struct dma_buf_attachment *attach)
{
	struct phyr_region *region = attach->dmabuf->priv;
	unsigned long pins = (unsigned long)attach->priv;

	if (phyr_list_kinds(&region->list) & BIT(PHYR_PFNMAP) && pins >= DMA_BUF_PINS_REVOCABLE)
		return -EOPNOTSUPP;
	attach->priv = (void *)(pins + 1);
	return 0;
}

static void region_unpin(struct dma_buf_attachment *attach)
{
	attach->priv = (void *)((unsigned long)attach->priv - 1);
}

/* Importers are notified of a revocation by region_revoke(), before their mappings are. */
static void map_stopped(struct phyr_user *user)
{
	struct region_map *map = container_of(user, struct region_map, stopped);

	mutex_lock(&map->region->lock);
	map->over = true;
	list_del_init(&map->entry);
	mutex_unlock(&map->region->lock);
}

static struct sg_table *region_map_dma_buf(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir)
{
	struct phyr_region *region = attach->dmabuf->priv;
	struct region_map *map;
	int ret;

	if (!region->write && dir != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);
	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&map->entry);
	map->region = region;
	map->stopped.revoke = map_stopped;
	map->dma = phyr_dma_alloc(attach->dev, &map->stopped, GFP_KERNEL_ACCOUNT);
	if (!map->dma) {
		ret = -ENOMEM;
		goto free;
	}
	ret = phyr_dma_map(map->dma, &region->list, 0, phyr_list_len(&region->list), dir, 0);
	if (ret)
		goto free_dma;
	ret = phyr_dma_to_sgtable(map->dma, &map->sgt, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unmap;
	mutex_lock(&region->lock);
	if (!map->over)
		list_add(&map->entry, &region->maps);
	mutex_unlock(&region->lock);
	atomic_inc(&region->nr_maps);
	return &map->sgt;
unmap:
	phyr_dma_unmap(map->dma);
free_dma:
	phyr_dma_free(map->dma);
free:
	kfree(map);
	return ERR_PTR(ret);
}

static void region_unmap_dma_buf(struct dma_buf_attachment *attach, struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	struct phyr_region *region = attach->dmabuf->priv;
	struct region_map *map = container_of(sgt, struct region_map, sgt);

	mutex_lock(&region->lock);
	list_del(&map->entry);
	mutex_unlock(&region->lock);
	sg_free_table(&map->sgt);
	phyr_dma_unmap(map->dma);
	phyr_dma_free(map->dma);
	kfree(map);
	if (atomic_dec_and_test(&region->nr_maps))
		wake_up_all(&region->unmapped);
}

/* The CPU */

static int region_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct phyr_region *region = dmabuf->priv;
	struct region_map *map;
	int ret;

	if (phyr_list_revoked(&region->list))
		return -ENODEV;
	if (region_imported(region)) {
		ret = dma_buf_begin_cpu_access(region->source.dmabuf, dir);
		if (ret)
			return ret;
	}
	mutex_lock(&region->lock);
	list_for_each_entry(map, &region->maps, entry)
		phyr_dma_sync_for_cpu(map->dma);
	mutex_unlock(&region->lock);
	return 0;
}

static int region_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct phyr_region *region = dmabuf->priv;
	struct region_map *map;

	mutex_lock(&region->lock);
	list_for_each_entry(map, &region->maps, entry)
		phyr_dma_sync_for_device(map->dma);
	mutex_unlock(&region->lock);
	return region_imported(region) ? dma_buf_end_cpu_access(region->source.dmabuf, dir) : 0;
}

/* Where the kernel has all of a region as it is, or NULL: the source's mapping, or its own. */
static void *region_direct(const struct phyr_region *region)
{
	enum phyr_kind kind;
	struct phyr phyr;

	if (iosys_map_is_set(&region->source.mapped.map))
		return region->source.mapped.map.vaddr + region->source.offset;
	if (phyr_list_nr(&region->list) != 1 || !phyr_list_find(&region->list, 0, &phyr, &kind) ||
	    kind != PHYR_RAM || IS_ENABLED(CONFIG_HIGHMEM))
		return NULL;
	return page_address(pfn_to_page(PHYS_PFN(phyr.addr))) + offset_in_page(phyr.addr);
}

static int region_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct phyr_region *region = dmabuf->priv;
	void *addr = region_direct(region);

	if (!addr)
		addr = phyr_list_vmap(&region->list, 0, phyr_list_len(&region->list), true,
				      PHYR_WB);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	iosys_map_set_vaddr(map, addr);
	return 0;
}

static void region_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_direct(region))
		vunmap(map->vaddr - region->in_page);
}

/* Revocation: the end of the memory, before the end of the region */

/*
 * No new mapping is made any more.  Importers may go on until their fences have
 * signalled, and read until they unmap, see dma_buf_invalidate_mappings().
 */
static void region_revoke(struct phyr_user *user)
{
	struct phyr_region *region = container_of(user, struct phyr_region, user);
	struct dma_buf *dmabuf = region->dmabuf;

	unmap_mapping_range(region->inode->i_mapping, 0, 0, true);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
	dma_resv_unlock(dmabuf->resv);
	wait_event(region->unmapped, !atomic_read_acquire(&region->nr_maps));
}

/* The life of the dma-buf */

/**
 * phyr_region_free - release the memory of a region, and the region
 * @region: one that is not exported
 *
 * Context: process, may sleep.
 */
void phyr_region_free(struct phyr_region *region)
{
	if (region_imported(region)) {
		phyr_source_put(&region->source, &region->list);
	} else {
		unpin_user_phyr_list(&region->list, region->write);
		phyr_unaccount(&region->account);
	}
	kfree(region);
}

/* Pages that are pinned for it. */
static unsigned long region_pins(const struct phyr_region *region)
{
	return region_imported(region) ? region->source.mapped.account.pages : region->pages;
}

/* A region that a descriptor may lead to. */
static void region_publish(struct phyr_region *region)
{
	region->inode = file_inode(region->dmabuf->file);
	ihold(region->inode);
	region->pid = task_tgid_nr(current);
	get_task_comm(region->comm, current);
	mutex_lock(&phyr_regions_lock);
	list_add_tail(&region->entry, &phyr_regions);
	nr_regions++;
	nr_pages += region_pins(region);
	mutex_unlock(&phyr_regions_lock);
}

/* The reverse of region_publish(). */
static void region_withdraw(struct phyr_region *region)
{
	mutex_lock(&phyr_regions_lock);
	list_del(&region->entry);
	nr_regions--;
	nr_pages -= region_pins(region);
	mutex_unlock(&phyr_regions_lock);
	iput(region->inode);
}

static void region_release(struct dma_buf *dmabuf)
{
	struct phyr_region *region = dmabuf->priv;

	phyr_list_unregister_user(&region->list, &region->user);
	region_withdraw(region);
	phyr_region_free(region);
}

/* Every region's file is released by region_release(): that identifies it. */
#define REGION_OPS					\
	.attach = region_attach,			\
	.pin = region_pin,				\
	.unpin = region_unpin,				\
	.map_dma_buf = region_map_dma_buf,		\
	.unmap_dma_buf = region_unmap_dma_buf,		\
	.release = region_release,			\
	.begin_cpu_access = region_begin_cpu_access,	\
	.end_cpu_access = region_end_cpu_access,	\
	.mmap = phyr_region_mmap

static const struct dma_buf_ops region_ops = {
	REGION_OPS,
};

static const struct dma_buf_ops region_ops_vmap = {
	REGION_OPS,
	.vmap = region_vmap,
	.vunmap = region_vunmap,
};

/*
 * A mapping for the kernel could be written, needs pages, and is cached, which a device's
 * pages are not. dma-buf warns when vmap() fails, so it is not offered where it cannot work.
 */
static const struct dma_buf_ops *region_pick_ops(const struct phyr_region *region)
{
	if (!region->write || phyr_list_kinds(&region->list) & PHYR_DEVICE_KINDS)
		return &region_ops;
	return &region_ops_vmap;
}

static struct dma_buf *region_make_dmabuf(struct phyr_region *region)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = region_pick_ops(region);
	info.size = phyr_list_len(&region->list);
	info.flags = O_RDWR;
	info.priv = region;
	if (region_imported(region))
		info.resv = region->source.dmabuf->resv;
	return dma_buf_export(&info);
}

/**
 * phyr_region_export - make a dma-buf of a region that has its memory
 * @region: the region, which the dma-buf owns from now on, and which is freed on failure
 *
 * Context: process, may sleep.
 * Return: a dma-buf that is not visible to others yet, or an ERR_PTR().
 */
struct dma_buf *phyr_region_export(struct phyr_region *region)
{
	struct dma_buf *dmabuf = region_make_dmabuf(region);

	if (IS_ERR(dmabuf)) {
		phyr_region_free(region);
		return dmabuf;
	}
	region->dmabuf = dmabuf;
	region_publish(region);
	region->user.revoke = region_revoke;
	if (phyr_list_register_user(&region->list, &region->user)) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EFAULT);
	}
	return dmabuf;
}

/**
 * phyr_region_of - the region behind a dma-buf
 * @dmabuf: the dma-buf
 *
 * Return: the region, or NULL for a foreign dma-buf.
 */
struct phyr_region *phyr_region_of(const struct dma_buf *dmabuf)
{
	return dmabuf->ops->release == region_release ? dmabuf->priv : NULL;
}

/**
 * phyr_region_totals - regions that exist, and the pages they pin
 * @count: set to how many regions
 * @pages: set to how many pages
 */
void phyr_region_totals(u64 *count, u64 *pages)
{
	mutex_lock(&phyr_regions_lock);
	*count = nr_regions;
	*pages = nr_pages;
	mutex_unlock(&phyr_regions_lock);
}
