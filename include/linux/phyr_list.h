/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct phyr and the list of them.
 *
 *	phyr		one physically contiguous range
 *	list		phyrs in order; together they are the bytes of one object
 *	slice		the bytes [offset, offset + length) of a list
 *	segment		what a device takes at once
 *	run		page-table entries that map alike, one after another
 *	interval	the part of a mapping that is watched for revocation
 *	leaf		of the B+tree that holds a list; of a page table, an entry that maps memory
 *	region		a /dev/phyr object (RDMA has memory regions, MR)
 *	cursor		a position in a list, which fills arrays
 *
 * A phyr is one physically contiguous range, of any length, of any memory that
 * both the CPU and a bus master can address, whether or not it has a struct
 * page.  A phyr_list is an ordered run of phyrs that together describe one
 * stretch of bytes, addressed by "offset": byte 0 is the first byte of the
 * first phyr.
 *
 *   offset  0                                                        length
 *           |------|-------------------|--|---------------|----------|
 *           leaf 0 (wide)   leaf 1 (packed)      leaf 2 ...   the open phyr
 *             \________________ tree, by offset _________/    (not in the tree)
 *
 * The last phyr of the list stays "open" in the list head: what is appended is
 * merged with it, or closes it and becomes the open one.  A phyr in the tree
 * never changes again.  The first leaf lies in the list head, so a list of a
 * dozen phyrs (a terabyte of BAR, some huge pages) allocates nothing.
 *
 * Closed phyrs sit in leaves, each but the first a kmalloc object of at most a
 * page:
 *
 *   packed: { pfn: 40 bits, offset in the leaf: 16 bits }   7 bytes a phyr
 *           page aligned ranges; the offset counts units of 4 KiB, 2 MiB or
 *           1 GiB, one size a leaf; the length is the distance to the next
 *   wide:   { addr, offset }                               16 bytes a phyr
 *           everything else: odd bytes at the edges, exotic addresses
 *
 * so the worst case, every 4 KiB page somewhere else, costs a little over 7
 * bytes a page with the tree above it: less than an array of struct page
 * pointers.
 *
 * These functions do not lock: the caller that appends to, truncates or frees a
 * list keeps others away from it.  Any number of readers may walk a list that
 * nobody changes.
 */
#ifndef _LINUX_PHYR_LIST_H
#define _LINUX_PHYR_LIST_H

#include <linux/build_bug.h>
#include <linux/types.h>

/**
 * struct phyr - one physically contiguous range of memory
 * @addr: CPU physical address of the first byte
 * @len: length in bytes; never 0 in a phyr that an interface hands out
 *
 * Proposed by Matthew Wilcox in January 2022.  The layout is that of struct
 * phys_vec in newer kernels, so one can stand for the other.
 */
struct phyr {
	phys_addr_t addr;
	size_t len;
};

static_assert(sizeof(struct phyr) ==
	      (sizeof(size_t) == 8 ? 16 : sizeof(phys_addr_t) == 8 ? 12 : 8));

/**
 * enum phyr_kind - what sort of memory a phyr describes
 * @PHYR_RAM: system memory with a struct page
 * @PHYR_PMEM: DAX memory (devdax, fsdax): a struct page in ZONE_DEVICE
 * @PHYR_P2P: PCI memory with a struct page from pci_p2pdma
 * @PHYR_PFNMAP: memory without a struct page: a BAR, hidden memory
 * @PHYR_NR_KINDS: how many kinds there are
 *
 * Ranges of different kinds are never merged, even where they touch.
 */
enum phyr_kind {
	PHYR_RAM,
	PHYR_PMEM,
	PHYR_P2P,
	PHYR_PFNMAP,
	PHYR_NR_KINDS
};

struct phyr_leaf;
struct phyr_watch;

/**
 * struct phyr_list - an ordered list of phyrs
 *
 * The fields are private to the list's own functions.  A list must not be
 * copied by assignment: it may point into itself.
 */
struct phyr_list {
	/* private: */
	struct phyr open;
	u64 open_start;
	void *root;
	struct phyr_leaf *first;
	struct phyr_leaf *tail;
	unsigned long nr;
	size_t bytes;
	u8 height;
	u8 open_kind;
	u8 kinds;
	bool sealed;
	bool read_only;
	struct phyr_watch *watch;	/* what holds page-less memory: kernel/revoke.c */
	u64 first_leaf[16];
};

/**
 * struct phyr_cursor - a position in a list, and where to stop
 * @kind: the &enum phyr_kind of the phyrs that phyr_cursor_fill() returned last
 *
 * The other fields are private.  It fills arrays; &struct phyr_iter returns one phyr
 * at a time.
 */
struct phyr_cursor {
	/* private: */
	const struct phyr_list *list;
	const struct phyr_leaf *leaf;
	u64 pos;
	u64 end;
	unsigned int index;
	/* public: */
	enum phyr_kind kind;
};

#define PHYR_ITER_AHEAD	16

/**
 * struct phyr_iter - an iterator over a slice of a list
 * @kind: the &enum phyr_kind of the phyr that phyr_iter_next() returned last
 *
 * The other fields are private.  It reads some phyrs of one kind ahead, so it takes a
 * few hundred bytes of stack.
 */
struct phyr_iter {
	enum phyr_kind kind;
	/* private: */
	unsigned int used;
	unsigned int filled;
	struct phyr_cursor cursor;
	struct phyr ahead[PHYR_ITER_AHEAD];
};

void phyr_list_init(struct phyr_list *list);
void phyr_list_free(struct phyr_list *list);
int phyr_list_append(struct phyr_list *list, phys_addr_t addr, size_t len,
		     enum phyr_kind kind, gfp_t gfp);
int phyr_list_append_many(struct phyr_list *list, const struct phyr *phyrs,
			  unsigned int nr, enum phyr_kind kind, gfp_t gfp);
int phyr_list_append_pages(struct phyr_list *list, const phys_addr_t *addrs,
			   unsigned int nr, unsigned int shift, enum phyr_kind kind,
			   gfp_t gfp);
void phyr_list_seal(struct phyr_list *list);
void phyr_list_truncate(struct phyr_list *list, u64 len);
void phyr_list_trim(struct phyr_list *list, gfp_t gfp);
bool phyr_list_find(const struct phyr_list *list, u64 offset,
		    struct phyr *phyr, enum phyr_kind *kind);

void phyr_cursor_init(struct phyr_cursor *cur, const struct phyr_list *list,
		      u64 offset, u64 len);
unsigned int phyr_cursor_begin(struct phyr_cursor *cur, const struct phyr_list *list,
			       u64 offset, u64 len, struct phyr *phyrs, unsigned int max);
unsigned int phyr_cursor_fill(struct phyr_cursor *cur, struct phyr *phyrs, unsigned int max);

/**
 * phyr_iter_init - start iterating over a slice of a list
 * @it: the iterator
 * @list: the list, which must not change while it is walked
 * @offset: first byte of the slice
 * @len: its length; the walk ends with the list if that comes first
 *
 * Context: any.
 */
static inline void phyr_iter_init(struct phyr_iter *it, const struct phyr_list *list,
				  u64 offset, u64 len)
{
	phyr_cursor_init(&it->cursor, list, offset, len);
	it->kind = it->cursor.kind;
	it->used = 0;
	it->filled = 0;
}

/**
 * phyr_iter_next - the next phyr of a slice
 * @it: the iterator
 * @phyr: set to the phyr, cut to the slice at both ends
 *
 * Context: any.
 * Return: true, and false at the end of the slice, with @phyr unchanged.
 */
static inline bool phyr_iter_next(struct phyr_iter *it, struct phyr *phyr)
{
	if (it->used == it->filled) {
		it->used = 0;
		it->filled = phyr_cursor_fill(&it->cursor, it->ahead, PHYR_ITER_AHEAD);
		if (!it->filled)
			return false;
		it->kind = it->cursor.kind;
	}
	*phyr = it->ahead[it->used++];
	return true;
}

/**
 * phyr_iter_more - is there anything left
 * @it: the iterator
 *
 * Context: any.
 * Return: whether phyr_iter_next() will return another phyr.
 */
static inline bool phyr_iter_more(const struct phyr_iter *it)
{
	return it->used < it->filled || it->cursor.pos < it->cursor.end;
}

/**
 * phyr_list_len - length of what a list describes
 * @list: the list
 *
 * Return: the sum of the lengths of all phyrs, in bytes.
 */
static inline u64 phyr_list_len(const struct phyr_list *list)
{
	return list->open_start + list->open.len;
}

/**
 * phyr_list_nr - how many phyrs a list holds
 * @list: the list
 *
 * Return: how many.
 */
static inline unsigned long phyr_list_nr(const struct phyr_list *list)
{
	return list->nr;
}

/**
 * phyr_list_bytes - memory that a list has allocated for itself
 * @list: the list
 *
 * Return: bytes, as asked of the allocator; the list head is not counted.
 */
static inline size_t phyr_list_bytes(const struct phyr_list *list)
{
	return list->bytes;
}

/**
 * phyr_list_kinds - which kinds of memory a list holds, or has held
 * @list: the list
 *
 * Return: a mask with bit &enum phyr_kind set for each kind.
 */
static inline unsigned int phyr_list_kinds(const struct phyr_list *list)
{
	return list->kinds;
}

/**
 * phyr_list_set_read_only - mark a list as one whose memory must not be written
 * @list: the list
 *
 * It stays so until the list is empty again.
 */
static inline void phyr_list_set_read_only(struct phyr_list *list)
{
	list->read_only = true;
}

/**
 * phyr_list_read_only - is a list marked as read-only
 * @list: the list
 *
 * Return: true if any of it was pinned without FOLL_WRITE.
 */
static inline bool phyr_list_read_only(const struct phyr_list *list)
{
	return list->read_only;
}

/**
 * phyr_list_for_each - walk all of a list
 * @list: the list
 * @it: a struct phyr_iter
 * @phyr: a struct phyr, set to each phyr in turn; its kind is in @it.kind
 */
#define phyr_list_for_each(list, it, phyr)				\
	for (phyr_iter_init(&(it), (list), 0, ~0ULL);			\
	     phyr_iter_next(&(it), &(phyr));)

/**
 * phyr_list_for_each_slice - walk the bytes [offset, offset + length) of a list
 * @list: the list
 * @offset: the first byte
 * @length: how many bytes; the walk ends with the list if that comes first
 * @it: a struct phyr_iter
 * @phyr: a struct phyr, cut to the slice at both ends
 *
 * Nothing is copied: a slice is a place to start and a place to stop.
 */
#define phyr_list_for_each_slice(list, offset, length, it, phyr)	\
	for (phyr_iter_init(&(it), (list), (offset), (length));		\
	     phyr_iter_next(&(it), &(phyr));)

/**
 * struct phyr_seg_limits - what a device can take in one segment
 * @max_len: longest segment in bytes; not 0
 * @boundary_mask: a segment must not cross a multiple of this plus one;
 *	~0 for no boundary (as dma_get_seg_boundary())
 */
struct phyr_seg_limits {
	u64 max_len;
	u64 boundary_mask;
};

bool phyr_seg_limits_valid(const struct phyr_seg_limits *lim);
u64 phyr_seg_cut(u64 addr, u64 len, const struct phyr_seg_limits *lim);

#endif /* _LINUX_PHYR_LIST_H */
