// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody else's dma-buf becomes phyrs.
 *
 * An importer is given DMA addresses for its device, and may not ask what memory
 * they lead to.  But an exporter that maps its buffer for the kernel as ordinary
 * memory shows where that is, and keeps the buffer in place for as long as it is
 * mapped.  So the mapping is walked once, and stays until the list is done with:
 * it is what holds the memory.  The pages are the exporter's; the list has no
 * pins of its own on them, and there is nothing to unpin.
 *
 * A region of /dev/phyr does not move, and its list is at hand: holding the
 * region is enough.
 */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "internal.h"

#define IMPORT_STEP	1024	/* pages, or phyrs, until others have a turn */

/* The page that the kernel finds at an address, or NULL. */
static struct page *mapped_page(const void *addr)
{
	if (is_vmalloc_addr(addr))
		return vmalloc_to_page(addr);
	return virt_addr_valid(addr) ? virt_to_page(addr) : NULL;
}

/* Adds up to a page; -EOPNOTSUPP for what the kernel does not know as memory. */
static int import_page(struct phyr_list *list, const struct dma_buf *dmabuf, const void *addr,
		       size_t len)
{
	struct page *page = mapped_page(addr);
	enum phyr_kind kind;
	phys_addr_t phys;

	if (!page)
		return -EOPNOTSUPP;
	phys = page_to_phys(page) + offset_in_page(addr);
	kind = phyr_kind_of(phys);
	if (kind == PHYR_MMIO || !dma_buf_vmap_is_right(dmabuf, page))
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
	const void *addr = source->map.vaddr + source->offset;
	unsigned long nr = 0;
	size_t n;
	int ret;

	for (; len; addr += n, len -= n) {
		n = min_t(u64, len, PAGE_SIZE - offset_in_page(addr));
		ret = import_page(list, source->dmabuf, addr, n);
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
	int ret;

	/* dma-buf says -EINVAL where there is none, and warns when it cannot be had */
	if (!source->dmabuf->ops->vmap)
		return -EOPNOTSUPP;
	ret = dma_buf_vmap_unlocked(source->dmabuf, &source->map);
	if (ret)
		return ret;
	if (source->map.is_iomem)
		ret = -EOPNOTSUPP;
	else
		ret = import_pages(source, list, len);
	if (ret)
		dma_buf_vunmap_unlocked(source->dmabuf, &source->map);
	return ret;
}

/* Memory without a page may go, and the imported region would have to be told. */
static int import_list(struct phyr_list *list, const struct phyr_list *from, u64 offset, u64 len)
{
	unsigned long nr = 0;
	struct phyr_iter it;
	struct phyr phyr;
	int ret;

	if (phyr_list_kinds(from) & BIT(PHYR_MMIO))
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
 * @source: filled in
 * @list: an empty list, which gets them
 * @dmabuf: the dma-buf
 * @from: its phyrs if it is a region that pins memory, else NULL
 * @offset: first byte of the part
 * @len: its length, not 0, no further than the dma-buf goes
 *
 * Context: process, may sleep; takes the reservation lock of @dmabuf.
 * Return: 0, for phyr_source_put(); -EOPNOTSUPP for a dma-buf whose exporter has
 * no mapping of ordinary memory for the kernel; -EINTR if the process is being
 * killed; -ENOMEM; whatever the exporter refuses with.  Nothing is held then.
 */
int phyr_source_get(struct phyr_source *source, struct phyr_list *list, struct dma_buf *dmabuf,
		    const struct phyr_list *from, u64 offset, u64 len)
{
	int ret;

	iosys_map_clear(&source->map);
	source->dmabuf = dmabuf;
	source->offset = offset;
	if (from)
		ret = import_list(list, from, offset, len);
	else
		ret = import_mapped(source, list, len);
	if (ret) {
		phyr_list_free(list);
		return ret;
	}
	phyr_list_trim(list, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	get_dma_buf(dmabuf);
	return 0;
}

/**
 * phyr_source_put - let go of a dma-buf that was imported
 * @source: what phyr_source_get() filled in
 * @list: the list, which is empty afterwards
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 */
void phyr_source_put(struct phyr_source *source, struct phyr_list *list)
{
	phyr_list_free(list);
	if (iosys_map_is_set(&source->map))
		dma_buf_vunmap_unlocked(source->dmabuf, &source->map);
	dma_buf_put(source->dmabuf);
}
