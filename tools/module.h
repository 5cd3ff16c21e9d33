/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel modules: which are loaded, which modprobe would load.
 *
 * @root is the directory in which the files of the system are: "", but for tests.
 */
#ifndef PHYR_MODULE_H
#define PHYR_MODULE_H

#include <stdbool.h>
#include <stddef.h>

enum module_signature {
	SIGNATURE_UNKNOWN,		/* the file is compressed, or cannot be read */
	SIGNATURE_NONE,
	SIGNATURE_THERE,
};

bool module_is_loaded(const char *root, const char *name);
bool module_attribute(const char *root, const char *name, const char *attribute, char *value,
		      size_t size);
bool module_find(const char *root, const char *release, const char *name, char *path,
		 size_t size);
void module_tool(const char *tool, char *path, size_t size);
enum module_signature module_signature(const char *path);

#endif /* PHYR_MODULE_H */
