/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where memory of this process really is, by the kernel's own word: its
 * pagemap, and sysfs for memory without pages. What phyr says is held against
 * it, byte by byte.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "fixture.h"

/* The page frame of each page that [addr, addr + len) touches; for free(). */
uint64_t *layout_frames(const char *addr, size_t len);

/*
 * Fails the test unless @ranges are what [addr, addr + len) is: right to the
 * byte, and merged wherever two of a kind touch.
 */
void layout_check(const char *addr, size_t len, const struct phyr_range *ranges, size_t nr);

/* All ranges of a region; for free(). */
struct phyr_range *layout_ranges(int region, size_t *nr);

#endif
