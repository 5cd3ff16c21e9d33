/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How soft RoCE differs from kernel to kernel.  Written for the newest one.
 */
#ifndef PHYR_RXE_COMPAT_H
#define PHYR_RXE_COMPAT_H

#include <linux/version.h>
#include <rdma/ib_verbs.h>

#include "private.h"

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

/* What tells the responder that nothing is wrong. */
static inline int rxe_resp(u32 state)
{
	return state == rxe_value(RESPST_NONE) ? 0 : state;
}
#else
#define DMAH_PARAM	struct ib_dmah *dmah,
#define DMAH_NONE	NULL,
#define DMAH_GIVEN	dmah

static inline int rxe_resp(u32 state)
{
	return state;
}
#endif

#endif /* PHYR_RXE_COMPAT_H */
