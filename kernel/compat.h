/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack.  The code elsewhere is written for the newest one;
 * no other file asks for a kernel's version.
 */
#ifndef PHYR_COMPAT_H
#define PHYR_COMPAT_H

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/phyr_list.h>
#include <linux/string.h>
#include <linux/version.h>
#include <linux/vmstat.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
/* The module namespace became a string in 6.13. */
#define PHYR_IMPORT_DMA_BUF()	MODULE_IMPORT_NS(DMA_BUF)

/* More pins for a large folio that holds one; see try_grab_folio() in GUP. */
static inline int folio_add_pins(struct folio *folio, unsigned int pins)
{
	if (WARN_ON_ONCE(!folio_test_large(folio)))
		return -EINVAL;
	folio_ref_add(folio, pins);
	atomic_add(pins, &folio->_pincount);
	node_stat_mod_folio(folio, NR_FOLL_PIN_ACQUIRED, pins);
	return 0;
}
#else
#define PHYR_IMPORT_DMA_BUF()	MODULE_IMPORT_NS("DMA_BUF")
#endif

/* 6.16 and 6.17 have the calls, but no way to say that what they link is MMIO. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define PHYR_HAS_IOVA	0

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
struct dma_iova_state {
	dma_addr_t addr;
	u64 __size;
};

#define DMA_IOVA_USE_SWIOTLB	(1ULL << 63)

static inline bool dma_use_iova(struct dma_iova_state *state)
{
	return false;
}

static inline bool dma_iova_try_alloc(struct device *dev, struct dma_iova_state *state,
				      phys_addr_t phys, size_t size)
{
	return false;
}

static inline int dma_iova_link(struct device *dev, struct dma_iova_state *state,
				phys_addr_t phys, size_t offset, size_t size,
				enum dma_data_direction dir, unsigned long attrs)
{
	return -EOPNOTSUPP;
}

static inline int dma_iova_sync(struct device *dev, struct dma_iova_state *state,
				size_t offset, size_t size)
{
	return -EOPNOTSUPP;
}

static inline void dma_iova_unlink(struct device *dev, struct dma_iova_state *state,
				   size_t offset, size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
}

static inline void dma_iova_free(struct device *dev, struct dma_iova_state *state)
{
}
#endif
#else
#define PHYR_HAS_IOVA	1
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define PHYR_P2P_IS_MMIO	0

/* udmabuf's vmap() has the first page of a large folio in place of each page of it. */
static inline bool dma_buf_vmap_is_right(const struct dma_buf *dmabuf, const struct iosys_map *map)
{
	size_t at;

	if (map->is_iomem || !is_vmalloc_addr(map->vaddr) || strcmp(dmabuf->exp_name, "udmabuf"))
		return true;
	for (at = 0; at < dmabuf->size; at += PAGE_SIZE)
		if (PageCompound(vmalloc_to_page(map->vaddr + at)))
			return false;
	return true;
}
#else
#define PHYR_P2P_IS_MMIO	1	/* pages of PCI memory are mapped as such */

static inline bool dma_buf_vmap_is_right(const struct dma_buf *dmabuf, const struct iosys_map *map)
{
	return true;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#include <linux/crc32.h>

/* Elsewhere it is a module's, which a kernel may lack. */
#define crc32c(crc, p, len)	__crc32c_le(crc, p, len)
#else
#include <linux/crc32c.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>

/* They take a pfn_t there. */
static inline vm_fault_t phyr_insert_mixed(struct vm_area_struct *vma, unsigned long addr,
					   unsigned long pfn)
{
	return vmf_insert_mixed(vma, addr, __pfn_to_pfn_t(pfn, 0));
}

static inline vm_fault_t phyr_insert_pfn_pmd(struct vm_fault *vmf, unsigned long pfn, bool write)
{
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, 0), write);
}

#define vmf_insert_mixed	phyr_insert_mixed
#define vmf_insert_pfn_pmd	phyr_insert_pfn_pmd
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define DMA_ATTR_MMIO	(1UL << 31)	/* never leaves this file */

static inline dma_addr_t dma_map_phys(struct device *dev, phys_addr_t phys, size_t size,
				      enum dma_data_direction dir, unsigned long attrs)
{
	if (attrs & DMA_ATTR_MMIO)
		return dma_map_resource(dev, phys, size, dir, attrs & ~DMA_ATTR_MMIO);
	return dma_map_page_attrs(dev, pfn_to_page(PHYS_PFN(phys)), offset_in_page(phys),
				  size, dir, attrs);
}

static inline void dma_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
				  enum dma_data_direction dir, unsigned long attrs)
{
	if (attrs & DMA_ATTR_MMIO)
		dma_unmap_resource(dev, addr, size, dir, attrs & ~DMA_ATTR_MMIO);
	else
		dma_unmap_page_attrs(dev, addr, size, dir, attrs);
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
static inline void phyr_invalidate_nothing(struct dma_buf_attachment *attach)
{
}

/* Older kernels warn of a dynamic importer without the callback. */
#define DMA_BUF_NOT_REVOCABLE	.invalidate_mappings = phyr_invalidate_nothing,
#else
#define DMA_BUF_NOT_REVOCABLE
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
/* An importer's callback, and what calls it, by their newer names. */
#define invalidate_mappings		move_notify
#define dma_buf_invalidate_mappings	dma_buf_move_notify

/*
 * An importer that cannot be notified has a callback all the same, but it pins.  So
 * does the core, once for each mapping, where importers are not notified of moves.
 */
#define DMA_BUF_PINS_REVOCABLE		(IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) ? 0 : 1)
#else
#define DMA_BUF_PINS_REVOCABLE		ULONG_MAX

/* One can stand for the other. */
static_assert(sizeof(struct phyr) == sizeof(struct phys_vec) &&
	      offsetof(struct phyr, addr) == offsetof(struct phys_vec, paddr) &&
	      offsetof(struct phyr, len) == offsetof(struct phys_vec, len));
#endif

#endif /* PHYR_COMPAT_H */
