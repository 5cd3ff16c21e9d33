// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_rxe.ko: load, unload, and the coming and going of what it replaces.
 *
 * It stays as long as a region needs it: then "modprobe -r" says that it is in use.
 */
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#include "../kernel/compat.h"
#include "../hook/hook.h"
#include "memory.h"
#include "private.h"
#include "rxe_hooks.h"

static DEFINE_MUTEX(parts_lock);

static int live_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n", rxe_memory_live());
}

static const struct kernel_param_ops live_ops = {
	.get = live_get,
};
module_param_cb(regions, &live_ops, NULL, 0444);
MODULE_PARM_DESC(regions, "memory regions that hold this module now");

/**
 * struct part - what is replaced in a module that comes and goes
 * @module: its name
 * @symbol: any function of it tells whether it is there, as a module or built in
 * @hook: called when it is there
 * @unhook: called when it goes
 * @hooked: whether it is replaced now
 */
struct part {
	const char *module;
	const char *symbol;
	int (*hook)(void);
	void (*unhook)(void);
	bool hooked;
};

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
static struct part parts[] = {
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

/* It may come while this module does: then both say so. */
static int part_hook(struct part *part)
{
	int ret = 0;

	mutex_lock(&parts_lock);
	if (!part->hooked) {
		ret = part->hook();
		part->hooked = !ret;
	}
	mutex_unlock(&parts_lock);
	return ret;
}

static void part_unhook(struct part *part)
{
	mutex_lock(&parts_lock);
	if (part->hooked)
		part->unhook();
	part->hooked = false;
	mutex_unlock(&parts_lock);
}

/* All that are there. */
static int parts_hook(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!hook_lookup(parts[i].module, parts[i].symbol))
			continue;
		ret = part_hook(&parts[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static void parts_unhook(void)
{
	unsigned int i = ARRAY_SIZE(parts);

	while (i--)
		part_unhook(&parts[i]);
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *mod = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcmp(mod->name, parts[i].module))
			continue;
		if (event == MODULE_STATE_COMING && part_hook(&parts[i]))
			pr_warn("phyr_rxe: failed to hook %s, left unmodified\n", mod->name);
		if (event == MODULE_STATE_GOING)
			part_unhook(&parts[i]);
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

static int __init phyr_rxe_init(void)
{
	int ret = hook_init();

	if (ret)
		return ret;
	ret = register_module_notifier(&module_nb);
	if (ret)
		goto exit;
	ret = parts_hook();
	if (!ret) {
		rxe_memory_begin();
		return 0;
	}
	unregister_module_notifier(&module_nb);
	parts_unhook();
	hook_drain();
exit:
	hook_exit();
	return ret;
}

static void __exit phyr_rxe_exit(void)
{
	unregister_module_notifier(&module_nb);
	parts_unhook();
	hook_drain();
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
