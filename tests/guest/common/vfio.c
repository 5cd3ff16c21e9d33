// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio.h"

#define RW	(PROT_READ | PROT_WRITE)

/* The device that VFIO has: "0000:00:08.0", or "". */
static const char *device_name(void)
{
	static char name[32];
	glob_t found;

	if (!glob("/sys/bus/pci/drivers/vfio-pci/0*", 0, NULL, &found)) {
		snprintf(name, sizeof(name), "%s", basename(found.gl_pathv[0]));
		globfree(&found);
	}
	return name;
}

const char *vfio_missing(void)
{
	if (*device_name())
		return NULL;
	if (access("/sys/kernel/iommu_groups/0", F_OK))
		return "VFIO needs an IOMMU";
	return "no BAR of 1 TiB in this machine";
}

/* The third line of "resource" is about the BAR: its first byte, and its last one. */
static void bar_ends(unsigned long long *first, unsigned long long *last)
{
	char path[100];
	FILE *f;

	*first = 0;
	*last = 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device_name());
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%*x %*x %*x %*x %*x %*x %llx %llx", first, last) != 2)
		*first = 0;
	fclose(f);
}

uint64_t vfio_bar_start(void)
{
	unsigned long long first, last;

	bar_ends(&first, &last);
	return first;
}

uint64_t vfio_bar_size(void)
{
	unsigned long long first, last;

	bar_ends(&first, &last);
	return first ? last - first + 1 : 0;
}

static int open_group(void)
{
	char link[100], target[200] = "", path[32];

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", device_name());
	if (readlink(link, target, sizeof(target) - 1) < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(target));
	return open(path, O_RDWR | O_CLOEXEC);
}

/* The device holds its group, and the group its container: neither need stay open. */
static int open_device(void)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC), group = -1, device = -1;

	if (container < 0)
		return -1;
	group = open_group();
	if (group >= 0 && !ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) &&
	    !ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device_name());
	if (group >= 0)
		close(group);
	close(container);
	return device;
}

/*
 * On a boundary of 1 GiB, where entries that large can be; nothing is touched.
 * Where huge pages are for those who ask, these are, too.
 */
static int map_terabyte(struct mem *mem)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_BAR2_REGION_INDEX,
	};

	errno = ENODEV;
	mem->fd = *device_name() ? open_device() : -1;
	if (mem->fd < 0 || ioctl(mem->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -1;
	mem->area = mmap(NULL, mem->len + GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem->area == MAP_FAILED) {
		mem->area = NULL;
		return -1;
	}
	mem->area_len = mem->len + GIB;
	mem->addr = (char *)(((uintptr_t)mem->area + GIB - 1) & ~(GIB - 1));
	if (mmap(mem->addr, mem->len, RW, MAP_SHARED | MAP_FIXED, mem->fd, (off_t)info.offset) ==
	    MAP_FAILED)
		return -1;
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		return 0;
	return madvise(mem->addr, mem->len, MADV_HUGEPAGE);
}

const struct mem_kind mem_terabyte = {
	"PCI BAR 1 TiB", TIB, GIB, false, false, false, map_terabyte
};
