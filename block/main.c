// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_block.ko: load and unload.
 *
 * While it is loaded, PHYR_IOC_RW with a file on an NVMe drive moves bytes between the drive
 * and memory without a page, device to device.
 */
#include <linux/module.h>

#include "../kernel/compat.h"
#include "../hook/hook.h"
#include "../hook/part.h"
#include "block.h"

static struct hook_part parts[] = {
	{
		.module = "vmlinux",
		.symbol = "dma_map_sgtable",
		.hook = nvme_dma_hook,
		.unhook = nvme_dma_unhook,
	}, {
		.module = "nvme_core",
		.symbol = "nvme_setup_cmd",
		.hook = nvme_core_hook,
		.unhook = nvme_core_unhook,
	},
};

static int __init phyr_block_init(void)
{
	int ret = hook_init();

	if (ret)
		return ret;
	ret = hook_parts_on(parts, ARRAY_SIZE(parts));
	if (ret)
		goto exit;
	ret = drive_init();
	if (ret)
		goto off;
	ret = phyr_shadow_register(&drive_shadow_ops);
	if (!ret)
		return 0;
	drive_exit();
off:
	hook_parts_off();
exit:
	hook_exit();
	return ret;
}

static void __exit phyr_block_exit(void)
{
	phyr_shadow_unregister(&drive_shadow_ops);
	drive_exit();
	hook_parts_off();
	hook_exit();
}

module_init(phyr_block_init);
module_exit(phyr_block_exit);

MODULE_DESCRIPTION("I/O between stock NVMe drives and memory without a page");
MODULE_AUTHOR("The phyr developers");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
