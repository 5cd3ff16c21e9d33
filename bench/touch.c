// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: what it takes to touch memory through a mapping of a dma-buf, a
 * region's against udmabuf's of the same memfd.
 *
 *	touch-bench FILE.json [ROUNDS]
 *
 * A byte of each page is read, twice; what the second pass takes is subtracted, as that is
 * the processor's reading and not the mapping. The mapping itself counts, and not what
 * makes the dma-buf.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <phyr.h>

#include "../tests/guest/common/mem.h"
#include "report.h"

#define PAGE		((size_t)4096)
#define MAX_ROUNDS	60

/* Newer than some headers. */
#define HUGE(shift)	(MFD_HUGETLB | ((unsigned int)(shift) << 26))

static const struct {
	const char *name;
	size_t len;
	unsigned int flags;
} kinds[] = {
	{ "memfd of 1 GiB pages", GIB, HUGE(30) },
	{ "memfd of 2 MiB pages", 256 * MIB, HUGE(21) },
	{ "memfd of 4 KiB pages", 256 * MIB, 0 },
};

enum { STOCK, PHYR, WAYS };

struct source {
	int memfd;
	char *addr;
	size_t len;
	int buf[WAYS];
};

struct pass {
	uint64_t ns[WAYS][MAX_ROUNDS];
	long faults[WAYS];
};

static int dev;

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static uint64_t read_all(const char *map, size_t len)
{
	uint64_t start = now();

	for (size_t at = 0; at < len; at += PAGE)
		*(const volatile char *)(map + at);
	return now() - start;
}

static int make_udmabuf(const struct source *s)
{
	struct udmabuf_create create = {
		.memfd = (unsigned int)s->memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = s->len,
	};
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int buf = maker < 0 ? -1 : ioctl(maker, UDMABUF_CREATE, &create);

	close(maker);
	return buf;
}

static int source_make(struct source *s, size_t len, unsigned int flags)
{
	s->len = len;
	s->memfd = memfd_create("touch", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	if (s->memfd < 0 || ftruncate(s->memfd, (off_t)len) ||
	    fcntl(s->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	s->addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->memfd, 0);
	if (s->addr == MAP_FAILED)
		return -1;
	s->buf[STOCK] = make_udmabuf(s);
	s->buf[PHYR] = phyr_pin(dev, s->addr, len, PHYR_PIN_WRITE);
	return s->buf[STOCK] < 0 || s->buf[PHYR] < 0 ? -1 : 0;
}

static void source_end(struct source *s)
{
	close(s->buf[STOCK]);
	close(s->buf[PHYR]);
	munmap(s->addr, s->len);
	close(s->memfd);
}

static void *map_way(const struct source *s, int way)
{
	void *map;

	if (way == STOCK)
		return mmap(NULL, s->len, PROT_READ | PROT_WRITE, MAP_SHARED, s->buf[STOCK], 0);
	return phyr_mmap(dev, s->buf[PHYR], 0, 0, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE, &map) ?
	       MAP_FAILED : map;
}

static int one_round(const struct source *s, int way, struct pass *p, size_t round)
{
	uint64_t start = now(), ns;
	long before;
	char *map = map_way(s, way);

	if (map == MAP_FAILED)
		return -1;
	before = faults();
	read_all(map, s->len);
	ns = now() - start;
	p->faults[way] = faults() - before;
	p->ns[way][round] = ns - read_all(map, s->len);
	munmap(map, s->len);
	return 0;
}

static void report(json_object *rows, const char *kernel, const char *name, size_t len,
		   struct pass *p, size_t rounds)
{
	char title[80];
	struct report r = {
		.rows = rows, .kernel = kernel, .name = title, .bytes = len,
		.stock = median(p->ns[STOCK], rounds), .phyr = median(p->ns[PHYR], rounds),
	};
	json_object *row;

	snprintf(title, sizeof(title), "touch: %s", name);
	printf("  %-32s %8ld %8ld %14.3f %14.3f %10.2f\n", title, p->faults[STOCK],
	       p->faults[PHYR], (double)r.stock / 1e3, (double)r.phyr / 1e3, report_ratio(&r));
	row = report_row(&r);
	json_object_object_add(row, "faults", json_object_new_int64(p->faults[PHYR]));
	json_object_object_add(row, "stock_faults", json_object_new_int64(p->faults[STOCK]));
}

static int bench(size_t kind, size_t rounds, const char *kernel, json_object *rows)
{
	static struct pass pass;
	struct source s;
	int ret = 0;

	if (source_make(&s, kinds[kind].len, kinds[kind].flags)) {
		perror(kinds[kind].name);
		return -1;
	}
	for (size_t i = 0; i < rounds && !ret; i++)
		ret = one_round(&s, i % 2, &pass, i) ?: one_round(&s, !(i % 2), &pass, i);
	if (!ret)
		report(rows, kernel, kinds[kind].name, s.len, &pass, rounds);
	else
		perror(kinds[kind].name);
	source_end(&s);
	return ret;
}

/* 64 MiB is what it allows to begin with. */
static void allow_large_udmabufs(void)
{
	FILE *f = fopen("/sys/module/udmabuf/parameters/size_limit_mb", "we");

	if (f) {
		fputs("4096", f);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	json_object *rows = json_object_new_array();
	struct utsname uts;
	int ret = 0;

	if (argc < 2 || !rounds || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: touch-bench FILE.json [ROUNDS]\n");
		return 2;
	}
	dev = phyr_open();
	if (dev < 0) {
		fprintf(stderr, "touch-bench: no /dev/phyr\n");
		return 1;
	}
	allow_large_udmabufs();
	uname(&uts);
	printf("%s, mappings of dma-bufs, median of %zu rounds\n"
	       "  %-32s %8s %8s %14s %14s %10s\n", uts.release, rounds,
	       "", "faults", "", "stock us", "phyr us", "ratio");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		ret |= bench(i, rounds, uts.release, rows);
	return report_write("touch-bench", argv[1], rows, ret);
}
