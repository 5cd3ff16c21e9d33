// SPDX-License-Identifier: GPL-2.0-only
/*
 * The phyrs of a stretch of memory, and what they cost.
 *
 * This is core/phyr_list.c, the very file that is in the module, so its number
 * of bytes is the kernel's.  Built against the stand-ins for kernel headers of
 * the host tests, for which host_alloc() is here malloc().
 */
#include <stdlib.h>

#include <linux/phyr_list.h>
#include <linux/slab.h>

#include "cost.h"

struct cost_list {
	struct phyr_list list;
};

void *host_alloc(size_t size)
{
	return malloc(size);
}

void host_free(const void *p)
{
	free((void *)(uintptr_t)p);
}

unsigned int cost_class(uint64_t len)
{
	if (len < 64ULL << 10)
		return CLASS_SMALL;
	if (len < 2ULL << 20)
		return CLASS_MEDIUM;
	return len < 1ULL << 30 ? CLASS_LARGE : CLASS_GIANT;
}

struct cost_list *cost_list_new(void)
{
	struct cost_list *list = malloc(sizeof(*list));

	if (list)
		phyr_list_init(&list->list);
	return list;
}

/* Adds what follows at the next virtual address; 0 or a negative errno. */
int cost_list_add(struct cost_list *list, uint64_t addr, uint64_t len, bool pageless)
{
	return phyr_list_append(&list->list, addr, len, pageless ? PHYR_PFNMAP : PHYR_RAM,
				GFP_KERNEL);
}

/* What follows is not adjacent in virtual memory: no phyr goes across. */
void cost_list_gap(struct cost_list *list)
{
	phyr_list_seal(&list->list);
}

void cost_list_finish(struct cost_list *list, struct cost *cost)
{
	struct phyr_iter it;
	struct phyr phyr;
	unsigned int class;

	phyr_list_trim(&list->list, GFP_KERNEL);
	*cost = (struct cost){
		.bytes = phyr_list_len(&list->list),
		.phyrs = phyr_list_nr(&list->list),
	};
	if (cost->phyrs)
		cost->metadata = sizeof(list->list) + phyr_list_bytes(&list->list);
	phyr_list_for_each(&list->list, it, phyr) {
		class = cost_class(phyr.len);
		cost->class_bytes[class] += phyr.len;
		cost->class_phyrs[class]++;
		if (phyr.len > cost->largest)
			cost->largest = phyr.len;
	}
}

/* Calls @fn with the length of each phyr, in the order of virtual memory. */
void cost_list_each(const struct cost_list *list, cost_fn fn, void *ctx)
{
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each(&list->list, it, phyr)
		fn(phyr.len, ctx);
}

void cost_list_free(struct cost_list *list)
{
	if (!list)
		return;
	phyr_list_free(&list->list);
	free(list);
}
