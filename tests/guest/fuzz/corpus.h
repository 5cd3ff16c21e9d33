/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all processes of the fuzzer share: the programs that found something new,
 * what has been seen, and what went wrong.
 */
#ifndef FUZZ_CORPUS_H
#define FUZZ_CORPUS_H

#include <stdatomic.h>
#include <stdio.h>

#include "kcov.h"
#include "program.h"

#define CORPUS_MAX	8192u
#define WORKERS_MAX	8u
#define PLACES_MAX	(64u << 10)

struct corpus {
	atomic_uint nr;			/* of programs, the last of which may be half written */
	atomic_uint todo;		/* the first of @pending that has not been run */
	unsigned int nr_pending;
	atomic_ulong runs[WORKERS_MAX];
	atomic_ulong calls;
	atomic_uint places;		/* of phyr's code */
	atomic_uint seen;		/* steps from place to place, and results of calls */
	atomic_int failed;
	char failure[4096];
	unsigned long place[PLACES_MAX];
	atomic_uchar place_map[1 << 17];
	atomic_uchar seen_map[1 << 17];
	atomic_bool ready[CORPUS_MAX];
	struct program program[CORPUS_MAX];
	struct program pending[CORPUS_MAX];	/* from files */
};

extern struct corpus *corpus;

void corpus_create(void);
void corpus_destroy(void);

/* How much of it is new. */
unsigned int corpus_note_cover(const struct kcov *k);
unsigned int corpus_note_result(const struct call *c, int result);

void corpus_add(const struct program *p);

/* Any of them, rather a late one; false if there is none yet. */
bool corpus_pick(struct program *p, uint64_t *seed);

/*
 * Programs of files are pending until they have been run, and stay if that finds
 * something new. Both give how many programs, or -1.
 */
int corpus_load(const char *path);
int corpus_save(const char *path);
bool corpus_next_pending(struct program *p);

/* The first failure counts. */
void corpus_fail(const struct program *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
