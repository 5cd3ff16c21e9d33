/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of phyr.ko share. */
#ifndef PHYR_INTERNAL_H
#define PHYR_INTERNAL_H

#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/phyr.h>

struct device;
struct dma_buf;
struct pci_dev;

/* Memory of a device: not cached by the CPU, and never bounced. */
#define PHYR_DEVICE_KINDS	(BIT(PHYR_PFNMAP) | BIT(PHYR_P2P))

static inline bool phyr_kind_is_device(enum phyr_kind kind)
{
	return kind == PHYR_PFNMAP || kind == PHYR_P2P;
}

/* kind.c */
static inline enum phyr_kind page_kind(const struct page *page)
{
	if (likely(!is_zone_device_page(page)))
		return PHYR_RAM;
	return is_pci_p2pdma_page(page) ? PHYR_P2P : PHYR_PMEM;
}

bool phyr_pci_owns(struct pci_dev *pdev, phys_addr_t first, phys_addr_t last);
size_t phyr_until_poison(enum phyr_kind kind, phys_addr_t addr, size_t len);
bool phyr_pci_removed(phys_addr_t first, phys_addr_t last);

/* account.c */
int phyr_account(struct phyr_account *account, unsigned long pages);
void phyr_unaccount(struct phyr_account *account);

/* unpin.c */
void phyr_unpin_from(struct phyr_list *list, u64 offset, bool make_dirty);

/* pgwalk.c */

/**
 * struct phyr_pt_run - page-table entries that map alike, one after another
 * @pfn: the first page frame
 * @nr: how many pages; 0 if nothing is mapped
 * @size: bytes that one entry of this level maps, if that is more than a page
 * @writable: the page table allows writing
 */
struct phyr_pt_run {
	unsigned long pfn;
	unsigned long nr;
	unsigned long size;
	bool writable;
};

void phyr_pt_runs(struct mm_struct *mm, unsigned long addr, unsigned long max,
		  struct phyr_pt_run *runs, unsigned int nr);

/* pfnmap.c */
long phyr_pfnmap_span(struct mm_struct *mm, unsigned long addr, unsigned long max,
		      unsigned int gup_flags);

/**
 * struct phyr_pfnmap - where a page-less mapping leads
 * @pfn: the first page frame
 * @prot: how it is mapped
 */
struct phyr_pfnmap {
	unsigned long pfn;
	pgprot_t prot;
};

long phyr_pfnmap_run(struct mm_struct *mm, unsigned long addr, unsigned long max,
		     unsigned int gup_flags, struct phyr_pfnmap *map);

/* revoke.c */

int phyr_watch_init(void);
void phyr_watch_exit(void);
int phyr_watch_mapping(struct phyr_list *list, struct mm_struct *mm, unsigned long addr,
		       unsigned long len);
void phyr_watch_record(struct phyr_list *list, phys_addr_t addr, size_t len, pgprot_t prot);
int phyr_watch_commit(struct phyr_list *list);
void phyr_watch_cut(struct phyr_list *list, u64 offset);
enum phyr_caching phyr_watch_caching(const struct phyr_list *list, u64 offset);

/* access.c */
const struct phyr_list *phyr_access_list(const struct phyr_access *access);
bool phyr_access_covers(const struct phyr_access *access, u64 offset, u64 len);
int phyr_access_phyr(const struct phyr_access *access, u64 offset, const struct phyr *phyr,
		     struct phyr_window *window);

/* vmap.c */
void *phyr_list_vmap(const struct phyr_list *list, u64 offset, u64 len, bool pages,
		     enum phyr_caching caching);

/* dma.c */
int phyr_dma_init(void);
void phyr_dma_exit(void);

/* p2p.c */
int phyr_p2p_check(struct device *dev, const struct phyr_list *list, u64 offset, u64 len);

/* import.c */

/**
 * struct phyr_source - the dma-buf that a region was imported from
 * @dev: the device that it is attached to
 * @dmabuf: the dma-buf, held
 * @mapped: what holds its memory, and the kernel's mapping of it; none for a region
 * @offset: of what was imported, in @dmabuf
 */
struct phyr_source {
	struct device *dev;
	struct dma_buf *dmabuf;
	struct phyr_dmabuf_map mapped;
	u64 offset;
};

int phyr_source_get(struct phyr_source *source, struct phyr_list *list,
		    const struct phyr_list *from, u64 len);
void phyr_source_put(struct phyr_source *source, struct phyr_list *list);

/* region_mmap.c */
u64 phyr_region_congruent(const struct phyr_region *region, u64 *congruent);

/* region_copy.c */
struct phyr_copy;
struct phyr_fill;
struct phyr_compare;
struct phyr_crc;

int phyr_region_copy(struct phyr_copy *copy);
int phyr_region_fill(struct phyr_fill *fill);
int phyr_region_compare(struct phyr_compare *compare);
int phyr_region_crc32c(struct phyr_crc *crc);

/* rw.c */
struct phyr_rw;

int phyr_region_rw(struct phyr_rw *rw);

/* region.c */
struct dma_buf *phyr_region_pin(unsigned long addr, size_t len, bool write,
				u64 *pin_ns);
struct dma_buf *phyr_region_import(struct device *dev, int fd, u64 offset, u64 len, bool write);
u64 phyr_region_pages(const struct phyr_region *region);

/* region_dmabuf.c */
void phyr_region_totals(u64 *count, u64 *pages);

/* debugfs.c */
void phyr_debugfs_init(void);
void phyr_debugfs_exit(void);

/* chardev.c */
int phyr_chardev_init(void);
void phyr_chardev_exit(void);

#endif /* PHYR_INTERNAL_H */
