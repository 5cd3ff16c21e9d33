/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How RDMA differs from kernel to kernel.  Written for the newest one.
 */
#ifndef PHYR_RDMA_COMPAT_H
#define PHYR_RDMA_COMPAT_H

#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>

#include "rxe.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define UMEM_MODULE	"ib_uverbs"
#define UMEM_GET	ib_umem_get
#define UMEM_DMA_ATTRS	0

static inline bool umem_refused(const struct ib_device *device)
{
	return false;
}

/* For the tests: is there such a thing? */
static inline bool umem_refuse(struct ib_device *device, bool refuse)
{
	return false;
}

static inline void umem_set_attrs(struct ib_umem *umem, unsigned long attrs)
{
}

static inline struct ib_umem *ib_umem_get_va(struct ib_device *device, unsigned long addr,
					     size_t size, int access)
{
	return ib_umem_get(device, addr, size, access);
}
#else
#define UMEM_MODULE	"ib_core"
#define UMEM_GET	__ib_umem_get_va
#define UMEM_DMA_ATTRS	DMA_ATTR_REQUIRE_COHERENT

/* Not in a header: the function that pins for all the others. */
struct ib_umem *__ib_umem_get_va(struct ib_device *device, unsigned long addr, size_t size,
				 int access);

/* A confidential guest whose device bounces: it cannot be let at user memory. */
static inline bool umem_refused(const struct ib_device *device)
{
	return device->cc_dma_bounce;
}

static inline bool umem_refuse(struct ib_device *device, bool refuse)
{
	device->cc_dma_bounce = refuse;
	return true;
}

/* Unmapping needs them again. */
static inline void umem_set_attrs(struct ib_umem *umem, unsigned long attrs)
{
	umem->dma_attrs = attrs;
}
#endif

/* The calls that register a program's memory, as ib_uverbs names them. */
#define UVERBS_REG_DMABUF_MR	ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR
int UVERBS_REG_DMABUF_MR(struct uverbs_attr_bundle *attrs);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define UVERBS_REG_MR		ib_uverbs_handler_UVERBS_METHOD_REG_MR
int UVERBS_REG_MR(struct uverbs_attr_bundle *attrs);
#endif

void __ib_umem_release(struct ib_device *device, struct ib_umem *umem, int dirty);

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

#endif /* PHYR_RDMA_COMPAT_H */
