// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of programs that must not see a device's operation for dma-bufs change.
 *
 * Such a call checks whether the device can register dma-bufs, and later calls the
 * operation that does.  The operation that dmabuf.c lends to a device is
 * therefore taken back while no such call of this device is running: calls are
 * counted per device, new ones are answered as if there were no operation, and the
 * others are waited for.  Calls that register memory by its address do not use the
 * operation, and neither wait nor are waited for, however long a page fault takes.
 */
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <rdma/uverbs_ioctl.h>

#include "../hook/hook.h"
#include "compat.h"
#include "rxe_hooks.h"

/**
 * struct loan - an operation that is lent to a device
 * @node: in the list of loans, until it is taken back
 * @device: the borrower
 * @calls: how many calls may be using it
 */
struct loan {
	struct list_head node;
	struct ib_device *device;
	unsigned int calls;
};

static LIST_HEAD(loans);
static DEFINE_SPINLOCK(loans_lock);	/* the list, and what is in it */
static DECLARE_WAIT_QUEUE_HEAD(loans_wait);
static bool hooked;

/* What is lent, to any device; NULL as long as nothing was. */
static typeof_member(struct ib_device_ops, reg_user_mr_dmabuf) lent;

static bool has_own_operation(const struct ib_device *device)
{
	/* pairs with the release in phyr_uverbs_lend(): @lent is set by then */
	typeof(lent) operation = smp_load_acquire(&device->ops.reg_user_mr_dmabuf);

	return operation && operation != READ_ONCE(lent);
}

/* Under loans_lock. */
static struct loan *find_loan(const struct ib_device *device)
{
	struct loan *loan;

	list_for_each_entry(loan, &loans, node)
		if (loan->device == device)
			return loan;
	return NULL;
}

static struct loan *loan_enter(const struct ib_device *device)
{
	struct loan *loan;

	spin_lock(&loans_lock);
	loan = find_loan(device);
	if (loan)
		loan->calls++;
	spin_unlock(&loans_lock);
	return loan;
}

static void loan_leave(struct loan *loan)
{
	bool last;

	spin_lock(&loans_lock);
	last = !--loan->calls;
	spin_unlock(&loans_lock);
	if (last)	/* @loan may be freed by now */
		wake_up_all(&loans_wait);
}

static bool loan_idle(const struct loan *loan)
{
	bool idle;

	spin_lock(&loans_lock);
	idle = !loan->calls;
	spin_unlock(&loans_lock);
	return idle;
}

/*
 * A device with an operation of its own keeps it.  Any other one has none but what is
 * lent to it: without a loan the answer is the one of a device that has none, for the
 * stock function might see a loan that begins now, and not that it ends.
 */
static int reg_dmabuf(struct uverbs_attr_bundle *attrs, const struct ib_device *device,
		      int (*handler)(struct uverbs_attr_bundle *attrs))
{
	struct loan *loan;
	int ret;

	if (has_own_operation(device))
		return handler(attrs);
	loan = loan_enter(device);
	if (!loan)
		return -EOPNOTSUPP;
	ret = handler(attrs);
	loan_leave(loan);
	return ret;
}

HOOK("ib_uverbs", UVERBS_REG_DMABUF_MR);
static int stock_reg_dmabuf_mr(struct uverbs_attr_bundle *attrs)
{
	return stock(UVERBS_REG_DMABUF_MR)(attrs);
}

static int replacement_of(UVERBS_REG_DMABUF_MR)(struct uverbs_attr_bundle *attrs)
{
	struct ib_pd *pd = uverbs_attr_get_obj(attrs, UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE);
	int ret;

	hook_enter(UVERBS_REG_DMABUF_MR);
	ret = reg_dmabuf(attrs, pd->device, stock_reg_dmabuf_mr);
	hook_leave(UVERBS_REG_DMABUF_MR);
	return ret;
}

#ifdef UVERBS_REG_MR
HOOK("ib_uverbs", UVERBS_REG_MR);
static int stock_reg_mr(struct uverbs_attr_bundle *attrs)
{
	return stock(UVERBS_REG_MR)(attrs);
}

/* Either a dma-buf, or memory by its address. */
static int replacement_of(UVERBS_REG_MR)(struct uverbs_attr_bundle *attrs)
{
	struct ib_pd *pd = uverbs_attr_get_obj(attrs, UVERBS_ATTR_REG_MR_PD_HANDLE);
	int ret;

	hook_enter(UVERBS_REG_MR);
	if (uverbs_attr_is_valid(attrs, UVERBS_ATTR_REG_MR_FD))
		ret = reg_dmabuf(attrs, pd->device, stock_reg_mr);
	else
		ret = stock_reg_mr(attrs);
	hook_leave(UVERBS_REG_MR);
	return ret;
}
#endif

static struct hook *const hooks[] = {
	&hook_of(UVERBS_REG_DMABUF_MR),
#ifdef UVERBS_REG_MR
	&hook_of(UVERBS_REG_MR),
#endif
};

/**
 * phyr_uverbs_hook - count the calls that register dma-bufs
 *
 * Context: process, may sleep.
 * Return: 0, or an error as hook_on().
 */
int phyr_uverbs_hook(void)
{
	int ret = hook_on(hooks, ARRAY_SIZE(hooks));

	WRITE_ONCE(hooked, !ret);
	return ret;
}

/**
 * phyr_uverbs_unhook - stop counting them
 *
 * Context: process, may sleep.  Nothing is lent any more.
 */
void phyr_uverbs_unhook(void)
{
	WRITE_ONCE(hooked, false);
	hook_off(hooks, ARRAY_SIZE(hooks));
}

/**
 * phyr_uverbs_lend - let a device register dma-bufs
 * @device: one without an operation for that
 * @ops: has the operation, which is lent until phyr_uverbs_take_back()
 *
 * Context: process, may sleep.
 * Return: 0; -EOPNOTSUPP if the calls that use it are not counted; -ENOMEM.
 */
int phyr_uverbs_lend(struct ib_device *device, const struct ib_device_ops *ops)
{
	struct loan *loan;

	if (!READ_ONCE(hooked))
		return -EOPNOTSUPP;
	loan = kzalloc(sizeof(*loan), GFP_KERNEL);
	if (!loan)
		return -ENOMEM;
	loan->device = device;
	WRITE_ONCE(lent, ops->reg_user_mr_dmabuf);	/* before any device has it */
	spin_lock(&loans_lock);
	list_add(&loan->node, &loans);
	spin_unlock(&loans_lock);
	/* pairs with the acquire in has_own_operation() */
	smp_store_release(&device->ops.reg_user_mr_dmabuf, ops->reg_user_mr_dmabuf);
	return 0;
}

/**
 * phyr_uverbs_take_back - remove a lent operation that is no longer used
 * @device: what it was lent to
 *
 * Context: process, may sleep: waits for the calls that may be using it, for those of
 * this device only.
 */
void phyr_uverbs_take_back(struct ib_device *device)
{
	struct loan *loan;

	spin_lock(&loans_lock);
	loan = find_loan(device);
	list_del(&loan->node);
	spin_unlock(&loans_lock);
	wait_event(loans_wait, loan_idle(loan));
	WRITE_ONCE(device->ops.reg_user_mr_dmabuf, NULL);
	kfree(loan);
}

/**
 * phyr_uverbs_counted - is a call running that may use a lent operation
 * @device: the device that it was lent to
 *
 * For the operation itself: if there is none, it was reached past the hooks.
 *
 * Context: any but interrupts.
 * Return: whether there is one.
 */
bool phyr_uverbs_counted(const struct ib_device *device)
{
	const struct loan *loan;
	bool counted;

	spin_lock(&loans_lock);
	loan = find_loan(device);
	/* one that is taken back is not in the list, and waits for its last calls */
	counted = !loan || loan->calls;
	spin_unlock(&loans_lock);
	if (!counted)
		hook_bypassed(&hook_of(UVERBS_REG_DMABUF_MR));
	return counted;
}
