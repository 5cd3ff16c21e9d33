// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "edu.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/ioctl.h>

#define MOST	4096

int edu_open(void)
{
	int fd = open("/dev/edu0", O_RDWR | O_CLOEXEC);

	assert_return_code(fd, errno);
	return fd;
}

static int edu_map(int edu, struct edu_map *map)
{
	return ioctl(edu, EDU_IOC_MAP, map) ? errno : 0;
}

int edu_map_region(int edu, int region, unsigned int flags)
{
	struct edu_map map = { .fd = region, .flags = flags | EDU_MAP_REGION };

	return edu_map(edu, &map);
}

int edu_map_dmabuf(int edu, int buf, unsigned int flags)
{
	struct edu_map map = { .fd = buf, .flags = flags | EDU_MAP_DMABUF };

	return edu_map(edu, &map);
}

int edu_map_user(int edu, const void *addr, size_t len, unsigned int flags)
{
	struct edu_map map = { .addr = (uintptr_t)addr, .len = len, .flags = flags };

	return edu_map(edu, &map);
}

int edu_unmap(int edu)
{
	return ioctl(edu, EDU_IOC_UNMAP) ? errno : 0;
}

uint64_t edu_boundary(int edu, uint64_t after)
{
	struct edu_boundary boundary = { .after = after };

	assert_return_code(ioctl(edu, EDU_IOC_BOUNDARY, &boundary), errno);
	return boundary.after;
}

void edu_check_store(int edu, uint64_t offset, const char *cpu, size_t len)
{
	static unsigned int seed;
	char bytes[MOST];

	assert_true(len <= MOST);
	pattern_fill(bytes, len, ++seed * 7);
	assert_int_equal(pwrite(edu, bytes, len, (off_t)offset), len);
	assert_memory_equal(cpu, bytes, len);
}

void edu_check_peek(int edu, uint64_t offset, const char *cpu, size_t len)
{
	char bytes[MOST];

	assert_true(len <= MOST);
	memset(bytes, 0xee, len);
	assert_int_equal(pread(edu, bytes, len, (off_t)offset), len);
	assert_memory_equal(bytes, cpu, len);
}

void edu_check_fetch(int edu, uint64_t offset, char *cpu, size_t len)
{
	static unsigned int seed;

	pattern_fill(cpu, len, ++seed * 11);
	edu_check_peek(edu, offset, cpu, len);
}

void edu_check(int edu, uint64_t offset, char *cpu, size_t len)
{
	edu_check_store(edu, offset, cpu, len);
	edu_check_fetch(edu, offset, cpu, len);
}

int edu_errno(int edu)
{
	char byte = 1;

	if (pread(edu, &byte, 1, 100) == 1 && pwrite(edu, &byte, 1, 100) == 1)
		return 0;
	return errno;
}

/* "DMA" and "DMA-FQ" are domains that translate, "identity" passes addresses through. */
bool edu_translated(void)
{
	char type[32] = "";
	glob_t found;
	FILE *f;

	if (glob("/sys/bus/pci/drivers/edu/0000:*/iommu_group/type", 0, NULL, &found))
		return false;
	f = fopen(found.gl_pathv[0], "re");
	globfree(&found);
	assert_non_null(f);
	assert_non_null(fgets(type, sizeof(type), f));
	fclose(f);
	return !strncmp(type, "DMA", 3);
}
