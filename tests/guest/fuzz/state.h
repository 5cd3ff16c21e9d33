/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the three parts of a run share: judge.c makes a call and checks what it did,
 * calls.c has the calls, run.c the threads.
 */
#ifndef FUZZ_STATE_H
#define FUZZ_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <phyr.h>

#include "calls.h"
#include "kcov.h"

#define PAGE		4096ul
#define RW		(PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NOBODY		65534
#define POISON		0xa5

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
/* A thread's buffers, below 4 GiB for the sake of 32-bit calls. */
#define BUFFERS		0x10000000ul
#define BUFFERS_APART	0x100000ul
#define ARG_ROOM	(4 * PAGE)	/* and a hole behind it */
#define OUT_AT		(16 * PAGE)
#define OUT_ROOM	(2 * PAGE)

enum {
	PLACE_MIDDLE,
	PLACE_END = 2,
	PLACE_ODD,
	PLACE_CUT,
	PLACE_READ_ONLY,
	PLACE_NULL,
	PLACE_KERNEL
};

enum { TAIL_ZERO, TAIL_FIRST, TAIL_LAST };
/* What a call gives that was not even tried. */
enum { NOT_DONE = EINVAL };

#define SHAPE_COMPAT	(1u << 5)

#define NR_SLOTS	8
#define RANGES		256
#define FORKS_MAX	4

struct thread {
	unsigned int nr;
	pthread_t thread;
	struct kcov kcov;
	int fail_fd;
	unsigned int fail;		/* point that is to fail in the next guarded call */
	bool failed;			/* the call had a point that was to fail */
	unsigned char *arg, *out;
	unsigned char copy[ARG_ROOM];
	struct phyr_range ranges[RANGES + 1];	/* the last is not to be touched */
	bool nobody;
	unsigned int fresh;
};

/* This process: what it runs, and what is open in it. */
struct fuzz_state {
	const struct program *running;
	bool alone;			/* one thread, no forks */
	bool compat;			/* 32-bit programs run here */
	bool read_only_pins;		/* phyr_test may hold some, which must not be dirtied */
	rlim_t memlock;

	/* descriptors that are always there */
	int dev, edu, driver, memfd, udmabuf, zero_fd, pagemap, status_fd;

	/* those of programs, from first_fd on */
	int first_fd;
	atomic_int slots[NR_SLOTS];

	pid_t forks[FORKS_MAX];
	atomic_uint nr_forks;
};

extern struct fuzz_state fuzz;

/* judge.c */
void broken(const char *file, int line, const char *condition, const char *format, ...)
	__attribute__((format(printf, 4, 5), noreturn));
#define must_be(condition, ...) do {						\
	if (!(condition))							\
		broken(__FILE__, __LINE__, #condition, " " __VA_ARGS__);		\
} while (0)

void fail_begin(struct thread *t);
void fail_end(struct thread *t);
int guarded_ioctl(struct thread *t, int fd, unsigned int cmd, void *arg);
int guarded_ioctl32(struct thread *t, int fd, unsigned int cmd, void *arg);
int fd_of(uint64_t arg);
void slot_put(uint64_t slot, int fd);
uint32_t size_of(uint64_t arg, uint32_t ksize);
int struct_call(struct thread *t, unsigned int cmd, void *inout, uint32_t ksize,
		uint64_t size, uint64_t shape);
void check_sums(const struct thread *t, const struct phyr_query *q);
unsigned long pinned(void);
void check_region(struct thread *t, const struct phyr_pin *pin, uint64_t addr);

/* calls.c: carries out a call of a program; 0 or an errno. */
int call_do(struct thread *t, unsigned int op, const uint64_t *args);

#endif
