/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/eduN: let QEMU's edu device at memory of the caller.
 *
 * One mapping a file descriptor.  After EDU_IOC_MAP, pread() fetches bytes of
 * the mapped memory through the device, and pwrite() stores them through it;
 * the file offset counts from the start of the mapping.  The device takes a
 * tenth of a second for each 2 KiB, twice.
 */
#ifndef EDU_IOCTL_H
#define EDU_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EDU_MAP_WRITE	(1u << 0)	/* the device may write it */
#define EDU_MAP_SHORT	(1u << 1)	/* addr, len: pinned for a short time only */
#define EDU_MAP_REGION	(1u << 2)	/* fd: a region of /dev/phyr, as phyrs */
#define EDU_MAP_DMABUF	(1u << 3)	/* fd: any dma-buf, as a classic sg_table */

/**
 * struct edu_map - EDU_IOC_MAP
 * @addr: first byte, without EDU_MAP_REGION or EDU_MAP_DMABUF
 * @len: length in bytes, likewise; out: length of the mapping
 * @fd: the region or the dma-buf
 * @flags: EDU_MAP_*
 * @phyrs: out: physical ranges; 0 for a dma-buf, which does not tell
 * @segments: out: ranges of DMA addresses
 * @map_ns: out: how long the mapping took
 * @list_bytes: out: kernel memory for the list of phyrs
 * @map_bytes: out: kernel memory for the DMA addresses
 */
struct edu_map {
	__u64 addr;
	__u64 len;
	__s32 fd;
	__u32 flags;
	__u64 phyrs;
	__u64 segments;
	__u64 map_ns;
	__u64 list_bytes;
	__u64 map_bytes;
};

/**
 * struct edu_boundary - EDU_IOC_BOUNDARY: where phyrs meet
 * @after: in: an offset; out: the first offset beyond it at which a phyr
 *	begins, or the length of the mapping
 */
struct edu_boundary {
	__u64 after;
};

#define EDU_IOC_MAGIC		0xED
#define EDU_IOC_MAP		_IOWR(EDU_IOC_MAGIC, 0, struct edu_map)
#define EDU_IOC_UNMAP		_IO(EDU_IOC_MAGIC, 1)
#define EDU_IOC_BOUNDARY	_IOWR(EDU_IOC_MAGIC, 2, struct edu_boundary)

#endif
