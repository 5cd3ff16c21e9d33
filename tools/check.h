/* SPDX-License-Identifier: GPL-2.0-only */
/* What phyr check finds out: check_*.c look, check.c shows. */
#ifndef PHYR_CHECK_H
#define PHYR_CHECK_H

#include <stdbool.h>

struct json_object;

enum check_state {
	CHECK_OK,
	CHECK_NOTE,			/* phyr works, but there is something to know */
	CHECK_PROBLEM,			/* phyr, or a module that is loaded, does not work */
};

/**
 * struct check - one look at a machine
 * @root: the directory in which the files of the system are: "", but for tests
 * @release: of the kernel
 * @machine: its architecture
 * @results: what was found, an array; NULL to print lines instead
 * @problems: how many of them are problems
 */
struct check {
	const char *root;
	const char *release;
	const char *machine;
	struct json_object *results;
	unsigned int problems;
};

/*
 * check.c: one result, under a name. @details, which may be NULL, are for programs, and
 * belong to the result then; @meaning, which may be NULL, is what follows of it, and what
 * to do.
 */
void check_say(struct check *check, enum check_state state, const char *name,
	       struct json_object *details, const char *meaning, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* check_kernel.c */
void check_kernel(struct check *check);

/* check_machine.c */
void check_machine(struct check *check);

/* check_modules.c */
void check_modules(struct check *check);

#endif /* PHYR_CHECK_H */
