/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_HOST_ERRNO_H
#define PHYR_HOST_ERRNO_H
#include_next <linux/errno.h>
#endif
