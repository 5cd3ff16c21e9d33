// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: what it takes the CPU to copy and fill memory by phyrs, against one
 * mapping of it for the kernel; and a program to copy a region's bytes, against reading and
 * writing the memfd that it is of.
 *
 *	copy-bench FILE.json [ROUNDS]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <phyr.h>

#include "../tests/guest/common/mem.h"
#include "bench_ioctl.h"
#include "report.h"

#define MAX_ROUNDS	101

static const char *const kinds[] = {
	"4 KiB pages", "4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "PCI BAR",
};

static const size_t sizes[] = { 4 * KIB, 64 * KIB, MIB };

static const char *const ops[BENCH_CPU_OPS] = {
	[BENCH_COPY_OUT] = "copy out",
	[BENCH_COPY_IN] = "copy in",
	[BENCH_FILL] = "fill",
	[BENCH_COPY_TO_USER] = "copy to user",
	[BENCH_COPY_FROM_USER] = "copy from user",
};

struct sample {
	uint64_t stock[MAX_ROUNDS];
	uint64_t phyr[MAX_ROUNDS];
};

static struct sample sample;
static json_object *rows;
static struct utsname uts;
static size_t rounds;

static void report(const char *op, const char *what, size_t len)
{
	char name[80];
	struct report r = {
		.rows = rows, .kernel = uts.release, .name = name, .bytes = len,
		.stock = median(sample.stock, rounds), .phyr = median(sample.phyr, rounds),
	};

	snprintf(name, sizeof(name), "%s: %s", op, what);
	printf("  %-32s %6zu KiB %12.3f %12.3f %10.3f\n", name, len >> 10,
	       (double)r.stock / 1e3, (double)r.phyr / 1e3, report_ratio(&r));
	report_row(&r);
}

/* In the kernel */

static int one_op(int dev, const struct mem *mem, size_t len, uint32_t op, void *buf)
{
	struct bench_cpu cpu = {
		.addr = (uintptr_t)mem->addr, .len = len, .buf = (uintptr_t)buf, .op = op,
	};

	for (size_t i = 0; i < rounds + 2; i++) {	/* two to warm up */
		cpu.flags = i & 1 ? BENCH_PHYR_FIRST : 0;
		if (ioctl(dev, BENCH_IOC_CPU, &cpu))
			return -1;
		sample.stock[i % rounds] = cpu.stock_ns;
		sample.phyr[i % rounds] = cpu.phyr_ns;
	}
	return 0;
}

static int bench_kind(int dev, const struct mem_kind *kind, void *buf)
{
	struct mem mem;
	int ret;

	ret = mem_map(&mem, kind, kind->page > MIB ? kind->page : MIB);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]) && !ret; s++) {
		for (uint32_t op = 0; op < BENCH_CPU_OPS && !ret; op++) {
			ret = one_op(dev, &mem, sizes[s], op, buf);
			if (!ret && sample.stock[0])
				report(ops[op], kind->name, sizes[s]);
		}
	}
	if (ret)
		fprintf(stderr, "copy-bench: %s: %s\n", kind->name, strerror(errno));
	mem_unmap(&mem);
	return ret;
}

/* In a program */

struct file {
	int memfd;
	int phyr;
	int region;
};

static ssize_t stock_call(const struct file *f, bool in, void *buf, size_t len)
{
	return in ? pwrite(f->memfd, buf, len, 0) : pread(f->memfd, buf, len, 0);
}

static ssize_t phyr_call(const struct file *f, bool in, void *buf, size_t len)
{
	return in ? phyr_copy_to(f->phyr, f->region, 0, buf, len) :
		    phyr_copy_from(f->phyr, f->region, 0, buf, len);
}

typedef ssize_t (*call)(const struct file *f, bool in, void *buf, size_t len);

static int timed(const struct file *f, bool in, void *buf, size_t len, call c, uint64_t *ns)
{
	uint64_t start = now();
	ssize_t n = c(f, in, buf, len);

	*ns = now() - start;
	return n == (ssize_t)len ? 0 : -1;
}

static int bench_calls(const struct file *f, bool in, void *buf, size_t len)
{
	int ret = 0;

	for (size_t i = 0; i < rounds + 2 && !ret; i++) {
		uint64_t *stock = &sample.stock[i % rounds], *phyr = &sample.phyr[i % rounds];

		ret = i & 1 ? timed(f, in, buf, len, stock_call, stock) ?:
			      timed(f, in, buf, len, phyr_call, phyr) :
			      timed(f, in, buf, len, phyr_call, phyr) ?:
			      timed(f, in, buf, len, stock_call, stock);
	}
	if (!ret)
		report(in ? "copy in by a program" : "copy out by a program", "memfd", len);
	return ret;
}

static int bench_file(void *buf)
{
	struct file f = { .memfd = memfd_create("copy", MFD_CLOEXEC), .phyr = phyr_open() };
	char *addr;
	int ret = 0;

	if (f.memfd < 0 || f.phyr < 0 || ftruncate(f.memfd, MIB))
		return -1;
	addr = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f.memfd, 0);
	f.region = addr == MAP_FAILED ? -1 : phyr_pin(f.phyr, addr, MIB, PHYR_PIN_WRITE);
	if (f.region < 0)
		return -1;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]) && !ret; s++)
		ret = bench_calls(&f, false, buf, sizes[s]) ?:
		      bench_calls(&f, true, buf, sizes[s]);
	close(f.region);
	munmap(addr, MIB);
	close(f.phyr);
	close(f.memfd);
	return ret;
}

int main(int argc, char **argv)
{
	int dev, ret = 0;
	void *buf;

	rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	if (argc < 2 || !rounds || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: copy-bench FILE.json [ROUNDS]\n");
		return 2;
	}
	dev = open("/dev/phyr_bench", O_RDWR | O_CLOEXEC);
	buf = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1, 0);
	if (dev < 0 || buf == MAP_FAILED) {
		perror("copy-bench: /dev/phyr_bench");
		return 1;
	}
	rows = json_object_new_array();
	uname(&uts);
	printf("%s, access by the CPU, median of %zu rounds\n  %-32s %10s %12s %12s %10s\n",
	       uts.release, rounds, "", "", "stock us", "phyr us", "ratio");
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		ret |= bench_kind(dev, mem_find(kinds[k]), buf);
	if (bench_file(buf)) {
		fputs("copy-bench: memfd: a call failed\n", stderr);
		ret = 1;
	}
	return report_write("copy-bench", argv[1], rows, ret);
}
