/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent memory beside the NVDIMMs that every guest has: a large NVDIMM, and
 * a CXL memory device. Of the machine of "vm/run --more-pmem".
 */
#ifndef PMEM_H
#define PMEM_H

#include <stddef.h>
#include <sys/types.h>

#include "mem.h"

enum pmem_media { PMEM_NVDIMM, PMEM_CXL };

/* devdax of the large NVDIMM by entries of 1 GiB, and of the CXL device by those of 2 MiB. */
extern const struct mem_kind mem_devdax_1g;
extern const struct mem_kind mem_cxl;

/* Why there is none of the medium, or NULL. */
const char *pmem_missing(enum pmem_media media);
const char *pmem_nvdimm_missing(void);
const char *pmem_cxl_missing(void);

/*
 * A namespace that is all of the medium, in @mode and with pages of @align;
 * returns what is called @key of it, such as "chardev", in a buffer that the next
 * call takes, or "". The struct pages are in RAM.
 */
const char *pmem_namespace(enum pmem_media media, const char *mode, const char *align,
			   const char *key);

/* Maps a file, from @offset on, where entries of 1 GiB can begin; NULL with errno. */
char *pmem_map(int fd, off_t offset, size_t len);

#endif
