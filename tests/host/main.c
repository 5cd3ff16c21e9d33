// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

static_assert(sizeof(struct phyr) == PHYR_SIZE);
static_assert(offsetof(struct phyr, len) == sizeof(phys_addr_t));

int main(void)
{
	int failed = 0;

	failed += run_append_tests();
	failed += run_iterate_tests();
	failed += run_truncate_tests();
	failed += run_memory_tests();
	failed += run_nomem_tests();
	failed += run_seg_tests();
	return failed ? 1 : 0;
}
