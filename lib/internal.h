/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIBPHYR_INTERNAL_H
#define LIBPHYR_INTERNAL_H

#include <errno.h>
#include <sys/ioctl.h>

#include <phyr.h>

/* Everything else is hidden; lib/libphyr.map has the same names. */
#define PHYR_EXPORT __attribute__((visibility("default")))

static inline int phyr_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

#endif /* LIBPHYR_INTERNAL_H */
