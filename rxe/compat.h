/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How soft RoCE differs from kernel to kernel.  Written for the newest one.
 */
#ifndef PHYR_RXE_COMPAT_H
#define PHYR_RXE_COMPAT_H

#include <linux/version.h>
#include <rdma/ib_verbs.h>

#include "rxe.h"

/* The calls that register a program's memory, as ib_uverbs names them. */
#define UVERBS_REG_DMABUF_MR	ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR
int UVERBS_REG_DMABUF_MR(struct uverbs_attr_bundle *attrs);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define UVERBS_REG_MR		ib_uverbs_handler_UVERBS_METHOD_REG_MR
int UVERBS_REG_MR(struct uverbs_attr_bundle *attrs);
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define DMAH_PARAM		/* no such thing */
#define DMAH_NONE
#define DMAH_GIVEN	false

static inline int rxe_resp_result(int state)
{
	return state == RESPST_NONE ? 0 : state;
}
#else
#define DMAH_PARAM	struct ib_dmah *dmah,
#define DMAH_NONE	NULL,
#define DMAH_GIVEN	dmah

static inline enum resp_states rxe_resp_result(int state)
{
	return state;
}
#endif

/*
 * What rxe frees at the end of every region but one for DMA.  Stable kernels got
 * the newer way in an update, so it is the headers that tell, see Kbuild.
 */
static inline void rxe_no_pages(struct rxe_mr *mr)
{
#ifdef RXE_HAS_PAGE_LIST
	xa_init(&mr->page_list);
#endif
}

/* What the responder gets: an enum in newer kernels, its number in older ones. */
typedef typeof(rxe_mr_do_atomic_write(NULL, 0, 0)) rxe_resp_t;

static inline rxe_resp_t rxe_resp(int state)
{
	return rxe_resp_result(state);
}

#endif /* PHYR_RXE_COMPAT_H */
