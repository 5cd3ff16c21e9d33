// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: what memory without a struct page costs, against its size.
 *
 *	pageless-bench FILE.json [ROUNDS]
 *
 * "pin": pinning it as a region, when it is mapped already. "map": mapping that
 * for the edu device. "revoke": munmap() of the mapping while the region exists and is
 * mapped for the device, against munmap() of a mapping that nobody has pinned. The
 * stock kernel pins no such memory, so the others have nothing to compare with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <phyr.h>

#include "../examples/edu/edu_ioctl.h"
#include "../tests/guest/common/vfio.h"
#include "report.h"

#define MAX_ROUNDS	60

enum { PIN, MAP, REVOKE, UNMAP, TIMES };

static int dev, edu;

/* Pinned, mapped for the device, and unmapped under it. */
static int round_used(const struct mem *mem, uint64_t ns[TIMES])
{
	struct edu_map map = { .flags = EDU_MAP_REGION | EDU_MAP_WRITE };
	int region = phyr_pin(dev, mem->addr, mem->len, PHYR_PIN_WRITE);
	uint64_t start;

	if (region < 0)
		return region;
	close(region);			/* the first one faults everything in */
	map.fd = phyr_pin_timed(dev, mem->addr, mem->len, PHYR_PIN_WRITE, &ns[PIN]);
	if (map.fd < 0)
		return map.fd;
	if (ioctl(edu, EDU_IOC_MAP, &map)) {
		close(map.fd);
		return -errno;
	}
	ns[MAP] = map.map_ns;
	start = now();
	munmap(mem->addr, mem->len);
	ns[REVOKE] = now() - start;
	ioctl(edu, EDU_IOC_UNMAP);
	close(map.fd);
	return 0;
}

/* Mapped and there, and nobody else has it. */
static int round_plain(const struct mem *mem, uint64_t ns[TIMES])
{
	int region = phyr_pin(dev, mem->addr, mem->len, PHYR_PIN_WRITE);
	uint64_t start;

	if (region < 0)
		return region;
	close(region);
	start = now();
	munmap(mem->addr, mem->len);
	ns[UNMAP] = now() - start;
	return 0;
}

static int one_round(const struct mem_kind *kind, size_t len, uint64_t ns[TIMES],
		     int (*round)(const struct mem *mem, uint64_t ns[TIMES]))
{
	struct mem mem;
	int ret;

	if (mem_map(&mem, kind, len))
		return -errno;
	ret = round(&mem, ns);
	mem_unmap(&mem);
	return ret;
}

static void report(json_object *rows, const char *kernel, const char *what,
		   const struct mem_kind *kind, size_t len, uint64_t phyr, uint64_t stock)
{
	char name[80];
	struct report r = {
		.rows = rows, .kernel = kernel, .name = name, .bytes = len,
		.stock = stock, .phyr = phyr,
	};

	snprintf(name, sizeof(name), "%s: %s", what, kind->name);
	printf("  %-24s %10zu %12.1f", name, len >> 10, (double)phyr / 1e3);
	printf(stock ? " %12.1f\n" : "\n", (double)stock / 1e3);
	report_row(&r);
}

static int bench(const struct mem_kind *kind, size_t len, size_t rounds, const char *kernel,
		 json_object *rows)
{
	static uint64_t all[TIMES][MAX_ROUNDS];
	uint64_t ns[TIMES];
	int ret = 0;

	for (size_t i = 0; i < rounds && !ret; i++) {
		ret = one_round(kind, len, ns, round_used);
		if (!ret)
			ret = one_round(kind, len, ns, round_plain);
		for (size_t t = 0; t < TIMES; t++)
			all[t][i] = ns[t];
	}
	if (ret) {
		fprintf(stderr, "pageless-bench: %s: %s\n", kind->name, strerror(-ret));
		return ret;
	}
	report(rows, kernel, "pin", kind, len, median(all[PIN], rounds), 0);
	report(rows, kernel, "map", kind, len, median(all[MAP], rounds), 0);
	report(rows, kernel, "revoke", kind, len, median(all[REVOKE], rounds),
	       median(all[UNMAP], rounds));
	return 0;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	json_object *rows = json_object_new_array();
	struct utsname uts;
	int ret = 0;

	if (argc < 2 || !rounds || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: pageless-bench FILE.json [ROUNDS]\n");
		return 2;
	}
	dev = phyr_open();
	edu = open("/dev/edu0", O_RDWR | O_CLOEXEC);
	if (dev < 0 || edu < 0) {
		fprintf(stderr, "pageless-bench: no /dev/phyr, or no /dev/edu0\n");
		return 1;
	}
	uname(&uts);
	printf("%s, without struct pages, median of %zu rounds\n  %-24s %10s %12s %12s\n",
	       uts.release, rounds, "", "KiB", "phyr us", "stock us");
	for (size_t len = 64 * KIB; len <= 64 * MIB; len *= 16)
		ret |= bench(mem_find("PCI BAR"), len, rounds, uts.release, rows);
	for (size_t len = GIB; len <= TIB && !vfio_missing(); len *= 32)
		ret |= bench(&mem_terabyte, len, rounds, uts.release, rows);
	return report_write("pageless-bench", argv[1], rows, ret);
}
