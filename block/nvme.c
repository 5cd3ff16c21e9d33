// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the stock nvme driver maps a request for its device, it gets the addresses of what
 * shadows stand for.
 *
 * They are said to be addresses of the bus, as those of memory of a neighbour on it: so the
 * driver neither maps nor unmaps them.  A request of one segment goes a way of its own, in
 * which the driver maps the page itself; so ours have two.
 *
 * No replacement calls the original last: it would come back to the caller without
 * its own frame, which says that it was called from here.
 */
#include <linux/blk-mq.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "../hook/hook.h"
#include "../hook/layout.h"
#include "block.h"
#include "compat.h"

HOOK("nvme_core", nvme_setup_cmd);

static blk_status_t replacement_nvme_setup_cmd(struct nvme_ns *ns, struct request *rq)
{
	blk_status_t ret;

	hook_enter(nvme_setup_cmd);
	if (shadow_any_armed() && rq->nr_phys_segments == 1 && shadow_is_request(rq, NULL))
		rq->nr_phys_segments = 2;
	ret = stock(nvme_setup_cmd)(ns, rq);
	hook_leave(nvme_setup_cmd);
	return ret;
}

static struct hook *const core_hooks[] = { &hook_of(nvme_setup_cmd) };

#ifdef UNCHECKED_PROTOTYPES
/* The test machine's debug kernel describes nothing; it is of a version that is known. */
static int core_check(void)
{
	return 0;
}
#else
static struct layout core_layouts[] = { { .type = "nvme_ns" } };
static const struct layout_function core_functions[] = {
	{ "nvme_setup_cmd", "1(*nvme_ns,*request)" },
};

static int core_check(void)
{
	return layout_find("nvme_core", core_layouts, ARRAY_SIZE(core_layouts), core_functions,
			   ARRAY_SIZE(core_functions));
}
#endif

/**
 * nvme_core_hook - see what nvme is about to send
 *
 * Context: process, may sleep.
 * Return: 0, or an error as layout_find() or hook_on().
 */
int nvme_core_hook(void)
{
	return core_check() ?: hook_on(core_hooks, ARRAY_SIZE(core_hooks));
}

/**
 * nvme_core_unhook - what nvme_core_hook() did, undone
 *
 * Context: process, may sleep.
 */
void nvme_core_unhook(void)
{
	hook_off(core_hooks, ARRAY_SIZE(core_hooks));
}

#if BLOCK_MAPS_BY_ITER
#include <linux/blk-mq-dma.h>

/* A request without data, as a flush is. */
static int start_test(void)
{
	struct request *rq = kzalloc(sizeof(*rq), GFP_KERNEL);
	struct dma_iova_state state;
	struct blk_dma_iter iter;
	bool ret;

	if (!rq)
		return -ENOMEM;
	ret = blk_rq_dma_map_iter_start(rq, NULL, &state, &iter);
	kfree(rq);
	return WARN_ON_ONCE(ret);
}

HOOK("vmlinux", blk_rq_dma_map_iter_start, .test = start_test);
HOOK("vmlinux", blk_rq_dma_map_iter_next);

/* Of which nobody is the provider; see start_shadow(). */
static bool is_shadow_iter(const struct blk_dma_iter *iter)
{
	return iter->p2pdma.map == PCI_P2PDMA_MAP_BUS_ADDR && !iter->p2pdma.mem;
}

/* The next piece, of those that shadow_give_request() has seen; false at the end. */
static bool next_shadow(const struct device *dev, struct blk_dma_iter *iter)
{
	struct shadow_iter it = {
		.bio = iter->iter.bio, .bvecs = iter->iter.bvecs, .iter = iter->iter.iter,
	};
	struct shadow_piece piece;

	if (!shadow_next_piece(&it, dev, &piece))
		return false;
	if (WARN_ON_ONCE(!piece.len)) {
		iter->status = BLK_STS_IOERR;
		return false;
	}
	iter->addr = piece.addr;
	iter->len = piece.len;
	iter->iter.bio = it.bio;
	iter->iter.bvecs = it.bvecs;
	iter->iter.iter = it.iter;
	return true;
}

static bool start_shadow(struct request *rq, const struct device *dev,
			 struct dma_iova_state *state, struct blk_dma_iter *iter)
{
	memset(state, 0, sizeof(*state));
	*iter = (struct blk_dma_iter) {
		.p2pdma.map = PCI_P2PDMA_MAP_BUS_ADDR,
		.iter = {
			.bio = rq->bio,
			.bvecs = rq->bio->bi_io_vec,
			.iter = rq->bio->bi_iter,
		},
	};
	return next_shadow(dev, iter);
}

static bool replacement_blk_rq_dma_map_iter_start(struct request *rq, struct device *dev,
						  struct dma_iova_state *state,
						  struct blk_dma_iter *iter)
{
	bool ret;

	hook_enter(blk_rq_dma_map_iter_start);
	ret = shadow_any_armed() && shadow_give_request(rq, dev) ?
	      start_shadow(rq, dev, state, iter) :
	      stock(blk_rq_dma_map_iter_start)(rq, dev, state, iter);
	hook_leave(blk_rq_dma_map_iter_start);
	return ret;
}

static bool replacement_blk_rq_dma_map_iter_next(struct request *rq, struct device *dev,
						 struct blk_dma_iter *iter)
{
	bool ret;

	hook_enter(blk_rq_dma_map_iter_next);
	ret = is_shadow_iter(iter) ? next_shadow(dev, iter) :
				     stock(blk_rq_dma_map_iter_next)(rq, dev, iter);
	hook_leave(blk_rq_dma_map_iter_next);
	return ret;
}

/* The second is called only for what the first has begun. */
static struct hook *const dma_hooks[] = {
	&hook_of(blk_rq_dma_map_iter_next),
	&hook_of(blk_rq_dma_map_iter_start),
};

#elif BLOCK_MAPS_BY_SG

HOOK("vmlinux", dma_map_sgtable);

static void sg_to_bvec(struct scatterlist *sg, struct bio_vec *bv)
{
	bvec_set_page(bv, sg_page(sg), sg->length, sg->offset);
}

/* All entries are of one shadow, and each has one address. */
static bool sgt_is_shadow(const struct sg_table *sgt, const struct device *dev)
{
	struct bio_vec first, bv;
	struct scatterlist *sg;
	dma_addr_t addr;
	unsigned int i;

	sg_to_bvec(sgt->sgl, &first);
	for_each_sgtable_sg(sgt, sg, i) {
		sg_to_bvec(sg, &bv);
		if (!shadow_is_same(&first, &bv) || !shadow_address(&bv, dev, &addr))
			return false;
	}
	return true;
}

static void map_shadow(struct sg_table *sgt, const struct device *dev)
{
	struct scatterlist *sg;
	struct bio_vec bv;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i) {
		sg_to_bvec(sg, &bv);
		shadow_address(&bv, dev, &sg_dma_address(sg));
		sg_dma_len(sg) = sg->length;
		sg_dma_mark_bus_address(sg);
	}
	sgt->nents = sgt->orig_nents;
}

static void note_sgt(const struct sg_table *sgt, bool direct)
{
	struct scatterlist *sg;
	struct bio_vec bv;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i) {
		sg_to_bvec(sg, &bv);
		shadow_note(&bv, direct);
	}
}

static bool give_sgt(const struct sg_table *sgt)
{
	struct bio_vec bv;

	sg_to_bvec(sgt->sgl, &bv);
	return shadow_give(&bv);
}

/* What other drivers map may have no pages. */
static bool sgt_may_be_shadow(const struct sg_table *sgt, struct device *dev)
{
	return shadow_any_armed() && drive_is_nvme(dev) && sgt->orig_nents;
}

static int replacement_dma_map_sgtable(struct device *dev, struct sg_table *sgt,
				       enum dma_data_direction dir, unsigned long attrs)
{
	bool direct = false;
	int ret = 0;

	hook_enter(dma_map_sgtable);
	if (sgt_may_be_shadow(sgt, dev)) {
		direct = sgt_is_shadow(sgt, dev) && give_sgt(sgt);
		note_sgt(sgt, direct);
	}
	if (direct)
		map_shadow(sgt, dev);
	else
		ret = stock(dma_map_sgtable)(dev, sgt, dir, attrs);
	hook_leave(dma_map_sgtable);
	return ret;
}

static struct hook *const dma_hooks[] = { &hook_of(dma_map_sgtable) };

#endif

#if BLOCK_MAPS_BY_ITER || BLOCK_MAPS_BY_SG
/**
 * nvme_dma_hook - give nvme the addresses of what shadows stand for
 *
 * Context: process, may sleep.
 * Return: 0, or an error as hook_on(); -EOPNOTSUPP on a kernel of which it is not known how
 * nvme maps.
 */
int nvme_dma_hook(void)
{
	return hook_on(dma_hooks, ARRAY_SIZE(dma_hooks));
}

/**
 * nvme_dma_unhook - what nvme_dma_hook() did, undone
 *
 * Context: process, may sleep.
 */
void nvme_dma_unhook(void)
{
	hook_off(dma_hooks, ARRAY_SIZE(dma_hooks));
}
#else
int nvme_dma_hook(void)
{
	return -EOPNOTSUPP;
}

void nvme_dma_unhook(void)
{
}
#endif
