// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/phyr: what a program may ask for.
 *
 * Each command copies its structure in, works, and copies it out again, cut to
 * the size that the caller knows; include/uapi/linux/phyr.h has the rules.
 */
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include <uapi/linux/phyr.h>

#include "compat.h"
#include "internal.h"

#define PHYR_VERSION	(0 << 16 | 1)

static_assert((int)PHYR_KIND_RAM == (int)PHYR_RAM);
static_assert((int)PHYR_KIND_PMEM == (int)PHYR_PMEM);
static_assert((int)PHYR_KIND_P2P == (int)PHYR_P2P);
static_assert((int)PHYR_KIND_PFNMAP == (int)PHYR_PFNMAP);
static_assert((int)PHYR_NR_KINDS <= (int)PHYR_KIND_MAX);

static bool allow_layout;
module_param(allow_layout, bool, 0600);
MODULE_PARM_DESC(allow_layout,
		 "show users without CAP_SYS_ADMIN which of their pages are adjacent in memory");

/*
 * May the caller see how memory is laid out?  Checked for the caller and not for the opener
 * of /dev/phyr, like every other right here: every process can open the device, so that a
 * descriptor grants nothing.  The call succeeds without the right, so nothing is
 * audited.
 */
static bool may_see_layout(void)
{
	return READ_ONCE(allow_layout) || ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

union phyr_arg {
	u32 size;
	struct phyr_info info;
	struct phyr_pin pin;
	struct phyr_query query;
	struct phyr_copy copy;
	struct phyr_fill fill;
	struct phyr_compare compare;
	struct phyr_crc crc;
	struct phyr_rw rw;
	struct phyr_ranges ranges;
	struct phyr_import import;
};

/* Copies back what both sides know. */
static int arg_out(void __user *uarg, const union phyr_arg *arg, size_t ksize, u32 usize)
{
	return copy_to_user(uarg, arg, min_t(size_t, ksize, usize)) ? -EFAULT : 0;
}

static long ioc_info(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	struct phyr_info *info = &arg->info;

	info->version = PHYR_VERSION;
	info->page_size = PAGE_SIZE;
	info->iova = PHYR_HAS_IOVA;
	info->regions = 0;
	info->pinned_pages = 0;
	info->flags = 0;
	info->reserved = 0;
	if (may_see_layout())
		phyr_region_totals(&info->regions, &info->pinned_pages);
	else
		info->flags = PHYR_INFO_RESTRICTED;
	return arg_out(uarg, arg, sizeof(*info), usize);
}

/*
 * A new region becomes @fd, if it could be made and the caller gets the
 * answer; on error both are dropped.
 */
static long region_out(int fd, struct dma_buf *dmabuf, void __user *uarg,
		       const union phyr_arg *arg, size_t ksize, u32 usize)
{
	int ret;

	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto put_fd;
	}
	ret = arg_out(uarg, arg, ksize, usize);
	if (ret)
		goto put_dmabuf;
	fd_install(fd, dmabuf->file);
	return 0;
put_dmabuf:
	dma_buf_put(dmabuf);
put_fd:
	put_unused_fd(fd);
	return ret;
}

static long ioc_pin(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	struct phyr_pin *pin = &arg->pin;
	struct dma_buf *dmabuf;
	int fd;

	if (pin->flags & ~PHYR_PIN_WRITE || pin->reserved)
		return -EINVAL;
	if (pin->addr != (unsigned long)pin->addr || pin->len != (size_t)pin->len)
		return -EOVERFLOW;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	dmabuf = phyr_region_pin(pin->addr, pin->len, pin->flags & PHYR_PIN_WRITE,
				 &pin->pin_ns);
	if (!may_see_layout())
		pin->pin_ns = 0;
	pin->fd = fd;
	return region_out(fd, dmabuf, uarg, arg, sizeof(*pin), usize);
}

static struct miscdevice phyr_misc;

static long ioc_import(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	struct phyr_import *import = &arg->import;
	struct dma_buf *dmabuf;
	int fd;

	if (import->flags & ~PHYR_PIN_WRITE)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	dmabuf = phyr_region_import(phyr_misc.this_device, import->dmabuf, import->offset,
				    import->len, import->flags & PHYR_PIN_WRITE);
	import->fd = fd;
	return region_out(fd, dmabuf, uarg, arg, sizeof(*import), usize);
}

static int query_list(struct phyr_query *query, const struct phyr_list *list)
{
	struct phyr_iter it;
	struct phyr phyr;
	unsigned int n = 0;

	phyr_list_for_each(list, it, phyr) {
		query->kind_bytes[it.kind] += phyr.len;
		query->histogram[ilog2((u64)phyr.len)]++;
		query->largest = max_t(u64, query->largest, phyr.len);
		if (++n % 1024)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* What shows which pages are adjacent, and how many of them. */
static void query_restrict(struct phyr_query *query)
{
	query->flags |= PHYR_QUERY_RESTRICTED;
	query->phyrs = 0;
	query->largest = 0;
	query->metadata_bytes = 0;
	memset(query->histogram, 0, sizeof(query->histogram));
}

static long ioc_query(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	struct phyr_query *query = &arg->query;
	struct phyr_region *region = phyr_region_get(query->fd);
	const struct phyr_list *list;
	int fd = query->fd, ret;

	if (IS_ERR(region))
		return PTR_ERR(region);
	list = phyr_region_list(region);
	*query = (struct phyr_query) {
		.size = usize,
		.fd = fd,
		.flags = (phyr_region_writable(region) ? PHYR_QUERY_WRITE : 0) |
			 (phyr_list_revoked(list) ? PHYR_QUERY_REVOKED : 0),
		.kinds = phyr_list_kinds(list),
		.bytes = phyr_list_len(list),
		.phyrs = phyr_list_nr(list),
		.pages = phyr_region_pages(region),
		.metadata_bytes = sizeof(*list) + phyr_list_bytes(list),
	};
	ret = query_list(query, list);
	query->large_entry = phyr_region_congruent(region, &query->congruent);
	phyr_region_put(region);
	if (!may_see_layout())
		query_restrict(query);
	return ret ? ret : arg_out(uarg, arg, sizeof(*query), usize);
}

static int ranges_out(struct phyr_ranges *ranges, const struct phyr_list *list)
{
	struct phyr_range __user *out = u64_to_user_ptr(ranges->ranges);
	struct phyr_range range = { 0 };
	struct phyr_iter it;
	struct phyr phyr;
	u32 nr = 0;

	if (phyr_list_revoked(list))
		return -ENODEV;
	phyr_iter_init(&it, list, ranges->offset, ~0ULL);
	while (nr < ranges->nr && phyr_iter_next(&it, &phyr)) {
		range.addr = phyr.addr;
		range.len = phyr.len;
		range.kind = it.kind;
		if (copy_to_user(out + nr, &range, sizeof(range)))
			return -EFAULT;
		if (++nr % 1024 == 0) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	ranges->nr = nr;
	return 0;
}

static long ioc_ranges(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	struct phyr_ranges *ranges = &arg->ranges;
	struct phyr_region *region;
	int ret;

	if (ranges->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	region = phyr_region_get(ranges->fd);
	if (IS_ERR(region))
		return PTR_ERR(region);
	ret = ranges_out(ranges, phyr_region_list(region));
	phyr_region_put(region);
	return ret ? ret : arg_out(uarg, arg, sizeof(*ranges), usize);
}

static long ioc_copy(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	return phyr_region_copy(&arg->copy) ?: arg_out(uarg, arg, sizeof(arg->copy), usize);
}

static long ioc_fill(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	return phyr_region_fill(&arg->fill) ?: arg_out(uarg, arg, sizeof(arg->fill), usize);
}

static long ioc_compare(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	return phyr_region_compare(&arg->compare) ?:
	       arg_out(uarg, arg, sizeof(arg->compare), usize);
}

static long ioc_crc32c(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	return phyr_region_crc32c(&arg->crc) ?: arg_out(uarg, arg, sizeof(arg->crc), usize);
}

static long ioc_rw(union phyr_arg *arg, void __user *uarg, u32 usize)
{
	return phyr_region_rw(&arg->rw) ?: arg_out(uarg, arg, sizeof(arg->rw), usize);
}

struct phyr_ioc {
	unsigned int cmd;
	size_t ksize;
	size_t min;
	long (*call)(union phyr_arg *arg, void __user *uarg, u32 usize);
};

#define IOC(_cmd, _type, _last, _call)						\
	[_IOC_NR(_cmd)] = { .cmd = (_cmd), .ksize = sizeof(struct _type),	\
			    .min = offsetofend(struct _type, _last), .call = (_call) }

static const struct phyr_ioc iocs[] = {
	IOC(PHYR_IOC_INFO, phyr_info, pinned_pages, ioc_info),
	IOC(PHYR_IOC_PIN, phyr_pin, pin_ns, ioc_pin),
	IOC(PHYR_IOC_QUERY, phyr_query, histogram, ioc_query),
	IOC(PHYR_IOC_RANGES, phyr_ranges, reserved, ioc_ranges),
	IOC(PHYR_IOC_IMPORT, phyr_import, len, ioc_import),
	IOC(PHYR_IOC_COPY, phyr_copy, done, ioc_copy),
	IOC(PHYR_IOC_FILL, phyr_fill, done, ioc_fill),
	IOC(PHYR_IOC_COMPARE, phyr_compare, done, ioc_compare),
	IOC(PHYR_IOC_CRC32C, phyr_crc, done, ioc_crc32c),
	IOC(PHYR_IOC_RW, phyr_rw, direct, ioc_rw),
};

/* The size in the number is what the caller was built with; the real one is inside. */
static const struct phyr_ioc *ioc_find(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct phyr_ioc *ioc;

	if (_IOC_TYPE(cmd) != PHYR_IOC_MAGIC || nr >= ARRAY_SIZE(iocs))
		return NULL;
	ioc = &iocs[array_index_nospec(nr, ARRAY_SIZE(iocs))];
	return _IOC_DIR(cmd) == _IOC_DIR(ioc->cmd) ? ioc : NULL;
}

static long phyr_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	const struct phyr_ioc *ioc = ioc_find(cmd);
	void __user *user = (void __user *)uarg;
	union phyr_arg arg;
	u32 usize;
	int ret;

	if (!ioc)
		return -ENOTTY;
	if (get_user(usize, (u32 __user *)user))
		return -EFAULT;
	if (usize < ioc->min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, ioc->ksize, user, usize);
	if (ret)
		return ret;
	arg.size = usize;
	return ioc->call(&arg, user, usize);
}

static const struct file_operations phyr_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = phyr_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice phyr_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr",
	.fops = &phyr_fops,
	.mode = 0666,
};

int phyr_chardev_init(void)
{
	return misc_register(&phyr_misc);
}

void phyr_chardev_exit(void)
{
	misc_deregister(&phyr_misc);
}
