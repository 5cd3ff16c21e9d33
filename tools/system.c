// SPDX-License-Identifier: GPL-2.0-only
/* Short files of procfs and sysfs, links and directories there; capabilities. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "system.h"

struct path {
	char s[PATH_MAX];
};

/* What is too long is the name of no file: "". */
static struct path vpath(const char *fmt, va_list args)
{
	struct path path;
	int len = vsnprintf(path.s, sizeof(path.s), fmt, args);

	if (len < 0 || (size_t)len >= sizeof(path.s))
		path.s[0] = '\0';
	return path;
}

/* The first line, without its newline. */
static bool first_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool got;

	if (!f)
		return false;
	errno = 0;
	got = fgets(line, (int)size, f);
	fclose(f);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

bool read_line(char *line, size_t size, const char *fmt, ...)
{
	struct path path;
	va_list args;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	return first_line(path.s, line, size);
}

/* Of "always [madvise] never", the word in brackets. */
bool read_choice(char *word, size_t size, const char *fmt, ...)
{
	char line[256], *from, *to;
	struct path path;
	va_list args;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	if (!first_line(path.s, line, sizeof(line)))
		return false;
	from = strchr(line, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return false;
	*to = '\0';
	snprintf(word, size, "%s", from + 1);
	return true;
}

bool read_number(uint64_t *number, const char *fmt, ...)
{
	struct path path;
	char line[64];
	va_list args;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	return first_line(path.s, line, sizeof(line)) && !parse_number(line, UINT64_MAX, number);
}

/* The last part of what a link leads to. */
bool read_link_name(char *name, size_t size, const char *fmt, ...)
{
	struct path path, target;
	const char *slash;
	va_list args;
	ssize_t len;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	len = readlink(path.s, target.s, sizeof(target.s) - 1);
	if (len < 0)
		return false;
	target.s[len] = '\0';
	slash = strrchr(target.s, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target.s);
	return true;
}

bool file_exists(const char *fmt, ...)
{
	struct path path;
	va_list args;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	return !access(path.s, F_OK);
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

struct names names_in(const char *fmt, ...)
{
	struct names names;
	struct path path;
	va_list args;

	va_start(args, fmt);
	path = vpath(fmt, args);
	va_end(args);
	names.nr = scandir(path.s, &names.list, is_shown, versionsort);
	if (names.nr < 0)
		names = (struct names){ 0 };
	return names;
}

void names_free(struct names *names)
{
	while (names->nr)
		free(names->list[--names->nr]);
	free(names->list);
	names->list = NULL;
}

/* Whether this process has a capability now. */
bool has_capability(unsigned int cap)
{
	unsigned long long caps = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	fclose(f);
	return caps >> cap & 1;
}
