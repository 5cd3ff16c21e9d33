/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory of a region of soft RoCE. */
#ifndef PHYR_RXE_MEMORY_H
#define PHYR_RXE_MEMORY_H

#include <linux/dma-buf.h>

#include "../rdma/pin.h"

/**
 * struct rxe_memory - what a region's addresses lead to
 * @pinned: what this region has pinned itself; rxe looks at @pinned.umem
 * @base: where in the list the region begins
 * @access: to the list, for the CPU, which is the "device" of soft RoCE
 * @region: of /dev/phyr, if the memory came as one
 * @dmabuf: a foreign one, if the memory came as that
 * @mapped: all of @dmabuf
 */
struct rxe_memory {
	struct phyr_umem pinned;
	u64 base;
	struct phyr_access *access;
	struct phyr_region *region;
	struct dma_buf *dmabuf;
	struct phyr_dmabuf_map mapped;
};

void rxe_memory_begin(void);
bool rxe_memory_get_module(void);
struct rxe_memory *rxe_memory_of(const struct ib_umem *umem);
struct rxe_memory *rxe_memory_pin(struct ib_device *device, unsigned long addr, size_t size,
				  int access);
struct rxe_memory *rxe_memory_dmabuf(struct ib_device *device, u64 offset, u64 size, int fd,
				     int access);
void rxe_memory_free(struct rxe_memory *mem);
unsigned long rxe_memory_live(void);

#endif /* PHYR_RXE_MEMORY_H */
