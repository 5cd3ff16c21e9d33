/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How RDMA differs from kernel to kernel.  Written for the newest one.
 */
#ifndef PHYR_RDMA_COMPAT_H
#define PHYR_RDMA_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_verbs.h>

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

void __ib_umem_release(struct ib_device *device, struct ib_umem *umem, int dirty);

#endif /* PHYR_RDMA_COMPAT_H */
