// SPDX-License-Identifier: GPL-2.0-only
/* How far a command is, on a line of the terminal that is cleared at the end. */
#include <stdarg.h>
#include <stdio.h>

#include "progress.h"

/**
 * progress_init - begin to wait
 * @p: set to it
 * @tty: standard error is a terminal, and nothing else writes to it meanwhile
 */
void progress_init(struct progress *p, bool tty)
{
	*p = (struct progress){ .tty = tty };
	clock_gettime(CLOCK_MONOTONIC, &p->next);
	p->next.tv_sec += 2;
}

/* Whether it is time to show something: after two seconds, and then every second. */
bool progress_due(const struct progress *p)
{
	struct timespec now;

	if (!p->tty)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > p->next.tv_sec ||
	       (now.tv_sec == p->next.tv_sec && now.tv_nsec >= p->next.tv_nsec);
}

void progress_show(struct progress *p, const char *fmt, ...)
{
	va_list args;

	fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	clock_gettime(CLOCK_MONOTONIC, &p->next);
	p->next.tv_sec++;
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
