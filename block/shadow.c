// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages are shadows, and of what.
 *
 * A shadow is found by the first page of its folio.  Its pages are the caller's own, and only
 * requests that the caller waits for have them: so what is found lives as long as the request
 * that led to it.  As long as there is no shadow, a counter says so, and nothing is looked for.
 */
#include <linux/bitops.h>
#include <linux/blk-crypto.h>
#include <linux/blk-integrity.h>
#include <linux/blk-mq.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "block.h"

static DEFINE_XARRAY(shadows);
static atomic_t nr_armed = ATOMIC_INIT(0);

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
	int ret = xa_insert(&shadows, shadow_index(armed->shadow->page), armed, GFP_KERNEL);

	if (!ret)
		atomic_inc(&nr_armed);
	return ret;
}

/**
 * shadow_disarm - end what shadow_arm() began
 * @armed: the shadow, whose pages no request has any more
 *
 * Context: process.
 */
void shadow_disarm(struct armed_shadow *armed)
{
	atomic_dec(&nr_armed);
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
	return atomic_read(&nr_armed);
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
 * shadow_note - note whether a part of a shadow's memory is the device's
 * @bv: the part, or any other memory
 * @direct: the device has the address of what it stands for; else, if any, the shadow's
 *
 * What was noted last is what the bytes are in once the request is over: it may have been
 * mapped before.
 *
 * Context: any.
 */
void shadow_note(const struct bio_vec *bv, bool direct)
{
	const struct armed_shadow *armed = shadow_of(bv->bv_page);
	size_t sector, end;

	if (!armed)
		return;
	sector = (shadow_start(armed, bv) - armed->shadow->first) >> SECTOR_SHIFT;
	for (end = sector + (bv->bv_len >> SECTOR_SHIFT); sector < end; sector++) {
		if (direct)
			set_bit(sector, armed->shadow->direct);
		else
			clear_bit(sector, armed->shadow->direct);
	}
}

/**
 * shadow_is_request - has a request shadows of a device only
 * @rq: the request
 * @dev: the device, NULL for any
 *
 * Each piece of it has to have one address, and there may not be more of them than the
 * driver counts on.  What carries a checksum or is encrypted is read by others.
 *
 * Context: any.
 * Return: true if it may be sent to what they stand for.
 */
bool shadow_is_request(struct request *rq, const struct device *dev)
{
	struct req_iterator iter;
	unsigned int nr = 0;
	struct bio_vec bv;
	dma_addr_t addr;

	if (!rq->bio || rq->rq_flags & RQF_SPECIAL_PAYLOAD || blk_integrity_rq(rq) ||
	    bio_has_crypt_ctx(rq->bio))
		return false;
	rq_for_each_bvec(bv, rq, iter) {
		if (!shadow_address(&bv, dev, &addr))
			return false;
		nr++;
	}
	return nr && nr <= max_t(unsigned int, blk_rq_nr_phys_segments(rq), 2);
}

/**
 * shadow_note_request - shadow_note() for all of a request
 * @rq: the request
 * @direct: as for shadow_note()
 *
 * Context: any.
 */
void shadow_note_request(struct request *rq, bool direct)
{
	struct req_iterator iter;
	struct bio_vec bv;

	if (!rq->bio || rq->rq_flags & RQF_SPECIAL_PAYLOAD)
		return;
	rq_for_each_bvec(bv, rq, iter)
		shadow_note(&bv, direct);
}
