// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region of soft RoCE ends, and its own function to make one was never called.  Its
 * structures are found as phyr_rxe finds them, by the same sources.
 */
#include "../../../hook/hook.c"
#ifndef RXE_HEADERS
#include "../../../hook/layout.c"
#endif
#include "../../../rxe/private.c"

#include <linux/slab.h>

#include "umem_rxe.h"

/* As far as rxe_mr_cleanup() looks at them. */
static void fill(struct rxe_mr *mr, struct rxe_pd *pd, struct ib_umem *umem)
{
	struct kref *ref = RXE_MEMBER(ibpd_elem(pd_ibpd(pd)), rxe_pool_elem, ref_cnt);

	kref_init(ref);
	kref_get(ref);		/* nobody frees it */
	mr_ibmr(mr)->pd = pd_ibpd(pd);
	mr_ibmr(mr)->type = IB_MR_TYPE_USER;
	rxe_no_pages(mr);
	*mr_umem(mr) = umem;
}

static DEFINE_MUTEX(layout_lock);	/* files may end at the same time */

static int find_layout(void)
{
	int ret;

	mutex_lock(&layout_lock);
	ret = hook_find_functions() ?: rxe_layout_find();
	mutex_unlock(&layout_lock);
	return ret;
}

int umem_rxe_end(struct ib_umem *umem)
{
	void (*cleanup)(struct rxe_pool_elem *elem);
	int ret = find_layout();
	struct rxe_mr *mr;
	struct rxe_pd *pd;

	if (ret)
		return ret;
	cleanup = (typeof(cleanup))hook_lookup("rdma_rxe", "rxe_mr_cleanup");
	if (!cleanup)
		return -ENOENT;
	mr = kzalloc(rxe_size(rxe_mr), GFP_KERNEL);
	pd = kzalloc(rxe_size(rxe_pd), GFP_KERNEL);
	if (mr && pd) {
		fill(mr, pd, umem);
		cleanup(mr_elem(mr));
	} else {
		ret = -ENOMEM;
	}
	kfree(pd);
	kfree(mr);
	return ret;
}
