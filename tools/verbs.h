/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory regions of an RDMA device, by libibverbs, which is loaded when it is needed: most
 * users of the command have no such device, and need no such library.
 */
#ifndef PHYR_VERBS_H
#define PHYR_VERBS_H

#include <stddef.h>

struct ibv_mr;
struct verbs;

/* NULL after a message. */
struct verbs *verbs_open(const char *device);
void verbs_close(struct verbs *verbs);

struct ibv_mr *verbs_register(const struct verbs *verbs, void *addr, size_t len);
int verbs_deregister(const struct verbs *verbs, struct ibv_mr *mr);

#endif /* PHYR_VERBS_H */
