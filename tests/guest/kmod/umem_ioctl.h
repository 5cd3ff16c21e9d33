/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/phyr_umem: what ib_core gives to the driver of a device that does DMA,
 * for a program. Each open file has one ib_umem, for the edu device: of memory, or
 * of a dma-buf.
 */
#ifndef PHYR_UMEM_IOCTL_H
#define PHYR_UMEM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct umem_get - UMEM_IOC_GET: ib_umem_get_va()
 * @addr: first byte
 * @len: length in bytes
 * @access: IB_ACCESS_*
 * @max_seg: longest segment that the device takes; 0 as it is
 * @entries: out: entries of the CPU's half of the sg_table
 * @dma_entries: out: entries of the device's half
 * @pageless: out: entries that have no page
 * @bounce: not 0: the device bounces, as in a confidential guest; ENOTTY if the kernel
 *	knows no such devices
 * @bytes: out: length of the device's half
 * @page_size: out: ib_umem_find_best_pgsz() of any power of two
 * @blocks: out: rdma_umem_for_each_dma_block() with that
 * @blocks_due: out: ib_umem_num_dma_blocks() with that
 */
struct umem_get {
	__u64 addr;
	__u64 len;
	__u32 access;
	__u32 max_seg;
	__u32 entries;
	__u32 dma_entries;
	__u32 pageless;
	__u32 bounce;
	__u64 bytes;
	__u64 page_size;
	__u64 blocks;
	__u64 blocks_due;
};

/** struct umem_place - byte @offset of the memory is at @phys */
struct umem_place {
	__u64 offset;
	__u64 phys;
};

/**
 * struct umem_check - UMEM_IOC_CHECK: does the device find bytes where they are?
 * @places: address of an array of struct umem_place
 * @nr: its entries
 * @wrong: out: the first that the device does not find there, or @nr
 * @found: out: where it finds that one
 */
struct umem_check {
	__u64 places;
	__u32 nr;
	__u32 wrong;
	__u64 found;
};

/** struct umem_copy - UMEM_IOC_COPY: ib_umem_copy_from() */
struct umem_copy {
	__u64 offset;
	__u64 len;
	__u64 buf;
};

#define UMEM_DYNAMIC	0	/* unmaps when it is notified, and maps again */
#define UMEM_PINNED	1	/* cannot be notified */
#define UMEM_REVOCABLE	2	/* pins, and can be notified of a revocation */

/**
 * struct umem_dmabuf - UMEM_IOC_DMABUF: ib_umem_dmabuf_get() and its like
 * @offset: first byte, in the dma-buf
 * @len: length in bytes
 * @fd: the dma-buf
 * @how: UMEM_DYNAMIC, UMEM_PINNED, UMEM_REVOCABLE
 * @access: IB_ACCESS_*
 * @dma_entries: out: ranges of DMA addresses
 *
 * The bytes are then those of the file's ib_umem.
 */
struct umem_dmabuf {
	__u64 offset;
	__u64 len;
	__s32 fd;
	__u32 how;
	__u32 access;
	__u32 dma_entries;
};

#define UMEM_IOC_DMABUF	_IOWR(0xF3, 4, struct umem_dmabuf)
#define UMEM_IOC_REMAP	_IO(0xF3, 5)	/* as before the next transfer, if it was told */
#define UMEM_IOC_GET	_IOWR(0xF3, 0, struct umem_get)
#define UMEM_IOC_CHECK	_IOWR(0xF3, 1, struct umem_check)
#define UMEM_IOC_COPY	_IOW(0xF3, 2, struct umem_copy)
#define UMEM_IOC_PUT	_IO(0xF3, 3)
/* Calls the operation of eth0's rxe device for dma-bufs; not through ib_uverbs. */
#define UMEM_IOC_LENT	_IO(0xF3, 6)
/* UMEM_IOC_PUT, as the end of a region of soft RoCE. */
#define UMEM_IOC_RXE_END	_IO(0xF3, 7)

#endif
