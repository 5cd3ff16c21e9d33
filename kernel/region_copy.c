// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions copied, filled, compared and summed for a program, which may have no mapping of
 * them.  It is access by the CPU, as through a mapping: devices that have a region mapped
 * are synced with, and their fences are waited for.
 */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include <uapi/linux/phyr.h>

#include "compat.h"
#include "region_private.h"

/**
 * struct side - a region that is read or written, or memory of the program
 * @region: the region, held; NULL for the program's memory
 * @access: to the slice of the region
 * @dir: of the region's access, as that of a device that did the same
 * @iter: to the program's memory
 */
struct side {
	struct phyr_region *region;
	struct phyr_access *access;
	enum dma_data_direction dir;
	struct iov_iter iter;
};

static int side_begin(struct side *side, u64 at, u64 len, bool write)
{
	int ret;

	if (write && !side->region->write)
		return -EACCES;
	/* what is not written of it stays, so it comes from the device, too */
	side->dir = write ? DMA_BIDIRECTIONAL : DMA_FROM_DEVICE;
	ret = dma_buf_begin_cpu_access(side->region->dmabuf, side->dir);
	if (ret)
		return ret;
	side->access = phyr_access_get_slice(phyr_region_list(side->region), at, len);
	if (!IS_ERR(side->access))
		return 0;
	dma_buf_end_cpu_access(side->region->dmabuf, side->dir);
	return PTR_ERR(side->access);
}

/* A slice of a region that is written, or read. */
static int side_get(struct side *side, int fd, u64 at, u64 len, bool write)
{
	int ret;

	side->region = phyr_region_get(fd);
	if (IS_ERR(side->region))
		return PTR_ERR(side->region);
	ret = side_begin(side, at, len, write);
	if (ret)
		phyr_region_put(side->region);
	return ret;
}

static void side_put(struct side *side)
{
	if (!side->region)
		return;
	phyr_access_put(side->access);
	dma_buf_end_cpu_access(side->region->dmabuf, side->dir);
	phyr_region_put(side->region);
}

/* @to: the program's memory is written. */
static int side_user(struct side *side, u64 addr, u64 len, bool to)
{
	side->region = NULL;
	return import_ubuf(to ? ITER_DEST : ITER_SOURCE, u64_to_user_ptr(addr), len, &side->iter);
}

/* Two sides, of which the first is written if @write; -1 stands for the program's memory. */
static int sides_get(struct side side[2], const int fd[2], const u64 at[2], u64 len, bool write)
{
	int ret, i;

	for (i = 0; i < 2; i++) {
		bool writes = write && !i;

		ret = fd[i] == -1 ? side_user(&side[i], at[i], len, writes) :
				    side_get(&side[i], fd[i], at[i], len, writes);
		if (ret)
			break;
	}
	if (ret && i)
		side_put(&side[0]);
	return ret;
}

static void sides_put(struct side side[2])
{
	side_put(&side[1]);
	side_put(&side[0]);
}

/* -EINVAL for what does not fit into a call, or has no region in it. */
static int check_call(u32 flags, u64 len, int fd0, int fd1)
{
	return flags || !len || len > SSIZE_MAX || (fd0 == -1 && fd1 == -1) ? -EINVAL : 0;
}

static ssize_t copy_sides(struct side side[2], const struct phyr_copy *copy)
{
	if (!side[1].region)
		return phyr_copy_from_iter(side[0].access, copy->dst, copy->len, &side[1].iter);
	if (!side[0].region)
		return phyr_copy_to_iter(side[1].access, copy->src, copy->len, &side[0].iter);
	/* two accesses to one region are one, to the order in which overlapping bytes go */
	return phyr_copy(side[0].access, copy->dst, side[1].access, copy->src, copy->len);
}

/**
 * phyr_region_copy - PHYR_IOC_COPY
 * @copy: the arguments; @copy->done is set
 *
 * Context: process, may sleep.
 * Return: 0, or an error if nothing was copied.
 */
int phyr_region_copy(struct phyr_copy *copy)
{
	const int fd[2] = { copy->dst_fd, copy->src_fd };
	const u64 at[2] = { copy->dst, copy->src };
	struct side side[2];
	ssize_t n;
	int ret;

	copy->done = 0;
	ret = check_call(copy->flags, copy->len, fd[0], fd[1]) ?:
	      sides_get(side, fd, at, copy->len, true);
	if (ret)
		return ret;
	n = copy_sides(side, copy);
	sides_put(side);
	if (n < 0)
		return n;
	copy->done = n;
	return 0;
}

/**
 * phyr_region_fill - PHYR_IOC_FILL
 * @fill: the arguments; @fill->done is set
 *
 * Context: process, may sleep.
 * Return: 0, or an error if nothing was filled.
 */
int phyr_region_fill(struct phyr_fill *fill)
{
	struct side side;
	ssize_t n;
	int ret;

	fill->done = 0;
	ret = fill->byte > U8_MAX ? -EINVAL : check_call(fill->flags, fill->len, fill->fd, 0);
	ret = ret ?: side_get(&side, fill->fd, fill->offset, fill->len, true);
	if (ret)
		return ret;
	n = phyr_fill(side.access, fill->offset, fill->len, fill->byte);
	side_put(&side);
	if (n < 0)
		return n;
	fill->done = n;
	return 0;
}

static ssize_t compare_sides(struct side side[2], const struct phyr_compare *compare,
			     bool *differ)
{
	if (!side[1].region)
		return phyr_compare_iter(side[0].access, compare->a, compare->len, &side[1].iter,
					 differ);
	return phyr_compare(side[0].access, compare->a, side[1].access, compare->b, compare->len,
			    differ);
}

/**
 * phyr_region_compare - PHYR_IOC_COMPARE
 * @compare: the arguments; @compare->equal and @compare->done are set
 *
 * Context: process, may sleep.
 * Return: 0, or an error if nothing was compared.
 */
int phyr_region_compare(struct phyr_compare *compare)
{
	const int fd[2] = { compare->a_fd, compare->b_fd };
	const u64 at[2] = { compare->a, compare->b };
	struct side side[2];
	bool differ;
	ssize_t n;
	int ret;

	compare->equal = 0;
	compare->done = 0;
	ret = fd[0] == -1 ? -EINVAL : check_call(compare->flags, compare->len, fd[0], fd[1]);
	ret = ret ?: sides_get(side, fd, at, compare->len, false);
	if (ret)
		return ret;
	n = compare_sides(side, compare, &differ);
	sides_put(side);
	if (n < 0)
		return n;
	compare->equal = n;
	compare->done = n + differ;
	return 0;
}

/**
 * phyr_region_crc32c - PHYR_IOC_CRC32C
 * @crc: the arguments; @crc->crc and @crc->done are set
 *
 * Context: process, may sleep.
 * Return: 0, or an error if nothing was summed.
 */
int phyr_region_crc32c(struct phyr_crc *crc)
{
	struct side side;
	ssize_t n;
	int ret;

	crc->done = 0;
	ret = check_call(crc->flags, crc->len, crc->fd, 0) ?:
	      side_get(&side, crc->fd, crc->offset, crc->len, false);
	if (ret)
		return ret;
	n = phyr_crc32c(side.access, crc->offset, crc->len, &crc->crc);
	side_put(&side);
	if (n < 0)
		return n;
	crc->done = n;
	return 0;
}
