// SPDX-License-Identifier: GPL-2.0-only
/*
 * ib_umem by phyrs: user memory for every RDMA driver.
 *
 * What a driver gets is what it got before, an ib_umem with a mapped sg_table;
 * it was just pinned a leaf of the page table at a time, and has an entry a
 * phyr.  Such an ib_umem needs nothing of this module any more, so the stock
 * code can release it.  Two sorts do, and hold a reference to it: those with
 * memory that has no struct page, and the regions of soft RoCE, which are
 * lists of phyrs and have no table at all.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../hook/hook.h"
#include "umem.h"

/*
 * Calls that drivers make, which have to come to the functions below; of a device that
 * is none, and about no bytes.
 */

static int get_test(void)
{
	struct ib_device *device = kzalloc(sizeof(*device), GFP_KERNEL);

	if (!device)
		return -ENOMEM;
	ib_umem_get_va(device, ULONG_MAX, PAGE_SIZE, 0);	/* wraps around: -EINVAL */
	kfree(device);
	return 0;
}

static int release_test(void)
{
	struct ib_device *device;
	struct ib_umem *umem;

	/* otherwise a device is needed that can be mapped for */
	if (!IS_ENABLED(CONFIG_INFINIBAND_VIRT_DMA) || !current->mm)
		return 1;
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	umem = kzalloc(sizeof(*umem), GFP_KERNEL);
	if (!device || !umem) {
		kfree(umem);
		kfree(device);
		return -ENOMEM;
	}
	umem->ibdev = device;
	umem->owning_mm = current->mm;
	mmgrab(umem->owning_mm);
	ib_umem_release(umem);
	kfree(device);
	return 0;
}

static int copy_from_test(void)
{
	struct ib_umem *umem = kzalloc(sizeof(*umem), GFP_KERNEL);
	char byte;

	if (!umem)
		return -ENOMEM;
	ib_umem_copy_from(&byte, umem, 0, 0);
	kfree(umem);
	return 0;
}

HOOK(UMEM_MODULE, UMEM_GET, .test = get_test);
HOOK(UMEM_MODULE, __ib_umem_release, .test = release_test);
HOOK(UMEM_MODULE, ib_umem_copy_from, .test = copy_from_test);

/* An ib_umem that leads here in the field for appending, which is over, is ours. */
static struct scatterlist umem_mark;
static atomic_long_t umem_live;
static bool umem_enabled;
static void (*umem_check_device)(const struct ib_device *device);

/**
 * phyr_umem_of - the phyrs of an ib_umem
 * @umem: the ib_umem, or NULL
 *
 * Context: any.
 * Return: what is around it, or NULL if it is not one that holds phyrs.
 */
struct phyr_umem *phyr_umem_of(const struct ib_umem *umem)
{
	if (!umem || umem->sgt_append.prv != &umem_mark)
		return NULL;
	return container_of(umem, struct phyr_umem, umem);
}

/**
 * phyr_umem_live - regions that hold this module
 *
 * Return: how many.
 */
unsigned long phyr_umem_live(void)
{
	return atomic_long_read(&umem_live);
}

/**
 * phyr_umem_begin - let regions be made by phyrs, after all hooks are in place
 */
void phyr_umem_begin(void)
{
	WRITE_ONCE(umem_enabled, true);
}

/**
 * phyr_umem_get_module - may a region be made that needs this module
 *
 * Not while it is being loaded: that may still fail.
 *
 * Context: any.
 * Return: true with a reference to this module.
 */
bool phyr_umem_get_module(void)
{
	return READ_ONCE(umem_enabled) && try_module_get(THIS_MODULE);
}

/* The caller's reference to this module is the ib_umem's from now on. */
static void umem_hold(struct phyr_umem *pu)
{
	pu->umem.sgt_append.prv = &umem_mark;
	atomic_long_inc(&umem_live);
}

/* As ib_umem counts: against RLIMIT_MEMLOCK, in the mm that registers. */
static int umem_account(struct ib_umem *umem)
{
	int ret = phyr_account_mm(ib_umem_num_pages(umem));

	if (ret)
		return ret;
	umem->owning_mm = current->mm;
	mmgrab(umem->owning_mm);
	return 0;
}

static void umem_unaccount(struct ib_umem *umem)
{
	atomic64_sub(ib_umem_num_pages(umem), &umem->owning_mm->pinned_vm);
	mmdrop(umem->owning_mm);
}

static int umem_check(const struct ib_device *device, unsigned long addr, size_t size, int access)
{
	if (umem_refused(device))
		return -EOPNOTSUPP;
	if (size > TASK_SIZE || addr + size < addr || PAGE_ALIGN(addr + size) < addr + size)
		return -EINVAL;
	if (!can_do_mlock())
		return -EPERM;
	return access & IB_ACCESS_ON_DEMAND ? -EOPNOTSUPP : 0;
}

static unsigned long umem_attrs(int access)
{
	return UMEM_DMA_ATTRS |
	       (access & IB_ACCESS_RELAXED_ORDERING ? DMA_ATTR_WEAK_ORDERING : 0);
}

static struct phyr_umem *umem_new(struct ib_device *device, unsigned long addr, size_t size,
				  int access)
{
	struct phyr_umem *pu = kzalloc(sizeof(*pu), GFP_KERNEL_ACCOUNT);

	if (!pu)
		return NULL;
	pu->umem.ibdev = device;
	pu->umem.length = size;
	pu->umem.address = addr;
	pu->umem.iova = addr;
	pu->umem.writable = ib_access_writable(access);
	umem_set_attrs(&pu->umem, umem_attrs(access));
	return pu;
}

/* Whole pages, as an sg_table has them. */
static int umem_pin_list(struct phyr_umem *pu)
{
	struct ib_umem *umem = &pu->umem;

	return pin_user_phyr_list(&pu->list, umem->address & PAGE_MASK,
				  ib_umem_num_pages(umem) << PAGE_SHIFT,
				  FOLL_LONGTERM | (umem->writable ? FOLL_WRITE : 0) |
				  phyr_foll_pfnmap());
}

static struct phyr_umem *umem_pin(struct ib_device *device, unsigned long addr, size_t size,
				  int access)
{
	int ret = umem_check(device, addr, size, access);
	struct phyr_umem *pu;

	if (ret)
		return ERR_PTR(ret);
	pu = umem_new(device, addr, size, access);
	if (!pu)
		return ERR_PTR(-ENOMEM);
	ret = -EINVAL;
	if (!ib_umem_num_pages(&pu->umem))
		goto free;
	ret = umem_account(&pu->umem);
	if (ret)
		goto free;
	ret = umem_pin_list(pu);
	if (ret)
		goto unaccount;
	pu->base = ib_umem_offset(&pu->umem);
	return pu;
unaccount:
	umem_unaccount(&pu->umem);
free:
	kfree(pu);
	return ERR_PTR(ret);
}

static void umem_abort(struct phyr_umem *pu)
{
	unpin_user_phyr_list(&pu->list, false);
	umem_unaccount(&pu->umem);
	kfree(pu);
}

/**
 * phyr_umem_pin - pin user memory for a region that is a list of phyrs
 * @device: the RDMA device
 * @addr: first byte
 * @size: length in bytes
 * @access: IB_ACCESS_*
 *
 * Context: process, may sleep.  The caller holds a reference to this module,
 * which goes with the memory.
 * Return: the memory, for ib_umem_release() of its ib_umem; or an ERR_PTR() as
 * ib_umem_get().
 */
struct phyr_umem *phyr_umem_pin(struct ib_device *device, unsigned long addr, size_t size,
				int access)
{
	struct phyr_umem *pu = umem_pin(device, addr, size, access);

	if (!IS_ERR(pu))
		umem_hold(pu);
	return pu;
}

/* dma-bufs, for the CPU: soft RoCE has no other device */

/* A region of /dev/phyr is a list already. */
static int dmabuf_take_region(struct phyr_umem *pu, struct phyr_region *region, u64 offset,
			      u64 size)
{
	const struct phyr_list *list = phyr_region_list(region);
	struct phyr_access *access;

	if (offset > phyr_list_len(list) || size > phyr_list_len(list) - offset)
		return -EINVAL;
	if (pu->umem.writable && !phyr_region_writable(region))
		return -EACCES;
	access = phyr_access_get(list);
	if (IS_ERR(access))
		return PTR_ERR(access);
	pu->access = access;
	pu->region = region;
	return 0;
}

/* Anybody else's is mapped as a whole by its exporter. */
static int dmabuf_take_mapped(struct phyr_umem *pu, struct dma_buf *dmabuf, u64 offset, u64 size)
{
	int ret;

	if (offset > dmabuf->size || size > dmabuf->size - offset)
		return -EINVAL;
	/* nobody gets more out of a dma-buf than its descriptor is good for */
	if (pu->umem.writable && !(dmabuf->file->f_mode & FMODE_WRITE))
		return -EACCES;
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	ret = phyr_dmabuf_map(&pu->mapped, dmabuf, &pu->umem.ibdev->dev);
	if (ret) {
		dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
		return ret;
	}
	pu->dmabuf = dmabuf;
	return 0;
}

static int dmabuf_take(struct phyr_umem *pu, u64 offset, u64 size, int fd)
{
	struct phyr_region *region = phyr_region_get(fd);
	struct dma_buf *dmabuf;
	int ret;

	if (!IS_ERR(region)) {
		ret = dmabuf_take_region(pu, region, offset, size);
		if (ret)
			phyr_region_put(region);
		return ret;
	}
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = dmabuf_take_mapped(pu, dmabuf, offset, size);
	if (ret)
		dma_buf_put(dmabuf);
	return ret;
}

/**
 * phyr_umem_dmabuf - a dma-buf as the memory of a soft RoCE region
 * @device: the RDMA device
 * @offset: first byte, in the dma-buf
 * @size: length in bytes, not 0
 * @fd: the dma-buf
 * @access: IB_ACCESS_*
 *
 * Context: process, may sleep.  The caller holds a reference to this module,
 * which goes with the memory.
 * Return: the memory, for ib_umem_release() of its ib_umem; or an ERR_PTR() of
 * -EBADF or -EINVAL for what is no dma-buf, -EINVAL for a range outside of it,
 * -EACCES for writing to a region that was pinned for reading, or to a dma-buf that
 * is open for reading, -ENOMEM, and what phyr_dmabuf_map() answers.
 */
struct phyr_umem *phyr_umem_dmabuf(struct ib_device *device, u64 offset, u64 size, int fd,
				   int access)
{
	struct phyr_umem *pu;
	int ret;

	if (!size)
		return ERR_PTR(-EINVAL);
	/* No pages of the caller's: phyr_dmabuf_map() counts what it has to pin. */
	pu = umem_new(device, 0, 0, access);
	if (!pu)
		return ERR_PTR(-ENOMEM);
	ret = dmabuf_take(pu, offset, size, fd);
	if (ret) {
		kfree(pu);
		return ERR_PTR(ret);
	}
	pu->base = offset;
	pu->umem.owning_mm = current->mm;
	mmgrab(current->mm);
	umem_hold(pu);
	return pu;
}

/* The table of an ordinary ib_umem */

static unsigned int table_max(struct ib_device *device)
{
	return rounddown(min_t(u64, ib_dma_max_seg_size(device), UINT_MAX), PAGE_SIZE);
}

static int umem_map_pages(struct phyr_umem *pu, unsigned long attrs)
{
	struct ib_umem *umem = &pu->umem;
	struct sg_append_table *table = &umem->sgt_append;
	int ret;

	ret = phyr_list_to_sgtable(&pu->list, &table->sgt, table_max(umem->ibdev),
				   GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	table->total_nents = table->sgt.orig_nents;
	ret = ib_dma_map_sgtable_attrs(umem->ibdev, &table->sgt, DMA_BIDIRECTIONAL, attrs);
	if (ret) {
		sg_free_append_table(table);
		return ret;
	}
	phyr_list_free(&pu->list);	/* the pins are the table's now */
	return 0;
}

/*
 * Entries without pages, which only a device can use.  The driver sees no
 * difference: it looks at the DMA addresses.
 */
static int umem_map_pageless(struct phyr_umem *pu, unsigned long attrs)
{
	struct ib_umem *umem = &pu->umem;
	int ret;

	if (ib_uses_virt_dma(umem->ibdev))
		return -EFAULT;
	pu->dma = phyr_dma_alloc(umem->ibdev->dma_device, NULL, GFP_KERNEL_ACCOUNT);
	if (!pu->dma)
		return -ENOMEM;
	ret = phyr_dma_map(pu->dma, &pu->list, 0, phyr_list_len(&pu->list),
			   umem->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE, attrs);
	if (ret)
		goto free;
	ret = phyr_dma_to_sgtable(pu->dma, &umem->sgt_append.sgt, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unmap;
	umem->sgt_append.total_nents = umem->sgt_append.sgt.orig_nents;
	umem_hold(pu);
	return 0;
unmap:
	phyr_dma_unmap(pu->dma);
free:
	phyr_dma_free(pu->dma);
	return ret;
}

static struct ib_umem *umem_get(struct ib_device *device, unsigned long addr, size_t size,
				int access)
{
	struct phyr_umem *pu = umem_pin(device, addr, size, access);
	int ret;

	if (IS_ERR(pu))
		return ERR_CAST(pu);
	if (!table_max(device))		/* no page fits into a segment of the device */
		ret = -EINVAL;
	else if (phyr_list_kinds(&pu->list) & BIT(PHYR_PFNMAP))
		ret = umem_map_pageless(pu, umem_attrs(access));
	else
		ret = umem_map_pages(pu, umem_attrs(access));
	if (ret) {
		umem_abort(pu);
		return ERR_PTR(ret);
	}
	return &pu->umem;
}

static struct ib_umem *
replacement_of(UMEM_GET)(struct ib_device *device, unsigned long addr, size_t size, int access)
{
	void (*check)(const struct ib_device *device);
	struct ib_umem *umem;

	hook_enter(UMEM_GET);
	if (!phyr_umem_get_module()) {
		umem = stock(UMEM_GET)(device, addr, size, access);
	} else {
		check = READ_ONCE(umem_check_device);
		if (check)
			check(device);
		umem = umem_get(device, addr, size, access);
		if (IS_ERR(umem) || !phyr_umem_of(umem))
			module_put(THIS_MODULE);
	}
	hook_leave(UMEM_GET);
	return umem;
}

/* The end */

static void umem_release(struct phyr_umem *pu, int dirty)
{
	if (pu->dma) {
		sg_free_append_table(&pu->umem.sgt_append);
		phyr_dma_unmap(pu->dma);
		phyr_dma_free(pu->dma);
	}
	if (pu->access)
		phyr_access_put(pu->access);
	unpin_user_phyr_list(&pu->list, pu->umem.writable && dirty);
	if (pu->region)
		phyr_region_put(pu->region);
	if (pu->dmabuf) {
		phyr_dmabuf_unmap(&pu->mapped);
		dma_buf_end_cpu_access(pu->dmabuf, DMA_BIDIRECTIONAL);
		dma_buf_put(pu->dmabuf);
	}
	atomic_long_dec(&umem_live);
	module_put(THIS_MODULE);
}

static void
replacement_of(__ib_umem_release)(struct ib_device *device, struct ib_umem *umem, int dirty)
{
	struct phyr_umem *pu = phyr_umem_of(umem);

	hook_enter(__ib_umem_release);
	if (pu)
		umem_release(pu, dirty);
	else
		stock(__ib_umem_release)(device, umem, dirty);
	hook_leave(__ib_umem_release);
}

/* Drivers read what is in a user's queues; there may be no page to read it from. */
static int umem_copy_from(struct phyr_umem *pu, void *dst, size_t offset, size_t length)
{
	struct phyr_access *access;
	int ret;

	if (offset > pu->umem.length || length > pu->umem.length - offset)
		return -EINVAL;
	access = phyr_access_get(&pu->list);
	if (IS_ERR(access))
		return PTR_ERR(access);
	ret = phyr_access_read(access, pu->base + offset, dst, length);
	phyr_access_put(access);
	return ret;
}

static int
replacement_of(ib_umem_copy_from)(void *dst, struct ib_umem *umem, size_t offset, size_t length)
{
	struct phyr_umem *pu = phyr_umem_of(umem);
	int ret;

	hook_enter(ib_umem_copy_from);
	if (pu && pu->dma)
		ret = umem_copy_from(pu, dst, offset, length);
	else
		ret = stock(ib_umem_copy_from)(dst, umem, offset, length);
	hook_leave(ib_umem_copy_from);
	return ret;
}

/* In the order that they are needed: the last one creates what the others know. */
static struct hook *const hooks[] = {
	&hook_of(__ib_umem_release),
	&hook_of(ib_umem_copy_from),
	&hook_of(UMEM_GET),
};

/**
 * phyr_umem_set_check - be called for each ib_umem that is made by its address
 * @check: what to call, of this module; or NULL
 *
 * Context: any.
 */
void phyr_umem_set_check(void (*check)(const struct ib_device *device))
{
	WRITE_ONCE(umem_check_device, check);
}

/**
 * phyr_umem_hook - let ib_core pin by phyrs
 *
 * Context: process, may sleep.
 * Return: 0, or an error as hook_on().
 */
int phyr_umem_hook(void)
{
	return hook_on(hooks, ARRAY_SIZE(hooks));
}

/**
 * phyr_umem_unhook - let ib_core pin its own way
 *
 * Context: process, may sleep.  No region may hold this module any more.
 */
void phyr_umem_unhook(void)
{
	hook_off(hooks, ARRAY_SIZE(hooks));
}
