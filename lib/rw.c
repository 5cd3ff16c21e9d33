// SPDX-License-Identifier: LGPL-2.1-or-later
/* Files read into regions, and written from them, by the kernel. */
#include <limits.h>

#include "internal.h"

static ssize_t rw(int dev, struct phyr_rw *arg, const struct phyr_slice *slices,
		  unsigned int nr, uint64_t *direct)
{
	int ret;

	arg->size = sizeof(*arg);
	arg->slices = (uintptr_t)slices;
	arg->nr = nr;
	ret = phyr_ioctl(dev, PHYR_IOC_RW, arg);
	if (ret)
		return ret;
	if (direct)
		*direct = arg->direct;
	return (ssize_t)arg->done;
}

PHYR_EXPORT ssize_t phyr_preadv2(int dev, int file, int region, const struct phyr_slice *slices,
				 unsigned int nr, int64_t pos, int flags, uint64_t *direct)
{
	struct phyr_rw arg = { .fd = region, .file = file, .pos = pos, .rwf = (uint32_t)flags };

	return rw(dev, &arg, slices, nr, direct);
}

PHYR_EXPORT ssize_t phyr_pwritev2(int dev, int file, int region, const struct phyr_slice *slices,
				  unsigned int nr, int64_t pos, int flags, uint64_t *direct)
{
	struct phyr_rw arg = {
		.flags = PHYR_RW_WRITE,
		.fd = region,
		.file = file,
		.pos = pos,
		.rwf = (uint32_t)flags,
	};

	return rw(dev, &arg, slices, nr, direct);
}

PHYR_EXPORT ssize_t phyr_pread(int dev, int file, int region, uint64_t offset, size_t len,
			       int64_t pos)
{
	struct phyr_slice slice = { .offset = offset, .len = len };

	return phyr_preadv2(dev, file, region, &slice, 1, pos, 0, NULL);
}

PHYR_EXPORT ssize_t phyr_pwrite(int dev, int file, int region, uint64_t offset, size_t len,
				int64_t pos)
{
	struct phyr_slice slice = { .offset = offset, .len = len };

	return phyr_pwritev2(dev, file, region, &slice, 1, pos, 0, NULL);
}
