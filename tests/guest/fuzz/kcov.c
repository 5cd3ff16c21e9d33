// SPDX-License-Identifier: GPL-2.0-only
#include "kcov.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KCOV		"/sys/kernel/debug/kcov"
#define COVER_SIZE	(32 << 10)

bool kcov_there(void)
{
	return !access(KCOV, R_OK | W_OK);
}

void kcov_open(struct kcov *k)
{
	k->cover = NULL;
	k->fd = open(KCOV, O_RDWR | O_CLOEXEC);
	if (k->fd < 0 || ioctl(k->fd, KCOV_INIT_TRACE, COVER_SIZE))
		return;
	k->cover = mmap(NULL, COVER_SIZE * sizeof(*k->cover), PROT_READ | PROT_WRITE,
			MAP_SHARED, k->fd, 0);
	if (k->cover == MAP_FAILED)
		k->cover = NULL;
}

void kcov_start(struct kcov *k)
{
	if (k->cover && ioctl(k->fd, KCOV_ENABLE, KCOV_TRACE_PC))
		k->cover = NULL;
}

void kcov_reset(struct kcov *k)
{
	if (k->cover)
		__atomic_store_n(&k->cover[0], 0, __ATOMIC_RELAXED);
}

size_t kcov_seen(const struct kcov *k, const unsigned long **pcs)
{
	if (!k->cover)
		return 0;
	*pcs = k->cover + 1;
	return __atomic_load_n(&k->cover[0], __ATOMIC_RELAXED);
}
