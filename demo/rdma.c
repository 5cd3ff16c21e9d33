// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in two guests: memory of one is written by RDMA from the other.
 *
 *	rdma-demo --serve ADDRESS		lends memory of every kind
 *	rdma-demo ADDRESS FILE.json		writes it, reads it, reports
 *
 * For each kind, first as the stock kernel does it and then with phyr_rdma: both
 * sides register, the client writes from 1 GiB pages and reads back what it has
 * written, and the server looks at every byte it lent. With phyr_rdma that is all
 * of it; with the stock kernel, which is there for its times, three places.
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
#define WINDOW		(4 * MIB)	/* is moved at once */
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

/* Pages as they are lent, and as they are written: each is known by its place. */

#define PAGE	4096u
#define PERIOD	(PAGE * 256)	/* of both patterns, but for the places */

static unsigned char lent[PERIOD], written[PERIOD];

static void patterns_make(void)
{
	for (size_t i = 0; i < PERIOD; i++) {
		lent[i] = (unsigned char)(i / PAGE * 5 + i);
		written[i] = (unsigned char)(i * 7 + i / PAGE * 3 + 1);
	}
}

/* The page at byte @pos. */
static void page_make(void *page, const unsigned char *pattern, uint64_t pos)
{
	const uint64_t place[2] = { pos, ~pos };

	memcpy(page, pattern + pos % PERIOD, PAGE);
	memcpy(page, &place[0], sizeof(place[0]));
	memcpy((char *)page + PAGE - sizeof(place[1]), &place[1], sizeof(place[1]));
}

static bool page_is(const void *page, const unsigned char *pattern, uint64_t pos)
{
	unsigned char expected[PAGE];

	page_make(expected, pattern, pos);
	return !memcmp(page, expected, PAGE);
}

/*
 * What is written of @len bytes: everything, or the beginning, the middle and the
 * end. Part @i begins at *@at; its length is the answer, 0 past the last one.
 */
static uint64_t part(uint64_t len, enum way way, unsigned int i, uint64_t *at)
{
	const uint64_t places[] = {
		0, (len / 2 - WINDOW / 2) & ~(uint64_t)(PAGE - 1), len - WINDOW,
	};

	if (way == PHYR)
		*at = i * WINDOW;
	else
		*at = i < sizeof(places) / sizeof(places[0]) ? places[i] : len;
	return *at < len ? WINDOW : 0;
}

static bool is_written(uint64_t len, enum way way, uint64_t pos)
{
	uint64_t at, n;

	if (way == PHYR)
		return true;
	for (unsigned int i = 0; (n = part(len, way, i, &at)); i++)
		if (pos >= at && pos < at + n)
			return true;
	return false;
}

static void lend_fill(char *mem, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += PAGE)
		page_make(mem + at, lent, at);
}

/* Every byte: written where it was written, and as it was everywhere else. */
static bool lend_check(const char *mem, uint64_t len, enum way way)
{
	for (uint64_t at = 0; at < len; at += PAGE)
		if (!page_is(mem + at, is_written(len, way, at) ? written : lent, at))
			return false;
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
	lend_fill(loan->mem.addr, loan->mem.len);
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
			end.out->verified = lend_check(loan.mem.addr, loan.mem.len, asked.way);
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

/* A line that is written over, on a terminal, for what takes long. */
static void tell_progress(unsigned int i, uint64_t bytes, uint64_t len)
{
	if (isatty(1) && i % 16 == 15)
		printf("  %llu of %llu MiB\r", (unsigned long long)(bytes >> 20),
		       (unsigned long long)(len >> 20));
	fflush(stdout);
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

/* The part of the 1 GiB page from which byte @at is written. */
static char *near_of(const struct mem *near, uint64_t at)
{
	return near->addr + at % GIB;
}

/* What is written next, made before the clock is read. */
static void make_part(const struct mem *near, uint64_t at, uint64_t n)
{
	for (uint64_t b = 0; b < n; b += PAGE)
		page_make(near_of(near, at) + b, written, at + b);
}

/* How fast, in MiB/s. */
static double write_all(struct end *end, struct mem *near, struct ibv_mr *mr,
			const struct message *m, enum way way)
{
	uint64_t at, n, start, ns = 0, bytes = 0;

	for (unsigned int i = 0; (n = part(m->len, way, i, &at)); i++) {
		make_part(near, at, n);
		start = now();
		move(end, true, near_of(near, at), mr, m->addr + at, m->rkey);
		ns += now() - start;
		bytes += n;
		tell_progress(i, bytes, m->len);
	}
	return (double)bytes / (double)MIB / ((double)ns / 1e9);
}

static bool read_all(struct end *end, struct mem *near, struct ibv_mr *mr,
		     const struct message *m, enum way way)
{
	char *back = near->addr + GIB - WINDOW;
	uint64_t at, n;

	for (unsigned int i = 0; (n = part(m->len, way, i, &at)); i++) {
		memset(back, 0, WINDOW);
		move(end, false, back, mr, m->addr + at, m->rkey);
		for (uint64_t b = 0; b < n; b += PAGE)
			if (!page_is(back + b, written, at + b))
				return false;
		tell_progress(i, at + n, m->len);
	}
	return true;
}

static bool ask_check(struct end *end, enum way way)
{
	*end->out = (struct message){ .verb = CHECK, .way = way };
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
		ask_check(end, way);
		return way == STOCK;	/* stock may fail, and does */
	}
	mr = ibv_reg_mr(end->id->pd, near->addr, GIB, FAR);
	if (!mr)
		give_up("ibv_reg_mr of 1 GiB");
	o->mib_s[way] = write_all(end, near, mr, &m, way);
	right = read_all(end, near, mr, &m, way);
	ibv_dereg_mr(mr);
	return ask_check(end, way) && right;
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
	patterns_make();
	if (argc == 3 && !strcmp(argv[1], "--serve"))
		return serve(argv[2]);
	if (argc == 3)
		return visit(argv[1], argv[2]);
	fprintf(stderr, "usage: rdma-demo --serve ADDRESS\n       rdma-demo ADDRESS FILE.json\n");
	return 2;
}
