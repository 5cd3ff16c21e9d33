/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_HOST_FUZZ_LIST_H
#define PHYR_HOST_FUZZ_LIST_H

#include <linux/types.h>

/* The name that libFuzzer calls; returns 0, or aborts. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif
