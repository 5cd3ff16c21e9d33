// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "fault.h"

#include <fcntl.h>
#include <sys/syscall.h>

#define POINTS_MAX	4000
#define LOAD_POINTS	100000u

static int fail_fd = -1;

void fault_set_up(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[100];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", kinds[i]);
		assert_int_equal(write_file(path, "0"), 0);
	}
	assert_int_equal(write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"), 0);
	assert_int_equal(write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N"), 0);
	assert_int_equal(write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N"),
			 0);
	assert_int_equal(write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0"), 0);
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	assert_return_code(fail_fd, errno);
}

void fault_at(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	assert_int_equal(pwrite(fail_fd, text, (size_t)len, 0), len);
}

/* Asking has a point, too: if that was it, the call did without. */
unsigned int fault_end(void)
{
	char text[16] = "";
	unsigned int left;
	ssize_t got = pread(fail_fd, text, sizeof(text) - 1, 0);

	left = got < 0 ? 1 : (unsigned int)strtoul(text, NULL, 10);
	/* EFAULT: the last point was the writing of this, and now it is over, too */
	while (pwrite(fail_fd, "0", 1, 0) != 1)
		;
	return left;
}

void fault_sweep(const char *name, bool (*round)(void *arg, unsigned int n, int *error),
		 void *arg)
{
	unsigned int n, refused = 0;
	int error;

	for (n = 1; n < POINTS_MAX; n++) {
		if (round(arg, n, &error))
			break;
		refused += !!error;
	}
	assert_true(n < POINTS_MAX);
	if (error)
		fail_msg("undisturbed: %s", strerror(error));
	print_message("# %s: %u points, %u refused, %u went on\n", name, n - 1, refused,
		      n - 1 - refused);
}

/* Modules */

static int open_module(const char *module)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ko", getenv("PHYR_MODULES"), module);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_return_code(fd, errno);
	return fd;
}

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? errno : 0;
}

int fault_load(const char *module)
{
	int fd = open_module(module), error;

	error = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	close(fd);
	return error;
}

/* Loads with the @n-th point failing; how many points of @n there were is left. */
static unsigned int load_disturbed(const char *module, unsigned int n, int *error)
{
	unsigned int left;
	int fd = open_module(module);

	fault_at(n);
	*error = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	left = fault_end();
	close(fd);
	if (!*error)
		assert_int_equal(unload(module), 0);
	return left;
}

void fault_sweep_load(const char *module, unsigned int last,
		      void (*check)(unsigned int n, int error))
{
	unsigned int all, n, tried = 0, refused = 0;
	int error;

	all = LOAD_POINTS - load_disturbed(module, LOAD_POINTS, &error);
	assert_int_equal(error, 0);
	for (n = 1; n <= all; n += n + last < all ? 1 + all / last : 1) {
		load_disturbed(module, n, &error);
		tried++;
		refused += !!error;
		check(n, error);
	}
	print_message("# loading %s: %u of %u points, %u refused, %u went on\n", module, tried,
		      all, refused, tried - refused);
}

/*
 * The name is copied from user memory, so the first point may be an EFAULT, and
 * the kernel may lack memory to begin with; then the module is as it was.
 */
static bool unload_disturbed(void *arg, unsigned int n, int *error)
{
	const char *module = arg;
	unsigned int left;

	assert_int_equal(fault_load(module), 0);
	fault_at(n);
	*error = unload(module);
	left = fault_end();
	if (*error && *error != EFAULT && *error != ENOMEM)
		fail_msg("point %u: %s", n, strerror(*error));
	if (*error)
		assert_int_equal(unload(module), 0);
	return left;
}

void fault_sweep_unload(const char *module)
{
	char name[100];

	snprintf(name, sizeof(name), "unloading %s", module);
	fault_sweep(name, unload_disturbed, (void *)module);
}
