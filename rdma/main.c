// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_rdma.ko: load, unload, and soft RoCE's coming and going.
 *
 * While it is loaded, ibv_reg_mr() is a different call.  It stays as long as a
 * region needs it: then "modprobe -r" says that it is in use.
 */
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#include "../kernel/compat.h"
#include "hook.h"
#include "umem.h"

#define RXE	"rdma_rxe"

static DEFINE_MUTEX(rxe_lock);
static bool rxe_hooked;

static int live_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n", phyr_umem_live());
}

static const struct kernel_param_ops live_ops = {
	.get = live_get,
};
module_param_cb(regions, &live_ops, NULL, 0444);
MODULE_PARM_DESC(regions, "memory regions that hold this module now");

static int rxe_came(void)
{
	int ret;

	mutex_lock(&rxe_lock);
	ret = phyr_rxe_hook();
	if (!ret) {
		ret = phyr_rxe_dmabuf_hook();
		if (ret)
			phyr_rxe_unhook();
	}
	rxe_hooked = !ret;
	mutex_unlock(&rxe_lock);
	return ret;
}

static void rxe_went(void)
{
	mutex_lock(&rxe_lock);
	if (rxe_hooked) {
		phyr_rxe_dmabuf_unhook();
		phyr_rxe_unhook();
	}
	rxe_hooked = false;
	mutex_unlock(&rxe_lock);
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *mod = data;

	if (strcmp(mod->name, RXE))
		return NOTIFY_DONE;
	if (event == MODULE_STATE_COMING && rxe_came())
		pr_warn("phyr_rdma: " RXE " stays as it is\n");
	if (event == MODULE_STATE_GOING)
		rxe_went();
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/* Any function of it tells whether it is there, as a module or built in. */
static bool rxe_is_there(void)
{
	return hook_lookup(RXE, "rxe_mr_init_user");
}

static int __init phyr_rdma_init(void)
{
	int ret = hook_init();

	if (!ret)
		ret = phyr_umem_hook();
	if (ret)
		return ret;
	ret = register_module_notifier(&module_nb);
	if (ret)
		goto unhook;
	if (rxe_is_there())
		ret = rxe_came();
	if (!ret)
		return 0;
	unregister_module_notifier(&module_nb);
unhook:
	phyr_umem_unhook();
	hook_drain();
	return ret;
}

static void __exit phyr_rdma_exit(void)
{
	unregister_module_notifier(&module_nb);
	rxe_went();
	phyr_umem_unhook();
	hook_drain();
}

module_init(phyr_rdma_init);
module_exit(phyr_rdma_exit);

MODULE_DESCRIPTION("RDMA memory regions of any size by phyrs: ib_umem and soft RoCE");
MODULE_AUTHOR("The phyr developers");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
PHYR_IMPORT_DMA_BUF();
