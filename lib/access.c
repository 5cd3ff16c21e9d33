// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The CPU and a region: what any dma-buf can do.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "internal.h"

#define ACCESS_ALL (PHYR_ACCESS_READ | PHYR_ACCESS_WRITE)

static int sync_flags(unsigned int access, uint64_t *flags)
{
	if (!access || access & ~ACCESS_ALL)
		return -EINVAL;
	*flags = (access & PHYR_ACCESS_READ ? DMA_BUF_SYNC_READ : 0) |
		 (access & PHYR_ACCESS_WRITE ? DMA_BUF_SYNC_WRITE : 0);
	return 0;
}

/* Both directions may be interrupted while they wait for a device. */
static int access_sync(int region, unsigned int access, uint64_t when)
{
	struct dma_buf_sync sync;
	uint64_t flags;
	int ret = sync_flags(access, &flags);

	if (ret)
		return ret;
	sync.flags = flags | when;
	do {
		ret = phyr_ioctl(region, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret == -EINTR || ret == -EAGAIN);
	return ret;
}

PHYR_EXPORT int phyr_begin_access(int region, unsigned int access)
{
	return access_sync(region, access, DMA_BUF_SYNC_START);
}

PHYR_EXPORT int phyr_end_access(int region, unsigned int access)
{
	return access_sync(region, access, DMA_BUF_SYNC_END);
}

PHYR_EXPORT int phyr_map(int region, unsigned int access, void **addr, size_t *len)
{
	int prot = (access & PHYR_ACCESS_READ ? PROT_READ : 0) |
		   (access & PHYR_ACCESS_WRITE ? PROT_WRITE : 0);
	off_t size;
	void *map;

	if (!prot || access & ~ACCESS_ALL)
		return -EINVAL;
	size = lseek(region, 0, SEEK_END);
	if (size < 0)
		return -errno;
	if ((uintmax_t)size > SIZE_MAX)
		return -EOVERFLOW;
	map = mmap(NULL, (size_t)size, prot, MAP_SHARED, region, 0);
	if (map == MAP_FAILED)
		return -errno;
	*addr = map;
	if (len)
		*len = (size_t)size;
	return 0;
}
