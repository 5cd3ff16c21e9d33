// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmem.h"

#define TRACING	"/sys/kernel/tracing/"

static const char *const events[] = {
	TRACING "events/kmem/kmalloc/enable",
	TRACING "events/kmem/kmem_cache_alloc/enable",
	TRACING "events/kmem/kfree/enable",
	TRACING "events/kmem/kmem_cache_free/enable",
};

#define EVENTS	(sizeof(events) / sizeof(events[0]))

struct piece {
	uint64_t ptr;
	long bytes;
};

static int put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	int ret;

	if (!file)
		return -1;
	ret = fputs(text, file) < 0;
	return fclose(file) || ret ? -1 : 0;
}

static int switch_events(const char *to)
{
	int ret = 0;

	for (size_t i = 0; i < EVENTS; i++)
		ret |= put(events[i], to);
	return ret;
}

int kmem_start(void)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%d", gettid());
	if (put(TRACING "set_event_pid", pid) || put(TRACING "buffer_size_kb", "65536") ||
	    put(TRACING "trace", ""))
		return -1;
	return switch_events("1");
}

static int piece_compare(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->ptr > y->ptr) - (x->ptr < y->ptr);
}

static uint64_t number_after(const char *line, const char *key, int base)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

/* One line of the trace; returns how the sum changes. */
static long account(void **live, const char *line)
{
	struct piece key = { .ptr = number_after(line, "ptr=", 16) }, **found, *piece;
	long bytes;

	if (!key.ptr)
		return 0;
	found = tfind(&key, live, piece_compare);
	if (strstr(line, "bytes_alloc=")) {
		bytes = (long)number_after(line, "bytes_alloc=", 10);
		piece = malloc(sizeof(*piece));
		if (found || !piece)
			return 0;
		*piece = (struct piece){ .ptr = key.ptr, .bytes = bytes };
		tsearch(piece, live, piece_compare);
		return bytes;
	}
	if (!found)
		return 0;
	piece = *found;
	bytes = piece->bytes;
	tdelete(&key, live, piece_compare);
	free(piece);
	return -bytes;
}

long kmem_stop(void)
{
	void *live = NULL;
	char *line = NULL;
	size_t size = 0;
	long sum = 0;
	FILE *file;

	if (switch_events("0"))
		return -1;
	file = fopen(TRACING "trace", "r");
	if (!file)
		return -1;
	while (getline(&line, &size, file) > 0)
		if (line[0] != '#')
			sum += account(&live, line);
	fclose(file);
	free(line);
	tdestroy(live, free);
	put(TRACING "trace", "");
	put(TRACING "set_event_pid", "");
	return sum;
}
