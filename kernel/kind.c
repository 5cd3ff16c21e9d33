// SPDX-License-Identifier: GPL-2.0-only
/* What is at a physical address: which kind of memory, and in which PCI device. */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "internal.h"

/**
 * phyr_kind_of - what memory is at a physical address
 * @addr: the address
 *
 * For arrays of struct phyr, which carry no kind.  The caller must hold the
 * memory, so that it does not change its kind.
 *
 * Context: any.
 * Return: the kind.
 */
enum phyr_kind phyr_kind_of(phys_addr_t addr)
{
	if (!pfn_valid(PHYS_PFN(addr)))
		return PHYR_PFNMAP;
	return page_kind(pfn_to_page(PHYS_PFN(addr)));
}
EXPORT_SYMBOL_GPL(phyr_kind_of);

/*
 * Does a folio say by itself whether one of its pages is poisoned?  Those that the kernel can
 * take such a page from do: of the page cache or anonymous, and of hugetlb.  A driver's does
 * not, nor that of DAX.
 */
static bool speaks_for_pages(const struct folio *folio)
{
	return folio_test_hugetlb(folio) ||
	       (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && folio_test_large(folio) &&
		folio_test_lru(folio));
}

/**
 * phyr_until_poison - how much of a phyr there is before a page that is poisoned
 * @kind: its kind, not PHYR_PFNMAP
 * @addr: its address
 * @len: its length in bytes
 *
 * A large folio is a step where it speaks for its pages.
 *
 * Context: any.
 * Return: @len if no page is known to be poisoned; what comes before the first one that is.
 */
size_t phyr_until_poison(enum phyr_kind kind, phys_addr_t addr, size_t len)
{
	phys_addr_t at = addr;
	struct folio *folio;
	struct page *page;

	while (at < addr + len) {
		page = pfn_to_page(PHYS_PFN(at));
		folio = page_folio(page);
		at = ALIGN_DOWN(at, PAGE_SIZE);
		if (kind == PHYR_RAM && speaks_for_pages(folio) &&
		    !folio_contain_hwpoisoned_page(folio)) {
			at += (folio_nr_pages(folio) - folio_page_idx(folio, page)) * PAGE_SIZE;
			continue;
		}
		if (is_page_hwpoison(page))
			return at > addr ? at - addr : 0;
		at += PAGE_SIZE;
	}
	return len;
}

/**
 * phyr_pci_owns - does a device have any of some memory in a BAR
 * @pdev: the device
 * @first: physical address of the first byte
 * @last: and of the last one
 *
 * Context: any.
 * Return: true if it does.
 */
bool phyr_pci_owns(struct pci_dev *pdev, phys_addr_t first, phys_addr_t last)
{
	const struct resource *res;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		res = &pdev->resource[i];
		if (resource_type(res) == IORESOURCE_MEM && res->start &&
		    first <= res->end && last >= res->start)
			return true;
	}
	return false;
}

/* Does the host bridge of a device pass on any of some memory?  Not where ISA devices are. */
static bool in_window(struct pci_dev *pdev, phys_addr_t first, phys_addr_t last)
{
	struct pci_bus *bus = pdev->bus;
	struct resource *res;

	while (!pci_is_root_bus(bus))
		bus = bus->parent;
	pci_bus_for_each_resource(bus, res)
		if (res && resource_type(res) == IORESOURCE_MEM && res->start >= SZ_1M &&
		    first <= res->end && last >= res->start)
			return true;
	return false;
}

/**
 * phyr_pci_removed - is page-less memory that of a PCI device that was removed
 * @first: physical address of the first byte
 * @last: and of the last one
 *
 * Not every driver removes its mappings with its device: sysfs, procfs, uio and /dev/mem
 * leave them.
 *
 * Memory that the firmware has put into a host bridge's window without a BAR looks like
 * that, too.
 *
 * Context: process.
 * Return: true if a host bridge passes it on, but no device on the bus has it in a BAR.
 */
bool phyr_pci_removed(phys_addr_t first, phys_addr_t last)
{
	struct pci_dev *pdev = NULL;
	bool window = false;

	for_each_pci_dev(pdev) {
		if (phyr_pci_owns(pdev, first, last)) {
			pci_dev_put(pdev);
			return false;
		}
		window = window || in_window(pdev, first, last);
	}
	return window;
}
