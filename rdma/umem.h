/* SPDX-License-Identifier: GPL-2.0-only */
/* What phyr_rdma.ko consists of. */
#ifndef PHYR_RDMA_UMEM_H
#define PHYR_RDMA_UMEM_H

/* umem.c */
unsigned long phyr_umem_live(void);
void phyr_umem_begin(void);
int phyr_umem_hook(void);
void phyr_umem_unhook(void);

#endif /* PHYR_RDMA_UMEM_H */
