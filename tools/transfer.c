// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes on their way between two places, a piece at a time.
 *
 * The kernel copies between two regions; all else goes through a buffer here.  A piece that
 * is in the buffer is safe from what is written, so places that overlap go through it too,
 * from the end on if the bytes move up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <phyr.h>

#include "tool.h"
#include "transfer.h"

#define BUFFER_PIECE	((size_t)1 << 20)
#define REGION_PIECE	((size_t)16 << 20)

/* What to do with a piece: the bytes done, 0 at the end, or -1 after a message. */
typedef ssize_t (*step_fn)(struct transfer *t, uint64_t offset, size_t len);

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void show_progress(struct transfer *t)
{
	if (!progress_due(&t->progress))
		return;
	if (t->length == ENDPOINT_UNKNOWN)
		progress_show(&t->progress, "%s", text_bytes(t->done).s);
	else
		progress_show(&t->progress, "%s of %s, %u %%", text_bytes(t->done).s,
			      text_bytes(t->length).s,
			      (unsigned int)((double)t->done / (double)t->length * 100));
}

static ssize_t fail(struct transfer *t, const struct endpoint *e, const char *verb,
		    uint64_t offset, ssize_t error)
{
	progress_end(&t->progress);
	endpoint_fail(e, verb, offset, (int)error);
	return -1;
}

/* Not which of two regions it was: the kernel does not say. */
static ssize_t fail_both(struct transfer *t, const char *verb, uint64_t offset, ssize_t error)
{
	progress_end(&t->progress);
	tool_fail_phyr((int)error, "cannot %s %s and %s, %#" PRIx64 " bytes behind the beginning",
		       verb, t->src->text, t->dst->text, offset);
	return -1;
}

static int run(struct transfer *t, step_fn step, size_t piece)
{
	uint64_t start = now_ns(), left;
	ssize_t n = 0;
	size_t len;

	progress_init(&t->progress, isatty(STDERR_FILENO));
	while (t->done < t->length && !t->differ) {
		left = t->length - t->done;
		len = left < piece ? (size_t)left : piece;
		n = step(t, t->backward ? left - len : t->done, len);
		if (n <= 0)
			break;
		t->done += (uint64_t)n;
		show_progress(t);
	}
	progress_end(&t->progress);
	t->ns = now_ns() - start;
	return n < 0 ? TOOL_FAILED : 0;
}

/* The first buffer is full of the byte to fill with, the time for which does not count. */
static int run_buffered(struct transfer *t, step_fn step)
{
	int ret = TOOL_FAILED;

	t->buffers[0] = malloc(BUFFER_PIECE);
	t->buffers[1] = malloc(BUFFER_PIECE);
	if (!t->buffers[0] || !t->buffers[1]) {
		tool_fail("no memory left");
		goto out;
	}
	memset(t->buffers[0], t->byte, BUFFER_PIECE);
	ret = run(t, step, BUFFER_PIECE);
out:
	free(t->buffers[1]);
	free(t->buffers[0]);
	return ret;
}

/* All of a piece but for what is past the end of a file. */
static ssize_t read_piece(struct transfer *t, const struct endpoint *e, uint64_t offset,
			  char *buffer, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = endpoint_read(e, offset + done, buffer + done, len - done);
		if (n < 0)
			return fail(t, e, "read", offset + done, n);
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t write_piece(struct transfer *t, uint64_t offset, const char *buffer, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = endpoint_write(t->dst, offset + done, buffer + done, len - done);
		if (n <= 0)
			return fail(t, t->dst, "write to", offset + done, n ? n : -EIO);
		done += (size_t)n;
	}
	return (ssize_t)len;
}

/* Copying */

static ssize_t copy_piece(struct transfer *t, uint64_t offset, size_t len)
{
	ssize_t n = read_piece(t, t->src, offset, t->buffers[0], len);

	if (n > 0 && (size_t)n < len && t->backward) {
		progress_end(&t->progress);
		tool_fail("%s became shorter meanwhile", t->src->text);
		return -1;
	}
	return n > 0 ? write_piece(t, offset, t->buffers[0], (size_t)n) : n;
}

static ssize_t copy_region_piece(struct transfer *t, uint64_t offset, size_t len)
{
	ssize_t n;

	do {
		n = phyr_copy(t->dst->dev, t->dst->fd, t->dst->at + offset, t->src->fd,
			      t->src->at + offset, len);
	} while (n == -EINTR);
	return n < 0 ? fail_both(t, "copy between", offset, n) : n;
}

int transfer_copy(struct transfer *t)
{
	t->backward = t->overlap && t->dst->place.at > t->src->place.at;
	if (endpoint_is_region(t->src) && endpoint_is_region(t->dst) && !t->overlap)
		return run(t, copy_region_piece, REGION_PIECE);
	return run_buffered(t, copy_piece);
}

/* Filling */

static ssize_t fill_piece(struct transfer *t, uint64_t offset, size_t len)
{
	return write_piece(t, offset, t->buffers[0], len);
}

static ssize_t fill_region_piece(struct transfer *t, uint64_t offset, size_t len)
{
	ssize_t n;

	do {
		n = phyr_fill(t->dst->dev, t->dst->fd, t->dst->at + offset, t->byte, len);
	} while (n == -EINTR);
	return n < 0 ? fail(t, t->dst, "fill", offset, n) : n;
}

int transfer_fill(struct transfer *t)
{
	if (endpoint_is_region(t->dst))
		return run(t, fill_region_piece, REGION_PIECE);
	return run_buffered(t, fill_piece);
}

/* Comparing */

static size_t alike(const char *a, const char *b, size_t len)
{
	size_t i;

	if (!memcmp(a, b, len))
		return len;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

/* A file that ends before the other place differs from it there. */
static ssize_t compare_piece(struct transfer *t, uint64_t offset, size_t len)
{
	ssize_t a = read_piece(t, t->src, offset, t->buffers[0], len), b;
	size_t both, same;

	if (a < 0)
		return a;
	b = read_piece(t, t->dst, offset, t->buffers[1], len);
	if (b < 0)
		return b;
	both = (size_t)(a < b ? a : b);
	same = alike(t->buffers[0], t->buffers[1], both);
	t->differ = same < both || a != b;
	if (same == both && a != b)
		t->ended = a < b ? t->src : t->dst;
	return (ssize_t)same;
}

static ssize_t compare_with_region(struct transfer *t, uint64_t offset, size_t len)
{
	bool first = endpoint_is_region(t->src);
	const struct endpoint *region = first ? t->src : t->dst, *other = first ? t->dst : t->src;
	ssize_t had = read_piece(t, other, offset, t->buffers[0], len), n = 0;

	if (had < 0)
		return had;
	while (had) {
		n = phyr_compare(region->dev, region->fd, region->at + offset, -1,
				 (uintptr_t)t->buffers[0], (size_t)had);
		if (n != -EINTR)
			break;
	}
	if (n < 0)
		return fail(t, region, "read", offset, n);
	t->differ = (size_t)n < len;
	if (t->differ && n == had)
		t->ended = other;
	return n;
}

static ssize_t compare_regions(struct transfer *t, uint64_t offset, size_t len)
{
	ssize_t n;

	do {
		n = phyr_compare(t->src->dev, t->src->fd, t->src->at + offset, t->dst->fd,
				 t->dst->at + offset, len);
	} while (n == -EINTR);
	if (n < 0)
		return fail_both(t, "compare", offset, n);
	t->differ = (size_t)n < len;
	return n;
}

int transfer_compare(struct transfer *t)
{
	bool a = endpoint_is_region(t->src), b = endpoint_is_region(t->dst);

	if (a && b)
		return run(t, compare_regions, REGION_PIECE);
	return run_buffered(t, a || b ? compare_with_region : compare_piece);
}
