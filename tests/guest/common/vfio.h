/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's memory through VFIO, which maps it by the largest page-table
 * entries that fit.
 */
#ifndef VFIO_TEST_H
#define VFIO_TEST_H

#include "mem.h"

#define TIB	(1ull << 40)

/* The BAR of 1 TiB: not one of mem_kinds[], as most of what they go through is page by page. */
extern const struct mem_kind mem_terabyte;

/* Why there is no such BAR in this guest, or NULL. */
const char *vfio_missing(void);

/* Where the BAR is, by sysfs; 0 if there is none. */
uint64_t vfio_bar_start(void);

/* How long it is: KASAN would have 128 GiB of shadow for 1 TiB, see vm/run. */
uint64_t vfio_bar_size(void);

#endif
