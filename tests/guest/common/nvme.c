// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nvme.h"

#define RW	(PROT_READ | PROT_WRITE)

const char *nvme_missing(void)
{
	if (system("grep -qw pci_p2pdma_distance_many /proc/kallsyms"))
		return "this kernel has no P2PDMA";
	return NULL;
}

/* The file that gives out the controller's memory: the driver probes in the background. */
static int open_cmb(void)
{
	glob_t found;
	int fd;

	for (int i = 0; glob("/sys/bus/pci/devices/*/p2pmem/allocate", 0, NULL, &found); i++) {
		if (i == 100) {
			errno = ENODEV;
			return -1;
		}
		usleep(50000);
	}
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	globfree(&found);
	return fd;
}

static int map_cmb(struct mem *mem)
{
	if (system("modprobe nvme")) {
		errno = ENODEV;
		return -1;
	}
	mem->fd = open_cmb();
	if (mem->fd < 0)
		return -1;
	mem->area = mmap(NULL, mem->len, RW, MAP_SHARED, mem->fd, 0);
	if (mem->area == MAP_FAILED) {
		mem->area = NULL;
		return -1;
	}
	mem->area_len = mem->len;
	mem->addr = mem->area;
	return 0;
}

const struct mem_kind mem_cmb = {
	"NVMe CMB", 8 * MIB, 4096, true, false, true, map_cmb
};
