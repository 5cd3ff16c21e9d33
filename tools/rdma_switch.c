// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switches the functions of RDMA to phyr's and back, by loading and unloading.
 *
 * modprobe loads, as it knows where a module is and what it needs; unloading goes to the
 * kernel, as modprobe would unload phyr too.  What was loaded before is loaded again with
 * the parameter that it had, and has to be the file that modprobe would load.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include "module.h"
#include "rdma_switch.h"
#include "run.h"
#include "system.h"
#include "tool.h"

/* phyr_rxe can be loaded first, and modprobe loads it along with phyr_rdma. */
static const char *const names[NR_SWITCHED] = { "phyr_rxe", "phyr_rdma" };

/* As a module's file says, or one that is loaded: a number for its source. */
static bool read_srcversion(const char *path, char *version, size_t size)
{
	char modinfo[PATH_MAX];
	const char *argv[] = { modinfo, "-F", "srcversion", path, NULL };
	struct program program;
	bool got;

	module_tool("modinfo", modinfo, sizeof(modinfo));
	if (run_start(&program, argv))
		return false;
	got = fgets(version, (int)size, program.out);
	if (got)
		version[strcspn(version, "\n")] = '\0';
	return !run_finish(&program) && got;
}

/* Of what a rule of modprobe's configuration loads, that rule knows. */
static bool same_as_installed(const char *name)
{
	char path[PATH_MAX], loaded[64], installed[64];
	struct utsname uts;

	uname(&uts);
	if (!module_find("", uts.release, name, path, sizeof(path)))
		return false;
	if (!*path)
		return true;
	return module_attribute("", name, "srcversion", loaded, sizeof(loaded)) &&
	       read_srcversion(path, installed, sizeof(installed)) && !strcmp(loaded, installed);
}

static int fail_in_use(const char *name)
{
	return tool_fail("%s is in use, so that it cannot be unloaded: memory is registered that "
			 "needs it\n  end the programs that have it registered, or give --pin-only",
			 name);
}

/* Whether it could be unloaded, and loaded again. */
static int check_loaded(const char *name)
{
	char users[16] = "";

	if (!module_attribute("", name, "refcnt", users, sizeof(users)))
		return tool_fail("%s is built in, and cannot be unloaded", name);
	if (strcmp(users, "0"))
		return fail_in_use(name);
	if (same_as_installed(name))
		return 0;
	return tool_fail("%s is not the file that modprobe would load\n"
			 "  it could not be loaded again as it is now: unload it first", name);
}

static int check_installed(void)
{
	char path[PATH_MAX];
	struct utsname uts;

	uname(&uts);
	if (module_find("", uts.release, names[SWITCH_RDMA], path, sizeof(path)))
		return 0;
	return tool_fail("modprobe does not find phyr_rdma for Linux %s\n"
			 "  see \"phyr check\"; --pin-only does without it", uts.release);
}

/**
 * rdma_switch_init - find out how the modules are, and whether they can be switched
 * @s: set to it
 */
int rdma_switch_init(struct rdma_switch *s)
{
	unsigned int i;
	int ret;

	*s = (struct rdma_switch){ 0 };
	if (!has_capability(CAP_SYS_MODULE))
		return tool_fail("only root may load phyr_rdma to measure ibv_reg_mr(): run it as "
				 "root, or give --pin-only");
	ret = check_installed();
	for (i = 0; i < NR_SWITCHED && !ret; i++) {
		s->loaded[i] = module_is_loaded("", names[i]);
		if (!s->loaded[i])
			continue;
		ret = check_loaded(names[i]);
		module_attribute("", names[i], "parameters/share", s->share[i],
				 sizeof(s->share[i]));
	}
	return ret;
}

/* With the parameter that it had, if it was loaded. */
static int load(const struct rdma_switch *s, unsigned int i)
{
	char modprobe[PATH_MAX], share[16];
	const char *argv[] = { modprobe, names[i], *s->share[i] ? share : NULL, NULL };
	int ret;

	if (module_is_loaded("", names[i]))
		return 0;
	module_tool("modprobe", modprobe, sizeof(modprobe));
	snprintf(share, sizeof(share), "share=%s", s->share[i]);
	ret = run_program(argv);
	if (ret < 0)
		return tool_fail("cannot run %s: %s", modprobe, strerror(-ret));
	if (ret)
		return tool_fail("%s cannot be loaded: the kernel log says why (dmesg)", names[i]);
	return 0;
}

static int unload(const char *name)
{
	if (!syscall(SYS_delete_module, name, O_NONBLOCK) || errno == ENOENT)
		return 0;
	if (errno == EWOULDBLOCK || errno == EBUSY)
		return fail_in_use(name);
	return tool_fail("cannot unload %s: %m", name);
}

/**
 * rdma_switch_on - have phyr's functions called
 * @s: from rdma_switch_init()
 */
int rdma_switch_on(const struct rdma_switch *s)
{
	int ret = s->loaded[SWITCH_RXE] ? load(s, SWITCH_RXE) : 0;

	return ret ? ret : load(s, SWITCH_RDMA);
}

/**
 * rdma_switch_off - have the stock functions called
 */
int rdma_switch_off(void)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_SWITCHED && !ret; i++)
		ret = unload(names[i]);
	return ret;
}

static int restore(const struct rdma_switch *s, unsigned int i)
{
	int ret = s->loaded[i] ? load(s, i) : unload(names[i]);

	if (ret)
		fprintf(stderr, s->loaded[i] ? "  it was loaded before: modprobe %s\n" :
				"  it was not loaded before: modprobe -r %s\n", names[i]);
	return ret;
}

/**
 * rdma_switch_restore - load what was loaded, and then unload what was not
 * @s: from rdma_switch_init()
 */
int rdma_switch_restore(const struct rdma_switch *s)
{
	unsigned int i;
	int failed = 0;

	for (i = 0; i < NR_SWITCHED; i++)
		if (s->loaded[i])
			failed |= restore(s, i);
	for (i = 0; i < NR_SWITCHED; i++)
		if (!s->loaded[i])
			failed |= restore(s, i);
	return failed;
}
