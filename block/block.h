/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of phyr_block.ko share. */
#ifndef PHYR_BLOCK_H
#define PHYR_BLOCK_H

#include <linux/bvec.h>
#include <linux/device.h>
#include <linux/phyr.h>
#include <linux/spinlock.h>

struct request;

/**
 * struct shadow_range - bytes of a shadow that have one DMA address
 * @start: the first one, from the beginning of the shadow's memory on
 * @len: how many
 * @addr: the DMA address
 */
struct shadow_range {
	u32 start;
	u32 len;
	dma_addr_t addr;
};

#define SHADOW_RANGES	16

/**
 * struct armed_shadow - a shadow while a device may be given what it stands for
 * @shadow: the shadow
 * @dev: the device
 * @ranges: where that finds the memory
 * @nr: how many
 * @lock: protects the next two
 * @closed: the device must not be given it any more
 * @given: the device has been given a part of it, and may still be using it
 *
 * It lives as long as any request has the shadow's pages.
 */
struct armed_shadow {
	struct phyr_shadow *shadow;
	struct device *dev;
	struct shadow_range ranges[SHADOW_RANGES];
	unsigned int nr;
	spinlock_t lock;		/* protects closed and given */
	bool closed;
	bool given;
};

/**
 * struct shadow_iter - what is left of a request
 * @bio: of it
 * @bvecs: of that
 * @iter: in those
 */
struct shadow_iter {
	struct bio *bio;
	struct bio_vec *bvecs;
	struct bvec_iter iter;
};

/**
 * struct shadow_piece - bytes of a request that have one DMA address
 * @addr: the address
 * @len: how many
 */
struct shadow_piece {
	dma_addr_t addr;
	u32 len;
};

/* shadow.c */
int shadow_arm(struct armed_shadow *armed);
void shadow_disarm(struct armed_shadow *armed);
bool shadow_any_armed(void);
bool shadow_address(const struct bio_vec *bv, const struct device *dev, dma_addr_t *addr);
void shadow_note(const struct bio_vec *bv, bool direct);
bool shadow_is_same(const struct bio_vec *a, const struct bio_vec *b);
bool shadow_give(const struct bio_vec *bv);
bool shadow_next_piece(struct shadow_iter *it, const struct device *dev,
		       struct shadow_piece *piece);
bool shadow_is_request(struct request *rq, const struct device *dev);
bool shadow_give_request(struct request *rq, const struct device *dev);

/* drive.c */
extern const struct phyr_shadow_ops drive_shadow_ops;

bool drive_is_nvme(struct device *dev);
int drive_init(void);
void drive_exit(void);

/* nvme.c */
int nvme_core_hook(void);
void nvme_core_unhook(void);
int nvme_dma_hook(void);
void nvme_dma_unhook(void);

#endif /* PHYR_BLOCK_H */
