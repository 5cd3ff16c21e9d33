// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_rdma.ko: load and unload.
 *
 * While it is loaded, ibv_reg_mr() is a different call.  It stays as long as a
 * region needs it: then "modprobe -r" says that it is in use.
 */
#include <linux/module.h>

#include "../hook/hook.h"
#include "umem.h"

static int live_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n", phyr_umem_live());
}

static const struct kernel_param_ops live_ops = {
	.get = live_get,
};
module_param_cb(regions, &live_ops, NULL, 0444);
MODULE_PARM_DESC(regions, "memory regions that hold this module now");

static int __init phyr_rdma_init(void)
{
	int ret = hook_init();

	if (ret)
		return ret;
	ret = phyr_umem_hook();
	if (ret) {
		hook_exit();
		return ret;
	}
	phyr_umem_begin();
	return 0;
}

static void __exit phyr_rdma_exit(void)
{
	phyr_umem_unhook();
	hook_drain();
	hook_exit();
}

module_init(phyr_rdma_init);
module_exit(phyr_rdma_exit);

MODULE_DESCRIPTION("RDMA memory regions of any size by phyrs, for every driver");
MODULE_AUTHOR("The phyr developers");
MODULE_VERSION("0.1");
MODULE_SOFTDEP("post: phyr_rxe");
MODULE_LICENSE("GPL");
