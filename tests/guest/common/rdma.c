// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "rdma.h"

#define SEND_OPS							\
	(IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_READ |		\
	 IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_INV |		\
	 IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |				\
	 IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD |				\
	 IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW |		\
	 IBV_QP_EX_WITH_ATOMIC_WRITE | IBV_QP_EX_WITH_FLUSH)
#define PATIENCE	20	/* seconds for one operation in an emulated guest */

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	assert_non_null(list);
	for (int i = 0; list[i] && !context; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	ibv_free_device_list(list);
	return context;
}

/* An IPv4 address makes a RoCE v2 GID that begins with zeros. */
static int find_gid(struct ibv_context *context, union ibv_gid *gid)
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	for (int i = 0; !ibv_query_gid(context, 1, i, gid); i++)
		if (!memcmp(gid->raw, prefix, sizeof(prefix)))
			return i;
	return -1;
}

static struct ibv_qp *make_qp(struct rdma *r)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = r->cq, .recv_cq = r->cq, .pd = r->pd, .qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 16, .max_recv_wr = 16, .max_send_sge = 1,
			 .max_recv_sge = 1, .max_inline_data = 0 },
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = SEND_OPS,
	};

	return ibv_create_qp_ex(r->context, &attr);
}

static void connect_qp(struct ibv_qp *qp, uint32_t peer, const union ibv_gid *gid, int index,
		       enum ibv_mtu mtu)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT, .port_num = 1,
		.qp_access_flags = RDMA_ALL | IBV_ACCESS_MW_BIND | IBV_ACCESS_FLUSH_GLOBAL |
				   IBV_ACCESS_FLUSH_PERSISTENT,
	};

	assert_int_equal(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				       IBV_QP_ACCESS_FLAGS), 0);
	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR, .path_mtu = mtu, .dest_qp_num = peer,
		.max_dest_rd_atomic = 8, .min_rnr_timer = 12,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = *gid, .sgid_index = (uint8_t)index,
				      .hop_limit = 1 } },
	};
	assert_int_equal(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				       IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
				       IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER), 0);
	/* a second each; with 7, soft RoCE would never give up */
	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS, .timeout = 18, .retry_cnt = 6, .rnr_retry = 7,
		.max_rd_atomic = 8,
	};
	assert_int_equal(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT |
				       IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
				       IBV_QP_MAX_QP_RD_ATOMIC), 0);
}

static void connect_both(struct rdma *r)
{
	union ibv_gid gid;
	int index = find_gid(r->context, &gid);

	assert_true(index >= 0);
	for (int i = 0; i < 2; i++) {
		r->qp[i] = make_qp(r);
		assert_non_null(r->qp[i]);
	}
	for (int i = 0; i < 2; i++)
		connect_qp(r->qp[i], r->qp[!i]->qp_num, &gid, index, r->mtu);
}

void rdma_open_device(struct rdma *r, const char *name, enum ibv_mtu mtu)
{
	*r = (struct rdma){ .mtu = mtu, .context = open_device(name) };
	assert_non_null(r->context);
	r->pd = ibv_alloc_pd(r->context);
	assert_non_null(r->pd);
	r->channel = ibv_create_comp_channel(r->context);
	assert_non_null(r->channel);
	r->cq = ibv_create_cq(r->context, 64, NULL, r->channel, 0);
	assert_non_null(r->cq);
	connect_both(r);
}

void rdma_open(struct rdma *r)
{
	rdma_open_device(r, "rxe0", IBV_MTU_1024);
}

void rdma_lose_peer(struct rdma *r)
{
	assert_int_equal(ibv_destroy_qp(r->qp[1]), 0);
	r->qp[1] = NULL;
}

static void destroy_both(struct rdma *r)
{
	assert_int_equal(ibv_destroy_qp(r->qp[0]), 0);
	if (r->qp[1])
		rdma_lose_peer(r);
}

void rdma_close(struct rdma *r)
{
	destroy_both(r);
	assert_int_equal(ibv_destroy_cq(r->cq), 0);
	assert_int_equal(ibv_destroy_comp_channel(r->channel), 0);
	assert_int_equal(ibv_dealloc_pd(r->pd), 0);
	assert_int_equal(ibv_close_device(r->context), 0);
}

struct ibv_mr *rdma_begin(struct rdma *r, size_t len)
{
	struct ibv_mr *near;

	assert_int_equal(rdma_load(), 0);
	rdma_open(r);
	near = ibv_reg_mr(r->pd, anon(len, RW), len, RDMA_ALL);
	if (!near)
		fail_msg("ibv_reg_mr of %zu bytes: %s", len, strerror(errno));
	return near;
}

void rdma_end(struct rdma *r, struct ibv_mr *near)
{
	char *buf = near->addr;
	size_t len = near->length;

	assert_int_equal(ibv_dereg_mr(near), 0);
	release(buf, len);
	rdma_close(r);
	if (!getenv("RDMA_STOCK"))
		assert_int_equal(rdma_regions(), 0);
}

void rdma_reconnect(struct rdma *r)
{
	struct ibv_wc wc;

	destroy_both(r);
	while (ibv_poll_cq(r->cq, 1, &wc) > 0)
		;
	connect_both(r);
}

static void wait_for_event(struct rdma *r)
{
	struct pollfd fd = { .fd = r->channel->fd, .events = POLLIN };
	struct ibv_cq *cq;
	void *context;

	if (poll(&fd, 1, PATIENCE * 1000) != 1)
		fail_msg("no completion in %d s", PATIENCE);
	assert_int_equal(ibv_get_cq_event(r->channel, &cq, &context), 0);
	ibv_ack_cq_events(cq, 1);
}

static struct ibv_wc next_completion(struct rdma *r)
{
	time_t end = time(NULL) + PATIENCE;
	bool armed = false;
	struct ibv_wc wc;
	int n;

	while (!(n = ibv_poll_cq(r->cq, 1, &wc))) {
		if (time(NULL) > end)
			fail_msg("no completion in %d s", PATIENCE);
		if (r->busy)
			continue;
		/* it may have come just before the event was asked for */
		if (armed)
			wait_for_event(r);
		else
			assert_int_equal(ibv_req_notify_cq(r->cq, 0), 0);
		armed = !armed;
	}
	assert_int_equal(n, 1);
	return wc;
}

/* The completion of the one thing that is under way on the sending side. */
static enum ibv_wc_status wait_for(struct rdma *r, uint64_t id)
{
	struct ibv_wc wc;

	do
		wc = next_completion(r);
	while (wc.wr_id != id);
	return wc.status;
}

enum { SEND_ID = 1, RECV_ID };

static struct ibv_qp_ex *begin(struct rdma *r)
{
	struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(r->qp[0]);

	ibv_wr_start(qp);
	qp->wr_id = SEND_ID;
	qp->wr_flags = IBV_SEND_SIGNALED;
	return qp;
}

static enum ibv_wc_status finish(struct rdma *r, struct ibv_qp_ex *qp)
{
	r->error = ibv_wr_complete(qp);
	return r->error ? IBV_WC_GENERAL_ERR : wait_for(r, SEND_ID);
}

void rdma_write_start(struct rdma *r, struct rdma_at to, struct rdma_at from, size_t len)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_rdma_write(qp, to.key, to.addr);
	ibv_wr_set_sge(qp, from.key, from.addr, (uint32_t)len);
	r->error = ibv_wr_complete(qp);
}

enum ibv_wc_status rdma_write_end(struct rdma *r)
{
	return r->error ? IBV_WC_GENERAL_ERR : wait_for(r, SEND_ID);
}

enum ibv_wc_status rdma_write(struct rdma *r, struct rdma_at to, struct rdma_at from, size_t len)
{
	rdma_write_start(r, to, from, len);
	return rdma_write_end(r);
}

enum ibv_wc_status rdma_read(struct rdma *r, struct rdma_at from, struct rdma_at to, size_t len)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_rdma_read(qp, from.key, from.addr);
	ibv_wr_set_sge(qp, to.key, to.addr, (uint32_t)len);
	return finish(r, qp);
}

static void post_recv(struct rdma *r, struct rdma_at to, size_t len)
{
	struct ibv_sge sge = { .addr = to.addr, .length = (uint32_t)len, .lkey = to.key };
	struct ibv_recv_wr wr = { .wr_id = RECV_ID, .sg_list = &sge, .num_sge = 1 }, *bad;

	assert_int_equal(ibv_post_recv(r->qp[1], &wr, &bad), 0);
}

/* Sender and receiver complete in any order. */
static enum ibv_wc_status finish_send(struct rdma *r, struct ibv_qp_ex *qp)
{
	unsigned int seen = 0;
	struct ibv_wc wc;

	r->error = ibv_wr_complete(qp);
	if (r->error)
		return IBV_WC_GENERAL_ERR;
	while (seen != (1 << SEND_ID | 1 << RECV_ID)) {
		wc = next_completion(r);
		seen |= 1u << wc.wr_id;
		if (wc.status)
			return wc.status;
	}
	return IBV_WC_SUCCESS;
}

enum ibv_wc_status rdma_send(struct rdma *r, struct rdma_at from, struct rdma_at to, size_t len)
{
	struct ibv_qp_ex *qp;

	post_recv(r, to, len);
	qp = begin(r);
	ibv_wr_send(qp);
	ibv_wr_set_sge(qp, from.key, from.addr, (uint32_t)len);
	return finish_send(r, qp);
}

enum ibv_wc_status rdma_send_inv(struct rdma *r, struct rdma_at from, struct rdma_at to,
				 uint32_t rkey)
{
	struct ibv_qp_ex *qp;

	post_recv(r, to, 8);
	qp = begin(r);
	ibv_wr_send_inv(qp, rkey);
	ibv_wr_set_sge(qp, from.key, from.addr, 8);
	return finish_send(r, qp);
}

enum ibv_wc_status rdma_cas(struct rdma *r, struct rdma_at word, struct rdma_at old,
			    uint64_t compare, uint64_t swap)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_atomic_cmp_swp(qp, word.key, word.addr, compare, swap);
	ibv_wr_set_sge(qp, old.key, old.addr, 8);
	return finish(r, qp);
}

enum ibv_wc_status rdma_add(struct rdma *r, struct rdma_at word, struct rdma_at old, uint64_t add)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_atomic_fetch_add(qp, word.key, word.addr, add);
	ibv_wr_set_sge(qp, old.key, old.addr, 8);
	return finish(r, qp);
}

enum ibv_wc_status rdma_atomic_write(struct rdma *r, struct rdma_at word, const void *value)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_atomic_write(qp, word.key, word.addr, value);
	return finish(r, qp);
}

enum ibv_wc_status rdma_flush(struct rdma *r, struct rdma_at at, size_t len)
{
	struct ibv_qp_ex *qp = begin(r);

	ibv_wr_flush(qp, at.key, at.addr, len, IBV_FLUSH_PERSISTENT, IBV_FLUSH_RANGE);
	return finish(r, qp);
}

enum ibv_wc_status rdma_bind(struct rdma *r, struct ibv_mw *mw, uint32_t rkey,
			     struct ibv_mr *mr, size_t offset, size_t len, unsigned int access)
{
	struct ibv_mw_bind_info info = {
		.mr = mr, .addr = (uintptr_t)mr->addr + offset, .length = len,
		.mw_access_flags = access,
	};
	struct ibv_qp_ex *qp;

	/* A window of type 2 belongs to the queue pair that it is used through. */
	qp = ibv_qp_to_qp_ex(r->qp[1]);
	ibv_wr_start(qp);
	qp->wr_id = SEND_ID;
	qp->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_bind_mw(qp, mw, rkey, &info);
	return finish(r, qp);
}

enum ibv_wc_status rdma_local_inv(struct rdma *r, uint32_t rkey)
{
	struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(r->qp[1]);

	ibv_wr_start(qp);
	qp->wr_id = SEND_ID;
	qp->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_local_inv(qp, rkey);
	return finish(r, qp);
}

int rdma_load(void)
{
	if (getenv("RDMA_STOCK"))
		return 0;
	return system("modprobe phyr_rdma");
}

int rdma_unload(void)
{
	return system("for m in phyr_rxe phyr_rdma; do "
		      "! grep -q \"^$m \" /proc/modules || rmmod $m 2>/dev/null || exit; done");
}

static long regions_of(const char *path)
{
	FILE *file = fopen(path, "r");
	long n = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

long rdma_regions(void)
{
	long rdma = regions_of("/sys/module/phyr_rdma/parameters/regions");
	long rxe = regions_of("/sys/module/phyr_rxe/parameters/regions");

	if (rdma < 0 && rxe < 0)
		return -1;
	return (rdma < 0 ? 0 : rdma) + (rxe < 0 ? 0 : rxe);
}
