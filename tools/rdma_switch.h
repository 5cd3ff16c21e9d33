/* SPDX-License-Identifier: GPL-2.0-only */
/* phyr_rdma and phyr_rxe, loaded and unloaded, and in the end as they were. */
#ifndef PHYR_RDMA_SWITCH_H
#define PHYR_RDMA_SWITCH_H

#include <stdbool.h>

enum { SWITCH_RXE, SWITCH_RDMA, NR_SWITCHED };

/**
 * struct rdma_switch - how the modules were found
 * @loaded: whether each was loaded
 * @share: its parameter of that name: "Y" or "N"
 */
struct rdma_switch {
	bool loaded[NR_SWITCHED];
	char share[NR_SWITCHED][8];
};

/* These return 0, or an exit status after a message. */
int rdma_switch_init(struct rdma_switch *s);
int rdma_switch_on(const struct rdma_switch *s);
int rdma_switch_off(void);
int rdma_switch_restore(const struct rdma_switch *s);

#endif /* PHYR_RDMA_SWITCH_H */
