// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region: a stretch of a program's memory that stays pinned, as a dma-buf.
 *
 * The dma-buf's file is the region's life: whoever holds a descriptor, a
 * mapping or an attachment holds the memory, and the last to let go unpins it.
 * The program that pinned it may be long gone; its mm is kept just for the
 * count of pinned pages.
 *
 * The dma-buf may be anything that this kernel can pin, at any byte offset.
 * It does not move: importers get their addresses once.  Memory without a
 * struct page is given only to importers that can do peer to peer, as for any
 * dma-buf of device memory.
 */
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "internal.h"

struct phyr_region {
	struct phyr_list list;
	struct dma_buf *dmabuf;
	struct mm_struct *mm;
	unsigned long pages;
	unsigned int in_page;		/* offset of the first byte in its page */
	bool write;
	struct mutex lock;		/* of maps */
	struct list_head maps;
};

/* What one importer has mapped. */
struct region_map {
	struct list_head entry;
	struct sg_phyrs *sg;
	struct sg_table sgt;
};

static atomic_long_t nr_regions;
static atomic_long_t nr_pages;

/* Accounting: pages of RLIMIT_MEMLOCK, as RDMA counts them */

static int region_account(struct phyr_region *region)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 total = atomic64_add_return(region->pages, &current->mm->pinned_vm);

	if (total > limit && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(region->pages, &current->mm->pinned_vm);
		return -ENOMEM;
	}
	region->mm = current->mm;
	mmgrab(region->mm);
	return 0;
}

static void region_unaccount(struct phyr_region *region)
{
	atomic64_sub(region->pages, &region->mm->pinned_vm);
	mmdrop(region->mm);
}

/* Importers */

static int region_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct phyr_region *region = dmabuf->priv;

	if (phyr_list_kinds(&region->list) & BIT(PHYR_MMIO) && !attach->peer2peer)
		return -EOPNOTSUPP;
	return 0;
}

static struct sg_table *region_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct phyr_region *region = attach->dmabuf->priv;
	struct region_map *map;
	int ret;

	if (!region->write && dir != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);
	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->sg = sg_map_phyr_list(attach->dev, &region->list, 0,
				   phyr_list_len(&region->list), dir, 0);
	if (IS_ERR(map->sg)) {
		ret = PTR_ERR(map->sg);
		goto free;
	}
	ret = sg_phyrs_to_sgtable(map->sg, &map->sgt, GFP_KERNEL);
	if (ret)
		goto unmap;
	mutex_lock(&region->lock);
	list_add(&map->entry, &region->maps);
	mutex_unlock(&region->lock);
	return &map->sgt;
unmap:
	sg_unmap_phyrs(map->sg);
free:
	kfree(map);
	return ERR_PTR(ret);
}

static void region_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct phyr_region *region = attach->dmabuf->priv;
	struct region_map *map = container_of(sgt, struct region_map, sgt);

	mutex_lock(&region->lock);
	list_del(&map->entry);
	mutex_unlock(&region->lock);
	sg_free_table(&map->sgt);
	sg_unmap_phyrs(map->sg);
	kfree(map);
}

/* The CPU */

static int region_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct phyr_region *region = dmabuf->priv;
	struct region_map *map;

	mutex_lock(&region->lock);
	list_for_each_entry(map, &region->maps, entry)
		sg_phyrs_sync_for_cpu(map->sg);
	mutex_unlock(&region->lock);
	return 0;
}

static int region_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct phyr_region *region = dmabuf->priv;
	struct region_map *map;

	mutex_lock(&region->lock);
	list_for_each_entry(map, &region->maps, entry)
		sg_phyrs_sync_for_device(map->sg);
	mutex_unlock(&region->lock);
	return 0;
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct phyr_region *region = vma->vm_private_data;
	pgprot_t prot = vma->vm_page_prot;
	enum phyr_kind kind;
	struct phyr phyr;

	if (!phyr_list_find(&region->list, (u64)vmf->pgoff << PAGE_SHIFT, &phyr, &kind))
		return VM_FAULT_SIGBUS;
	if (kind == PHYR_MMIO)
		prot = pgprot_noncached(prot);
	return vmf_insert_pfn_prot(vma, vmf->address, PHYS_PFN(phyr.addr), prot);
}

static const struct vm_operations_struct region_vm_ops = {
	.fault = region_fault,
};

/* A region of whole pages only: the rest of a page may be somebody else's. */
static bool region_whole_pages(const struct phyr_region *region)
{
	return !region->in_page && PAGE_ALIGNED(phyr_list_len(&region->list));
}

static int region_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_whole_pages(region) || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!region->write) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = region;
	vma->vm_ops = &region_vm_ops;
	return 0;
}

static struct page **region_page_array(struct phyr_region *region)
{
	struct page **pages = kvmalloc_array(region->pages, sizeof(*pages),
					     GFP_KERNEL | __GFP_NOWARN);
	unsigned long n = 0, pfn;
	struct phyr_iter it;
	struct phyr phyr;

	if (!pages)
		return NULL;
	phyr_list_for_each(&region->list, it, phyr) {
		for (pfn = PHYS_PFN(phyr.addr); pfn <= PHYS_PFN(phyr.addr + phyr.len - 1); pfn++)
			pages[n++] = pfn_to_page(pfn);
	}
	return pages;
}

static int region_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct phyr_region *region = dmabuf->priv;
	struct page **pages = region_page_array(region);
	void *addr;

	if (!pages)
		return -ENOMEM;
	addr = vmap(pages, region->pages, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	if (!addr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, addr + region->in_page);
	return 0;
}

static void region_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct phyr_region *region = dmabuf->priv;

	vunmap(map->vaddr - region->in_page);
}

/* Life */

static void region_free(struct phyr_region *region)
{
	unpin_user_phyr_list(&region->list, region->write);
	region_unaccount(region);
	kfree(region);
}

static void region_release(struct dma_buf *dmabuf)
{
	struct phyr_region *region = dmabuf->priv;

	atomic_long_dec(&nr_regions);
	atomic_long_sub(region->pages, &nr_pages);
	region_free(region);
}

/* Every region's file is let go of by region_release(): it is known by that. */
#define REGION_OPS					\
	.attach = region_attach,			\
	.map_dma_buf = region_map,			\
	.unmap_dma_buf = region_unmap,			\
	.release = region_release,			\
	.begin_cpu_access = region_begin_cpu_access,	\
	.end_cpu_access = region_end_cpu_access,	\
	.mmap = region_mmap

static const struct dma_buf_ops region_ops = {
	REGION_OPS,
};

static const struct dma_buf_ops region_ops_vmap = {
	REGION_OPS,
	.vmap = region_vmap,
	.vunmap = region_vunmap,
};

/*
 * A mapping for the kernel could be written, and needs pages. dma-buf warns
 * when vmap() fails, so where it cannot be it is not offered.
 */
static const struct dma_buf_ops *region_pick_ops(const struct phyr_region *region)
{
	if (!region->write || phyr_list_kinds(&region->list) & BIT(PHYR_MMIO))
		return &region_ops;
	return &region_ops_vmap;
}

static struct phyr_region *region_new(unsigned long addr, size_t len, bool write)
{
	struct phyr_region *region;
	int ret;

	if (!len)
		return ERR_PTR(-EINVAL);
	if (addr + len < addr || PAGE_ALIGN(addr + len) < addr)
		return ERR_PTR(-EOVERFLOW);
	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->maps);
	phyr_list_init(&region->list);
	region->write = write;
	region->in_page = offset_in_page(addr);
	region->pages = (PAGE_ALIGN(addr + len) - (addr & PAGE_MASK)) >> PAGE_SHIFT;
	ret = region_account(region);
	if (ret) {
		kfree(region);
		return ERR_PTR(ret);
	}
	return region;
}

static struct dma_buf *region_export(struct phyr_region *region)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = region_pick_ops(region);
	info.size = phyr_list_len(&region->list);
	info.flags = O_RDWR;
	info.priv = region;
	return dma_buf_export(&info);
}

/**
 * phyr_region_pin - pin memory of the current process as a region
 * @addr: first byte
 * @len: length in bytes
 * @write: may it be written through the region
 * @pin_ns: set to how long the pinning took
 *
 * Context: process, may sleep.
 * Return: a dma-buf that nobody else has seen yet, or an ERR_PTR() of what
 * pin_user_phyr_list() answers, or -ENOMEM over RLIMIT_MEMLOCK.
 */
struct dma_buf *phyr_region_pin(unsigned long addr, size_t len, bool write, u64 *pin_ns)
{
	struct phyr_region *region = region_new(addr, len, write);
	struct dma_buf *dmabuf;
	u64 start;
	int ret;

	if (IS_ERR(region))
		return ERR_CAST(region);
	start = ktime_get_ns();
	ret = pin_user_phyr_list(&region->list, addr, len,
				 FOLL_LONGTERM | (write ? FOLL_WRITE : 0));
	*pin_ns = ktime_get_ns() - start;
	if (ret) {
		region_free(region);
		return ERR_PTR(ret);
	}
	dmabuf = region_export(region);
	if (IS_ERR(dmabuf)) {
		region_free(region);
		return dmabuf;
	}
	region->dmabuf = dmabuf;
	atomic_long_inc(&nr_regions);
	atomic_long_add(region->pages, &nr_pages);
	return dmabuf;
}

/**
 * phyr_region_totals - regions that exist, and the pages they pin
 * @regions: set to how many regions
 * @pages: set to how many pages
 */
void phyr_region_totals(u64 *regions, u64 *pages)
{
	*regions = atomic_long_read(&nr_regions);
	*pages = atomic_long_read(&nr_pages);
}

/**
 * phyr_region_pages - pages that a region pins
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
 * @fd: what a program got from PHYR_IOC_PIN
 *
 * Context: process.
 * Return: the region, for phyr_region_put(); or an ERR_PTR() of -EBADF for
 * what is no descriptor, -EINVAL for one of something else.
 */
struct phyr_region *phyr_region_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	if (dmabuf->ops->release != region_release) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EINVAL);
	}
	return dmabuf->priv;
}
EXPORT_SYMBOL_GPL(phyr_region_get);

/**
 * phyr_region_put - let go of a region
 * @region: what phyr_region_get() gave
 *
 * Context: process, may sleep: the last one unpins the memory.
 */
void phyr_region_put(struct phyr_region *region)
{
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
