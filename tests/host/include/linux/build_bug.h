/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_HOST_BUILD_BUG_H
#define PHYR_HOST_BUILD_BUG_H

#include <assert.h>

/* As in the kernel, the message may be left out. */
#undef static_assert
#define static_assert(condition, ...) _Static_assert(condition, "" __VA_ARGS__)

#endif
