// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of programs that must not see a device's operations change.
 *
 * Such a call looks whether the device can register dma-bufs, and later how.  So
 * the operation that rxe_dmabuf.c lends to devices is taken back while nobody is in
 * between.
 */
#include <linux/rwsem.h>

#include "hook.h"
#include "umem.h"

static DECLARE_RWSEM(ops_lock);

static void ops_stay(void)
{
	hook_enter();
	down_read(&ops_lock);
}

static void ops_may_change(void)
{
	up_read(&ops_lock);
	hook_leave();
}

HOOK("ib_uverbs", UVERBS_REG_DMABUF_MR);
static int replacement_of(UVERBS_REG_DMABUF_MR)(struct uverbs_attr_bundle *attrs)
{
	int ret;

	ops_stay();
	ret = stock(UVERBS_REG_DMABUF_MR)(attrs);
	ops_may_change();
	return ret;
}

#ifdef UVERBS_REG_MR
HOOK("ib_uverbs", UVERBS_REG_MR);
static int replacement_of(UVERBS_REG_MR)(struct uverbs_attr_bundle *attrs)
{
	int ret;

	ops_stay();
	ret = stock(UVERBS_REG_MR)(attrs);
	ops_may_change();
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
 * phyr_uverbs_hook - know who is in such a call from now on
 *
 * Context: process, may sleep.
 * Return: 0, or an error as hook_on().
 */
int phyr_uverbs_hook(void)
{
	return hook_on(hooks, ARRAY_SIZE(hooks));
}

/**
 * phyr_uverbs_unhook - stop knowing it
 *
 * Context: process, may sleep.
 */
void phyr_uverbs_unhook(void)
{
	hook_off(hooks, ARRAY_SIZE(hooks));
}

/**
 * phyr_uverbs_stop - let nobody be in such a call
 *
 * Context: process, may sleep: waits for those who are.
 */
void phyr_uverbs_stop(void)
{
	down_write(&ops_lock);
}

/**
 * phyr_uverbs_go - let them go on
 *
 * Context: process.
 */
void phyr_uverbs_go(void)
{
	up_write(&ops_lock);
}
