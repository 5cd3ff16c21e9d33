/* SPDX-License-Identifier: GPL-2.0-only */
/* What a stretch of memory comes to as phyrs: the kernel's own list does it. */
#ifndef PHYR_COST_H
#define PHYR_COST_H

#include <stdbool.h>
#include <stdint.h>

/* Classes of length: what a phyr of it is good for */
enum {
	CLASS_SMALL,			/* below 64 KiB */
	CLASS_MEDIUM,			/* below 2 MiB */
	CLASS_LARGE,			/* below 1 GiB: a PMD's worth */
	CLASS_GIANT,			/* 1 GiB and up: a PUD's */
	NR_CLASSES
};

struct cost {
	uint64_t bytes;
	uint64_t phyrs;
	uint64_t largest;
	uint64_t metadata;		/* of the list, its head included */
	uint64_t class_bytes[NR_CLASSES];
	uint64_t class_phyrs[NR_CLASSES];
};

/* A list that is being built */
struct cost_list;

typedef void (*cost_fn)(uint64_t len, void *ctx);

struct cost_list *cost_list_new(void);
int cost_list_add(struct cost_list *list, uint64_t addr, uint64_t len, bool pageless);
void cost_list_gap(struct cost_list *list);
void cost_list_finish(struct cost_list *list, struct cost *cost);
void cost_list_each(const struct cost_list *list, cost_fn fn, void *ctx);
void cost_list_free(struct cost_list *list);

unsigned int cost_class(uint64_t len);

#endif /* PHYR_COST_H */
