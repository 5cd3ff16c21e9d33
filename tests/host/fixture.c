// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

void pair_init(struct pair *p)
{
	*p = (struct pair){ 0 };
	phyr_list_init(&p->list);
}

void pair_free(struct pair *p)
{
	phyr_list_free(&p->list);
	model_free(&p->model);
}

/* Appends to both, or learns that both refuse alike. */
void pair_append(struct pair *p, struct range r)
{
	int ret = append(&p->list, r.addr, r.len, r.kind);

	assert_int_equal(ret, model_append(&p->model, r));
}

void pair_fill(struct pair *p, pattern_fn pattern, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		pair_append(p, pattern(from));
}

void list_fill(struct phyr_list *list, pattern_fn pattern, unsigned int from, unsigned int to)
{
	for (; from < to; from++) {
		struct range r = pattern(from);

		assert_int_equal(append(list, r.addr, r.len, r.kind), 0);
	}
}

void pair_seal(struct pair *p)
{
	phyr_list_seal(&p->list);
	p->model.sealed = true;
}

void pair_truncate(struct pair *p, u64 len)
{
	phyr_list_truncate(&p->list, len);
	model_truncate(&p->model, len);
}

void pair_check(const struct pair *p)
{
	assert_true(model_matches(&p->model, &p->list));
	assert_int_equal(phyr_list_bytes(&p->list), host_live_bytes());
}

int forget_leaks(void **state)
{
	(void)state;
	host_reset();
	return 0;
}

int no_leak(void **state)
{
	(void)state;
	assert_int_equal(host_live(), 0);
	return 0;
}

/* Page frame numbers, no two neighbours adjacent, all over the address space. */
static u64 scatter(unsigned int i)
{
	unsigned int bits = sizeof(phys_addr_t) == 8 ? 40 : 20;

	return ((u64)i * 0x9e3779b97f4a7c15ULL) >> (64 - bits);
}

static u64 scatter_aligned(unsigned int i, u64 size)
{
	return scatter(i) << 12 & ~(size - 1);
}

struct range scattered_pages(unsigned int i)
{
	return range(scatter(i) << 12, 4 * KiB, PHYR_RAM);
}

static struct range runs_of_pages(unsigned int i)
{
	return range((scatter(i / 3) + i % 3) << 12 & PHYS_MAX, 4 * KiB, PHYR_RAM);
}

/* The least that fits in a leaf: one range each. */
struct range alternating_kinds(unsigned int i)
{
	return range(scatter(i) << 12, 4 * KiB, (enum phyr_kind)(i % PHYR_NR_KINDS));
}

struct range odd_bytes(unsigned int i)
{
	return range(scatter(i) << 6 | 3, 1 + i % 7, PHYR_PFNMAP);
}

static struct range huge_pages(unsigned int i)
{
	return range(scatter_aligned(i, 2 * MiB), 2 * MiB, PHYR_RAM);
}

static struct range giant_pages(unsigned int i)
{
	return range(scatter_aligned(i, GiB), GiB, PHYR_RAM);
}

struct range mixed_sizes(unsigned int i)
{
	static const u64 sizes[] = {
		4 * KiB, 2 * MiB, 4 * KiB, 64 * KiB, GiB, 2 * MiB, 2 * MiB, 4 * KiB,
	};
	u64 size = sizes[i % ARRAY_SIZE(sizes)];

	return range(scatter_aligned(i, size), size, PHYR_RAM);
}

/* What pinning a buffer that begins and ends inside a page gives. */
static struct range unaligned_buffers(unsigned int i)
{
	struct range r = scattered_pages(i);

	if (i % 16 == 0)
		r.addr += 1000;
	if (i % 16 == 0 || i % 16 == 15)
		r.len -= 1000;
	return r;
}

static struct range odd_and_even(unsigned int i)
{
	return i % 2 ? odd_bytes(i) : mixed_sizes(i);
}

/* Addresses that fill all bits, where phys_addr_t has more than a leaf packs. */
static struct range high_addresses(unsigned int i)
{
	return range(PHYS_MAX - (scatter(i) << 12) - 4 * KiB + 1, 4 * KiB, PHYR_P2P);
}

const struct named_pattern patterns[] = {
	{ "scattered pages", scattered_pages },
	{ "runs of pages", runs_of_pages },
	{ "alternating kinds", alternating_kinds },
	{ "odd bytes", odd_bytes },
	{ "2 MiB pages", huge_pages },
	{ "1 GiB pages", giant_pages },
	{ "mixed sizes", mixed_sizes },
	{ "unaligned buffers", unaligned_buffers },
	{ "odd and even", odd_and_even },
	{ "high addresses", high_addresses },
};

const size_t nr_patterns = ARRAY_SIZE(patterns);
