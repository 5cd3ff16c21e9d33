/* SPDX-License-Identifier: GPL-2.0-only */
/* What is left of a region when its memory is revoked: errnos, and SIGBUS. */
#ifndef GONE_H
#define GONE_H

#include "fixture.h"

/* Does the CPU get SIGBUS there? */
bool gone_bus_error(volatile char *at);

/* Does the region say that it was revoked? */
bool gone_revoked(int region);

/* What a program gets that maps it, or begins to access a mapping; 0 or an errno. */
int gone_mmap_errno(int region);
int gone_sync_errno(int region);

#endif
