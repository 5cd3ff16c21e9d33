/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory pinned by the kernel's own means: registered as buffers of io_uring. */
#ifndef PHYR_URING_H
#define PHYR_URING_H

#include <stddef.h>
#include <sys/uio.h>

/**
 * struct uring - an io_uring, and what is registered with it
 * @fd: of it
 * @parts: the memory in pieces that are not too long
 * @nr: how many
 */
struct uring {
	int fd;
	struct iovec *parts;
	unsigned int nr;
};

/* These return 0 or a negative errno. */
int uring_open(struct uring *ring, void *addr, size_t len);
int uring_register(const struct uring *ring);
int uring_unregister(const struct uring *ring);
void uring_close(struct uring *ring);

#endif /* PHYR_URING_H */
