// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory for an RDMA device: checked, counted and pinned as ib_umem_get() does it,
 * but a leaf of the page table at a time.
 *
 * Linked into each module that needs it.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "pin.h"

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

/**
 * phyr_umem_attrs - how a region is mapped
 * @access: IB_ACCESS_*
 *
 * Return: DMA_ATTR_*.
 */
unsigned long phyr_umem_attrs(int access)
{
	return UMEM_DMA_ATTRS |
	       (access & IB_ACCESS_RELAXED_ORDERING ? DMA_ATTR_WEAK_ORDERING : 0);
}

static void umem_init(struct ib_umem *umem, struct ib_device *device, unsigned long addr,
		      size_t size, int access)
{
	umem->ibdev = device;
	umem->length = size;
	umem->address = addr;
	umem->iova = addr;
	umem->writable = ib_access_writable(access);
	umem_set_attrs(umem, phyr_umem_attrs(access));
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

/**
 * phyr_umem_pin - pin a program's memory for an RDMA device
 * @pu: all zeroes; filled in
 * @device: the device
 * @addr: first byte
 * @size: length in bytes
 * @access: IB_ACCESS_*
 *
 * Context: process, may sleep.
 * Return: 0 and pages that count as pinned in @pu's mm, or an error as ib_umem_get().
 */
int phyr_umem_pin(struct phyr_umem *pu, struct ib_device *device, unsigned long addr,
		  size_t size, int access)
{
	struct ib_umem *umem = &pu->umem;
	int ret = umem_check(device, addr, size, access);

	if (ret)
		return ret;
	umem_init(umem, device, addr, size, access);
	if (!ib_umem_num_pages(umem))
		return -EINVAL;
	ret = umem_account(umem);
	if (ret)
		return ret;
	ret = pin_user_phyr_list(&pu->list, addr & PAGE_MASK,
				 ib_umem_num_pages(umem) << PAGE_SHIFT,
				 FOLL_LONGTERM | (umem->writable ? FOLL_WRITE : 0) |
				 phyr_foll_pfnmap());
	if (ret)
		umem_unaccount(umem);
	return ret;
}

/**
 * phyr_umem_unpin - undo phyr_umem_pin()
 * @pu: what it has filled in
 * @dirty: the device may have written
 *
 * Context: process, may sleep.
 */
void phyr_umem_unpin(struct phyr_umem *pu, bool dirty)
{
	unpin_user_phyr_list(&pu->list, pu->umem.writable && dirty);
	umem_unaccount(&pu->umem);
}
