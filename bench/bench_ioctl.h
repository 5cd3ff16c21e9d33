/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/phyr_bench: pin, map, unmap and unpin the same memory in the stock way
 * and as phyrs, once each, and say how long each step took; likewise to copy and fill it.
 */
#ifndef BENCH_IOCTL_H
#define BENCH_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BENCH_WRITE	(1u << 0)	/* pin for writing */
#define BENCH_DIRTY	(1u << 1)	/* make dirty when unpinning */
#define BENCH_SHORT	(1u << 2)	/* not FOLL_LONGTERM; memory of PCI devices, too */
#define BENCH_MAP	(1u << 3)	/* map for the edu device too */
#define BENCH_PHYR_FIRST (1u << 4)	/* phyrs go first, the stock way second */

/**
 * struct bench_side - one way to do it
 * @error: 0, or the errno that stopped it
 * @entries: scatterlist entries, or phyrs
 * @segments: ranges of DMA addresses
 * @bytes: kernel memory that describes the pinned memory
 * @pin_ns: nanoseconds to pin; likewise the others
 * @map_ns: to map for the device, with what describes the mapping allocated before
 * @map_new_ns: to map, and to allocate that too; only phyrs
 * @unmap_ns: to unmap
 * @unpin_ns: to unpin and to free the description
 */
struct bench_side {
	__s32 error;
	__u32 reserved;
	__u64 entries;
	__u64 segments;
	__u64 bytes;
	__u64 pin_ns;
	__u64 map_ns;
	__u64 map_new_ns;
	__u64 unmap_ns;
	__u64 unpin_ns;
};

/**
 * struct bench_run - BENCH_IOC_RUN
 * @addr: first byte
 * @len: length in bytes
 * @flags: BENCH_*
 * @pid: whose memory: another process, pinned as a remote one; 0 for the caller
 * @stock: out: the loop that ib_umem runs
 * @phyr: out: phyrs
 * @gup_ns: out: nanoseconds of GUP alone, in the stock way's batches: what neither
 *	can do without where pages are small; 0 if it refuses
 */
struct bench_run {
	__u64 addr;
	__u64 len;
	__u32 flags;
	__s32 pid;
	struct bench_side stock;
	struct bench_side phyr;
	__u64 gup_ns;
};

/* What the CPU does with memory: the directions are those of the memory. */
enum bench_cpu_op {
	BENCH_COPY_OUT,		/* to a buffer of the kernel */
	BENCH_COPY_IN,
	BENCH_FILL,
	BENCH_COPY_TO_USER,	/* to one of the program, which is given */
	BENCH_COPY_FROM_USER,
	BENCH_CPU_OPS
};

/**
 * struct bench_cpu - BENCH_IOC_CPU
 * @addr: first byte of the memory
 * @len: length in bytes
 * @buf: the program's buffer, as long
 * @op: enum bench_cpu_op
 * @flags: BENCH_PHYR_FIRST
 * @stock_ns: out: nanoseconds by struct iosys_map, and copy_to_user() and copy_from_user();
 *	0 for a program's buffer and memory without pages, for which stock has no call
 * @phyr_ns: out: the same by phyr_copy_to_iter(), phyr_copy_from_iter() and phyr_fill()
 */
struct bench_cpu {
	__u64 addr;
	__u64 len;
	__u64 buf;
	__u32 op;
	__u32 flags;
	__u64 stock_ns;
	__u64 phyr_ns;
};

#define BENCH_IOC_RUN	_IOWR(0xEE, 0, struct bench_run)
#define BENCH_IOC_CPU	_IOWR(0xEE, 1, struct bench_cpu)

#endif
