/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of every kind that the guest has, for its tests, demo and bench.
 */
#ifndef MEM_H
#define MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB	(1ull << 10)
#define MIB	(1ull << 20)
#define GIB	(1ull << 30)

struct mem;

/**
 * struct mem_kind - a kind of memory
 * @name: what the tables call it
 * @size: how much of it the demo takes
 * @page: size of one page of it, in bytes: sizes must be multiples of this
 * @struct_page: whether it has struct pages
 * @read_only: whether it can be pinned for reading only
 * @short_only: whether FOLL_LONGTERM is refused, on some kernels at least
 * @map: maps @mem->len bytes of it; 0, or -1 with errno
 */
struct mem_kind {
	const char *name;
	size_t size;
	size_t page;
	bool struct_page;
	bool read_only;
	bool short_only;
	int (*map)(struct mem *mem);
};

/** struct mem - memory of one kind, mapped and touched */
struct mem {
	const struct mem_kind *kind;
	char *addr;
	size_t len;
	void *area;		/* what to unmap */
	size_t area_len;
	int fd;
};

extern const struct mem_kind mem_kinds[];
extern const size_t mem_nr_kinds;

const struct mem_kind *mem_find(const char *name);

/*
 * NULL, or why a kernel without transparent huge pages lacks a kind, or a part of
 * it.  mem_map() then maps other memory in its place, and says so.
 */
const char *mem_missing(const struct mem_kind *kind);

int mem_map(struct mem *mem, const struct mem_kind *kind, size_t len);
void mem_unmap(struct mem *mem);

/* The page frame behind an address of this process; 0 if there is none. */
uint64_t mem_pfn(const void *addr);

/* A line "NAME VALUE" of /proc/vmstat. */
long long mem_vmstat(const char *name);

#endif
