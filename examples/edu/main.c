// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for QEMU's edu device that takes phyrs: the device and its files.
 * What it does with memory is in map.c.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "edu.h"

#define EDU_IDENT		0x00
#define EDU_IDENT_MASK		0xffff
#define EDU_IDENT_VALUE		0x00ed

static uint dma_bits = 64;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "width of the device's DMA addresses, as QEMU's dma_mask= says (28 by default there)");

static DEFINE_IDA(edu_ida);

static void edu_release_ref(struct kref *ref)
{
	kfree(container_of(ref, struct edu, ref));
}

static int edu_open(struct inode *inode, struct file *filp)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);
	struct edu_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	kref_get(&edu->ref);
	file->edu = edu;
	phyr_list_init(&file->own);
	mutex_lock(&edu->lock);
	list_add(&file->entry, &edu->files);
	mutex_unlock(&edu->lock);
	filp->private_data = file;
	return 0;
}

static int edu_close(struct inode *inode, struct file *filp)
{
	struct edu_file *file = filp->private_data;
	struct edu *edu = file->edu;

	mutex_lock(&edu->lock);
	edu_unmap(file);
	list_del(&file->entry);
	mutex_unlock(&edu->lock);
	kfree(file);
	kref_put(&edu->ref, edu_release_ref);
	return 0;
}

static long edu_ioc_map(struct edu_file *file, void __user *arg)
{
	const u32 known = EDU_MAP_WRITE | EDU_MAP_SHORT | EDU_MAP_REGION | EDU_MAP_DMABUF;
	struct edu_map map;
	int ret;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.flags & ~known)
		return -EINVAL;
	ret = edu_map(file, &map);
	if (ret)
		return ret;
	if (copy_to_user(arg, &map, sizeof(map))) {
		edu_unmap(file);
		return -EFAULT;
	}
	return 0;
}

static long edu_ioc_boundary(struct edu_file *file, void __user *arg)
{
	struct edu_boundary boundary;
	struct phyr phyr;

	if (!file->list)
		return -EINVAL;
	if (copy_from_user(&boundary, arg, sizeof(boundary)))
		return -EFAULT;
	if (!phyr_list_find(file->list, boundary.after, &phyr, NULL))
		return -ERANGE;
	boundary.after += phyr.len;
	return copy_to_user(arg, &boundary, sizeof(boundary)) ? -EFAULT : 0;
}

static long edu_ioctl_locked(struct edu_file *file, unsigned int cmd, void __user *arg)
{
	if (!file->edu->pdev)
		return -ENODEV;
	switch (cmd) {
	case EDU_IOC_MAP:
		return edu_ioc_map(file, arg);
	case EDU_IOC_UNMAP:
		if (!file->mapped)
			return -EINVAL;
		edu_unmap(file);
		return 0;
	case EDU_IOC_BOUNDARY:
		return edu_ioc_boundary(file, arg);
	default:
		return -ENOTTY;
	}
}

static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct edu_file *file = filp->private_data;
	long ret;

	mutex_lock(&file->edu->lock);
	ret = edu_ioctl_locked(file, cmd, (void __user *)arg);
	mutex_unlock(&file->edu->lock);
	return ret;
}

/*
 * One transfer between the mapped memory and the scratch buffer, at most what the
 * device can hold.  A revocation waits for it, see map.c.
 */
static ssize_t edu_move(struct edu_file *file, u64 offset, size_t len, bool store)
{
	struct edu *edu = file->edu;
	dma_addr_t addr;
	ssize_t n = -ENODEV;
	int ret;

	mutex_lock(&edu->engine);
	if (!file->revoked)
		n = edu_segment(file, offset, len, &addr);
	if (n > 0) {
		edu_sync_for_device(file);
		if (store)
			ret = edu_copy(edu, addr, edu->scratch_dma, n);
		else
			ret = edu_copy(edu, edu->scratch_dma, addr, n);
		edu_sync_for_cpu(file);
		n = ret ? ret : n;
	}
	mutex_unlock(&edu->engine);
	return n;
}

static ssize_t edu_fetch(struct edu_file *file, char __user *buf, size_t len, u64 offset)
{
	struct edu *edu = file->edu;
	ssize_t n = edu_move(file, offset, len, false);

	if (n <= 0)
		return n;
	return copy_to_user(buf, edu->scratch, n) ? -EFAULT : n;
}

static ssize_t edu_store(struct edu_file *file, const char __user *buf, size_t len, u64 offset)
{
	struct edu *edu = file->edu;
	ssize_t n;

	if (file->dir == DMA_TO_DEVICE)
		return -EACCES;
	len = min_t(size_t, len, EDU_BUF_SIZE);
	if (copy_from_user(edu->scratch, buf, len))
		return -EFAULT;
	n = edu_move(file, offset, len, true);
	return n ? n : -ENOSPC;
}

static int edu_ready(struct edu_file *file)
{
	if (!file->edu->pdev)
		return -ENODEV;
	return file->mapped ? 0 : -EINVAL;
}

static ssize_t edu_read(struct file *filp, char __user *buf, size_t len, loff_t *pos)
{
	struct edu_file *file = filp->private_data;
	size_t done = 0;
	ssize_t n;

	mutex_lock(&file->edu->lock);
	n = edu_ready(file);
	while (!n && done < len) {
		n = edu_fetch(file, buf + done, len - done, *pos + done);
		if (n <= 0)
			break;
		done += n;
		n = signal_pending(current) ? -EINTR : 0;
	}
	mutex_unlock(&file->edu->lock);
	*pos += done;
	return done ? done : n;
}

static ssize_t edu_write(struct file *filp, const char __user *buf, size_t len, loff_t *pos)
{
	struct edu_file *file = filp->private_data;
	size_t done = 0;
	ssize_t n;

	mutex_lock(&file->edu->lock);
	n = edu_ready(file);
	while (!n && done < len) {
		n = edu_store(file, buf + done, len - done, *pos + done);
		if (n <= 0)
			break;
		done += n;
		n = signal_pending(current) ? -EINTR : 0;
	}
	mutex_unlock(&file->edu->lock);
	*pos += done;
	return done ? done : n;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_close,
	.unlocked_ioctl = edu_ioctl,
	.read = edu_read,
	.write = edu_write,
	.llseek = default_llseek,
};

static int edu_register(struct edu *edu)
{
	int ret = ida_alloc(&edu_ida, GFP_KERNEL);

	if (ret < 0)
		return ret;
	edu->id = ret;
	snprintf(edu->name, sizeof(edu->name), "edu%d", edu->id);
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.name = edu->name;
	edu->misc.fops = &edu_fops;
	edu->misc.mode = 0600;
	ret = misc_register(&edu->misc);
	if (ret)
		ida_free(&edu_ida, edu->id);
	return ret;
}

static int edu_probe_device(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret = pcim_enable_device(pdev);

	if (ret)
		return ret;
	edu->regs = pcim_iomap(pdev, 0, 0);
	if (!edu->regs)
		return -ENOMEM;
	if ((readl(edu->regs + EDU_IDENT) & EDU_IDENT_MASK) != EDU_IDENT_VALUE)
		return -ENODEV;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(dma_bits));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	edu->scratch = dmam_alloc_coherent(&pdev->dev, EDU_BUF_SIZE, &edu->scratch_dma,
					   GFP_KERNEL);
	if (!edu->scratch)
		return -ENOMEM;
	pci_set_master(pdev);
	return edu_engine_init(edu);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int ret;

	if (!dma_bits || dma_bits > 64)
		return -EINVAL;
	edu = kzalloc(sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	kref_init(&edu->ref);
	mutex_init(&edu->lock);
	mutex_init(&edu->engine);
	init_completion(&edu->done);
	INIT_LIST_HEAD(&edu->files);
	edu->pdev = pdev;
	ret = edu_probe_device(edu);
	if (ret)
		goto put;
	ret = edu_register(edu);
	if (ret)
		goto engine;
	pci_set_drvdata(pdev, edu);
	return 0;
engine:
	edu_engine_exit(edu);
put:
	kref_put(&edu->ref, edu_release_ref);
	return ret;
}

/* Open files stay open: they have nothing mapped any more, and get ENODEV. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);
	struct edu_file *file;

	misc_deregister(&edu->misc);
	mutex_lock(&edu->lock);
	list_for_each_entry(file, &edu->files, entry)
		edu_unmap(file);
	edu_engine_exit(edu);
	pci_clear_master(pdev);
	edu->pdev = NULL;
	mutex_unlock(&edu->lock);
	ida_free(&edu_ida, edu->id);
	kref_put(&edu->ref, edu_release_ref);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("QEMU's edu device, as an example of a driver that takes phyrs");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
PHYR_IMPORT_DMA_BUF();
