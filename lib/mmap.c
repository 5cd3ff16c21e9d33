// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A region mapped where the kernel can use large page-table entries.
 *
 * The file of a dma-buf has no say in where it is mapped.  So an address is reserved that
 * lies to the size of such an entry as the memory does, and the region is mapped over it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define ACCESS_ALL (PHYR_ACCESS_READ | PHYR_ACCESS_WRITE)
#define STEP ((size_t)1 << 30)	/* what the kernel fills at the first access, at least */

/* What is asked for: where in the region, and where in memory, modulo @align. */
struct place {
	uint64_t offset;
	size_t len;
	size_t align;
	size_t rest;
};

/* Entries of a table side by side, the table's own place too where that is worth it. */
static size_t best_align(const struct phyr_query *query, size_t len)
{
	size_t entry = (size_t)query->large_entry;
	size_t table = entry * ((size_t)sysconf(_SC_PAGESIZE) / sizeof(uint64_t));

	return len < entry ? 0 : len < table ? entry : table;
}

static int find_place(int dev, int region, struct place *place)
{
	struct phyr_query query = { .size = sizeof(query) };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int ret = phyr_query(dev, region, &query);

	if (ret)
		return ret;
	if (query.flags & PHYR_QUERY_REVOKED)
		return -ENODEV;
	if (place->offset >= query.bytes || place->len > query.bytes - place->offset)
		return -EINVAL;
	if (!place->len && query.bytes - place->offset > SIZE_MAX)
		return -EOVERFLOW;
	if (!place->len)
		place->len = (size_t)(query.bytes - place->offset);
	/* a region that can be mapped consists of whole ones */
	place->len = (place->len + page - 1) & ~(page - 1);
	place->align = best_align(&query, place->len);
	if (place->align)
		place->rest = (size_t)((query.congruent + place->offset) % query.large_entry);
	return 0;
}

/* At the first fitting address of a reservation that is longer by an alignment. */
static void *map_there(int region, int prot, const struct place *place)
{
	size_t room = place->len + place->align, head;
	char *area, *at;

	if (room < place->len) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	head = (place->rest - (uintptr_t)area) % place->align;
	at = mmap(area + head, place->len, prot, MAP_SHARED | MAP_FIXED, region,
		  (off_t)place->offset);
	if (at == MAP_FAILED) {
		int error = errno;

		munmap(area, room);
		errno = error;
		return MAP_FAILED;
	}
	if (head)
		munmap(area, head);
	munmap(at + place->len, room - head - place->len);
	return at;
}

static void *map_at(int region, int prot, const struct place *place)
{
	void *map = place->align ? map_there(region, prot, place) : MAP_FAILED;

	/* without room for the longer reservation, anywhere */
	if (map != MAP_FAILED || (place->align && errno != ENOMEM))
		return map;
	return mmap(NULL, place->len, prot, MAP_SHARED, region, (off_t)place->offset);
}

/* Read by the kernel: a memory that is revoked meanwhile is an error then, and no signal. */
static int touch(const char *map, size_t len)
{
	size_t at, next;
	int sink[2], ret = 0;

	if (pipe2(sink, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	for (at = 0; at < len && !ret; at = next) {
		char byte;

		next = at + STEP - ((uintptr_t)map + at) % STEP;
		if (write(sink[1], map + at, 1) != 1 || read(sink[0], &byte, 1) != 1)
			ret = -errno;
	}
	close(sink[0]);
	close(sink[1]);
	return ret;
}

/* A fault that failed: the memory is revoked, or there was none for page tables. */
static int why_no_fault(int dev, int region)
{
	struct phyr_query query = { .size = sizeof(query) };
	int ret = phyr_query(dev, region, &query);

	if (ret)
		return ret;
	return query.flags & PHYR_QUERY_REVOKED ? -ENODEV : -ENOMEM;
}

PHYR_EXPORT int phyr_mmap(int dev, int region, uint64_t offset, size_t len,
			  unsigned int flags, void **addr)
{
	struct place place = { .offset = offset, .len = len };
	int prot = (flags & PHYR_ACCESS_READ ? PROT_READ : 0) |
		   (flags & PHYR_ACCESS_WRITE ? PROT_WRITE : 0);
	void *map;
	int ret;

	if (!prot || flags & ~(ACCESS_ALL | PHYR_MMAP_POPULATE))
		return -EINVAL;
	ret = find_place(dev, region, &place);
	if (ret)
		return ret;
	map = map_at(region, prot, &place);
	if (map == MAP_FAILED)
		return -errno;
	ret = flags & PHYR_MMAP_POPULATE ? touch(map, place.len) : 0;
	if (ret == -EFAULT)
		ret = why_no_fault(dev, region);
	if (ret) {
		munmap(map, place.len);
		return ret;
	}
	*addr = map;
	return 0;
}
