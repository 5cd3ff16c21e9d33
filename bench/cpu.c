// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU copies and fills the same memory by one address of the kernel, as a driver does
 * that has mapped all of it (struct iosys_map), and by phyrs, which need no mapping where
 * memory has pages.
 */
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/phyr.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "bench.h"

/* The memory in both ways, and the kernel's buffer. */
struct cpu {
	struct bench_cpu arg;
	struct phyr_list list;
	struct phyr_access *access;
	struct phyr_vmap vmap;
	void *buf;
};

static ssize_t stock_op(struct cpu *c)
{
	void __user *user = u64_to_user_ptr(c->arg.buf);
	struct iosys_map *map = &c->vmap.map;
	size_t len = c->arg.len;

	switch (c->arg.op) {
	case BENCH_COPY_OUT:
		iosys_map_memcpy_from(c->buf, map, 0, len);
		return len;
	case BENCH_COPY_IN:
		iosys_map_memcpy_to(map, 0, c->buf, len);
		return len;
	case BENCH_FILL:
		iosys_map_memset(map, 0, 0x5a, len);
		return len;
	case BENCH_COPY_TO_USER:
		return map->is_iomem ? 0 : len - copy_to_user(user, map->vaddr, len);
	default:
		return map->is_iomem ? 0 : len - copy_from_user(map->vaddr, user, len);
	}
}

static ssize_t phyr_op(struct cpu *c)
{
	struct kvec kvec = { .iov_base = c->buf, .iov_len = c->arg.len };
	size_t len = c->arg.len;
	struct iov_iter iter;
	bool out = c->arg.op == BENCH_COPY_OUT || c->arg.op == BENCH_COPY_TO_USER;

	if (c->arg.op == BENCH_FILL)
		return phyr_fill(c->access, 0, len, 0x5a);
	if (c->arg.op == BENCH_COPY_OUT || c->arg.op == BENCH_COPY_IN)
		iov_iter_kvec(&iter, out ? ITER_DEST : ITER_SOURCE, &kvec, 1, len);
	else
		iov_iter_ubuf(&iter, out ? ITER_DEST : ITER_SOURCE, u64_to_user_ptr(c->arg.buf),
			      len);
	return out ? phyr_copy_to_iter(c->access, 0, len, &iter) :
		     phyr_copy_from_iter(c->access, 0, len, &iter);
}

static int timed(struct cpu *c, ssize_t (*op)(struct cpu *c), u64 *ns)
{
	u64 start = ktime_get_ns();
	ssize_t n = op(c);

	*ns = n ? ktime_get_ns() - start : 0;
	return n < 0 ? n : n && n != c->arg.len ? -EIO : 0;
}

/* Nothing is revoked meanwhile: the program waits for this call. */
static int run_both(struct cpu *c)
{
	int ret = c->arg.flags & BENCH_PHYR_FIRST ? timed(c, phyr_op, &c->arg.phyr_ns) : 0;

	ret = ret ?: timed(c, stock_op, &c->arg.stock_ns);
	if (!ret && !(c->arg.flags & BENCH_PHYR_FIRST))
		ret = timed(c, phyr_op, &c->arg.phyr_ns);
	return ret;
}

static int run_mapped(struct cpu *c)
{
	int ret;

	c->access = phyr_access_get(&c->list);
	if (IS_ERR(c->access))
		return PTR_ERR(c->access);
	ret = phyr_vmap(c->access, 0, c->arg.len, &c->vmap);
	if (!ret) {
		ret = run_both(c);
		phyr_vunmap(&c->vmap);
	}
	phyr_access_put(c->access);
	return ret;
}

long bench_cpu(struct bench_cpu __user *arg)
{
	struct cpu c = { };
	int ret;

	if (copy_from_user(&c.arg, arg, sizeof(c.arg)))
		return -EFAULT;
	if (c.arg.op >= BENCH_CPU_OPS || c.arg.len > SZ_1G)
		return -EINVAL;
	c.buf = kvzalloc(c.arg.len, GFP_KERNEL);
	if (!c.buf)
		return -ENOMEM;
	phyr_list_init(&c.list);
	ret = pin_user_phyr_list(&c.list, c.arg.addr, c.arg.len,
				 FOLL_WRITE | FOLL_LONGTERM | phyr_foll_pfnmap());
	if (!ret) {
		ret = run_mapped(&c);
		unpin_user_phyr_list(&c.list, true);
	}
	kvfree(c.buf);
	if (ret)
		return ret;
	return copy_to_user(arg, &c.arg, sizeof(c.arg)) ? -EFAULT : 0;
}
