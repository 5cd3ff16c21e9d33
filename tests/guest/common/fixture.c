// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define NOBODY	65534

int dev = -1;
static struct oracle before;

static int open_dev(void **state)
{
	(void)state;
	oracle_begin(&before);
	dev = phyr_open();
	if (dev < 0)
		print_error("/dev/phyr: %s\n", strerror(-dev));
	return dev < 0 ? -1 : 0;
}

/* The last test of every program. */
static void test_nothing_left(void **state)
{
	char words[ORACLE_WORDS];

	(void)state;
	if (!oracle_end(&before, words, sizeof(words)))
		fail_msg("left: %s", words);
}

int fixture_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	struct CMUnitTest *all = calloc(nr + 1, sizeof(*all));
	int failed;

	if (!all)
		abort();
	memcpy(all, tests, nr * sizeof(*all));
	all[nr] = (struct CMUnitTest)cmocka_unit_test(test_nothing_left);
	setvbuf(stdout, NULL, _IONBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(name, all, nr + 1, open_dev, NULL);
	free(all);
	return failed ? 1 : 0;
}

struct mem kind_mem;

int fixture_map_kind(const struct mem_kind *kind, size_t len)
{
	if (!mem_map(&kind_mem, kind, len))
		return 0;
	print_error("%s: %s\n", kind->name, strerror(errno));
	return -1;
}

static int unmap_kind(void **state)
{
	mem_unmap(&kind_mem);
	return fixture_nothing_left(state);
}

struct CMUnitTest fixture_kind_test(const char *what, const struct mem_kind *kind,
				    CMFixtureFunction setup, CMUnitTestFunction f)
{
	struct CMUnitTest test = {
		.test_func = f,
		.setup_func = setup,
		.teardown_func = unmap_kind,
		.initial_state = (void *)kind,
	};
	char *name;

	if (asprintf(&name, "%s: %s", what, kind->name) < 0)
		abort();
	test.name = name;
	return test;
}

long fixture_status(const char *key)
{
	char line[128];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return value;
}

int fixture_nothing_left(void **state)
{
	char words[ORACLE_WORDS];

	(void)state;
	if (oracle_nothing_held(words, sizeof(words)))
		return 0;
	print_error("left: %s\n", words);
	return -1;
}

void need_kind(const struct mem_kind *kind)
{
	if (mem_missing(kind) && strcmp(kind->name, "mixed"))
		skip();
}

int pin(const void *addr, size_t len, unsigned int flags)
{
	int region = phyr_pin(dev, addr, len, flags);

	if (region < 0)
		fail_msg("phyr_pin of %zu bytes: %s", len, strerror(-region));
	return region;
}

char *anon(size_t len, int prot)
{
	char *addr = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(addr, MAP_FAILED);
	if (prot & PROT_WRITE)
		memset(addr, 0x5a, len);
	return addr;
}

void *map_shared(int fd, size_t len, int prot, off_t offset)
{
	void *addr = mmap(NULL, len, prot, MAP_SHARED, fd, offset);

	if (addr == MAP_FAILED)
		fail_msg("mmap of %zu bytes: %s", len, strerror(errno));
	return addr;
}

void release(void *addr, size_t len)
{
	assert_return_code(munmap(addr, len), errno);
}

unsigned char pattern(uint64_t pos, unsigned int seed)
{
	return (unsigned char)(pos * 31 + pos / PAGE * 7 + seed);
}

void pattern_fill(void *addr, size_t len, unsigned int seed)
{
	unsigned char *at = addr;

	for (size_t i = 0; i < len; i++)
		at[i] = pattern(i, seed);
}

bool pattern_is(const void *addr, size_t len, unsigned int seed)
{
	const unsigned char *at = addr;

	for (size_t i = 0; i < len; i++)
		if (at[i] != pattern(i, seed))
			return false;
	return true;
}

pid_t child_start(void (*f)(void *arg), void *arg)
{
	pid_t pid = fork();

	assert_return_code(pid, errno);
	if (pid)
		return pid;
	f(arg);
	_exit(0);
}

void child_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void child_run(void (*f)(void *arg), void *arg)
{
	child_wait(child_start(f, arg));
}

/* Without a capability and without a supplementary group. */
void become_nobody(void)
{
	must(!setresgid(NOBODY, NOBODY, NOBODY));
	must(!setresuid(NOBODY, NOBODY, NOBODY));
}

void send_fd(int sock, int fd)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	must(sendmsg(sock, &msg, 0) == 1);
}

int receive_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	assert_int_equal(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC), 1);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

void must_fail(const char *file, int line, const char *condition)
{
	int error = errno;

	dprintf(2, "# child: %s:%d: %s (errno: %s)\n", file, line, condition, strerror(error));
	_exit(1);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}
