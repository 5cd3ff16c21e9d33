/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EDU_H
#define EDU_H

#include <linux/completion.h>
#include <linux/dma-direction.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/phyr.h>

#include "edu_ioctl.h"

/*
 * The device's memory is 4 KiB, but QEMU before 9.2 aborts when a transfer
 * touches its last byte.
 */
#define EDU_BUF_SIZE	2048u

struct pci_dev;
struct dma_buf_attachment;

/* One device.  Lives as long as it is bound or a file is open. */
struct edu {
	struct kref ref;
	struct pci_dev *pdev;		/* NULL once the device is gone */
	void __iomem *regs;
	struct mutex lock;		/* of all below, and of every mapping */
	struct mutex engine;		/* of a transfer; taken under a dma-buf's lock */
	struct completion done;
	struct list_head files;
	void *scratch;
	dma_addr_t scratch_dma;
	struct miscdevice misc;
	char name[16];
	int id;
};

/* What one open file has mapped: as phyrs (list, dma) or as a table (sgt). */
struct edu_file {
	struct edu *edu;
	struct list_head entry;
	bool mapped;
	enum dma_data_direction dir;
	u64 len;

	struct phyr_user stop;		/* called when the memory is revoked */
	bool revoked;			/* it is; under the engine's lock */

	const struct phyr_list *list;
	struct phyr_list own;
	struct phyr_region *region;
	struct phyr_dma *dma;

	struct dma_buf_attachment *attach;
	struct sg_table *sgt;		/* under the dma-buf's lock and the engine's */
	unsigned int nents;
	unsigned int orig_nents;
};

/* map.c */
int edu_map(struct edu_file *file, struct edu_map *map);
void edu_unmap(struct edu_file *file);
ssize_t edu_segment(struct edu_file *file, u64 offset, size_t len, dma_addr_t *addr);
void edu_sync_for_cpu(struct edu_file *file);
void edu_sync_for_device(struct edu_file *file);

/* engine.c */
int edu_engine_init(struct edu *edu);
void edu_engine_exit(struct edu *edu);
int edu_copy(struct edu *edu, dma_addr_t dst, dma_addr_t src, size_t len);

#endif
