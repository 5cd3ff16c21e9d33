// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * /dev/phyr itself, and each of its ioctls.
 *
 * What the caller wrote into a size field goes to the kernel as it is: only
 * the caller knows which version of the structure it was built with.
 */
#include <fcntl.h>

#include "internal.h"

PHYR_EXPORT unsigned int phyr_version(void)
{
	return PHYR_VERSION_MAJOR << 16 | PHYR_VERSION_MINOR;
}

PHYR_EXPORT int phyr_open(void)
{
	int fd = open(PHYR_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

PHYR_EXPORT int phyr_info(int dev, struct phyr_info *info)
{
	return phyr_ioctl(dev, PHYR_IOC_INFO, info);
}

PHYR_EXPORT int phyr_pin_timed(int dev, const void *addr, size_t len,
			       unsigned int flags, uint64_t *pin_ns)
{
	struct phyr_pin pin = {
		.size = sizeof(pin),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.len = len,
	};
	int ret = phyr_ioctl(dev, PHYR_IOC_PIN, &pin);

	if (ret)
		return ret;
	if (pin_ns)
		*pin_ns = pin.pin_ns;
	return pin.fd;
}

PHYR_EXPORT int phyr_pin(int dev, const void *addr, size_t len, unsigned int flags)
{
	return phyr_pin_timed(dev, addr, len, flags, NULL);
}

PHYR_EXPORT int phyr_import(int dev, int dmabuf, uint64_t offset, uint64_t len,
			    unsigned int flags)
{
	struct phyr_import import = {
		.size = sizeof(import),
		.flags = flags,
		.dmabuf = dmabuf,
		.offset = offset,
		.len = len,
	};
	int ret = phyr_ioctl(dev, PHYR_IOC_IMPORT, &import);

	return ret ? ret : import.fd;
}

PHYR_EXPORT int phyr_query(int dev, int region, struct phyr_query *query)
{
	query->fd = region;
	return phyr_ioctl(dev, PHYR_IOC_QUERY, query);
}

PHYR_EXPORT ssize_t phyr_ranges(int dev, int region, uint64_t offset,
				struct phyr_range *ranges, unsigned int nr)
{
	struct phyr_ranges arg = {
		.size = sizeof(arg),
		.fd = region,
		.offset = offset,
		.ranges = (uintptr_t)ranges,
		.nr = nr,
	};
	int ret = phyr_ioctl(dev, PHYR_IOC_RANGES, &arg);

	return ret ? ret : (ssize_t)arg.nr;
}
