// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failure point of phyr_rdma and phyr_rxe, as debug_fault does it: registration
 * of each kind of memory, deregistration, what is posted, and the modules' coming and
 * going.
 *
 * Only what the calling thread does fails. Packets are sent and received by
 * threads of rxe, where phyr_rxe allocates nothing.
 *
 * Left out: dma-bufs of others than phyr. Where there is no memory to map one,
 * dma_buf_vmap() itself warns.
 *
 * For kernels with fault injection, see run-all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "common/fault.h"
#include "common/rdma.h"
#include "kmod/umem_ioctl.h"

#define BUF	(16 * PAGE)
#define TRACING	"/sys/kernel/tracing"
#define HOOKS	TRACING "/enabled_functions"

/* What a call is about, and what it has brought about. */
struct scene {
	const struct site *site;
	struct mem mem;
	struct rdma r;
	int umem;		/* /dev/phyr_umem */
	char *buf;		/* the near side of what is posted */
	struct ibv_mr *near;
	struct ibv_mr *mr;
	struct ibv_mw *mw;
	uint32_t key;		/* of the window */
	int region;
	long regions;		/* before the call's preparation */
};

/* As in debug_fault: @prepare, @call is disturbed and gives 0 or an errno, @undo. */
struct site {
	const char *name;
	const char *kind;	/* of memory */
	size_t len;
	int access;
	void (*prepare)(struct scene *s);
	int (*call)(struct scene *s);
	void (*undo)(struct scene *s, int error);
};

static struct rdma_at far(const struct scene *s, size_t offset)
{
	return rdma_at(s->mr, offset);
}

static struct rdma_at here(const struct scene *s)
{
	return rdma_at(s->near, 0);
}

static void nothing(struct scene *s)
{
	(void)s;
}

/* Regions */

/* Not whole pages. */
static int call_reg(struct scene *s)
{
	s->mr = ibv_reg_mr(s->r.pd, s->mem.addr + 100, s->site->len - 200, s->site->access);
	return s->mr ? 0 : errno;
}

static void prepare_reg(struct scene *s)
{
	s->mr = ibv_reg_mr(s->r.pd, s->mem.addr, s->site->len, s->site->access);
	if (!s->mr)
		fail_msg("ibv_reg_mr: %s", strerror(errno));
}

static void undo_reg(struct scene *s, int error)
{
	if (!error)
		assert_int_equal(ibv_dereg_mr(s->mr), 0);
}

static void prepare_dmabuf(struct scene *s)
{
	s->region = pin(s->mem.addr, s->site->len, PHYR_PIN_WRITE);
}

static int call_reg_dmabuf(struct scene *s)
{
	s->mr = ibv_reg_dmabuf_mr(s->r.pd, PAGE, s->site->len - PAGE, 0, s->region,
				  s->site->access);
	return s->mr ? 0 : errno;
}

static void undo_reg_dmabuf(struct scene *s, int error)
{
	undo_reg(s, error);
	close(s->region);
}

static void prepare_reg_dmabuf(struct scene *s)
{
	prepare_dmabuf(s);
	assert_int_equal(call_reg_dmabuf(s), 0);
}

static int call_rereg(struct scene *s)
{
	return ibv_rereg_mr(s->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			    IBV_ACCESS_REMOTE_READ) ? errno : 0;
}

static void undo_rereg(struct scene *s, int error)
{
	(void)error;
	undo_reg(s, 0);
}

static int call_dereg(struct scene *s)
{
	return ibv_dereg_mr(s->mr);
}

/* What could not be read from the caller was not done. */
static void undo_dereg(struct scene *s, int error)
{
	if (error)
		assert_int_equal(ibv_dereg_mr(s->mr), 0);
}

static void undo_dereg_dmabuf(struct scene *s, int error)
{
	undo_dereg(s, error);
	close(s->region);
}

/* ib_umem, for a device that does DMA */

static int call_umem(struct scene *s)
{
	struct umem_get get = {
		.addr = (uintptr_t)s->mem.addr + 100, .len = s->site->len - 200,
		.access = (uint32_t)s->site->access,
	};

	return ioctl(s->umem, UMEM_IOC_GET, &get) ? errno : 0;
}

static void prepare_umem(struct scene *s)
{
	assert_int_equal(call_umem(s), 0);
}

static int call_umem_copy(struct scene *s)
{
	char bytes[300];
	struct umem_copy copy = { .offset = 5, .len = sizeof(bytes), .buf = (uintptr_t)bytes };
	int error = ioctl(s->umem, UMEM_IOC_COPY, &copy) ? errno : 0;

	if (!error)
		assert_memory_equal(bytes, s->mem.addr + 105, sizeof(bytes));
	return error;
}

/* What has been released has been released whatever fails. */
static int call_umem_put(struct scene *s)
{
	return ioctl(s->umem, UMEM_IOC_PUT) ? errno : 0;
}

static void undo_umem(struct scene *s, int error)
{
	if (!error)
		assert_int_equal(call_umem_put(s), 0);
	assert_int_equal(fixture_status("VmPin:"), BUF / 1024);
}

static void nothing_left(struct scene *s, int error)
{
	(void)s;
	assert_int_equal(error, 0);
	assert_int_equal(fixture_status("VmPin:"), BUF / 1024);
}

static void undo_umem_always(struct scene *s, int error)
{
	(void)error;
	undo_umem(s, 0);
}

/* What is posted: refused, or done as if nothing had been */

static int posted(struct scene *s, enum ibv_wc_status status)
{
	if (s->r.error)
		return s->r.error;
	if (status != IBV_WC_SUCCESS)
		fail_msg("completed with %s", ibv_wc_status_str(status));
	return 0;
}

static int call_write(struct scene *s)
{
	int error = posted(s, rdma_write(&s->r, far(s, 300), here(s), BUF));

	if (!error)
		assert_memory_equal(s->mem.addr + 300, s->buf, BUF);
	return error;
}

static int call_read(struct scene *s)
{
	int error = posted(s, rdma_read(&s->r, far(s, 300), here(s), BUF));

	if (!error)
		assert_memory_equal(s->mem.addr + 300, s->buf, BUF);
	return error;
}

static int call_send(struct scene *s)
{
	int error = posted(s, rdma_send(&s->r, here(s), far(s, 300), BUF));

	if (!error)
		assert_memory_equal(s->mem.addr + 300, s->buf, BUF);
	return error;
}

static int call_add(struct scene *s)
{
	volatile uint64_t *word = (volatile uint64_t *)s->mem.addr;
	uint64_t before = *word;
	int error = posted(s, rdma_add(&s->r, far(s, 0), here(s), 77));

	if (!error)
		assert_int_equal(*word, before + 77);
	return error;
}

static int call_swap(struct scene *s)
{
	volatile uint64_t *word = (volatile uint64_t *)s->mem.addr;
	uint64_t before = *word;
	int error = posted(s, rdma_cas(&s->r, far(s, 0), here(s), before, ~before));

	if (!error)
		assert_int_equal(*word, ~before);
	return error;
}

static int call_atomic_write(struct scene *s)
{
	return posted(s, rdma_atomic_write(&s->r, far(s, 0), "ABCDEFGH"));
}

static int call_flush(struct scene *s)
{
	return posted(s, rdma_flush(&s->r, far(s, 0), BUF));
}

static void undo_post(struct scene *s, int error)
{
	/* it is in the queue still, and nobody told the device */
	if (error)
		rdma_reconnect(&s->r);
	undo_reg(s, 0);
}

/* Windows */

static void prepare_window(struct scene *s)
{
	prepare_reg(s);
	s->mw = ibv_alloc_mw(s->r.pd, IBV_MW_TYPE_2);
	assert_non_null(s->mw);
	s->key = ibv_inc_rkey(s->mw->rkey);
}

static int call_bind(struct scene *s)
{
	return posted(s, rdma_bind(&s->r, s->mw, s->key, s->mr, PAGE, PAGE,
				   IBV_ACCESS_REMOTE_READ));
}

static void prepare_bound(struct scene *s)
{
	prepare_window(s);
	assert_int_equal(call_bind(s), 0);
}

static int call_local_inv(struct scene *s)
{
	return posted(s, rdma_local_inv(&s->r, s->key));
}

static int call_send_inv(struct scene *s)
{
	return posted(s, rdma_send_inv(&s->r, here(s), far(s, 0), s->key));
}

/* A queue pair cannot go before its window. */
static void undo_window(struct scene *s, int error)
{
	assert_int_equal(ibv_dealloc_mw(s->mw), 0);
	undo_post(s, error);
}

#define ALL	RDMA_ALL
#define READ	IBV_ACCESS_REMOTE_READ
#define BIND	(RDMA_ALL | IBV_ACCESS_MW_BIND)
#define FLUSH	(RDMA_ALL | IBV_ACCESS_FLUSH_GLOBAL | IBV_ACCESS_FLUSH_PERSISTENT)

static const struct site sites[] = {
	{ "reg_mr 4 KiB pages", "4 KiB pages", MIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr 4 KiB scattered", "4 KiB scattered", 4 * MIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr THP", "THP 2 MiB", 8 * MIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr gigantic", "hugetlb 1 GiB", GIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr BAR", "PCI BAR", MIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr mixed", "mixed", 28 * MIB, ALL, nothing, call_reg, undo_reg },
	{ "reg_mr file", "ext4 file", MIB, READ, nothing, call_reg, undo_reg },
	{ "reg_mr pmem to flush", "devdax pmem", 4 * MIB, FLUSH, nothing, call_reg, undo_reg },
	{ "reg_dmabuf_mr", "4 KiB scattered", MIB, ALL, prepare_dmabuf, call_reg_dmabuf,
	  undo_reg_dmabuf },
	{ "reg_dmabuf_mr BAR", "PCI BAR", MIB, ALL, prepare_dmabuf, call_reg_dmabuf,
	  undo_reg_dmabuf },
	{ "rereg_mr", "4 KiB scattered", MIB, ALL, prepare_reg, call_rereg, undo_rereg },
	{ "dereg_mr", "4 KiB scattered", MIB, ALL, prepare_reg, call_dereg, undo_dereg },
	{ "dereg_mr BAR", "PCI BAR", MIB, ALL, prepare_reg, call_dereg, undo_dereg },
	{ "dereg_mr dma-buf", "4 KiB scattered", MIB, ALL, prepare_reg_dmabuf, call_dereg,
	  undo_dereg_dmabuf },

	{ "ib_umem 4 KiB scattered", "4 KiB scattered", 4 * MIB, ALL, nothing, call_umem,
	  undo_umem },
	{ "ib_umem THP", "THP 2 MiB", 8 * MIB, ALL, nothing, call_umem, undo_umem },
	{ "ib_umem BAR", "PCI BAR", MIB, ALL, nothing, call_umem, undo_umem },
	{ "ib_umem mixed", "mixed", 28 * MIB, ALL, nothing, call_umem, undo_umem },
	{ "ib_umem copy of a BAR", "PCI BAR", MIB, ALL, prepare_umem, call_umem_copy,
	  undo_umem_always },
	{ "ib_umem release", "4 KiB scattered", MIB, ALL, prepare_umem, call_umem_put,
	  nothing_left },

	{ "write", "4 KiB scattered", MIB, ALL, prepare_reg, call_write, undo_post },
	{ "read", "4 KiB scattered", MIB, ALL, prepare_reg, call_read, undo_post },
	{ "read BAR", "PCI BAR", MIB, ALL, prepare_reg, call_read, undo_post },
	{ "send", "4 KiB scattered", MIB, ALL, prepare_reg, call_send, undo_post },
	{ "fetch and add", "4 KiB scattered", MIB, ALL, prepare_reg, call_add, undo_post },
	{ "compare and swap", "PCI BAR", MIB, ALL, prepare_reg, call_swap, undo_post },
	{ "atomic write", "4 KiB scattered", MIB, ALL, prepare_reg, call_atomic_write, undo_post },
	{ "flush", "devdax pmem", 4 * MIB, FLUSH, prepare_reg, call_flush, undo_post },
	{ "bind_mw", "4 KiB scattered", MIB, BIND, prepare_window, call_bind, undo_window },
	{ "local invalidation", "4 KiB scattered", MIB, BIND, prepare_bound, call_local_inv,
	  undo_window },
	{ "remote invalidation", "4 KiB scattered", MIB, BIND, prepare_bound, call_send_inv,
	  undo_window },
};

/* The sweep */

static bool disturb(void *arg, unsigned int n, int *error)
{
	struct scene *s = arg;
	const struct site *site = s->site;
	unsigned int left;

	s->r.error = 0;
	site->prepare(s);
	fault_at(n);
	*error = site->call(s);
	left = fault_end();
	if (*error && *error != ENOMEM && *error != EFAULT)
		fail_msg("point %u: %s", n, strerror(*error));
	site->undo(s, *error);
	if (rdma_regions() != s->regions)
		fail_msg("point %u leaves a region", n);
	return left;
}

/* A driver is given page-less memory only where the IOMMU alone can stop it: see test_umem. */
static bool is_refused(const struct site *site)
{
	struct phyr_info info = { .size = sizeof(info) };
	const struct mem_kind *kind = mem_find(site->kind);

	assert_int_equal(phyr_info(dev, &info), 0);
	return !info.iova && !strncmp(site->name, "ib_umem", strlen("ib_umem")) &&
	       (!kind->struct_page || !strcmp(kind->name, "mixed"));
}

static void test_site(void **state)
{
	struct scene s = { .site = *state, .mem.fd = -1 };
	const struct mem_kind *kind = mem_find(s.site->kind);
	size_t len = (s.site->len + kind->page - 1) / kind->page * kind->page;

	if (is_refused(s.site))
		skip();
	if (mem_map(&s.mem, kind, len))
		fail_msg("%s: %s", s.site->kind, strerror(errno));
	s.umem = open("/dev/phyr_umem", O_RDWR | O_CLOEXEC);
	assert_return_code(s.umem, errno);
	rdma_open(&s.r);
	s.r.busy = true;	/* a wait has points of its own, and is not what is tried */
	s.buf = anon(BUF, RW);
	pattern_fill(s.buf, BUF, 5);
	s.near = ibv_reg_mr(s.r.pd, s.buf, BUF, RDMA_ALL);
	assert_non_null(s.near);
	s.regions = rdma_regions();
	fault_sweep(s.site->name, disturb, &s);
	assert_int_equal(ibv_dereg_mr(s.near), 0);
	release(s.buf, BUF);
	rdma_close(&s.r);
	close(s.umem);
	mem_unmap(&s.mem);
}

/* The module */

/* Lines about functions that somebody has put something in front of. */
static unsigned int hooked(void)
{
	unsigned int n = 0;
	FILE *f;
	int c;

	if (access(HOOKS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	f = fopen(HOOKS, "re");
	if (!f)
		fail_msg(HOOKS ": %s", strerror(errno));
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static unsigned int hooked_before;

static void not_there(unsigned int n, int error)
{
	(void)error;
	if (rdma_regions() >= 0)
		fail_msg("point %u leaves the module", n);
	if (hooked() != hooked_before)
		fail_msg("point %u leaves a function replaced", n);
}

/* Without the module no rxe device registers a dma-buf. */
static void check_stock(void)
{
	struct rdma r;
	char *mem = anon(BUF, RW);
	int fd = pin(mem, BUF, PHYR_PIN_WRITE);
	struct ibv_mr *mr;

	rdma_open(&r);
	assert_null(ibv_reg_dmabuf_mr(r.pd, 0, BUF, 0, fd, RDMA_ALL));
	assert_int_equal(errno, EOPNOTSUPP);
	mr = ibv_reg_mr(r.pd, mem, BUF, RDMA_ALL);
	assert_non_null(mr);
	pattern_fill(mem, PAGE, 3);
	assert_int_equal(rdma_write(&r, rdma_at(mr, 2 * PAGE), rdma_at(mr, 0), PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 2 * PAGE, PAGE, 3));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	rdma_close(&r);
	close(fd);
	release(mem, BUF);
}

static void test_load(void **state)
{
	(void)state;
	assert_int_equal(rdma_unload(), 0);
	hooked_before = hooked();
	/* each load waits for a few grace periods */
	fault_sweep_load("phyr_rdma", getenv("PHYR_FAULT_STEP") ? 500 : 6, not_there);
	assert_int_equal(rdma_unload(), 0);
	fault_sweep_load("phyr_rxe", getenv("PHYR_FAULT_STEP") ? 500 : 12, not_there);
	check_stock();
	assert_int_equal(rdma_load(), 0);
}

static void test_unload(void **state)
{
	(void)state;
	assert_int_equal(rdma_unload(), 0);
	hooked_before = hooked();
	fault_sweep_unload("phyr_rdma");
	fault_sweep_unload("phyr_rxe");
	not_there(0, 0);
	check_stock();
	assert_int_equal(rdma_load(), 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(sites) + 2];
	size_t nr = 0;
	int failed;

	/* Names may be given, to look at one of them. */
	for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
		if (argc > 1 && strcmp(sites[i].name, argv[1]))
			continue;
		tests[nr++] = (struct CMUnitTest) {
			.name = sites[i].name,
			.test_func = test_site,
			.teardown_func = fixture_nothing_left,
			.initial_state = (void *)&sites[i],
		};
	}
	if (argc < 2 || !strcmp(argv[1], "test_load"))
		tests[nr++] = (struct CMUnitTest)fixture_test(test_load);
	if (argc < 2 || !strcmp(argv[1], "test_unload"))
		tests[nr++] = (struct CMUnitTest)fixture_test(test_unload);
	if (system("modprobe phyr_umem_test") || rdma_load())
		return 1;
	fault_set_up();
	failed = fixture_run_tests("fault", tests, nr);
	rdma_unload();
	if (system("rmmod phyr_umem_test"))
		return 1;
	return failed;
}
