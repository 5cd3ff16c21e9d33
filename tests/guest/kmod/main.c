// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/phyr_test: pins, appends, copies and unpins, as a driver would.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <uapi/linux/phyr.h>

#include "compat.h"
#include "phyr_test.h"

static unsigned int gup_flags(u32 flags)
{
	bool pfnmap = flags & PT_REMOTE ? flags & PT_PFNMAP : phyr_may_pin_pfnmap();

	return (flags & PT_WRITE ? FOLL_WRITE : 0) |
	       (pfnmap ? PHYR_FOLL_PFNMAP : 0) |
	       (flags & PT_LONGTERM ? FOLL_LONGTERM : 0) |
	       (flags & PT_P2P ? FOLL_PCI_P2PDMA : 0) |
	       (flags & PT_FORCE ? FOLL_FORCE : 0);
}

/* The memory of @pin->pid; NULL if it is to be the caller's own. */
static struct mm_struct *remote_mm(const struct pt_pin *pin)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;

	if (!(pin->flags & PT_REMOTE))
		return NULL;
	pid = find_get_pid(pin->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm ? mm : ERR_PTR(-ESRCH);
}

static u64 array_bytes(const struct phyr *phyrs, unsigned int nr)
{
	u64 bytes = 0;

	while (nr--)
		bytes += phyrs++->len;
	return bytes;
}

static long array_call(struct pt_file *pt, struct mm_struct *mm, const struct pt_pin *pin)
{
	unsigned long start = pin->addr + pin->done, len = pin->len - pin->done;
	struct phyr *phyrs = pt->phyrs + pt->nr;

	if (pin->nr > PT_ARRAY_MAX - pt->nr)
		return -ENOSPC;
	if (mm)
		return pin_user_phyrs_remote(mm, start, len, gup_flags(pin->flags), phyrs,
					     pin->nr);
	return pin_user_phyrs(start, len, gup_flags(pin->flags), phyrs, pin->nr);
}

static void array_pin(struct pt_file *pt, struct mm_struct *mm, struct pt_pin *pin)
{
	long got;

	pin->calls = 0;
	pin->done = 0;
	do {
		got = array_call(pt, mm, pin);
		pin->calls++;
		if (got <= 0 || got > pin->nr)
			break;
		pin->done += array_bytes(pt->phyrs + pt->nr, got);
		pt->nr += got;
	} while (pin->done < pin->len);
	if (got < 0)
		pin->error = -got;
	else	/* more than fit, or none without saying why, is a bug */
		pin->error = got && got <= pin->nr ? 0 : EIO;
}

static void list_pin(struct pt_file *pt, struct mm_struct *mm, struct pt_pin *pin)
{
	u64 before = phyr_list_len(&pt->list);
	unsigned int flags = gup_flags(pin->flags);

	if (mm)
		pin->error = -pin_user_phyr_list_remote(&pt->list, mm, pin->addr, pin->len,
							flags);
	else
		pin->error = -pin_user_phyr_list(&pt->list, pin->addr, pin->len, flags);
	pin->done = phyr_list_len(&pt->list) - before;
}

static long pt_pin(struct pt_file *pt, void __user *arg,
		   void (*call)(struct pt_file *pt, struct mm_struct *mm, struct pt_pin *pin))
{
	struct mm_struct *mm;
	struct pt_pin pin;

	if (copy_from_user(&pin, arg, sizeof(pin)))
		return -EFAULT;
	mm = remote_mm(&pin);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	call(pt, mm, &pin);
	if (mm)
		mmput(mm);
	return copy_to_user(arg, &pin, sizeof(pin)) ? -EFAULT : 0;
}

static int range_out(struct pt_ranges *ranges, u32 nr, const struct phyr *phyr,
		     enum phyr_kind kind)
{
	struct phyr_range __user *out = u64_to_user_ptr(ranges->ranges);
	struct phyr_range range = { .addr = phyr->addr, .len = phyr->len, .kind = kind };

	ranges->bytes += phyr->len;
	if (nr >= ranges->nr)
		return 0;
	return copy_to_user(out + nr, &range, sizeof(range)) ? -EFAULT : 0;
}

static long pt_ranges(struct pt_file *pt, void __user *arg)
{
	struct pt_ranges ranges;
	struct phyr_iter it;
	struct phyr phyr;
	u32 i = 0;
	int ret = 0;

	if (copy_from_user(&ranges, arg, sizeof(ranges)))
		return -EFAULT;
	ranges.bytes = 0;
	if (ranges.flags & PT_ARRAY)
		for (; !ret && i < pt->nr; i++)
			ret = range_out(&ranges, i, &pt->phyrs[i],
					phyr_kind_of(pt->phyrs[i].addr));
	else
		phyr_list_for_each(&pt->list, it, phyr)
			if (!ret)
				ret = range_out(&ranges, i++, &phyr, it.kind);
	if (ret)
		return ret;
	ranges.nr = i;
	return copy_to_user(arg, &ranges, sizeof(ranges)) ? -EFAULT : 0;
}

/* Bytes of one phyr of memory with pages, a page at a time. */
static int copy_phyr(const struct phyr *phyr, void __user *buf, bool write)
{
	size_t done, n;

	for (done = 0; done < phyr->len; done += n) {
		phys_addr_t addr = phyr->addr + done;
		unsigned int skip = offset_in_page(addr);
		char *page = kmap_local_page(pfn_to_page(PHYS_PFN(addr)));
		unsigned long left;

		n = min_t(size_t, phyr->len - done, PAGE_SIZE - skip);
		if (write)
			left = copy_from_user(page + skip, buf + done, n);
		else
			left = copy_to_user(buf + done, page + skip, n);
		kunmap_local(page);
		if (left)
			return -EFAULT;
	}
	return 0;
}

/* Nothing may be revoked for as long as its address is used. */
static int copy_vmapped(const struct phyr_access *access, const struct pt_copy *copy, void *buf)
{
	struct phyr_vmap vmap;
	int ret = phyr_vmap(access, copy->offset, copy->len, &vmap), idx;

	if (ret)
		return ret;
	idx = phyr_access_enter(access);
	if (idx >= 0) {
		iosys_map_memcpy_from(buf, &vmap.map, 0, copy->len);
		phyr_access_leave(access, idx);
	}
	phyr_vunmap(&vmap);
	return min(idx, 0);
}

static int copy_one_piece(struct pt_file *pt, const struct pt_copy *copy)
{
	struct phyr_access *access;
	void *buf;
	int ret;

	access = phyr_access_get_slice(&pt->list, copy->offset, copy->len);
	if (IS_ERR(access))
		return PTR_ERR(access);
	buf = kvzalloc(copy->len, GFP_KERNEL);
	ret = buf ? copy_vmapped(access, copy, buf) : -ENOMEM;
	if (!ret && copy_to_user(u64_to_user_ptr(copy->buf), buf, copy->len))
		ret = -EFAULT;
	kvfree(buf);
	phyr_access_put(access);
	return ret;
}

static long pt_copy(struct pt_file *pt, void __user *arg)
{
	struct pt_copy copy;
	struct phyr_iter it;
	struct phyr phyr;
	u64 done = 0;
	int ret;

	if (copy_from_user(&copy, arg, sizeof(copy)))
		return -EFAULT;
	if (copy.flags & PT_ONE_PIECE)
		return copy_one_piece(pt, &copy);
	phyr_list_for_each_slice(&pt->list, copy.offset, copy.len, it, phyr) {
		if (it.kind == PHYR_PFNMAP)
			return -EOPNOTSUPP;
		ret = copy_phyr(&phyr, u64_to_user_ptr(copy.buf) + done,
				copy.flags & PT_WRITE);
		if (ret)
			return ret;
		done += phyr.len;
	}
	return done == copy.len ? 0 : -ERANGE;
}

/* dma-buf warns when an exporter has no memory, so there is a way around it. */
static int vmap_call(struct dma_buf *dmabuf, struct iosys_map *map, bool bare)
{
	int ret;

	if (!bare)
		return dma_buf_vmap_unlocked(dmabuf, map);
	dma_resv_lock(dmabuf->resv, NULL);
	ret = dmabuf->ops->vmap ? dmabuf->ops->vmap(dmabuf, map) : -EINVAL;
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static void vunmap_call(struct dma_buf *dmabuf, struct iosys_map *map, bool bare)
{
	if (!bare) {
		dma_buf_vunmap_unlocked(dmabuf, map);
		return;
	}
	dma_resv_lock(dmabuf->resv, NULL);
	dmabuf->ops->vunmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
}

static int vmap_copy(struct dma_buf *dmabuf, const struct pt_copy *copy)
{
	void __user *buf = u64_to_user_ptr(copy->buf);
	bool bare = copy->flags & PT_BARE;
	struct iosys_map map;
	int ret = vmap_call(dmabuf, &map, bare);

	if (ret)
		return ret;
	if (copy->flags & PT_WRITE)
		ret = copy_from_user(map.vaddr + copy->offset, buf, copy->len) ? -EFAULT : 0;
	else
		ret = copy_to_user(buf, map.vaddr + copy->offset, copy->len) ? -EFAULT : 0;
	vunmap_call(dmabuf, &map, bare);
	return ret;
}

static long pt_vmap(void __user *arg)
{
	struct dma_buf *dmabuf;
	struct pt_copy copy;
	int ret = -ERANGE;

	if (copy_from_user(&copy, arg, sizeof(copy)))
		return -EFAULT;
	dmabuf = dma_buf_get(copy.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (copy.offset <= dmabuf->size && copy.len <= dmabuf->size - copy.offset)
		ret = vmap_copy(dmabuf, &copy);
	dma_buf_put(dmabuf);
	return ret;
}

/* Each phyr in two parts that meet at a page boundary. */
static void unpin_halves(const struct phyr *phyrs, unsigned int nr, bool make_dirty)
{
	for (; nr; nr--, phyrs++) {
		phys_addr_t end = phyrs->addr + phyrs->len;
		phys_addr_t middle = PAGE_ALIGN(phyrs->addr + phyrs->len / 2);
		struct phyr halves[2] = {
			{ .addr = phyrs->addr, .len = middle - phyrs->addr },
			{ .addr = middle, .len = end - middle },
		};

		if (middle < end && middle > phyrs->addr)
			unpin_user_phyrs_dirty_lock(halves, 2, make_dirty);
		else
			unpin_user_phyrs_dirty_lock(phyrs, 1, make_dirty);
	}
}

static void array_unpin(struct pt_file *pt, unsigned long flags)
{
	if (flags & PT_HALVES)
		unpin_halves(pt->phyrs, pt->nr, flags & PT_DIRTY);
	else if (flags & PT_DIRTY)
		unpin_user_phyrs_dirty_lock(pt->phyrs, pt->nr, true);
	else
		unpin_user_phyrs(pt->phyrs, pt->nr);
	pt->nr = 0;
}

static long pt_unpin(struct pt_file *pt, unsigned long flags)
{
	if (flags & PT_ARRAY)
		array_unpin(pt, flags);
	else
		unpin_user_phyr_list(&pt->list, flags & PT_DIRTY);
	return 0;
}

static long pt_ioc_map(struct pt_file *pt, void __user *arg)
{
	struct pt_map map;
	int ret;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	ret = pt_map(pt, &map);
	if (ret)
		return ret;
	return copy_to_user(arg, &map, sizeof(map)) ? -EFAULT : 0;
}

#define GUP_BATCH	32u

/* The same pages by GUP's own hand. */
static long pt_gup(void __user *arg)
{
	struct page *pages[GUP_BATCH];
	u64 frames[GUP_BATCH];
	struct pt_gup gup;
	long got, i, done;

	if (copy_from_user(&gup, arg, sizeof(gup)))
		return -EFAULT;
	for (done = 0; done < gup.nr; done += got) {
		got = pin_user_pages_fast(gup.addr + done * PAGE_SIZE,
					  min_t(u32, gup.nr - done, GUP_BATCH),
					  gup_flags(gup.flags) & ~PHYR_FOLL_PFNMAP, pages);
		if (got <= 0)
			return got ? got : -EFAULT;
		for (i = 0; i < got; i++)
			frames[i] = page_to_pfn(pages[i]);
		unpin_user_pages(pages, got);
		if (copy_to_user(u64_to_user_ptr(gup.frames) + done * sizeof(u64), frames,
				 got * sizeof(u64)))
			return -EFAULT;
	}
	return 0;
}

static long pt_ioc_build(void __user *arg)
{
	struct pt_build b;
	int ret;

	if (copy_from_user(&b, arg, sizeof(b)))
		return -EFAULT;
	ret = pt_build(&b);
	if (copy_to_user(arg, &b, sizeof(b)))
		return -EFAULT;
	return ret;
}

static long pt_ioc_dmabuf(struct pt_file *pt, unsigned int cmd, void __user *arg)
{
	struct pt_dmabuf d;
	int ret;

	if (copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	if (cmd == PT_IOC_EXPORT)
		ret = pt_export(&d);
	else if (cmd == PT_IOC_STATE)
		ret = pt_export_state(&d);
	else
		ret = pt_attach(pt, &d);
	if (ret)
		return ret;
	return copy_to_user(arg, &d, sizeof(d)) ? -EFAULT : 0;
}

static long pt_command(struct pt_file *pt, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case PT_IOC_ARRAY:
		return pt_pin(pt, user, array_pin);
	case PT_IOC_APPEND:
		return pt_pin(pt, user, list_pin);
	case PT_IOC_RANGES:
		return pt_ranges(pt, user);
	case PT_IOC_COPY:
		return pt_copy(pt, user);
	case PT_IOC_MAP:
		return pt_ioc_map(pt, user);
	case PT_IOC_VMAP:
		return pt_vmap(user);
	case PT_IOC_GUP:
		return pt_gup(user);
	case PT_IOC_BUILD:
		return pt_ioc_build(user);
	case PT_IOC_EXPORT:
	case PT_IOC_STATE:
	case PT_IOC_ATTACH:
		return pt_ioc_dmabuf(pt, cmd, user);
	case PT_IOC_DETACH:
		pt_detach(pt);
		return 0;
	case PT_IOC_DISTRUST:
		return pt_distrust(arg);
	case PT_IOC_UNPIN:
		return pt_unpin(pt, arg);
	default:
		return -ENOTTY;
	}
}

static long pt_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct pt_file *pt = filp->private_data;
	long ret;

	mutex_lock(&pt->lock);
	ret = pt_command(pt, cmd, arg);
	mutex_unlock(&pt->lock);
	return ret;
}

static int pt_open(struct inode *inode, struct file *filp)
{
	struct pt_file *pt = kzalloc(sizeof(*pt), GFP_KERNEL);

	if (!pt)
		return -ENOMEM;
	pt->phyrs = vmalloc(PT_ARRAY_MAX * sizeof(*pt->phyrs));
	if (!pt->phyrs) {
		kfree(pt);
		return -ENOMEM;
	}
	mutex_init(&pt->lock);
	phyr_list_init(&pt->list);
	filp->private_data = pt;
	return 0;
}

static int pt_release(struct inode *inode, struct file *filp)
{
	struct pt_file *pt = filp->private_data;

	pt_detach(pt);
	array_unpin(pt, 0);
	unpin_user_phyr_list(&pt->list, false);
	vfree(pt->phyrs);
	kfree(pt);
	return 0;
}

/*
 * Memory that the kernel does not own, as /dev/mem maps it where there is one:
 * cached, and without pages.
 */
static int pt_mmap(struct file *filp, struct vm_area_struct *vma)
{
	unsigned long pfn;

	for (pfn = vma->vm_pgoff; pfn < vma->vm_pgoff + vma_pages(vma); pfn++)
		if (pfn_valid(pfn) || page_is_ram(pfn))
			return -EPERM;
	return remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, vma->vm_end - vma->vm_start,
			       vma->vm_page_prot);
}

static const struct file_operations pt_fops = {
	.owner = THIS_MODULE,
	.open = pt_open,
	.release = pt_release,
	.unlocked_ioctl = pt_ioctl,
	.mmap = pt_mmap,
};

static struct miscdevice pt_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_test",
	.fops = &pt_fops,
	.mode = 0600,
};
module_misc_device(pt_misc);

MODULE_DESCRIPTION("What phyr.ko offers to drivers, for its tests");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
PHYR_IMPORT_DMA_BUF();
