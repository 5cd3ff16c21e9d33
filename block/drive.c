// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which drive a file is on, and memory mapped for it.
 *
 * Direct is only what nobody reads on its way: of a block device of a stock NVMe drive, or a
 * file of ext4 or xfs right on it.  What is stacked between, or keeps checksums, or encrypts,
 * has the shadow.
 *
 * Memory may be revoked at any time: then no shadow is armed any more, and the revocation
 * waits until none is.  That is a counter and not a lock, as file systems take locks of the
 * kinds that a revocation is waited for with; none of those is of the memory's own mapping.
 * A drive that goes waits for the mappings to end; their I/O has failed by then.
 */
#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "block.h"

/**
 * struct phyr_shadow_io - bytes of a list, mapped for a drive
 * @node: in all of them
 * @dev: the drive's PCI device, held
 * @user: of @dma
 * @dma: the mapping
 * @offset: of its first byte, in the list
 * @armed: the shadow, while there is one
 * @closed: the memory is revoked
 * @busy: a shadow is armed
 */
struct phyr_shadow_io {
	struct list_head node;
	struct device *dev;
	struct phyr_user user;
	struct phyr_dma *dma;
	u64 offset;
	struct armed_shadow armed;
	bool closed;
	atomic_t busy;
};

static LIST_HEAD(all_io);
static DEFINE_SPINLOCK(all_io_lock);
static DECLARE_WAIT_QUEUE_HEAD(io_changed);

/**
 * drive_is_nvme - is a device a PCI device of the stock nvme driver
 * @dev: the device
 *
 * Context: any; the device is held.
 * Return: true if it is, and bound now.
 */
bool drive_is_nvme(struct device *dev)
{
	const struct device_driver *driver = READ_ONCE(dev->driver);

	return dev_is_pci(dev) && driver && !strcmp(driver->name, "nvme");
}

/* File systems that hand on what they are given, and do not look into it. */
static bool is_plain_file(const struct inode *inode)
{
	const char *type = inode->i_sb->s_type->name;

	return (!strcmp(type, "ext4") || !strcmp(type, "xfs")) && S_ISREG(inode->i_mode) &&
	       !IS_ENCRYPTED(inode) && !IS_VERITY(inode);
}

static struct block_device *bdev_of(const struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	if (!(file->f_flags & O_DIRECT))
		return NULL;
	if (S_ISBLK(inode->i_mode))
		return I_BDEV(inode);
	return is_plain_file(inode) ? inode->i_sb->s_bdev : NULL;
}

/*
 * The disk's parent is the controller, and that one's the PCI device; a disk of several paths
 * has none.  An open disk of nvme's holds both, even if they are removed.
 */
static struct device *device_of(struct block_device *bdev)
{
	struct gendisk *disk = bdev->bd_disk;
	struct device *ctrl, *dev;

	if (strncmp(disk->disk_name, "nvme", 4) || blk_get_integrity(disk) || bdev_is_zoned(bdev))
		return NULL;
	ctrl = disk_to_dev(disk)->parent;
	dev = ctrl ? ctrl->parent : NULL;
	return dev && drive_is_nvme(dev) ? dev : NULL;
}

/* Waits until no request can have what was mapped. */
static void io_revoke(struct phyr_user *user)
{
	struct phyr_shadow_io *io = container_of(user, struct phyr_shadow_io, user);

	WRITE_ONCE(io->closed, true);
	smp_mb();	/* with the one of drive_arm() */
	wait_event(io_changed, !atomic_read(&io->busy));
}

/* A device that is unbound has no driver when it is waited for: see drive_event(). */
static bool io_add(struct phyr_shadow_io *io)
{
	bool there;

	spin_lock(&all_io_lock);
	there = drive_is_nvme(io->dev);
	if (there)
		list_add(&io->node, &all_io);
	spin_unlock(&all_io_lock);
	return there;
}

static void io_remove(struct phyr_shadow_io *io)
{
	spin_lock(&all_io_lock);
	list_del(&io->node);
	spin_unlock(&all_io_lock);
	wake_up_all(&io_changed);
}

static struct phyr_shadow_io *io_alloc(struct device *dev, u64 offset)
{
	struct phyr_shadow_io *io = kzalloc(sizeof(*io), GFP_KERNEL_ACCOUNT);

	if (!io)
		return NULL;
	io->user.revoke = io_revoke;
	io->dma = phyr_dma_alloc(dev, &io->user, GFP_KERNEL_ACCOUNT);
	if (!io->dma) {
		kfree(io);
		return NULL;
	}
	io->dev = get_device(dev);
	io->offset = offset;
	return io;
}

static void io_free(struct phyr_shadow_io *io)
{
	phyr_dma_free(io->dma);
	put_device(io->dev);
	kfree(io);
}

static struct phyr_shadow_io *drive_map(const struct file *file, const struct phyr_list *list,
					u64 offset, u64 len, bool write)
{
	struct block_device *bdev = bdev_of(file);
	struct device *dev = bdev ? device_of(bdev) : NULL;
	struct phyr_shadow_io *io = dev ? io_alloc(dev, offset) : NULL;

	if (!io)
		return NULL;
	if (!io_add(io))
		goto free;
	if (!phyr_dma_map(io->dma, list, offset, len, write ? DMA_TO_DEVICE : DMA_FROM_DEVICE, 0))
		return io;
	io_remove(io);
free:
	io_free(io);
	return NULL;
}

static void drive_unmap(struct phyr_shadow_io *io)
{
	phyr_dma_unmap(io->dma);
	io_remove(io);
	io_free(io);
}

/* Where the device finds what a shadow stands for: as its pages lie, so the memory has to. */
static int ranges_fill(struct phyr_shadow_io *io, u64 at, u32 first, u32 len)
{
	static const struct phyr_seg_limits any = { .max_len = SZ_1G, .boundary_mask = ~0ULL };
	struct armed_shadow *armed = &io->armed;
	struct phyr_dma_iter it;
	struct sg_phyr seg;
	int ret = phyr_dma_iter_init(&it, io->dma, at, len, &any);

	if (ret)
		return ret;
	armed->nr = 0;
	while (phyr_dma_iter_next(&it, &seg)) {
		if (armed->nr == SHADOW_RANGES || offset_in_page(seg.dma_address ^ first))
			return -EOPNOTSUPP;
		armed->ranges[armed->nr++] = (struct shadow_range) {
			.start = first, .len = seg.dma_length, .addr = seg.dma_address,
		};
		first += seg.dma_length;
	}
	return 0;
}

static void io_idle(struct phyr_shadow_io *io)
{
	atomic_dec(&io->busy);
	wake_up_all(&io_changed);
}

static bool drive_arm(struct phyr_shadow_io *io, struct phyr_shadow *shadow, u64 offset)
{
	struct armed_shadow *armed = &io->armed;

	armed->shadow = shadow;
	armed->dev = io->dev;
	atomic_inc(&io->busy);
	smp_mb__after_atomic();	/* with the one of io_revoke() */
	if (!READ_ONCE(io->closed) &&
	    !ranges_fill(io, offset - io->offset, shadow->first, shadow->len) &&
	    !shadow_arm(armed))
		return true;
	io_idle(io);
	return false;
}

static void drive_disarm(struct phyr_shadow_io *io)
{
	shadow_disarm(&io->armed);
	io_idle(io);
}

const struct phyr_shadow_ops drive_shadow_ops = {
	.owner = THIS_MODULE,
	.map = drive_map,
	.unmap = drive_unmap,
	.arm = drive_arm,
	.disarm = drive_disarm,
};

static bool is_mapped_for(const struct device *dev)
{
	const struct phyr_shadow_io *io;
	bool mapped = false;

	spin_lock(&all_io_lock);
	list_for_each_entry(io, &all_io, node)
		mapped = mapped || io->dev == dev;
	spin_unlock(&all_io_lock);
	return mapped;
}

static int drive_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct device *dev = data;

	if (event == BUS_NOTIFY_UNBOUND_DRIVER)
		wait_event(io_changed, !is_mapped_for(dev));
	return NOTIFY_DONE;
}

static struct notifier_block drive_nb = {
	.notifier_call = drive_event,
};

/**
 * drive_init - begin to watch drives go
 *
 * Context: process, may sleep.
 * Return: 0, or an error as bus_register_notifier().
 */
int drive_init(void)
{
	return bus_register_notifier(&pci_bus_type, &drive_nb);
}

/**
 * drive_exit - what drive_init() did, undone
 *
 * Context: process, may sleep.  Nothing is mapped any more.
 */
void drive_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &drive_nb);
}
