// SPDX-License-Identifier: GPL-2.0-only
/*
 * An io_uring that does nothing but hold registered buffers: IORING_REGISTER_BUFFERS
 * pins memory and makes a table of it, as /dev/phyr does.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "uring.h"

#define MOST	(1UL << 30)	/* of one buffer */

/* In pieces of the largest size. */
static int cut(struct uring *ring, char *addr, size_t len)
{
	size_t i, nr = (len - 1) / MOST + 1;

	ring->parts = calloc(nr, sizeof(*ring->parts));
	if (!ring->parts)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		ring->parts[i].iov_base = addr + i * MOST;
		ring->parts[i].iov_len = i == nr - 1 ? len - i * MOST : MOST;
	}
	ring->nr = (unsigned int)nr;
	return 0;
}

/**
 * uring_open - get ready to register memory
 * @ring: set to it
 * @addr: of the memory
 * @len: its length, not 0
 */
int uring_open(struct uring *ring, void *addr, size_t len)
{
	struct io_uring_params params = { 0 };
	int ret;

	ring->fd = (int)syscall(__NR_io_uring_setup, 1, &params);
	if (ring->fd < 0)
		return -errno;
	ret = cut(ring, addr, len);
	if (ret)
		close(ring->fd);
	return ret;
}

int uring_register(const struct uring *ring)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, ring->parts,
		       ring->nr) < 0 ? -errno : 0;
}

int uring_unregister(const struct uring *ring)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0) < 0 ?
	       -errno : 0;
}

void uring_close(struct uring *ring)
{
	free(ring->parts);
	close(ring->fd);
}
