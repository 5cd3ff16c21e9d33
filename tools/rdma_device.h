/* SPDX-License-Identifier: GPL-2.0-only */
/* What sysfs says about an RDMA device. */
#ifndef PHYR_RDMA_DEVICE_H
#define PHYR_RDMA_DEVICE_H

#include <stdbool.h>

#define RDMA_DEVICES	"/sys/class/infiniband"

/**
 * struct rdma_device - an RDMA device
 * @driver: its name, or "unknown"
 * @iommu_type: of its IOMMU group; "" if it is in none
 * @soft_roce: it is the driver rdma_rxe's, which does no DMA
 */
struct rdma_device {
	char driver[64];
	char iommu_type[32];
	bool soft_roce;
};

void rdma_device_get(struct rdma_device *device, const char *root, const char *name);

#endif /* PHYR_RDMA_DEVICE_H */
