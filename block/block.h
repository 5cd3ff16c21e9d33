/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of phyr_block.ko share. */
#ifndef PHYR_BLOCK_H
#define PHYR_BLOCK_H

#include <linux/phyr.h>

struct bio_vec;
struct device;
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
 *
 * It lives as long as any request has the shadow's pages.
 */
struct armed_shadow {
	struct phyr_shadow *shadow;
	struct device *dev;
	struct shadow_range ranges[SHADOW_RANGES];
	unsigned int nr;
};

/* shadow.c */
int shadow_arm(struct armed_shadow *armed);
void shadow_disarm(struct armed_shadow *armed);
bool shadow_any_armed(void);
bool shadow_address(const struct bio_vec *bv, const struct device *dev, dma_addr_t *addr);
void shadow_note(const struct bio_vec *bv, bool direct);
bool shadow_is_request(struct request *rq, const struct device *dev);
void shadow_note_request(struct request *rq, bool direct);

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
