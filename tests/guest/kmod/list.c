// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list by itself, as a module uses it: what it says is what was appended,
 * and an append that fails changes nothing. A check that fails answers with its
 * line.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "phyr_test.h"

#define MANY	64

/* Every second page, from an address that no memory has. */
static phys_addr_t addr_of(u32 i)
{
	return (1ULL << 45) + 2 * (u64)i * PAGE_SIZE;
}

static int append(struct phyr_list *list, u32 from, u32 nr)
{
	struct phyr phyrs[MANY];
	u32 i;

	if (nr == 1)
		return phyr_list_append(list, addr_of(from), PAGE_SIZE, PHYR_PFNMAP, GFP_KERNEL);
	for (i = 0; i < nr; i++)
		phyrs[i] = (struct phyr) { .addr = addr_of(from + i), .len = PAGE_SIZE };
	return phyr_list_append_many(list, phyrs, nr, PHYR_PFNMAP, GFP_KERNEL);
}

/* Is @list what was appended, and not a byte more? */
static int check(const struct phyr_list *list, u32 nr)
{
	struct phyr_iter it;
	struct phyr phyr;
	u32 i = 0;

	if (phyr_list_nr(list) != nr || phyr_list_len(list) != (u64)nr * PAGE_SIZE)
		return __LINE__;
	phyr_list_for_each(list, it, phyr) {
		if (phyr.addr != addr_of(i) || phyr.len != PAGE_SIZE)
			return __LINE__;
		i++;
	}
	if (i != nr)
		return __LINE__;
	if (nr && !phyr_list_find(list, (u64)(nr / 2) * PAGE_SIZE + 5, &phyr, NULL))
		return __LINE__;
	return nr && phyr.addr != addr_of(nr / 2) + 5 ? __LINE__ : 0;
}

static int build(struct phyr_list *list, const struct pt_build *b, u32 *nr)
{
	u32 many = clamp(b->many, 1, MANY), n;
	int ret;

	for (*nr = 0; *nr < b->nr; *nr += n) {
		n = min(many, b->nr - *nr);
		ret = append(list, *nr, n);
		if (ret)
			return ret;
	}
	return 0;
}

int pt_build(struct pt_build *b)
{
	struct phyr_list list;
	int ret;
	u32 nr;

	phyr_list_init(&list);
	ret = build(&list, b, &nr);
	b->line = check(&list, nr);
	if (ret || b->line)
		goto free;

	nr /= 2;
	phyr_list_truncate(&list, (u64)nr * PAGE_SIZE);
	phyr_list_trim(&list, GFP_KERNEL | __GFP_NOWARN);
	b->line = check(&list, nr);
	phyr_list_seal(&list);
	if (!b->line)
		ret = append(&list, nr, 1);
	if (!b->line)
		b->line = check(&list, nr + !ret);
free:
	phyr_list_free(&list);
	return ret;
}
