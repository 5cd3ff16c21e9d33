/* SPDX-License-Identifier: GPL-2.0-only */
/* For who waits at a terminal longer than two seconds. */
#ifndef PHYR_PROGRESS_H
#define PHYR_PROGRESS_H

#include <stdbool.h>
#include <time.h>

struct progress {
	struct timespec next;
	bool tty;
	bool shown;
};

void progress_init(struct progress *p, bool tty);
bool progress_due(const struct progress *p);
void progress_show(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_end(struct progress *p);

#endif /* PHYR_PROGRESS_H */
