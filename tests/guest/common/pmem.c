// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pmem.h"

#define PAGE	4096ul
#define RW	(PROT_READ | PROT_WRITE)

/* The first line that a command prints, in a buffer that the next call takes; "" if it fails. */
static const char *line_of(const char *command)
{
	static char line[100];
	FILE *p = popen(command, "re");

	line[0] = 0;
	if (!p)
		return line;
	if (fgets(line, sizeof(line), p))
		line[strcspn(line, "\n")] = 0;
	if (pclose(p))
		line[0] = 0;
	return line;
}

/* The number of the region that is the large NVDIMM, or the CXL device's; -1 if there is none. */
static int region_of(enum pmem_media media)
{
	const char *name;
	int nr;

	if (media == PMEM_CXL)
		name = line_of("ndctl list -R -b CXL | sed -n 's/.*\"dev\":\"\\(.*\\)\".*/\\1/p'");
	else
		name = line_of("grep -lx 3221225472 /sys/bus/nd/devices/region*/size | "
			       "sed 's,/size,,; s,.*/,,'");
	return sscanf(name, "region%d", &nr) == 1 ? nr : -1;
}

const char *pmem_missing(enum pmem_media media)
{
	if (region_of(media) >= 0)
		return NULL;
	return media == PMEM_CXL ? "no CXL memory device here, or this kernel does not know it" :
				   "no large NVDIMM here";
}

const char *pmem_nvdimm_missing(void)
{
	return pmem_missing(PMEM_NVDIMM);
}

const char *pmem_cxl_missing(void)
{
	return pmem_missing(PMEM_CXL);
}

const char *pmem_namespace(enum pmem_media media, const char *mode, const char *align,
			   const char *key)
{
	int nr = region_of(media);
	char command[400], which[128];

	if (media == PMEM_CXL)
		snprintf(which, sizeof(which), "-r region%d", nr);
	else
		snprintf(which, sizeof(which), "-e namespace%d.0", nr);
	snprintf(command, sizeof(command), "ndctl destroy-namespace -f -r region%d all >/dev/null "
		 "2>&1; ndctl create-namespace -f %s -m %s -M mem -a %s | "
		 "sed -n 's/.*\"%s\":\"\\([^\"]*\\)\".*/\\1/p'", nr, which, mode, align, key);
	return line_of(command);
}

char *pmem_map(int fd, off_t offset, size_t len)
{
	char *at = mmap(NULL, len + GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *aligned;

	if (at == MAP_FAILED)
		return NULL;
	aligned = (char *)(((uintptr_t)at + GIB - 1) & ~(GIB - 1));
	if (aligned > at)
		munmap(at, (size_t)(aligned - at));
	munmap(aligned + len, GIB - (size_t)(aligned - at));
	at = mmap(aligned, len, RW, MAP_SHARED_VALIDATE | MAP_SYNC | MAP_FIXED, fd,
		  offset);
	return at == MAP_FAILED ? NULL : at;
}

static int map_devdax(struct mem *mem, enum pmem_media media, const char *align)
{
	const char *name = pmem_namespace(media, "devdax", align, "chardev");
	char path[120];

	snprintf(path, sizeof(path), "/dev/%s", name);
	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0)
		return -1;
	mem->addr = pmem_map(mem->fd, 0, mem->len);
	if (!mem->addr)
		return -1;
	mem->area = mem->addr;
	mem->area_len = mem->len;
	for (size_t at = 0; at < mem->len; at += PAGE)
		mem->addr[at] = (char)(at / PAGE);
	return 0;
}

static int map_devdax_1g(struct mem *mem)
{
	return map_devdax(mem, PMEM_NVDIMM, "1G");
}

static int map_cxl(struct mem *mem)
{
	return map_devdax(mem, PMEM_CXL, "2M");
}

const struct mem_kind mem_devdax_1g = {
	"devdax by 1 GiB", 2 * GIB, GIB, true, false, false, map_devdax_1g
};

const struct mem_kind mem_cxl = {
	"devdax on CXL", 256 * MIB, 2 * MIB, true, false, false, map_cxl
};
