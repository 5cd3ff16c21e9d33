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

#define HANDLER(function)							\
	HOOK("ib_uverbs", function);						\
	static int replacement_of(function)(struct uverbs_attr_bundle *attrs)	\
	{									\
		int ret;							\
										\
		hook_enter();							\
		down_read(&ops_lock);						\
		ret = stock(function)(attrs);					\
		up_read(&ops_lock);						\
		hook_leave();							\
		return ret;							\
	}

HANDLER(UVERBS_REG_DMABUF_MR)
#ifdef UVERBS_REG_MR
HANDLER(UVERBS_REG_MR)
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
