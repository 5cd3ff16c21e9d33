/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which places of phyr's code the kernel has been at on behalf of a thread. Only
 * phyr is built to tell, see kernel/Kbuild.
 */
#ifndef FUZZ_KCOV_H
#define FUZZ_KCOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kcov {
	int fd;
	unsigned long *cover;	/* NULL where the kernel cannot tell */
};

/* Is there KCOV? */
bool kcov_there(void);

/* To be called by root, then by the thread itself. */
void kcov_open(struct kcov *k);
void kcov_start(struct kcov *k);

/* Forgets; and what has been seen since. */
void kcov_reset(struct kcov *k);
size_t kcov_seen(const struct kcov *k, const unsigned long **pcs);

#endif
