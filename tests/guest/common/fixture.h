/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test program of the guest has: /dev/phyr, children, and the leak
 * oracle, which each test ends with.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include <phyr.h>

#include "mem.h"
#include "oracle.h"

#define PAGE	4096ul
#define RW	(PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

extern int dev;			/* /dev/phyr, in every test */

/* A test that leaves nothing pinned behind. */
#define fixture_test(f)		{ #f, f, NULL, fixture_nothing_left, NULL }
#define fixture_run(tests)	fixture_run_tests(#tests, tests, ARRAY_SIZE(tests))

int fixture_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr);

/*
 * The leak oracle, as a teardown: 0 if the whole system has released every
 * pin and every region, and this process pins nothing. What it takes longer to
 * find out is a test of its own, the last of every program; see oracle.h.
 */
int fixture_nothing_left(void **state);

/* A number of /proc/self/status, such as "VmPin:". */
long fixture_status(const char *key);

/* Skips a test of a kind that this kernel lacks, and that mem_map() has replaced. */
void need_kind(const struct mem_kind *kind);

/*
 * A test of a kind of memory, called "@what: the kind": @setup maps it into kind_mem,
 * with fixture_map_kind(); the teardown unmaps it, and asks the leak oracle.
 */
extern struct mem kind_mem;
int fixture_map_kind(const struct mem_kind *kind, size_t len);
struct CMUnitTest fixture_kind_test(const char *what, const struct mem_kind *kind,
				    CMFixtureFunction setup, CMUnitTestFunction f);

/* Pinned, or the test has failed. */
int pin(const void *addr, size_t len, unsigned int flags);

/* Anonymous memory, touched if it is @prot-ected for writing. */
char *anon(size_t len, int prot);

/* A shared mapping of a file, a region or whatever there is a descriptor of. */
void *map_shared(int fd, size_t len, int prot, off_t offset);
void release(void *addr, size_t len);

/* The part of a pattern that byte @pos of memory number @seed has. */
unsigned char pattern(uint64_t pos, unsigned int seed);
void pattern_fill(void *addr, size_t len, unsigned int seed);
bool pattern_is(const void *addr, size_t len, unsigned int seed);

/*
 * A child that runs @f and has to exit with 0. What goes wrong in there is
 * told by must(), as cmocka's asserts belong to the parent.
 */
pid_t child_start(void (*f)(void *arg), void *arg);
void child_wait(pid_t pid);
void child_run(void (*f)(void *arg), void *arg);
void become_nobody(void);

/* A descriptor, from a child through a socket. */
void send_fd(int sock, int fd);
int receive_fd(int sock);

#define must(condition)								\
	do {									\
		if (!(condition))						\
			must_fail(__FILE__, __LINE__, #condition);		\
	} while (0)
void must_fail(const char *file, int line, const char *condition) __attribute__((noreturn));

/* Writes a line to a file of sysfs or procfs; 0 or a negative errno. */
int write_file(const char *path, const char *text);

#endif
