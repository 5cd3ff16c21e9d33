// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages are shadows, and of what.
 *
 * A shadow is found by the first page of its folio.  Its pages are the caller's own, and only
 * requests that the caller waits for have them: so what is found lives as long as the request
 * that led to it.  As long as there is no shadow, nothing is looked for.
 */
#include <linux/bitops.h>
#include <linux/blk-crypto.h>
#include <linux/blk-integrity.h>
#include <linux/blk-mq.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "block.h"

static DEFINE_XARRAY(shadows);

static unsigned long shadow_index(const struct page *page)
{
	return page_to_pfn(compound_head(page));
}

/**
 * shadow_arm - let requests of a device go to what a shadow stands for
 * @armed: the shadow
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int shadow_arm(struct armed_shadow *armed)
{
	return xa_insert(&shadows, shadow_index(armed->shadow->page), armed, GFP_KERNEL);
}

/**
 * shadow_disarm - end what shadow_arm() began
 * @armed: the shadow, whose pages no request has any more
 *
 * Context: process.
 */
void shadow_disarm(struct armed_shadow *armed)
{
	xa_erase(&shadows, shadow_index(armed->shadow->page));
}

/**
 * shadow_any_armed - is there any shadow
 *
 * Context: any.
 * Return: true if there is.
 */
bool shadow_any_armed(void)
{
	return !xa_empty(&shadows);
}

static struct armed_shadow *shadow_of(const struct page *page)
{
	return xa_load(&shadows, shadow_index(page));
}

/* Where a part of a shadow's memory begins, from the first page on. */
static size_t shadow_start(const struct armed_shadow *armed, const struct bio_vec *bv)
{
	return (bv->bv_page - armed->shadow->page) * PAGE_SIZE + bv->bv_offset;
}

/**
 * shadow_address - the DMA address of what a part of a shadow stands for
 * @bv: the part
 * @dev: the device, NULL for any
 * @addr: set to it
 *
 * Context: any.
 * Return: true; false if it is no part of a shadow of that device, or has more than one.
 */
bool shadow_address(const struct bio_vec *bv, const struct device *dev, dma_addr_t *addr)
{
	const struct armed_shadow *armed = shadow_of(bv->bv_page);
	const struct shadow_range *range;
	size_t start;

	if (!armed || (dev && armed->dev != dev))
		return false;
	start = shadow_start(armed, bv);
	for (range = armed->ranges; range < armed->ranges + armed->nr; range++) {
		if (start < range->start || start >= range->start + range->len)
			continue;
		*addr = range->addr + (start - range->start);
		return bv->bv_len <= range->start + range->len - start;
	}
	return false;
}

/**
 * shadow_is_same - are two parts of memory of the same shadow
 * @a: one
 * @b: the other
 *
 * Context: any.
 * Return: true if they are.
 */
bool shadow_is_same(const struct bio_vec *a, const struct bio_vec *b)
{
	const struct armed_shadow *armed = shadow_of(a->bv_page);

	return armed && shadow_of(b->bv_page) == armed;
}

/**
 * shadow_note - note whether a part of a shadow's memory is the device's
 * @bv: the part, or any other memory
 * @direct: the device has the address of what it stands for; else, if any, the shadow's
 *
 * What was noted last is what the bytes are in once the request is over: it may have been
 * mapped before.  A part may go on behind the shadow, with pages that happen to follow.
 *
 * Context: any.
 */
void shadow_note(const struct bio_vec *bv, bool direct)
{
	const struct armed_shadow *armed = shadow_of(bv->bv_page);
	size_t sector, end, last;

	if (!armed)
		return;
	sector = (shadow_start(armed, bv) - armed->shadow->first) >> SECTOR_SHIFT;
	last = DIV_ROUND_UP(armed->shadow->len, SECTOR_SIZE);
	end = min(last, sector + DIV_ROUND_UP(bv->bv_len, SECTOR_SIZE));
	for (; sector < end; sector++) {
		if (direct)
			set_bit(sector, armed->shadow->direct);
		else
			clear_bit(sector, armed->shadow->direct);
	}
}

/**
 * shadow_give - give a device what a shadow stands for, unless it is too late
 * @bv: a part of the shadow
 *
 * Context: any.
 * Return: true if it is; what closes the shadow waits for it to come back.
 */
bool shadow_give(const struct bio_vec *bv)
{
	struct armed_shadow *armed = shadow_of(bv->bv_page);
	unsigned long flags;
	bool give;

	spin_lock_irqsave(&armed->lock, flags);
	give = !armed->closed;
	armed->given = armed->given || give;
	spin_unlock_irqrestore(&armed->lock, flags);
	return give;
}

/* The next part; false at the end. */
static bool next_bvec(struct shadow_iter *it, struct bio_vec *bv)
{
	if (!it->iter.bi_size) {
		if (!it->bio->bi_next)
			return false;
		it->bio = it->bio->bi_next;
		it->bvecs = it->bio->bi_io_vec;
		it->iter = it->bio->bi_iter;
	}
	*bv = mp_bvec_iter_bvec(it->bvecs, it->iter);
	bvec_iter_advance_single(it->bvecs, &it->iter, bv->bv_len);
	return true;
}

/**
 * shadow_next_piece - the next bytes of a request that have one DMA address
 * @it: what is left of it
 * @dev: the device, NULL for any
 * @piece: set to them; of length 0 if it has anything but shadows of that device
 *
 * What follows in the memory is one piece, as a driver counts on, wherever its bios begin.
 *
 * Context: any.
 * Return: true, and false at the end.
 */
bool shadow_next_piece(struct shadow_iter *it, const struct device *dev,
		       struct shadow_piece *piece)
{
	struct shadow_iter ahead;
	struct bio_vec bv;
	dma_addr_t addr;

	if (!next_bvec(it, &bv))
		return false;
	piece->len = 0;
	if (!shadow_address(&bv, dev, &piece->addr))
		return true;
	do {
		piece->len += bv.bv_len;
		ahead = *it;
		if (!next_bvec(&ahead, &bv) || !shadow_address(&bv, dev, &addr) ||
		    addr != piece->addr + piece->len)
			break;
		*it = ahead;
	} while (true);
	return true;
}

static bool has_data(const struct request *rq)
{
	return rq->bio && (req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE) &&
	       !(rq->rq_flags & RQF_SPECIAL_PAYLOAD);
}

static void iter_init(struct shadow_iter *it, const struct request *rq)
{
	it->bio = rq->bio;
	it->bvecs = rq->bio->bi_io_vec;
	it->iter = rq->bio->bi_iter;
}

static struct bio_vec first_bvec(const struct request *rq)
{
	return mp_bvec_iter_bvec(rq->bio->bi_io_vec, rq->bio->bi_iter);
}

/* Pieces meet at the ends of the device's pages, as its lists of pages want it. */
#define DEVICE_PAGE	4096

static bool pieces_fit(struct request *rq, const struct device *dev)
{
	unsigned int nr = 0;
	struct shadow_piece piece;
	struct shadow_iter it;
	u64 end = 0;

	iter_init(&it, rq);
	for (; shadow_next_piece(&it, dev, &piece); nr++) {
		if (!piece.len || (nr && (piece.addr | end) % DEVICE_PAGE))
			return false;
		end = piece.addr + piece.len;
	}
	return nr <= max_t(unsigned int, blk_rq_nr_phys_segments(rq), 2);
}

/* One that was merged of several calls' would have to be given by each of them. */
static bool is_of_one_shadow(struct request *rq)
{
	struct bio_vec bv, first = first_bvec(rq);
	struct req_iterator iter;

	rq_for_each_bvec(bv, rq, iter)
		if (!shadow_is_same(&first, &bv))
			return false;
	return true;
}

/**
 * shadow_is_request - has a request shadows of a device only
 * @rq: the request
 * @dev: the device, NULL for any
 *
 * There may be no more pieces than the driver counts on.  What carries a checksum or is
 * encrypted is read by others.
 *
 * Context: any.
 * Return: true if it may be sent to what they stand for.
 */
bool shadow_is_request(struct request *rq, const struct device *dev)
{
	return has_data(rq) && !blk_integrity_rq(rq) && !bio_has_crypt_ctx(rq->bio) &&
	       is_of_one_shadow(rq) && pieces_fit(rq, dev);
}

/**
 * shadow_give_request - give a device what a request's shadow stands for
 * @rq: the request, of whatever memory
 * @dev: the device
 *
 * It is noted for each part whether it was.
 *
 * Context: any.
 * Return: true if it is to be sent there; else it is an ordinary request.
 */
bool shadow_give_request(struct request *rq, const struct device *dev)
{
	struct req_iterator iter;
	struct bio_vec bv;
	bool direct;

	if (!has_data(rq))
		return false;
	bv = first_bvec(rq);
	direct = shadow_is_request(rq, dev) && shadow_give(&bv);
	rq_for_each_bvec(bv, rq, iter)
		shadow_note(&bv, direct);
	return direct;
}
