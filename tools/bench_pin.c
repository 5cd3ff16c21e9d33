// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning through /dev/phyr, and by the one call of an unmodified kernel that pins memory
 * for any program and does nothing else with it: registering it with io_uring.  Both make
 * a table of it too.  What counts is how long the program waits.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <phyr.h>

#include "bench.h"
#include "memory.h"
#include "tool.h"
#include "uring.h"

/**
 * struct pin_samples - what was measured of one kind of memory
 * @ring: io_uring
 * @error: why it cannot register the memory, a negative errno, or 0
 * @phyr: times of /dev/phyr
 * @uring: times of io_uring
 */
struct pin_samples {
	struct uring ring;
	int error;
	struct bench_samples phyr;
	struct bench_samples uring;
};

static int phyr_round(const struct bench *b, const struct memory *mem, struct bench_samples *s)
{
	uint64_t start = bench_now(), pinned;
	int region = phyr_pin(b->dev, mem->addr, mem->len, PHYR_PIN_WRITE);

	pinned = bench_now();
	if (region < 0)
		return tool_fail_phyr(region, "cannot pin %s", text_bytes(mem->len).s);
	close(region);
	bench_sample(s, start, pinned, bench_now());
	return 0;
}

static int uring_round(const struct uring *ring, struct bench_samples *s)
{
	uint64_t start = bench_now(), registered;
	int ret = uring_register(ring);

	registered = bench_now();
	if (!ret)
		ret = uring_unregister(ring);
	if (!ret)
		bench_sample(s, start, registered, bench_now());
	return ret;
}

/* Which one is first in turn, until io_uring fails. */
static int both_rounds(const struct bench *b, const struct memory *mem, struct pin_samples *s,
		       unsigned int i)
{
	int ret;

	if (!s->error && i & 1)
		s->error = uring_round(&s->ring, &s->uring);
	ret = phyr_round(b, mem, &s->phyr);
	if (!ret && !s->error && !(i & 1))
		s->error = uring_round(&s->ring, &s->uring);
	return ret;
}

static void forget(struct pin_samples *s)
{
	s->phyr.nr = 0;
	s->uring.nr = 0;
}

static int pin_rounds(struct bench *b, const struct memory *mem, struct pin_samples *s,
		      const struct bench_row *row)
{
	unsigned int i;
	int ret = both_rounds(b, mem, s, 0);

	forget(s);			/* that was to warm up */
	for (i = 0; i < b->rounds && !ret; i++) {
		bench_progress(b, "pinning", row, i);
		ret = both_rounds(b, mem, s, i);
	}
	return ret;
}

static int pin_kind(struct bench *b, const struct memory *mem, struct bench_row *row, void *ctx)
{
	struct pin_samples *s = ctx;
	bool opened;
	int ret;

	forget(s);
	s->error = uring_open(&s->ring, mem->addr, mem->len);
	opened = !s->error;
	ret = pin_rounds(b, mem, s, row);
	if (opened)
		uring_close(&s->ring);
	if (s->error) {
		b->uring = s->error;
		s->uring.nr = 0;
	}
	bench_row_set(row, &s->phyr, &s->uring);
	return ret;
}

int bench_pin(struct bench *b)
{
	static struct pin_samples samples;

	return bench_each(b, &b->pin, pin_kind, &samples);
}
