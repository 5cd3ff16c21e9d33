/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that programs are about: areas of every kind, each at an address
 * of its own with nothing around it. A program may tear an area to pieces; it is
 * mended before the next one runs.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum area {
	AREA_SMALL,		/* 4 KiB pages, scattered */
	AREA_MTHP,
	AREA_THP,
	AREA_HUGE,		/* hugetlb, 2 MiB */
	AREA_MEMFD,		/* its file ends before it does */
	AREA_MEMFD_HUGE,
	AREA_GIGANTIC,		/* hugetlb, 1 GiB */
	AREA_FILE,		/* ext4, to read */
	AREA_PRIVATE,		/* ext4, a private copy */
	AREA_FSDAX,
	AREA_DEVDAX,
	AREA_BAR,
	AREA_ZERO,		/* never written */
	AREA_RDONLY,
	AREA_NONE,
	AREA_MIXED,
	AREA_HOLEY,
	AREA_STACK,		/* grows down */
	AREA_TEXT,
	AREA_SECRET,
	AREA_WINDOW,		/* where regions are mapped: four of them */
	AREA_ELSEWHERE,		/* where mremap() moves to */
	NR_MAPPED_AREAS,
	AREA_OUT = NR_MAPPED_AREAS,	/* a buffer of each thread, which is checked */
	AREA_NULL,
	AREA_USER_END,
	AREA_NOT_CANONICAL,
	AREA_DIRECT,
	AREA_KERNEL,
	AREA_VSYSCALL,
	AREA_TOP,		/* the last byte there is, plus one */
	NR_AREAS
};

#define NR_WINDOWS	4
#define WINDOW_SIZE	(4ul << 20)
#define WINDOWS_SIZE	(NR_WINDOWS * WINDOW_SIZE)

/* What all processes share. */
void world_open(void);
void world_close(void);

/* All areas, in this process. */
void world_map(void);
void world_mend(void);
void world_unmap(void);

const char *world_name(uint64_t area);
int world_find(const char *name, size_t len);
size_t world_len(uint64_t area);

/* An argument of a program as an address; for AREA_OUT it is @out. */
uint64_t world_addr(uint64_t arg, void *out);

/*
 * The part of @arg and @len that lies in an area, which may then be changed: true
 * if there is any.
 */
bool world_part(uint64_t arg, uint64_t len, char **addr, size_t *size);

char *world_base(enum area area);
int world_memfd(void);		/* of AREA_MEMFD, this process's own */

#endif
