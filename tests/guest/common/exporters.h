/* SPDX-License-Identifier: GPL-2.0-only */
/* dma-bufs that are not phyr's: udmabuf's, and the system heap's. */
#ifndef EXPORTERS_H
#define EXPORTERS_H

#include "fixture.h"

/*
 * A dma-buf of the memory that @addr is then a mapping of, its pages in no order.
 * @flags are memfd_create()'s.
 */
int udmabuf(char **addr, size_t len, unsigned int flags);

/* A buffer of the system heap, to be opened for @mode. */
int heap_buffer(size_t len, unsigned int mode);

#endif
