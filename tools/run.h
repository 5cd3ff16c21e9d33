/* SPDX-License-Identifier: GPL-2.0-only */
/* Other programs, run by this one. */
#ifndef PHYR_RUN_H
#define PHYR_RUN_H

#include <stdio.h>
#include <sys/types.h>

/**
 * struct program - a program that is running
 * @pid: of it
 * @out: what it prints
 */
struct program {
	pid_t pid;
	FILE *out;
};

int run_start(struct program *program, const char *const *argv);
int run_finish(struct program *program);
int run_program(const char *const *argv);

#endif /* PHYR_RUN_H */
