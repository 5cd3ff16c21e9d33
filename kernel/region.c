// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region: memory that stays where it is, as a dma-buf and as a list of phyrs.
 * It is a stretch of a program's memory, pinned, or a part of another dma-buf,
 * imported.
 *
 * The dma-buf's file is the region's life: whoever holds a descriptor, a
 * mapping or an attachment holds the memory, and the last to let go unpins it.
 * The program that pinned it may be long gone; its mm is kept just for the
 * count of pinned pages.
 *
 * The dma-buf may be anything that this kernel can pin, at any byte offset.
 * It does not move: importers get their addresses once.  Memory without a
 * struct page may go, though, and the region is revoked then: programs' mappings
 * of it end in SIGBUS, importers are told to invalidate theirs and waited for,
 * and everybody gets -ENODEV from then on.  So such memory is given only to
 * importers that can be told, and that can do peer to peer, as for any dma-buf
 * of device memory.
 *
 * A region that is imported (see import.c) holds the dma-buf that it was imported
 * from.  The two have one reservation object, so fences of the one are those of the
 * other; nothing here is called with it locked that would lock that of the source.
 * The CPU's turn is announced to the source, too.  Programs' mappings are the
 * region's own, not passed on to the source: that would let a program that has only
 * a part, or may only read it, remap that file.  An import of an import is one of
 * the dma-buf itself, so that there are no chains of any length to recurse along.
 */
#include <linux/capability.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "compat.h"
#include "internal.h"

struct phyr_region {
	struct phyr_list list;
	struct dma_buf *dmabuf;
	struct inode *inode;		/* of its file, held: the file may go before */
	struct phyr_account account;	/* nothing is counted here if imported */
	struct phyr_source source;	/* without a dma-buf if not */
	unsigned long pages;
	unsigned int in_page;		/* offset of the first byte in its page */
	bool write;
	struct phyr_user user;
	struct mutex lock;		/* of maps */
	struct list_head maps;
	atomic_t nr_maps;		/* importers' mappings that are not over */
	atomic_t nr_holders;		/* programs' mappings, drivers that have it by phyrs */
	wait_queue_head_t unmapped;	/* all of them */
	struct list_head entry;		/* in regions */
	pid_t pid;			/* who pinned it */
	char comm[TASK_COMM_LEN];
};

/* What one importer has mapped. */
struct region_map {
	struct list_head entry;
	struct phyr_user stopped;
	struct sg_phyrs *sg;
	struct sg_table sgt;
};

static LIST_HEAD(regions);
static u64 nr_regions, nr_pages;
static DEFINE_MUTEX(regions_lock);

/*
 * Importers and mappings deal in pages, and the rest of a page belongs to others.  So a
 * region of whole pages only can be attached to or mapped; drivers that take it as a
 * list (phyr_region_list()) keep to the byte.
 */
static bool region_whole_pages(const struct phyr_region *region)
{
	return !region->in_page && PAGE_ALIGNED(phyr_list_len(&region->list));
}

/* Importers */

static int region_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_whole_pages(region))
		return -EINVAL;
	if (!(phyr_list_kinds(&region->list) & BIT(PHYR_MMIO)))
		return 0;
	if (!attach->peer2peer || !attach->importer_ops->invalidate_mappings)
		return -EOPNOTSUPP;
	return phyr_list_revoked(&region->list) ? -ENODEV : 0;
}

/*
 * A region does not move, pinned or not.  But an exporter that says nothing of it is
 * taken for an old one by older kernels, and mapped from attaching to detaching,
 * whatever the importer does.
 *
 * There an importer that cannot be told is known only by its pins, so these are counted.
 */
static int region_hold(struct dma_buf_attachment *attach)
{
	struct phyr_region *region = attach->dmabuf->priv;
	unsigned long pins = (unsigned long)attach->priv;

	if (phyr_list_kinds(&region->list) & BIT(PHYR_MMIO) && pins >= DMA_BUF_PINS_REVOCABLE)
		return -EOPNOTSUPP;
	attach->priv = (void *)(pins + 1);
	return 0;
}

static void region_unhold(struct dma_buf_attachment *attach)
{
	attach->priv = (void *)((unsigned long)attach->priv - 1);
}

/* Importers are told of a revocation by region_revoke(), before their mappings are. */
static void map_stopped(struct phyr_user *user)
{
}

static struct sg_table *region_map(struct dma_buf_attachment *attach,
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
	map->stopped.revoke = map_stopped;
	map->sg = sg_map_phyr_list_revocable(attach->dev, &region->list, 0,
					     phyr_list_len(&region->list), dir, 0,
					     &map->stopped);
	if (IS_ERR(map->sg)) {
		ret = PTR_ERR(map->sg);
		goto free;
	}
	ret = sg_phyrs_to_sgtable(map->sg, &map->sgt, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unmap;
	mutex_lock(&region->lock);
	list_add(&map->entry, &region->maps);
	mutex_unlock(&region->lock);
	atomic_inc(&region->nr_maps);
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
	if (atomic_dec_and_test(&region->nr_maps))
		wake_up_all(&region->unmapped);
}

/* The CPU */

static bool region_imported(const struct phyr_region *region)
{
	return region->source.dmabuf;
}

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
	return region_imported(region) ? dma_buf_end_cpu_access(region->source.dmabuf, dir) : 0;
}

/* Memory without a struct page is cached as the program that lends it does. */
static pgprot_t region_prot(const struct phyr_region *region, u64 offset, pgprot_t prot)
{
	switch (phyr_watch_caching(&region->list, offset)) {
	case PHYR_WB:
		return prot;
	case PHYR_WC:
		return pgprot_writecombine(prot);
	default:
		return pgprot_noncached(prot);
	}
}

static vm_fault_t region_insert(const struct phyr_region *region, struct vm_fault *vmf)
{
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	struct vm_area_struct *vma = vmf->vma;
	pgprot_t prot = vma->vm_page_prot;
	enum phyr_kind kind;
	struct phyr phyr;

	if (!phyr_list_find(&region->list, offset, &phyr, &kind))
		return VM_FAULT_SIGBUS;
	/* a driver may have given the memory pages since it was pinned */
	if (kind == PHYR_MMIO && pfn_valid(PHYS_PFN(phyr.addr)))
		return VM_FAULT_SIGBUS;
	if (kind == PHYR_MMIO)
		prot = region_prot(region, offset, prot);
	else if (vma->vm_flags & VM_MIXEDMAP)
		return vmf_insert_mixed(vma, vmf->address, PHYS_PFN(phyr.addr));
	return vmf_insert_pfn_prot(vma, vmf->address, PHYS_PFN(phyr.addr), prot);
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	struct phyr_region *region = vmf->vma->vm_private_data;
	int idx = phyr_list_enter(&region->list);
	vm_fault_t ret;

	if (idx < 0)
		return VM_FAULT_SIGBUS;
	ret = region_insert(region, vmf);
	phyr_list_leave(&region->list, idx);
	return ret;
}

static void region_vm_open(struct vm_area_struct *vma)
{
	struct phyr_region *region = vma->vm_private_data;

	atomic_inc(&region->nr_holders);
}

static void region_vm_close(struct vm_area_struct *vma)
{
	struct phyr_region *region = vma->vm_private_data;

	atomic_dec(&region->nr_holders);
}

static const struct vm_operations_struct region_vm_ops = {
	.open = region_vm_open,
	.close = region_vm_close,
	.fault = region_fault,
};

/*
 * VFIO's type1 driver reads page frames without a struct page, or with a reserved one as
 * devdax has, from VM_PFNMAP mappings, and programs an IOMMU with them: without a pin, and
 * without being notified of a revocation.  It does not of VM_MIXEDMAP mappings, and GUP
 * fails for VM_IO.  Entries are special all the same: the architecture marks them, and
 * nothing counts their pages.  Whether the pages of an import are reserved is not known.
 */
static vm_flags_t region_vm_flags(const struct phyr_region *region)
{
	BUILD_BUG_ON(!IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL));
	if (region_imported(region) || phyr_list_kinds(&region->list) & ~BIT(PHYR_RAM))
		return VM_IO | VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP;
	return VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
}

static int region_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct phyr_region *region = dmabuf->priv;

	if (!region_whole_pages(region) || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (phyr_list_revoked(&region->list))
		return -ENODEV;
	if (!region->write) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, region_vm_flags(region));
	vma->vm_private_data = region;
	vma->vm_ops = &region_vm_ops;
	region_vm_open(vma);
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
		cond_resched();
	}
	return pages;
}

static int region_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct phyr_region *region = dmabuf->priv;
	struct page **pages;
	void *addr;

	if (iosys_map_is_set(&region->source.mapped.map)) {
		iosys_map_set_vaddr(map, region->source.mapped.map.vaddr + region->source.offset);
		return 0;
	}
	pages = region_page_array(region);
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

	if (!iosys_map_is_set(&region->source.mapped.map))
		vunmap(map->vaddr - region->in_page);
}

/* The end of the memory, before the end of the region */

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

/* Life */

static void region_free(struct phyr_region *region)
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
static void region_show_up(struct phyr_region *region)
{
	region->inode = file_inode(region->dmabuf->file);
	ihold(region->inode);
	region->pid = task_tgid_nr(current);
	get_task_comm(region->comm, current);
	mutex_lock(&regions_lock);
	list_add_tail(&region->entry, &regions);
	nr_regions++;
	nr_pages += region_pins(region);
	mutex_unlock(&regions_lock);
}

static void region_release(struct dma_buf *dmabuf)
{
	struct phyr_region *region = dmabuf->priv;

	mutex_lock(&regions_lock);
	list_del(&region->entry);
	nr_regions--;
	nr_pages -= region_pins(region);
	mutex_unlock(&regions_lock);
	phyr_list_unuse(&region->list, &region->user);
	iput(region->inode);
	region_free(region);
}

/* Every region's file is let go of by region_release(): it is known by that. */
#define REGION_OPS					\
	.attach = region_attach,			\
	.pin = region_hold,				\
	.unpin = region_unhold,				\
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

static struct phyr_region *region_new(bool write)
{
	struct phyr_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return NULL;
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->maps);
	INIT_LIST_HEAD(&region->user.entry);
	init_waitqueue_head(&region->unmapped);
	region->user.revoke = region_revoke;
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

static struct dma_buf *region_export(struct phyr_region *region)
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

/* A region that has its memory becomes a dma-buf, or is freed. */
static struct dma_buf *region_finish(struct phyr_region *region)
{
	struct dma_buf *dmabuf = region_export(region);

	if (IS_ERR(dmabuf)) {
		region_free(region);
		return dmabuf;
	}
	region->dmabuf = dmabuf;
	region_show_up(region);
	if (phyr_list_use(&region->list, &region->user)) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EFAULT);
	}
	return dmabuf;
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
	struct phyr_region *region = region_new_pinned(addr, len, write);
	u64 start;
	int ret;

	if (IS_ERR(region))
		return ERR_CAST(region);
	start = ktime_get_ns();
	ret = pin_user_phyr_list(&region->list, addr, len, FOLL_LONGTERM |
				 (write ? FOLL_WRITE : 0) |
				 (phyr_may_pin_pfnmap() ? PHYR_FOLL_PFNMAP : 0));
	*pin_ns = ktime_get_ns() - start;
	if (ret) {
		region_free(region);
		return ERR_PTR(ret);
	}
	return region_finish(region);
}

/* The region that a dma-buf is, or NULL. */
static struct phyr_region *region_of(const struct dma_buf *dmabuf)
{
	return dmabuf->ops->release == region_release ? dmabuf->priv : NULL;
}

/* Nobody gets more out of a dma-buf than its descriptor is good for. */
static bool import_allowed(const struct dma_buf *dmabuf, bool write)
{
	const struct phyr_region *from = region_of(dmabuf);
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
	const struct phyr_region *from = region_of(dmabuf);
	enum phyr_kind kind;
	struct phyr first;
	int ret;

	if (from && region_imported(from)) {
		dmabuf = from->source.dmabuf;
		offset += from->source.offset;
		from = region_of(dmabuf);
	}
	ret = phyr_source_get(&region->source, &region->list, dmabuf, from ? &from->list : NULL,
			      offset, len);
	if (ret)
		return ret;
	if (!region->write)
		phyr_list_set_read_only(&region->list);
	phyr_list_find(&region->list, 0, &first, &kind);
	region_measure(region, first.addr, len);
	return 0;
}

static struct dma_buf *region_import(struct dma_buf *source, u64 offset, u64 len, bool write)
{
	struct phyr_region *region;
	int ret;

	ret = import_check(source, offset, len, write);
	if (ret)
		return ERR_PTR(ret);
	region = region_new(write);
	if (!region)
		return ERR_PTR(-ENOMEM);
	ret = region_fill(region, source, offset, len ? len : source->size - offset);
	if (ret) {
		kfree(region);
		return ERR_PTR(ret);
	}
	return region_finish(region);
}

/**
 * phyr_region_import - make a region of a part of a dma-buf
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
 * asked for either: a program that has the descriptor may give it to any driver, which
 * maps it for its device or for the kernel and so keeps it in place; a region does no
 * more than that.  Its physical addresses are shown only to programs that may see those
 * of other regions.
 *
 * Context: process, may sleep; takes the reservation lock of the dma-buf.
 * Return: a dma-buf that nobody else has seen yet, or an ERR_PTR() of -EBADF or
 * -EINVAL for what is no dma-buf, -EOVERFLOW or -EINVAL for a part that is not in
 * it, -EACCES if it may not be read or, with @write, written, or what
 * phyr_source_get() answers.
 */
struct dma_buf *phyr_region_import(int fd, u64 offset, u64 len, bool write)
{
	struct dma_buf *source = dma_buf_get(fd), *dmabuf;

	if (IS_ERR(source))
		return source;
	dmabuf = region_import(source, offset, len, write);
	dma_buf_put(source);
	return dmabuf;
}

/**
 * phyr_region_totals - regions that exist, and the pages they pin
 * @count: set to how many regions
 * @pages: set to how many pages
 */
void phyr_region_totals(u64 *count, u64 *pages)
{
	mutex_lock(&regions_lock);
	*count = nr_regions;
	*pages = nr_pages;
	mutex_unlock(&regions_lock);
}

/* For the administrator: /sys/kernel/debug/phyr/regions */

static const char *const kind_names[] = {
	[PHYR_RAM] = "ram",
	[PHYR_PMEM] = "pmem",
	[PHYR_P2P] = "p2p",
	[PHYR_MMIO] = "mmio",
};

static void show_kinds(struct seq_file *m, unsigned int kinds)
{
	const char *comma = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (!(kinds & BIT(i)))
			continue;
		seq_printf(m, "%s%s", comma, kind_names[i]);
		comma = ",";
	}
}

static const char *region_state(const struct phyr_region *region)
{
	if (region_imported(region))
		return "imported";
	return phyr_list_revoked(&region->list) ? "revoked" : "pinned";
}

/* The number of the dma-buf is that of /proc/PID/fdinfo and the bufinfo of dma-buf. */
static void region_show(struct seq_file *m, struct phyr_region *region)
{
	seq_printf(m, "%llu %d %llu %lu %lu ", (u64)region->inode->i_ino, region->pid,
		   phyr_list_len(&region->list), region->pages, phyr_list_nr(&region->list));
	show_kinds(m, phyr_list_kinds(&region->list));
	seq_printf(m, " %s %s %d ", region->write ? "rw" : "ro", region_state(region),
		   atomic_read(&region->nr_maps) + atomic_read(&region->nr_holders));
	seq_escape(m, region->comm, " \t\n\\");
	seq_putc(m, '\n');
}

static int regions_show(struct seq_file *m, void *unused)
{
	struct phyr_region *region;

	seq_puts(m, "# inode pid bytes pages phyrs kinds access state users comm\n");
	mutex_lock(&regions_lock);
	list_for_each_entry(region, &regions, entry)
		region_show(m, region);
	mutex_unlock(&regions_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(regions);

static struct dentry *debug_dir;

/**
 * phyr_regions_debugfs - let the administrator see what is pinned
 */
void phyr_regions_debugfs(void)
{
	debug_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("regions", 0400, debug_dir, NULL, &regions_fops);
}

/**
 * phyr_regions_debugfs_remove - no more of that
 */
void phyr_regions_debugfs_remove(void)
{
	debugfs_remove_recursive(debug_dir);
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
 * what is no descriptor, -EINVAL for one of something else.
 */
struct phyr_region *phyr_region_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct phyr_region *region;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	region = region_of(dmabuf);
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
