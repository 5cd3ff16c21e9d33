/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/phyr_test: the functions that phyr.ko offers to drivers, for a program.
 *
 * Each open file has an array and a list of its own; closing it unpins both.
 */
#ifndef PHYR_TEST_IOCTL_H
#define PHYR_TEST_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PT_WRITE	(1u << 0)	/* FOLL_WRITE */
#define PT_LONGTERM	(1u << 1)	/* FOLL_LONGTERM */
#define PT_FORCE	(1u << 2)	/* FOLL_FORCE, which phyr does not take */
#define PT_DIRTY	(1u << 3)	/* make dirty when unpinning */
#define PT_HALVES	(1u << 4)	/* unpin each phyr in two parts */
#define PT_ARRAY	(1u << 5)	/* the array, not the list */
#define PT_REMOTE	(1u << 6)	/* memory of the process @pid */
#define PT_P2P		(1u << 8)	/* FOLL_PCI_P2PDMA */
#define PT_PLATFORM	(1u << 9)	/* PT_IOC_MAP: for a device that is not PCI's */
#define PT_BARE		(1u << 7)	/* PT_IOC_VMAP: call the exporter, not dma-buf */
#define PT_MOVABLE	(1u << 10)	/* PT_IOC_EXPORT: a buffer that can be pinned */
#define PT_PFNMAP	(1u << 12)	/* with PT_REMOTE: memory without pages, too */
#define PT_ONE_PIECE	(1u << 13)	/* PT_IOC_COPY: by phyr_vmap() */
#define PT_PIN		(1u << 11)	/* PT_IOC_ATTACH: an importer that pins */

/**
 * struct pt_pin - PT_IOC_ARRAY, PT_IOC_APPEND
 * @addr: first byte
 * @len: length in bytes
 * @flags: PT_WRITE, PT_LONGTERM, PT_FORCE, PT_REMOTE
 * @pid: whose memory, with PT_REMOTE
 * @nr: PT_IOC_ARRAY: phyrs to ask for in one call
 * @calls: PT_IOC_ARRAY: out: how many calls it took
 * @done: out: bytes pinned, even if @error
 * @error: out: 0, or the errno of the last call
 * @reserved: not used
 *
 * PT_IOC_ARRAY calls pin_user_phyrs() and goes on until it has all of it;
 * PT_IOC_APPEND calls pin_user_phyr_list() once.
 */
struct pt_pin {
	__u64 addr;
	__u64 len;
	__u32 flags;
	__s32 pid;
	__u32 nr;
	__u32 calls;
	__u64 done;
	__s32 error;
	__u32 reserved;
};

/**
 * struct pt_ranges - PT_IOC_RANGES: what was pinned
 * @ranges: address of an array of struct phyr_range
 * @nr: in: its entries; out: how many there are
 * @flags: PT_ARRAY
 * @bytes: out: phyr_list_len(), or the sum of the array
 */
struct pt_ranges {
	__u64 ranges;
	__u32 nr;
	__u32 flags;
	__u64 bytes;
};

/**
 * struct pt_copy - PT_IOC_COPY, PT_IOC_VMAP: bytes of the list, of a dma-buf
 * @offset: first byte
 * @len: how many
 * @buf: address of the program's buffer
 * @flags: PT_WRITE: into it, not out of it; PT_BARE; PT_ONE_PIECE: out of it only
 * @fd: PT_IOC_VMAP: the dma-buf, which the kernel maps to copy
 */
struct pt_copy {
	__u64 offset;
	__u64 len;
	__u64 buf;
	__u32 flags;
	__s32 fd;
};

/**
 * struct pt_map - PT_IOC_MAP: map a slice for the edu device, check, and unmap
 * @offset: first byte; 0 with PT_ARRAY
 * @len: how many; not used with PT_ARRAY
 * @flags: PT_ARRAY, PT_PLATFORM; PT_WRITE: the device writes, even if the list is read-only
 * @max_seg: longest segment that the device takes meanwhile; 0 as it is
 * @boundary: mask that no segment crosses; 0 as it is
 * @error: out: 0, or the errno of sg_map_phyrs() or phyr_dma_to_sgtable()
 * @segments: out: ranges of DMA addresses
 * @entries: out: entries of the CPU's half of the sg_table
 * @dma_entries: out: entries of the device's half
 * @line: out: 0, or the line of kmod/map.c that found something wrong
 */
struct pt_map {
	__u64 offset;
	__u64 len;
	__u32 flags;
	__u32 max_seg;
	__u64 boundary;
	__s32 error;
	__u32 line;
	__u64 segments;
	__u32 entries;
	__u32 dma_entries;
};

/**
 * struct pt_gup - PT_IOC_GUP: what GUP itself would pin; it is unpinned at once
 * @addr: the first page
 * @frames: address of an array of page frame numbers, of 64 bits each
 * @nr: pages
 * @flags: PT_WRITE, PT_LONGTERM
 */
struct pt_gup {
	__u64 addr;
	__u64 frames;
	__u32 nr;
	__u32 flags;
};

/**
 * struct pt_build - PT_IOC_BUILD: a list of addresses that nobody looks at
 * @nr: phyrs, of one page each, no two of them next to each other
 * @many: append so many of them in a call
 * @line: out: 0, or the line of kmod/list.c that found something wrong
 * @reserved: not used
 *
 * Appends, seals, cuts short, trims, finds and frees. An append that fails has
 * to leave the list as it was.
 */
struct pt_build {
	__u32 nr;
	__u32 many;
	__u32 line;
	__u32 reserved;
};

/**
 * struct pt_dmabuf - PT_IOC_EXPORT, PT_IOC_STATE, PT_IOC_ATTACH
 * @len: PT_IOC_EXPORT: length in bytes
 * @fd: the dma-buf; PT_IOC_EXPORT: out
 * @flags: PT_WRITE, PT_MOVABLE, PT_PIN
 * @attached: PT_IOC_STATE: out: how many importers the exporter knows of
 * @pinned: PT_IOC_STATE: out: how many have pinned its buffer
 * @mapped: PT_IOC_STATE: out: how often the kernel has mapped it
 * @revocable: PT_IOC_STATE: out: how many importers have a callback to be notified by
 *
 * PT_IOC_ATTACH maps it for edu, as an importer that unmaps a fifth of a second after
 * it was told to; until PT_IOC_DETACH, or until the file is closed.
 */
struct pt_dmabuf {
	__u64 len;
	__s32 fd;
	__u32 flags;
	__u32 attached;
	__u32 pinned;
	__u32 mapped;
	__u32 revocable;
};

#define PT_IOC_ARRAY	_IOWR(0xF2, 0, struct pt_pin)
#define PT_IOC_APPEND	_IOWR(0xF2, 1, struct pt_pin)
#define PT_IOC_RANGES	_IOWR(0xF2, 2, struct pt_ranges)
#define PT_IOC_COPY	_IOWR(0xF2, 3, struct pt_copy)
#define PT_IOC_MAP	_IOWR(0xF2, 4, struct pt_map)
#define PT_IOC_VMAP	_IOWR(0xF2, 6, struct pt_copy)
#define PT_IOC_GUP	_IOW(0xF2, 7, struct pt_gup)
#define PT_IOC_BUILD	_IOWR(0xF2, 8, struct pt_build)
#define PT_IOC_EXPORT	_IOWR(0xF2, 9, struct pt_dmabuf)
#define PT_IOC_STATE	_IOWR(0xF2, 10, struct pt_dmabuf)
#define PT_IOC_ATTACH	_IOWR(0xF2, 11, struct pt_dmabuf)
#define PT_IOC_DETACH	_IO(0xF2, 12)
#define PT_IOC_DISTRUST	_IO(0xF2, 13)	/* argument: whether edu is a device not to be trusted */
#define PT_IOC_UNPIN	_IO(0xF2, 5)	/* argument: PT_DIRTY, PT_HALVES, PT_ARRAY */

#endif
