// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cutting ranges into the segments that a device can take.
 */
#include <linux/minmax.h>
#include <linux/phyr_list.h>

/**
 * phyr_seg_limits_valid - can there be a segment that obeys limits
 * @lim: the limits
 *
 * Context: any.
 * Return: false for a longest segment of no bytes, and a boundary mask that is not all ones.
 */
bool phyr_seg_limits_valid(const struct phyr_seg_limits *lim)
{
	return lim->max_len && !(lim->boundary_mask & (lim->boundary_mask + 1));
}

/**
 * phyr_seg_cut - how much of a range fits in one segment
 * @addr: the range, in the address space that the device sees
 * @len: its length in bytes, not 0
 * @lim: what the device can take
 *
 * Context: any.
 * Return: the length of the longest segment that begins at @addr, at least 1.
 */
u64 phyr_seg_cut(u64 addr, u64 len, const struct phyr_seg_limits *lim)
{
	u64 room = lim->boundary_mask - (addr & lim->boundary_mask);
	u64 cut = min(len, lim->max_len);

	/* room is one less than what fits */
	return cut > room ? room + 1 : cut;
}
