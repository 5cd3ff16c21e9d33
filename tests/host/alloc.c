// SPDX-License-Identifier: GPL-2.0-only
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/slab.h>

#include "alloc.h"

static unsigned long live, fail_in;
static size_t live_bytes;
static bool failed;

void *host_alloc(size_t size)
{
	void *p;

	if (!size || size > HOST_ALLOC_MAX) {
		fprintf(stderr, "an allocation of %zu bytes\n", size);
		abort();
	}
	if (fail_in && !--fail_in) {
		failed = true;
		return NULL;
	}
	p = malloc(size);
	if (!p)
		abort();
	memset(p, 0xa5, size);		/* kmalloc() does not clear either */
	live++;
	live_bytes += malloc_usable_size(p);	/* under ASan: exactly size */
	return p;
}

void host_free(const void *p)
{
	if (!p)
		return;
	live--;
	live_bytes -= malloc_usable_size((void *)p);
	free((void *)p);
}

void host_fail_at(unsigned long nth)
{
	fail_in = nth;
	failed = false;
}

bool host_fail_done(void)
{
	bool done = failed;

	host_fail_at(0);
	return done;
}

void host_reset(void)
{
	live = 0;
	live_bytes = 0;
	host_fail_at(0);
}

unsigned long host_live(void)
{
	return live;
}

size_t host_live_bytes(void)
{
	return live_bytes;
}
