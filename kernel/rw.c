// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and block devices are read into regions, and written from them.
 *
 * Pages go to the file as bio_vec: nothing is looked up or pinned again, and with O_DIRECT the
 * device reads and writes them itself.  Memory without a page, and that of PCI devices, which
 * few drivers take, goes through a buffer.  Either way a piece at a time, so that a signal
 * stops it.
 *
 * The buffer may be a shadow (phyr_block): its pages stand for the memory, and a drive gets
 * that in place of them.  It is filled before it is written all the same, and of what was read
 * only what is not in the memory already is copied: so whatever takes the pages on their way,
 * because the file system or a driver does not know better, finds what it expects.
 */
#include <linux/bitmap.h>
#include <linux/bvec.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include <uapi/linux/phyr.h>

#include "compat.h"
#include "region_private.h"

#define PIECE_MAX	SZ_64M		/* at a time */
#define BUFFER_MAX	PHYR_SHADOW_MAX	/* the same, through a buffer */
#define BVECS_INSIDE	8		/* as many take no allocation */
#define BVECS_MAX	256

/**
 * struct rw_place - how far a call has come in its slices
 * @index: of the slice that comes next
 * @at: how much of that was taken
 */
struct rw_place {
	unsigned int index;
	u64 at;
};

/**
 * struct rw - a call on its way
 * @region: the region, held
 * @file: the file, held
 * @slices: of the region
 * @nr: how many
 * @place: in them
 * @pos: in the file
 * @rwf: RWF_*
 * @write: the file is written
 * @direct: bytes that were not copied
 * @inside: @bvecs, where few are enough
 * @bvecs: of a piece
 * @max: how many fit
 */
struct rw {
	struct phyr_region *region;
	struct file *file;
	const struct phyr_slice *slices;
	unsigned int nr;
	struct rw_place place;
	loff_t pos;
	rwf_t rwf;
	bool write;
	u64 direct;
	struct bio_vec inside[BVECS_INSIDE];
	struct bio_vec *bvecs;
	unsigned int max;
};

/* What comes next of the slices, up to @most bytes; 0 at the end. */
static u64 slices_next(const struct rw *rw, const struct rw_place *place, u64 most, u64 *offset)
{
	const struct phyr_slice *slice = &rw->slices[place->index];

	if (place->index == rw->nr)
		return 0;
	*offset = slice->offset + place->at;
	return min(slice->len - place->at, most);
}

static void slices_advance(const struct rw *rw, struct rw_place *place, u64 n)
{
	u64 offset, step;

	while (n) {
		step = slices_next(rw, place, n, &offset);
		place->at += step;
		n -= step;
		if (place->at == rw->slices[place->index].len) {
			place->index++;
			place->at = 0;
		}
	}
}

static u64 slices_left(const struct rw *rw, const struct rw_place *place)
{
	u64 left = 0;
	unsigned int i;

	for (i = place->index; i < rw->nr; i++)
		left += rw->slices[i].len;
	return left - place->at;
}

static bool may_wait(const struct rw *rw)
{
	return !(rw->rwf & RWF_NOWAIT);
}

/* One call of the file: how many bytes, or an error. */
static ssize_t rw_file(struct rw *rw, unsigned int nr, size_t len)
{
	struct iov_iter iter;
	struct kiocb kiocb;
	ssize_t n;

	init_sync_kiocb(&kiocb, rw->file);
	kiocb.ki_pos = rw->pos;
	n = kiocb_set_rw_flags(&kiocb, rw->rwf, rw->write ? WRITE : READ);
	if (n)
		return n;
	iov_iter_bvec(&iter, rw->write ? ITER_SOURCE : ITER_DEST, rw->bvecs, nr, len);
	n = rw->write ? vfs_iocb_iter_write(rw->file, &kiocb, &iter) :
			vfs_iocb_iter_read(rw->file, &kiocb, &iter);
	rw->pos = kiocb.ki_pos;
	return n;
}

/* Pages as they are */

static size_t bvecs_len(const struct bio_vec *bvecs, unsigned int nr)
{
	size_t len = 0;

	while (nr--)
		len += bvecs[nr].bv_len;
	return len;
}

/* As far as no page is poisoned: how many entries, of which the last may be cut. */
static unsigned int bvecs_until_poison(struct bio_vec *bvecs, unsigned int nr)
{
	unsigned int i;
	size_t good;

	for (i = 0; i < nr; i++) {
		struct page *page = bvecs[i].bv_page;

		good = phyr_until_poison(page_kind(page), page_to_phys(page) + bvecs[i].bv_offset,
					 bvecs[i].bv_len);
		if (good == bvecs[i].bv_len)
			continue;
		bvecs[i].bv_len = good;
		return good ? i + 1 : i;
	}
	return nr;
}

/*
 * As much as fits of what comes next, from @place on, which is moved: how many entries, or an
 * error.
 */
static int bvecs_fill(const struct rw *rw, struct rw_place *place, size_t *len)
{
	const struct phyr_list *list = phyr_region_list(rw->region);
	unsigned int nr = 0, good;
	u64 offset, most;
	size_t n;
	int added;

	*len = 0;
	while (nr < rw->max && *len < PIECE_MAX) {
		most = slices_next(rw, place, PIECE_MAX - *len, &offset);
		if (!most)
			break;
		added = phyr_list_to_bvecs(list, offset, most, rw->bvecs + nr, rw->max - nr);
		if (added < 0)
			return added;
		good = bvecs_until_poison(rw->bvecs + nr, added);
		n = bvecs_len(rw->bvecs + nr, good);
		nr += good;
		*len += n;
		slices_advance(rw, place, n);
		if (good < added)
			break;
	}
	return nr ?: -EHWPOISON;
}

/* A piece that others follow ends where a block may end, however its pages lie. */
static size_t whole_blocks(size_t len)
{
	return round_down(len, len >= SZ_64K ? SZ_64K : PAGE_SIZE) ?: len;
}

static ssize_t pages_piece(struct rw *rw, size_t *len)
{
	struct rw_place place = rw->place;
	int nr = bvecs_fill(rw, &place, len);
	ssize_t n;

	if (nr < 0)
		return nr;
	if (slices_left(rw, &place))
		*len = whole_blocks(*len);
	n = rw_file(rw, nr, *len);
	if (n > 0) {
		rw->direct += n;
		slices_advance(rw, &rw->place, n);
	}
	return n;
}

/* Through a buffer */

/* Who makes shadows direct. */
static const struct phyr_shadow_ops *shadow_ops;
static DEFINE_MUTEX(shadow_lock);

/**
 * phyr_shadow_register - make I/O with shadows direct from now on
 * @ops: how
 *
 * Context: process, may sleep.
 * Return: 0, or -EBUSY if somebody else does.
 */
int phyr_shadow_register(const struct phyr_shadow_ops *ops)
{
	int ret = -EBUSY;

	mutex_lock(&shadow_lock);
	if (!shadow_ops) {
		shadow_ops = ops;
		ret = 0;
	}
	mutex_unlock(&shadow_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_shadow_register);

/**
 * phyr_shadow_unregister - what phyr_shadow_register() did, undone
 * @ops: what was registered; its module is not held by any call
 *
 * Context: process, may sleep.
 */
void phyr_shadow_unregister(const struct phyr_shadow_ops *ops)
{
	mutex_lock(&shadow_lock);
	if (shadow_ops == ops)
		shadow_ops = NULL;
	mutex_unlock(&shadow_lock);
}
EXPORT_SYMBOL_GPL(phyr_shadow_unregister);

/* With its module held; or NULL. */
static const struct phyr_shadow_ops *shadow_ops_get(void)
{
	const struct phyr_shadow_ops *ops;

	mutex_lock(&shadow_lock);
	ops = shadow_ops;
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	mutex_unlock(&shadow_lock);
	return ops;
}

/**
 * struct bounce - a buffer between a file and memory that it cannot have
 * @access: to the region
 * @order: of its size
 * @ops: who can make it direct, held; NULL if @io is
 * @io: what is mapped for the file's drive; NULL if it is not direct
 * @shadow: its pages, and what of them was direct
 */
struct bounce {
	struct phyr_access *access;
	unsigned int order;
	const struct phyr_shadow_ops *ops;
	struct phyr_shadow_io *io;
	struct phyr_shadow shadow;
};

static void *bounce_address(const struct bounce *b, size_t at)
{
	return page_address(b->shadow.page) + b->shadow.first + at;
}

/* How much of what is left fits: all of it, or whole pages, so that the next piece lies alike. */
static size_t bounce_room(const struct bounce *b, u64 left)
{
	size_t room = (PAGE_SIZE << b->order) - b->shadow.first;

	return left <= room ? left : whole_blocks(room);
}

/* One slice, of which each page lies as one of the buffer does. */
static void bounce_map(struct bounce *b, const struct rw *rw)
{
	const struct phyr_list *list = phyr_region_list(rw->region);
	const struct phyr_slice *slice = rw->slices;
	enum phyr_kind kind;
	struct phyr phyr;

	if (rw->nr > 1 || !phyr_list_find(list, slice->offset, &phyr, &kind) || phyr.addr % 512)
		return;
	b->ops = shadow_ops_get();
	if (!b->ops)
		return;
	b->io = b->ops->map(rw->file, list, slice->offset, slice->len, rw->write);
	if (b->io)
		b->shadow.first = offset_in_page(phyr.addr);
	else
		module_put(b->ops->owner);
}

static void bounce_unmap(struct bounce *b)
{
	if (!b->io)
		return;
	b->ops->unmap(b->io);
	module_put(b->ops->owner);
	b->io = NULL;
	b->shadow.first = 0;
}

/* Zeroed: what a device leaves out of it must not be what somebody else left there. */
static int bounce_alloc(struct bounce *b, u64 len)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;

	b->order = get_order(min_t(u64, len + b->shadow.first, BUFFER_MAX));
	do
		b->shadow.page = alloc_pages(b->order ? gfp | __GFP_NORETRY : gfp, b->order);
	while (!b->shadow.page && b->order--);
	if (!b->shadow.page)
		return -ENOMEM;
	/* too small to lie as the memory does, piece after piece */
	if (!b->order && b->shadow.first + len > PAGE_SIZE)
		bounce_unmap(b);
	return 0;
}

/* To all that the slices have, and what is between. */
static struct phyr_access *bounce_access(const struct rw *rw)
{
	u64 first = U64_MAX, end = 0;
	unsigned int i;

	for (i = 0; i < rw->nr; i++) {
		first = min(first, rw->slices[i].offset);
		end = max(end, rw->slices[i].offset + rw->slices[i].len);
	}
	return phyr_access_get_slice(phyr_region_list(rw->region), first, end - first);
}

static int bounce_get(struct bounce *b, const struct rw *rw)
{
	int ret;

	b->access = bounce_access(rw);
	if (IS_ERR(b->access))
		return PTR_ERR(b->access);
	bounce_map(b, rw);
	ret = bounce_alloc(b, slices_left(rw, &rw->place));
	if (ret) {
		bounce_unmap(b);
		phyr_access_put(b->access);
	}
	return ret;
}

static void bounce_put(struct bounce *b)
{
	__free_pages(b->shadow.page, b->order);
	bounce_unmap(b);
	phyr_access_put(b->access);
}

/* Between the buffer, from @at on, and the region. */
static ssize_t bounce_copy(struct bounce *b, u64 offset, size_t at, size_t len, bool from_region)
{
	struct kvec kvec = { .iov_base = bounce_address(b, at), .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, from_region ? ITER_DEST : ITER_SOURCE, &kvec, 1, len);
	return from_region ? phyr_copy_to_iter(b->access, offset, len, &iter) :
			     phyr_copy_from_iter(b->access, offset, len, &iter);
}

/* @len bytes of the slices from @place on: how many were copied, or an error if none. */
static ssize_t bounce_slices(const struct rw *rw, struct bounce *b, size_t len)
{
	struct rw_place place = rw->place;
	size_t done = 0;
	u64 offset, most;
	ssize_t n;

	while (done < len) {
		most = slices_next(rw, &place, len - done, &offset);
		n = bounce_copy(b, offset, done, most, rw->write);
		if (n < 0)
			return done ?: n;
		done += n;
		if (n < most)
			break;
		slices_advance(rw, &place, n);
	}
	return done;
}

/* A part of it need not be one that the file takes. */
static ssize_t bounce_fill(const struct rw *rw, struct bounce *b, size_t len)
{
	ssize_t n = bounce_slices(rw, b, len);

	if (n < 0 || n == len)
		return n;
	return phyr_list_revoked(phyr_region_list(rw->region)) ? -ENODEV : -EIO;
}

/* The file's call, with the memory itself where that is possible; which is noted. */
static ssize_t bounce_file(struct rw *rw, struct bounce *b, size_t len)
{
	struct phyr_shadow *shadow = &b->shadow;
	bool armed = false;
	u64 offset;
	ssize_t n;

	slices_next(rw, &rw->place, len, &offset);
	shadow->len = len;
	bitmap_zero(shadow->direct, PHYR_SHADOW_MAX >> 9);
	if (b->io)
		armed = b->ops->arm(b->io, shadow, offset);
	bvec_set_page(&rw->bvecs[0], shadow->page, len, shadow->first);
	n = rw_file(rw, 1, len);
	if (armed)
		b->ops->disarm(b->io);
	return n;
}

/* How many of the first @len bytes were direct. */
static size_t bounce_direct(const struct bounce *b, size_t len)
{
	size_t direct = (size_t)bitmap_weight(b->shadow.direct, len >> 9) << 9;

	if (len % 512 && test_bit(len >> 9, b->shadow.direct))
		direct += len % 512;
	return direct;
}

/* What was read and is not in the memory yet: how far it is then, or an error. */
static ssize_t bounce_rest(const struct rw *rw, struct bounce *b, size_t len)
{
	unsigned int first, end;
	size_t at, n;
	u64 offset;
	ssize_t ret;

	slices_next(rw, &rw->place, len, &offset);
	for_each_clear_bitrange(first, end, b->shadow.direct, DIV_ROUND_UP(len, 512)) {
		at = (size_t)first << 9;
		n = min_t(size_t, (size_t)end << 9, len) - at;
		ret = bounce_copy(b, offset + at, at, n, false);
		if (ret < 0)
			return at ?: ret;
		if (ret < n)
			return at + ret;
	}
	return len;
}

static ssize_t bounce_piece(struct rw *rw, struct bounce *b, size_t *len)
{
	ssize_t n;

	*len = bounce_room(b, slices_left(rw, &rw->place));
	n = rw->write ? bounce_fill(rw, b, *len) : *len;
	if (n < 0)
		return n;
	n = bounce_file(rw, b, *len);
	if (n <= 0)
		return n;
	if (!rw->write)
		n = b->io ? bounce_rest(rw, b, n) : bounce_slices(rw, b, n);
	if (n > 0) {
		rw->direct += bounce_direct(b, n);
		slices_advance(rw, &rw->place, n);
	}
	return n;
}

/* The whole of it */

/* Until all is done, the file ends, or something stops it: the bytes done, or an error. */
static ssize_t rw_run(struct rw *rw, struct bounce *b)
{
	ssize_t done = 0, n;
	size_t len;

	do {
		n = b ? bounce_piece(rw, b, &len) : pages_piece(rw, &len);
		if (n <= 0)
			return done ?: n;
		done += n;
		cond_resched();
	} while (n == len && slices_left(rw, &rw->place) && !fatal_signal_pending(current));
	return done;
}

static bool needs_bounce(const struct phyr_region *region)
{
	return phyr_list_kinds(&region->list) & PHYR_DEVICE_KINDS;
}

static ssize_t rw_bounced(struct rw *rw)
{
	struct bounce *b;
	ssize_t n;

	if (!may_wait(rw))
		return -EAGAIN;
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	n = bounce_get(b, rw);
	if (!n) {
		n = rw_run(rw, b);
		bounce_put(b);
	}
	kfree(b);
	return n;
}

static ssize_t rw_pages(struct rw *rw)
{
	ssize_t n;

	if (may_wait(rw) && slices_left(rw, &rw->place) > PAGE_SIZE) {
		rw->max = BVECS_MAX;
		rw->bvecs = kmalloc_array(rw->max, sizeof(*rw->bvecs), GFP_KERNEL_ACCOUNT);
		if (!rw->bvecs)
			return -ENOMEM;
	}
	n = rw_run(rw, NULL);
	if (rw->bvecs != rw->inside)
		kfree(rw->bvecs);
	return n;
}

/* As for an access by the CPU, which it may be: devices are synced with, and waited for. */
static ssize_t rw_region(struct rw *rw)
{
	struct dma_buf *dmabuf = rw->region->dmabuf;
	enum dma_data_direction dir = rw->write ? DMA_FROM_DEVICE : DMA_BIDIRECTIONAL;
	ssize_t n = dma_buf_begin_cpu_access(dmabuf, dir);

	if (n)
		return n;
	n = needs_bounce(rw->region) ? rw_bounced(rw) : rw_pages(rw);
	dma_buf_end_cpu_access(dmabuf, dir);
	return n;
}

static int check_slices(const struct rw *rw)
{
	const struct phyr_list *list = phyr_region_list(rw->region);
	u64 len = phyr_list_len(list), all = 0;
	unsigned int i;

	for (i = 0; i < rw->nr; i++) {
		const struct phyr_slice *s = &rw->slices[i];

		if (!s->len || s->offset > len || s->len > len - s->offset)
			return -EINVAL;
		all += s->len;
		if (all > SSIZE_MAX)
			return -EINVAL;
	}
	if (!rw->write && !rw->region->write)
		return -EACCES;
	return phyr_list_revoked(list) ? -ENODEV : 0;
}

/* As pread() and pwrite(): nothing that has no positions. */
static int check_file(const struct rw *rw)
{
	return rw->file->f_mode & (rw->write ? FMODE_PWRITE : FMODE_PREAD) ? 0 : -ESPIPE;
}

/* No file takes bio_vec for a write that must not be torn; importers may have to be waited for. */
static int check_flags(const struct rw *rw)
{
	if (rw->rwf & RWF_ATOMIC)
		return -EOPNOTSUPP;
	if (may_wait(rw))
		return 0;
	return region_imported(rw->region) || atomic_read(&rw->region->nr_maps) ? -EAGAIN : 0;
}

static ssize_t rw_held(struct rw *rw)
{
	ssize_t ret = check_file(rw) ?: check_slices(rw) ?: check_flags(rw);

	return ret ?: rw_region(rw);
}

static ssize_t rw_slices(struct rw *rw, const struct phyr_rw *arg)
{
	ssize_t ret;

	rw->file = fget(arg->file);
	if (!rw->file)
		return -EBADF;
	rw->region = phyr_region_get(arg->fd);
	if (IS_ERR(rw->region)) {
		ret = PTR_ERR(rw->region);
	} else {
		ret = rw_held(rw);
		phyr_region_put(rw->region);
	}
	fput(rw->file);
	return ret;
}

/**
 * phyr_region_rw - PHYR_IOC_RW
 * @arg: the arguments; @arg->done and @arg->direct are set
 *
 * Context: process, may sleep.
 * Return: 0, or an error if nothing was done.
 */
int phyr_region_rw(struct phyr_rw *arg)
{
	struct phyr_slice *slices;
	struct rw rw = {
		.nr = arg->nr,
		.pos = arg->pos,
		.rwf = (__force rwf_t)arg->rwf,
		.write = arg->flags & PHYR_RW_WRITE,
		.bvecs = rw.inside,
		.max = BVECS_INSIDE,
	};
	ssize_t n;

	arg->done = 0;
	arg->direct = 0;
	if (arg->flags & ~PHYR_RW_WRITE || !arg->nr || arg->nr > UIO_MAXIOV || arg->pos < 0)
		return -EINVAL;
	slices = memdup_array_user(u64_to_user_ptr(arg->slices), arg->nr, sizeof(*slices));
	if (IS_ERR(slices))
		return PTR_ERR(slices);
	rw.slices = slices;
	n = rw_slices(&rw, arg);
	kfree(slices);
	if (n < 0)
		return n;
	arg->done = n;
	arg->direct = rw.direct;
	return 0;
}
