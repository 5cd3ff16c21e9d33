/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soft RoCE for tests: two queue pairs of one device, connected to each other,
 * and operations that are waited for.
 */
#ifndef RDMA_H
#define RDMA_H

#include <infiniband/verbs.h>

#include "fixture.h"

#define RDMA_ALL						\
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |	\
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

/**
 * struct rdma - a connection to oneself
 * @mtu: the longest packet
 * @qp: what is posted to [0] reaches [1]
 * @busy: look for completions without a system call, until there is one; otherwise
 *	sleep, which leaves the CPU to soft RoCE
 * @error: 0, or the errno with which the kernel refused what was posted last
 */
struct rdma {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	enum ibv_mtu mtu;
	struct ibv_qp *qp[2];
	bool busy;
	int error;
};

/** struct rdma_at - bytes of a region, or of whatever a key leads to */
struct rdma_at {
	uint32_t key;
	uint64_t addr;
};

/* Opens rxe0, or another device, connected; fails the test if that cannot be. */
void rdma_open(struct rdma *r);
void rdma_open_device(struct rdma *r, const char *name, enum ibv_mtu mtu);
void rdma_close(struct rdma *r);

/*
 * The same with phyr_rdma, and with @len bytes of memory as the near side of
 * what is then sent: "addr" of what is returned. rdma_end() leaves phyr_rdma
 * loaded, with no region of anybody's.
 */
struct ibv_mr *rdma_begin(struct rdma *r, size_t len);
void rdma_end(struct rdma *r, struct ibv_mr *near);

/* After an operation failed: the queue pairs do nothing more until then. */
void rdma_reconnect(struct rdma *r);

/* What receives is not there any more, and says nothing; until rdma_reconnect(). */
void rdma_lose_peer(struct rdma *r);

static inline struct rdma_at rdma_at(const struct ibv_mr *mr, size_t offset)
{
	return (struct rdma_at){ .key = mr->rkey, .addr = (uintptr_t)mr->addr + offset };
}

/* Each waits for its completion, and says what that was; IBV_WC_GENERAL_ERR with @error. */
enum ibv_wc_status rdma_write(struct rdma *r, struct rdma_at to, struct rdma_at from, size_t len);
/* The same in two steps, of which the first does not wait. */
void rdma_write_start(struct rdma *r, struct rdma_at to, struct rdma_at from, size_t len);
enum ibv_wc_status rdma_write_end(struct rdma *r);
enum ibv_wc_status rdma_read(struct rdma *r, struct rdma_at from, struct rdma_at to, size_t len);
enum ibv_wc_status rdma_send(struct rdma *r, struct rdma_at from, struct rdma_at to, size_t len);
enum ibv_wc_status rdma_cas(struct rdma *r, struct rdma_at word, struct rdma_at old,
			    uint64_t compare, uint64_t swap);
enum ibv_wc_status rdma_add(struct rdma *r, struct rdma_at word, struct rdma_at old, uint64_t add);
enum ibv_wc_status rdma_atomic_write(struct rdma *r, struct rdma_at word, const void *value);
enum ibv_wc_status rdma_flush(struct rdma *r, struct rdma_at at, size_t len);
enum ibv_wc_status rdma_bind(struct rdma *r, struct ibv_mw *mw, uint32_t rkey,
			     struct ibv_mr *mr, size_t offset, size_t len, unsigned int access);
enum ibv_wc_status rdma_local_inv(struct rdma *r, uint32_t rkey);
enum ibv_wc_status rdma_send_inv(struct rdma *r, struct rdma_at from, struct rdma_at to,
				 uint32_t rkey);

/* phyr_rdma and phyr_rxe: loaded or not; how many regions hold them, -1 if neither is there. */
int rdma_load(void);
int rdma_unload(void);
long rdma_regions(void);

#endif
