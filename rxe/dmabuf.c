// SPDX-License-Identifier: GPL-2.0-only
/*
 * ibv_reg_dmabuf_mr() on soft RoCE, which a stock kernel does not have.
 *
 * A region of /dev/phyr is registered as the list it is, any other dma-buf
 * through the kernel mapping that its exporter makes.  The operation is put
 * into every rxe device that there is and that comes, and taken out again.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <rdma/ib_verbs.h>

#include "../hook/hook.h"
#include "compat.h"
#include "memory.h"
#include "rxe_hooks.h"

FUNCTION("rdma_rxe", __rxe_add_to_pool);
FUNCTION("rdma_rxe", __rxe_get);
FUNCTION("rdma_rxe", __rxe_finalize);
FUNCTION("rdma_rxe", __rxe_cleanup);

/* A region in rxe's pool, without memory yet. */
static struct rxe_mr *mr_new(struct ib_pd *ibpd, int access)
{
	struct rxe_dev *rxe = ib_dev_rxe(ibpd->device);
	struct rxe_mr *mr = kzalloc(rxe_size(rxe_mr), GFP_KERNEL);
	int ret;

	if (!mr)
		return ERR_PTR(-ENOMEM);
	ret = stock(__rxe_add_to_pool)(rxe_mr_pool(rxe), mr_elem(mr), true);
	if (ret) {
		kfree(mr);
		return ERR_PTR(ret);
	}
	stock(__rxe_get)(ibpd_elem(ibpd));
	mr_ibmr(mr)->pd = ibpd;
	mr_ibmr(mr)->device = ibpd->device;
	phyr_rxe_mr_init(access, mr);
	return mr;
}

static void mr_free(struct rxe_mr *mr)
{
	stock(__rxe_cleanup)(mr_elem(mr), true);
	kfree(mr);
}

static struct ib_mr *reg_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				int access)
{
	struct rxe_memory *mem;
	struct rxe_mr *mr;

	if (access & ~RXE_MR_ACCESS)
		return ERR_PTR(-EOPNOTSUPP);
	mr = mr_new(pd, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mem = rxe_memory_dmabuf(pd->device, offset, length, fd, access);
	if (IS_ERR(mem)) {
		mr_free(mr);
		return ERR_CAST(mem);
	}
	*mr_umem(mr) = &mem->pinned.umem;
	mr_ibmr(mr)->iova = iova;
	mr_ibmr(mr)->length = length;
	mr_set_valid(mr);
	stock(__rxe_finalize)(mr_elem(mr));
	return mr_ibmr(mr);
}

/* Called from functions of ib_uverbs only, which are hooked and counted. */
static struct ib_mr *reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova,
					int fd, int access, DMAH_PARAM
					struct uverbs_attr_bundle *attrs)
{
	struct ib_mr *mr;

	if (!phyr_uverbs_counted(pd->device) || DMAH_GIVEN || !rxe_memory_get_module())
		return ERR_PTR(-EOPNOTSUPP);
	mr = reg_dmabuf(pd, offset, length, iova, fd, access);
	if (IS_ERR(mr))
		module_put(THIS_MODULE);
	return mr;
}

static const struct ib_device_ops lent_ops = {
	.reg_user_mr_dmabuf = reg_user_mr_dmabuf,
};

static unsigned long count_regions(struct ib_device *device)
{
	unsigned long index, nr = 0;
	void *elem;

	xa_for_each(pool_xa(rxe_mr_pool(ib_dev_rxe(device))), index, elem)
		nr++;
	return nr;
}

static int client_add(struct ib_device *device)
{
	int ret;

	if (device->ops.driver_id != RDMA_DRIVER_RXE)
		return -EOPNOTSUPP;
	phyr_rxe_expect(count_regions(device));
	if (device->ops.reg_user_mr_dmabuf)
		return -EOPNOTSUPP;
	ret = phyr_uverbs_lend(device, &lent_ops);
	if (ret)
		pr_warn("phyr_rxe: %s cannot register dma-bufs (%d)\n",
			dev_name(&device->dev), ret);
	return ret;
}

static void client_remove(struct ib_device *device, void *client_data)
{
	phyr_uverbs_take_back(device);
}

static struct ib_client client = {
	.name = "phyr_rxe",
	.add = client_add,
	.remove = client_remove,
	.no_kverbs_req = 1,
};

static struct hook *const functions[] = {
	&hook_of(__rxe_add_to_pool),
	&hook_of(__rxe_get),
	&hook_of(__rxe_finalize),
	&hook_of(__rxe_cleanup),
};

/**
 * phyr_rxe_dmabuf_hook - let soft RoCE register dma-bufs
 *
 * Context: process, may sleep.
 * Return: 0, or an error as hook_on() or ib_register_client().
 */
int phyr_rxe_dmabuf_hook(void)
{
	int ret = hook_on(functions, ARRAY_SIZE(functions));

	return ret ?: ib_register_client(&client);
}

/**
 * phyr_rxe_dmabuf_unhook - undo phyr_rxe_dmabuf_hook()
 *
 * Context: process, may sleep.  No region may hold this module any more.
 */
void phyr_rxe_dmabuf_unhook(void)
{
	ib_unregister_client(&client);
}
