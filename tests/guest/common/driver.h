/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/phyr_test: what phyr.ko offers to drivers, called from a program. */
#ifndef DRIVER_H
#define DRIVER_H

#include "../kmod/phyr_test_ioctl.h"
#include "fixture.h"

int driver_open(void);

/* Each gives 0 or the errno of the kernel's call; *@pin has the rest. */
int driver_array(int fd, struct pt_pin *pin);
int driver_append(int fd, struct pt_pin *pin);

/* The short form: memory of this process, at the end of the list. */
int driver_add(int fd, const void *addr, size_t len, unsigned int flags);

/* What the array (PT_ARRAY) or the list holds; for free(). */
struct phyr_range *driver_ranges(int fd, unsigned int flags, size_t *nr);
uint64_t driver_bytes(int fd, unsigned int flags);

/* Bytes of the list; 0 or an errno. */
int driver_copy(int fd, uint64_t offset, void *buf, size_t len, unsigned int flags);

/* Bytes of a dma-buf that the kernel maps for itself; 0 or an errno. */
int driver_vmap(int fd, int buf_fd, uint64_t offset, void *buf, size_t len, unsigned int flags);

/* What GUP pins by itself, page by page; 0 or an errno. */
int driver_gup(int fd, const void *addr, size_t nr, uint64_t *frames, unsigned int flags);

/* A dma-buf of @len bytes that says who holds it; PT_WRITE, PT_MOVABLE. */
int driver_export(int fd, size_t len, unsigned int flags);
struct pt_dmabuf driver_export_state(int fd, int buf);

/* Maps a dma-buf for edu and unmaps late, when asked to; PT_PIN. 0 or an errno. */
int driver_attach(int fd, int buf, unsigned int flags);
void driver_detach(int fd);

/* Has the kernel take edu for a device that is not to be trusted, or not any more. */
void driver_distrust(int fd, bool untrusted);

void driver_unpin(int fd, unsigned int flags);

/* Maps and checks; the errno of the mapping. Fails the test if a check fails. */
int driver_map(int fd, struct pt_map *map);

#endif
