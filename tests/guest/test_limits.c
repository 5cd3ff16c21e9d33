// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may pin, how much, and until when: limits, privileges, and the ends of
 * processes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/driver.h"

#define ALLOW	"/sys/module/phyr/parameters/allow_pfnmap"
#define LAYOUT	"/sys/module/phyr/parameters/allow_layout"

static void set_memlock(size_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
}

static unsigned long long regions(void)
{
	struct phyr_info info = { .size = sizeof(info) };

	return phyr_info(dev, &info) ? ~0ull : info.regions;
}

/* RLIMIT_MEMLOCK */

static int helper_sock[2];

static void memlock_child(void *arg)
{
	char *addr = arg;
	int a, b;

	set_memlock(MIB);
	become_nobody();
	a = phyr_pin(dev, addr, 512 * KIB, PHYR_PIN_WRITE);
	must(a >= 0);
	must(fixture_status("VmPin:") == 512);
	must(phyr_pin(dev, addr, 512 * KIB + 1, 0) == -ENOMEM);
	b = phyr_pin(dev, addr, 512 * KIB, 0);
	must(b >= 0);
	must(fixture_status("VmPin:") == 1024);
	must(phyr_pin(dev, addr, 1, 0) == -ENOMEM);
	close(a);
	must(fixture_status("VmPin:") == 512);
	/* two bytes, but two pages */
	a = phyr_pin(dev, addr + PAGE - 1, 2, 0);
	must(a >= 0);
	must(fixture_status("VmPin:") == 520);
	must(phyr_pin(dev, addr, 512 * KIB - PAGE, 0) == -ENOMEM);
	/* a pin that fails for another reason does not count */
	must(phyr_pin(dev, (void *)PAGE, PAGE, 0) == -EFAULT);
	must(fixture_status("VmPin:") == 520);
	close(a);
	close(b);
	must(fixture_status("VmPin:") == 0);
	must(phyr_pin(dev, addr, MIB + PAGE, 0) == -ENOMEM);
	a = phyr_pin(dev, addr, MIB, PHYR_PIN_WRITE);
	must(a >= 0);
}

static void memlock_none_child(void *arg)
{
	set_memlock(0);
	become_nobody();
	must(phyr_pin(dev, arg, 1, 0) == -ENOMEM);
}

/* The process that pinned it pays for it, for as long as any process has it. */
static void memlock_shared_child(void *arg)
{
	int region, status, go[2];
	pid_t pid;

	set_memlock(MIB);
	become_nobody();
	must(!pipe(go));
	region = phyr_pin(dev, arg, MIB, 0);
	must(region >= 0);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		char byte;

		close(go[1]);
		must(fixture_status("VmPin:") == 0);
		must(read(go[0], &byte, 1) == 0);
		_exit(0);
	}
	close(region);
	must(fixture_status("VmPin:") == 1024);
	must(phyr_pin(dev, arg, 1, 0) == -ENOMEM);
	close(go[1]);
	must(waitpid(pid, &status, 0) == pid && !status);
	for (int i = 0; i < 50 && fixture_status("VmPin:"); i++)
		usleep(100000);
	must(fixture_status("VmPin:") == 0);
}

static void memlock_helper_child(void *arg)
{
	int region = phyr_pin(dev, arg, 768 * KIB, 0);

	must(region >= 0);
	send_fd(helper_sock[1], region);
}

/* It is the user's limit as well: those who have gone count, if somebody has the region. */
static void memlock_user_child(void *arg)
{
	pid_t pid;
	int a, b;

	set_memlock(MIB);
	become_nobody();
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, helper_sock));
	pid = child_start(memlock_helper_child, arg);
	a = receive_fd(helper_sock[0]);
	child_wait(pid);
	must(fixture_status("VmPin:") == 0);
	must(phyr_pin(dev, arg, 256 * KIB + 1, 0) == -ENOMEM);
	b = phyr_pin(dev, arg, 256 * KIB, 0);
	must(b >= 0);
	must(phyr_pin(dev, arg, 1, 0) == -ENOMEM);
	close(a);
	a = phyr_pin(dev, arg, 768 * KIB, 0);
	must(a >= 0);
	must(fixture_status("VmPin:") == 1024);
}

/* A privileged process has no limit. */
static void memlock_root_child(void *arg)
{
	int region;

	set_memlock(0);
	region = phyr_pin(dev, arg, 2 * MIB, 0);
	must(region >= 0);
	must(fixture_status("VmPin:") == 2048);
}

/*
 * A pin that fails over the limit is not counted, not even for a moment: it must not
 * make others fail.  One beyond the address space is not even asked about.
 */
static atomic_bool absurd_stop;

static void *absurd_main(void *arg)
{
	unsigned int nr = 0;

	while (!absurd_stop) {
		must(phyr_pin(dev, arg, 1ull << 46, 0) == -ENOMEM);
		must(phyr_pin(dev, arg, 1ull << 50, 0) == -EFAULT);
		nr++;
	}
	must(nr);
	return NULL;
}

static void memlock_absurd_child(void *arg)
{
	pthread_t thread;
	int region;

	set_memlock(MIB);
	become_nobody();
	must(!pthread_create(&thread, NULL, absurd_main, arg));
	for (unsigned int i = 0; i < 5000; i++) {
		region = phyr_pin(dev, arg, PAGE, 0);
		must(region >= 0);
		close(region);
	}
	absurd_stop = true;
	must(!pthread_join(thread, NULL));
	must(fixture_status("VmPin:") == 0);
}

static void test_memlock(void **state)
{
	char *addr = anon(2 * MIB, RW);

	(void)state;
	child_run(memlock_child, addr);
	child_run(memlock_none_child, addr);
	child_run(memlock_shared_child, addr);
	child_run(memlock_user_child, addr);
	child_run(memlock_root_child, addr);
	child_run(memlock_absurd_child, addr);
	release(addr, 2 * MIB);
}

/* Privileges */

static void unprivileged_ranges_child(void *arg)
{
	struct phyr_query query = { .size = sizeof(query) };
	struct phyr_range range;
	int region;

	become_nobody();
	must(phyr_open() >= 0);
	region = phyr_pin(dev, arg, PAGE, PHYR_PIN_WRITE);
	must(region >= 0);
	must(phyr_ranges(dev, region, 0, &range, 1) == -EPERM);
	must(phyr_ranges(dev, -1, 0, &range, 1) == -EPERM);
	must(phyr_query(dev, region, &query) == 0 && query.bytes == PAGE);
}

static void test_unprivileged_ranges(void **state)
{
	char *addr = anon(PAGE, RW);

	(void)state;
	child_run(unprivileged_ranges_child, addr);
	release(addr, PAGE);
}

/* Which pages are adjacent in physical memory, and what is pinned in the whole system */

static bool histogram_is_empty(const struct phyr_query *query)
{
	for (size_t i = 0; i < ARRAY_SIZE(query->histogram); i++)
		if (query->histogram[i])
			return false;
	return true;
}

static void pin_and_ask(char *addr, struct phyr_query *query, struct phyr_info *info,
			uint64_t *pin_ns)
{
	int region;

	*query = (struct phyr_query) { .size = sizeof(*query) };
	*info = (struct phyr_info) { .size = sizeof(*info) };
	region = phyr_pin_timed(dev, addr, 16 * PAGE, PHYR_PIN_WRITE, pin_ns);
	must(region >= 0);
	must(!phyr_query(dev, region, query));
	must(!phyr_info(dev, info));
	close(region);
	must(query->bytes == 16 * PAGE && query->pages == 16);
	must(query->kinds == 1u << PHYR_KIND_RAM && query->kind_bytes[0] == 16 * PAGE);
	must(query->flags & PHYR_QUERY_WRITE);
	must(info->page_size == PAGE && info->version);
}

static void layout_shown(char *addr)
{
	struct phyr_query query;
	struct phyr_info info;
	uint64_t pin_ns = 0;

	pin_and_ask(addr, &query, &info, &pin_ns);
	must(pin_ns && query.phyrs && query.largest && query.metadata_bytes);
	must(!histogram_is_empty(&query) && !(query.flags & PHYR_QUERY_RESTRICTED));
	must(info.regions >= 1 && info.pinned_pages >= 16 && !info.flags);
}

static void layout_hidden(char *addr)
{
	struct phyr_query query;
	struct phyr_info info;
	uint64_t pin_ns = 1;

	pin_and_ask(addr, &query, &info, &pin_ns);
	must(!pin_ns && !query.phyrs && !query.largest && !query.metadata_bytes);
	must(histogram_is_empty(&query) && query.flags & PHYR_QUERY_RESTRICTED);
	must(!info.regions && !info.pinned_pages && info.flags == PHYR_INFO_RESTRICTED);
}

/* The descriptor of /dev/phyr is root's: it grants nothing. */
static void layout_hidden_child(void *arg)
{
	become_nobody();
	layout_hidden(arg);
	dev = phyr_open();
	must(dev >= 0);
	layout_hidden(arg);
}

static void layout_shown_child(void *arg)
{
	become_nobody();
	layout_shown(arg);
}

/* Root of a user namespace has CAP_SYS_ADMIN there, and nowhere else. */
static void layout_namespace_child(void *arg)
{
	must(!unshare(CLONE_NEWUSER));
	layout_hidden(arg);
}

/* A program that was built with the first version sees zeros, and no flag. */
static void layout_old_child(void *arg)
{
	struct phyr_info info = { .size = offsetof(struct phyr_info, flags), .flags = ~0u };

	(void)arg;
	become_nobody();
	must(!phyr_info(dev, &info));
	must(!info.regions && !info.pinned_pages && info.flags == ~0u);
}

static void test_unprivileged_layout(void **state)
{
	char *addr = anon(16 * PAGE, RW);
	int region = pin(addr, 16 * PAGE, 0);

	(void)state;
	layout_shown(addr);
	child_run(layout_hidden_child, addr);
	child_run(layout_namespace_child, addr);
	child_run(layout_old_child, addr);
	assert_int_equal(write_file(LAYOUT, "1"), 0);
	child_run(layout_shown_child, addr);
	assert_int_equal(write_file(LAYOUT, "0"), 0);
	child_run(layout_hidden_child, addr);
	close(region);
	release(addr, 16 * PAGE);
}

/* What tells as much in files is root's. */
static void layout_files_child(void *arg)
{
	(void)arg;
	become_nobody();
	must(open("/sys/kernel/debug/phyr/regions", O_RDONLY) < 0 && errno == EACCES);
	must(open("/sys/kernel/tracing/events/phyr/enable", O_RDONLY) < 0 && errno == EACCES);
	must(open("/sys/kernel/tracing/trace", O_RDONLY) < 0 && errno == EACCES);
	must(open(LAYOUT, O_RDONLY) < 0 && errno == EACCES);
}

static void test_unprivileged_files(void **state)
{
	(void)state;
	assert_int_equal(access("/sys/kernel/debug/phyr/regions", R_OK), 0);
	assert_int_equal(access("/sys/kernel/tracing/events/phyr/enable", R_OK), 0);
	child_run(layout_files_child, NULL);
}

static void bar_refused_child(void *arg)
{
	struct mem *mem = arg;

	become_nobody();
	must(phyr_pin(dev, mem->addr, PAGE, PHYR_PIN_WRITE) == -EPERM);
	must(phyr_pin(dev, mem->addr, mem->len, 0) == -EPERM);
	must(phyr_pin(dev, mem->addr - PAGE, 2 * PAGE, 0) < 0);
}

static void bar_allowed_child(void *arg)
{
	struct mem *mem = arg;
	int region;

	become_nobody();
	region = phyr_pin(dev, mem->addr, mem->len, PHYR_PIN_WRITE);
	must(region >= 0);
	must(!mprotect(mem->addr, mem->len, PROT_READ));
	must(phyr_pin(dev, mem->addr, PAGE, PHYR_PIN_WRITE) == -EFAULT);
}

static void test_unprivileged_bar(void **state)
{
	struct mem mem;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("PCI BAR"), 16 * PAGE), 0);
	child_run(bar_refused_child, &mem);
	assert_int_equal(write_file(ALLOW, "1"), 0);
	child_run(bar_allowed_child, &mem);
	assert_int_equal(write_file(ALLOW, "0"), 0);
	child_run(bar_refused_child, &mem);
	mem_unmap(&mem);
}

/* The ends of processes */

/* Faults in memory while pinning it, which takes a while. */
static void long_pin_child(void *arg)
{
	const size_t len = 256 * MIB;
	int fd = arg ? open("/dev/phyr_test", O_RDWR) : -1;

	for (;;) {
		char *addr = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct pt_pin short_pin = {
			.addr = (uintptr_t)addr, .len = len, .flags = PT_WRITE,
		};
		int region = -1;

		must(addr != MAP_FAILED);
		must(!madvise(addr, len, MADV_NOHUGEPAGE));
		if (fd < 0)
			region = phyr_pin(dev, addr, len, PHYR_PIN_WRITE);
		must(fd < 0 ? region >= 0 : !driver_append(fd, &short_pin));
		if (fd < 0)
			close(region);
		else
			driver_unpin(fd, PT_DIRTY);
		must(!munmap(addr, len));
	}
}

static void kill_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_killed_while_pinning(void **state)
{
	static int with_driver;

	(void)state;
	srand(1);
	for (int i = 0; i < 10; i++) {
		pid_t pid = child_start(long_pin_child, i % 2 ? &with_driver : NULL);

		usleep((useconds_t)(20000 + rand() % 500000));
		kill_child(pid);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
}

static void many_regions_child(void *arg)
{
	static const char *const kinds[] = {
		"4 KiB pages", "4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "memfd",
		"devdax pmem", "PCI BAR",
	};
	int *ready = arg;
	struct mem mem;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		must(!mem_map(&mem, mem_find(kinds[i]), 4 * MIB));
		for (int j = 0; j < 10; j++)
			must(phyr_pin(dev, mem.addr + j * 5000, MIB, PHYR_PIN_WRITE) >= 0);
	}
	must(write(ready[1], "x", 1) == 1);
	pause();
}

static void test_killed_with_regions(void **state)
{
	int ready[2];
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = child_start(many_regions_child, ready);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(regions(), 70);
	kill_child(pid);
	close(ready[0]);
	close(ready[1]);
}

static void sender_child(void *arg)
{
	int *sockets = arg, region;
	char *addr = mmap(NULL, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(addr != MAP_FAILED);
	memset(addr, 0x77, MIB);
	region = phyr_pin(dev, addr, MIB, PHYR_PIN_WRITE);
	must(region >= 0);
	send_fd(sockets[1], region);
}

/* A region goes through a socket and outlives whom it was pinned by. */
static void test_outlives_process(void **state)
{
	struct phyr_query query = { .size = sizeof(query) };
	int sockets[2], region;
	char *addr;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	child_run(sender_child, sockets);
	region = receive_fd(sockets[0]);
	assert_int_equal(phyr_query(dev, region, &query), 0);
	assert_int_equal(query.bytes, MIB);
	assert_int_equal(regions(), 1);
	assert_int_equal(fixture_status("VmPin:"), 0);
	addr = map_shared(region, MIB, RW, 0);
	assert_int_equal(addr[0], 0x77);
	assert_int_equal(addr[MIB - 1], 0x77);
	release(addr, MIB);
	close(region);
	close(sockets[0]);
	close(sockets[1]);
}

/* A region that nobody has taken out of the socket goes with the socket. */
static void test_lost_in_socket(void **state)
{
	int sockets[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	child_run(sender_child, sockets);
	assert_int_equal(regions(), 1);
	close(sockets[0]);
	close(sockets[1]);
}

static void exec_child(void *arg)
{
	int region = phyr_pin(dev, arg, MIB, 0);

	must(region >= 0);
	must(fcntl(region, F_GETFD) & FD_CLOEXEC);
	execl("/bin/sleep", "sleep", "60", (char *)NULL);
	must(false);
}

static void test_exec_closes(void **state)
{
	char *addr = anon(MIB, RW);
	pid_t pid = child_start(exec_child, addr);

	(void)state;
	for (int i = 0; i < 100; i++) {
		char exe[64], name[64] = "";

		snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
		if (readlink(exe, name, sizeof(name) - 1) > 0 && strstr(name, "sleep"))
			break;
		usleep(100000);
	}
	/* The child has another program now, and lives. */
	assert_int_equal(fixture_nothing_left(NULL), 0);
	kill_child(pid);
	release(addr, MIB);
}

static void fork_child(void *arg)
{
	struct phyr_query query = { .size = sizeof(query) };

	must(!phyr_query(dev, *(int *)arg, &query) && query.bytes == MIB);
	usleep(300000);
	must(!phyr_query(dev, *(int *)arg, &query) && query.bytes == MIB);
}

static void test_fork_inherits(void **state)
{
	char *addr = anon(MIB, RW);
	int region = pin(addr, MIB, 0);
	pid_t pid = child_start(fork_child, &region);

	(void)state;
	close(region);
	child_wait(pid);
	release(addr, MIB);
}

/* One page, again and again */

static void test_gigantic_page_until_refused(void **state)
{
	const struct rlimit many = { .rlim_cur = 10000, .rlim_max = 10000 };
	struct rlimit old;
	struct mem mem;
	int *fds = calloc(10000, sizeof(*fds)), nr = 0, error = 0;

	(void)state;
	assert_non_null(fds);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &many), 0);
	assert_int_equal(mem_map(&mem, mem_find("hugetlb 1 GiB"), GIB), 0);
	while (nr < 9000) {
		fds[nr] = phyr_pin(dev, mem.addr, mem.len, PHYR_PIN_WRITE);
		if (fds[nr] < 0) {
			error = fds[nr];
			break;
		}
		nr++;
	}
	assert_int_equal(error, -ENOMEM);
	assert_true(nr > 1000);
	assert_int_equal(regions(), nr);
	/* the last pages that fit, and then none, in one go or page by page */
	assert_int_equal(phyr_pin(dev, mem.addr + 5, mem.len - 10, 0), -ENOMEM);
	memset(mem.addr, 0x33, 10 * PAGE);		/* it is a page like any other */
	while (nr--)
		close(fds[nr]);
	assert_int_equal(fixture_nothing_left(NULL), 0);
	close(pin(mem.addr, mem.len, PHYR_PIN_WRITE));
	mem_unmap(&mem);
	setrlimit(RLIMIT_NOFILE, &old);
	free(fds);
}

int main(void)
{
	const struct CMUnitTest limits[] = {
		fixture_test(test_memlock),
		fixture_test(test_unprivileged_ranges),
		fixture_test(test_unprivileged_layout),
		fixture_test(test_unprivileged_files),
		fixture_test(test_unprivileged_bar),
		fixture_test(test_killed_while_pinning),
		fixture_test(test_killed_with_regions),
		fixture_test(test_outlives_process),
		fixture_test(test_lost_in_socket),
		fixture_test(test_exec_closes),
		fixture_test(test_fork_inherits),
		fixture_test(test_gigantic_page_until_refused),
	};

	return fixture_run(limits);
}
