// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "layout.h"

#include <fcntl.h>

#define PFN_MASK	((1ull << 55) - 1)
#define PRESENT		(1ull << 63)

/* A stretch of pages, and what is known about them. */
struct pages {
	uintptr_t start;	/* of the first page */
	size_t nr;
	uint64_t *frames;
};

static void read_pagemap(struct pages *pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)(pages->start / PAGE * 8);
	size_t done = 0, size = pages->nr * 8;
	ssize_t got;

	assert_return_code(fd, errno);
	for (; done < size; done += (size_t)got) {
		got = pread(fd, (char *)pages->frames + done, size - done, at + (off_t)done);
		assert_true(got > 0);
	}
	close(fd);
	for (size_t i = 0; i < pages->nr; i++)
		pages->frames[i] = pages->frames[i] & PRESENT ? pages->frames[i] & PFN_MASK : 0;
}

/* The bus address of BAR 2 of the device whose "resource2" is at @path. */
static uint64_t bar_start(const char *path)
{
	char name[300];
	unsigned long long start = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(path) - 1), path);
	f = fopen(name, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*x %*x %*x %*x %*x %*x %llx", &start), 1);
	fclose(f);
	assert_true(start);
	return start;
}

static void fill_bar(struct pages *pages, uintptr_t start, uintptr_t end, uint64_t phys)
{
	for (size_t i = 0; i < pages->nr; i++) {
		uintptr_t addr = pages->start + i * PAGE;

		if (addr >= start && addr < end)
			pages->frames[i] = (phys + addr - start) / PAGE;
	}
}

/* The pagemap is silent about memory without pages; sysfs and /dev/mem are not. */
static void read_pageless(struct pages *pages)
{
	char line[400], path[300];
	unsigned long start, end, offset;
	uint64_t phys;
	FILE *f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %299s", &start, &end, &offset,
			   path) != 4)
			continue;
		if (!strcmp(path, "/dev/mem") || !strcmp(path, "/dev/phyr_test"))
			fill_bar(pages, start, end, offset);
		if (!strstr(path, "/resource2"))
			continue;
		phys = bar_start(path);
		/* The kernel turns the offset into the BAR into the address. */
		fill_bar(pages, start, end, offset < phys ? phys + offset : offset);
	}
	fclose(f);
}

uint64_t *layout_frames(const char *addr, size_t len)
{
	uintptr_t start = (uintptr_t)addr & ~(PAGE - 1);
	struct pages pages = {
		.start = start,
		.nr = ((uintptr_t)addr + len - 1 - start) / PAGE + 1,
	};

	pages.frames = malloc(pages.nr * 8);
	assert_non_null(pages.frames);
	read_pagemap(&pages);
	read_pageless(&pages);
	return pages.frames;
}

static void check_range(const struct phyr_range *range, uintptr_t addr, const uint64_t *frames,
			uintptr_t start)
{
	uint64_t step, phys;

	for (uint64_t done = 0; done < range->len; done += step) {
		uintptr_t at = addr + done;

		phys = frames[(at - start) / PAGE] * PAGE + at % PAGE;
		if (range->addr + done != phys)
			fail_msg("byte %#lx is at %#llx, not at %#llx", (unsigned long)at,
				 (unsigned long long)phys,
				 (unsigned long long)(range->addr + done));
		step = PAGE - at % PAGE;
	}
}

void layout_check(const char *addr, size_t len, const struct phyr_range *ranges, size_t nr)
{
	uintptr_t start = (uintptr_t)addr & ~(PAGE - 1);
	uint64_t *frames = layout_frames(addr, len);
	size_t pos = 0;

	for (size_t i = 0; i < nr; i++) {
		assert_true(ranges[i].len && ranges[i].len <= len - pos);
		assert_true(ranges[i].kind < PHYR_KIND_MAX && !ranges[i].reserved);
		check_range(&ranges[i], (uintptr_t)addr + pos, frames, start);
		if (i && ranges[i - 1].kind == ranges[i].kind)
			assert_int_not_equal(ranges[i - 1].addr + ranges[i - 1].len,
					     ranges[i].addr);
		pos += ranges[i].len;
	}
	assert_int_equal(pos, len);
	free(frames);
}

struct phyr_range *layout_ranges(int region, size_t *nr)
{
	struct phyr_query query = { .size = sizeof(query) };
	struct phyr_range *ranges;
	ssize_t got;

	assert_int_equal(phyr_query(dev, region, &query), 0);
	ranges = calloc(query.phyrs + 1, sizeof(*ranges));
	assert_non_null(ranges);
	got = phyr_ranges(dev, region, 0, ranges, (unsigned int)query.phyrs + 1);
	assert_int_equal(got, query.phyrs);
	*nr = (size_t)got;
	return ranges;
}
