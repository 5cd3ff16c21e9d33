/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: a few calls each, for one or several threads, that the fuzzer makes
 * up, changes, keeps as text and runs.
 *
 * Their arguments name things (an area of memory and a place in it, a slot that
 * may hold a descriptor), not addresses, so that a program means the same in
 * every process. As text a call is a line: its thread, the point of it that is
 * to fail (0 for none), its name, its arguments.
 *
 *	0 0 pin 0x0 thp+0x1000 0x3000 0x1 0x28 0x0
 *	1 3 query 0x0 0x270 0x2
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRAM_CALLS	14
#define PROGRAM_THREADS	3
#define PROGRAM_TEXT	2048	/* room for any program as text */
#define CALL_ARGS	6

enum op {
	OP_OPEN, OP_INFO, OP_PIN, OP_QUERY, OP_RANGES, OP_IOCTL,
	OP_MMAP, OP_MUNMAP, OP_TOUCH, OP_DUP, OP_CLOSE, OP_SYNC, OP_EXPORT, OP_IMPORT,
	OP_NAME, OP_LSEEK, OP_POLL, OP_FDINFO, OP_ODD, OP_PASS, OP_FORK,
	OP_RLIMIT, OP_USER, OP_SIGNAL, OP_MADVISE, OP_MPROTECT, OP_UNMAP, OP_MREMAP, OP_PUNCH,
	OP_EDU, OP_EDU_END, OP_VMAP, OP_ARRAY, OP_LIST, OP_COPY, OP_MAP, OP_UNPIN,
	OP_IMPORT_BUF, OP_BYTES,
	NR_OPS
};

struct call {
	uint8_t op;
	uint8_t thread;
	uint16_t fail;
	uint64_t arg[CALL_ARGS];
};

struct program {
	unsigned int nr;
	struct call call[PROGRAM_CALLS];
};

/* Numbers that follow from a seed. */
uint64_t rnd(uint64_t *state);

void program_generate(struct program *p, uint64_t *seed);

/* @other is another one, to take calls from. */
void program_mutate(struct program *p, const struct program *other, uint64_t *seed);

bool program_has_threads(const struct program *p);

/* The text, and its length. */
size_t program_print(const struct program *p, char *text, size_t size);
size_t call_print(const struct call *c, char *text, size_t size);

/* The next program of a file: 1, 0 at its end, -1 if it is none (and says so). */
int program_read(struct program *p, FILE *f);

#endif
