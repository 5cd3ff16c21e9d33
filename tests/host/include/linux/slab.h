/* SPDX-License-Identifier: GPL-2.0-only */
/* The allocator of the host tests: malloc(), which can be made to fail. */
#ifndef PHYR_HOST_SLAB_H
#define PHYR_HOST_SLAB_H

#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#define GFP_KERNEL 0u

void *host_alloc(size_t size);
void host_free(const void *p);

static inline void *kmalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	return host_alloc(size);
}

static inline void *kmemdup(const void *p, size_t size, gfp_t gfp)
{
	void *copy = kmalloc(size, gfp);

	return copy ? memcpy(copy, p, size) : NULL;
}

static inline void kfree(const void *p)
{
	host_free(p);
}

#endif
