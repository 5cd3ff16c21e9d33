// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU reads and writes what a list describes.
 *
 * Memory with a struct page is in the kernel's own mapping already.  Memory
 * without one is mapped for as long as the access lasts, with the caching that
 * the program's own mapping has, each phyr as a whole: the larger it is, the
 * larger are the page-table entries.  It may be revoked meanwhile, so it is
 * touched only between phyr_list_enter() and phyr_list_leave().
 */
#include <linux/bsearch.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/seqlock.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat.h"
#include "internal.h"

/* One phyr without pages, mapped: as I/O memory, or as memory like any other. */
struct access_io {
	u64 start;
	u64 len;
	void __iomem *addr;
	void *plain;
	enum phyr_caching caching;
};

/*
 * The long phyr that was found last, in a list that cannot be revoked: most
 * accesses go on from the one before, and need not search again.  A caller that finds
 * it being written searches.
 */
struct access_last {
	spinlock_t lock;		/* of the writer; never waited for */
	seqcount_spinlock_t seq;
	u64 start;
	u64 end;
	char *addr;			/* of the byte at @start */
};

#define LAST_MIN	SZ_64K		/* an access passes shorter ones too soon */

struct phyr_access {
	const struct phyr_list *list;
	u64 offset;			/* of the slice */
	u64 len;
	struct access_last last;
	unsigned int nr;
	struct access_io io[] __counted_by(nr);
};

static unsigned int count_io(const struct phyr_list *list, u64 offset, u64 len)
{
	unsigned int nr = 0;
	struct phyr_iter it;
	struct phyr phyr;

	if (!(phyr_list_kinds(list) & BIT(PHYR_PFNMAP)))
		return 0;
	phyr_list_for_each_slice(list, offset, len, it, phyr)
		nr += it.kind == PHYR_PFNMAP;
	return nr;
}

static int map_one(struct access_io *io, phys_addr_t addr, size_t len,
		   enum phyr_caching caching)
{
	io->caching = caching;
	if (caching == PHYR_WB)
		io->plain = memremap(addr, len, MEMREMAP_WB);
	else if (caching == PHYR_WC)
		io->addr = ioremap_wc(addr, len);
	else
		io->addr = ioremap(addr, len);
	return io->plain || io->addr ? 0 : -ENOMEM;
}

static void unmap_one(struct access_io *io)
{
	if (io->plain)
		memunmap(io->plain);
	else if (io->addr)
		iounmap(io->addr);
}

static int map_io(struct phyr_access *access)
{
	struct access_io *io = access->io;
	u64 start = access->offset;
	struct phyr_iter it;
	struct phyr phyr;
	int ret;

	phyr_list_for_each_slice(access->list, access->offset, access->len, it, phyr) {
		if (it.kind == PHYR_PFNMAP) {
			ret = map_one(io, phyr.addr, phyr.len,
				      phyr_watch_caching(access->list, start));
			if (ret)
				return ret;
			io->start = start;
			io->len = phyr.len;
			io++;
		}
		start += phyr.len;
		cond_resched();
	}
	return 0;
}

/**
 * phyr_access_get_slice - give the CPU access to a part of what a list describes
 * @list: the list; it must not change, and its memory must be held, until
 *	phyr_access_put()
 * @offset: first byte of the part
 * @len: length in bytes, not 0
 *
 * Memory without pages is mapped for the kernel, as far as the slice has any.  Offsets into
 * the access are still those of the list.
 *
 * Context: process, may sleep.
 * Return: the access; or an ERR_PTR() of -EINVAL for a slice that is not in the list, -ENODEV
 * if it was revoked, or -ENOMEM.
 */
struct phyr_access *phyr_access_get_slice(const struct phyr_list *list, u64 offset, u64 len)
{
	struct phyr_access *access;
	unsigned int nr;
	int ret;

	if (!len || offset > phyr_list_len(list) || len > phyr_list_len(list) - offset)
		return ERR_PTR(-EINVAL);
	nr = count_io(list, offset, len);
	if (phyr_list_revoked(list))
		return ERR_PTR(-ENODEV);
	access = kvzalloc(struct_size(access, io, nr), GFP_KERNEL_ACCOUNT);
	if (!access)
		return ERR_PTR(-ENOMEM);
	access->nr = nr;
	access->list = list;
	access->offset = offset;
	access->len = len;
	spin_lock_init(&access->last.lock);
	seqcount_spinlock_init(&access->last.seq, &access->last.lock);
	ret = nr ? map_io(access) : 0;
	if (ret) {
		phyr_access_put(access);
		return ERR_PTR(ret);
	}
	return access;
}
EXPORT_SYMBOL_GPL(phyr_access_get_slice);

/**
 * phyr_access_get - give the CPU access to what a list describes
 * @list: the list, not empty, as phyr_access_get_slice() says
 *
 * Context: process, may sleep.
 * Return: as phyr_access_get_slice() of all of it.
 */
struct phyr_access *phyr_access_get(const struct phyr_list *list)
{
	return phyr_access_get_slice(list, 0, phyr_list_len(list));
}
EXPORT_SYMBOL_GPL(phyr_access_get);

/**
 * phyr_access_put - end an access
 * @access: what phyr_access_get() returned
 *
 * Context: process, may sleep.
 */
void phyr_access_put(struct phyr_access *access)
{
	unsigned int i;

	for (i = 0; i < access->nr; i++)
		unmap_one(&access->io[i]);
	kvfree(access);
}
EXPORT_SYMBOL_GPL(phyr_access_put);

/**
 * phyr_access_bytes - kernel memory that an access takes
 * @access: the access
 *
 * Return: bytes, page tables not counted.
 */
size_t phyr_access_bytes(const struct phyr_access *access)
{
	return struct_size(access, io, access->nr);
}
EXPORT_SYMBOL_GPL(phyr_access_bytes);

static int io_cmp(const void *key, const void *elem)
{
	const struct access_io *io = elem;
	u64 offset = *(const u64 *)key;

	if (offset < io->start)
		return -1;
	return offset - io->start >= io->len;
}

/* Where a byte without a page, which is in the slice, is mapped; and how it is cached. */
static enum phyr_caching io_map(const struct phyr_access *access, u64 offset,
				struct iosys_map *map)
{
	const struct access_io *io = bsearch(&offset, access->io, access->nr,
					     sizeof(*io), io_cmp);

	if (io->plain)
		iosys_map_set_vaddr(map, io->plain + (offset - io->start));
	else
		iosys_map_set_vaddr_iomem(map, io->addr + (offset - io->start));
	return io->caching;
}

/* How many bytes from an offset on are in the slice: 0 outside. */
static u64 in_slice(const struct phyr_access *access, u64 offset)
{
	u64 at = offset - access->offset;

	return at < access->len ? access->len - at : 0;
}

/**
 * phyr_access_enter - begin to use addresses of phyr_access_window()
 * @access: the access
 *
 * Context: any; see phyr_list_enter().
 * Return: what phyr_access_leave() needs, not negative; -ENODEV if the list was
 * revoked.
 */
int phyr_access_enter(const struct phyr_access *access)
{
	return phyr_list_enter(access->list);
}
EXPORT_SYMBOL_GPL(phyr_access_enter);

/**
 * phyr_access_leave - end what phyr_access_enter() began
 * @access: the access
 * @idx: what phyr_access_enter() returned
 *
 * Context: any.
 */
void phyr_access_leave(const struct phyr_access *access, int idx)
{
	phyr_list_leave(access->list, idx);
}
EXPORT_SYMBOL_GPL(phyr_access_leave);

/**
 * phyr_access_phyr - where the CPU finds a phyr, or the rest of one
 * @access: the access
 * @offset: its first byte in the list, in the slice of @access
 * @phyr: the phyr, in the slice as a whole
 * @window: filled in, but for the kind of memory, which is read
 *
 * Context: any; as phyr_access_window().
 * Return: 0, or -EOPNOTSUPP as phyr_access_window().
 */
int phyr_access_phyr(const struct phyr_access *access, u64 offset, const struct phyr *phyr,
		     struct phyr_window *window)
{
	if (window->kind == PHYR_PFNMAP) {
		window->caching = io_map(access, offset, &window->map);
	} else {
		if (PageHighMem(pfn_to_page(PHYS_PFN(phyr->addr))))
			return -EOPNOTSUPP;
		iosys_map_set_vaddr(&window->map, phys_to_virt(phyr->addr));
		window->caching = window->kind == PHYR_P2P ? PHYR_UC : PHYR_WB;
	}
	window->len = phyr->len;
	return 0;
}

/**
 * phyr_access_window - where the CPU finds a byte, and those after it
 * @access: the access
 * @offset: of the byte, in the list
 * @window: filled in, as far as the phyr goes, and the slice
 *
 * The caller checks whether it may be written: phyr_list_read_only().  Memory is cached as
 * in the mapping that it was pinned from.
 *
 * struct iosys_map tells I/O memory from system memory, but neither how long it is nor how
 * it is cached.
 *
 * Context: any.  The address is used between phyr_access_enter() and phyr_access_leave() only.
 * Return: 0; -EINVAL for a byte that is not in the slice; -EOPNOTSUPP for memory that the
 * kernel does not map all the time (CONFIG_HIGHMEM): phyr_access_read() reads it.
 */
int phyr_access_window(const struct phyr_access *access, u64 offset, struct phyr_window *window)
{
	u64 most = in_slice(access, offset);
	struct phyr phyr;

	if (!most || !phyr_list_find(access->list, offset, &phyr, &window->kind))
		return -EINVAL;
	phyr.len = min_t(u64, phyr.len, most);
	return phyr_access_phyr(access, offset, &phyr, window);
}
EXPORT_SYMBOL_GPL(phyr_access_window);

/**
 * phyr_access_list - the list that an access is to
 * @access: the access
 *
 * Context: any.
 * Return: the list.
 */
const struct phyr_list *phyr_access_list(const struct phyr_access *access)
{
	return access->list;
}

/**
 * phyr_access_covers - are bytes in the slice of an access
 * @access: the access
 * @offset: of the first one, in the list
 * @len: how many, not 0
 *
 * Context: any.
 * Return: true if all of them are.
 */
bool phyr_access_covers(const struct phyr_access *access, u64 offset, u64 len)
{
	return len <= in_slice(access, offset);
}

/* How many bytes follow in the phyr that was found last; 0 if it is another one. */
static size_t last_get(const struct phyr_access *access, u64 offset, char **addr)
{
	const struct access_last *last = &access->last;
	unsigned int seq = raw_read_seqcount(&last->seq);
	u64 start = READ_ONCE(last->start), end = READ_ONCE(last->end);

	*addr = READ_ONCE(last->addr) + (offset - start);
	if (seq & 1 || offset < start || offset >= end || read_seqcount_retry(&last->seq, seq))
		return 0;
	return end - offset;
}

static void last_set(struct phyr_access *access, u64 offset, const struct phyr *phyr)
{
	struct access_last *last = &access->last;
	unsigned long flags;

	if (IS_ENABLED(CONFIG_HIGHMEM) || access->list->watch || phyr->len < LAST_MIN ||
	    !spin_trylock_irqsave(&last->lock, flags))
		return;
	write_seqcount_begin(&last->seq);
	WRITE_ONCE(last->start, offset);
	WRITE_ONCE(last->end, offset + phyr->len);
	WRITE_ONCE(last->addr, phys_to_virt(phyr->addr));
	write_seqcount_end(&last->seq);
	spin_unlock_irqrestore(&last->lock, flags);
}

static void copy_plain(char *addr, void *buf, size_t len, bool write)
{
	if (write)
		memcpy(addr, buf, len);
	else
		memcpy(buf, addr, len);
}

static void copy_highmem(struct page *page, size_t in_page, void *buf, size_t len, bool write)
{
	if (write)
		memcpy_to_page(page, in_page, buf, len);
	else
		memcpy_from_page(buf, page, in_page, len);
}

/* Copies as far as one phyr goes; returns how far. */
static size_t copy_some(struct phyr_access *access, u64 offset, void *buf, size_t len,
			bool write)
{
	u64 most = in_slice(access, offset);
	struct iosys_map map;
	enum phyr_kind kind;
	struct phyr phyr;
	size_t n, in_page;

	if (!most || !phyr_list_find(access->list, offset, &phyr, &kind))
		return 0;
	phyr.len = min_t(u64, phyr.len, most);
	n = min(len, phyr.len);
	if (kind == PHYR_PFNMAP) {
		io_map(access, offset, &map);
		if (write)
			iosys_map_memcpy_to(&map, 0, buf, n);
		else
			iosys_map_memcpy_from(buf, &map, 0, n);
	} else if (IS_ENABLED(CONFIG_HIGHMEM)) {
		in_page = offset_in_page(phyr.addr);
		n = min(n, PAGE_SIZE - in_page);
		copy_highmem(pfn_to_page(PHYS_PFN(phyr.addr)), in_page, buf, n, write);
	} else {
		copy_plain(phys_to_virt(phyr.addr), buf, n, write);
		last_set(access, offset, &phyr);
	}
	return n;
}

static __always_inline int access_copy(struct phyr_access *access, u64 offset, void *buf,
				       size_t len, bool write)
{
	int idx, ret = 0;
	char *addr;
	size_t n;

	if (len <= last_get(access, offset, &addr)) {
		copy_plain(addr, buf, len, write);
		return 0;
	}
	idx = phyr_access_enter(access);
	if (idx < 0)
		return idx;
	for (; len; len -= n, offset += n, buf += n) {
		n = copy_some(access, offset, buf, len, write);
		if (!n) {
			ret = -EINVAL;
			break;
		}
	}
	phyr_access_leave(access, idx);
	return ret;
}

/**
 * phyr_access_read - copy from the memory of a list
 * @access: the access
 * @offset: first byte, counted from the start of the list
 * @buf: where to
 * @len: length in bytes
 *
 * Copies as far as each phyr goes, not a page at a time.  I/O memory is read with the
 * accessors for it.
 *
 * Context: any.
 * Return: 0; -EINVAL if the range passes the end of the slice, and what is before that was
 * copied; -ENODEV if the list was revoked.
 */
int phyr_access_read(struct phyr_access *access, u64 offset, void *buf, size_t len)
{
	return access_copy(access, offset, buf, len, false);
}
EXPORT_SYMBOL_GPL(phyr_access_read);

/**
 * phyr_access_write - copy to the memory of a list
 * @access: the access
 * @offset: first byte, counted from the start of the list
 * @buf: where from
 * @len: length in bytes
 *
 * The reverse of phyr_access_read().
 *
 * Context: any.
 * Return: as phyr_access_read(); -EACCES for a read-only list (pinned without FOLL_WRITE).
 */
int phyr_access_write(struct phyr_access *access, u64 offset, const void *buf, size_t len)
{
	if (phyr_list_read_only(access->list))
		return -EACCES;
	return access_copy(access, offset, (void *)buf, len, true);
}
EXPORT_SYMBOL_GPL(phyr_access_write);
