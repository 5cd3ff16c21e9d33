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

/* How much there is before a page that is poisoned, which must not be read. */
static size_t until_poison(const struct phyr_window *w, size_t len)
{
	const char *start = w->map.vaddr, *page = PTR_ALIGN_DOWN(start, PAGE_SIZE);

	if (w->kind == PHYR_PFNMAP)
		return len;
	for (; page < start + len; page += PAGE_SIZE)
		if (is_page_hwpoison(virt_to_page(page)))
			return page > start ? page - start : 0;
	return len;
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
static ssize_t window_write(const struct phyr_window *w, const void *buf, size_t len)
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

/* Is a list revocable, or not memory that can be addressed like any other? */
static bool needs_buffer(const struct phyr_access *access)
{
	return phyr_list_kinds(phyr_access_list(access)) & BIT(PHYR_PFNMAP);
}

static int check_range(const struct phyr_access *access, u64 offset, size_t len, bool write)
{
	const struct phyr_list *list = phyr_access_list(access);

	if (!len || len > SSIZE_MAX || offset > phyr_list_len(list) ||
	    len > phyr_list_len(list) - offset)
		return -EINVAL;
	return write && phyr_list_read_only(list) ? -EACCES : 0;
}

/* May a long run go on?  Called outside of phyr_access_enter(). */
static int copy_pause(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* What was done if that is anything, else why nothing was. */
static ssize_t done_or(size_t done, ssize_t error)
{
	return done ? done : error;
}

static ssize_t read_step(struct phyr_access *src, u64 offset, void *buf, size_t len)
{
	struct phyr_window w;
	ssize_t n;
	int idx;

	idx = phyr_access_enter(src);
	if (idx < 0)
		return idx;
	n = phyr_access_window(src, offset, &w);
	if (!n)
		n = window_read(&w, buf, min(len, w.len));
	phyr_access_leave(src, idx);
	return n;
}

static ssize_t write_step(struct phyr_access *dst, u64 offset, const void *buf, size_t len)
{
	struct phyr_window w;
	ssize_t n;
	int idx;

	idx = phyr_access_enter(dst);
	if (idx < 0)
		return idx;
	n = phyr_access_window(dst, offset, &w);
	if (!n)
		n = window_write(&w, buf, min(len, w.len));
	phyr_access_leave(dst, idx);
	return n;
}

/* All of @len bytes, or less: as many windows as that takes. */
static ssize_t read_steps(struct phyr_access *src, u64 offset, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read_step(src, offset + done, buf + done, len - done);
		if (n < 0)
			return done_or(done, n);
		done += n;
	}
	return done;
}

static ssize_t write_steps(struct phyr_access *dst, u64 offset, const void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write_step(dst, offset + done, buf + done, len - done);
		if (n < 0)
			return done_or(done, n);
		done += n;
	}
	return done;
}

/* From one list to another */

/* One window to another, neither of which can be revoked. */
static ssize_t copy_direct(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
			   u64 src_offset, size_t len)
{
	struct phyr_window to, from;
	ssize_t n;

	n = phyr_access_window(src, src_offset, &from) ?:
	    phyr_access_window(dst, dst_offset, &to);
	if (n)
		return n;
	len = until_poison(&to, min3(len, from.len, to.len));
	return len ? window_read(&from, to.map.vaddr, len) : -EHWPOISON;
}

static ssize_t copy_buffered(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
			     u64 src_offset, size_t len, void *buf)
{
	ssize_t n = read_steps(src, src_offset, buf, len);

	return n < 0 ? n : write_steps(dst, dst_offset, buf, n);
}

static ssize_t copy_step(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
			 u64 src_offset, size_t len, void *buf)
{
	if (buf)
		return copy_buffered(dst, dst_offset, src, src_offset, len, buf);
	return copy_direct(dst, dst_offset, src, src_offset, len);
}

static ssize_t copy_up(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
		       u64 src_offset, size_t len, void *buf)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < len && n >= 0) {
		n = copy_step(dst, dst_offset + done, src, src_offset + done,
			      min_t(size_t, len - done, COPY_STEP), buf);
		if (n < 0)
			break;
		done += n;
		n = copy_pause();
	}
	return done_or(done, n);
}

/* The end first: what is done counts from the beginning, so it is all or nothing. */
static ssize_t copy_down(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
			 u64 src_offset, size_t len, void *buf)
{
	size_t left = len, step;
	ssize_t n;

	while (left) {
		step = min_t(size_t, left, COPY_STEP);
		left -= step;
		n = copy_buffered(dst, dst_offset + left, src, src_offset + left, step, buf);
		if (n >= 0 && n < step)
			n = -EIO;
		if (n >= 0)
			n = copy_pause();
		if (n < 0)
			return n;
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
 * for a range that is not in its list, -EACCES for a read-only @dst, -ENODEV if one was
 * revoked, -EHWPOISON before a poisoned page, -EIO after a machine check, -EINTR for a fatal
 * signal, -ENOMEM.  Where the bytes overlap and move up, it is all or an error, after which
 * some behind the beginning may have been written.
 */
ssize_t phyr_copy(struct phyr_access *dst, u64 dst_offset, struct phyr_access *src,
		  u64 src_offset, size_t len)
{
	bool same = phyr_access_list(dst) == phyr_access_list(src);
	bool overlap = same && dst_offset < src_offset + len && src_offset < dst_offset + len;
	void *buf = NULL;
	ssize_t ret;

	ret = check_range(src, src_offset, len, false) ?: check_range(dst, dst_offset, len, true);
	if (ret)
		return ret;
	if (overlap || needs_buffer(dst) || needs_buffer(src)) {
		buf = kvmalloc(min_t(size_t, len, COPY_STEP), GFP_KERNEL_ACCOUNT);
		if (!buf)
			return -ENOMEM;
	}
	if (overlap && dst_offset > src_offset)
		ret = copy_down(dst, dst_offset, src, src_offset, len, buf);
	else
		ret = copy_up(dst, dst_offset, src, src_offset, len, buf);
	kvfree(buf);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_copy);

/* Between a list and a program, or whatever an iterator leads to */

/* Straight from a window, which may fault, and nobody waits for. */
static ssize_t to_iter_direct(struct phyr_access *src, u64 offset, size_t len,
			      struct iov_iter *to)
{
	struct phyr_window w;
	ssize_t n;

	n = phyr_access_window(src, offset, &w);
	if (n)
		return n;
	len = until_poison(&w, min(len, w.len));
	if (!len)
		return -EHWPOISON;
	n = _copy_mc_to_iter(w.map.vaddr, len, to);
	return n ?: until_poison(&w, 1) ? -EFAULT : -EHWPOISON;
}

static ssize_t to_iter_buffered(struct phyr_access *src, u64 offset, size_t len,
				struct iov_iter *to, void *buf)
{
	ssize_t n = read_steps(src, offset, buf, len);

	if (n < 0)
		return n;
	n = _copy_to_iter(buf, n, to);
	return n ?: -EFAULT;
}

static ssize_t from_iter_direct(struct phyr_access *dst, u64 offset, size_t len,
				struct iov_iter *from)
{
	struct phyr_window w;
	ssize_t n;

	n = phyr_access_window(dst, offset, &w);
	if (n)
		return n;
	len = until_poison(&w, min(len, w.len));
	if (!len)
		return -EHWPOISON;
	n = _copy_from_iter(w.map.vaddr, len, from);
	return n ?: -EFAULT;
}

static ssize_t from_iter_buffered(struct phyr_access *dst, u64 offset, size_t len,
				  struct iov_iter *from, void *buf)
{
	ssize_t n = _copy_from_iter(buf, len, from);

	return n ? write_steps(dst, offset, buf, n) : -EFAULT;
}

static ssize_t iter_step(struct phyr_access *access, u64 offset, size_t len,
			 struct iov_iter *iter, void *buf, bool to)
{
	if (to)
		return buf ? to_iter_buffered(access, offset, len, iter, buf) :
			     to_iter_direct(access, offset, len, iter);
	return buf ? from_iter_buffered(access, offset, len, iter, buf) :
		     from_iter_direct(access, offset, len, iter);
}

static ssize_t copy_iter(struct phyr_access *access, u64 offset, size_t len,
			 struct iov_iter *iter, bool to)
{
	ssize_t n = check_range(access, offset, len, !to);
	void *buf = NULL;
	size_t done = 0;

	if (n)
		return n;
	if (needs_buffer(access)) {
		buf = kvmalloc(min_t(size_t, len, COPY_STEP), GFP_KERNEL_ACCOUNT);
		if (!buf)
			return -ENOMEM;
	}
	while (done < len && n >= 0) {
		n = iter_step(access, offset + done, min_t(size_t, len - done, COPY_STEP), iter,
			      buf, to);
		if (n < 0)
			break;
		done += n;
		n = copy_pause();
	}
	kvfree(buf);
	return done_or(done, n);
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
	return copy_iter(src, offset, len, to, true);
}
EXPORT_SYMBOL_GPL(phyr_copy_to_iter);

/**
 * phyr_copy_from_iter - copy to a list from where an iterator leads
 * @dst: access to the list
 * @offset: first byte there
 * @len: length in bytes, not 0
 * @from: advanced by what was copied; further, if the list is revoked
 *
 * Context: process, may sleep, and take page faults; no lock that a revocation waits for, see
 * phyr_list_register_user().
 * Return: how many bytes were copied, or an error as phyr_copy(); -EFAULT if none of @from
 * can be read.
 */
ssize_t phyr_copy_from_iter(struct phyr_access *dst, u64 offset, size_t len,
			    struct iov_iter *from)
{
	return copy_iter(dst, offset, len, from, false);
}
EXPORT_SYMBOL_GPL(phyr_copy_from_iter);

/* Filling */

static ssize_t fill_step(struct phyr_access *dst, u64 offset, size_t len, u8 byte)
{
	struct phyr_window w;
	ssize_t n;
	int idx;

	idx = phyr_access_enter(dst);
	if (idx < 0)
		return idx;
	n = phyr_access_window(dst, offset, &w);
	if (!n) {
		len = min(len, w.len);
		if (!w.map.is_iomem)
			len = until_poison(&w, len);
		iosys_map_memset(&w.map, 0, byte, len);
		n = len ?: -EHWPOISON;
	}
	phyr_access_leave(dst, idx);
	return n;
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
	ssize_t n = check_range(dst, offset, len, true);
	size_t done = 0;

	while (done < len && n >= 0) {
		n = fill_step(dst, offset + done, min_t(size_t, len - done, COPY_STEP), byte);
		if (n < 0)
			break;
		done += n;
		n = copy_pause();
	}
	return done_or(done, n);
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

/* The other side of a comparison: a list, or an iterator. */
struct other {
	struct phyr_access *access;
	u64 offset;
	struct iov_iter *iter;
};

static ssize_t read_other(const struct other *b, size_t done, void *buf, size_t len)
{
	ssize_t n;

	if (b->access)
		return read_steps(b->access, b->offset + done, buf, len);
	n = _copy_from_iter(buf, len, b->iter);
	return n ?: -EFAULT;
}

static ssize_t compare(struct phyr_access *a, u64 offset, size_t len, const struct other *b,
		       bool *differ)
{
	u8 *buf = kvmalloc(2 * COPY_STEP, GFP_KERNEL_ACCOUNT);
	size_t done = 0, same;
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	while (done < len && n >= 0) {
		n = read_steps(a, offset + done, buf, min_t(size_t, len - done, COPY_STEP));
		if (n > 0)
			n = read_other(b, done, buf + COPY_STEP, n);
		if (n < 0)
			break;
		same = alike(buf, buf + COPY_STEP, n);
		done += same;
		*differ = same < n;
		n = *differ ? -EINVAL : copy_pause();
	}
	kvfree(buf);
	return *differ ? done : done_or(done, n);
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
	const struct other other = { .access = b, .offset = b_offset };
	int ret = check_range(a, a_offset, len, false) ?: check_range(b, b_offset, len, false);

	*differ = false;
	return ret ?: compare(a, a_offset, len, &other, differ);
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
	const struct other other = { .iter = iter };
	int ret = check_range(a, offset, len, false);

	*differ = false;
	return ret ?: compare(a, offset, len, &other, differ);
}
EXPORT_SYMBOL_GPL(phyr_compare_iter);

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
	ssize_t n = check_range(src, offset, len, false);
	size_t done = 0;
	void *buf;

	if (n)
		return n;
	buf = kvmalloc(min_t(size_t, len, COPY_STEP), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	while (done < len && n >= 0) {
		n = read_steps(src, offset + done, buf, min_t(size_t, len - done, COPY_STEP));
		if (n < 0)
			break;
		*crc = crc32c(*crc, buf, n);
		done += n;
		n = copy_pause();
	}
	kvfree(buf);
	return done_or(done, n);
}
EXPORT_SYMBOL_GPL(phyr_crc32c);
