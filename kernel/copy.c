// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies, fills and compares what lists describe, and the memory of programs.
 *
 * Memory is taken a window at a time (phyr_access_window()), and as the window says: plain
 * memory, or I/O memory through the accessors for it.  Reading survives a machine check
 * where the architecture can, and stops before a page that is known to be poisoned.
 * Write-combined memory is read past the caches where the processor has an instruction for
 * that: a plain load from it takes a transaction of the bus for each word.
 *
 * A revocation waits for phyr_access_leave(), and is itself waited for with the locks that
 * a page fault of the program takes.  So a program's memory is never touched inside: memory
 * that may be revoked goes through a buffer.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "internal.h"

#define COPY_STEP	SZ_64K		/* between two chances to stop, or to be revoked */
#define DIRECT_STEP	SZ_1M		/* the same, of memory that nobody revokes, unbuffered */

/* How much there is before a page that is poisoned, which must not be read. */
static size_t until_poison(const struct phyr_window *w, size_t len)
{
	if (w->kind == PHYR_PFNMAP)
		return len;
	return phyr_until_poison(w->kind, virt_to_phys(w->map.vaddr), len);
}

/*
 * A hypervisor may have to emulate a load from a BAR that is one of its own devices', and
 * not know this one: KVM of 6.12 does not, nor does a confidential guest's own decoder.
 */
static bool stream_in_vm;
module_param(stream_in_vm, bool, 0600);
MODULE_PARM_DESC(stream_in_vm,
		 "in a virtual machine, too, read write-combined memory by loads that fill no cache");

#ifdef CONFIG_X86_64
#include <asm/fpu/api.h>

static bool can_stream(void)
{
	return boot_cpu_has(X86_FEATURE_XMM4_1) && irq_fpu_usable() &&
	       (!boot_cpu_has(X86_FEATURE_HYPERVISOR) || READ_ONCE(stream_in_vm));
}

#define STREAM_STEP	SZ_4K		/* without preemption */

/* Lines of 64 bytes, by loads that fill no cache. */
static void stream_lines(void *to, const void __iomem *from, size_t len)
{
	for (; len; len -= 64, to += 64, from += 64)
		asm volatile("movntdqa (%1), %%xmm0\n\t"
			     "movntdqa 16(%1), %%xmm1\n\t"
			     "movntdqa 32(%1), %%xmm2\n\t"
			     "movntdqa 48(%1), %%xmm3\n\t"
			     "movdqu %%xmm0, (%0)\n\t"
			     "movdqu %%xmm1, 16(%0)\n\t"
			     "movdqu %%xmm2, 32(%0)\n\t"
			     "movdqu %%xmm3, 48(%0)"
			     : : "r" (to), "r" ((__force const void *)from)
			     : "memory");
}

/* How much of the beginning was read: whole lines, from the edge of one on. */
static size_t stream_from_wc(void *to, const void __iomem *from, size_t len)
{
	size_t n = min_t(size_t, round_down(len, 64), STREAM_STEP);

	if (!n || (unsigned long)from % 64 || !can_stream())
		return 0;
	kernel_fpu_begin();
	mb();	/* such loads may be served from what an earlier one has brought */
	stream_lines(to, from, n);
	kernel_fpu_end();
	return n;
}
#else
static size_t stream_from_wc(void *to, const void __iomem *from, size_t len)
{
	return 0;
}
#endif

static void read_wc(void *to, const void __iomem *from, size_t len)
{
	size_t n, to_line = min_t(size_t, len, -(unsigned long)from % 64);

	memcpy_fromio(to, from, to_line);
	for (to += to_line, from += to_line, len -= to_line; len; to += n, from += n, len -= n) {
		n = stream_from_wc(to, from, len);
		if (!n)
			break;
	}
	memcpy_fromio(to, from, len);
}

/* Reads @len bytes of a window; how many there were, or an error if none. */
static ssize_t window_read(const struct phyr_window *w, void *buf, size_t len)
{
	size_t left;

	if (w->map.is_iomem) {
		if (w->caching == PHYR_WC)
			read_wc(buf, w->map.vaddr_iomem, len);
		else
			memcpy_fromio(buf, w->map.vaddr_iomem, len);
		return len;
	}
	len = until_poison(w, len);
	if (!len)
		return -EHWPOISON;
	left = copy_mc_to_kernel(buf, w->map.vaddr, len);
	return left == len ? -EIO : len - left;
}

/* A page that is poisoned may be gone from the kernel's own mapping: not written either. */
static ssize_t window_write(const struct phyr_window *w, void *buf, size_t len)
{
	if (w->map.is_iomem) {
		memcpy_toio(w->map.vaddr_iomem, buf, len);
		return len;
	}
	len = until_poison(w, len);
	if (!len)
		return -EHWPOISON;
	memcpy(w->map.vaddr, buf, len);
	return len;
}

static ssize_t read_op(const struct phyr_window *w, void *buf, size_t done, size_t len)
{
	return window_read(w, buf + done, len);
}

static ssize_t write_op(const struct phyr_window *w, void *buf, size_t done, size_t len)
{
	return window_write(w, buf + done, len);
}

/* Is a list revocable, or not memory that can be addressed like any other? */
static bool needs_buffer(const struct phyr_access *access)
{
	return phyr_list_kinds(phyr_access_list(access)) & BIT(PHYR_PFNMAP);
}

/* How far to go at a time without a buffer. */
static size_t step_of(const struct phyr_access *access)
{
	return needs_buffer(access) ? COPY_STEP : DIRECT_STEP;
}

static int check_range(const struct phyr_access *access, u64 offset, size_t len, bool write)
{
	if (!len || len > SSIZE_MAX || !phyr_access_covers(access, offset, len))
		return -EINVAL;
	return write && phyr_list_read_only(phyr_access_list(access)) ? -EACCES : 0;
}

/**
 * struct place - how far a run has come in a list
 * @access: to the list
 * @offset: in the list
 * @it: the phyrs from there on
 * @w: what is left of the phyr at @offset; its length is 0 before the first one, and between two
 */
struct place {
	struct phyr_access *access;
	u64 offset;
	struct phyr_iter it;
	struct phyr_window w;
};

static void place_init(struct place *p, struct phyr_access *access, u64 offset, size_t len)
{
	p->access = access;
	p->offset = offset;
	p->w.len = 0;
	phyr_iter_init(&p->it, phyr_access_list(access), offset, len);
}

static int place_window(struct place *p)
{
	struct phyr phyr;

	if (p->w.len)
		return 0;
	if (!phyr_iter_next(&p->it, &phyr))
		return -EINVAL;
	p->w.kind = p->it.kind;
	return phyr_access_phyr(p->access, p->offset, &phyr, &p->w);
}

static void place_advance(struct place *p, size_t n)
{
	p->offset += n;
	p->w.len -= n;
	iosys_map_incr(&p->w.map, n);
}

/**
 * struct copy - what a step of a long run works on
 * @dst: what is written
 * @src: what is read
 * @iter: memory of a program or the like, in place of @dst or @src
 * @buf: COPY_STEP bytes, or as many as there are at all; NULL to do without
 * @byte: what to fill with
 * @crc: the sum so far
 * @differ: the bytes behind those that were done differ
 * @stop: both sides are not as far as each other: this step is the last
 */
struct copy {
	struct place dst;
	struct place src;
	struct iov_iter *iter;
	void *buf;
	u8 byte;
	u32 crc;
	bool differ;
	bool stop;
};

/* Its two places are set by those who need them: they are large. */
static void copy_init(struct copy *c, struct iov_iter *iter)
{
	c->iter = iter;
	c->buf = NULL;
	c->differ = false;
	c->stop = false;
}

static int copy_buffer(struct copy *c, size_t len)
{
	c->buf = kvmalloc(min_t(size_t, len, COPY_STEP), GFP_KERNEL_ACCOUNT);
	return c->buf ? 0 : -ENOMEM;
}

/* Goes on by up to @len bytes; by how many, or an error if by none. */
typedef ssize_t (*copy_step)(struct copy *c, size_t len);

/*
 * Steps of up to @most until all is done, a step is the last or fails, or the process is to
 * end: how many bytes were done, or if none were, why.  Between steps nothing keeps a
 * revocation waiting.
 */
static ssize_t copy_run(struct copy *c, size_t len, copy_step step, size_t most)
{
	size_t done = 0;
	ssize_t n;

	while (done < len && !c->stop) {
		n = step(c, min(len - done, most));
		if (n < 0)
			return done ? done : n;
		done += n;
		cond_resched();
		if (fatal_signal_pending(current))
			break;
	}
	return done;
}

static ssize_t run_buffered(struct copy *c, size_t len, copy_step step)
{
	ssize_t ret = copy_buffer(c, len);

	if (ret)
		return ret;
	ret = copy_run(c, len, step, COPY_STEP);
	kvfree(c->buf);
	return ret;
}

/* What to do with one window and the buffer from @done on: the bytes done, or an error. */
typedef ssize_t (*window_op)(const struct phyr_window *w, void *buf, size_t done, size_t len);

/* All of @len bytes, or less: as many windows as that takes. */
static ssize_t window_steps(struct place *p, size_t len, void *buf, window_op op)
{
	int idx = phyr_access_enter(p->access);
	size_t done = 0;
	ssize_t n;

	if (idx < 0)
		return idx;
	do {
		n = place_window(p);
		if (!n)
			n = op(&p->w, buf, done, min(len - done, p->w.len));
		if (n < 0)
			break;
		place_advance(p, n);
		done += n;
	} while (done < len);
	phyr_access_leave(p->access, idx);
	return done ? done : n;
}

static ssize_t read_steps(struct place *p, size_t len, void *buf)
{
	return window_steps(p, len, buf, read_op);
}

static ssize_t write_steps(struct place *p, size_t len, void *buf)
{
	return window_steps(p, len, buf, write_op);
}

/* From one list to another */

/* One window to another, neither of which can be revoked. */
static ssize_t copy_direct(struct copy *c, size_t len)
{
	ssize_t n = place_window(&c->src) ?: place_window(&c->dst);

	if (n)
		return n;
	len = until_poison(&c->dst.w, min3(len, c->src.w.len, c->dst.w.len));
	if (!len)
		return -EHWPOISON;
	n = window_read(&c->src.w, c->dst.w.map.vaddr, len);
	if (n > 0) {
		place_advance(&c->src, n);
		place_advance(&c->dst, n);
	}
	return n;
}

static ssize_t copy_buffered(struct copy *c, size_t len)
{
	ssize_t n = read_steps(&c->src, len, c->buf), written;

	if (n < 0)
		return n;
	written = write_steps(&c->dst, n, c->buf);
	c->stop = written < n;
	return written;
}

/* The end first: what is done counts from the beginning, so it is all or nothing. */
static ssize_t copy_down(struct copy *c, size_t len)
{
	u64 to = c->dst.offset, from = c->src.offset;
	size_t left = len, step;
	ssize_t n;

	while (left) {
		step = min_t(size_t, left, COPY_STEP);
		left -= step;
		place_init(&c->dst, c->dst.access, to + left, step);
		place_init(&c->src, c->src.access, from + left, step);
		n = copy_buffered(c, step);
		if (n < 0)
			return n;
		if (n < step)
			return -EIO;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return len;
}

/**
 * phyr_copy - copy from one list to another, or within one
 * @dst: access to the one that is written
 * @dst_offset: first byte there
 * @src: access to the one that is read; may be @dst
 * @src_offset: first byte there
 * @len: length in bytes, not 0
 *
 * Ranges of one list may overlap, as those of memmove().
 *
 * Context: process, may sleep; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes were copied, @len if nothing stopped it; or if none was, -EINVAL
 * for a range that is not in its slice, -EACCES for a read-only @dst, -ENODEV if one was
 * revoked, -EHWPOISON before a poisoned page, -EIO after a machine check, -EINTR for a fatal
 * signal, -EOPNOTSUPP as phyr_access_window(), -ENOMEM.  Where the bytes overlap and move up, it
 * is all or an error, -EIO for what stops it within; some behind the beginning may have been
 * written then.
 */
ssize_t phyr_copy(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
		  u64 src_offset, size_t len)
{
	bool same = phyr_access_list(dst) == phyr_access_list(src);
	bool overlap = same && dst_offset < src_offset + len && src_offset < dst_offset + len;
	struct copy c __uninitialized;
	ssize_t ret;

	ret = check_range(src, src_offset, len, false) ?: check_range(dst, dst_offset, len, true);
	if (ret)
		return ret;
	copy_init(&c, NULL);
	place_init(&c.dst, dst, dst_offset, len);
	place_init(&c.src, src, src_offset, len);
	if (!overlap && !needs_buffer(dst) && !needs_buffer(src))
		return copy_run(&c, len, copy_direct, DIRECT_STEP);
	if (!overlap || dst_offset <= src_offset)
		return run_buffered(&c, len, copy_buffered);
	ret = copy_buffer(&c, len);
	if (ret)
		return ret;
	ret = copy_down(&c, len);
	kvfree(c.buf);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_copy);

/* Between a list and a program, or whatever an iterator leads to */

/* Straight from a window, which may fault, and nobody waits for. */
static ssize_t to_iter_direct(struct copy *c, size_t len)
{
	ssize_t n = place_window(&c->src);

	if (n)
		return n;
	len = until_poison(&c->src.w, min(len, c->src.w.len));
	if (!len)
		return -EHWPOISON;
	n = _copy_mc_to_iter(c->src.w.map.vaddr, len, c->iter);
	if (!n)
		return until_poison(&c->src.w, 1) ? -EFAULT : -EHWPOISON;
	place_advance(&c->src, n);
	return n;
}

static ssize_t to_iter_buffered(struct copy *c, size_t len)
{
	ssize_t n = read_steps(&c->src, len, c->buf), copied;

	if (n < 0)
		return n;
	copied = _copy_to_iter(c->buf, n, c->iter);
	c->stop = copied < n;
	return copied ?: -EFAULT;
}

static ssize_t from_iter_direct(struct copy *c, size_t len)
{
	ssize_t n = place_window(&c->dst);

	if (n)
		return n;
	len = until_poison(&c->dst.w, min(len, c->dst.w.len));
	if (!len)
		return -EHWPOISON;
	n = _copy_from_iter(c->dst.w.map.vaddr, len, c->iter);
	if (!n)
		return -EFAULT;
	place_advance(&c->dst, n);
	return n;
}

static ssize_t from_iter_buffered(struct copy *c, size_t len)
{
	ssize_t n = _copy_from_iter(c->buf, len, c->iter), written;

	if (!n)
		return -EFAULT;
	written = write_steps(&c->dst, n, c->buf);
	c->stop = written < n;
	return written;
}

/* The kernel's memory does not fault, so no buffer is needed between. */
static void *kernel_address(const struct iov_iter *iter)
{
	return iter->kvec->iov_base + iter->iov_offset;
}

static ssize_t to_kernel(struct copy *c, size_t len)
{
	ssize_t n = read_steps(&c->src, len, kernel_address(c->iter));

	if (n > 0)
		iov_iter_advance(c->iter, n);
	return n;
}

static ssize_t from_kernel(struct copy *c, size_t len)
{
	ssize_t n = write_steps(&c->dst, len, kernel_address(c->iter));

	if (n > 0)
		iov_iter_advance(c->iter, n);
	return n;
}

/* All of it is in one piece of the kernel's memory. */
static bool is_kernel_piece(const struct iov_iter *iter, size_t len)
{
	return iov_iter_is_kvec(iter) && iov_iter_single_seg_count(iter) >= len;
}

/**
 * phyr_copy_to_iter - copy from a list to where an iterator leads
 * @src: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @to: advanced by what was copied
 *
 * Context: process, may sleep, and take page faults; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes were copied, or an error as phyr_copy(); -EFAULT if @to has no room.
 */
ssize_t phyr_copy_to_iter(struct phyr_access *src, u64 offset, size_t len, struct iov_iter *to)
{
	struct copy c __uninitialized;
	ssize_t ret = check_range(src, offset, len, false);

	if (ret)
		return ret;
	copy_init(&c, to);
	place_init(&c.src, src, offset, len);
	if (is_kernel_piece(to, len))
		return copy_run(&c, len, to_kernel, step_of(src));
	if (needs_buffer(src))
		return run_buffered(&c, len, to_iter_buffered);
	return copy_run(&c, len, to_iter_direct, DIRECT_STEP);
}
EXPORT_SYMBOL_GPL(phyr_copy_to_iter);

/**
 * phyr_copy_from_iter - copy to a list from where an iterator leads
 * @dst: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @from: advanced by what was copied; further, if the list is revoked or has a poisoned page
 *
 * Context: process, may sleep, and take page faults; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes were copied, or an error as phyr_copy(); -EFAULT if none of @from
 * can be read.
 */
ssize_t phyr_copy_from_iter(struct phyr_access *dst, u64 offset, size_t len,
			    struct iov_iter *from)
{
	struct copy c __uninitialized;
	ssize_t ret = check_range(dst, offset, len, true);

	if (ret)
		return ret;
	copy_init(&c, from);
	place_init(&c.dst, dst, offset, len);
	if (is_kernel_piece(from, len))
		return copy_run(&c, len, from_kernel, step_of(dst));
	if (needs_buffer(dst))
		return run_buffered(&c, len, from_iter_buffered);
	return copy_run(&c, len, from_iter_direct, DIRECT_STEP);
}
EXPORT_SYMBOL_GPL(phyr_copy_from_iter);

/* Filling */

/* @byte: a pointer to it. */
static ssize_t fill_op(const struct phyr_window *w, void *byte, size_t done, size_t len)
{
	struct iosys_map map = w->map;

	if (!map.is_iomem)
		len = until_poison(w, len);
	iosys_map_memset(&map, 0, *(u8 *)byte, len);
	return len ?: -EHWPOISON;
}

static ssize_t fill_step(struct copy *c, size_t len)
{
	return window_steps(&c->dst, len, &c->byte, fill_op);
}

/**
 * phyr_fill - fill a part of a list with one byte
 * @dst: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @byte: the value
 *
 * Context: process, may sleep; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes were filled, or an error as phyr_copy().
 */
ssize_t phyr_fill(struct phyr_access *dst, u64 offset, size_t len, u8 byte)
{
	struct copy c __uninitialized;
	ssize_t ret = check_range(dst, offset, len, true);

	if (ret)
		return ret;
	copy_init(&c, NULL);
	c.byte = byte;
	place_init(&c.dst, dst, offset, len);
	return copy_run(&c, len, fill_step, step_of(dst));
}
EXPORT_SYMBOL_GPL(phyr_fill);

/* Comparing and summing: what is read goes through a buffer, as a machine check may stop it */

/* How many bytes of two buffers are alike. */
static size_t alike(const u8 *a, const u8 *b, size_t len)
{
	size_t n = 0;

	if (!memcmp(a, b, len))
		return len;
	while (a[n] == b[n])
		n++;
	return n;
}

/* @dst, or the iterator, is the other side; the buffer has room for both. */
static ssize_t compare_step(struct copy *c, size_t len)
{
	u8 *a = c->buf, *b = a + COPY_STEP;
	ssize_t n = read_steps(&c->src, len, a), other;
	size_t same;

	if (n < 0)
		return n;
	other = c->iter ? _copy_from_iter(b, n, c->iter) : read_steps(&c->dst, n, b);
	if (other <= 0)
		return other ?: -EFAULT;
	same = alike(a, b, other);
	c->differ = same < other;
	c->stop = same < n;
	return same;
}

static ssize_t compare(struct copy *c, size_t len, bool *differ)
{
	ssize_t ret;

	c->buf = kvmalloc(2 * COPY_STEP, GFP_KERNEL_ACCOUNT);
	if (!c->buf)
		return -ENOMEM;
	ret = copy_run(c, len, compare_step, COPY_STEP);
	kvfree(c->buf);
	*differ = c->differ;
	return ret;
}

/**
 * phyr_compare - compare two lists, or parts of one
 * @a: access to one
 * @a_offset: first byte there
 * @b: access to the other
 * @b_offset: first byte there
 * @len: length in bytes, not 0
 * @differ: set to true if the next byte differs, to false if something else stopped it
 *
 * Context: process, may sleep; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes are alike, 0 if the first ones differ; or an error as phyr_copy().
 */
ssize_t phyr_compare(struct phyr_access *a, u64 a_offset, struct phyr_access *b, u64 b_offset,
		     size_t len, bool *differ)
{
	struct copy c __uninitialized;
	ssize_t ret;

	*differ = false;
	ret = check_range(a, a_offset, len, false) ?: check_range(b, b_offset, len, false);
	if (ret)
		return ret;
	copy_init(&c, NULL);
	place_init(&c.src, a, a_offset, len);
	place_init(&c.dst, b, b_offset, len);
	return compare(&c, len, differ);
}
EXPORT_SYMBOL_GPL(phyr_compare);

/**
 * phyr_compare_iter - compare a list with what an iterator leads to
 * @a: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @iter: advanced by what was compared
 * @differ: set to true if the next byte differs, to false if something else stopped it
 *
 * Context: process, may sleep, and take page faults; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: as phyr_compare(); -EFAULT if @iter has no more.
 */
ssize_t phyr_compare_iter(struct phyr_access *a, u64 offset, size_t len, struct iov_iter *iter,
			  bool *differ)
{
	struct copy c __uninitialized;
	ssize_t ret = check_range(a, offset, len, false);

	*differ = false;
	if (ret)
		return ret;
	copy_init(&c, iter);
	place_init(&c.src, a, offset, len);
	return compare(&c, len, differ);
}
EXPORT_SYMBOL_GPL(phyr_compare_iter);

static ssize_t crc_step(struct copy *c, size_t len)
{
	ssize_t n = read_steps(&c->src, len, c->buf);

	if (n > 0)
		c->crc = crc32c(c->crc, c->buf, n);
	return n;
}

/**
 * phyr_crc32c - the CRC-32C of a part of a list
 * @src: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @crc: in: the initial value; out: the checksum
 *
 * Context: process, may sleep; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes are in the sum, or an error as phyr_copy().
 */
ssize_t phyr_crc32c(struct phyr_access *src, u64 offset, size_t len, u32 *crc)
{
	struct copy c __uninitialized;
	ssize_t ret = check_range(src, offset, len, false);

	if (ret)
		return ret;
	copy_init(&c, NULL);
	c.crc = *crc;
	place_init(&c.src, src, offset, len);
	ret = run_buffered(&c, len, crc_step);
	*crc = c.crc;
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_crc32c);
