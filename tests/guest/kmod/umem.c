// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/phyr_umem: an RDMA device that is QEMU's edu, as far as ib_umem can see:
 * its memory is mapped for a device that does DMA itself, which soft RoCE, the
 * only RDMA device of the guest, does not.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <rdma/iter.h>

#include "../../../kernel/compat.h"
#include "../../../rdma/compat.h"
#include "../../../rxe/compat.h"
#include "umem_rxe.h"
#include "umem_ioctl.h"

#define COPY_MAX	SZ_1M

/* What one open file holds. */
struct umem_file {
	struct mutex lock;	/* over @umem */
	struct ib_umem *umem;
	dma_addr_t first;	/* of a dma-buf: where its first byte was mapped */
};

struct umem_device {
	struct ib_device ib;
};

static struct umem_device *umem_dev;
static struct pci_dev *edu;

/* What a driver makes of it. */
static void look(struct ib_umem *umem, struct umem_get *get)
{
	struct sg_table *sgt = &umem->sgt_append.sgt;
	struct ib_block_iter block;
	struct scatterlist *s;
	int i;

	get->entries = sgt->orig_nents;
	get->dma_entries = sgt->nents;
	get->pageless = 0;
	get->bytes = 0;
	get->blocks = 0;
	for_each_sgtable_sg(sgt, s, i)
		get->pageless += !sg_page(s);
	for_each_sgtable_dma_sg(sgt, s, i)
		get->bytes += sg_dma_len(s);
	get->page_size = ib_umem_find_best_pgsz(umem, PAGE_MASK, get->addr);
	if (!get->page_size)
		return;
	get->blocks_due = ib_umem_num_dma_blocks(umem, get->page_size);
	rdma_umem_for_each_dma_block(umem, &block, get->page_size)
		get->blocks++;
}

static int umem_get(struct umem_file *file, struct umem_get *get)
{
	unsigned int max_seg = dma_get_max_seg_size(&edu->dev);
	struct ib_umem *umem;

	if (file->umem)
		return -EBUSY;
	if (get->bounce && !umem_refuse(&umem_dev->ib, true))
		return -ENOTTY;
	if (get->max_seg)
		dma_set_max_seg_size(&edu->dev, get->max_seg);
	umem = ib_umem_get_va(&umem_dev->ib, get->addr, get->len, get->access);
	dma_set_max_seg_size(&edu->dev, max_seg);
	umem_refuse(&umem_dev->ib, false);
	if (IS_ERR(umem))
		return PTR_ERR(umem);
	look(umem, get);
	file->umem = umem;
	return 0;
}

static long ioc_get(struct umem_file *file, void __user *arg)
{
	struct umem_get get;
	int ret;

	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	ret = umem_get(file, &get);
	if (!ret && copy_to_user(arg, &get, sizeof(get))) {
		ib_umem_release(file->umem);
		file->umem = NULL;
		ret = -EFAULT;
	}
	return ret;
}

/* Of a dma-buf: by ib_core, which nobody here has written or replaced */

/* As drivers do that can map again. */
static void dmabuf_invalidate(struct dma_buf_attachment *attach)
{
	ib_umem_dmabuf_unmap_pages(attach->importer_priv);
}

static const struct dma_buf_attach_ops dmabuf_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = dmabuf_invalidate,
};

/* As drivers do that cannot: the device is stopped, and the memory is over. */
static void dmabuf_over(void *priv)
{
}

static struct ib_umem_dmabuf *dmabuf_get(const struct umem_dmabuf *arg)
{
	struct ib_device *ib = &umem_dev->ib;
	struct ib_umem_dmabuf *ud;

	if (arg->how == UMEM_PINNED)
		return ib_umem_dmabuf_get_pinned(ib, arg->offset, arg->len, arg->fd, arg->access);
	if (arg->how == UMEM_DYNAMIC)
		return ib_umem_dmabuf_get(ib, arg->offset, arg->len, arg->fd, arg->access,
					  &dmabuf_ops);
	ud = ib_umem_dmabuf_get_pinned_revocable_and_lock(ib, arg->offset, arg->len, arg->fd,
							  arg->access);
	if (!IS_ERR(ud)) {
		ib_umem_dmabuf_set_revoke_locked(ud, dmabuf_over, NULL);
		dma_resv_unlock(ud->attach->dmabuf->resv);
	}
	return ud;
}

static int dmabuf_map(struct ib_umem *umem)
{
	struct ib_umem_dmabuf *ud = to_ib_umem_dmabuf(umem);
	int ret;

	dma_resv_lock(ud->attach->dmabuf->resv, NULL);
	ret = ib_umem_dmabuf_map_pages(ud);
	dma_resv_unlock(ud->attach->dmabuf->resv);
	return ret;
}

static long ioc_dmabuf(struct umem_file *file, void __user *uarg)
{
	struct ib_umem_dmabuf *ud;
	struct umem_dmabuf arg;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (file->umem)
		return -EBUSY;
	ud = dmabuf_get(&arg);
	if (IS_ERR(ud))
		return PTR_ERR(ud);
	ret = dmabuf_map(&ud->umem);
	if (ret) {
		ib_umem_release(&ud->umem);
		return ret;
	}
	file->umem = &ud->umem;
	file->first = sg_dma_address(ud->first_sg);
	arg.dma_entries = ud->umem.sgt_append.sgt.nents;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long ioc_remap(struct umem_file *file)
{
	return file->umem && file->umem->is_dmabuf ? dmabuf_map(file->umem) : -EINVAL;
}

/* The device's address of a byte: the table begins with a whole page. */
static bool dma_address(struct ib_umem *umem, u64 offset, dma_addr_t *addr)
{
	struct scatterlist *s;
	int i;

	offset += ib_umem_offset(umem);
	for_each_sgtable_dma_sg(&umem->sgt_append.sgt, s, i) {
		if (offset < sg_dma_len(s)) {
			*addr = sg_dma_address(s) + offset;
			return true;
		}
		offset -= sg_dma_len(s);
	}
	return false;
}

/* NULL without an IOMMU, and with one in passthrough mode. */
static struct iommu_domain *translation(void)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&edu->dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

/* Where the device finds a byte; 0 if it does not. */
static phys_addr_t found_at(struct umem_file *file, u64 offset)
{
	struct iommu_domain *domain = translation();
	struct ib_umem *umem = file->umem;
	dma_addr_t addr = file->first;

	/* of a dma-buf that has been taken away: what was there before */
	if (umem->is_dmabuf && !to_ib_umem_dmabuf(umem)->sgt)
		return domain ? iommu_iova_to_phys(domain, addr) : 0;
	if (!dma_address(umem, offset, &addr))
		return 0;
	return domain ? iommu_iova_to_phys(domain, addr) : addr;
}

static long ioc_check(struct umem_file *file, void __user *arg)
{
	struct umem_check check;
	struct umem_place place;
	u32 i;

	if (copy_from_user(&check, arg, sizeof(check)))
		return -EFAULT;
	if (!file->umem)
		return -EINVAL;
	for (i = 0; i < check.nr; i++) {
		if (copy_from_user(&place, u64_to_user_ptr(check.places) + i * sizeof(place),
				   sizeof(place)))
			return -EFAULT;
		check.found = found_at(file, place.offset);
		if (check.found != place.phys)
			break;
	}
	check.wrong = i;
	return copy_to_user(arg, &check, sizeof(check)) ? -EFAULT : 0;
}

static long ioc_copy(struct umem_file *file, void __user *arg)
{
	struct umem_copy copy;
	void *bytes;
	int ret;

	if (copy_from_user(&copy, arg, sizeof(copy)))
		return -EFAULT;
	if (!file->umem || copy.len > COPY_MAX)
		return -EINVAL;
	bytes = vzalloc(copy.len ?: 1);
	if (!bytes)
		return -ENOMEM;
	ret = ib_umem_copy_from(bytes, file->umem, copy.offset, copy.len);
	if (!ret && copy_to_user(u64_to_user_ptr(copy.buf), bytes, copy.len))
		ret = -EFAULT;
	vfree(bytes);
	return ret;
}

/* A region of soft RoCE ends: that of a user, with the file's memory. */
static long ioc_rxe_end(struct umem_file *file)
{
	int ret;

	if (!file->umem)
		return -EINVAL;
	ret = umem_rxe_end(file->umem);
	if (!ret)
		file->umem = NULL;
	return ret;
}

static long ioc_put(struct umem_file *file)
{
	if (!file->umem)
		return -EINVAL;
	ib_umem_release(file->umem);
	file->umem = NULL;
	return 0;
}

/* What only ib_uverbs does: there, phyr_rxe counts the calls. */
static long ioc_lent(void)
{
	struct net_device *ndev = dev_get_by_name(&init_net, "eth0");
	struct ib_device *device;
	struct ib_pd pd = { };
	struct ib_mr *mr = ERR_PTR(-ENODEV);

	if (!ndev)
		return -ENODEV;
	device = ib_device_get_by_netdev(ndev, RDMA_DRIVER_RXE);
	dev_put(ndev);
	if (!device)
		return -ENODEV;
	pd.device = device;
	if (device->ops.reg_user_mr_dmabuf)
		mr = device->ops.reg_user_mr_dmabuf(&pd, 0, PAGE_SIZE, 0, -1, 0, DMAH_NONE NULL);
	ib_device_put(device);
	return PTR_ERR_OR_ZERO(mr);
}

static long umem_command(struct umem_file *file, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case UMEM_IOC_GET:
		return ioc_get(file, arg);
	case UMEM_IOC_CHECK:
		return ioc_check(file, arg);
	case UMEM_IOC_COPY:
		return ioc_copy(file, arg);
	case UMEM_IOC_PUT:
		return ioc_put(file);
	case UMEM_IOC_DMABUF:
		return ioc_dmabuf(file, arg);
	case UMEM_IOC_REMAP:
		return ioc_remap(file);
	case UMEM_IOC_RXE_END:
		return ioc_rxe_end(file);
	case UMEM_IOC_LENT:
		return ioc_lent();
	default:
		return -ENOTTY;
	}
}

static long umem_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct umem_file *file = filp->private_data;
	long ret;

	mutex_lock(&file->lock);
	ret = umem_command(file, cmd, (void __user *)arg);
	mutex_unlock(&file->lock);
	return ret;
}

static int umem_open(struct inode *inode, struct file *filp)
{
	struct umem_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	filp->private_data = file;
	return 0;
}

static int umem_close(struct inode *inode, struct file *filp)
{
	struct umem_file *file = filp->private_data;

	ib_umem_release(file->umem);
	kfree(file);
	return 0;
}

static const struct file_operations umem_fops = {
	.owner = THIS_MODULE,
	.open = umem_open,
	.release = umem_close,
	.unlocked_ioctl = umem_ioctl,
};

static struct miscdevice umem_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_umem",
	.fops = &umem_fops,
	.mode = 0600,
};

/* ib_umem asks a device for nothing but what it does DMA with. */
static int __init umem_init(void)
{
	int ret = -ENODEV;

	edu = pci_get_device(0x1234, 0x11e8, NULL);
	if (!edu || !edu->dev.driver)
		goto put;
	ret = -ENOMEM;
	umem_dev = ib_alloc_device(umem_device, ib);
	if (!umem_dev)
		goto put;
	umem_dev->ib.dma_device = &edu->dev;
	ret = misc_register(&umem_misc);
	if (!ret)
		return 0;
	ib_dealloc_device(&umem_dev->ib);
put:
	pci_dev_put(edu);
	return ret;
}

static void __exit umem_exit(void)
{
	misc_deregister(&umem_misc);
	ib_dealloc_device(&umem_dev->ib);
	pci_dev_put(edu);
}

module_init(umem_init);
module_exit(umem_exit);

MODULE_DESCRIPTION("ib_umem for a device that does DMA, for the tests of phyr_rdma and phyr_rxe");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
