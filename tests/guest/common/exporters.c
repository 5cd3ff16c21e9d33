// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "exporters.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>

int udmabuf(char **addr, size_t len, unsigned int flags)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf;
	struct udmabuf_create create = {
		.memfd = (unsigned int)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = len,
	};

	assert_return_code(maker, errno);
	assert_return_code(ftruncate(memfd, (off_t)len), errno);
	assert_return_code(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), errno);
	*addr = map_shared(memfd, len, RW, 0);
	for (size_t i = 0, nr = len / PAGE; i < nr; i++)
		(*addr)[i * 37 % nr * PAGE] = 1;
	buf = ioctl(maker, UDMABUF_CREATE, &create);
	assert_return_code(buf, errno);
	close(maker);
	close(memfd);
	return buf;
}

int heap_buffer(size_t len, unsigned int mode)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = mode | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	assert_return_code(heap, errno);
	assert_return_code(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data), errno);
	close(heap);
	return (int)data.fd;
}
