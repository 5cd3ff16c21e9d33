/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Races: memory is pinned again and again while another thread pulls at it.
 *
 * A pin works, all of it, or fails with an errno that says that memory was not
 * there. One that works holds the pages that the process has: what the kernel
 * reads through it is what was written there, and what the kernel writes is
 * what the process then finds. Each race runs in a process of its own, which
 * also ends with nothing pinned.
 *
 * PHYR_RACE_MS says for how long each race is run at least, PHYR_RACE_ROUNDS for
 * how many rounds.
 */
#ifndef RACE_H
#define RACE_H

#include <stdatomic.h>

#include "driver.h"

struct race;

/* What the other thread does, and what is then still true of the memory. */
struct trouble {
	const char *name;
	const char *kind;			/* of memory */
	void (*once)(struct race *race);
	bool content;				/* it keeps its content */
	bool place;				/* it stays where it is, and can be written */
	void (*begin)(struct race *race);	/* before the threads start */
	void (*end)(struct race *race);		/* when they have stopped */
	const char *(*missing)(void);		/* why it is not available here, or NULL */
};

struct race {
	const struct trouble *trouble;
	struct mem mem;
	size_t len;
	char *elsewhere;			/* address space to move to */
	char *window;				/* and for mappings of regions */
	void *more;				/* for @begin, @once and @end */
	long long count;			/* the same */
	atomic_bool stop;
	unsigned int good;
	unsigned int refused;
	unsigned int turns;
};

/* Each page begins with its number, and has its number at the end. */
void race_mark(char *addr, size_t len);

/* A test for each trouble, then @others; runs them all. */
int race_run(const char *name, const struct trouble *troubles, size_t nr,
	     const struct CMUnitTest *others, size_t nr_others);

/* Is a race over that began at @start, and has had so many rounds? */
uint64_t race_now(void);
bool race_over(uint64_t start, unsigned int rounds);

#endif
