// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "driver.h"

#include <fcntl.h>
#include <sys/ioctl.h>

int driver_open(void)
{
	int fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);

	assert_return_code(fd, errno);
	return fd;
}

int driver_array(int fd, struct pt_pin *pin)
{
	return ioctl(fd, PT_IOC_ARRAY, pin) ? errno : pin->error;
}

int driver_append(int fd, struct pt_pin *pin)
{
	return ioctl(fd, PT_IOC_APPEND, pin) ? errno : pin->error;
}

int driver_add(int fd, const void *addr, size_t len, unsigned int flags)
{
	struct pt_pin pin = { .addr = (uintptr_t)addr, .len = len, .flags = flags };

	return driver_append(fd, &pin);
}

struct phyr_range *driver_ranges(int fd, unsigned int flags, size_t *nr)
{
	struct pt_ranges arg = { .flags = flags };
	struct phyr_range *ranges;

	assert_int_equal(ioctl(fd, PT_IOC_RANGES, &arg), 0);
	ranges = calloc(arg.nr + 1, sizeof(*ranges));
	assert_non_null(ranges);
	arg.ranges = (uintptr_t)ranges;
	assert_int_equal(ioctl(fd, PT_IOC_RANGES, &arg), 0);
	*nr = arg.nr;
	return ranges;
}

uint64_t driver_bytes(int fd, unsigned int flags)
{
	struct pt_ranges arg = { .flags = flags };

	assert_int_equal(ioctl(fd, PT_IOC_RANGES, &arg), 0);
	return arg.bytes;
}

int driver_copy(int fd, uint64_t offset, void *buf, size_t len, unsigned int flags)
{
	struct pt_copy copy = {
		.offset = offset, .len = len, .buf = (uintptr_t)buf, .flags = flags,
	};

	return ioctl(fd, PT_IOC_COPY, &copy) ? errno : 0;
}

int driver_vmap(int fd, int buf_fd, uint64_t offset, void *buf, size_t len, unsigned int flags)
{
	struct pt_copy copy = {
		.offset = offset, .len = len, .buf = (uintptr_t)buf, .flags = flags,
		.fd = buf_fd,
	};

	return ioctl(fd, PT_IOC_VMAP, &copy) ? errno : 0;
}

int driver_gup(int fd, const void *addr, size_t nr, uint64_t *frames, unsigned int flags)
{
	struct pt_gup gup = {
		.addr = (uintptr_t)addr, .frames = (uintptr_t)frames, .nr = (uint32_t)nr,
		.flags = flags,
	};

	return ioctl(fd, PT_IOC_GUP, &gup) ? errno : 0;
}

int driver_export(int fd, size_t len, unsigned int flags)
{
	struct pt_dmabuf d = { .len = len, .flags = flags };

	assert_return_code(ioctl(fd, PT_IOC_EXPORT, &d), errno);
	return d.fd;
}

struct pt_dmabuf driver_export_state(int fd, int buf)
{
	struct pt_dmabuf d = { .fd = buf };

	assert_return_code(ioctl(fd, PT_IOC_STATE, &d), errno);
	return d;
}

int driver_attach(int fd, int buf, unsigned int flags)
{
	struct pt_dmabuf d = { .fd = buf, .flags = flags };

	return ioctl(fd, PT_IOC_ATTACH, &d) ? errno : 0;
}

void driver_detach(int fd)
{
	assert_return_code(ioctl(fd, PT_IOC_DETACH), errno);
}

void driver_distrust(int fd, bool untrusted)
{
	assert_return_code(ioctl(fd, PT_IOC_DISTRUST, untrusted), errno);
}

void driver_unpin(int fd, unsigned int flags)
{
	assert_int_equal(ioctl(fd, PT_IOC_UNPIN, (unsigned long)flags), 0);
}

int driver_map(int fd, struct pt_map *map)
{
	if (ioctl(fd, PT_IOC_MAP, map))
		return errno;
	if (map->line)
		fail_msg("kmod/map.c:%u is not content", map->line);
	return map->error;
}
