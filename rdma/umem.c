// SPDX-License-Identifier: GPL-2.0-only
/*
 * ib_umem by phyrs: user memory for every RDMA driver.
 *
 * What a driver gets is what it got before, an ib_umem with a mapped sg_table;
 * it was just pinned a leaf of the page table at a time, and has an entry a
 * phyr.  Such an ib_umem needs nothing of this module any more, so the stock
 * code can release it.  Those with memory that has no struct page do, and hold a
 * reference to it.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../hook/hook.h"
#include "pin.h"
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

/**
 * struct held_umem - an ib_umem, as long as this module has to release it
 * @pinned: its pages; @pinned.umem is what drivers know and ib_core frees, so it is first
 * @dma: how a device finds those without a struct page; NULL until it does
 */
struct held_umem {
	struct phyr_umem pinned;
	struct phyr_dma *dma;
};

/* NULL if it is one that ib_core can release by itself. */
static struct held_umem *held_umem_of(const struct ib_umem *umem)
{
	if (umem->sgt_append.prv != &umem_mark)
		return NULL;
	return container_of(umem, struct held_umem, pinned.umem);
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

/* Not while this module is being loaded: that may still fail. */
static bool get_module(void)
{
	return READ_ONCE(umem_enabled) && try_module_get(THIS_MODULE);
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
	if (ret)	/* ib_core's word for more entries than fit */
		return ret == -EOVERFLOW ? -EINVAL : ret;
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
static int umem_map_pageless(struct held_umem *held, unsigned long attrs)
{
	struct phyr_list *list = &held->pinned.list;
	struct ib_umem *umem = &held->pinned.umem;
	int ret;

	if (ib_uses_virt_dma(umem->ibdev))
		return -EFAULT;
	held->dma = phyr_dma_alloc(umem->ibdev->dma_device, NULL, GFP_KERNEL_ACCOUNT);
	if (!held->dma)
		return -ENOMEM;
	ret = phyr_dma_map(held->dma, list, 0, phyr_list_len(list),
			   umem->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE, attrs);
	if (ret)
		goto free;
	ret = phyr_dma_to_sgtable(held->dma, &umem->sgt_append.sgt, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto unmap;
	umem->sgt_append.total_nents = umem->sgt_append.sgt.orig_nents;
	/* The caller's reference to this module is the ib_umem's from now on. */
	umem->sgt_append.prv = &umem_mark;
	atomic_long_inc(&umem_live);
	return 0;
unmap:
	phyr_dma_unmap(held->dma);
free:
	phyr_dma_free(held->dma);
	return ret;
}

static int umem_map(struct held_umem *held, unsigned long attrs)
{
	struct phyr_umem *pu = &held->pinned;

	if (!table_max(pu->umem.ibdev))		/* no page fits into a segment of the device */
		return -EINVAL;
	if (phyr_list_kinds(&pu->list) & BIT(PHYR_PFNMAP))
		return umem_map_pageless(held, attrs);
	return umem_map_pages(pu, attrs);
}

static struct ib_umem *umem_get(struct ib_device *device, unsigned long addr, size_t size,
				int access)
{
	struct held_umem *held = kzalloc(sizeof(*held), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!held)
		return ERR_PTR(-ENOMEM);
	ret = phyr_umem_pin(&held->pinned, device, addr, size, access);
	if (ret)
		goto free;
	ret = umem_map(held, phyr_umem_attrs(access));
	if (!ret)
		return &held->pinned.umem;
	phyr_umem_unpin(&held->pinned, false);
free:
	kfree(held);
	return ERR_PTR(ret);
}

static struct ib_umem *
replacement_of(UMEM_GET)(struct ib_device *device, unsigned long addr, size_t size, int access)
{
	struct ib_umem *umem;

	hook_enter(UMEM_GET);
	if (!get_module()) {
		umem = stock(UMEM_GET)(device, addr, size, access);
	} else {
		umem = umem_get(device, addr, size, access);
		if (IS_ERR(umem) || !held_umem_of(umem))
			module_put(THIS_MODULE);
	}
	hook_leave(UMEM_GET);
	return umem;
}

/* The end */

static void umem_release(struct held_umem *held, int dirty)
{
	struct phyr_umem *pu = &held->pinned;

	sg_free_append_table(&pu->umem.sgt_append);
	phyr_dma_unmap(held->dma);
	phyr_dma_free(held->dma);
	unpin_user_phyr_list(&pu->list, pu->umem.writable && dirty);
	atomic_long_dec(&umem_live);
	module_put(THIS_MODULE);
}

static void
replacement_of(__ib_umem_release)(struct ib_device *device, struct ib_umem *umem, int dirty)
{
	struct held_umem *held = held_umem_of(umem);

	hook_enter(__ib_umem_release);
	if (held)
		umem_release(held, dirty);
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
	ret = phyr_access_read(access, ib_umem_offset(&pu->umem) + offset, dst, length);
	phyr_access_put(access);
	return ret;
}

static int
replacement_of(ib_umem_copy_from)(void *dst, struct ib_umem *umem, size_t offset, size_t length)
{
	struct held_umem *held = held_umem_of(umem);
	int ret;

	hook_enter(ib_umem_copy_from);
	if (held)
		ret = umem_copy_from(&held->pinned, dst, offset, length);
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
