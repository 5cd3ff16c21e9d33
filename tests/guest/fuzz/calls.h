/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running programs in this process, and what has to be true after each call.
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include <stdbool.h>

#include "program.h"

/*
 * Readies this process: its threads, descriptors and areas. world_open() has been
 * called. With @verbose each call's result is printed.
 */
void calls_begin(bool verbose);

/*
 * Runs a program and cleans up, unless it is to be left to the end of the
 * process. How much of what was seen is new; what is wrong goes to corpus_fail().
 */
unsigned int calls_run(const struct program *p, bool leave);

#endif
