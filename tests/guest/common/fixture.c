// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define NOBODY	65534

int dev = -1;

static int open_dev(void **state)
{
	(void)state;
	dev = phyr_open();
	if (dev < 0)
		print_error("/dev/phyr: %s\n", strerror(-dev));
	return dev < 0 ? -1 : 0;
}

int fixture_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(name, tests, nr, open_dev, fixture_nothing_left) ? 1 : 0;
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

/* The counters are kept per processor, and folded when this is written to. */
static bool pins_even(void)
{
	write_file("/proc/sys/vm/stat_refresh", "1");
	return mem_vmstat("nr_foll_pin_acquired") == mem_vmstat("nr_foll_pin_released");
}

static bool all_gone(const struct phyr_info *info)
{
	return !info->regions && !info->pinned_pages && !fixture_status("VmPin:") && pins_even();
}

int fixture_nothing_left(void **state)
{
	struct phyr_info info = { .size = sizeof(info) };

	(void)state;
	/* A file that another process had open goes a moment after it. */
	for (int i = 0; i < 50; i++) {
		if (!phyr_info(dev, &info) && all_gone(&info))
			return 0;
		usleep(100000);
	}
	print_error("left: %llu regions, %llu pages, VmPin %ld kB, pins %lld - %lld\n",
		    (unsigned long long)info.regions, (unsigned long long)info.pinned_pages,
		    fixture_status("VmPin:"), mem_vmstat("nr_foll_pin_acquired"),
		    mem_vmstat("nr_foll_pin_released"));
	return -1;
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

void release(void *addr, size_t len)
{
	assert_return_code(munmap(addr, len), errno);
}

bool kernel_from(int major, int minor)
{
	struct utsname name;
	int is_major = 0, is_minor = 0;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
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
