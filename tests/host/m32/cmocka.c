// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include "cmocka.h"

jmp_buf m32_failed;

static int run(const struct CMUnitTest *test)
{
	void *state = NULL;

	if (setjmp(m32_failed))
		return 1;
	if (test->setup && test->setup(&state))
		return 1;
	test->test(&state);
	return test->teardown ? test->teardown(&state) : 0;
}

int m32_run_group(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	int failed = 0;
	size_t i;

	printf("[==========] %s: Running %zu test(s).\n", name, nr);
	for (i = 0; i < nr; i++) {
		int ret;

		printf("[ RUN      ] %s\n", tests[i].name);
		fflush(stdout);
		ret = run(&tests[i]);
		printf("[  %s ] %s\n", ret ? "FAILED " : "     OK", tests[i].name);
		failed += !!ret;
	}
	printf("[==========] %s: %zu test(s) run.\n", name, nr);
	printf("[  PASSED  ] %zu test(s).\n", nr - (size_t)failed);
	if (failed)
		printf("[  FAILED  ] %s: %d test(s)\n", name, failed);
	fflush(stdout);
	return failed;
}
