// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in two guests: memory of one is written by RDMA from the other.
 *
 *	rdma-demo --serve ADDRESS		lends memory of every kind
 *	rdma-demo ADDRESS FILE.json		writes it, reads it, reports
 *
 * For each kind, first as the stock kernel does it and then with phyr_rdma: both
 * sides register, the client writes from 1 GiB pages into chosen places and
 * reads them back, and the server looks at every byte it lent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../tests/guest/common/kmem.h"
#include "../tests/guest/common/mem.h"

#define PORT		"7471"
#define WINDOW		(4 * MIB)	/* of the places that are written */
#define MESSAGE		(256 * KIB)
#define DEPTH		8
#define TRIES		7
#define UNLOAD		"! grep -q '^phyr_rdma ' /proc/modules || modprobe -r phyr_rdma"
#define FAR		(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

enum way { STOCK, PHYR, WAYS };
enum verb { LEND = 1, CHECK, QUIT };

/* What the two say to each other, in both directions. */
struct message {
	uint32_t verb;
	uint32_t way;
	uint32_t kind;
	int32_t error;
	uint64_t len;
	uint64_t addr;
	uint64_t reg_ns;
	int64_t bytes;
	uint32_t rkey;
	uint32_t verified;
};

/* One end: the connection, and room for a message each way. */
struct end {
	struct rdma_cm_id *id;
	struct message *out, *in;
	struct ibv_mr *out_mr, *in_mr;
};

static const char *const kinds[] = { "hugetlb 1 GiB", "PCI BAR", "devdax pmem" };

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "rdma-demo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Byte @pos of what was lent, and of what is written over it. */
static unsigned char lent(uint64_t pos)
{
	return (unsigned char)(pos / 4096 * 5 + pos);
}

static unsigned char written(uint64_t pos)
{
	return (unsigned char)(pos * 7 + pos / 4096 * 3 + 1);
}

/* The places: the beginning, the middle, and the end. */
static uint64_t window(uint64_t len, int i)
{
	return i == 0 ? 0 : i == 1 ? (len / 2 - WINDOW / 2) & ~(uint64_t)4095 : len - WINDOW;
}

#define WINDOWS	3

static bool in_window(uint64_t len, uint64_t pos)
{
	for (int i = 0; i < WINDOWS; i++)
		if (pos >= window(len, i) && pos < window(len, i) + WINDOW)
			return true;
	return false;
}

/* A table of one period of lent(), for speed: it repeats. */
#define PERIOD	(4096 * 256)

static unsigned char period[PERIOD];

static void lend_fill(volatile unsigned char *mem, uint64_t len)
{
	for (uint64_t i = 0; i < PERIOD; i++)
		period[i] = lent(i);
	for (uint64_t at = 0; at < len; at += PERIOD)
		memcpy((void *)(uintptr_t)(mem + at), period, PERIOD);
}

/* Every byte: written where it was written, and as it was everywhere else. */
static bool lend_check(const unsigned char *mem, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += 4096) {
		if (!in_window(len, at)) {
			if (memcmp(mem + at, period + at % PERIOD, 4096))
				return false;
			continue;
		}
		for (uint64_t i = at; i < at + 4096; i++)
			if (mem[i] != written(i))
				return false;
	}
	return true;
}

static void use(enum way way)
{
	if (system(way == PHYR ? "modprobe phyr_rdma" : UNLOAD)) {
		errno = EBUSY;
		give_up("phyr_rdma");
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * Registers some times, for the median, and once more to see what that takes of
 * the kernel's memory; beside the messages' regions, which have made the tables
 * that all share.
 */
static struct ibv_mr *reg(struct end *end, const struct mem *mem, uint64_t *ns, int64_t *bytes)
{
	uint64_t times[TRIES], start;
	struct ibv_mr *mr;
	bool traced;

	for (int i = 0; i < TRIES; i++) {
		start = now();
		mr = ibv_reg_mr(end->id->pd, mem->addr, mem->len, FAR);
		times[i] = now() - start;
		if (!mr)
			return NULL;
		ibv_dereg_mr(mr);
	}
	qsort(times, TRIES, sizeof(times[0]), compare);
	*ns = times[TRIES / 2];
	traced = !kmem_start();
	mr = ibv_reg_mr(end->id->pd, mem->addr, mem->len, FAR);
	*bytes = traced ? kmem_stop() : -1;
	return mr;
}

/* Connection */

static struct message *message_new(struct end *end, struct ibv_mr **mr)
{
	struct message *m = aligned_alloc(4096, 4096);

	*mr = m ? rdma_reg_msgs(end->id, m, 4096) : NULL;
	if (!*mr)
		give_up("registering a message");
	return m;
}

static void end_init(struct end *end)
{
	end->out = message_new(end, &end->out_mr);
	end->in = message_new(end, &end->in_mr);
	if (rdma_post_recv(end->id, NULL, end->in, sizeof(*end->in), end->in_mr))
		give_up("post receive");
}

static void must_complete(struct ibv_wc *wc, int n, const char *what)
{
	if (n == 1 && !wc->status)
		return;
	fprintf(stderr, "rdma-demo: %s: %s\n", what,
		n == 1 ? ibv_wc_status_str(wc->status) : strerror(errno));
	exit(1);
}

static void tell(struct end *end)
{
	struct ibv_wc wc;

	if (rdma_post_send(end->id, NULL, end->out, sizeof(*end->out), end->out_mr,
			   IBV_SEND_SIGNALED))
		give_up("send");
	must_complete(&wc, rdma_get_send_comp(end->id, &wc), "send");
}

static struct message hear(struct end *end)
{
	struct message m;
	struct ibv_wc wc;

	must_complete(&wc, rdma_get_recv_comp(end->id, &wc), "receive");
	m = *end->in;
	if (rdma_post_recv(end->id, NULL, end->in, sizeof(*end->in), end->in_mr))
		give_up("post receive");
	return m;
}

static struct rdma_addrinfo *find(const char *address, int flags)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP, .ai_flags = flags };
	struct rdma_addrinfo *found;

	if (rdma_getaddrinfo(address, PORT, &hints, &found))
		give_up(address);
	return found;
}

static struct ibv_qp_init_attr qp_attr(void)
{
	return (struct ibv_qp_init_attr){
		.cap = { .max_send_wr = 2 * DEPTH, .max_recv_wr = 4, .max_send_sge = 1,
			 .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
}

/* The server */

struct loan {
	struct mem mem;
	struct ibv_mr *mr;
};

static void loan_end(struct loan *loan)
{
	if (loan->mr)
		ibv_dereg_mr(loan->mr);
	if (loan->mem.addr)
		mem_unmap(&loan->mem);
	memset(loan, 0, sizeof(*loan));
}

static void loan_begin(struct end *end, struct loan *loan, const struct message *asked)
{
	const struct mem_kind *kind = mem_find(kinds[asked->kind]);
	struct message *m = end->out;

	loan_end(loan);
	use(asked->way);
	*m = *asked;
	if (mem_map(&loan->mem, kind, kind->size))
		give_up(kind->name);
	m->len = loan->mem.len;
	lend_fill((unsigned char *)loan->mem.addr, loan->mem.len);
	loan->mr = reg(end, &loan->mem, &m->reg_ns, &m->bytes);
	m->error = loan->mr ? 0 : errno;
	m->addr = (uintptr_t)loan->mem.addr;
	m->rkey = loan->mr ? loan->mr->rkey : 0;
}

static int serve(const char *address)
{
	struct rdma_addrinfo *where = find(address, RAI_PASSIVE);
	struct ibv_qp_init_attr attr = qp_attr();
	struct rdma_cm_id *listening;
	struct loan loan = { 0 };
	struct end end = { 0 };
	struct message asked;

	use(STOCK);
	if (rdma_create_ep(&listening, where, NULL, &attr) || rdma_listen(listening, 1))
		give_up("listen");
	if (rdma_get_request(listening, &end.id))
		give_up("accept");
	end_init(&end);
	if (rdma_accept(end.id, NULL))
		give_up("accept");
	while ((asked = hear(&end)).verb != QUIT) {
		if (asked.verb == LEND) {
			loan_begin(&end, &loan, &asked);
		} else {
			*end.out = asked;
			end.out->verified = lend_check((unsigned char *)loan.mem.addr,
						       loan.mem.len);
			/* so that the module can go, there and here */
			loan_end(&loan);
		}
		tell(&end);
	}
	loan_end(&loan);
	return 0;
}

/* The client */

struct outcome {
	uint64_t len;
	uint64_t reg_ns[WAYS];
	int64_t bytes[WAYS];
	int error[WAYS];
	double mib_s[WAYS];
	bool verified;
};

static void post(struct end *end, bool write, char *near, struct ibv_mr *mr, uint64_t far,
		 uint32_t rkey)
{
	int ret;

	if (write)
		ret = rdma_post_write(end->id, NULL, near, MESSAGE, mr, IBV_SEND_SIGNALED, far,
				      rkey);
	else
		ret = rdma_post_read(end->id, NULL, near, MESSAGE, mr, IBV_SEND_SIGNALED, far,
				     rkey);
	if (ret)
		give_up("post");
}

/* Moves a window, DEPTH messages under way at a time. */
static void move(struct end *end, bool write, char *near, struct ibv_mr *mr, uint64_t far,
		 uint32_t rkey)
{
	unsigned int posted = 0, done = 0, all = WINDOW / MESSAGE;
	struct ibv_wc wc;

	while (done < all) {
		if (posted < all && posted - done < DEPTH) {
			uint64_t at = posted++ * MESSAGE;

			post(end, write, near + at, mr, far + at, rkey);
			continue;
		}
		must_complete(&wc, rdma_get_send_comp(end->id, &wc), write ? "write" : "read");
		done++;
	}
}

static double write_all(struct end *end, struct mem *near, struct ibv_mr *mr,
			const struct message *m)
{
	uint64_t start = now();

	for (int i = 0; i < WINDOWS; i++)
		move(end, true, near->addr + (size_t)i * WINDOW, mr, m->addr + window(m->len, i),
		     m->rkey);
	return (double)(WINDOWS * WINDOW) / (double)MIB / ((double)(now() - start) / 1e9);
}

static bool read_all(struct end *end, struct mem *near, struct ibv_mr *mr,
		     const struct message *m)
{
	unsigned char *back = (unsigned char *)near->addr + GIB - WINDOW;

	for (int i = 0; i < WINDOWS; i++) {
		uint64_t pos = window(m->len, i);

		memset(back, 0, WINDOW);
		move(end, false, (char *)back, mr, m->addr + pos, m->rkey);
		for (uint64_t b = 0; b < WINDOW; b++)
			if (back[b] != written(pos + b))
				return false;
	}
	return true;
}

static void fill_near(struct mem *near, uint64_t len)
{
	for (int i = 0; i < WINDOWS; i++)
		for (uint64_t b = 0; b < WINDOW; b++)
			near->addr[(uint64_t)i * WINDOW + b] = (char)written(window(len, i) + b);
}

static bool ask_check(struct end *end)
{
	*end->out = (struct message){ .verb = CHECK };
	tell(end);
	return hear(end).verified;
}

/* One kind in one way; false if what should be true is not. */
static bool borrow(struct end *end, struct mem *near, uint32_t kind, enum way way,
		   struct outcome *o)
{
	struct message m;
	struct ibv_mr *mr;
	bool right = true;

	use(way);
	*end->out = (struct message){ .verb = LEND, .kind = kind, .way = way };
	tell(end);
	m = hear(end);
	o->len = m.len;
	o->error[way] = m.error;
	o->reg_ns[way] = m.reg_ns;
	o->bytes[way] = m.bytes;
	if (m.error) {
		ask_check(end);
		return way == STOCK;	/* stock may fail, and does */
	}
	mr = ibv_reg_mr(end->id->pd, near->addr, GIB, FAR);
	if (!mr)
		give_up("ibv_reg_mr of 1 GiB");
	fill_near(near, m.len);
	o->mib_s[way] = write_all(end, near, mr, &m);
	right = read_all(end, near, mr, &m);
	ibv_dereg_mr(mr);
	return ask_check(end) && right;
}

/* A member that is null where the stock kernel has no number. */
static void add_stock(json_object *row, const char *key, bool known, json_object *number)
{
	if (!known) {
		json_object_put(number);
		number = NULL;
	}
	json_object_object_add(row, key, number);
}

static void report(json_object *rows, const char *kind, const struct outcome *o)
{
	const char *stock = o->error[STOCK] ? strerrorname_np(o->error[STOCK]) : NULL;
	json_object *row = json_object_new_object();
	bool known = !o->error[STOCK];
	char stock_us[32];

	snprintf(stock_us, sizeof(stock_us), "%.1f", (double)o->reg_ns[STOCK] / 1e3);
	printf("  %-16s %6llu MiB %12s %10.1f %10lld %8.1f %8.1f   %s\n", kind,
	       (unsigned long long)(o->len >> 20), stock ? stock : stock_us,
	       (double)o->reg_ns[PHYR] / 1e3, (long long)o->bytes[PHYR], o->mib_s[STOCK],
	       o->mib_s[PHYR], o->verified ? "yes" : "NO");
	fflush(stdout);
	json_object_object_add(row, "kind", json_object_new_string(kind));
	json_object_object_add(row, "bytes", json_object_new_uint64(o->len));
	json_object_object_add(row, "reg_ns", json_object_new_uint64(o->reg_ns[PHYR]));
	add_stock(row, "stock_reg_ns", known, json_object_new_uint64(o->reg_ns[STOCK]));
	json_object_object_add(row, "stock_error", stock ? json_object_new_string(stock) : NULL);
	json_object_object_add(row, "mr_metadata_bytes", json_object_new_int64(o->bytes[PHYR]));
	add_stock(row, "stock_mr_metadata_bytes", known, json_object_new_int64(o->bytes[STOCK]));
	json_object_object_add(row, "write_mib_s", json_object_new_double(o->mib_s[PHYR]));
	add_stock(row, "stock_write_mib_s", known, json_object_new_double(o->mib_s[STOCK]));
	json_object_object_add(row, "verified", json_object_new_boolean(o->verified));
	json_object_array_add(rows, row);
}

static bool visit_kind(struct end *end, struct mem *near, uint32_t kind, json_object *rows)
{
	struct outcome o = { 0 };

	o.verified = borrow(end, near, kind, STOCK, &o);
	o.verified &= borrow(end, near, kind, PHYR, &o);
	report(rows, kinds[kind], &o);
	return o.verified;
}

static int visit(const char *address, const char *file)
{
	struct rdma_addrinfo *where = find(address, 0);
	json_object *rows = json_object_new_array(), *all = json_object_new_object();
	struct ibv_qp_init_attr attr = qp_attr();
	struct end end = { 0 };
	struct utsname uts;
	struct mem near;
	bool right = true;

	use(STOCK);
	if (mem_map(&near, mem_find("hugetlb 1 GiB"), GIB))
		give_up("a page of 1 GiB");
	if (rdma_create_ep(&end.id, where, NULL, &attr))
		give_up("create endpoint");
	end_init(&end);
	if (rdma_connect(end.id, NULL))
		give_up("connect");
	uname(&uts);
	printf("%s: from 1 GiB pages of one guest into another\n"
	       "  %-16s %10s %12s %10s %10s %8s %8s   %s\n"
	       "  %-16s %10s %12s %10s %10s %8s %8s   %s\n",
	       uts.release, "lent", "", "stock", "phyr", "phyr", "stock", "phyr", "every byte",
	       "", "", "reg us", "reg us", "bytes", "MiB/s", "MiB/s", "verified");
	for (uint32_t i = 0; i < NR_KINDS; i++)
		right &= visit_kind(&end, &near, i, rows);
	*end.out = (struct message){ .verb = QUIT };
	tell(&end);
	json_object_object_add(all, "release", json_object_new_string(uts.release));
	json_object_object_add(all, "rows", rows);
	if (json_object_to_file_ext(file, all, JSON_C_TO_STRING_PRETTY)) {
		fprintf(stderr, "rdma-demo: %s\n", json_util_get_last_err());
		right = false;
	}
	return right ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--serve"))
		return serve(argv[2]);
	if (argc == 3)
		return visit(argv[1], argv[2]);
	fprintf(stderr, "usage: rdma-demo --serve ADDRESS\n       rdma-demo ADDRESS FILE.json\n");
	return 2;
}
