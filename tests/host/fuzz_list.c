// SPDX-License-Identifier: GPL-2.0-only
/*
 * A libFuzzer target: the input is a program for the list, which runs on the
 * list and on the model of model.c.  Where the two differ, it aborts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/slab.h>

#include "alloc.h"
#include "fuzz_list.h"
#include "model.h"

#define MAX_RANGES	20000u
#define MAX_WALKS	64u
#define BULK		96u		/* more than what the first leaf has room for */

struct input {
	const u8 *data;
	size_t left;
};

struct fuzz {
	struct input in;
	struct phyr_list list;
	struct model model;
	unsigned int walks;		/* of long lists, which take long */
};

#define check(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s: not so: %s\n", __func__, #condition); \
		abort();						\
	}								\
} while (0)

static u64 take(struct input *in, unsigned int bytes)
{
	u64 value = 0;

	for (; bytes && in->left; bytes--, in->left--)
		value = value << 8 | *in->data++;
	return value;
}

static u64 pick_len(struct input *in)
{
	u64 choice = take(in, 1), n = choice >> 4;

	switch (choice & 15) {
	case 0: return 0;
	case 1: return n + 1;
	case 2: return (size_t)take(in, 8);
	case 3: return SIZE_MAX / 2 + n;
	case 4: return SIZE_MAX - n;
	case 5: return 4095 + n;
	case 6: case 7: return (n + 1) << 21;
	case 8: case 9: return (n % 4 + 1) << 30 & SIZE_MAX;
	case 10: return (n % 4 + 0xfffe) << 12;
	case 11: return (n % 4 + 0xfffe) << 21 & SIZE_MAX;
	default: return (n + 1) << 12;
	}
}

/* One of those there are, mostly, or a wrong one. */
static enum phyr_kind pick_kind(struct input *in)
{
	u64 choice = take(in, 1) % 32;

	if (choice == 31)
		return (enum phyr_kind)-1;
	return choice == 30 ? PHYR_NR_KINDS : (enum phyr_kind)(choice % PHYR_NR_KINDS);
}

static u64 pick_addr(struct fuzz *f, u64 len)
{
	u64 choice = take(&f->in, 1), n = choice >> 4;
	struct range last = { 0 };

	if (f->model.nr)
		last = f->model.range[f->model.nr - 1];
	switch (choice & 15) {
	case 0: case 1: case 2: case 3: return last.addr + last.len;
	case 4: return last.addr + last.len + n;
	case 5: return last.addr;
	case 6: return PHYS_MAX - len + 1;
	case 7: return PHYS_MAX - len + n;
	case 8: return (1ULL << 52) - (n << 12);
	case 9: return take(&f->in, 8);
	case 10: return n << 30;
	case 11: return 0;
	default: return take(&f->in, 2) << 12;
	}
}

/* An offset, most often one where something happens. */
static u64 pick_offset(struct fuzz *f)
{
	u64 choice = take(&f->in, 1), n = choice >> 4;

	switch (choice & 7) {
	case 0: return take(&f->in, 8);
	case 1: return f->model.len + n - 8;
	case 2: return n;
	case 3: return take(&f->in, 4) % (f->model.len / 2 + 1) * 2;
	case 4: return take(&f->in, 2) << 12;
	default:
		return model_start(&f->model, take(&f->in, 2) % (f->model.nr + 1)) +
		       n % 3 - 1;
	}
}

static bool may_walk(struct fuzz *f)
{
	return f->model.nr < 100 || f->walks++ < MAX_WALKS;
}

static void check_cheap(const struct fuzz *f)
{
	check(phyr_list_len(&f->list) == f->model.len);
	check(phyr_list_nr(&f->list) == f->model.nr);
	check(phyr_list_bytes(&f->list) == host_live_bytes());
}

static void append(struct fuzz *f, struct range r, unsigned int fail_at)
{
	int ret;

	if (f->model.nr >= MAX_RANGES)
		return;
	r.addr &= PHYS_MAX;
	r.len &= SIZE_MAX;
	host_fail_at(fail_at);
	ret = phyr_list_append(&f->list, (phys_addr_t)r.addr, (size_t)r.len, r.kind,
			       GFP_KERNEL);
	if (host_fail_done())
		check(ret == -ENOMEM);
	else
		check(ret == model_append(&f->model, r));
	check_cheap(f);
}

/* Each operation gets 4 bits, @n, with which it may do as it likes. */

static void op_append(struct fuzz *f, unsigned int n)
{
	struct range r;

	r.len = pick_len(&f->in);
	r.addr = pick_addr(f, r.len);
	r.kind = pick_kind(&f->in);
	append(f, r, n > 11 ? n - 11 : 0);
}

/* Many ranges from few bytes, so that trees grow. */
static void op_append_many(struct fuzz *f, unsigned int n)
{
	u64 nr = take(&f->in, 2) % 1024, how = take(&f->in, 1);
	u64 len = pick_len(&f->in), addr = pick_addr(f, len), stride = take(&f->in, 3) << 9;
	u64 i;

	for (i = 0; i < nr; i++) {
		struct range r = { addr, len, PHYR_RAM };

		if (how & 1)
			r.kind = (enum phyr_kind)(i % 4);
		if (how & 2 && i % 7 == 3)
			r.len = 4096;
		if (how & 4 && i % (how >> 3 | 1) == 0)
			r.len += 4096;
		append(f, r, n && i % 16 == n ? 1 + n % 3 : 0);
		addr += stride;
	}
}

static unsigned int pick_shift(struct input *in)
{
	static const unsigned char shifts[] = { 9, 12, 12, 13, 16, 21, 30, 31, 52, 63, 64 };

	return shifts[take(in, 1) % (sizeof(shifts) / sizeof(shifts[0]))];
}

/* All of the ranges, or none. */
static int model_append_all(struct model *m, const struct range *ranges, unsigned int nr)
{
	const struct model before = *m;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = model_append(m, ranges[i]);
	if (ret) {
		model_truncate(m, before.len);
		m->sealed = before.sealed;
		m->kinds = before.kinds;
	}
	return ret;
}

/* In one call: ranges, or pages of one size. Most follow the one before. */
static void op_append_bulk(struct fuzz *f, unsigned int n)
{
	unsigned int nr = (unsigned int)take(&f->in, 1) % BULK + 1, shift = 64, i;
	enum phyr_kind kind = pick_kind(&f->in);
	struct range ranges[BULK];
	phys_addr_t addrs[BULK];
	struct phyr phyrs[BULK];
	u64 len, addr = 0;
	int ret;

	if (f->model.nr + nr > MAX_RANGES)
		return;
	if (n & 1)
		shift = n & 2 ? pick_shift(&f->in) : 12;
	len = shift < sizeof(size_t) * 8 ? (size_t)1 << shift : 0;
	for (i = 0; i < nr; i++) {
		if (!(n & 1))
			len = pick_len(&f->in) & SIZE_MAX;
		if (!i || take(&f->in, 1) & 1)
			addr = pick_addr(f, len);
		addrs[i] = (phys_addr_t)addr;
		phyrs[i] = (struct phyr){ .addr = addrs[i], .len = (size_t)len };
		ranges[i] = (struct range){ addrs[i], len, kind };
		addr += len;
	}
	host_fail_at(n >> 2);
	if (n & 1)
		ret = phyr_list_append_pages(&f->list, addrs, nr, shift, kind, GFP_KERNEL);
	else
		ret = phyr_list_append_many(&f->list, phyrs, nr, kind, GFP_KERNEL);
	if (host_fail_done())
		check(ret == -ENOMEM);
	else
		check(ret == model_append_all(&f->model, ranges, nr));
	check_cheap(f);
}

static void op_truncate(struct fuzz *f, unsigned int n)
{
	u64 len = n == 15 ? 0 : pick_offset(f);

	host_fail_at(1);
	phyr_list_truncate(&f->list, len);
	check(!host_fail_done());
	model_truncate(&f->model, len);
	check_cheap(f);
}

static void op_trim(struct fuzz *f, unsigned int n)
{
	size_t bytes = phyr_list_bytes(&f->list);

	host_fail_at(n & 1);
	phyr_list_trim(&f->list, GFP_KERNEL);
	if (host_fail_done())
		check(phyr_list_bytes(&f->list) == bytes);
	check(phyr_list_bytes(&f->list) <= bytes);
	check_cheap(f);
}

static void op_seal(struct fuzz *f, unsigned int n)
{
	(void)n;
	phyr_list_seal(&f->list);
	f->model.sealed = true;
}

static void op_find(struct fuzz *f, unsigned int n)
{
	u64 offset = n == 15 ? 0 : pick_offset(f);

	if (may_walk(f))
		check(model_find_matches(&f->model, &f->list, offset));
}

static u64 pick_slice_len(struct fuzz *f, u64 offset, unsigned int n)
{
	return n & 1 ? pick_offset(f) - offset : pick_len(&f->in);
}

static void op_slice(struct fuzz *f, unsigned int n)
{
	u64 offset = pick_offset(f), len = pick_slice_len(f, offset, n);

	if (may_walk(f))
		check(n & 2 ? model_slice_matches(&f->model, &f->list, offset, len) :
			      model_fill_matches(&f->model, &f->list, offset, len,
						 1 + n * MODEL_FILL_MAX / 16));
}

/* A segment is as long as it may be, and no longer. */
static void op_cut(struct fuzz *f, unsigned int n)
{
	u64 addr = take(&f->in, 8), len = pick_len(&f->in), bits = take(&f->in, 1), cut, mask;
	struct phyr_seg_limits lim;

	lim.boundary_mask = bits & 64 ? (1ULL << bits % 64) - 1 : ~0ULL;
	lim.max_len = n & 2 ? pick_len(&f->in) : ~0ULL;
	if (n >> 2 == 2)
		lim.boundary_mask = take(&f->in, 8);
	mask = lim.boundary_mask;
	check(phyr_seg_limits_valid(&lim) == (lim.max_len && (mask & (mask + 1)) == 0));
	if (!len || !phyr_seg_limits_valid(&lim))
		return;
	cut = phyr_seg_cut(addr, len, &lim);
	check(cut && cut <= len && cut <= lim.max_len);
	check((addr & ~mask) == ((addr + (cut - 1)) & ~mask));
	check(cut == len || cut == lim.max_len || !((addr + cut) & mask));
}

static void (*const ops[16])(struct fuzz *f, unsigned int n) = {
	op_append, op_append, op_append, op_append, op_append_bulk, op_seal,
	op_append_many, op_truncate, op_truncate, op_trim, op_find, op_find,
	op_slice, op_slice, op_cut, op_cut,
};

static void step(struct fuzz *f)
{
	unsigned int op = (unsigned int)take(&f->in, 1);

	ops[op & 15](f, op >> 4);
	if (f->model.nr < 100)
		check(model_matches(&f->model, &f->list));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz f = { .in = { data, size } };

	phyr_list_init(&f.list);
	while (f.in.left)
		step(&f);
	check(model_matches(&f.model, &f.list));
	phyr_list_free(&f.list);
	check(!host_live());
	model_free(&f.model);
	return 0;
}
