// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "bar.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static char device[300];	/* its directory in sysfs */

static bool file_is(const char *path, const char *text)
{
	char line[64] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return !strncmp(line, text, strlen(text));
}

static bool is_device(const char *dir, bool resettable)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/device", dir);
	if (!file_is(path, "0x1110"))
		return false;
	snprintf(path, sizeof(path), "%s/reset_method", dir);
	if (resettable != !access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "%s/resource2", dir);
	return !stat(path, &st) && st.st_size == (off_t)BAR_SIZE;
}

static bool find(bool resettable)
{
	glob_t found;

	assert_int_equal(glob("/sys/bus/pci/devices/*", 0, NULL, &found), 0);
	device[0] = '\0';
	for (size_t i = 0; i < found.gl_pathc && !device[0]; i++)
		if (is_device(found.gl_pathv[i], resettable))
			snprintf(device, sizeof(device), "%s", found.gl_pathv[i]);
	globfree(&found);
	return device[0];
}

bool bar_find(void)
{
	return find(false);
}

bool bar_find_resettable(void)
{
	return find(true);
}

int bar_write(const char *file, const char *text)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", device, file);
	return write_file(path, text);
}

char *bar_map_file(const char *file, size_t len)
{
	char path[400], *addr;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", device, file);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_return_code(fd, errno);
	addr = map_shared(fd, len, RW, 0);
	close(fd);
	return addr;
}

char *bar_map(size_t len)
{
	return bar_map_file("resource2", len);
}

void bar_remove(void)
{
	assert_int_equal(bar_write("remove", "1"), 0);
}

void bar_back(void)
{
	assert_int_equal(write_file("/sys/bus/pci/rescan", "1"), 0);
	assert_true(bar_find());
	assert_int_equal(bar_write("enable", "1"), 0);
}

/* vfio */

static const char *name(void)
{
	return strrchr(device, '/') + 1;
}

/* The number of the device's IOMMU group, or -1. */
static int group_number(void)
{
	char path[400], link[300], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/iommu_group", device);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = '\0';
	slash = strrchr(link, '/');
	return slash ? atoi(slash + 1) : -1;
}

const char *bar_vfio_missing(void)
{
	return group_number() < 0 ? "VFIO needs an IOMMU" : NULL;
}

static uint64_t region_offset(const struct bar_vfio *v, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_return_code(ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &info), errno);
	return info.offset;
}

void bar_vfio_open(struct bar_vfio *v)
{
	char path[64];

	assert_int_equal(system("modprobe -a vfio-pci vfio_iommu_type1"), 0);
	assert_int_equal(bar_write("driver_override", "vfio-pci"), 0);
	assert_int_equal(write_file("/sys/bus/pci/drivers_probe", name()), 0);

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_number());
	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	assert_return_code(v->container, errno);
	v->group = open(path, O_RDWR | O_CLOEXEC);
	assert_return_code(v->group, errno);
	assert_return_code(ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container), errno);
	assert_return_code(ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), errno);
	v->device = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, name());
	assert_return_code(v->device, errno);
	v->config = region_offset(v, VFIO_PCI_CONFIG_REGION_INDEX);
	v->bar = region_offset(v, VFIO_PCI_BAR2_REGION_INDEX);
	bar_vfio_memory(v, true);
}

void bar_vfio_release(struct bar_vfio *v)
{
	close(v->device);
	close(v->group);
	close(v->container);
}

void bar_vfio_unbind(void)
{
	assert_int_equal(write_file("/sys/bus/pci/drivers/vfio-pci/unbind", name()), 0);
	assert_int_equal(bar_write("driver_override", "\n"), 0);
	assert_int_equal(bar_write("enable", "1"), 0);
}

void bar_vfio_close(struct bar_vfio *v)
{
	bar_vfio_release(v);
	bar_vfio_unbind();
}

char *bar_vfio_map(const struct bar_vfio *v, size_t len)
{
	char *bar = mmap(NULL, len, RW, MAP_SHARED, v->device, (off_t)v->bar);

	assert_ptr_not_equal(bar, MAP_FAILED);
	return bar;
}

/* The command register: bit 1 is for accesses to memory. */
void bar_vfio_memory(const struct bar_vfio *v, bool on)
{
	uint16_t command;

	assert_int_equal(pread(v->device, &command, 2, (off_t)v->config + 4), 2);
	command = (uint16_t)(on ? command | 2 : command & ~2);
	assert_int_equal(pwrite(v->device, &command, 2, (off_t)v->config + 4), 2);
}

void bar_vfio_reset(const struct bar_vfio *v)
{
	assert_return_code(ioctl(v->device, VFIO_DEVICE_RESET), errno);
}
