/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory buffer of an NVMe controller: memory of a PCI device that has
 * struct pages, which GUP gives only to who asks for such (FOLL_PCI_P2PDMA), and
 * not for long, as the device may be unbound.
 */
#ifndef NVME_H
#define NVME_H

#include "mem.h"

/* Not one of mem_kinds[], as few of what they go through ask for it. */
extern const struct mem_kind mem_cmb;

/*
 * Why such memory is not available, or NULL: of a kernel without P2PDMA, which
 * does not know the bridges between devices either.
 */
const char *nvme_missing(void);

#endif
