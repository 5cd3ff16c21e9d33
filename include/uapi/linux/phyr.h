/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/phyr.
 *
 * Every structure begins with its own size.  A kernel that knows a longer
 * structure takes the missing end as zero; one that knows a shorter structure
 * takes a longer one as long as the end that it does not know is zero, and
 * answers E2BIG otherwise.  What it writes back is cut to the caller's size.
 */
#ifndef _UAPI_LINUX_PHYR_H
#define _UAPI_LINUX_PHYR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PHYR_DEVICE	"/dev/phyr"

/* Kinds of memory, as in struct phyr_range and the index of kind_bytes[]. */
enum {
	PHYR_KIND_RAM = 0,	/* system memory */
	PHYR_KIND_PMEM = 1,	/* DAX: devdax, fsdax */
	PHYR_KIND_P2P = 2,	/* PCI memory with a struct page */
	PHYR_KIND_PFNMAP = 3,	/* memory without a struct page */
	PHYR_KIND_MAX = 8	/* room in kind_bytes[] */
};

#define PHYR_KIND_MMIO	PHYR_KIND_PFNMAP	/* its name in 0.1; to be removed in 0.3 */

#define PHYR_INFO_RESTRICTED	(1u << 0)	/* the totals are not shown to this caller */

/**
 * struct phyr_info - PHYR_IOC_INFO: about the module
 * @size: sizeof(struct phyr_info)
 * @version: out: version of the module, major << 16 | minor
 * @page_size: out: the kernel's page size in bytes
 * @iova: out: 1 if one DMA address range can hold a whole list (Linux 6.18)
 * @regions: out: regions that exist, in the whole system
 * @pinned_pages: out: pages that they pin, counted as RLIMIT_MEMLOCK does
 * @flags: out: PHYR_INFO_*
 * @reserved: out: 0
 *
 * The totals of the whole system are for CAP_SYS_ADMIN. For other callers @regions and
 * @pinned_pages are 0 and @flags has PHYR_INFO_RESTRICTED, unless the module parameter
 * allow_layout is set.
 */
struct phyr_info {
	__u32 size;
	__u32 version;
	__u32 page_size;
	__u32 iova;
	__u64 regions;
	__u64 pinned_pages;
	__u32 flags;
	__u32 reserved;
};

#define PHYR_PIN_WRITE	(1u << 0)	/* devices and mmap may write it */

/**
 * struct phyr_pin - PHYR_IOC_PIN: pin a range of the caller's memory
 * @size: sizeof(struct phyr_pin)
 * @flags: PHYR_PIN_*
 * @addr: first byte; need not be aligned
 * @len: length in bytes, not 0
 * @fd: out: the region, a dma-buf; close() releases it
 * @reserved: must be 0
 * @pin_ns: out: how long the pinning itself took, in nanoseconds; 0 if the caller may
 *	not see how memory is laid out, see PHYR_QUERY_RESTRICTED
 */
struct phyr_pin {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 len;
	__s32 fd;
	__u32 reserved;
	__u64 pin_ns;
};

/**
 * struct phyr_import - PHYR_IOC_IMPORT: make a region of a part of a dma-buf
 * @size: sizeof(struct phyr_import)
 * @flags: PHYR_PIN_*
 * @dmabuf: the dma-buf, which may be a region
 * @fd: out: the region; it holds the dma-buf
 * @offset: first byte of the part; need not be aligned
 * @len: its length in bytes; 0 for all that comes after @offset
 *
 * Its exporter has to have a mapping of it for the kernel, of memory with pages.
 */
struct phyr_import {
	__u32 size;
	__u32 flags;
	__s32 dmabuf;
	__s32 fd;
	__u64 offset;
	__u64 len;
};

#define PHYR_QUERY_WRITE	(1u << 0)	/* made with PHYR_PIN_WRITE */
#define PHYR_QUERY_REVOKED	(1u << 1)	/* its memory is revoked: ENODEV from all else */
#define PHYR_QUERY_RESTRICTED	(1u << 2)	/* the layout is not shown to this caller */

/**
 * struct phyr_query - PHYR_IOC_QUERY: about a region
 * @size: sizeof(struct phyr_query)
 * @fd: in: the region
 * @flags: out: PHYR_QUERY_*
 * @kinds: out: mask of 1 << PHYR_KIND_*
 * @bytes: out: length of the region
 * @phyrs: out: physically contiguous ranges
 * @pages: out: pages that it touches
 * @largest: out: length of the longest phyr
 * @metadata_bytes: out: kernel memory that holds the list of phyrs
 * @kind_bytes: out: bytes of each kind
 * @histogram: out: [n] counts the phyrs of 2^n to 2^(n+1)-1 bytes
 * @large_entry: out: size of the page-table entries that a mapping of the region can have
 *	for its large pages; 0 if it has none
 * @congruent: out: what the address of the region's first byte has to be, modulo
 *	@large_entry, for a mapping to have such entries
 *
 * Which pages are adjacent in physical memory is for CAP_SYS_ADMIN. For other callers
 * @phyrs, @largest, @metadata_bytes and @histogram are 0 and @flags has
 * PHYR_QUERY_RESTRICTED, unless the module parameter allow_layout is set.
 */
struct phyr_query {
	__u32 size;
	__s32 fd;
	__u32 flags;
	__u32 kinds;
	__u64 bytes;
	__u64 phyrs;
	__u64 pages;
	__u64 largest;
	__u64 metadata_bytes;
	__u64 kind_bytes[PHYR_KIND_MAX];
	__u64 histogram[64];
	__u64 large_entry;
	__u64 congruent;
};

/**
 * struct phyr_range - one phyr, as PHYR_IOC_RANGES gives it
 * @addr: physical address
 * @len: length in bytes
 * @kind: PHYR_KIND_*
 * @reserved: 0
 */
struct phyr_range {
	__u64 addr;
	__u64 len;
	__u32 kind;
	__u32 reserved;
};

/**
 * struct phyr_ranges - PHYR_IOC_RANGES: the physical ranges of a region
 * @size: sizeof(struct phyr_ranges)
 * @fd: in: the region
 * @offset: in: first byte of the region to tell about
 * @ranges: in: address of an array of struct phyr_range
 * @nr: in: entries in that array; out: entries filled, 0 past the end
 * @reserved: must be 0
 *
 * For CAP_SYS_ADMIN only, as physical addresses are in /proc/PID/pagemap.
 */
struct phyr_ranges {
	__u32 size;
	__s32 fd;
	__u64 offset;
	__u64 ranges;
	__u32 nr;
	__u32 reserved;
};

/**
 * struct phyr_copy - PHYR_IOC_COPY: copy to, from or between regions
 * @size: sizeof(struct phyr_copy)
 * @flags: must be 0
 * @dst_fd: the region to copy to; -1: the caller's memory
 * @src_fd: the region to copy from; -1: the caller's memory; not both
 * @dst: first byte in the region, or address
 * @src: the same, of where to copy from
 * @len: length in bytes, not 0
 * @done: out: bytes that were copied, from the beginning on
 *
 * Bytes of a region that overlap are copied as by memmove().  If something stops it on its
 * way (a revocation, a poisoned page, an address that is not mapped, a signal), @done is
 * less than @len; the call fails if it is 0.  Bytes behind @done may have been written.
 */
struct phyr_copy {
	__u32 size;
	__u32 flags;
	__s32 dst_fd;
	__s32 src_fd;
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 done;
};

/**
 * struct phyr_fill - PHYR_IOC_FILL: fill a part of a region with one byte
 * @size: sizeof(struct phyr_fill)
 * @flags: must be 0
 * @fd: the region
 * @byte: 0 to 255
 * @offset: first byte in the region
 * @len: length in bytes, not 0
 * @done: out: bytes that were filled, as that of &struct phyr_copy
 */
struct phyr_fill {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 byte;
	__u64 offset;
	__u64 len;
	__u64 done;
};

/**
 * struct phyr_compare - PHYR_IOC_COMPARE: compare regions, or one with the caller's memory
 * @size: sizeof(struct phyr_compare)
 * @flags: must be 0
 * @a_fd: a region
 * @b_fd: another, or the same; -1: the caller's memory
 * @a: first byte in the region
 * @b: first byte in the other, or address
 * @len: length in bytes, not 0
 * @equal: out: bytes that are alike, from the beginning on; @len if all are
 * @done: out: bytes that were compared: more than @equal where two differ, else, if less
 *	than @len, something stopped it
 */
struct phyr_compare {
	__u32 size;
	__u32 flags;
	__s32 a_fd;
	__s32 b_fd;
	__u64 a;
	__u64 b;
	__u64 len;
	__u64 equal;
	__u64 done;
};

/**
 * struct phyr_crc - PHYR_IOC_CRC32C: the CRC-32C of a part of a region
 * @size: sizeof(struct phyr_crc)
 * @flags: must be 0
 * @fd: the region
 * @crc: in: what to begin with, 0 or that of the bytes before; out: the checksum of @done bytes
 * @offset: first byte in the region
 * @len: length in bytes, not 0
 * @done: out: bytes that were summed, as that of &struct phyr_copy
 */
struct phyr_crc {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 crc;
	__u64 offset;
	__u64 len;
	__u64 done;
};

/**
 * struct phyr_slice - bytes of a region
 * @offset: the first one
 * @len: how many
 */
struct phyr_slice {
	__u64 offset;
	__u64 len;
};

#define PHYR_RW_WRITE	(1u << 0)	/* from the region to the file */

/**
 * struct phyr_rw - PHYR_IOC_RW: read a file into a region, or write one from it
 * @size: sizeof(struct phyr_rw)
 * @flags: PHYR_RW_*
 * @fd: the region
 * @file: a file or block device, open for what is done
 * @slices: address of an array of struct phyr_slice, filled or written one after another
 * @nr: entries in that array, 1 to 1024
 * @rwf: RWF_*, as for preadv2(2)
 * @pos: position in the file, which the file's own does not change; not negative
 * @done: out: bytes that were read or written, from the beginning on
 * @direct: out: bytes of them that the file took from the region's memory, or put there,
 *	without a copy of phyr's: all of them, but for a region that has memory without a
 *	struct page, or of PCI devices, only what a drive has moved itself (phyr_block)
 *
 * As preadv2(2) and pwritev2(2): it may end early, and fails if nothing was done.  The file is
 * read and written by the kernel, wherever the region is mapped, if at all.  O_DIRECT asks for
 * what it asks of an address: slices are aligned to the device's blocks.
 */
struct phyr_rw {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__s32 file;
	__u64 slices;
	__u32 nr;
	__u32 rwf;
	__s64 pos;
	__u64 done;
	__u64 direct;
};

#define PHYR_IOC_MAGIC	0xF1
#define PHYR_IOC_INFO	_IOWR(PHYR_IOC_MAGIC, 0, struct phyr_info)
#define PHYR_IOC_PIN	_IOWR(PHYR_IOC_MAGIC, 1, struct phyr_pin)
#define PHYR_IOC_QUERY	_IOWR(PHYR_IOC_MAGIC, 2, struct phyr_query)
#define PHYR_IOC_RANGES	_IOWR(PHYR_IOC_MAGIC, 3, struct phyr_ranges)
#define PHYR_IOC_IMPORT	_IOWR(PHYR_IOC_MAGIC, 4, struct phyr_import)
#define PHYR_IOC_COPY	_IOWR(PHYR_IOC_MAGIC, 5, struct phyr_copy)
#define PHYR_IOC_FILL	_IOWR(PHYR_IOC_MAGIC, 6, struct phyr_fill)
#define PHYR_IOC_COMPARE	_IOWR(PHYR_IOC_MAGIC, 7, struct phyr_compare)
#define PHYR_IOC_CRC32C	_IOWR(PHYR_IOC_MAGIC, 8, struct phyr_crc)
#define PHYR_IOC_RW	_IOWR(PHYR_IOC_MAGIC, 9, struct phyr_rw)

#endif /* _UAPI_LINUX_PHYR_H */
