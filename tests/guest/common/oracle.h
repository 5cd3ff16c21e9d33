/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The leak oracle: is anything left that phyr held?
 *
 * What can be counted at any moment (pins, regions, locked memory, users of the
 * modules) is asked for after every test. What only shows over time
 * (Committed_AS, slabs, memory that nothing points to) is looked for at the end
 * of a program.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#define ORACLE_WORDS	4000

/* The whole system before a test program, in KiB. */
struct oracle {
	long long committed;
	long long slab;
};

void oracle_begin(struct oracle *before);

/*
 * True if nothing is held, now or within a few seconds: a file that another
 * process had open goes a moment after it. If not, @words says what is left.
 */
bool oracle_nothing_held(char *words, size_t size);

/*
 * The same and what is compared: true if nothing has been left since @before.
 * Where PHYR_KMEMLEAK is in the environment, kmemleak is asked, too, if the
 * kernel has it: whatever it has that the module or a test program allocated. It
 * looks at all of memory and takes a minute and more, so run-all has it look
 * once, when all programs are through; a report names the program.
 */
bool oracle_end(const struct oracle *before, char *words, size_t size);

#endif
