// SPDX-License-Identifier: GPL-2.0-only
/* How far phyr layout is, on a line of the terminal that is cleared at the end. */
#include <stdio.h>
#include <unistd.h>

#include "layout.h"
#include "tool.h"

void progress_init(struct progress *p, const struct layout *layout)
{
	*p = (struct progress){ .layout = layout };
	/* A table on the same terminal moves on by itself, and would be written over. */
	p->tty = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	clock_gettime(CLOCK_MONOTONIC, &p->next);
	p->next.tv_sec += 2;
}

void progress_tick(struct progress *p)
{
	struct timespec now;

	if (!p->tty)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < p->next.tv_sec ||
	    (now.tv_sec == p->next.tv_sec && now.tv_nsec < p->next.tv_nsec))
		return;
	fprintf(stderr, "\r\033[Kmapping %zu, %s", p->layout->nr + 1, text_bytes(p->bytes).s);
	p->next = now;
	p->next.tv_sec++;
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}
