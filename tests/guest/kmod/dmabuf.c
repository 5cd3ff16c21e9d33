// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sides of a dma-buf that no driver at hand has: an exporter that says who
 * holds its buffer, and importers that pin, or take their time to unmap.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "phyr_test.h"

/* The exporter */

struct export {
	void *memory;
	unsigned int attached;
	unsigned int revocable;		/* of those: has a callback to be notified by */
	unsigned int pinned;
	unsigned int mapped;		/* for the kernel */
};

static bool is_revocable(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->invalidate_mappings;
}

static int export_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct export *export = dmabuf->priv;

	export->attached++;
	export->revocable += is_revocable(attach);
	return 0;
}

static void export_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct export *export = dmabuf->priv;

	export->attached--;
	export->revocable -= is_revocable(attach);
}

static int export_pin(struct dma_buf_attachment *attach)
{
	struct export *export = attach->dmabuf->priv;

	export->pinned++;
	return 0;
}

static void export_unpin(struct dma_buf_attachment *attach)
{
	struct export *export = attach->dmabuf->priv;

	export->pinned--;
}

/* Nobody is meant to. */
static struct sg_table *export_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void export_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
}

static int export_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct export *export = dmabuf->priv;

	export->mapped++;
	iosys_map_set_vaddr(map, export->memory);
	return 0;
}

static void export_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct export *export = dmabuf->priv;

	export->mapped--;
}

static void export_free(struct export *export)
{
	vfree(export->memory);
	kfree(export);
}

static void export_release(struct dma_buf *dmabuf)
{
	export_free(dmabuf->priv);
}

#define EXPORT_OPS				\
	.attach = export_attach,		\
	.detach = export_detach,		\
	.map_dma_buf = export_map,		\
	.unmap_dma_buf = export_unmap,		\
	.vmap = export_vmap,			\
	.vunmap = export_vunmap,		\
	.release = export_release

static const struct dma_buf_ops export_ops = {
	EXPORT_OPS,
};

static const struct dma_buf_ops export_ops_movable = {
	EXPORT_OPS,
	.pin = export_pin,
	.unpin = export_unpin,
};

/* A buffer, open for reading and, with PT_WRITE, for writing; with PT_MOVABLE it has pin(). */
int pt_export(struct pt_dmabuf *arg)
{
	struct export *export = kzalloc(sizeof(*export), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int ret = -ENOMEM;

	if (!export)
		return -ENOMEM;
	export->memory = vzalloc(arg->len);
	if (!export->memory)
		goto free;
	info.ops = arg->flags & PT_MOVABLE ? &export_ops_movable : &export_ops;
	info.size = PAGE_ALIGN(arg->len);
	info.flags = arg->flags & PT_WRITE ? O_RDWR : O_RDONLY;
	info.priv = export;
	dmabuf = dma_buf_export(&info);
	ret = PTR_ERR_OR_ZERO(dmabuf);
	if (ret)
		goto free;
	arg->fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (arg->fd < 0)
		dma_buf_put(dmabuf);
	return arg->fd < 0 ? arg->fd : 0;
free:
	export_free(export);
	return ret;
}

int pt_export_state(struct pt_dmabuf *arg)
{
	struct dma_buf *dmabuf = dma_buf_get(arg->fd);
	const struct export *export;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	export = dmabuf->priv;
	if (dmabuf->ops->release != export_release) {
		dma_buf_put(dmabuf);
		return -EINVAL;
	}
	arg->attached = export->attached;
	arg->revocable = export->revocable;
	arg->pinned = export->pinned;
	arg->mapped = export->mapped;
	dma_buf_put(dmabuf);
	return 0;
}

/* The importers */

struct pt_import {
	struct pci_dev *edu;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	bool pinned;
	struct delayed_work late;
};

static void import_unmap(struct pt_import *import)
{
	if (import->sgt)
		dma_buf_unmap_attachment(import->attach, import->sgt, DMA_BIDIRECTIONAL);
	import->sgt = NULL;
}

static void import_late(struct work_struct *work)
{
	struct pt_import *import = container_of(to_delayed_work(work), struct pt_import, late);
	struct dma_resv *resv = import->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	import_unmap(import);
	dma_resv_unlock(resv);
}

/* As one that has to wait for its device first. */
static void import_invalidate(struct dma_buf_attachment *attach)
{
	struct pt_import *import = attach->importer_priv;

	schedule_delayed_work(&import->late, HZ / 5);
}

static const struct dma_buf_attach_ops import_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = import_invalidate,
};

static int import_map(struct pt_import *import, bool pin)
{
	struct sg_table *sgt;
	int ret = pin ? dma_buf_pin(import->attach) : 0;

	if (ret)
		return ret;
	import->pinned = pin;
	sgt = dma_buf_map_attachment(import->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	import->sgt = sgt;
	return 0;
}

static void import_end(struct pt_import *import)
{
	struct dma_buf *dmabuf = import->attach->dmabuf;

	flush_delayed_work(&import->late);
	dma_resv_lock(dmabuf->resv, NULL);
	import_unmap(import);
	if (import->pinned)
		dma_buf_unpin(import->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, import->attach);
	dma_buf_put(dmabuf);
	pci_dev_put(import->edu);
	kfree(import);
}

/* Maps a dma-buf for edu, as an importer that pins it with PT_PIN; until pt_detach(). */
int pt_attach(struct pt_file *pt, struct pt_dmabuf *arg)
{
	struct pt_import *import;
	struct dma_buf *dmabuf;
	int ret;

	if (pt->import)
		return -EBUSY;
	import = kzalloc(sizeof(*import), GFP_KERNEL);
	if (!import)
		return -ENOMEM;
	import->edu = pt_edu();
	ret = import->edu ? 0 : -ENODEV;
	if (ret)
		goto free;
	dmabuf = dma_buf_get(arg->fd);
	ret = PTR_ERR_OR_ZERO(dmabuf);
	if (ret)
		goto put_edu;
	INIT_DELAYED_WORK(&import->late, import_late);
	import->attach = dma_buf_dynamic_attach(dmabuf, &import->edu->dev, &import_ops, import);
	ret = PTR_ERR_OR_ZERO(import->attach);
	if (ret)
		goto put;
	dma_resv_lock(dmabuf->resv, NULL);
	ret = import_map(import, arg->flags & PT_PIN);
	dma_resv_unlock(dmabuf->resv);
	if (ret) {
		import_end(import);
		return ret;
	}
	pt->import = import;
	return 0;
put:
	dma_buf_put(dmabuf);
put_edu:
	pci_dev_put(import->edu);
free:
	kfree(import);
	return ret;
}

void pt_detach(struct pt_file *pt)
{
	if (pt->import)
		import_end(pt->import);
	pt->import = NULL;
}
