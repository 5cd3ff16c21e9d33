/* SPDX-License-Identifier: GPL-2.0-only */
/* The NVMe drive, which has nothing on it. */
#ifndef DRIVE_H
#define DRIVE_H

/* Its block device; NULL if this machine has none. */
const char *drive_path(void);

#endif
