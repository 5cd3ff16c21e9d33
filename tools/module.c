// SPDX-License-Identifier: GPL-2.0-only
/* Kernel modules, by /sys/module, and by what modprobe says or depmod has written. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "run.h"
#include "system.h"

/* Built into the kernel, it is there too, if it has a parameter or a version. */
bool module_is_loaded(const char *root, const char *name)
{
	return file_exists("%s/sys/module/%s", root, name);
}

/* "version", "srcversion", "refcnt", "parameters/share" */
bool module_attribute(const char *root, const char *name, const char *attribute, char *value,
		      size_t size)
{
	return read_line(value, size, "%s/sys/module/%s/%s", root, name, attribute);
}

/* Whether the file's name, up to its ".ko", is @name; a dash there is as an underscore. */
static bool is_file_of(const char *path, const char *name)
{
	const char *file = strrchr(path, '/');
	size_t i;

	file = file ? file + 1 : path;
	for (i = 0; name[i]; i++)
		if (file[i] != name[i] && !(file[i] == '-' && name[i] == '_'))
			return false;
	return !strncmp(file + i, ".ko", 3);
}

/* The kernel knows where modprobe is; the others are beside it. */
void module_tool(const char *tool, char *path, size_t size)
{
	char *slash;

	if (!read_line(path, size, "/proc/sys/kernel/modprobe") || path[0] != '/') {
		snprintf(path, size, "%s", tool);
		return;
	}
	slash = strrchr(path, '/');
	snprintf(slash + 1, size - (size_t)(slash + 1 - path), "%s", tool);
}

/*
 * What modprobe would do, a line each: "insmod PATH OPTIONS", for what it needs as well, or
 * "install COMMAND" for a rule of its configuration.
 */
static void take_action(char *line, const char *name, char *path, size_t size)
{
	if (strncmp(line, "insmod ", 7))
		return;
	line += 7;
	line[strcspn(line, "\n ")] = '\0';
	if (is_file_of(line, name))
		snprintf(path, size, "%s", line);
}

/* Whether it would load it; a negative errno if modprobe cannot be asked. */
static int ask_modprobe(const char *name, char *path, size_t size)
{
	char modprobe[PATH_MAX], line[PATH_MAX + 64];
	const char *argv[] = { modprobe, "-q", "--show-depends", name, NULL };
	struct program program;
	int ret;

	module_tool("modprobe", modprobe, sizeof(modprobe));
	ret = run_start(&program, argv);
	if (ret)
		return ret;
	while (fgets(line, sizeof(line), program.out))
		take_action(line, name, path, size);
	ret = run_finish(&program);
	return ret < 0 ? ret : !ret;
}

/* A line of modules.dep is the module's path, a colon, and the paths of what it needs. */
static bool find_in(FILE *f, const char *name, char *path, size_t size)
{
	size_t room = 0;
	char *line = NULL;
	bool found = false;

	while (!found && getline(&line, &room, f) > 0) {
		line[strcspn(line, ":\n")] = '\0';
		found = is_file_of(line, name);
		if (found)
			snprintf(path, size, "%s", line);
	}
	free(line);
	return found;
}

/* What depmod has written. */
static bool read_modules_dep(const char *root, const char *release, const char *name,
			     char *path, size_t size)
{
	char dep[PATH_MAX], file[PATH_MAX];
	bool found;
	FILE *f;

	snprintf(dep, sizeof(dep), "%s/lib/modules/%s/modules.dep", root, release);
	f = fopen(dep, "re");
	if (!f)
		return false;
	found = find_in(f, name, file, sizeof(file));
	fclose(f);
	if (!found)
		return false;
	if (file[0] == '/')
		snprintf(path, size, "%s", file);
	else
		snprintf(path, size, "/lib/modules/%s/%s", release, file);
	return true;
}

/**
 * module_find - whether modprobe would load a module
 * @root: see above
 * @release: of the kernel
 * @name: of the module
 * @path: set to the path of its file, without @root; to "" if a rule of modprobe's
 *	configuration loads it
 * @size: of @path
 */
bool module_find(const char *root, const char *release, const char *name, char *path,
		 size_t size)
{
	int found = -ENOENT;

	path[0] = '\0';
	if (!*root)
		found = ask_modprobe(name, path, size);
	return found < 0 ? read_modules_dep(root, release, name, path, size) : found;
}

/**
 * module_signature - whether a module's file ends in a signature
 * @path: of the file
 *
 * Whose signature it is only the kernel knows.
 */
enum module_signature module_signature(const char *path)
{
	static const char magic[] = "~Module signature appended~\n";
	enum module_signature signature = SIGNATURE_UNKNOWN;
	size_t len = strlen(path), want = sizeof(magic) - 1;
	char end[sizeof(magic) - 1];
	FILE *f;

	if (len < 3 || strcmp(path + len - 3, ".ko"))
		return SIGNATURE_UNKNOWN;
	f = fopen(path, "re");
	if (!f)
		return SIGNATURE_UNKNOWN;
	if (!fseek(f, -(long)want, SEEK_END) && fread(end, 1, want, f) == want)
		signature = memcmp(end, magic, want) ? SIGNATURE_NONE : SIGNATURE_THERE;
	fclose(f);
	return signature;
}
