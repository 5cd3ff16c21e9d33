// SPDX-License-Identifier: GPL-2.0-only
/*
 * From device to device: can the one reach a BAR of the other?
 *
 * Between two devices there are bridges, and not all of them pass on what is not
 * for memory: some host bridges drop it, or worse.  The kernel knows which ones do,
 * and is asked before memory of a PCI device is mapped for another one.  Memory
 * without a page that is in nobody's BAR is like RAM in this respect.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>

#include "compat.h"
#include "internal.h"

static bool trust_bridges;
module_param(trust_bridges, bool, 0600);
MODULE_PARM_DESC(trust_bridges,
		 "map PCI memory for other devices even where the kernel does not know the host bridge to route it");

/**
 * phyr_p2p_owns - does a device have any of some memory in a BAR
 * @pdev: the device
 * @first: physical address of the first byte
 * @last: and of the last one
 *
 * Context: any.
 * Return: true if it does.
 */
bool phyr_p2p_owns(struct pci_dev *pdev, phys_addr_t first, phys_addr_t last)
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

/* The device that has @addr in a BAR, with a reference, or NULL. */
static struct pci_dev *dev_find(phys_addr_t addr)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (phyr_p2p_owns(pdev, addr, addr))
			return pdev;
	return NULL;
}

static bool reaches(struct device *dev, struct pci_dev *provider)
{
	return &provider->dev == dev ||
	       pci_p2pdma_distance_many(provider, &dev, 1, false) >= 0;
}

/**
 * phyr_p2p_check - is there a way from a device to all of a slice of a list
 * @dev: the device
 * @list: the list
 * @offset: first byte of the slice
 * @len: its length in bytes
 *
 * Kernels without CONFIG_PCI_P2PDMA know nothing of bridges; then it is for the
 * administrator to know, who alone can pin such memory.
 *
 * Context: process, may sleep.
 * Return: 0, or -EREMOTEIO if there is none.
 */
int phyr_p2p_check(struct device *dev, const struct phyr_list *list, u64 offset, u64 len)
{
	struct pci_dev *provider = NULL;
	struct phyr_iter it;
	struct phyr phyr;
	int ret = 0;

	if (!IS_ENABLED(CONFIG_PCI_P2PDMA) || READ_ONCE(trust_bridges))
		return 0;
	if (!(phyr_list_kinds(list) & (BIT(PHYR_MMIO) | BIT(PHYR_P2P))))
		return 0;
	phyr_list_for_each_slice(list, offset, len, it, phyr) {
		if (it.kind != PHYR_MMIO && it.kind != PHYR_P2P)
			continue;
		if (provider && phyr_p2p_owns(provider, phyr.addr, phyr.addr))
			continue;
		pci_dev_put(provider);
		provider = dev_find(phyr.addr);
		if (provider && !reaches(dev, provider)) {
			ret = -EREMOTEIO;
			break;
		}
	}
	pci_dev_put(provider);
	return ret;
}
