// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_rxe.ko: load, unload, and the coming and going of what it replaces.
 *
 * It stays as long as a region needs it: then "modprobe -r" says that it is in use.
 */
#include <linux/module.h>

#include "../kernel/compat.h"
#include "../hook/hook.h"
#include "../hook/part.h"
#include "memory.h"
#include "private.h"
#include "rxe_hooks.h"

static int live_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n", rxe_memory_live());
}

static const struct kernel_param_ops live_ops = {
	.get = live_get,
};
module_param_cb(regions, &live_ops, NULL, 0444);
MODULE_PARM_DESC(regions, "memory regions that hold this module now");

static int rxe_hook(void)
{
	int ret = rxe_layout_find() ?: phyr_rxe_hook();

	if (ret)
		return ret;
	ret = phyr_rxe_dmabuf_hook();
	if (ret)
		phyr_rxe_unhook();
	return ret;
}

static void rxe_unhook(void)
{
	phyr_rxe_dmabuf_unhook();
	phyr_rxe_unhook();
}

/* In this order: rxe's dma-bufs need the other one, where that is there. */
static struct hook_part parts[] = {
	{
		.module = "ib_uverbs",
		.symbol = "ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR",
		.hook = phyr_uverbs_hook,
		.unhook = phyr_uverbs_unhook,
	}, {
		.module = "rdma_rxe",
		.symbol = "rxe_mr_init_user",
		.hook = rxe_hook,
		.unhook = rxe_unhook,
	},
};

static int __init phyr_rxe_init(void)
{
	int ret = hook_init();

	if (ret)
		return ret;
	ret = hook_parts_on(parts, ARRAY_SIZE(parts));
	if (ret) {
		hook_exit();
		return ret;
	}
	rxe_memory_begin();
	return 0;
}

static void __exit phyr_rxe_exit(void)
{
	hook_parts_off();
	hook_exit();
}

module_init(phyr_rxe_init);
module_exit(phyr_rxe_exit);

MODULE_DESCRIPTION("Soft RoCE by phyrs: memory regions of any size, and dma-bufs");
MODULE_AUTHOR("The phyr developers");
MODULE_VERSION("0.1");
MODULE_SOFTDEP("pre: ib_uverbs");	/* its calls are hooked before devices are lent to */
MODULE_LICENSE("GPL");
PHYR_IMPORT_DMA_BUF();
