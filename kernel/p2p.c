// SPDX-License-Identifier: GPL-2.0-only
/*
 * From device to device: can the one reach a BAR of the other?
 *
 * Between two devices there are bridges, and not all of them pass on what is not
 * for memory: some host bridges drop it, or worse.  The kernel knows which ones do,
 * and is asked before memory of a PCI device is mapped for another one.  Memory
 * without a page that is in no device's BAR is like RAM in this respect.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/sizes.h>

#include "compat.h"
#include "internal.h"

static bool trust_bridges;
module_param(trust_bridges, bool, 0600);
MODULE_PARM_DESC(trust_bridges,
		 "map PCI memory for other devices even where the kernel does not know the host bridge to route it");

static bool reaches(struct device *dev, struct pci_dev *provider)
{
	return &provider->dev == dev ||
	       pci_p2pdma_distance_many(provider, &dev, 1, false) >= 0;
}

/* The device memory of a slice of a list, and the addresses between which it lies. */
struct device_slice {
	const struct phyr_list *list;
	u64 offset;
	u64 len;
	phys_addr_t first, last;
};

static void slice_measure(struct device_slice *slice)
{
	struct phyr_iter it;
	struct phyr phyr;

	slice->first = ~(phys_addr_t)0;
	slice->last = 0;
	phyr_list_for_each_slice(slice->list, slice->offset, slice->len, it, phyr) {
		if (!phyr_kind_is_device(it.kind))
			continue;
		slice->first = min(slice->first, phyr.addr);
		slice->last = max(slice->last, phyr.addr + phyr.len - 1);
		cond_resched();
	}
}

static bool slice_in_bar(const struct device_slice *slice, struct pci_dev *pdev)
{
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each_slice(slice->list, slice->offset, slice->len, it, phyr) {
		if (phyr_kind_is_device(it.kind) &&
		    phyr_pci_owns(pdev, phyr.addr, phyr.addr + phyr.len - 1))
			return true;
		cond_resched();
	}
	return false;
}

/**
 * phyr_p2p_check - is there a way from a device to all of a slice of a list
 * @dev: the device
 * @list: the list
 * @offset: first byte of the slice
 * @len: its length in bytes
 *
 * Kernels without CONFIG_PCI_P2PDMA know nothing of bridges; then the
 * administrator has to know, who alone can pin such memory.
 *
 * Context: process, may sleep.
 * Return: 0, or -EREMOTEIO if there is none.
 */
int phyr_p2p_check(struct device *dev, const struct phyr_list *list, u64 offset, u64 len)
{
	struct device_slice slice = { .list = list, .offset = offset, .len = len };
	struct pci_dev *pdev = NULL;

	if (!IS_ENABLED(CONFIG_PCI_P2PDMA) || READ_ONCE(trust_bridges))
		return 0;
	if (!(phyr_list_kinds(list) & PHYR_DEVICE_KINDS))
		return 0;
	slice_measure(&slice);
	for_each_pci_dev(pdev) {
		if (!phyr_pci_owns(pdev, slice.first, slice.last) || reaches(dev, pdev))
			continue;
		if (slice_in_bar(&slice, pdev)) {
			pci_dev_put(pdev);
			return -EREMOTEIO;
		}
	}
	return 0;
}
