/* SPDX-License-Identifier: GPL-2.0-only */
/* How nvme maps its requests, from kernel to kernel. */
#ifndef PHYR_BLOCK_COMPAT_H
#define PHYR_BLOCK_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/version.h>

/* Segment by segment; or, before, a scatterlist.  Between the two nobody has tried it. */
#define BLOCK_MAPS_BY_ITER	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0))
#define BLOCK_MAPS_BY_SG	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0))

/* As nvme's own header has it, which is no public one. */
struct nvme_ns;

blk_status_t nvme_setup_cmd(struct nvme_ns *ns, struct request *rq);

#endif /* PHYR_BLOCK_COMPAT_H */
