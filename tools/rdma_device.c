// SPDX-License-Identifier: GPL-2.0-only
/* RDMA devices, by sysfs. */
#include <stdio.h>
#include <string.h>

#include "rdma_device.h"
#include "system.h"

/**
 * rdma_device_get - get what sysfs says about a device
 * @device: set to it
 * @root: the directory in which the files of the system are: "", but for tests
 * @name: of the device
 *
 * A device of soft RoCE has no device behind it, but the name of its network interface.
 */
void rdma_device_get(struct rdma_device *device, const char *root, const char *name)
{
	*device = (struct rdma_device){ .driver = "unknown" };
	if (read_link_name(device->driver, sizeof(device->driver),
			   "%s" RDMA_DEVICES "/%s/device/driver", root, name)) {
		read_line(device->iommu_type, sizeof(device->iommu_type),
			  "%s" RDMA_DEVICES "/%s/device/iommu_group/type", root, name);
		return;
	}
	device->soft_roce = file_exists("%s" RDMA_DEVICES "/%s/parent", root, name);
	if (device->soft_roce)
		snprintf(device->driver, sizeof(device->driver), "rdma_rxe");
}
