// SPDX-License-Identifier: GPL-2.0-only
/*
 * A foreign dma-buf becomes phyrs.
 *
 * An importer is given DMA addresses for its device, and may not ask what memory
 * they lead to.  But an exporter that maps its buffer for the kernel as ordinary
 * memory shows where that is.  A mapping alone does not keep a buffer there, not
 * with every exporter, so it is pinned as well, for a device of ours that never
 * does DMA.  The mapping is walked once; both stay until the list is done with:
 * they are what holds the memory.  The pages are the exporter's; the list has no
 * pins of its own on them, and there is nothing to unpin.
 *
 * A region of /dev/phyr does not move, and its list is at hand: holding the
 * region is enough.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "internal.h"

#define IMPORT_STEP	1024	/* pages, or phyrs, until others have a turn */

/* Held in place */

/*
 * What is pinned does not move, and this importer could not stop using it.  Exporters treat
 * an importer with invalidate_mappings() as revocable, so it is omitted where the core
 * allows that.
 */
static const struct dma_buf_attach_ops hold_ops = {
	DMA_BUF_NOT_REVOCABLE
};

/*
 * An exporter that can move its buffer has pin(); any other one keeps it where it is
 * while it is attached.
 */
static bool is_movable(const struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

static struct dma_buf_attachment *hold_attach(struct dma_buf *dmabuf, struct device *dev)
{
	if (is_movable(dmabuf))
		return dma_buf_dynamic_attach(dmabuf, dev, &hold_ops, NULL);
	return dma_buf_attach(dmabuf, dev);
}

/* With the dma-buf's lock held. */
static int hold_map(struct phyr_dmabuf_map *dm)
{
	struct dma_buf *dmabuf = dm->attach->dmabuf;
	int ret = 0;

	if (dm->attach->importer_ops)
		ret = dma_buf_pin(dm->attach);
	if (ret)
		return ret;
	ret = dma_buf_vmap(dmabuf, &dm->map);
	if (ret)
		goto unpin;
	if (dma_buf_vmap_is_right(dmabuf, &dm->map))
		return 0;
	ret = -EOPNOTSUPP;
	dma_buf_vunmap(dmabuf, &dm->map);
	iosys_map_clear(&dm->map);
unpin:
	if (dm->attach->importer_ops)
		dma_buf_unpin(dm->attach);
	return ret;
}

/**
 * phyr_dmabuf_map - hold a foreign dma-buf in place, and map it for the kernel
 * @dm: filled in; the mapping is @dm->map, which may be of I/O memory
 * @dmabuf: the dma-buf; the caller keeps a reference to it until it is unmapped
 * @dev: the device that it is attached to, until it is unmapped; it need not do DMA
 *
 * If its exporter could move it, it is pinned, and all of it counts against
 * RLIMIT_MEMLOCK of the current process.
 *
 * Context: process, may sleep; takes the reservation lock of @dmabuf.
 * Return: 0, for phyr_dmabuf_unmap(); -EOPNOTSUPP for one whose exporter has no
 * mapping for the kernel, or a wrong one (udmabuf of huge pages before Linux
 * 6.16); -ENOMEM, over RLIMIT_MEMLOCK too; what the exporter fails with.
 */
int phyr_dmabuf_map(struct phyr_dmabuf_map *dm, struct dma_buf *dmabuf, struct device *dev)
{
	unsigned long pins = is_movable(dmabuf) ? PFN_UP(dmabuf->size) : 0;
	int ret;

	*dm = (struct phyr_dmabuf_map) { 0 };
	/* dma-buf returns -EINVAL where there is none, and warns when it fails */
	if (!dmabuf->ops->vmap)
		return -EOPNOTSUPP;
	ret = pins ? phyr_account(&dm->account, pins) : 0;
	if (ret)
		return ret;
	dm->attach = hold_attach(dmabuf, dev);
	if (IS_ERR(dm->attach)) {
		ret = PTR_ERR(dm->attach);
		goto unaccount;
	}
	dma_resv_lock(dmabuf->resv, NULL);
	ret = hold_map(dm);
	dma_resv_unlock(dmabuf->resv);
	if (!ret)
		return 0;
	dma_buf_detach(dmabuf, dm->attach);
unaccount:
	phyr_unaccount(&dm->account);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_dmabuf_map);

/**
 * phyr_dmabuf_unmap - undo phyr_dmabuf_map()
 * @dm: what it filled in
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 */
void phyr_dmabuf_unmap(struct phyr_dmabuf_map *dm)
{
	struct dma_buf *dmabuf = dm->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, &dm->map);
	if (dm->attach->importer_ops)
		dma_buf_unpin(dm->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, dm->attach);
	phyr_unaccount(&dm->account);
	iosys_map_clear(&dm->map);
}
EXPORT_SYMBOL_GPL(phyr_dmabuf_unmap);

/* Its phyrs */

/* The page that the kernel finds at an address, or NULL. */
static struct page *mapped_page(const void *addr)
{
	if (is_vmalloc_addr(addr))
		return vmalloc_to_page(addr);
	return virt_addr_valid(addr) ? virt_to_page(addr) : NULL;
}

/* Adds up to a page; -EOPNOTSUPP for what the kernel does not know as memory. */
static int import_page(struct phyr_list *list, const void *addr, size_t len)
{
	struct page *page = mapped_page(addr);
	enum phyr_kind kind;
	phys_addr_t phys;

	if (!page)
		return -EOPNOTSUPP;
	phys = page_to_phys(page) + offset_in_page(addr);
	kind = phyr_kind_of(phys);
	if (kind == PHYR_PFNMAP)
		return -EOPNOTSUPP;
	return phyr_list_append(list, phys, len, kind, GFP_KERNEL_ACCOUNT);
}

/* After the @nr-th step of a long way: -EINTR if the process is being killed. */
static int import_pause(unsigned long nr)
{
	if (nr % IMPORT_STEP)
		return 0;
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static int import_pages(const struct phyr_source *source, struct phyr_list *list, u64 len)
{
	const void *addr = source->mapped.map.vaddr + source->offset;
	unsigned long nr = 0;
	size_t n;
	int ret;

	for (; len; addr += n, len -= n) {
		n = min_t(u64, len, PAGE_SIZE - offset_in_page(addr));
		ret = import_page(list, addr, n);
		if (!ret)
			ret = import_pause(++nr);
		if (ret)
			return ret;
	}
	return 0;
}

/* Its exporter says where it is. */
static int import_mapped(struct phyr_source *source, struct phyr_list *list, u64 len)
{
	int ret = phyr_dmabuf_map(&source->mapped, source->dmabuf, source->dev);

	if (ret)
		return ret;
	if (source->mapped.map.is_iomem)
		ret = -EOPNOTSUPP;
	else
		ret = import_pages(source, list, len);
	if (ret)
		phyr_dmabuf_unmap(&source->mapped);
	return ret;
}

/* Memory without a page may be revoked, and the imported region would have to be, too. */
static int import_list(struct phyr_list *list, const struct phyr_list *from, u64 offset, u64 len)
{
	unsigned long nr = 0;
	struct phyr_iter it;
	struct phyr phyr;
	int ret;

	if (phyr_list_kinds(from) & BIT(PHYR_PFNMAP))
		return -EOPNOTSUPP;
	phyr_list_for_each_slice(from, offset, len, it, phyr) {
		ret = phyr_list_append(list, phyr.addr, phyr.len, it.kind, GFP_KERNEL_ACCOUNT);
		if (!ret)
			ret = import_pause(++nr);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * phyr_source_get - get the phyrs of a part of a dma-buf
 * @source: the dma-buf, where the part begins, and the device that it is attached to;
 *	the rest is filled in
 * @list: an empty list, which gets them
 * @from: the phyrs of the dma-buf if it is a region that pins memory, else NULL
 * @len: length of the part, not 0, no further than the dma-buf goes
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 * Return: 0, for phyr_source_put(); -EOPNOTSUPP for a dma-buf whose exporter has
 * no mapping of ordinary memory for the kernel; -EINTR if the process is being
 * killed; -ENOMEM; what the exporter fails with.  Nothing is held then.
 */
int phyr_source_get(struct phyr_source *source, struct phyr_list *list,
		    const struct phyr_list *from, u64 len)
{
	int ret;

	source->mapped = (struct phyr_dmabuf_map) { 0 };
	if (from)
		ret = import_list(list, from, source->offset, len);
	else
		ret = import_mapped(source, list, len);
	if (ret) {
		phyr_list_free(list);
		return ret;
	}
	phyr_list_trim(list, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	get_dma_buf(source->dmabuf);
	return 0;
}

/**
 * phyr_source_put - put a dma-buf that was imported
 * @source: what phyr_source_get() filled in
 * @list: the list, which is empty afterwards
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 */
void phyr_source_put(struct phyr_source *source, struct phyr_list *list)
{
	phyr_list_free(list);
	if (iosys_map_is_set(&source->mapped.map))
		phyr_dmabuf_unmap(&source->mapped);
	dma_buf_put(source->dmabuf);
}
