/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BAR of the small ivshmem device, and its ways to go: the device is removed,
 * or a driver, vfio, takes its mappings away.
 */
#ifndef BAR_H
#define BAR_H

#include "fixture.h"

#define BAR_SIZE	(64 * MIB)

/*
 * Finds the device, whose place may change when it comes back, or its twin behind a
 * port of its own, by which it can be reset; false if this machine has none. All
 * below is about the one that was found last.
 */
bool bar_find(void);
bool bar_find_resettable(void);

/* Writes to a file of the device's in sysfs; 0 or a negative errno. */
int bar_write(const char *file, const char *text);

/* The beginning of the BAR, as "resource2" in sysfs or as another file of it. */
char *bar_map(size_t len);
char *bar_map_file(const char *file, size_t len);

/* Removes the device from under everybody, and has it found again. */
void bar_remove(void);
void bar_back(void);

/** struct bar_vfio - the device in the hands of vfio */
struct bar_vfio {
	int container, group, device;
	uint64_t config, bar;
};

/* Why vfio cannot have it, or NULL. */
const char *bar_vfio_missing(void);

void bar_vfio_open(struct bar_vfio *v);
void bar_vfio_close(struct bar_vfio *v);

/* The same in two steps: the second waits for the first, and for mappings to go. */
void bar_vfio_release(struct bar_vfio *v);
void bar_vfio_unbind(void);
char *bar_vfio_map(const struct bar_vfio *v, size_t len);

/* Whether the device answers to accesses to its memory. */
void bar_vfio_memory(const struct bar_vfio *v, bool on);

/* VFIO_DEVICE_RESET */
void bar_vfio_reset(const struct bar_vfio *v);

#endif
