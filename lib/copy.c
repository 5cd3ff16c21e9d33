// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bytes of regions: copied, filled, compared and summed by the kernel, without a mapping.
 *
 * A copy that is stopped on its way returns how far it came; the next call, from there on,
 * says why.  To the kernel a descriptor of -1 is the caller's memory.  So what should be a
 * region is checked here: an error that the caller did not notice is no descriptor.
 */
#include <limits.h>

#include "internal.h"

#define CALLERS_MEMORY (-1)

static ssize_t copy(int dev, struct phyr_copy *arg)
{
	int ret;

	if (arg->len > SSIZE_MAX)
		return -EINVAL;
	arg->size = sizeof(*arg);
	ret = phyr_ioctl(dev, PHYR_IOC_COPY, arg);
	return ret ? ret : (ssize_t)arg->done;
}

PHYR_EXPORT ssize_t phyr_copy_to(int dev, int region, uint64_t offset, const void *buf,
				 size_t len)
{
	struct phyr_copy arg = {
		.dst_fd = region,
		.src_fd = CALLERS_MEMORY,
		.dst = offset,
		.src = (uintptr_t)buf,
		.len = len,
	};

	return region < 0 ? -EBADF : copy(dev, &arg);
}

PHYR_EXPORT ssize_t phyr_copy_from(int dev, int region, uint64_t offset, void *buf, size_t len)
{
	struct phyr_copy arg = {
		.dst_fd = CALLERS_MEMORY,
		.src_fd = region,
		.dst = (uintptr_t)buf,
		.src = offset,
		.len = len,
	};

	return region < 0 ? -EBADF : copy(dev, &arg);
}

PHYR_EXPORT ssize_t phyr_copy(int dev, int dst, uint64_t dst_offset, int src,
			      uint64_t src_offset, size_t len)
{
	struct phyr_copy arg = {
		.dst_fd = dst,
		.src_fd = src,
		.dst = dst_offset,
		.src = src_offset,
		.len = len,
	};

	return dst < 0 || src < 0 ? -EBADF : copy(dev, &arg);
}

PHYR_EXPORT ssize_t phyr_fill(int dev, int region, uint64_t offset, unsigned char byte,
			      size_t len)
{
	struct phyr_fill arg = {
		.size = sizeof(arg),
		.fd = region,
		.byte = byte,
		.offset = offset,
		.len = len,
	};
	int ret;

	if (len > SSIZE_MAX)
		return -EINVAL;
	ret = phyr_ioctl(dev, PHYR_IOC_FILL, &arg);
	return ret ? ret : (ssize_t)arg.done;
}

/* Where the kernel stops without a difference it is asked again, and says what stopped it. */
PHYR_EXPORT ssize_t phyr_compare(int dev, int a, uint64_t a_offset, int b, uint64_t b_offset,
				 size_t len)
{
	struct phyr_compare arg = {
		.size = sizeof(arg),
		.a_fd = a,
		.b_fd = b,
		.a = a_offset,
		.b = b_offset,
		.len = len,
	};
	int ret;

	if (a < 0)
		return -EBADF;
	if (len > SSIZE_MAX)
		return -EINVAL;
	do {
		arg.equal = 0;
		arg.done = 0;
		ret = phyr_ioctl(dev, PHYR_IOC_COMPARE, &arg);
		if (ret)
			return ret;
		arg.a += arg.equal;
		arg.b += arg.equal;
		arg.len -= arg.equal;
	} while (arg.len && arg.equal && arg.done == arg.equal);
	return arg.len && !arg.done ? -EIO : (ssize_t)(len - arg.len);
}

PHYR_EXPORT ssize_t phyr_crc32c(int dev, int region, uint64_t offset, size_t len, uint32_t *crc)
{
	struct phyr_crc arg = {
		.size = sizeof(arg),
		.fd = region,
		.crc = *crc,
		.offset = offset,
		.len = len,
	};
	int ret;

	if (len > SSIZE_MAX)
		return -EINVAL;
	ret = phyr_ioctl(dev, PHYR_IOC_CRC32C, &arg);
	if (ret)
		return ret;
	*crc = arg.crc;
	return (ssize_t)arg.done;
}
