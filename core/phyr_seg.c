// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cutting ranges into the segments that a device can take.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/phyr_list.h>

/**
 * phyr_seg_limits_valid - can there be a segment that obeys limits
 * @lim: the limits
 *
 * Context: any.
 * Return: false for an alignment that is no power of two, a boundary mask that is not
 * all ones, and a longest segment or a boundary smaller than the alignment.
 */
bool phyr_seg_limits_valid(const struct phyr_seg_limits *lim)
{
	if (!lim->align || lim->align & (lim->align - 1))
		return false;
	if (lim->boundary_mask & (lim->boundary_mask + 1))
		return false;
	return lim->max_len >= lim->align && lim->boundary_mask >= lim->align - 1;
}

/**
 * phyr_seg_cut - how much of a range fits in one segment
 * @addr: the range, in the address space that the device sees
 * @len: its length in bytes, not 0
 * @lim: what the device can take
 *
 * Context: any.
 * Return: the length of the longest segment that begins at @addr; 0 if there
 * is none, because @addr is not aligned.
 */
u64 phyr_seg_cut(u64 addr, u64 len, const struct phyr_seg_limits *lim)
{
	u64 room = lim->boundary_mask - (addr & lim->boundary_mask);
	u64 cut = min(len, lim->max_len);

	if (addr & (lim->align - 1))
		return 0;
	if (cut > room)			/* room is one less than what fits */
		cut = room + 1;
	if (cut < len)
		cut &= ~(u64)(lim->align - 1);
	return cut;
}

/**
 * phyr_seg_iter_init - start iterating over a slice of a list, to cut it
 * @si: the iterator
 * @list: the list, which must not change while it is walked
 * @offset: first byte of the slice
 * @len: its length; the walk ends with the list if that comes first
 * @lim: what the device can take
 *
 * Context: any.
 * Return: 0; -EINVAL for limits that no segment can obey, see
 * phyr_seg_limits_valid().
 */
int phyr_seg_iter_init(struct phyr_seg_iter *si, const struct phyr_list *list,
		       u64 offset, u64 len, const struct phyr_seg_limits *lim)
{
	if (!phyr_seg_limits_valid(lim))
		return -EINVAL;
	phyr_iter_init(&si->it, list, offset, len);
	si->rest.addr = 0;
	si->rest.len = 0;
	si->lim = *lim;
	return 0;
}

/**
 * phyr_seg_next - the next segment of a slice
 * @si: the iterator
 * @seg: set to the segment; its kind is in @si->it.kind
 *
 * Segments never join two phyrs, and together are the bytes of the slice.
 *
 * Context: any.
 * Return: 1; 0 at the end of the slice; -EINVAL where what is left cannot be
 * given to the device: a phyr that does not begin aligned, or one that does
 * not end aligned and is not the last.
 */
int phyr_seg_next(struct phyr_seg_iter *si, struct phyr *seg)
{
	u64 cut;

	if (!si->rest.len && !phyr_iter_next(&si->it, &si->rest))
		return 0;
	cut = phyr_seg_cut(si->rest.addr, si->rest.len, &si->lim);
	if (!cut)
		return -EINVAL;
	if (cut & (si->lim.align - 1) && phyr_iter_more(&si->it))
		return -EINVAL;
	seg->addr = si->rest.addr;
	seg->len = (size_t)cut;
	si->rest.addr += (phys_addr_t)cut;
	si->rest.len -= (size_t)cut;
	return 1;
}
