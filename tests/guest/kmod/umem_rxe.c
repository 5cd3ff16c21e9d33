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
static void fill(void *mr, void *pd, struct ib_umem *umem)
{
	void *ibpd = pd + rxe_layout[RXE_AT_rxe_pd_ibpd];
	struct ib_mr *ibmr = mr + rxe_layout[RXE_AT_rxe_mr_ibmr];
	struct kref *ref = pd + rxe_layout[RXE_AT_rxe_pd_elem] +
			   rxe_layout[RXE_AT_rxe_pool_elem_ref_cnt];

	kref_init(ref);
	kref_get(ref);		/* nobody frees it */
	ibmr->pd = ibpd;
	ibmr->type = IB_MR_TYPE_USER;
	*(struct ib_umem **)(mr + rxe_layout[RXE_AT_rxe_mr_umem]) = umem;
	if (rxe_layout[RXE_AT_rxe_mr_page_list] != LAYOUT_ABSENT)
		xa_init((struct xarray *)(mr + rxe_layout[RXE_AT_rxe_mr_page_list]));
}

int umem_rxe_end(struct ib_umem *umem)
{
	void (*cleanup)(struct rxe_pool_elem *elem);
	int ret = hook_find_functions() ?: rxe_layout_find();
	void *mr, *pd;

	if (ret)
		return ret;
	cleanup = (typeof(cleanup))hook_lookup("rdma_rxe", "rxe_mr_cleanup");
	if (!cleanup)
		return -ENOENT;
	mr = kzalloc(rxe_layout[RXE_SIZE_rxe_mr], GFP_KERNEL);
	pd = kzalloc(rxe_layout[RXE_SIZE_rxe_pd], GFP_KERNEL);
	if (mr && pd) {
		fill(mr, pd, umem);
		cleanup(mr + rxe_layout[RXE_AT_rxe_mr_elem]);
	} else {
		ret = -ENOMEM;
	}
	kfree(pd);
	kfree(mr);
	return ret;
}
