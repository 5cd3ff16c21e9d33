// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr.ko: load, unload, and what the core's functions are exported as.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/phyr_list.h>

#include "compat.h"
#include "internal.h"

EXPORT_SYMBOL_GPL(phyr_list_init);
EXPORT_SYMBOL_GPL(phyr_list_free);
EXPORT_SYMBOL_GPL(phyr_list_append);
EXPORT_SYMBOL_GPL(phyr_list_append_many);
EXPORT_SYMBOL_GPL(phyr_list_append_pages);
EXPORT_SYMBOL_GPL(phyr_list_seal);
EXPORT_SYMBOL_GPL(phyr_list_truncate);
EXPORT_SYMBOL_GPL(phyr_list_trim);
EXPORT_SYMBOL_GPL(phyr_list_find);
EXPORT_SYMBOL_GPL(phyr_cursor_init);
EXPORT_SYMBOL_GPL(phyr_cursor_begin);
EXPORT_SYMBOL_GPL(phyr_cursor_fill);
EXPORT_SYMBOL_GPL(phyr_seg_limits_valid);
EXPORT_SYMBOL_GPL(phyr_seg_cut);

static int __init phyr_init(void)
{
	int ret = phyr_watch_init();

	if (ret)
		return ret;
	ret = phyr_dma_init();
	if (ret)
		goto watch;
	ret = phyr_chardev_init();
	if (ret)
		goto dma;
	phyr_debugfs_init();
	return 0;
dma:
	phyr_dma_exit();
watch:
	phyr_watch_exit();
	return ret;
}

static void __exit phyr_exit(void)
{
	phyr_debugfs_exit();
	phyr_chardev_exit();
	phyr_dma_exit();
	phyr_watch_exit();
}

module_init(phyr_init);
module_exit(phyr_exit);

MODULE_DESCRIPTION("Physical memory ranges: pin, map and share memory of any size, with or without pages");
MODULE_AUTHOR("The phyr developers");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
PHYR_IMPORT_DMA_BUF();
