/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says in files, and what this process may. */
#ifndef PHYR_SYSTEM_H
#define PHYR_SYSTEM_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct names - what is in a directory, in the order of versions: 2 before 10
 * @list: the entries, without those that begin with a dot
 * @nr: how many; 0 if the directory cannot be read
 */
struct names {
	struct dirent **list;
	int nr;
};

/* A path is a format, as many have a number or a name in the middle. */
#define PATH_FORMAT(n)	__attribute__((format(printf, n, n + 1)))

/* These return false if there is no such file, or nothing in it; see errno. */
bool read_line(char *line, size_t size, const char *fmt, ...) PATH_FORMAT(3);
bool read_choice(char *word, size_t size, const char *fmt, ...) PATH_FORMAT(3);
bool read_number(uint64_t *number, const char *fmt, ...) PATH_FORMAT(2);
bool read_link_name(char *name, size_t size, const char *fmt, ...) PATH_FORMAT(3);
bool file_exists(const char *fmt, ...) PATH_FORMAT(1);

struct names names_in(const char *fmt, ...) PATH_FORMAT(1);
void names_free(struct names *names);

bool has_capability(unsigned int cap);

#endif /* PHYR_SYSTEM_H */
