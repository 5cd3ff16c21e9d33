// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/minmax.h>

#include "model.h"

static bool same(const char *what, u64 is, u64 should)
{
	if (is == should)
		return true;
	fprintf(stderr, "%s is %#llx, should be %#llx\n", what,
		(unsigned long long)is, (unsigned long long)should);
	return false;
}

void model_free(struct model *m)
{
	free(m->range);
	memset(m, 0, sizeof(*m));
}

/* Whether @r makes @last longer; u64 keeps the sums of a 32-bit machine whole. */
static bool merges(const struct range *last, struct range r)
{
	return last->kind == r.kind && r.addr && last->addr + last->len == r.addr &&
	       r.len <= (u64)SIZE_MAX - last->len;
}

static void push(struct model *m, struct range r)
{
	if (m->nr == m->max) {
		m->max = m->max ? 2 * m->max : 64;
		m->range = realloc(m->range, m->max * sizeof(r));
		if (!m->range)
			abort();
	}
	m->range[m->nr++] = r;
}

int model_append(struct model *m, struct range r)
{
	if (!r.len || (int)r.kind < 0 || r.kind >= PHYR_NR_KINDS)
		return -EINVAL;
	if (r.len - 1 > PHYS_MAX - r.addr || m->len + r.len < m->len)
		return -EOVERFLOW;
	if (m->nr && !m->sealed && merges(&m->range[m->nr - 1], r))
		m->range[m->nr - 1].len += r.len;
	else
		push(m, r);
	m->sealed = false;
	m->len += r.len;
	m->kinds |= 1u << r.kind;
	return 0;
}

void model_truncate(struct model *m, u64 len)
{
	while (m->len > len) {
		struct range *last = &m->range[m->nr - 1];
		u64 cut = min(m->len - len, last->len);

		last->len -= cut;
		m->len -= cut;
		m->sealed = false;
		if (!last->len)
			m->nr--;
	}
}

u64 model_start(const struct model *m, size_t index)
{
	u64 start = 0;

	while (index--)
		start += m->range[index].len;
	return start;
}

static u64 slice_end(const struct model *m, u64 offset, u64 len)
{
	if (offset >= m->len || len >= m->len - offset)
		return m->len;
	return offset + len;
}

/* Cuts @r, which starts at @start, to [@offset, @end); length 0: outside. */
static struct range cut_range(struct range r, u64 start, u64 offset, u64 end)
{
	u64 from = start > offset ? start : offset;
	u64 to = min(start + r.len, end);

	r.addr += from - start;
	r.len = from < to ? to - from : 0;
	return r;
}

static bool same_phyr(const struct phyr *phyr, enum phyr_kind kind, struct range r)
{
	return same("an address", phyr->addr, r.addr) &&
	       same("a length", phyr->len, r.len) && same("a kind", kind, r.kind);
}

bool model_slice_matches(const struct model *m, const struct phyr_list *list,
			 u64 offset, u64 len)
{
	u64 start = 0, end = slice_end(m, offset, len);
	struct phyr phyr = { 1, 2 };
	struct phyr_iter it;
	size_t i;

	phyr_iter_init(&it, list, offset, len);
	for (i = 0; i < m->nr; start += m->range[i++].len) {
		struct range r = cut_range(m->range[i], start, offset, end);

		if (!r.len)
			continue;
		if (!same("phyr_iter_next()", phyr_iter_next(&it, &phyr), true) ||
		    !same_phyr(&phyr, it.kind, r))
			return false;
	}
	/* The end is the end however often one asks, and touches nothing. */
	phyr.addr = 1;
	phyr.len = 2;
	return same("the end", phyr_iter_next(&it, &phyr), false) &&
	       same("the end, again", phyr_iter_next(&it, &phyr), false) &&
	       same("the phyr at the end", phyr.addr == 1 && phyr.len == 2, true);
}

static bool kinds_match(const struct model *m, const struct phyr_list *list)
{
	unsigned int held = 0, kinds = phyr_list_kinds(list);
	size_t i;

	for (i = 0; i < m->nr; i++)
		held |= 1u << m->range[i].kind;
	return same("kinds held", kinds & held, held) &&
	       same("kinds never held", kinds & ~m->kinds, 0);
}

/* What was given last, and how much of it is compared. */
struct batch {
	struct phyr phyrs[MODEL_FILL_MAX + 1];
	unsigned int nr;
	unsigned int used;
};

/* What phyr_cursor_begin() or phyr_cursor_fill() filled; the phyr behind stays as it is. */
static bool filled(struct batch *batch, unsigned int nr, unsigned int max)
{
	struct phyr *guard = &batch->phyrs[max];

	batch->used = 0;
	batch->nr = nr;
	return same("phyrs at once", nr <= max, true) &&
	       same("the phyr behind", guard->addr == 1 && guard->len == 2, true);
}

static bool batches_match(const struct model *m, struct phyr_cursor *cur, struct batch *batch,
			  u64 offset, u64 len, unsigned int max)
{
	u64 start = 0, end = slice_end(m, offset, len);
	size_t i;

	for (i = 0; i < m->nr; start += m->range[i++].len) {
		struct range r = cut_range(m->range[i], start, offset, end);

		if (!r.len)
			continue;
		if (batch->used == batch->nr &&
		    !filled(batch, phyr_cursor_fill(cur, batch->phyrs, max), max))
			return false;
		if (!same("something left", batch->nr > 0, true) ||
		    !same_phyr(&batch->phyrs[batch->used++], cur->kind, r))
			return false;
	}
	return same("what is left", batch->nr - batch->used, 0) &&
	       same("the end", phyr_cursor_fill(cur, batch->phyrs, max), 0) &&
	       same("the end, again", phyr_cursor_fill(cur, batch->phyrs, max), 0);
}

bool model_fill_matches(const struct model *m, const struct phyr_list *list,
			u64 offset, u64 len, unsigned int max)
{
	struct batch batch = { .nr = 0 };
	struct phyr_cursor cur;

	batch.phyrs[max] = (struct phyr) { 1, 2 };
	phyr_cursor_init(&cur, list, offset, len);
	if (!batches_match(m, &cur, &batch, offset, len, max))
		return false;
	memset(&cur, 0xa5, sizeof(cur));
	return filled(&batch, phyr_cursor_begin(&cur, list, offset, len, batch.phyrs, max), max) &&
	       batches_match(m, &cur, &batch, offset, len, max);
}

bool model_matches(const struct model *m, const struct phyr_list *list)
{
	return same("phyr_list_len()", phyr_list_len(list), m->len) &&
	       same("phyr_list_nr()", phyr_list_nr(list), m->nr) &&
	       kinds_match(m, list) && model_slice_matches(m, list, 0, ~0ULL);
}

bool model_find_matches(const struct model *m, const struct phyr_list *list,
			u64 offset)
{
	enum phyr_kind kind = PHYR_NR_KINDS;
	struct phyr phyr = { 1, 2 };
	bool found = phyr_list_find(list, offset, &phyr, &kind);
	u64 start = 0;
	size_t i;

	if (!same("phyr_list_find()", found, offset < m->len))
		return false;
	if (!found)
		return same("the phyr not found", phyr.addr == 1 && phyr.len == 2 &&
			    kind == PHYR_NR_KINDS, true);
	for (i = 0; offset - start >= m->range[i].len; i++)
		start += m->range[i].len;
	return same_phyr(&phyr, kind, cut_range(m->range[i], start, offset, m->len));
}
