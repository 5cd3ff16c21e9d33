// SPDX-License-Identifier: GPL-2.0-only
/* Whether the kernel has what the modules need, and whether it would load them. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "module.h"
#include "run.h"
#include "system.h"
#include "tool.h"

#define OLDEST_MAJOR	6u
#define OLDEST_MINOR	12u

static void check_release(struct check *check)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(check->release, "%u.%u", &major, &minor) != 2)
		check_say(check, CHECK_NOTE, "kernel", NULL, "phyr needs Linux 6.12 or newer.",
			  "Linux %s, of no known version", check->release);
	else if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
		check_say(check, CHECK_PROBLEM, "kernel", NULL,
			  "phyr needs 6.12 or newer: boot a newer kernel.", "Linux %s",
			  check->release);
	else if (strcmp(check->machine, "x86_64"))
		check_say(check, CHECK_NOTE, "kernel", NULL,
			  "phyr is tested on x86-64 only.", "Linux %s on %s", check->release,
			  check->machine);
	else
		check_say(check, CHECK_OK, "kernel", NULL, NULL, "Linux %s", check->release);
}

/* The kernel's configuration */

/**
 * struct need - an option that a module cannot do without
 * @option: its name
 * @set: whether this kernel has it, built in or as a module
 */
struct need {
	const char *option;
	bool set;
};

/**
 * struct needs - what one module needs
 * @name: of the result
 * @meaning: what it means if something is missing
 * @state: how bad that is
 * @needs: the options, as many as have a name
 */
struct needs {
	const char *name;
	const char *meaning;
	enum check_state state;
	struct need needs[5];
};

/* CONFIG_NAME=y or =m */
static void take_option(struct needs *all, size_t nr, const char *line)
{
	struct need *need;
	size_t i, len;

	if (strncmp(line, "CONFIG_", 7))
		return;
	line += 7;
	len = strcspn(line, "=");
	if (line[len] != '=' || (line[len + 1] != 'y' && line[len + 1] != 'm'))
		return;
	for (i = 0; i < nr; i++)
		for (need = all[i].needs; need->option; need++)
			if (strlen(need->option) == len && !memcmp(need->option, line, len))
				need->set = true;
}

/* Whether that was a kernel's configuration. */
static bool take_config(struct needs *all, size_t nr, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	bool any = false;

	while (getline(&line, &room, f) > 0) {
		any |= !strncmp(line, "CONFIG_", 7);
		take_option(all, nr, line);
	}
	free(line);
	return any;
}

static bool take_plain(struct needs *all, size_t nr, const char *path)
{
	FILE *f = fopen(path, "re");
	bool got;

	if (!f)
		return false;
	got = take_config(all, nr, f);
	fclose(f);
	return got;
}

static bool take_compressed(struct needs *all, size_t nr, const char *path)
{
	const char *argv[] = { "gzip", "-dc", path, NULL };
	struct program gzip;
	bool got;

	if (!file_exists("%s", path) || run_start(&gzip, argv))
		return false;
	got = take_config(all, nr, gzip.out);
	return !run_finish(&gzip) && got;
}

/* What the kernel itself says comes first; @path is where it was found, without the root. */
static bool find_config(const struct check *check, struct needs *all, size_t nr, char *path,
			size_t size)
{
	static const char *const places[] = {
		"/boot/config-%s", "/lib/modules/%s/config", "/lib/modules/%s/build/.config",
	};
	char full[PATH_MAX];
	size_t i;

	snprintf(path, size, "/proc/config.gz");
	snprintf(full, sizeof(full), "%s%s", check->root, path);
	if (take_compressed(all, nr, full))
		return true;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, size, places[i], check->release);
		snprintf(full, sizeof(full), "%s%s", check->root, path);
		if (take_plain(all, nr, full))
			return true;
	}
	return false;
}

static void say_needs(struct check *check, const struct needs *needs, const char *path)
{
	char there[128] = "", missing[128] = "", *list;
	const struct need *need;

	for (need = needs->needs; need->option; need++) {
		list = need->set ? there : missing;
		snprintf(list + strlen(list), sizeof(there) - strlen(list), "%s%s",
			 *list ? ", " : "", need->option);
	}
	if (*missing)
		check_say(check, needs->state, needs->name, NULL, needs->meaning,
			  "not set in %s: %s", path, missing);
	else
		check_say(check, CHECK_OK, needs->name, NULL, NULL, "%s has %s", path, there);
}

static void check_config(struct check *check)
{
	struct needs all[] = {
		{ .name = "config", .state = CHECK_PROBLEM,
		  .meaning = "phyr cannot be built for this kernel: take one that has them.",
		  .needs = { { .option = "PCI" }, { .option = "MMU_NOTIFIER" },
			     { .option = "DMA_SHARED_BUFFER" } } },
		{ .name = "config phyr_rdma", .state = CHECK_NOTE,
		  .meaning = "phyr_rdma cannot be built for this kernel: ibv_reg_mr() stays as "
			     "it is.",
		  .needs = { { .option = "INFINIBAND_USER_MEM" }, { .option = "DYNAMIC_FTRACE" },
			     { .option = "KPROBES" } } },
		{ .name = "config phyr_rxe", .state = CHECK_NOTE,
		  .meaning = "phyr_rxe does not work with this kernel: soft RoCE stays as it is.",
		  .needs = { { .option = "RDMA_RXE" }, { .option = "DEBUG_INFO_BTF_MODULES" } } },
		{ .name = "config phyr_block", .state = CHECK_NOTE,
		  .meaning = "phyr_block does not work with this kernel: I/O of memory without "
			     "pages is copied.",
		  .needs = { { .option = "BLK_DEV_NVME" }, { .option = "DEBUG_INFO_BTF_MODULES" },
			     { .option = "DYNAMIC_FTRACE" }, { .option = "KPROBES" } } },
	};
	char path[PATH_MAX];
	size_t i;

	if (!find_config(check, all, ARRAY_SIZE(all), path, sizeof(path))) {
		check_say(check, CHECK_NOTE, "config", NULL,
			  "Whether the kernel has what the modules need is not known. Its headers' "
			  "package has the file.",
			  "no /proc/config.gz, /boot/config-%s or build tree", check->release);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(all); i++)
		say_needs(check, &all[i], path);
}

/* What may be loaded */

/* In the words of its file: none, integrity, confidentiality; "" if there is no file. */
static void get_lockdown(const struct check *check, char *word, size_t size)
{
	if (!read_choice(word, size, "%s/sys/kernel/security/lockdown", check->root))
		word[0] = '\0';
}

static bool is_locked_down(const struct check *check)
{
	char level[32];

	get_lockdown(check, level, sizeof(level));
	return *level && strcmp(level, "none");
}

static void say_no_lockdown(struct check *check)
{
	bool mounted = file_exists("%s/sys/kernel/security/lsm", check->root);

	if (mounted || !file_exists("%s/sys/kernel/security", check->root))
		check_say(check, CHECK_OK, "lockdown", NULL, NULL, "this kernel has none");
	else
		check_say(check, CHECK_NOTE, "lockdown", NULL,
			  "mount -t securityfs none /sys/kernel/security",
			  "not known, as securityfs is not mounted");
}

static void check_lockdown(struct check *check)
{
	char level[32];

	get_lockdown(check, level, sizeof(level));
	if (!*level)
		say_no_lockdown(check);
	else if (!is_locked_down(check))
		check_say(check, CHECK_OK, "lockdown", NULL, NULL, "the kernel is not locked down");
	else
		check_say(check, CHECK_NOTE, "lockdown", NULL,
			  "Programs cannot map BARs and /dev/mem, and the kernel loads signed "
			  "modules only; all else works. Boot without Secure Boot and lockdown= if "
			  "that is not wanted.", "the kernel is locked down: %s", level);
}

/* Four bytes of attributes and one of contents; -1: not a machine with EFI. */
static int secure_boot(const struct check *check)
{
	char path[PATH_MAX];
	unsigned char bytes[5];
	int on = -1;
	FILE *f;

	snprintf(path, sizeof(path),
		 "%s/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		 check->root);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fread(bytes, 1, sizeof(bytes), f) == sizeof(bytes))
		on = bytes[4] == 1;
	fclose(f);
	return on;
}

static bool only_signed(const struct check *check)
{
	char enforced[8] = "";

	module_attribute(check->root, "module", "parameters/sig_enforce", enforced,
			 sizeof(enforced));
	return enforced[0] == 'Y' || is_locked_down(check);
}

/* Of the module that modprobe would load, if it is not loaded already. */
static enum module_signature phyr_signature(const struct check *check)
{
	char path[PATH_MAX], full[PATH_MAX + 64];

	if (module_is_loaded(check->root, "phyr"))
		return SIGNATURE_THERE;
	if (!module_find(check->root, check->release, "phyr", path, sizeof(path)) || !*path)
		return SIGNATURE_UNKNOWN;
	snprintf(full, sizeof(full), "%s%s", check->root, path);
	return module_signature(full);
}

static void check_signatures(struct check *check)
{
	static const char *const boots[] = { "no Secure Boot", "Secure Boot is off",
					     "Secure Boot is on" };
	const char *boot = boots[secure_boot(check) + 1];

	if (!only_signed(check))
		check_say(check, CHECK_OK, "signatures", NULL, NULL,
			  "the kernel loads modules without a signature (%s)", boot);
	else if (phyr_signature(check) == SIGNATURE_NONE)
		check_say(check, CHECK_PROBLEM, "signatures", NULL,
			  "Sign it with a key that is enrolled (mokutil --import): DKMS does so "
			  "with its own key.",
			  "the kernel loads signed modules only (%s), and phyr's file has no "
			  "signature", boot);
	else
		check_say(check, CHECK_NOTE, "signatures", NULL,
			  "The key with which DKMS signs has to be enrolled (mokutil --import).",
			  "the kernel loads signed modules only (%s)", boot);
}

/* What the hooks need */

static void check_ftrace(struct check *check)
{
	uint64_t enabled;

	if (!read_number(&enabled, "%s/proc/sys/kernel/ftrace_enabled", check->root))
		check_say(check, CHECK_NOTE, "ftrace", NULL,
			  "phyr_rdma and phyr_rxe cannot be loaded; phyr can.",
			  "this kernel has no ftrace");
	else if (!enabled)
		check_say(check, CHECK_NOTE, "ftrace", NULL,
			  "phyr_rdma and phyr_rxe cannot be loaded: sysctl kernel.ftrace_enabled=1",
			  "kernel.ftrace_enabled is 0");
	else
		check_say(check, CHECK_OK, "ftrace", NULL, NULL, "kernel.ftrace_enabled is 1");
}

static void check_btf(struct check *check)
{
	if (file_exists("%s/sys/kernel/btf/vmlinux", check->root))
		check_say(check, CHECK_OK, "BTF", NULL, NULL,
			  "/sys/kernel/btf/vmlinux describes the kernel's types");
	else
		check_say(check, CHECK_NOTE, "BTF", NULL,
			  "phyr_rxe does not find soft RoCE's private members, unless it was built "
			  "with RXE_HEADERS=.", "this kernel does not describe its types");
}

void check_kernel(struct check *check)
{
	check_release(check);
	check_config(check);
	check_lockdown(check);
	check_signatures(check);
	check_ftrace(check);
	check_btf(check);
}
