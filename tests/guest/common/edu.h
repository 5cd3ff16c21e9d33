/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/edu0: a device that reaches memory by itself, slowly. */
#ifndef EDU_TEST_H
#define EDU_TEST_H

#include "../../../examples/edu/edu_ioctl.h"
#include "fixture.h"

int edu_open(void);

/* Each gives 0 or an errno. */
int edu_map_region(int edu, int region, unsigned int flags);
int edu_map_dmabuf(int edu, int buf, unsigned int flags);
int edu_map_user(int edu, const void *addr, size_t len, unsigned int flags);
int edu_unmap(int edu);

/* The first offset beyond @after at which a phyr begins. */
uint64_t edu_boundary(int edu, uint64_t after);

/* What the device stores at @offset is at @cpu, and it fetches what is there. */
void edu_check_store(int edu, uint64_t offset, const char *cpu, size_t len);
void edu_check_fetch(int edu, uint64_t offset, char *cpu, size_t len);
void edu_check(int edu, uint64_t offset, char *cpu, size_t len);

/* Fetches what is there already: memory that cannot be written. */
void edu_check_peek(int edu, uint64_t offset, const char *cpu, size_t len);

/* What the device's next transfer, either way, gets; 0 or an errno. */
int edu_errno(int edu);

/*
 * Does an IOMMU translate the device's addresses?  Not in passthrough mode.  The
 * device has to be bound to its driver.
 */
bool edu_translated(void);

#endif
