/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share: a list with its model, patterns to fill them, groups. */
#ifndef PHYR_HOST_H
#define PHYR_HOST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <linux/phyr_list.h>
#include <linux/slab.h>

#include "alloc.h"
#include "model.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)
#define TiB (1ULL << 40)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* More leaves than a tree of three levels holds, with one range a leaf. */
#define DEEP 120000u

/* A list, and the model that it has to agree with. */
struct pair {
	struct phyr_list list;
	struct model model;
};

/* An endless sequence of ranges; the order and number of calls do not matter. */
typedef struct range (*pattern_fn)(unsigned int i);

struct named_pattern {
	const char *name;
	pattern_fn range;
};

extern const struct named_pattern patterns[];
extern const size_t nr_patterns;

struct range scattered_pages(unsigned int i);
struct range alternating_kinds(unsigned int i);
struct range odd_bytes(unsigned int i);
struct range mixed_sizes(unsigned int i);

void pair_init(struct pair *p);
void pair_free(struct pair *p);
void pair_append(struct pair *p, struct range r);
void pair_fill(struct pair *p, pattern_fn pattern, unsigned int from, unsigned int to);
void pair_seal(struct pair *p);
void pair_truncate(struct pair *p, u64 len);
void pair_check(const struct pair *p);
void list_fill(struct phyr_list *list, pattern_fn pattern, unsigned int from, unsigned int to);

static inline struct range range(u64 addr, u64 len, enum phyr_kind kind)
{
	return (struct range){ addr, len, kind };
}

static inline int append(struct phyr_list *list, u64 addr, u64 len, enum phyr_kind kind)
{
	return phyr_list_append(list, (phys_addr_t)addr, (size_t)len, kind, GFP_KERNEL);
}

/* The same numbers in every run; @state is what to start from, not 0. */
static inline u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Every test begins and ends with nothing allocated. */
int forget_leaks(void **state);
int no_leak(void **state);
#define host_test(f) cmocka_unit_test_setup_teardown(f, forget_leaks, no_leak)

int run_append_tests(void);
int run_iterate_tests(void);
int run_truncate_tests(void);
int run_memory_tests(void);
int run_nomem_tests(void);
int run_seg_tests(void);

#endif
