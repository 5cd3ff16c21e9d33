// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "gone.h"

#include <linux/dma-buf.h>
#include <signal.h>
#include <sys/ioctl.h>

static sigjmp_buf after_bus_error;

static void on_bus_error(int nr)
{
	(void)nr;
	siglongjmp(after_bus_error, 1);
}

bool gone_bus_error(volatile char *at)
{
	struct sigaction action = { .sa_handler = on_bus_error }, old;
	volatile bool hit = true;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(after_bus_error, 1)) {
		(void)*at;
		hit = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return hit;
}

bool gone_revoked(int region)
{
	struct phyr_query query = { .size = sizeof(query) };

	assert_return_code(phyr_query(dev, region, &query), errno);
	return query.flags & PHYR_QUERY_REVOKED;
}

int gone_mmap_errno(int region)
{
	char *map = mmap(NULL, PAGE, RW, MAP_SHARED, region, 0);

	if (map == MAP_FAILED)
		return errno;
	release(map, PAGE);
	return 0;
}

int gone_sync_errno(int region)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	return ioctl(region, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0;
}
