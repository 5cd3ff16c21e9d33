// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which drive a file is on, and memory mapped for it.
 *
 * Direct is only what nobody reads on its way: of a block device of a stock NVMe drive, or a
 * file of ext4 or xfs right on it.  What is stacked between, or keeps checksums, or encrypts,
 * has the shadow.
 *
 * Memory may be revoked at any time: then the drive is given none of it any more, and the
 * revocation waits until what it was given has come back, which takes a file's call.  A call
 * whose memory was not given yet is not waited for: it may itself wait for a lock of the file
 * system's, of which the holder waits for the one that the revocation is waited for with.
 *
 * A drive that is about to be unbound is given nothing more either; what is mapped for it is
 * unmapped before, or if it does not answer any more, as soon as its driver has given up.
 */
#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
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
 * @lock: protects @mapped, and while it is read, the mapping
 * @mapped: @dma is
 * @armed: the shadow, while there is one
 */
struct phyr_shadow_io {
	struct list_head node;
	struct device *dev;
	struct phyr_user user;
	struct phyr_dma *dma;
	u64 offset;
	struct mutex lock;		/* protects mapped */
	bool mapped;
	struct armed_shadow armed;
};

static LIST_HEAD(all_io);
static DEFINE_MUTEX(all_io_lock);
static DECLARE_WAIT_QUEUE_HEAD(io_changed);

/**
 * drive_is_nvme - is a device a PCI device of the stock nvme driver
 * @dev: the device
 *
 * Context: any; its driver cannot go meanwhile.
 * Return: true if it is, and bound.
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
	struct device *ctrl;

	if (strncmp(disk->disk_name, "nvme", 4) || blk_get_integrity(disk) || bdev_is_zoned(bdev))
		return NULL;
	ctrl = disk_to_dev(disk)->parent;
	return ctrl ? ctrl->parent : NULL;
}

/* Nothing more is given to the drive. */
static void io_close(struct phyr_shadow_io *io)
{
	unsigned long flags;

	spin_lock_irqsave(&io->armed.lock, flags);
	io->armed.closed = true;
	spin_unlock_irqrestore(&io->armed.lock, flags);
}

static void io_revoke(struct phyr_user *user)
{
	struct phyr_shadow_io *io = container_of(user, struct phyr_shadow_io, user);

	io_close(io);
	wait_event(io_changed, !READ_ONCE(io->armed.given));
}

static void io_unmap(struct phyr_shadow_io *io)
{
	mutex_lock(&io->lock);
	if (io->mapped)
		phyr_dma_unmap(io->dma);
	io->mapped = false;
	mutex_unlock(&io->lock);
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
	mutex_init(&io->lock);
	spin_lock_init(&io->armed.lock);
	io->dev = get_device(dev);
	io->armed.dev = dev;
	io->offset = offset;
	return io;
}

static void io_free(struct phyr_shadow_io *io)
{
	phyr_dma_free(io->dma);
	put_device(io->dev);
	kfree(io);
}

/* Ordinary memory may be bounced, and is then what the bounce buffer says in the end. */
static bool is_device_memory(const struct phyr_list *list, u64 offset, u64 len)
{
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each_slice(list, offset, len, it, phyr) {
		if (it.kind != PHYR_PFNMAP && it.kind != PHYR_P2P)
			return false;
		cond_resched();
	}
	return true;
}

/* With the lock that it is unbound under: see drive_event(). */
static int io_map(struct phyr_shadow_io *io, const struct phyr_list *list, u64 len, bool write)
{
	int ret = -ENODEV;

	if (!device_trylock(io->dev))
		return -EBUSY;
	if (drive_is_nvme(io->dev))
		ret = phyr_dma_map(io->dma, list, io->offset, len,
				   write ? DMA_TO_DEVICE : DMA_FROM_DEVICE, 0);
	if (!ret) {
		io->mapped = true;
		mutex_lock(&all_io_lock);
		list_add(&io->node, &all_io);
		mutex_unlock(&all_io_lock);
	}
	device_unlock(io->dev);
	return ret;
}

static struct phyr_shadow_io *drive_map(const struct file *file, const struct phyr_list *list,
					u64 offset, u64 len, bool write)
{
	struct block_device *bdev = bdev_of(file);
	struct device *dev = bdev ? device_of(bdev) : NULL;
	struct phyr_shadow_io *io;

	if (!dev || !is_device_memory(list, offset, len))
		return NULL;
	io = io_alloc(dev, offset);
	if (!io)
		return NULL;
	if (!io_map(io, list, len, write))
		return io;
	io_free(io);
	return NULL;
}

static void drive_unmap(struct phyr_shadow_io *io)
{
	mutex_lock(&all_io_lock);
	list_del(&io->node);
	mutex_unlock(&all_io_lock);
	io_unmap(io);
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

static bool drive_arm(struct phyr_shadow_io *io, struct phyr_shadow *shadow, u64 offset)
{
	int ret = -ENODEV;

	io->armed.shadow = shadow;
	mutex_lock(&io->lock);
	if (io->mapped && !READ_ONCE(io->armed.closed))
		ret = ranges_fill(io, offset - io->offset, shadow->first, shadow->len);
	mutex_unlock(&io->lock);
	return !ret && !shadow_arm(&io->armed);
}

static void drive_disarm(struct phyr_shadow_io *io)
{
	unsigned long flags;

	shadow_disarm(&io->armed);
	spin_lock_irqsave(&io->armed.lock, flags);
	io->armed.given = false;
	spin_unlock_irqrestore(&io->armed.lock, flags);
	wake_up_all(&io_changed);
}

const struct phyr_shadow_ops drive_shadow_ops = {
	.owner = THIS_MODULE,
	.map = drive_map,
	.unmap = drive_unmap,
	.arm = drive_arm,
	.disarm = drive_disarm,
};

static void close_all(const struct device *dev)
{
	struct phyr_shadow_io *io;

	mutex_lock(&all_io_lock);
	list_for_each_entry(io, &all_io, node)
		if (io->dev == dev)
			io_close(io);
	mutex_unlock(&all_io_lock);
}

/* What it was not given, or has given back; true if that is all. */
static bool unmap_all(const struct device *dev)
{
	struct phyr_shadow_io *io;
	bool all = true;

	mutex_lock(&all_io_lock);
	list_for_each_entry(io, &all_io, node) {
		if (io->dev != dev)
			continue;
		if (READ_ONCE(io->armed.given))
			all = false;
		else
			io_unmap(io);
	}
	mutex_unlock(&all_io_lock);
	return all;
}

/* Both with the device's lock: nothing new is mapped for it. */
static int drive_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct device *dev = data;

	switch (event) {
	case BUS_NOTIFY_UNBIND_DRIVER:
		close_all(dev);
		while (!unmap_all(dev) && pci_device_is_present(to_pci_dev(dev)))
			msleep(20);
		break;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		while (!unmap_all(dev))
			msleep(20);
		break;
	}
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
