// SPDX-License-Identifier: GPL-2.0-only
/* phyr's modules, the functions that they replace, and who else is at these; /dev/phyr. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>
#include <phyr.h>

#include "check.h"
#include "module.h"
#include "parse.h"
#include "system.h"
#include "tool.h"

#define ENABLED_FUNCTIONS	"/sys/kernel/tracing/enabled_functions"
#define LIVEPATCHES		"/sys/kernel/livepatch"
#define MOST_FUNCTIONS		32u

/* The modules */

/**
 * struct part - one of phyr's modules
 * @name: its name
 * @use: what to do, if it is not loaded
 * @state: how bad it is if modprobe would not find it
 * @missing: and what to do then
 */
struct part {
	const char *name;
	const char *use;
	enum check_state state;
	const char *missing;
};

static const struct part parts[] = {
	{ "phyr", "modprobe phyr loads it.", CHECK_PROBLEM,
	  "Build and install it for this kernel: \"dkms status\" tells whether DKMS did. "
	  "depmod makes modprobe find it." },
	{ "phyr_rdma", "modprobe phyr_rdma loads it: ibv_reg_mr() then pins by phyrs.",
	  CHECK_NOTE, "ibv_reg_mr() stays as it is." },
	{ "phyr_rxe", "modprobe loads it along with phyr_rdma: then memory regions of soft RoCE "
	  "are lists of phyrs.", CHECK_NOTE, "Soft RoCE stays as it is." },
	{ "phyr_block", "modprobe phyr_block loads it: NVMe drives then read and write regions of "
	  "memory without pages themselves.", CHECK_NOTE, "Such I/O is copied." },
};

/* The version, or else what stands for it. */
static void get_version(const struct check *check, const char *name, char *version, size_t size)
{
	if (!module_attribute(check->root, name, "version", version, size) &&
	    !module_attribute(check->root, name, "srcversion", version, size))
		snprintf(version, size, "unknown");
}

static void say_loaded(struct check *check, const struct part *part)
{
	struct json_object *details = json_object_new_object();
	char version[64], own[32];

	snprintf(own, sizeof(own), "%u.%u", phyr_version() >> 16, phyr_version() & 0xffff);
	get_version(check, part->name, version, sizeof(version));
	json_add_bool(details, "loaded", true);
	json_add_text(details, "version", version);
	check_say(check, strcmp(version, own) ? CHECK_NOTE : CHECK_OK, part->name, details,
		  strcmp(version, own) ? "This command is of another version." : NULL,
		  "loaded, version %s", version);
}

static void say_installed(struct check *check, const struct part *part, const char *path)
{
	struct json_object *details = json_object_new_object();

	json_add_bool(details, "loaded", false);
	json_add_bool(details, "installed", true);
	json_object_object_add(details, "file", *path ? json_object_new_string(path) : NULL);
	check_say(check, CHECK_NOTE, part->name, details, part->use, "not loaded; %s%s",
		  *path ? "it is in " : "a rule of modprobe's configuration loads it", path);
}

static void say_missing(struct check *check, const struct part *part)
{
	struct json_object *details = json_object_new_object();

	json_add_bool(details, "loaded", false);
	json_add_bool(details, "installed", false);
	check_say(check, part->state, part->name, details, part->missing,
		  "not loaded, and modprobe does not find it for Linux %s", check->release);
}

static void check_part(struct check *check, const struct part *part)
{
	char path[PATH_MAX];

	if (module_is_loaded(check->root, part->name))
		say_loaded(check, part);
	else if (module_find(check->root, check->release, part->name, path, sizeof(path)))
		say_installed(check, part, path);
	else
		say_missing(check, part);
}

/* Functions that are replaced, or would be */

/**
 * struct function - a function of the kernel
 * @name: its name
 * @hooked: a module of phyr's is at it
 */
struct function {
	char name[64];
	bool hooked;
};

struct functions {
	struct function list[MOST_FUNCTIONS];
	unsigned int nr;
};

/* What the modules replace when they are loaded: those of both kernels. */
static const char *const known_functions[] = {
	"__ib_umem_get_va", "ib_umem_get", "__ib_umem_release", "ib_umem_copy_from",
	"ib_uverbs_handler_UVERBS_METHOD_REG_DMABUF_MR", "ib_uverbs_handler_UVERBS_METHOD_REG_MR",
	"rxe_mr_init_user", "rxe_mr_cleanup", "rxe_mr_copy", "rxe_flush_pmem_iova",
	"rxe_mr_do_atomic_op", "rxe_mr_do_atomic_write",
};

static struct function *find_function(struct functions *all, const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		if (strlen(all->list[i].name) == len && !memcmp(all->list[i].name, name, len))
			return &all->list[i];
	return NULL;
}

static void add_function(struct functions *all, const char *name, bool hooked)
{
	struct function *function = find_function(all, name, strlen(name));

	if (!function && all->nr == MOST_FUNCTIONS)
		return;
	if (!function) {
		function = &all->list[all->nr++];
		snprintf(function->name, sizeof(function->name), "%s", name);
		function->hooked = false;
	}
	function->hooked |= hooked;
}

static void say_hook(struct check *check, const char *module, const struct hook_line *hook)
{
	struct json_object *details = json_object_new_object();
	enum check_state state = CHECK_OK;
	const char *meaning = NULL;

	if (!strcmp(hook->how, "bypassed")) {
		state = CHECK_PROBLEM;
		meaning = "Callers do not come to the replacement, so the stock code does it: this "
			  "kernel's compiler has inlined the function.";
	} else if (!strcmp(hook->how, "shared")) {
		meaning = "BPF is or may be at it, too: each call takes a little longer.";
	} else if (!strcmp(hook->how, "not hooked")) {
		meaning = "The module that has it is not loaded now.";
	}
	json_add_text(details, "by", module);
	json_add_text(details, "module", hook->module);
	json_add_text(details, "function", hook->function);
	json_add_u64(details, "calls", hook->calls);
	json_add_text(details, "how", hook->how);
	check_say(check, state, "hook", details, meaning, "%s of %s: %s, %" PRIu64 " call%s",
		  hook->function, hook->module, hook->how, hook->calls,
		  hook->calls == 1 ? "" : "s");
}

/* The functions that a module replaces now. */
static void check_hooks(struct check *check, const char *module, struct functions *all)
{
	char path[PATH_MAX], line[256];
	struct hook_line hook;
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys/module/%s/parameters/hooks", check->root, module);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (parse_hook_line(line, &hook))
			continue;
		say_hook(check, module, &hook);
		add_function(all, hook.function, strcmp(hook.how, "not hooked"));
	}
	fclose(f);
}

/* Who else is at them */

static void say_tracer(struct check *check, const struct function *function, long others,
		       const char *who)
{
	struct json_object *details = json_object_new_object();

	json_add_text(details, "function", function->name);
	json_add_u64(details, "others", (uint64_t)others);
	json_add_bool(details, "hooked", function->hooked);
	json_add_text(details, "line", who);
	check_say(check, function->hooked ? CHECK_OK : CHECK_NOTE, "tracer", details,
		  function->hooked ?
		  "phyr's hook works beside it." :
		  "A tracer or a BPF program works beside phyr's hooks; with a livepatch, the "
		  "module does not load (EBUSY).",
		  "%s: %ld besides phyr: %s", function->name, others, who);
}

/*
 * A line, and those after it that begin with a tab, as one: the first is "rxe_mr_copy
 * [rdma_rxe] (2)       D   \ttramp: …", with a count of those that are at the function.
 */
static bool read_entry(FILE *f, char *entry, size_t size)
{
	size_t len = 0;
	int c;

	if (!fgets(entry, (int)size, f))
		return false;
	do {
		len += strcspn(entry + len, "\n");
		entry[len] = '\0';
		c = ungetc(fgetc(f), f);
	} while (c == '\t' && size - len > 1 && fgets(entry + len, (int)(size - len), f));
	return true;
}

/* One blank for several, and for tabs. */
static void squeeze(char *s)
{
	char *to = s;

	for (; *s; s++) {
		char c = *s == '\t' ? ' ' : *s;

		if (c != ' ' || (s[1] && s[1] != ' ' && s[1] != '\t'))
			*to++ = c;
	}
	*to = '\0';
}

/* Whether somebody else is at a function. */
static bool take_entry(struct check *check, struct functions *all, char *entry)
{
	struct function *function = find_function(all, entry, strcspn(entry, " "));
	char *count = function ? strchr(entry, '(') : NULL;
	long others;

	if (!count)
		return false;
	others = strtol(count + 1, NULL, 10) - function->hooked;
	if (others <= 0)
		return false;
	squeeze(count);
	text_clean(count);
	say_tracer(check, function, others, count);
	return true;
}

static void say_unreadable(struct check *check)
{
	bool missing = errno == ENOENT;

	check_say(check, CHECK_NOTE, "tracer", NULL,
		  missing ? "Is tracefs mounted? mount -t tracefs none /sys/kernel/tracing" :
		  "Run it as root to see who else is at the functions that phyr replaces.",
		  "%s cannot be read: %s", ENABLED_FUNCTIONS, strerror(errno));
}

static void check_tracers(struct check *check, struct functions *all)
{
	char path[PATH_MAX], entry[1024];
	bool any = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s" ENABLED_FUNCTIONS, check->root);
	f = fopen(path, "re");
	if (!f) {
		say_unreadable(check);
		return;
	}
	while (read_entry(f, entry, sizeof(entry)))
		any |= take_entry(check, all, entry);
	fclose(f);
	if (!any)
		check_say(check, CHECK_OK, "tracer", NULL, NULL,
			  "nothing else is at the functions that phyr replaces");
}

/* An object of a livepatch has a directory for each function: "rxe_mr_copy,1". */
static void check_patched(struct check *check, const char *patch, const char *object,
			  struct functions *all)
{
	struct names names = names_in("%s" LIVEPATCHES "/%s/%s", check->root, patch, object);
	int i;

	for (i = 0; i < names.nr; i++) {
		const char *name = names.list[i]->d_name;
		struct function *function = find_function(all, name, strcspn(name, ","));

		if (function)
			check_say(check, CHECK_NOTE, "livepatch", NULL,
				  "Only one of the two can redirect a function: the module does "
				  "not load (EBUSY).",
				  "%s redirects %s", patch, function->name);
	}
	names_free(&names);
}

static void check_livepatches(struct check *check, struct functions *all)
{
	struct names patches = names_in("%s" LIVEPATCHES, check->root), objects;
	int i, j;

	for (i = 0; i < patches.nr; i++) {
		objects = names_in("%s" LIVEPATCHES "/%s", check->root, patches.list[i]->d_name);
		for (j = 0; j < objects.nr; j++)
			check_patched(check, patches.list[i]->d_name, objects.list[j]->d_name, all);
		names_free(&objects);
	}
	names_free(&patches);
}

/* The device */

static void say_no_device(struct check *check)
{
	if (errno == ENOENT && !module_is_loaded(check->root, "phyr"))
		check_say(check, CHECK_NOTE, PHYR_DEVICE, NULL, NULL,
			  "not there: the module makes it");
	else if (errno == ENOENT)
		check_say(check, CHECK_PROBLEM, PHYR_DEVICE, NULL,
			  "devtmpfs makes it, or udev: /sys/class/misc/phyr/dev has its numbers.",
			  "not there, though phyr is loaded");
	else
		check_say(check, CHECK_PROBLEM, PHYR_DEVICE, NULL,
			  "See its permissions, and those of the container, if this is one.",
			  "cannot be opened: %s", strerror(errno));
}

static void check_device(struct check *check)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s" PHYR_DEVICE, check->root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		say_no_device(check);
		return;
	}
	close(fd);
	check_say(check, CHECK_OK, PHYR_DEVICE, NULL, NULL, "can be opened");
}

void check_modules(struct check *check)
{
	struct functions all = { .nr = 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		check_part(check, &parts[i]);
	for (i = 0; i < ARRAY_SIZE(known_functions); i++)
		add_function(&all, known_functions[i], false);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		check_hooks(check, parts[i].name, &all);
	check_tracers(check, &all);
	check_livepatches(check, &all);
	check_device(check);
}
