// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps phyrs for the edu device and checks what comes out: that each DMA
 * address leads to the byte it stands for, and that a classic sg_table of it
 * has both halves right. A check that fails answers with its line.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>

#include "phyr_test.h"

/* A mapping, and what it is of. */
struct mapping {
	struct device *dev;
	const struct phyr_list *list;
	u64 offset;
	u64 len;
	struct phyr_dma *dma;
	struct sg_table sgt;
};

static const struct phyr_seg_limits no_limits = {
	.max_len = ~0ULL,
	.boundary_mask = ~0ULL,
};

/* Does the device find byte @phys at @addr?  A bounce buffer is taken on trust. */
static bool leads_to(struct device *dev, dma_addr_t addr, phys_addr_t phys)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain)
		return iommu_iova_to_phys(domain, addr) == phys;
	return addr == phys || phys > dma_get_mask(dev);
}

static int check_segments(const struct mapping *m)
{
	struct sg_phyr seg = { .dma_length = 0 };
	struct phyr_dma_iter di;
	struct phyr_iter it;
	struct phyr phyr;
	size_t n;

	phyr_dma_iter_init(&di, m->dma, 0, ~0ULL, &no_limits);
	phyr_list_for_each_slice(m->list, m->offset, m->len, it, phyr) {
		for (; phyr.len; phyr.addr += n, phyr.len -= n) {
			if (!seg.dma_length && !phyr_dma_iter_next(&di, &seg))
				return __LINE__;
			n = min(phyr.len, seg.dma_length);
			if (!leads_to(m->dev, seg.dma_address, phyr.addr))
				return __LINE__;
			if (!leads_to(m->dev, seg.dma_address + n - 1, phyr.addr + n - 1))
				return __LINE__;
			seg.dma_address += n;
			seg.dma_length -= n;
		}
	}
	return seg.dma_length || phyr_dma_iter_next(&di, &seg) ? __LINE__ : 0;
}

static bool within(struct device *dev, dma_addr_t addr, u64 len)
{
	u64 boundary = dma_get_seg_boundary(dev);

	return len && len <= dma_get_max_seg_size(dev) &&
	       (addr & ~boundary) == ((addr + len - 1) & ~boundary);
}

/* The middle half of a mapping, cut as the device wants it. */
static int check_slice(const struct mapping *m)
{
	struct phyr_seg_limits lim = {
		.max_len = dma_get_max_seg_size(m->dev),
		.boundary_mask = dma_get_seg_boundary(m->dev),
	};
	const struct phyr_seg_limits none = { .boundary_mask = ~0ULL };
	u64 start = m->len / 4, len = m->len / 2, done = 0;
	struct phyr_dma_iter di;
	struct sg_phyr seg;
	struct phyr phyr;

	if (phyr_dma_iter_init(&di, m->dma, start, len, &none) != -EINVAL ||
	    phyr_dma_iter_next(&di, &seg))
		return __LINE__;
	if (phyr_dma_iter_init(&di, m->dma, start, len, &lim))
		return __LINE__;
	while (phyr_dma_iter_next(&di, &seg)) {
		if (!within(m->dev, seg.dma_address, seg.dma_length))
			return __LINE__;
		if (!phyr_list_find(m->list, m->offset + start + done, &phyr, NULL))
			return __LINE__;
		if (!leads_to(m->dev, seg.dma_address, phyr.addr))
			return __LINE__;
		done += seg.dma_length;
	}
	return done == len ? 0 : __LINE__;
}

/* The CPU's half of the table against the list. */
static int check_cpu(const struct mapping *m)
{
	u64 pos = m->offset;
	struct scatterlist *s;
	enum phyr_kind kind;
	struct phyr phyr;
	int i;

	for_each_sgtable_sg(&m->sgt, s, i) {
		if (!phyr_list_find(m->list, pos, &phyr, &kind))
			return __LINE__;
		if (!s->length || s->length > phyr.len)
			return __LINE__;
		if (s->length > dma_get_max_seg_size(m->dev))
			return __LINE__;
		if (kind == PHYR_PFNMAP && sg_page(s))
			return __LINE__;
		if (kind != PHYR_PFNMAP && sg_phys(s) != phyr.addr)
			return __LINE__;
		if (s->offset != offset_in_page(phyr.addr))
			return __LINE__;
		pos += s->length;
	}
	return pos == m->offset + m->len ? 0 : __LINE__;
}

/* The device's half against the mapping. */
static int check_dma(const struct mapping *m)
{
	struct sg_phyr seg = { .dma_length = 0 };
	struct phyr_dma_iter di;
	struct scatterlist *s;
	u64 sum = 0;
	int i;

	phyr_dma_iter_init(&di, m->dma, 0, ~0ULL, &no_limits);
	for_each_sgtable_dma_sg(&m->sgt, s, i) {
		if (!within(m->dev, sg_dma_address(s), sg_dma_len(s)))
			return __LINE__;
		if (!seg.dma_length && !phyr_dma_iter_next(&di, &seg))
			return __LINE__;
		if (sg_dma_address(s) != seg.dma_address || sg_dma_len(s) > seg.dma_length)
			return __LINE__;
		seg.dma_address += sg_dma_len(s);
		seg.dma_length -= sg_dma_len(s);
		sum += sg_dma_len(s);
	}
	return sum == m->len && m->sgt.nents <= m->sgt.orig_nents ? 0 : __LINE__;
}

static int check_table(struct mapping *m, struct pt_map *map)
{
	int line;

	map->error = -phyr_dma_to_sgtable(m->dma, &m->sgt, GFP_KERNEL);
	if (map->error == ENOMEM)
		return 0;
	if (map->error)
		return __LINE__;
	map->entries = m->sgt.orig_nents;
	map->dma_entries = m->sgt.nents;
	line = check_cpu(m);
	if (!line)
		line = check_dma(m);
	sg_free_table(&m->sgt);
	return line;
}

static int check_all(struct mapping *m, struct pt_map *map)
{
	int line = check_segments(m);

	map->segments = phyr_dma_nr(m->dma);
	if (!line && !phyr_dma_bytes(m->dma))
		line = __LINE__;
	phyr_dma_sync_for_device(m->dma);
	phyr_dma_sync_for_cpu(m->dma);
	if (!line)
		line = check_slice(m);
	if (!line)
		line = check_table(m, map);
	return line;
}

/* The array again, as a list to compare with. */
static int array_list(struct phyr_list *list, const struct pt_file *pt)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < pt->nr; i++)
		ret = phyr_list_append(list, pt->phyrs[i].addr, pt->phyrs[i].len,
				       phyr_kind_of(pt->phyrs[i].addr), GFP_KERNEL);
	return ret;
}

static int map_array(struct pt_file *pt, struct mapping *m, struct pt_map *map)
{
	struct phyr_list list;
	int ret;

	phyr_list_init(&list);
	ret = array_list(&list, pt);
	if (ret)
		goto free;
	m->list = &list;
	m->len = phyr_list_len(&list);
	m->dma = sg_map_phyrs(m->dev, pt->phyrs, pt->nr, DMA_BIDIRECTIONAL, 0);
	map->error = -PTR_ERR_OR_ZERO(m->dma);
	if (!map->error) {
		map->line = check_all(m, map);
		sg_unmap_phyrs(m->dma);
	}
free:
	phyr_list_free(&list);
	return ret;
}

/* The mapping is only looked at. */
static void map_stop(struct phyr_user *user)
{
}

/* The kernel does not write to a read-only list either; nor here, to one that it could. */
static u32 check_write(const struct mapping *m)
{
	struct phyr_access *access = phyr_access_get(m->list);
	u32 line = 0;
	char byte;
	int ret;

	if (IS_ERR(access))
		return 0;
	ret = phyr_access_read(access, m->offset, &byte, 1);
	if (ret && ret != -ENODEV)
		line = __LINE__;
	if (phyr_list_read_only(m->list) &&
	    phyr_access_write(access, m->offset, &byte, 1) != -EACCES)
		line = __LINE__;
	phyr_access_put(access);
	return line;
}

static void map_into(struct mapping *m, struct pt_map *map)
{
	enum dma_data_direction dir = DMA_BIDIRECTIONAL;

	if (phyr_list_read_only(m->list) && !(map->flags & PT_WRITE))
		dir = DMA_TO_DEVICE;
	map->error = -phyr_dma_map(m->dma, m->list, m->offset, m->len, dir, 0);
	if (map->error) {
		map->line = phyr_dma_nr(m->dma) ? __LINE__ : 0;
		return;
	}
	map->line = check_all(m, map) ?: check_write(m);
	if (phyr_dma_map(m->dma, m->list, m->offset, m->len, dir, 0) != -EBUSY)
		map->line = __LINE__;
	phyr_dma_unmap(m->dma);
}

/* Twice into the same object: the slice, and, even if that failed, the beginning of it. */
static int map_list(struct pt_file *pt, struct mapping *m, struct pt_map *map)
{
	struct phyr_user stop = { .revoke = map_stop };
	struct pt_map again = *map;

	m->list = &pt->list;
	m->offset = map->offset;
	m->len = map->len;
	m->dma = phyr_dma_alloc(m->dev, &stop, GFP_KERNEL);
	if (!m->dma) {
		map->error = ENOMEM;
		return 0;
	}
	map_into(m, map);
	phyr_dma_unmap(m->dma);		/* nothing to end any more, or ever */
	m->len = min_t(u64, m->len, PAGE_SIZE);
	map_into(m, &again);
	if (!map->error)
		map->error = again.error;
	if (!map->line)
		map->line = again.line;
	phyr_dma_free(m->dma);
	return 0;
}

static int map_for(struct device *dev, struct pt_file *pt, struct pt_map *map)
{
	struct mapping m = { .dev = dev };
	unsigned int max_seg;
	u64 boundary;
	int ret;

	max_seg = dma_get_max_seg_size(m.dev);
	boundary = dma_get_seg_boundary(m.dev);
	if (map->max_seg)
		dma_set_max_seg_size(m.dev, map->max_seg);
	if (map->boundary)
		dma_set_seg_boundary(m.dev, map->boundary);
	map->line = 0;
	ret = map->flags & PT_ARRAY ? map_array(pt, &m, map) : map_list(pt, &m, map);
	dma_set_max_seg_size(m.dev, max_seg);
	dma_set_seg_boundary(m.dev, boundary);
	return ret;
}

/* Somewhere, and no bridge leads from there to a PCI device. */
static int map_for_platform(struct pt_file *pt, struct pt_map *map)
{
	const struct platform_device_info info = {
		.name = "phyr_test", .id = PLATFORM_DEVID_AUTO, .dma_mask = DMA_BIT_MASK(64),
	};
	struct platform_device *pdev = platform_device_register_full(&info);
	int ret;

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	ret = map_for(&pdev->dev, pt, map);
	platform_device_unregister(pdev);
	return ret;
}

/* The edu device, held, if its driver has it; or NULL. */
struct pci_dev *pt_edu(void)
{
	struct pci_dev *edu = pci_get_device(0x1234, 0x11e8, NULL);

	if (!edu || edu->dev.driver)
		return edu;
	pci_dev_put(edu);
	return NULL;
}

/* An IOMMU shows such a device no bytes but those that it is to have, so edges bounce. */
int pt_distrust(bool untrusted)
{
	struct pci_dev *edu = pt_edu();

	if (!edu)
		return -ENODEV;
	edu->untrusted = untrusted;
	pci_dev_put(edu);
	return 0;
}

int pt_map(struct pt_file *pt, struct pt_map *map)
{
	struct pci_dev *edu;
	int ret = -ENODEV;

	if (map->flags & PT_PLATFORM)
		return map_for_platform(pt, map);
	edu = pt_edu();
	if (edu)
		ret = map_for(&edu->dev, pt, map);
	pci_dev_put(edu);
	return ret;
}
