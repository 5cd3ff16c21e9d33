/* SPDX-License-Identifier: GPL-2.0-only */
/* The test's side of kmalloc(): count what lives, make the n-th call fail. */
#ifndef PHYR_HOST_ALLOC_H
#define PHYR_HOST_ALLOC_H

#include <linux/types.h>

/* Nothing that the list asks for may be larger: an order-0 page. */
#define HOST_ALLOC_MAX 4096u

/* Makes the @nth allocation from now on fail, once; 1 is the next. */
void host_fail_at(unsigned long nth);

/* Forgets a failure that has not come; true if it came. */
bool host_fail_done(void);

/* Forgets what lives, so that a failed test does not spoil the next one. */
void host_reset(void);

unsigned long host_live(void);
size_t host_live_bytes(void);

#endif
