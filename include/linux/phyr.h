/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a driver includes to pin memory as phyrs and to map them for its device.
 *
 *	sources                    the list                  sinks
 *	pin_user_phyrs()      -->  struct phyr [],     -->   sg_map_phyrs()
 *	pin_user_phyr_list()       struct phyr_list          phyr_dma_map()
 */
#ifndef _LINUX_PHYR_H
#define _LINUX_PHYR_H

#include <linux/bitmap.h>
#include <linux/dma-direction.h>
#include <linux/iosys-map.h>
#include <linux/phyr_list.h>
#include <linux/types.h>

struct bio;
struct bio_vec;
struct device;
struct dma_buf;
struct dma_buf_attachment;
struct folio_batch;
struct iov_iter;
struct kvec;
struct mm_struct;
struct sg_table;
struct user_struct;

/* Pinning: kernel/pin.c */

/*
 * Beside FOLL_*: memory without a struct page may be pinned.  GUP never sees it.  A driver
 * that pins for the process that calls it adds phyr_foll_pfnmap().
 */
#define PHYR_FOLL_PFNMAP	(1u << 31)

bool phyr_may_pin_pfnmap(void);

/**
 * phyr_foll_pfnmap - the flag for memory without a struct page, if it may be pinned
 *
 * For a driver that pins for the process that calls it.
 *
 * Context: process.
 * Return: PHYR_FOLL_PFNMAP if phyr_may_pin_pfnmap(), else 0.
 */
static inline unsigned int phyr_foll_pfnmap(void)
{
	return phyr_may_pin_pfnmap() ? PHYR_FOLL_PFNMAP : 0;
}

long pin_user_phyrs(unsigned long start, size_t len, unsigned int gup_flags,
		    struct phyr *phyrs, unsigned int nr);
long pin_user_phyrs_remote(struct mm_struct *mm, unsigned long start, size_t len,
			   unsigned int gup_flags, struct phyr *phyrs, unsigned int nr);
void unpin_user_phyrs(const struct phyr *phyrs, unsigned int nr);
void unpin_user_phyrs_dirty_lock(const struct phyr *phyrs, unsigned int nr,
				 bool make_dirty);

int pin_user_phyr_list(struct phyr_list *list, unsigned long start, size_t len,
		       unsigned int gup_flags);
int pin_user_phyr_list_remote(struct phyr_list *list, struct mm_struct *mm,
			      unsigned long start, size_t len, unsigned int gup_flags);
void unpin_user_phyr_list(struct phyr_list *list, bool make_dirty);

enum phyr_kind phyr_kind_of(phys_addr_t addr);

/* To and from what the rest of the kernel describes memory by: kernel/bvec.c */

int phyr_list_append_bvecs(struct phyr_list *list, const struct bio_vec *bvecs, unsigned int nr,
			   gfp_t gfp);
int phyr_list_append_bio(struct phyr_list *list, const struct bio *bio, gfp_t gfp);
int phyr_list_append_sgtable(struct phyr_list *list, const struct sg_table *sgt, gfp_t gfp);
int phyr_list_append_folios(struct phyr_list *list, const struct folio_batch *folios, gfp_t gfp);
int phyr_list_append_kvecs(struct phyr_list *list, const struct kvec *kvecs, unsigned int nr,
			   gfp_t gfp);
int phyr_list_append_iter(struct phyr_list *list, const struct iov_iter *iter, gfp_t gfp);
int phyr_list_to_bvecs(const struct phyr_list *list, u64 offset, u64 len, struct bio_vec *bvecs,
		       unsigned int max);
ssize_t phyr_list_to_bio(const struct phyr_list *list, u64 offset, u64 len, struct bio *bio);

/* Memory without a struct page, which may be revoked: kernel/revoke.c */

/**
 * struct phyr_user - a user of a list, which stops when that is revoked
 * @revoke: called at most once each time it is registered; see phyr_list_register_user()
 *
 * To be embedded.
 */
struct phyr_user {
	void (*revoke)(struct phyr_user *user);
	/* private: */
	struct list_head entry;
};

int phyr_list_register_user(const struct phyr_list *list, struct phyr_user *user);
void phyr_list_unregister_user(const struct phyr_list *list, struct phyr_user *user);
int phyr_list_enter(const struct phyr_list *list);
void phyr_list_leave(const struct phyr_list *list, int idx);
bool phyr_list_revoked(const struct phyr_list *list);

/* Regions of /dev/phyr, for drivers that take one from a program: kernel/region.c */

struct phyr_region;

struct phyr_region *phyr_region_get(int fd);
void phyr_region_put(struct phyr_region *region);
const struct phyr_list *phyr_region_list(const struct phyr_region *region);
bool phyr_region_writable(const struct phyr_region *region);

/* RLIMIT_MEMLOCK: kernel/account.c */

/**
 * struct phyr_account - pinned pages, and whose limit they count against
 * @mm: the process's memory, held; NULL if nothing is counted
 * @user: its user, held; NULL if they do not count for the user
 * @pages: how many
 */
struct phyr_account {
	struct mm_struct *mm;
	struct user_struct *user;
	unsigned long pages;
};

int phyr_account_mm(unsigned long pages);

/* A foreign dma-buf: kernel/import.c */

/**
 * struct phyr_dmabuf_map - a dma-buf that is held in place and mapped for the kernel
 * @attach: what holds it
 * @map: the mapping of all of it
 * @account: its pages, if holding it is pinning it
 */
struct phyr_dmabuf_map {
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct phyr_account account;
};

int phyr_dmabuf_map(struct phyr_dmabuf_map *dm, struct dma_buf *dmabuf, struct device *dev);
void phyr_dmabuf_unmap(struct phyr_dmabuf_map *dm);

/* Access by the CPU: kernel/access.c */

/**
 * enum phyr_caching - how the processor caches a mapping
 * @PHYR_UC: not at all
 * @PHYR_WC: writes are combined
 * @PHYR_WB: as ordinary memory
 */
enum phyr_caching {
	PHYR_UC,
	PHYR_WC,
	PHYR_WB
};

/**
 * struct phyr_window - bytes of a list that the CPU finds side by side
 * @map: the address of the first one
 * @len: how many there are
 * @caching: how @map is cached, as every other mapping of them
 * @kind: what memory they are in
 */
struct phyr_window {
	struct iosys_map map;
	size_t len;
	enum phyr_caching caching;
	enum phyr_kind kind;
};

struct phyr_access;

struct phyr_access *phyr_access_get(const struct phyr_list *list);
struct phyr_access *phyr_access_get_slice(const struct phyr_list *list, u64 offset, u64 len);
void phyr_access_put(struct phyr_access *access);
int phyr_access_enter(const struct phyr_access *access);
void phyr_access_leave(const struct phyr_access *access, int idx);
int phyr_access_window(const struct phyr_access *access, u64 offset, struct phyr_window *window);
int phyr_access_read(struct phyr_access *access, u64 offset, void *buf, size_t len);
int phyr_access_write(struct phyr_access *access, u64 offset, const void *buf, size_t len);
size_t phyr_access_bytes(const struct phyr_access *access);

/* In one piece: kernel/vmap.c */

/**
 * struct phyr_vmap - bytes of a list with one address of the kernel
 * @map: the address of the first one
 * @caching: how @map is cached, as every other mapping of them
 * @area: for phyr_vunmap()
 */
struct phyr_vmap {
	struct iosys_map map;
	enum phyr_caching caching;
	void *area;
};

int phyr_vmap(const struct phyr_access *access, u64 offset, u64 len, struct phyr_vmap *vmap);
void phyr_vunmap(struct phyr_vmap *vmap);

/* Copying and comparing: kernel/copy.c */

ssize_t phyr_copy(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
		  u64 src_offset, size_t len);
ssize_t phyr_copy_to_iter(struct phyr_access *src, u64 offset, size_t len, struct iov_iter *to);
ssize_t phyr_copy_from_iter(struct phyr_access *dst, u64 offset, size_t len,
			    struct iov_iter *from);
ssize_t phyr_fill(struct phyr_access *dst, u64 offset, size_t len, u8 byte);
ssize_t phyr_compare(struct phyr_access *a, u64 a_offset, struct phyr_access *b, u64 b_offset,
		     size_t len, bool *differ);
ssize_t phyr_compare_iter(struct phyr_access *a, u64 offset, size_t len, struct iov_iter *iter,
			  bool *differ);
ssize_t phyr_crc32c(struct phyr_access *src, u64 offset, size_t len, u32 *crc);

/* I/O of memory without a page: kernel/rw.c, and block/, which may make it direct */

struct file;
struct module;
struct phyr_shadow_io;

#define PHYR_SHADOW_MAX		(1 << 20)	/* bytes */

/**
 * struct phyr_shadow - pages that stand for memory without any, during an I/O
 * @page: the first one, of a folio of their own
 * @first: offset of the first byte in it, that of the memory in its page; a multiple of 512
 * @len: how many bytes
 * @direct: a bit for each 512 bytes: a device has read or written the memory itself
 */
struct phyr_shadow {
	struct page *page;
	u32 first;
	u32 len;
	DECLARE_BITMAP(direct, PHYR_SHADOW_MAX >> 9);
};

/**
 * struct phyr_shadow_ops - who can make I/O with shadows direct
 * @owner: the module, held during a call
 * @map: maps bytes of a list for the drive of a file, and NULL if that cannot be; the file is
 *	written from them if @write, else read to them
 * @unmap: the reverse
 * @arm: from now on the drive gets the memory from @offset of the list on for @shadow, where
 *	a request has it; false if it does not
 * @disarm: the reverse; no request has it any more
 */
struct phyr_shadow_ops {
	struct module *owner;
	struct phyr_shadow_io *(*map)(const struct file *file, const struct phyr_list *list,
				      u64 offset, u64 len, bool write);
	void (*unmap)(struct phyr_shadow_io *io);
	bool (*arm)(struct phyr_shadow_io *io, struct phyr_shadow *shadow, u64 offset);
	void (*disarm)(struct phyr_shadow_io *io);
};

int phyr_shadow_register(const struct phyr_shadow_ops *ops);
void phyr_shadow_unregister(const struct phyr_shadow_ops *ops);

/* Mapping for a device: kernel/dma.c */

/**
 * struct sg_phyr - one range of DMA addresses
 * @dma_address: what to program into the device
 * @dma_length: its length in bytes; may exceed 4 GiB
 */
struct sg_phyr {
	dma_addr_t dma_address;
	size_t dma_length;
};

/**
 * struct sg_phyr_chunk - a piece of the DMA list; the chain is here, not in it
 * @next: the next piece, or NULL
 * @nr: entries used in this piece
 * @max: entries that it has room for
 * @seg: the entries
 */
struct sg_phyr_chunk {
	struct sg_phyr_chunk *next;
	unsigned int nr;
	unsigned int max;
	struct sg_phyr seg[];
};

struct phyr_dma;

struct phyr_dma *phyr_dma_alloc(struct device *dev, struct phyr_user *owner, gfp_t gfp);
int phyr_dma_map(struct phyr_dma *dma, const struct phyr_list *list, u64 offset, u64 len,
		 enum dma_data_direction dir, unsigned long attrs);
void phyr_dma_unmap(struct phyr_dma *dma);
void phyr_dma_free(struct phyr_dma *dma);
void phyr_dma_sync_for_cpu(struct phyr_dma *dma);
void phyr_dma_sync_for_device(struct phyr_dma *dma);
unsigned long phyr_dma_nr(const struct phyr_dma *dma);
size_t phyr_dma_bytes(const struct phyr_dma *dma);

struct phyr_dma *sg_map_phyrs(struct device *dev, const struct phyr *phyrs, unsigned int nr,
			      enum dma_data_direction dir, unsigned long attrs);
void sg_unmap_phyrs(struct phyr_dma *dma);

/* The list of DMA addresses, and scatterlists: kernel/sg.c */

/**
 * struct phyr_dma_iter - cuts a slice of a mapping into a device's segments
 *
 * The fields are private.
 */
struct phyr_dma_iter {
	/* private: */
	const struct sg_phyr_chunk *chunk;
	unsigned int index;
	u64 left;
	struct sg_phyr rest;
	struct phyr_seg_limits lim;
};

int phyr_dma_iter_init(struct phyr_dma_iter *it, const struct phyr_dma *dma,
		       u64 offset, u64 len, const struct phyr_seg_limits *lim);
bool phyr_dma_iter_next(struct phyr_dma_iter *it, struct sg_phyr *seg);

int phyr_dma_to_sgtable(const struct phyr_dma *dma, struct sg_table *sgt, gfp_t gfp);
int phyr_list_to_sgtable(const struct phyr_list *list, struct sg_table *sgt, unsigned int max,
			 gfp_t gfp);

#endif /* _LINUX_PHYR_H */
