// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of a list, however many phyrs they are, in one piece of the kernel's addresses.
 *
 * One phyr has an address already, and nothing is allocated.  Several are mapped by pages:
 * the kernel exports no call that maps longer pieces of memory.  That takes eight bytes for
 * each page while the mapping is made, and small page-table entries as long as it lasts.
 */
#include <linux/cc_platform.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "internal.h"

/* A device's memory is not encrypted where the processor encrypts its own. */
static pgprot_t prot_of(bool pages, enum phyr_caching caching)
{
	pgprot_t prot = pages ? PAGE_KERNEL : pgprot_decrypted(PAGE_KERNEL);

	switch (caching) {
	case PHYR_UC:
		return pgprot_noncached(prot);
	case PHYR_WC:
		return pgprot_writecombine(prot);
	default:
		return prot;
	}
}

/*
 * Whether cached memory without pages is encrypted is known to memremap() only, and not the
 * same in all kernels.
 */
static bool may_map_pfns(enum phyr_caching caching)
{
	return IS_ENABLED(CONFIG_VMAP_PFN) &&
	       !(caching == PHYR_WB && cc_platform_has(CC_ATTR_MEM_ENCRYPT));
}

/* Pages of bytes that begin anywhere in one and end anywhere in another. */
static unsigned long pages_of(phys_addr_t first, u64 len)
{
	return PHYS_PFN(PAGE_ALIGN(offset_in_page(first) + len));
}

/* Does a page hold bytes of the slice that are not next to each other there? */
static bool splits_page(const struct phyr *phyr, u64 done, u64 len)
{
	return (done && offset_in_page(phyr->addr)) ||
	       (done + phyr->len < len && offset_in_page(phyr->addr + phyr->len));
}

/* A PFN a page, or a struct page, which takes as much. */
static int fill_array(const struct phyr_list *list, u64 offset, u64 len, struct page **pages,
		      unsigned long *pfns)
{
	unsigned long n = 0, pfn;
	struct phyr_iter it;
	struct phyr phyr;
	u64 done = 0;

	phyr_list_for_each_slice(list, offset, len, it, phyr) {
		if (splits_page(&phyr, done, len))
			return -EOPNOTSUPP;
		for (pfn = PHYS_PFN(phyr.addr); pfn <= PHYS_PFN(phyr.addr + phyr.len - 1); pfn++) {
			if (pages)
				pages[n++] = pfn_to_page(pfn);
			else if (!pfn_valid(pfn))
				pfns[n++] = pfn;
			else
				return -EOPNOTSUPP;
		}
		done += phyr.len;
		cond_resched();
	}
	return 0;
}

static void *map_array(void *array, unsigned long nr, bool pages, pgprot_t prot)
{
	if (pages)
		return vmap(array, nr, VM_MAP, prot);
#ifdef CONFIG_VMAP_PFN
	return vmap_pfn(array, nr, prot);
#else
	return NULL;
#endif
}

/**
 * phyr_list_vmap - map a slice of a list by pages, for the kernel
 * @list: the list; all of the slice has pages, or nothing of it
 * @offset: first byte
 * @len: length in bytes, not 0, within the list
 * @pages: whether it has pages
 * @caching: how it is cached in every other mapping
 *
 * Context: process, may sleep.
 * Return: the address of the first byte, whose page is for vunmap(); or an ERR_PTR() of
 * -EOPNOTSUPP for phyrs that do not meet at the edges of pages, or, without pages, on a
 * kernel without vmap_pfn(), that encrypts memory, or in a section that has some; -ENOMEM,
 * also for a TiB and more.
 */
void *phyr_list_vmap(const struct phyr_list *list, u64 offset, u64 len, bool pages,
		     enum phyr_caching caching)
{
	enum phyr_kind kind;
	unsigned long nr;
	struct phyr first;
	void *array, *addr;
	int ret;

	if (!pages && !may_map_pfns(caching))
		return ERR_PTR(-EOPNOTSUPP);
	if (!phyr_list_find(list, offset, &first, &kind))
		return ERR_PTR(-EINVAL);
	nr = pages_of(first.addr, len);
	array = kvmalloc_array(nr, sizeof(void *), GFP_KERNEL | __GFP_NOWARN);
	if (!array)
		return ERR_PTR(-ENOMEM);
	ret = fill_array(list, offset, len, pages ? array : NULL, array);
	addr = ret ? NULL : map_array(array, nr, pages, prot_of(pages, caching));
	kvfree(array);
	if (!addr)
		return ERR_PTR(ret ?: -ENOMEM);
	return addr + offset_in_page(first.addr);
}

static bool has_pages(const struct phyr_window *w)
{
	return w->kind != PHYR_PFNMAP;
}

/* Is all of a slice with pages, or without, and cached like its first window? */
static bool is_uniform(const struct phyr_access *access, u64 offset, u64 len,
		       const struct phyr_window *first)
{
	struct phyr_window w;
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each_slice(phyr_access_list(access), offset, len, it, phyr) {
		w.kind = it.kind;
		if (phyr_access_phyr(access, offset, &phyr, &w) || w.caching != first->caching ||
		    has_pages(&w) != has_pages(first))
			return false;
		offset += phyr.len;
		cond_resched();
	}
	return true;
}

/**
 * phyr_vmap - give bytes of a list one address
 * @access: access to the list, which lasts longer than the mapping
 * @offset: first byte, in the list
 * @len: length in bytes, not 0
 * @vmap: filled in
 *
 * The caching is that of the memory's other mappings, which cannot be chosen: memory that is
 * cached in two ways is not consistent.  What phyr_access_window() says of writing and of
 * memory without pages holds here, too: the address of memory that can be revoked is used
 * only between phyr_access_enter() and phyr_access_leave().
 *
 * Context: process, may sleep.
 * Return: 0; -EINVAL for a range that is not in the slice of @access; -EOPNOTSUPP for
 * memory with pages mixed with memory without, or of more than one caching, or that
 * phyr_list_vmap() cannot map; -ENODEV if the list was revoked; -ENOMEM.
 */
int phyr_vmap(const struct phyr_access *access, u64 offset, u64 len, struct phyr_vmap *vmap)
{
	struct phyr_window first;
	void *addr;
	int ret;

	if (!len || !phyr_access_covers(access, offset, len))
		return -EINVAL;
	if (phyr_list_revoked(phyr_access_list(access)))
		return -ENODEV;
	ret = phyr_access_window(access, offset, &first);
	if (ret)
		return ret;
	vmap->area = NULL;
	vmap->caching = first.caching;
	vmap->map = first.map;
	if (first.len >= len)
		return 0;
	if (!is_uniform(access, offset, len, &first))
		return -EOPNOTSUPP;
	addr = phyr_list_vmap(phyr_access_list(access), offset, len, has_pages(&first),
			      first.caching);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	vmap->area = PTR_ALIGN_DOWN(addr, PAGE_SIZE);
	if (first.map.is_iomem)
		iosys_map_set_vaddr_iomem(&vmap->map, (__force void __iomem *)addr);
	else
		iosys_map_set_vaddr(&vmap->map, addr);
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_vmap);

/**
 * phyr_vunmap - end a mapping of phyr_vmap()
 * @vmap: the mapping; its address is not valid any more
 *
 * Context: process, may sleep.
 */
void phyr_vunmap(struct phyr_vmap *vmap)
{
	if (vmap->area)
		vunmap(vmap->area);
	iosys_map_clear(&vmap->map);
	vmap->area = NULL;
}
EXPORT_SYMBOL_GPL(phyr_vunmap);
