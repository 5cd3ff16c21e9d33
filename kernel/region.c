// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region: memory that stays where it is, as a dma-buf and as a list of phyrs.  It is
 * a stretch of a program's memory, pinned, or a part of another dma-buf, imported.
 * Here regions are made, found and put; what can be done with the dma-buf, and how a
 * region ends, is in region_dmabuf.c.
 *
 * The dma-buf's file is the region's life: a descriptor, a mapping or an attachment
 * holds the memory, and the last reference unpins it.  The program that
 * pinned it may have exited; its mm is kept only for the count of pinned pages.
 *
 * An import of an import is one of the dma-buf itself, so that there are no chains of
 * any length to recurse along.
 */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "region_private.h"

static struct phyr_region *region_new(bool write)
{
	struct phyr_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return NULL;
	mutex_init(&region->lock);
	mutex_init(&region->fault_lock);
	INIT_LIST_HEAD(&region->maps);
	INIT_LIST_HEAD(&region->user.entry);
	init_waitqueue_head(&region->unmapped);
	phyr_list_init(&region->list);
	region->write = write;
	return region;
}

/* @addr is the first byte's, in whatever address space. */
static void region_measure(struct phyr_region *region, u64 addr, size_t len)
{
	region->in_page = offset_in_page(addr);
	region->pages = PFN_UP((u64)region->in_page + len);
}

static struct phyr_region *region_new_pinned(unsigned long addr, size_t len, bool write)
{
	struct phyr_region *region;
	int ret;

	if (!len)
		return ERR_PTR(-EINVAL);
	if (addr + len < addr || PAGE_ALIGN(addr + len) < addr)
		return ERR_PTR(-EOVERFLOW);
	if (len > TASK_SIZE)
		return ERR_PTR(-EFAULT);
	region = region_new(write);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region_measure(region, addr, len);
	ret = phyr_account(&region->account, region->pages);
	if (ret) {
		kfree(region);
		return ERR_PTR(ret);
	}
	return region;
}

/**
 * phyr_region_pin - pin memory of the current process as a region
 * @addr: first byte
 * @len: length in bytes
 * @write: may it be written through the region
 * @pin_ns: set to how long the pinning took
 *
 * Context: process, may sleep.
 * Return: a dma-buf that is not visible to others yet, or an ERR_PTR() of what
 * pin_user_phyr_list() answers, or -ENOMEM over RLIMIT_MEMLOCK.
 */
struct dma_buf *phyr_region_pin(unsigned long addr, size_t len, bool write, u64 *pin_ns)
{
	struct phyr_region *region = region_new_pinned(addr, len, write);
	u64 start;
	int ret;

	if (IS_ERR(region))
		return ERR_CAST(region);
	start = ktime_get_ns();
	ret = pin_user_phyr_list(&region->list, addr, len, FOLL_LONGTERM |
				 (write ? FOLL_WRITE : 0) |
				 phyr_foll_pfnmap());
	*pin_ns = ktime_get_ns() - start;
	if (ret) {
		phyr_region_free(region);
		return ERR_PTR(ret);
	}
	return phyr_region_export(region);
}

/* Nobody gets more out of a dma-buf than its descriptor is good for. */
static bool import_allowed(const struct dma_buf *dmabuf, bool write)
{
	const struct phyr_region *from = phyr_region_of(dmabuf);
	fmode_t mode = FMODE_READ | (write ? FMODE_WRITE : 0);

	if (write && from && !from->write)
		return false;
	return (dmabuf->file->f_mode & mode) == mode;
}

static int import_check(const struct dma_buf *dmabuf, u64 offset, u64 len, bool write)
{
	if (offset + len < offset)
		return -EOVERFLOW;
	if (offset >= dmabuf->size || len > dmabuf->size - offset)
		return -EINVAL;
	return import_allowed(dmabuf, write) ? 0 : -EACCES;
}

/* Gets the phyrs of @dmabuf, or if that is an import, those of what it is one of. */
static int region_fill(struct phyr_region *region, struct dma_buf *dmabuf, u64 offset, u64 len)
{
	struct phyr_source *source = &region->source;
	const struct phyr_region *from = phyr_region_of(dmabuf);
	enum phyr_kind kind;
	struct phyr first;
	int ret;

	if (from && region_imported(from)) {
		dmabuf = from->source.dmabuf;
		offset += from->source.offset;
		from = phyr_region_of(dmabuf);
	}
	source->dmabuf = dmabuf;
	source->offset = offset;
	ret = phyr_source_get(source, &region->list, from ? &from->list : NULL, len);
	if (ret)
		return ret;
	if (!region->write)
		phyr_list_set_read_only(&region->list);
	phyr_list_find(&region->list, 0, &first, &kind);
	region_measure(region, first.addr, len);
	return 0;
}

static struct dma_buf *region_import(struct device *dev, struct dma_buf *source, u64 offset,
				     u64 len, bool write)
{
	struct phyr_region *region;
	int ret;

	ret = import_check(source, offset, len, write);
	if (ret)
		return ERR_PTR(ret);
	region = region_new(write);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region->source.dev = dev;
	ret = region_fill(region, source, offset, len ? len : source->size - offset);
	if (ret) {
		kfree(region);
		return ERR_PTR(ret);
	}
	return phyr_region_export(region);
}

/**
 * phyr_region_import - make a region of a part of a dma-buf
 * @dev: the device that it is attached to, which does no DMA
 * @fd: the dma-buf
 * @offset: first byte of the part
 * @len: its length in bytes, 0 for all that comes after @offset
 * @write: may it be written through the region
 *
 * A dma-buf that its exporter could move is pinned, and all of it counts against
 * RLIMIT_MEMLOCK as what phyr_region_pin() pins does.  Anything else does not: it is its
 * exporter's to account for, however many regions are made of it.  That includes exporters
 * that pin in attach(), without a pin() to be known by, as many graphics drivers do for
 * every importer.  The list is charged to the caller's memory cgroup.  No privilege is
 * needed either: a program that has the descriptor may give it to any driver, which
 * maps it for its device or for the kernel and so keeps it in place; a region does no
 * more than that.  Its physical addresses are shown only to programs that may see those
 * of other regions.
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 * Return: a dma-buf that is not visible to others yet, or an ERR_PTR() of -EBADF or
 * -EINVAL for what is no dma-buf, -EOVERFLOW or -EINVAL for a part that is not in
 * it, -EACCES if it may not be read or, with @write, written, or what
 * phyr_source_get() answers.
 */
struct dma_buf *phyr_region_import(struct device *dev, int fd, u64 offset, u64 len, bool write)
{
	struct dma_buf *source = dma_buf_get(fd), *dmabuf;

	if (IS_ERR(source))
		return source;
	dmabuf = region_import(dev, source, offset, len, write);
	dma_buf_put(source);
	return dmabuf;
}

/**
 * phyr_region_pages - pages that a region touches
 * @region: the region
 *
 * Return: how many.
 */
u64 phyr_region_pages(const struct phyr_region *region)
{
	return region->pages;
}

/**
 * phyr_region_get - the region behind a file descriptor
 * @fd: what a program got from PHYR_IOC_PIN or PHYR_IOC_IMPORT
 *
 * Context: process.
 * Return: the region, for phyr_region_put(); or an ERR_PTR() of -EBADF for
 * what is no descriptor, -EINVAL for one that is no region.
 */
struct phyr_region *phyr_region_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct phyr_region *region;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	region = phyr_region_of(dmabuf);
	if (!region) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EINVAL);
	}
	atomic_inc(&region->nr_holders);
	return region;
}
EXPORT_SYMBOL_GPL(phyr_region_get);

/**
 * phyr_region_put - drop a reference to a region
 * @region: what phyr_region_get() gave
 *
 * Context: process, may sleep: the last reference unpins the memory, with the rules for
 * locks of unpin_user_phyr_list().
 */
void phyr_region_put(struct phyr_region *region)
{
	atomic_dec(&region->nr_holders);
	dma_buf_put(region->dmabuf);
}
EXPORT_SYMBOL_GPL(phyr_region_put);

/**
 * phyr_region_list - the phyrs of a region
 * @region: the region
 *
 * Return: the list, which does not change; valid until phyr_region_put().
 */
const struct phyr_list *phyr_region_list(const struct phyr_region *region)
{
	return &region->list;
}
EXPORT_SYMBOL_GPL(phyr_region_list);

/**
 * phyr_region_writable - may a device write to a region
 * @region: the region
 *
 * Return: true if it may.
 */
bool phyr_region_writable(const struct phyr_region *region)
{
	return region->write;
}
EXPORT_SYMBOL_GPL(phyr_region_writable);
