// SPDX-License-Identifier: GPL-2.0-only
/*
 * What phyr_rdma and phyr_rxe replace: whether it is called, and others that have a say in it,
 * such as ftrace's switch, BPF's programs at the same functions, and registrations
 * that take for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/bpf.h"
#include "common/rdma.h"
#include "kmod/umem_ioctl.h"

#define BUF		(16 * PAGE)
#define FTRACE_ENABLED	"/proc/sys/kernel/ftrace_enabled"
#define PATIENCE	20		/* seconds, in an emulated guest */

/* A region that only phyr_rxe makes so, and bytes that go through it. */
static void check_works(void)
{
	struct rdma r;
	struct ibv_mr *mr;
	char *mem = anon(BUF, RW);

	rdma_open(&r);
	mr = ibv_reg_mr(r.pd, mem, BUF, RDMA_ALL);
	if (!mr)
		fail_msg("ibv_reg_mr: %s", strerror(errno));
	assert_int_equal(rdma_regions(), 1);
	pattern_fill(mem, PAGE, 5);
	assert_int_equal(rdma_write(&r, rdma_at(mr, 2 * PAGE + 7), rdma_at(mr, 0), PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(mem + 2 * PAGE + 7, PAGE, 5));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_int_equal(rdma_regions(), 0);
	rdma_close(&r);
	release(mem, BUF);
}

/*
 * Newer kernels have one call for memory and for dma-bufs, which libibverbs makes
 * for neither yet, and the guest's headers do not know.
 */
#define METHOD_REG_MR	(UVERBS_METHOD_REG_DMABUF_MR + 1)

enum {
	REG_HANDLE,
	REG_PD,
	REG_DMAH,
	REG_IOVA,
	REG_ADDR,
	REG_LENGTH,
	REG_ACCESS,
	REG_FD,
	REG_FD_OFFSET,
	REG_LKEY,
	REG_RKEY,
};

static struct ib_uverbs_attr attr(uint16_t id, uint16_t len, uint64_t data)
{
	return (struct ib_uverbs_attr){
		.attr_id = id, .len = len, .flags = UVERBS_ATTR_F_MANDATORY, .data = data,
	};
}

/* 0, or the errno: EPROTONOSUPPORT on kernels without the call. */
static int reg_by_new_call(struct ibv_pd *pd, void *addr, size_t len)
{
	uint32_t lkey, rkey;
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attrs[8];
	} call = {
		.hdr = {
			.length = sizeof(call), .object_id = UVERBS_OBJECT_MR,
			.method_id = METHOD_REG_MR, .num_attrs = ARRAY_SIZE(call.attrs),
			.driver_id = RDMA_DRIVER_RXE,
		},
		.attrs = {
			attr(REG_HANDLE, 0, 0),
			attr(REG_PD, 0, pd->handle),
			attr(REG_IOVA, sizeof(uint64_t), (uintptr_t)addr),
			attr(REG_ADDR, sizeof(uint64_t), (uintptr_t)addr),
			attr(REG_LENGTH, sizeof(uint64_t), len),
			attr(REG_ACCESS, sizeof(uint32_t), RDMA_ALL),
			attr(REG_LKEY, sizeof(lkey), (uintptr_t)&lkey),
			attr(REG_RKEY, sizeof(rkey), (uintptr_t)&rkey),
		},
	};

	return ioctl(pd->context->cmd_fd, RDMA_VERBS_IOCTL, &call) ? errno : 0;
}

/* Until the context is closed. */
static void reg_either_way(struct ibv_pd *pd, void *addr, size_t len)
{
	int error = reg_by_new_call(pd, addr, len);

	if (error == EPROTONOSUPPORT)
		must(ibv_reg_mr(pd, addr, len, RDMA_ALL));
	else
		must(!error);
}

static struct ibv_pd *pd_of(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;
	struct ibv_pd *pd;

	must(list);
	for (int i = 0; list[i] && !context; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	must(context);
	pd = ibv_alloc_pd(context);
	must(pd);
	return pd;
}

static void reg_on(void *name)
{
	reg_either_way(pd_of(name), anon(BUF, RW), BUF);
}

/* Are the hooks called? */

struct hook {
	char function[64];
	long calls;
	char how[32];
};

/* What phyr_rdma and phyr_rxe say of hook number @n; false if there are fewer. */
static bool read_hook(struct hook *hook, unsigned int n)
{
	FILE *f = popen("cat /sys/module/phyr_rdma/parameters/hooks "
			"/sys/module/phyr_rxe/parameters/hooks", "re");
	bool found = true;

	assert_non_null(f);
	for (unsigned int i = 0; found && i <= n; i++)
		found = fscanf(f, "%*s %63s %ld %31[^\n]", hook->function, &hook->calls,
			       hook->how) == 3;
	pclose(f);
	return found;
}

static struct hook hook_named(const char *function)
{
	struct hook hook;

	for (unsigned int n = 0; read_hook(&hook, n); n++)
		if (!strcmp(hook.function, function))
			return hook;
	fail_msg("no hook of %s", function);
	return hook;
}

static int get_umem(int umem, const void *addr)
{
	struct umem_get get = {
		.addr = (uintptr_t)addr, .len = BUF, .access = RDMA_ALL,
	};

	return ioctl(umem, UMEM_IOC_GET, &get) ? errno : 0;
}

static int put_umem(int umem)
{
	return ioctl(umem, UMEM_IOC_PUT) ? errno : 0;
}

static int open_umem(void)
{
	int umem;

	assert_int_equal(system("modprobe phyr_umem_test"), 0);
	umem = open("/dev/phyr_umem", O_RDWR | O_CLOEXEC);
	assert_return_code(umem, errno);
	return umem;
}

static void close_umem(int umem)
{
	close(umem);
	assert_int_equal(system("rmmod phyr_umem_test"), 0);
}

static void use_umem(void)
{
	int umem = open_umem();
	char *mem = anon(BUF, RW), byte;
	struct umem_copy copy = { .len = 1, .buf = (uintptr_t)&byte };

	assert_int_equal(get_umem(umem, mem), 0);
	assert_int_equal(ioctl(umem, UMEM_IOC_COPY, &copy), 0);
	assert_int_equal(byte, mem[0]);
	assert_int_equal(put_umem(umem), 0);
	close_umem(umem);
	release(mem, BUF);
}

static void use_data(void)
{
	const int access = RDMA_ALL | IBV_ACCESS_FLUSH_GLOBAL | IBV_ACCESS_FLUSH_PERSISTENT;
	struct rdma r;
	struct ibv_mr *near = rdma_begin(&r, BUF), *mr;
	struct mem mem;

	assert_return_code(mem_map(&mem, mem_find("devdax pmem"), 2 * MIB), errno);
	mr = ibv_reg_mr(r.pd, mem.addr, mem.len, access);
	assert_non_null(mr);
	assert_int_equal(rdma_add(&r, rdma_at(mr, 0), rdma_at(near, 0), 1), IBV_WC_SUCCESS);
	assert_int_equal(rdma_atomic_write(&r, rdma_at(mr, 0), "ABCDEFGH"), IBV_WC_SUCCESS);
	assert_int_equal(rdma_flush(&r, rdma_at(mr, 0), PAGE), IBV_WC_SUCCESS);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	mem_unmap(&mem);
	rdma_end(&r, near);
}

static void use_dmabuf(void)
{
	char *mem = anon(BUF, RW);
	int fd = pin(mem, BUF, PHYR_PIN_WRITE);
	struct rdma r;
	struct ibv_mr *mr;

	rdma_open(&r);
	mr = ibv_reg_dmabuf_mr(r.pd, 0, BUF, 0, fd, RDMA_ALL);
	assert_non_null(mr);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	rdma_close(&r);
	close(fd);
	release(mem, BUF);
}

/* With all of this kernel's compiler's ideas of what to inline. */
static void test_every_hook_is_called(void **state)
{
	struct hook hook;
	unsigned int n;

	(void)state;
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	for (n = 0; read_hook(&hook, n); n++)
		if (hook.calls || strcmp(hook.how, "direct"))
			fail_msg("%s: %ld calls, %s", hook.function, hook.calls, hook.how);
	use_umem();
	use_data();
	use_dmabuf();
	child_run(reg_on, "rxe0");
	for (n = 0; read_hook(&hook, n); n++) {
		print_message("# %s: %ld calls\n", hook.function, hook.calls);
		if (hook.calls < 1 || strcmp(hook.how, "direct"))
			fail_msg("%s: %ld calls, %s", hook.function, hook.calls, hook.how);
	}
	assert_in_range(n, 10, 11);
}

/* hook/hook.c on functions that are called, and on one that nobody calls. */
static void test_hook_that_nobody_calls(void **state)
{
	(void)state;
	assert_int_equal(system("modprobe phyr_hook_test"), 0);
	assert_int_equal(system("rmmod phyr_hook_test"), 0);
}

#define FEW	16	/* that may have begun before the function was hooked */

/* The ends of regions that soft RoCE has not made in the function that does. */
static void end_as_rxe(int umem, const void *mem, int times)
{
	for (int i = 0; i < times; i++) {
		assert_int_equal(get_umem(umem, mem), 0);
		assert_return_code(ioctl(umem, UMEM_IOC_RXE_END), errno);
	}
}

/* Regions of soft RoCE that are there before its functions are replaced may end. */
static void reg_stock(struct rdma *r, char *mem, struct ibv_mr *mr[FEW])
{
	for (int i = 0; i < FEW; i++) {
		mr[i] = ibv_reg_mr(r->pd, mem, BUF, RDMA_ALL);
		assert_non_null(mr[i]);
	}
}

static void dereg(struct ibv_mr *mr[FEW])
{
	for (int i = 0; i < FEW; i++)
		assert_int_equal(ibv_dereg_mr(mr[i]), 0);
}

#define REG_DMABUF	"ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR"

/* The operation for dma-bufs, reached past the calls that are counted. */
static void test_bypassed_dmabuf(void **state)
{
	int umem = open_umem();

	(void)state;
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	use_dmabuf();
	assert_string_equal(hook_named(REG_DMABUF).how, "direct");
	assert_int_equal(ioctl(umem, UMEM_IOC_LENT), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_string_equal(hook_named(REG_DMABUF).how, "bypassed");
	close_umem(umem);
}

/* And what was bypassed is not any more once it is hooked anew. */
static void test_bypassed_registration(void **state)
{
	int umem = open_umem();
	char *mem = anon(BUF, RW);
	struct ibv_mr *mr[FEW];
	struct rdma r;

	(void)state;
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	assert_string_equal(hook_named(REG_DMABUF).how, "direct");
	check_works();
	end_as_rxe(umem, mem, 2 * FEW);
	assert_string_equal(hook_named("rxe_mr_init_user").how, "direct");
	assert_int_equal(rdma_unload(), 0);
	rdma_open(&r);
	reg_stock(&r, mem, mr);
	assert_int_equal(rdma_load(), 0);
	end_as_rxe(umem, mem, FEW);
	dereg(mr);
	assert_string_equal(hook_named("rxe_mr_init_user").how, "direct");
	end_as_rxe(umem, mem, 3);	/* rdma_open() may have registered one */
	assert_string_equal(hook_named("rxe_mr_init_user").how, "bypassed");
	assert_int_equal(hook_named("rxe_mr_init_user").calls, 0);
	rdma_close(&r);
	close_umem(umem);
	release(mem, BUF);
}

/* Each of the two does its part without the other. */
static void test_each_alone(void **state)
{
	(void)state;
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(system("modprobe phyr_rxe"), 0);
	check_works();
	use_dmabuf();
	assert_int_equal(system("modprobe phyr_rdma && rmmod phyr_rxe"), 0);
	use_umem();
	child_run(reg_on, "rxe0");
	assert_int_equal(rdma_regions(), 0);
	assert_int_equal(system("modprobe phyr_rxe"), 0);
}

#define RXE_GOES	"rdma link delete rxe0 && modprobe -r rdma_rxe"
#define RXE_COMES	"modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0"

/* What is replaced in a module goes with it, and is replaced anew. */
static void test_rxe_comes_and_goes(void **state)
{
	(void)state;
	assert_int_equal(rdma_load(), 0);
	for (int i = 0; i < 2; i++) {
		check_works();
		assert_int_equal(system(RXE_GOES), 0);
		assert_string_equal(hook_named("rxe_mr_copy").how, "not hooked");
		assert_int_equal(system(RXE_COMES), 0);
		assert_string_equal(hook_named("rxe_mr_copy").how, "direct");
		assert_int_equal(hook_named("rxe_mr_copy").calls, 0);
	}
	check_works();
}

/* ftrace's switch */

/*
 * With it off, functions are themselves again, also for regions that only their
 * replacements can read. Newer kernels have given it up.
 */
static void check_switch_refused(void)
{
	int error = -write_file(FTRACE_ENABLED, "0");

	if (error != EBUSY && error != EOPNOTSUPP)
		fail_msg("ftrace_enabled: %s", strerror(error));
}

static void test_ftrace_enabled(void **state)
{
	struct rdma r;
	struct ibv_mr *near;
	char *buf;
	int error;

	(void)state;
	assert_int_equal(rdma_load(), 0);
	check_switch_refused();
	near = rdma_begin(&r, BUF);
	buf = near->addr;
	check_switch_refused();
	pattern_fill(buf, PAGE, 3);
	assert_int_equal(rdma_write(&r, rdma_at(near, 2 * PAGE), rdma_at(near, 0), PAGE),
			 IBV_WC_SUCCESS);
	assert_true(pattern_is(buf + 2 * PAGE, PAGE, 3));
	rdma_end(&r, near);
	check_switch_refused();
	assert_int_equal(rdma_unload(), 0);
	error = -write_file(FTRACE_ENABLED, "0");
	assert_true(!error || error == EOPNOTSUPP);
	assert_int_equal(write_file(FTRACE_ENABLED, "1"), 0);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

/* A module that replaces nothing must not say that it does. */
static void test_load_while_ftrace_is_off(void **state)
{
	(void)state;
	assert_int_equal(rdma_unload(), 0);
	if (write_file(FTRACE_ENABLED, "0") == -EOPNOTSUPP) {
		assert_int_equal(rdma_load(), 0);
		skip();
	}
	assert_int_not_equal(system("modprobe phyr_rdma 2>/dev/null"), 0);
	assert_int_not_equal(system("modprobe phyr_rxe 2>/dev/null"), 0);
	assert_int_equal(rdma_regions(), -1);
	assert_int_equal(write_file(FTRACE_ENABLED, "1"), 0);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

/* BPF */

static void traced(struct bpf_tracer *t, const char *module, const char *function, bool at_exit)
{
	int error = bpf_attach(t, module, function, at_exit);

	if (error)
		fail_msg("%s: %s", function, strerror(error));
}

/* Programs at functions that phyr_rxe replaces, for registering, releasing and data. */
static void trace_all(struct bpf_tracer t[3], bool at_exit)
{
	traced(&t[0], "rdma_rxe", "rxe_mr_init_user", at_exit);
	traced(&t[1], "rdma_rxe", "rxe_mr_copy", at_exit);
	traced(&t[2], "rdma_rxe", "rxe_mr_cleanup", at_exit);
}

/* Both see each call: the program, and then phyr_rxe. */
static void check_all_called(struct bpf_tracer t[3])
{
	unsigned long long before[3];

	for (int i = 0; i < 3; i++)
		before[i] = bpf_calls(&t[i]);
	check_works();
	for (int i = 0; i < 3; i++)
		if (bpf_calls(&t[i]) == before[i])
			fail_msg("program %d is not called any more", i);
}

static void test_after_bpf(void **state)
{
	struct bpf_tracer t[3];

	(void)state;
	if (!bpf_available())
		skip();
	for (int at_exit = 0; at_exit < 2; at_exit++) {
		assert_int_equal(rdma_unload(), 0);
		trace_all(t, at_exit);
		assert_int_equal(rdma_load(), 0);
		check_all_called(t);
		for (int i = 0; i < 3; i++)
			bpf_detach(&t[i]);
		check_works();
	}
}

/* A program comes to a function that phyr_rxe has: refused, or beside it if asked for. */
static void test_before_bpf(void **state)
{
	struct bpf_tracer t;
	int error;

	(void)state;
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	error = bpf_attach(&t, "rdma_rxe", "rxe_mr_init_user", false);
	if (!error)
		bpf_detach(&t);
	if (error != EBUSY && error != EINVAL)
		fail_msg("a function has two direct calls: %s", strerror(error));
	check_works();
}

static int load_shared(void)
{
	return system("modprobe phyr_rxe share=1 && modprobe phyr_rdma share=1");
}

static void test_shared(void **state)
{
	struct bpf_tracer t[3];

	(void)state;
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(load_shared(), 0);
	for (int at_exit = 0; at_exit < 2; at_exit++) {
		trace_all(t, at_exit);
		check_all_called(t);
		for (int i = 0; i < 3; i++)
			bpf_detach(&t[i]);
		check_works();
	}
	/* they outlive the hooks */
	trace_all(t, false);
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(rdma_load(), 0);
	check_all_called(t);
	for (int i = 0; i < 3; i++)
		bpf_detach(&t[i]);
}

/* Programs come and go at one of the functions, until they are asked to stop. */
static void trace_and_stop(void *arg)
{
	const int *stop = arg;
	struct bpf_tracer t;
	bool at_exit = false;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		if (!bpf_attach(&t, "rdma_rxe", "rxe_mr_init_user", at_exit))
			bpf_detach(&t);
		at_exit = !at_exit;
	}
}

static void test_comings_and_goings(void **state)
{
	int *stop = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(stop, MAP_FAILED);
	if (!bpf_available())
		skip();
	assert_int_equal(rdma_unload(), 0);
	pid = child_start(trace_and_stop, stop);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(i % 2 ? load_shared() : rdma_load(), 0);
		check_works();
		assert_int_equal(rdma_unload(), 0);
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	child_wait(pid);
	release(stop, PAGE);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

/* Registrations that take for ever */

/* What the test and the process that hangs tell each other. */
struct hang {
	int hangs;
	int answer;
	char *mem;
	int uffd;
};

static void *answer(void *arg)
{
	struct hang *hang = arg;
	struct uffdio_zeropage zeros = {
		.range = { .start = (uintptr_t)hang->mem, .len = BUF },
	};
	struct uffd_msg msg;

	must(read(hang->uffd, &msg, sizeof(msg)) == sizeof(msg));
	__atomic_store_n(&hang->hangs, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&hang->answer, __ATOMIC_RELAXED))
		usleep(10000);
	must(!ioctl(hang->uffd, UFFDIO_ZEROPAGE, &zeros));
	return NULL;
}

/* Registers memory whose pages somebody has to bring, on rxe1. */
static void hang_in_fault(void *arg)
{
	struct hang *hang = arg;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	hang->mem = mmap(NULL, BUF, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(hang->mem != MAP_FAILED);
	hang->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	must(hang->uffd >= 0 && !ioctl(hang->uffd, UFFDIO_API, &api));
	reg.range.start = (uintptr_t)hang->mem;
	reg.range.len = BUF;
	must(!ioctl(hang->uffd, UFFDIO_REGISTER, &reg));
	must(!pthread_create(&thread, NULL, answer, hang));
	reg_either_way(pd_of("rxe1"), hang->mem, BUF);
	must(!pthread_join(thread, NULL));
}

static void command(void *arg)
{
	must(!system(arg));
}

/* Has the child ended well, within the time for it? */
static bool ends(pid_t pid)
{
	int status;

	for (int i = 0; i < PATIENCE * 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(100000);
	}
	return false;
}

/* What others do meanwhile, each in a process: older kernels delete no link that is open. */
static const struct {
	void (*f)(void *arg);
	char *arg;
} meanwhile[] = {
	{ command, "rdma link add rxe2 type rxe netdev veth_rxe" },
	{ reg_on, "rxe2" },
	{ command, "rdma link delete rxe2" },
	{ reg_on, "rxe0" },
};

/*
 * While a registration on rxe1 hangs, nothing else does: not even if rxe1 is to be
 * deleted, which has to wait for it. Then it is answered, or killed.
 */
static void check_hang(bool delete, bool kill_it)
{
	struct hang *hang = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, deleter = 0, late = 0;
	size_t n;

	assert_ptr_not_equal(hang, MAP_FAILED);
	pid = child_start(hang_in_fault, hang);
	for (int i = 0; i < PATIENCE * 10 && !__atomic_load_n(&hang->hangs, __ATOMIC_RELAXED); i++)
		usleep(100000);
	assert_true(__atomic_load_n(&hang->hangs, __ATOMIC_RELAXED));
	if (delete) {
		deleter = child_start(command, "rdma link delete rxe1");
		usleep(500000);
	}
	for (n = 0; n < ARRAY_SIZE(meanwhile); n++) {
		late = child_start(meanwhile[n].f, meanwhile[n].arg);
		if (!ends(late))
			break;
	}
	if (kill_it)
		kill(pid, SIGKILL);
	else
		__atomic_store_n(&hang->answer, 1, __ATOMIC_RELAXED);
	assert_int_equal(ends(pid), !kill_it);
	if (delete)
		assert_true(ends(deleter));
	release(hang, PAGE);
	if (n < ARRAY_SIZE(meanwhile))
		fail_msg("%s did not end before it, and %s after it", meanwhile[n].arg,
			 ends(late) ? "did" : "did not");
}

#define MORE_LINKS							\
	"{ ip link show veth_rxe >/dev/null 2>&1 || "			\
	"ip link add veth_rxe type veth peer name veth_peer; } && "	\
	"ip link set veth_rxe up && ip link set veth_peer up && "	\
	"{ rdma link show rxe1/1 >/dev/null 2>&1 || "			\
	"rdma link add rxe1 type rxe netdev lo; }"

static void test_registration_that_hangs(void **state)
{
	(void)state;
	assert_int_equal(rdma_load(), 0);
	assert_int_equal(system(MORE_LINKS), 0);
	check_hang(false, false);
	check_hang(false, true);
	check_hang(true, true);
	assert_int_equal(system(MORE_LINKS), 0);
	check_hang(true, false);
	assert_int_equal(rdma_regions(), 0);
	assert_int_equal(rdma_unload(), 0);
	assert_int_equal(system("ip link delete veth_rxe"), 0);
	assert_int_equal(rdma_load(), 0);
	check_works();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_every_hook_is_called),
		fixture_test(test_hook_that_nobody_calls),
		fixture_test(test_each_alone),
		fixture_test(test_bypassed_dmabuf),
		fixture_test(test_bypassed_registration),
		fixture_test(test_rxe_comes_and_goes),
		fixture_test(test_ftrace_enabled),
		fixture_test(test_load_while_ftrace_is_off),
		fixture_test(test_registration_that_hangs),
		fixture_test(test_after_bpf),
		fixture_test(test_before_bpf),
		fixture_test(test_shared),
		fixture_test(test_comings_and_goings),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (rdma_load())
		return 1;
	failed = fixture_run(tests);
	rdma_unload();
	return failed;
}
