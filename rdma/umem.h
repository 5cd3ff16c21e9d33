/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of phyr_rdma.ko share. */
#ifndef PHYR_RDMA_UMEM_H
#define PHYR_RDMA_UMEM_H

#include <linux/dma-buf.h>
#include <linux/phyr.h>

#include "compat.h"

/**
 * struct phyr_umem - memory of a region that is described by phyrs
 * @umem: what ib_core knows, and frees: it has to be first
 * @list: what this region has pinned itself
 * @base: where in the list the region begins
 * @access: for the CPU, which is the "device" of soft RoCE
 * @dma: for a device, where some of the memory has no struct page
 * @region: of /dev/phyr, if the memory came as one
 * @dmabuf: a foreign one, if the memory came as that
 * @mapped: all of @dmabuf
 */
struct phyr_umem {
	struct ib_umem umem;
	struct phyr_list list;
	u64 base;
	struct phyr_access *access;
	struct phyr_dma *dma;
	struct phyr_region *region;
	struct dma_buf *dmabuf;
	struct phyr_dmabuf_map mapped;
};

/* umem.c */
struct phyr_umem *phyr_umem_of(const struct ib_umem *umem);
struct phyr_umem *phyr_umem_pin(struct ib_device *device, unsigned long addr, size_t size,
				int access);
struct phyr_umem *phyr_umem_dmabuf(struct ib_device *device, u64 offset, u64 size, int fd,
				   int access);
unsigned long phyr_umem_live(void);
void phyr_umem_begin(void);
bool phyr_umem_get_module(void);
int phyr_umem_hook(void);
void phyr_umem_unhook(void);
void phyr_umem_set_check(void (*check)(const struct ib_device *device));

/* uverbs.c */
int phyr_uverbs_hook(void);
void phyr_uverbs_unhook(void);
int phyr_uverbs_lend(struct ib_device *device, const struct ib_device_ops *ops);
void phyr_uverbs_take_back(struct ib_device *device);
bool phyr_uverbs_counted(const struct ib_device *device);

/* rxe.c */
void phyr_rxe_mr_init(int access, struct rxe_mr *mr);
int phyr_rxe_hook(void);
void phyr_rxe_unhook(void);

/* rxe_dmabuf.c */
int phyr_rxe_dmabuf_hook(void);
void phyr_rxe_dmabuf_unhook(void);

#endif /* PHYR_RDMA_UMEM_H */
