/* SPDX-License-Identifier: GPL-2.0-only */
/* An ib_umem whose memory is a list of phyrs. */
#ifndef PHYR_RDMA_PIN_H
#define PHYR_RDMA_PIN_H

#include <linux/phyr.h>

#include "compat.h"

/**
 * struct phyr_umem - memory that is pinned for an RDMA device
 * @umem: what drivers know of it
 * @list: its pages, whole ones
 */
struct phyr_umem {
	struct ib_umem umem;
	struct phyr_list list;
};

unsigned long phyr_umem_attrs(int access);
int phyr_umem_pin(struct phyr_umem *pu, struct ib_device *device, unsigned long addr,
		  size_t size, int access);
void phyr_umem_unpin(struct phyr_umem *pu, bool dirty);

#endif /* PHYR_RDMA_PIN_H */
