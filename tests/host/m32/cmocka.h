/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for cmocka in the 32-bit builds, because distributions rarely have
 * its 32-bit library at hand: the few macros that these tests use, and the
 * same closing lines.
 */
#ifndef PHYR_HOST_M32_CMOCKA_H
#define PHYR_HOST_M32_CMOCKA_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

#define cmocka_unit_test_setup_teardown(f, setup, teardown) { #f, f, setup, teardown }

/* Where a failed assertion goes: out of the test that runs. */
extern jmp_buf m32_failed;

static inline void m32_assert(int ok, const char *what, uint64_t a, uint64_t b,
			      const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s: %#llx, %#llx\n", file, line, what,
		(unsigned long long)a, (unsigned long long)b);
	longjmp(m32_failed, 1);
}

#define M32_ASSERT(ok, what, a, b) m32_assert(ok, what, a, b, __FILE__, __LINE__)

#define assert_true(a)		M32_ASSERT(!!(a), #a, 0, 1)
#define assert_false(a)		M32_ASSERT(!(a), #a, 1, 0)

#define assert_int_equal(a, b) do {					\
	uint64_t m32_a = (uint64_t)(a), m32_b = (uint64_t)(b);		\
	M32_ASSERT(m32_a == m32_b, #a " == " #b, m32_a, m32_b);		\
} while (0)

static inline int m32_in_range(uint64_t a, uint64_t lo, uint64_t hi)
{
	return a >= lo && a <= hi;
}

#define assert_in_range(a, lo, hi) do {					\
	uint64_t m32_a = (uint64_t)(a), m32_hi = (uint64_t)(hi);	\
	M32_ASSERT(m32_in_range(m32_a, (uint64_t)(lo), m32_hi),		\
		   #a " in " #lo ".." #hi, m32_a, m32_hi);		\
} while (0)

int m32_run_group(const char *name, const struct CMUnitTest *tests, size_t nr);

#define cmocka_run_group_tests_name(name, tests, setup, teardown)	\
	m32_run_group(name, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
