/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libphyr: pin memory as physically contiguous ranges.
 *
 *	int dev = phyr_open();
 *	int region = phyr_pin(dev, addr, len, PHYR_PIN_WRITE);
 *	struct phyr_query query = { .size = sizeof(query) };
 *
 *	phyr_query(dev, region, &query);
 *	... give region, which is a dma-buf, to a driver that imports dma-bufs ...
 *	close(region);
 *	close(dev);
 *
 * Both handles are file descriptors, closed by close(2) and by exec(3).
 * A region outlives the descriptor of /dev/phyr; its memory stays pinned until
 * the last descriptor, mapping and importer has released it.
 *
 * A call that fails returns a negative errno; errno itself means nothing then.
 * phyr_hint() says what the user can do about it.
 *
 * Structures that begin with a size want it set: to sizeof(), by the caller.
 * That is what lets them grow.  A program built with a longer structure works
 * with an older library and module, which leave the new end zero; one built
 * with a shorter structure gets what fits.
 *
 * The library has no state: any thread may call anything.
 */
#ifndef PHYR_H
#define PHYR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/phyr.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHYR_VERSION_MAJOR	0
#define PHYR_VERSION_MINOR	1

/* For phyr_begin_access(), phyr_end_access(), phyr_map() and phyr_mmap() */
#define PHYR_ACCESS_READ	(1u << 0)
#define PHYR_ACCESS_WRITE	(1u << 1)

/* For phyr_mmap() besides */
#define PHYR_MMAP_POPULATE	(1u << 2)

unsigned int phyr_version(void);
const char *phyr_hint(int error);
const char *phyr_kind_name(unsigned int kind);

int phyr_open(void);
int phyr_info(int dev, struct phyr_info *info);

int phyr_pin(int dev, const void *addr, size_t len, unsigned int flags);
int phyr_pin_timed(int dev, const void *addr, size_t len, unsigned int flags,
		   uint64_t *pin_ns);
int phyr_import(int dev, int dmabuf, uint64_t offset, uint64_t len, unsigned int flags);
int phyr_query(int dev, int region, struct phyr_query *query);
ssize_t phyr_ranges(int dev, int region, uint64_t offset,
		    struct phyr_range *ranges, unsigned int nr);

int phyr_map(int region, unsigned int access, void **addr, size_t *len);
ssize_t phyr_copy_to(int dev, int region, uint64_t offset, const void *buf, size_t len);
ssize_t phyr_copy_from(int dev, int region, uint64_t offset, void *buf, size_t len);
ssize_t phyr_copy(int dev, int dst, uint64_t dst_offset, int src, uint64_t src_offset, size_t len);
ssize_t phyr_fill(int dev, int region, uint64_t offset, unsigned char byte, size_t len);
ssize_t phyr_compare(int dev, int a, uint64_t a_offset, int b, uint64_t b_offset, size_t len);
ssize_t phyr_crc32c(int dev, int region, uint64_t offset, size_t len, uint32_t *crc);
ssize_t phyr_pread(int dev, int file, int region, uint64_t offset, size_t len, int64_t pos);
ssize_t phyr_pwrite(int dev, int file, int region, uint64_t offset, size_t len, int64_t pos);
ssize_t phyr_preadv2(int dev, int file, int region, const struct phyr_slice *slices,
		     unsigned int nr, int64_t pos, int flags, uint64_t *direct);
ssize_t phyr_pwritev2(int dev, int file, int region, const struct phyr_slice *slices,
		      unsigned int nr, int64_t pos, int flags, uint64_t *direct);
int phyr_mmap(int dev, int region, uint64_t offset, size_t len, unsigned int flags,
	      void **addr);
int phyr_begin_access(int region, unsigned int access);
int phyr_end_access(int region, unsigned int access);

#ifdef __cplusplus
}
#endif

#endif /* PHYR_H */
