// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of phyrs: append and merge, iterate, find, truncate.
 *
 * See include/linux/phyr_list.h for the picture.  The tree is a B+tree that
 * only ever grows at its right edge, so there is no rebalancing: a new leaf
 * goes into the lowest node on that edge that has room, and where none has, a
 * new root is put on top.  Leaves are chained, so that walking the list never
 * reads the tree.
 *
 * Conventions: "start" is a byte offset in the list, "off" an offset inside a
 * leaf in units of 1 << shift bytes.  Sizes are in bytes.
 */
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/phyr_list.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>

#define PHYR_PFN_SHIFT		12
#define PHYR_PFN_BITS		40
#define PHYR_PACK_MASK		(((1ULL << PHYR_PFN_BITS) - 1) << PHYR_PFN_SHIFT)
#define PHYR_OFF_MAX		0xffffu
#define PHYR_OBJ_MIN		128u
#define PHYR_OBJ_MAX		4096u

struct phyr_packed {
	u32 pfn_lo;
	u16 off;
	u8 pfn_hi;
} __packed;

struct phyr_wide {
	u64 start;
	u64 addr;
};

/*
 * A leaf's size is fixed when it is made: twice its predecessor's if that is
 * full and of the same kind, so that long lists soon use whole pages, else
 * small, so that one odd range among many costs little.
 */
struct phyr_leaf {
	struct phyr_leaf *next;
	u64 start;
	u16 nr;
	u16 max;
	u8 shift;			/* packed: log2 of the unit; wide: 0 */
	u8 kind;
	union {
		DECLARE_FLEX_ARRAY(struct phyr_packed, packed);
		DECLARE_FLEX_ARRAY(struct phyr_wide, wide);
	};
};

struct phyr_slot {
	u64 start;
	void *child;			/* node, or leaf at the lowest level */
};

struct phyr_node {
	u16 nr;
	u16 max;
	struct phyr_slot slot[];
};

#define PHYR_NODE_MIN	4
#define PHYR_NODE_MAX	\
	((PHYR_OBJ_MAX - sizeof(struct phyr_node)) / sizeof(struct phyr_slot))

static size_t leaf_entry_size(unsigned int shift)
{
	return shift ? sizeof(struct phyr_packed) : sizeof(struct phyr_wide);
}

static size_t leaf_size(const struct phyr_leaf *leaf)
{
	return sizeof(*leaf) + leaf->max * leaf_entry_size(leaf->shift);
}

static size_t leaf_used(const struct phyr_leaf *leaf)
{
	return sizeof(*leaf) + leaf->nr * leaf_entry_size(leaf->shift);
}

static size_t node_size(const struct phyr_node *node)
{
	return sizeof(*node) + node->max * sizeof(node->slot[0]);
}

/**
 * phyr_list_init - make an empty list
 * @list: the list
 *
 * Context: any.  An all-zero struct phyr_list is an empty list too.
 */
void phyr_list_init(struct phyr_list *list)
{
	/* the leaf inside is filled in when it is used */
	memset(list, 0, offsetof(struct phyr_list, first_leaf));
}

/* A page-aligned address that 40 bits can name. */
static bool pack_fits(u64 addr)
{
	return !(addr & ~PHYR_PACK_MASK);
}

/* The unit of the leaf that a range fits in: 1 GiB, 2 MiB, 4 KiB, or 0: wide. */
static unsigned int pack_shift(u64 addr, u64 len)
{
	if (len & ((1u << PHYR_PFN_SHIFT) - 1) || !pack_fits(addr))
		return 0;
	if (!(len & ((1u << 30) - 1)))
		return 30;
	if (!(len & ((1u << 21) - 1)))
		return 21;
	return PHYR_PFN_SHIFT;
}

/* Could the open phyr go into @leaf, if that has room? */
static bool leaf_suits(const struct phyr_list *list, const struct phyr_leaf *leaf)
{
	u64 addr = list->open.addr, len = list->open.len;

	if (leaf->kind != list->open_kind)
		return false;
	if (!leaf->shift)
		return true;
	return !(len & ((1ULL << leaf->shift) - 1)) && pack_fits(addr) &&
	       (list->open_start - leaf->start) >> leaf->shift <= PHYR_OFF_MAX;
}

static void packed_set(struct phyr_packed *entry, u64 addr, u64 off)
{
	u64 pfn = addr >> PHYR_PFN_SHIFT;

	entry->pfn_lo = (u32)pfn;
	entry->pfn_hi = (u8)(pfn >> 32);
	entry->off = (u16)off;
}

static void leaf_add(struct phyr_list *list, struct phyr_leaf *leaf)
{
	unsigned int i = leaf->nr++;

	if (leaf->shift) {
		packed_set(&leaf->packed[i], list->open.addr,
			   (list->open_start - leaf->start) >> leaf->shift);
	} else {
		leaf->wide[i].start = list->open_start;
		leaf->wide[i].addr = list->open.addr;
	}
}

static phys_addr_t packed_addr(const struct phyr_packed *entry)
{
	return (phys_addr_t)((entry->pfn_lo | (u64)entry->pfn_hi << 32) << PHYR_PFN_SHIFT);
}

static u64 leaf_entry_start(const struct phyr_leaf *leaf, unsigned int i)
{
	if (leaf->shift)
		return leaf->start + ((u64)leaf->packed[i].off << leaf->shift);
	return leaf->wide[i].start;
}

static phys_addr_t leaf_entry_addr(const struct phyr_leaf *leaf, unsigned int i)
{
	return leaf->shift ? packed_addr(&leaf->packed[i]) : (phys_addr_t)leaf->wide[i].addr;
}

static u64 leaf_end(const struct phyr_list *list, const struct phyr_leaf *leaf)
{
	return leaf->next ? leaf->next->start : list->open_start;
}

/* The first leaf lies in the list head. */
static bool leaf_inside(const struct phyr_list *list, const struct phyr_leaf *leaf)
{
	return (const void *)leaf == list->first_leaf;
}

static struct phyr_leaf *leaf_alloc(struct phyr_list *list, unsigned int shift,
				    size_t *max, gfp_t gfp)
{
	const struct phyr_leaf *tail = list->tail;
	size_t size = PHYR_OBJ_MIN;
	struct phyr_leaf *leaf;

	if (!tail) {
		*max = (sizeof(list->first_leaf) - sizeof(*leaf)) / leaf_entry_size(shift);
		return (void *)list->first_leaf;
	}
	if (tail->nr == tail->max && !tail->shift == !shift)
		while (size < PHYR_OBJ_MAX && size < 2 * leaf_used(tail))
			size *= 2;
	*max = (size - sizeof(*leaf)) / leaf_entry_size(shift);
	leaf = kmalloc(sizeof(*leaf) + *max * leaf_entry_size(shift), gfp);
	if (leaf)
		list->bytes += sizeof(*leaf) + *max * leaf_entry_size(shift);
	return leaf;
}

static void leaf_free(struct phyr_list *list, struct phyr_leaf *leaf)
{
	if (leaf_inside(list, leaf))
		return;
	list->bytes -= leaf_size(leaf);
	kfree(leaf);
}

static struct phyr_leaf *leaf_new(struct phyr_list *list, unsigned int shift, gfp_t gfp)
{
	size_t max;
	struct phyr_leaf *leaf = leaf_alloc(list, shift, &max, gfp);

	if (!leaf)
		return NULL;
	leaf->next = NULL;
	leaf->start = list->open_start;
	leaf->nr = 0;
	leaf->max = (u16)max;
	leaf->shift = (u8)shift;
	leaf->kind = list->open_kind;
	return leaf;
}

static struct phyr_node *node_new(unsigned int max, gfp_t gfp)
{
	struct phyr_node *node = kmalloc(sizeof(*node) + max * sizeof(node->slot[0]), gfp);

	if (node) {
		node->nr = 0;
		node->max = (u16)max;
	}
	return node;
}

static void node_add(struct phyr_node *node, u64 start, void *child)
{
	node->slot[node->nr].start = start;
	node->slot[node->nr].child = child;
	node->nr++;
}

/* Frees a chain of single-child nodes, not what hangs below it. */
static void chain_free(struct phyr_list *list, void *chain, unsigned int levels)
{
	while (levels--) {
		struct phyr_node *node = chain;

		chain = node->slot[0].child;
		list->bytes -= node_size(node);
		kfree(node);
	}
}

/* Puts @levels nodes with one child each above @child; NULL when out of memory. */
static void *chain_new(struct phyr_list *list, u64 start, void *child,
		       unsigned int levels, gfp_t gfp)
{
	unsigned int made;

	for (made = 0; made < levels; made++) {
		struct phyr_node *node = node_new(PHYR_NODE_MIN, gfp);

		if (!node) {
			chain_free(list, child, made);
			return NULL;
		}
		node_add(node, start, child);
		list->bytes += node_size(node);
		child = node;
	}
	return child;
}

/* Makes room in the node that *@link points at, which is full but can grow. */
static struct phyr_node *node_grow(struct phyr_list *list, void **link, gfp_t gfp)
{
	struct phyr_node *old = *link, *node;

	node = node_new(min_t(unsigned int, 2 * old->max, PHYR_NODE_MAX), gfp);
	if (!node)
		return NULL;
	memcpy(node->slot, old->slot, old->nr * sizeof(old->slot[0]));
	node->nr = old->nr;
	list->bytes += node_size(node) - node_size(old);
	*link = node;
	kfree(old);
	return node;
}

/* A new root above the old one, of which @chain becomes the second child. */
static int tree_raise(struct phyr_list *list, u64 start, void *chain, gfp_t gfp)
{
	struct phyr_node *node = node_new(PHYR_NODE_MIN, gfp);

	if (!node)
		return -ENOMEM;
	node_add(node, 0, list->root);
	node_add(node, start, chain);
	list->bytes += node_size(node);
	list->root = node;
	list->height++;
	return 0;
}

static int tree_insert(struct phyr_list *list, struct phyr_leaf *leaf, gfp_t gfp)
{
	void **link = &list->root, **place = NULL;
	unsigned int level, place_level = list->height + 1;
	struct phyr_node *node;
	void *chain;

	if (!list->root) {
		list->root = leaf;
		return 0;
	}
	for (level = list->height; level; level--) {
		node = *link;
		if (node->nr < PHYR_NODE_MAX) {
			place = link;
			place_level = level;
		}
		link = &node->slot[node->nr - 1].child;
	}

	chain = chain_new(list, leaf->start, leaf, place_level - 1, gfp);
	if (!chain)
		return -ENOMEM;
	if (!place) {
		if (!tree_raise(list, leaf->start, chain, gfp))
			return 0;
		goto nomem;
	}
	node = *place;
	if (node->nr == node->max)
		node = node_grow(list, place, gfp);
	if (!node)
		goto nomem;
	node_add(node, leaf->start, chain);
	return 0;
nomem:
	chain_free(list, chain, place_level - 1);
	return -ENOMEM;
}

/* Puts a leaf for the open phyr at the end of the tree. */
static struct phyr_leaf *leaf_append(struct phyr_list *list, gfp_t gfp)
{
	struct phyr_leaf *leaf = leaf_new(list, pack_shift(list->open.addr, list->open.len), gfp);

	if (!leaf)
		return NULL;
	if (tree_insert(list, leaf, gfp)) {
		leaf_free(list, leaf);
		return NULL;
	}
	if (list->tail)
		list->tail->next = leaf;
	else
		list->first = leaf;
	list->tail = leaf;
	return leaf;
}

/* Where the tree points at its last leaf. */
static void **tree_last(struct phyr_list *list)
{
	void **link = &list->root;
	unsigned int level;

	for (level = list->height; level; level--) {
		struct phyr_node *node = *link;

		link = &node->slot[node->nr - 1].child;
	}
	return link;
}

/*
 * Moves what the leaf in the list head holds to a larger one.  A list of a few
 * dozen phyrs then has one leaf, not two with a node above them; only one that was
 * truncated has nodes already.
 */
static struct phyr_leaf *leaf_spill(struct phyr_list *list, gfp_t gfp)
{
	struct phyr_leaf *old = list->tail, *leaf;
	size_t max;

	leaf = leaf_alloc(list, old->shift, &max, gfp);
	if (!leaf)
		return NULL;
	memcpy(leaf, old, leaf_used(old));
	leaf->max = (u16)max;
	*tree_last(list) = leaf;
	list->first = leaf;
	list->tail = leaf;
	return leaf;
}

/* A leaf that takes the open phyr; NULL when out of memory. */
static struct phyr_leaf *leaf_for_open(struct phyr_list *list, gfp_t gfp)
{
	struct phyr_leaf *leaf = list->tail;

	if (!leaf || !leaf_suits(list, leaf))
		return leaf_append(list, gfp);
	if (leaf->nr < leaf->max)
		return leaf;
	return leaf_inside(list, leaf) ? leaf_spill(list, gfp) : leaf_append(list, gfp);
}

/* Moves the open phyr into the tree; on failure nothing has changed. */
static int close_open(struct phyr_list *list, gfp_t gfp)
{
	struct phyr_leaf *leaf = leaf_for_open(list, gfp);

	if (!leaf)
		return -ENOMEM;
	leaf_add(list, leaf);
	return 0;
}

/* The range must not pass the end of the address space, nor the list 2^64. */
static int range_check(const struct phyr *phyr, u64 start)
{
	if (!phyr->len)
		return -EINVAL;
	if (phyr->addr > (phys_addr_t)~0ULL - (phyr->len - 1) || start > ~0ULL - phyr->len)
		return -EOVERFLOW;
	return 0;
}

/* No range but the first can begin at address 0, where another may have ended. */
static bool open_merges(const struct phyr_list *list, const struct phyr *phyr,
			enum phyr_kind kind)
{
	return list->open.addr + (phys_addr_t)list->open.len == phyr->addr && phyr->addr &&
	       list->open_kind == kind && !list->sealed && list->open.len &&
	       list->open.len + phyr->len > phyr->len;
}

static int append_one(struct phyr_list *list, const struct phyr *phyr, enum phyr_kind kind,
		      gfp_t gfp)
{
	u64 start = phyr_list_len(list);
	int ret = range_check(phyr, start);

	if (ret)
		return ret;
	if (open_merges(list, phyr, kind)) {
		list->open.len += phyr->len;
		return 0;
	}
	if (list->open.len) {
		ret = close_open(list, gfp);
		if (ret)
			return ret;
	}
	list->open = *phyr;
	list->open_start = start;
	list->open_kind = (u8)kind;
	list->sealed = false;
	list->nr++;
	return 0;
}

/*
 * The hot loop of append: ranges that merge with nothing, into the packed leaf
 * at the end, as long as nothing is special about one.  Returns how many.
 */
static unsigned int append_packed(struct phyr_list *list, const struct phyr *phyrs,
				  unsigned int nr, enum phyr_kind kind)
{
	struct phyr_leaf *leaf = list->tail;
	struct phyr open = list->open;
	u64 start = list->open_start, unit_mask, off;
	unsigned int i, max;

	if (!leaf || !leaf->shift || leaf->kind != kind || list->open_kind != kind ||
	    !open.len || start >> 62)
		return 0;
	unit_mask = (1ULL << leaf->shift) - 1;
	max = min(nr, (unsigned int)(leaf->max - leaf->nr));
	for (i = 0; i < max; i++) {
		phys_addr_t end = phyrs[i].addr + (phys_addr_t)phyrs[i].len;

		off = (start - leaf->start) >> leaf->shift;
		if (open.addr + (phys_addr_t)open.len == phyrs[i].addr || end <= phyrs[i].addr ||
		    open.len & unit_mask || !pack_fits(open.addr) || off > PHYR_OFF_MAX ||
		    (u64)phyrs[i].len >> 62)
			break;
		packed_set(&leaf->packed[leaf->nr + i], open.addr, off);
		start += open.len;
		open = phyrs[i];
	}
	if (i) {
		leaf->nr += (u16)i;
		list->open = open;
		list->open_start = start;
		list->sealed = false;
		list->nr += i;
	}
	return i;
}

/* Ends an append of ranges of one kind: if one failed, the list is as it was before. */
static int append_end(struct phyr_list *list, u64 before, bool sealed,
		      enum phyr_kind kind, int ret)
{
	if (!ret) {
		list->kinds |= (u8)(1u << kind);
	} else if (phyr_list_len(list) != before) {
		phyr_list_truncate(list, before);
		list->sealed = sealed;
	}
	return ret;
}

/**
 * phyr_list_append_many - add ranges to the end of a list
 * @list: the list
 * @phyrs: the ranges
 * @nr: how many
 * @kind: what memory they all are
 * @gfp: how to allocate storage
 *
 * A range that begins where the last phyr of the list ends, and is of its
 * kind, makes that phyr longer; any other becomes a phyr of its own.
 *
 * Context: sleeps if @gfp allows it.
 * Return: 0; -EINVAL for a length of 0 or an unknown kind; -EOVERFLOW for a
 * range that passes the end of the address space, or a list longer than 2^64
 * bytes; -ENOMEM.  On failure the list describes what it did before.
 */
int phyr_list_append_many(struct phyr_list *list, const struct phyr *phyrs,
			  unsigned int nr, enum phyr_kind kind, gfp_t gfp)
{
	u64 before = phyr_list_len(list);
	bool sealed = list->sealed;
	int ret = 0;

	if ((unsigned int)kind >= PHYR_NR_KINDS)
		return -EINVAL;
	while (nr && !ret) {
		unsigned int n = append_packed(list, phyrs, nr, kind);

		if (!n) {
			ret = append_one(list, phyrs, kind, gfp);
			n = 1;
		}
		phyrs += n;
		nr -= n;
	}
	return append_end(list, before, sealed, kind, ret);
}

/*
 * The hot loop for pages: as append_packed(), but what is the same for all pages is
 * checked before, and pages that follow each other are allowed.  Returns how many.
 */
static unsigned int append_packed_pages(struct phyr_list *list, const phys_addr_t *addrs,
					unsigned int nr, unsigned int shift,
					enum phyr_kind kind)
{
	const u64 size = 1ULL << shift, odd = ~PHYR_PACK_MASK | (size - 1);
	struct phyr_leaf *leaf = list->tail;
	struct phyr_packed *entry, *limit;
	u64 addr = list->open.addr, end = addr + list->open.len, off;
	unsigned int i;

	if (!leaf || leaf->shift != PHYR_PFN_SHIFT || leaf->kind != kind ||
	    list->open_kind != kind || list->sealed || !list->open.len ||
	    !pack_fits(addr) || !pack_fits(list->open.len) || phyr_list_len(list) >> 62 ||
	    shift < PHYR_PFN_SHIFT || shift > 30)
		return 0;
	entry = leaf->packed + leaf->nr;
	limit = leaf->packed + leaf->max;
	off = (list->open_start - leaf->start) >> PHYR_PFN_SHIFT;
	for (i = 0; i < nr && !(addrs[i] & odd); i++, end += size) {
		if (addrs[i] == end && end - addr <= (size_t)-1 - size)
			continue;
		if (entry == limit || off > PHYR_OFF_MAX)
			break;
		packed_set(entry++, addr, off);
		off += (end - addr) >> PHYR_PFN_SHIFT;
		addr = addrs[i];
		end = addr;
	}
	list->nr += (unsigned int)(entry - leaf->packed) - leaf->nr;
	leaf->nr = (u16)(entry - leaf->packed);
	list->open.addr = (phys_addr_t)addr;
	list->open.len = (size_t)(end - addr);
	list->open_start = leaf->start + (off << PHYR_PFN_SHIFT);
	return i;
}

/**
 * phyr_list_append_pages - add pages, or other ranges of one size, to the end of a list
 * @list: the list
 * @addrs: their physical addresses
 * @nr: how many
 * @shift: log2 of their size, %PAGE_SHIFT for pages
 * @kind: what memory they all are
 * @gfp: how to allocate storage
 *
 * Does what phyr_list_append_many() does, and is made for discontiguous pages,
 * of which there are many.
 *
 * Context: sleeps if @gfp allows it.
 * Return: as phyr_list_append_many().
 */
int phyr_list_append_pages(struct phyr_list *list, const phys_addr_t *addrs,
			   unsigned int nr, unsigned int shift, enum phyr_kind kind,
			   gfp_t gfp)
{
	u64 before = phyr_list_len(list);
	bool sealed = list->sealed;
	int ret = 0;

	if ((unsigned int)kind >= PHYR_NR_KINDS || shift >= sizeof(size_t) * 8)
		return -EINVAL;
	while (nr && !ret) {
		unsigned int n = append_packed_pages(list, addrs, nr, shift, kind);

		if (!n) {
			const struct phyr phyr = { .addr = *addrs, .len = (size_t)1 << shift };

			ret = append_one(list, &phyr, kind, gfp);
			n = 1;
		}
		addrs += n;
		nr -= n;
	}
	return append_end(list, before, sealed, kind, ret);
}

/**
 * phyr_list_append - add one range to the end of a list
 * @list: the list
 * @addr: physical address of the range
 * @len: its length in bytes, not 0
 * @kind: what memory it is
 * @gfp: how to allocate storage
 *
 * Context: sleeps if @gfp allows it.
 * Return: as phyr_list_append_many().
 */
int phyr_list_append(struct phyr_list *list, phys_addr_t addr, size_t len,
		     enum phyr_kind kind, gfp_t gfp)
{
	const struct phyr phyr = { .addr = addr, .len = len };

	return phyr_list_append_many(list, &phyr, 1, kind, gfp);
}

/**
 * phyr_list_seal - do not merge what comes next
 * @list: the list
 *
 * The next range that is appended becomes a phyr of its own even where it
 * continues the last one.  Needed where two pins meet inside a page: merged,
 * they would look like one.
 *
 * Context: any.
 */
void phyr_list_seal(struct phyr_list *list)
{
	list->sealed = true;
}

static void tree_free(struct phyr_list *list, void *child, unsigned int height)
{
	struct phyr_node *node = child;
	unsigned int i;

	if (!height) {
		leaf_free(list, child);
		return;
	}
	for (i = 0; i < node->nr; i++)
		tree_free(list, node->slot[i].child, height - 1);
	kfree(node);
}

/**
 * phyr_list_free - empty a list and free its storage
 * @list: the list, empty afterwards
 *
 * The memory that the list describes is not touched: what is pinned stays so.
 *
 * Context: any in which kfree() may be called.
 */
void phyr_list_free(struct phyr_list *list)
{
	if (list->root)
		tree_free(list, list->root, list->height);
	phyr_list_init(list);
}

/* The last slot whose child starts at or before @offset. */
static unsigned int node_search(const struct phyr_node *node, u64 offset)
{
	unsigned int lo = 0, hi = node->nr;

	while (hi - lo > 1) {
		unsigned int mid = (lo + hi) / 2;

		if (node->slot[mid].start <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The entry that holds @offset.  Pages of one size lie at even distances, so
 * the first look goes where such a list would have it; then halving.
 */
static unsigned int leaf_search(const struct phyr_list *list,
				const struct phyr_leaf *leaf, u64 offset)
{
	u64 span = leaf_end(list, leaf) - leaf->start;
	unsigned int lo = 0, hi = leaf->nr, mid;

	mid = (unsigned int)div64_u64(offset - leaf->start, div64_u64(span, hi) + 1);
	while (hi - lo > 1) {
		if (mid <= lo)
			mid = lo + 1;
		if (leaf_entry_start(leaf, mid) > offset) {
			hi = mid;
		} else {
			lo = mid;
			if (mid + 1 == hi || leaf_entry_start(leaf, mid + 1) > offset)
				break;
		}
		mid = (lo + hi) / 2;
	}
	return lo;
}

/* The leaf that holds @offset, which must lie before the open phyr. */
static struct phyr_leaf *tree_find(const struct phyr_list *list, u64 offset)
{
	void *child = list->root;
	unsigned int level;

	for (level = list->height; level; level--) {
		struct phyr_node *node = child;

		child = node->slot[node_search(node, offset)].child;
	}
	return child;
}

/**
 * phyr_cursor_init - start at a slice of a list
 * @cur: the cursor
 * @list: the list, which must not change while it is walked
 * @offset: first byte of the slice
 * @len: its length; the walk ends with the list if that comes first
 *
 * Takes O(log n), or no search at all for an @offset of 0.
 *
 * Context: any.
 */
void phyr_cursor_init(struct phyr_cursor *cur, const struct phyr_list *list,
		      u64 offset, u64 len)
{
	u64 total = phyr_list_len(list);

	cur->list = list;
	cur->pos = min(offset, total);
	cur->end = cur->pos + min(len, total - cur->pos);
	cur->kind = PHYR_RAM;
	cur->leaf = NULL;
	cur->index = 0;
	if (cur->pos >= list->open_start)
		return;
	cur->leaf = list->first;
	if (!offset)
		return;
	cur->leaf = tree_find(list, offset);
	cur->index = leaf_search(list, cur->leaf, offset);
}

/*
 * The hot loop of walking a list: up to @max entries, of which the slice may cut the
 * first and the last one.  The length of a leaf's last entry is not in the leaf.
 */
static unsigned int fill_packed(struct phyr_cursor *cur, const struct phyr_leaf *leaf,
				struct phyr *phyrs, unsigned int max)
{
	const struct phyr_packed *entry = &leaf->packed[cur->index];
	unsigned int shift = leaf->shift, n, known = min(max, leaf->nr - 1u - cur->index);
	u64 pos = cur->pos, base = leaf->start, end = cur->end, next;
	phys_addr_t skip = (phys_addr_t)(pos - base - ((u64)entry->off << shift));

	for (n = 0; n < known; n++, entry++, pos = next) {
		next = base + ((u64)entry[1].off << shift);
		if (next > end)
			break;
		phyrs[n].addr = packed_addr(entry);
		phyrs[n].len = (size_t)(next - pos);
	}
	if (n < max && pos < end) {
		next = n < known ? end : min(leaf_end(cur->list, leaf), end);
		phyrs[n].addr = packed_addr(entry);
		phyrs[n++].len = (size_t)(next - pos);
		pos = next;
	}
	phyrs->addr += skip;
	cur->pos = pos;
	cur->index += n;
	return n;
}

static unsigned int fill_wide(struct phyr_cursor *cur, const struct phyr_leaf *leaf,
			      struct phyr *phyrs, unsigned int max)
{
	unsigned int n = 0;
	u64 next;

	while (n < max && cur->index < leaf->nr && cur->pos < cur->end) {
		const struct phyr_wide *entry = &leaf->wide[cur->index++];

		next = cur->index < leaf->nr ? entry[1].start : leaf_end(cur->list, leaf);
		next = min(next, cur->end);
		phyrs[n].addr = (phys_addr_t)(entry->addr + cur->pos - entry->start);
		phyrs[n++].len = (size_t)(next - cur->pos);
		cur->pos = next;
	}
	return n;
}

static void fill_open(struct phyr_cursor *cur, struct phyr *phyr)
{
	const struct phyr_list *list = cur->list;

	phyr->addr = list->open.addr + (phys_addr_t)(cur->pos - list->open_start);
	phyr->len = (size_t)(cur->end - cur->pos);
	cur->pos = cur->end;
}

static enum phyr_kind next_kind(const struct phyr_cursor *cur)
{
	return cur->leaf ? cur->leaf->kind : cur->list->open_kind;
}

/* Takes from one leaf, or the open phyr. */
static unsigned int fill_some(struct phyr_cursor *cur, struct phyr *phyrs, unsigned int max)
{
	const struct phyr_leaf *leaf = cur->leaf;
	unsigned int n;

	if (!leaf) {
		fill_open(cur, phyrs);
		return 1;
	}
	if (leaf->shift)
		n = fill_packed(cur, leaf, phyrs, max);
	else
		n = fill_wide(cur, leaf, phyrs, max);
	if (cur->index == leaf->nr) {
		cur->leaf = leaf->next;
		cur->index = 0;
	}
	return n;
}

/**
 * phyr_cursor_fill - the next phyrs of a slice, all of one kind
 * @cur: the cursor
 * @phyrs: where to put them, cut to the slice at both ends
 * @max: how many, at most; not 0
 *
 * Context: any.
 * Return: how many; 0 at the end of the slice.  Their kind is in @cur->kind.
 */
unsigned int phyr_cursor_fill(struct phyr_cursor *cur, struct phyr *phyrs, unsigned int max)
{
	unsigned int n = 0;

	if (cur->pos == cur->end)
		return 0;
	cur->kind = next_kind(cur);
	do {
		n += fill_some(cur, phyrs + n, max - n);
	} while (n < max && cur->pos < cur->end && next_kind(cur) == cur->kind);
	return n;
}

/* Does a list of one kind lie in its head, and in a leaf of packed ones at most? */
static bool list_short(const struct phyr_list *list)
{
	const struct phyr_leaf *leaf = list->first;

	return list->nr && !(list->kinds & (list->kinds - 1)) &&
	       (!leaf || (leaf->shift && !leaf->next));
}

/* All of a short list. */
static unsigned int short_fill(const struct phyr_list *list, struct phyr *phyrs)
{
	const struct phyr_leaf *leaf = list->first;
	const struct phyr_packed *entry, *last;
	struct phyr *phyr = phyrs;
	u64 pos = 0, next;

	if (leaf) {
		last = &leaf->packed[leaf->nr - 1];
		for (entry = leaf->packed; entry < last; entry++, phyr++, pos = next) {
			next = (u64)entry[1].off << leaf->shift;
			phyr->addr = packed_addr(entry);
			phyr->len = (size_t)(next - pos);
		}
		phyr->addr = packed_addr(last);
		phyr->len = (size_t)(list->open_start - pos);
		phyr++;
	}
	*phyr = list->open;
	return (unsigned int)(phyr - phyrs) + 1;
}

/**
 * phyr_cursor_begin - the first phyrs of a slice of a list, all of one kind
 * @cur: the cursor, for phyr_cursor_fill() to go on with
 * @list: the list, which must not change while it is walked
 * @offset: first byte of the slice
 * @len: its length; the walk ends with the list if that comes first
 * @phyrs: where to put them, cut to the slice at both ends
 * @max: how many, at most; not 0
 *
 * phyr_cursor_init() and phyr_cursor_fill() in one, and fast for all of a short list.
 *
 * Context: any.
 * Return: how many; 0 for an empty slice.  Their kind is in @cur->kind.
 */
unsigned int phyr_cursor_begin(struct phyr_cursor *cur, const struct phyr_list *list,
			       u64 offset, u64 len, struct phyr *phyrs, unsigned int max)
{
	if (offset || len < phyr_list_len(list) || list->nr > max || !list_short(list)) {
		phyr_cursor_init(cur, list, offset, len);
		return phyr_cursor_fill(cur, phyrs, max);
	}
	cur->kind = list->open_kind;
	cur->pos = 0;		/* nothing is left */
	cur->end = 0;
	return short_fill(list, phyrs);
}

/**
 * phyr_list_find - which memory is at an offset
 * @list: the list
 * @offset: in bytes
 * @phyr: set to what is left of its phyr from @offset on
 * @kind: set to its kind, if not NULL
 *
 * Takes O(log n).
 *
 * Context: any.
 * Return: true, and false where @offset is past the end of the list.
 */
bool phyr_list_find(const struct phyr_list *list, u64 offset,
		    struct phyr *phyr, enum phyr_kind *kind)
{
	struct phyr_cursor cur;
	u64 skip;

	if (offset >= list->open_start) {	/* many lists have no other phyr */
		skip = offset - list->open_start;
		if (skip >= list->open.len)
			return false;
		phyr->addr = list->open.addr + (phys_addr_t)skip;
		phyr->len = list->open.len - (size_t)skip;
		if (kind)
			*kind = list->open_kind;
		return true;
	}
	phyr_cursor_init(&cur, list, offset, ~0ULL);
	phyr_cursor_fill(&cur, phyr, 1);
	if (kind)
		*kind = cur.kind;
	return true;
}

/*
 * Drops every leaf that starts at or after @start from the tree below *@link.
 * Returns the last leaf that stays, or NULL, with *@link NULL, if none does.
 */
static struct phyr_leaf *tree_cut(struct phyr_list *list, void **link,
				  unsigned int level, u64 start)
{
	struct phyr_node *node = *link;
	struct phyr_leaf *last = NULL;

	if (!level) {
		struct phyr_leaf *leaf = *link;

		if (leaf->start < start)
			return leaf;
		list->nr -= leaf->nr;
		leaf_free(list, leaf);
		*link = NULL;
		return NULL;
	}
	while (node->nr) {
		last = tree_cut(list, &node->slot[node->nr - 1].child, level - 1, start);
		if (last)
			return last;
		node->nr--;
	}
	list->bytes -= node_size(node);
	kfree(node);
	*link = NULL;
	return NULL;
}

/**
 * phyr_list_truncate - shorten a list
 * @list: the list
 * @len: its new length in bytes; a list that is no longer than this stays
 *
 * Frees the storage that is no longer needed, and never fails.  Nothing is
 * unpinned: walk the slice from @len on first.
 *
 * Context: any in which kfree() may be called.
 */
void phyr_list_truncate(struct phyr_list *list, u64 len)
{
	struct phyr_leaf *leaf;
	unsigned int i;
	u64 start;

	if (len >= phyr_list_len(list))
		return;
	if (!len) {
		phyr_list_free(list);
		return;
	}
	if (len > list->open_start) {
		list->sealed = false;
		list->open.len = (size_t)(len - list->open_start);
		return;
	}

	/* The phyr that holds the last byte becomes the open one. */
	leaf = tree_find(list, len - 1);
	i = leaf_search(list, leaf, len - 1);
	start = leaf_entry_start(leaf, i);
	list->nr -= leaf->nr - i;
	leaf->nr = (u16)i;
	list->open_start = start;
	list->open.addr = leaf_entry_addr(leaf, i);
	list->open.len = (size_t)(len - start);
	list->sealed = false;
	list->open_kind = leaf->kind;

	list->tail = tree_cut(list, &list->root, list->height, i ? start : leaf->start);
	if (list->tail) {
		list->tail->next = NULL;
	} else {
		list->first = NULL;
		list->height = 0;
	}
}

/**
 * phyr_list_trim - give back what a finished list does not need
 * @list: the list
 * @gfp: how to allocate the smaller copy of the last leaf
 *
 * For a list that will live for a while.  It may still be appended to.  Nothing
 * changes if there is no memory for the smaller copy.
 *
 * Context: sleeps if @gfp allows it.
 */
void phyr_list_trim(struct phyr_list *list, gfp_t gfp)
{
	struct phyr_leaf *old = list->tail, *leaf, *prev;

	if (!old || old->nr == old->max || leaf_inside(list, old))
		return;
	leaf = kmemdup(old, leaf_used(old), gfp);
	if (!leaf)
		return;
	leaf->max = leaf->nr;
	*tree_last(list) = leaf;
	if (old == list->first) {
		list->first = leaf;
	} else {
		prev = tree_find(list, old->start - 1);
		prev->next = leaf;
	}
	list->bytes += leaf_size(leaf);
	list->tail = leaf;
	leaf_free(list, old);
}
