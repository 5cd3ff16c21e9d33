// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: phyrs against the stock way, for each kind of memory.
 *
 *	bench FILE.json [ROUNDS [KIND]]
 *
 * Every round does both, in turn first and second; what counts is the median. At last
 * pinning alone, against the size, for pages of three sizes (docs/phyr.svg).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../tests/guest/common/mem.h"
#include "report.h"
#include "bench_ioctl.h"

#define MAX_ROUNDS	101

static int remote;	/* to the process that pins memory of this one */

struct sample {
	uint64_t stock[MAX_ROUNDS];
	uint64_t phyr[MAX_ROUNDS];
};

enum step { PIN, UNPIN, UNPIN_DIRTY, MAP, MAP_NEW, UNMAP, MAP_UNMAP, GUP, REMOTE, STEPS };

/* The last one has GUP's time in place of phyr's: a bound for small pages. */
static const char *const step_names[STEPS] = {
	"pin", "unpin", "unpin dirty", "map", "map, new object", "unmap", "map and unmap",
	"pin, GUP alone", "pin, of another process"
};

static void report(json_object *rows, const char *kernel, const char *name, size_t bytes,
		   struct sample *sample, size_t n)
{
	struct report r = {
		.rows = rows, .kernel = kernel, .name = name, .bytes = bytes,
		.stock = median(sample->stock, n), .phyr = median(sample->phyr, n),
	};

	printf("  %-32s %14.3f %14.3f %10.2f\n", name, (double)r.stock / 1e3,
	       (double)r.phyr / 1e3, report_ratio(&r));
	report_row(&r);
}

static void note(struct sample *samples, enum step step, size_t i, uint64_t stock, uint64_t phyr)
{
	samples[step].stock[i] = stock;
	samples[step].phyr[i] = phyr;
}

/*
 * A process of its own, from before there is any memory to share with it, which pins what
 * this one has.
 */
static int remote_start(void)
{
	struct bench_run run;
	int fds[2], dev;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		dev = open("/dev/phyr_bench", O_RDWR | O_CLOEXEC);
		close(fds[0]);
		while (read(fds[1], &run, sizeof(run)) == sizeof(run)) {
			if (ioctl(dev, BENCH_IOC_RUN, &run))
				run.stock.error = errno;
			if (write(fds[1], &run, sizeof(run)) != sizeof(run))
				break;
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

static int remote_run(struct bench_run *run)
{
	run->flags &= ~BENCH_MAP;
	run->pid = getpid();
	if (write(remote, run, sizeof(*run)) != sizeof(*run) ||
	    read(remote, run, sizeof(*run)) != sizeof(*run))
		return -1;
	run->pid = 0;
	return 0;
}

static int one_round(int dev, const struct mem *mem, struct sample *samples, size_t i)
{
	bool dirty = !mem->kind->read_only;
	struct bench_run run = {
		.addr = (uintptr_t)mem->addr, .len = mem->len,
		.flags = BENCH_MAP | (i & 1 ? BENCH_PHYR_FIRST : 0) |
			 (dirty ? BENCH_WRITE : 0) | (mem->kind->short_only ? BENCH_SHORT : 0),
	};

	if (ioctl(dev, BENCH_IOC_RUN, &run) || run.stock.error || run.phyr.error)
		goto fail;
	note(samples, PIN, i, run.stock.pin_ns, run.phyr.pin_ns);
	note(samples, GUP, i, run.stock.pin_ns, run.gup_ns);
	note(samples, UNPIN, i, run.stock.unpin_ns, run.phyr.unpin_ns);
	note(samples, MAP, i, run.stock.map_ns, run.phyr.map_ns);
	note(samples, MAP_NEW, i, run.stock.map_ns, run.phyr.map_new_ns);
	note(samples, UNMAP, i, run.stock.unmap_ns, run.phyr.unmap_ns);
	note(samples, MAP_UNMAP, i, run.stock.map_ns + run.stock.unmap_ns,
	     run.phyr.map_ns + run.phyr.unmap_ns);
	if (remote_run(&run) || run.stock.error || run.phyr.error)
		goto fail;
	note(samples, REMOTE, i, run.stock.pin_ns, run.phyr.pin_ns);
	if (!dirty)
		return 0;
	run.flags |= BENCH_DIRTY;
	if (ioctl(dev, BENCH_IOC_RUN, &run) || run.stock.error || run.phyr.error)
		goto fail;
	note(samples, UNPIN_DIRTY, i, run.stock.unpin_ns, run.phyr.unpin_ns);
	return 0;
fail:
	fprintf(stderr, "bench: %s: %s, stock: %s, phyr: %s\n", mem->kind->name, strerror(errno),
		strerror(run.stock.error), strerror(run.phyr.error));
	return -1;
}

static int bench_kind(int dev, const struct mem_kind *kind, size_t rounds, const char *kernel,
		      json_object *rows)
{
	static struct sample samples[STEPS];
	struct mem mem;
	char name[64];
	int ret = 0;

	if (mem_map(&mem, kind, kind->size)) {
		perror(kind->name);
		return -1;
	}
	for (size_t i = 0; i < 2 && !ret; i++)		/* warm up */
		ret = one_round(dev, &mem, samples, i);
	for (size_t i = 0; i < rounds && !ret; i++)
		ret = one_round(dev, &mem, samples, i);
	for (enum step step = 0; step < STEPS && !ret; step++) {
		if (step == UNPIN_DIRTY && kind->read_only)
			continue;
		snprintf(name, sizeof(name), "%s: %s", step_names[step], kind->name);
		report(rows, kernel, name, kind->size, &samples[step], rounds);
	}
	mem_unmap(&mem);
	return ret;
}

/* Sizes of memory in pages of one size: each is four times the one before. */
static const struct sweep {
	const char *kind;
	const char *name;
	size_t from, to;
} sweeps[] = {
	{ "4 KiB scattered", "pin by size: 4 KiB pages", 64 << 10, 64 << 20 },
	{ "hugetlb 2 MiB", "pin by size: 2 MiB pages", 2 << 20, 512 << 20 },
	{ "one 1 GiB page x5", "pin by size: 1 GiB pages", 1 << 30, (size_t)64 << 30 },
};

#define SWEEP_ROUNDS	5	/* the stock way takes seconds for the largest */

static int sweep_size(int dev, const struct mem *mem, size_t len, struct sample *sample,
		      size_t rounds)
{
	struct bench_run run = { .addr = (uintptr_t)mem->addr, .len = len };

	for (size_t i = 0; i < rounds; i++) {
		run.flags = BENCH_WRITE | (i & 1 ? BENCH_PHYR_FIRST : 0);
		if (ioctl(dev, BENCH_IOC_RUN, &run) || run.stock.error || run.phyr.error)
			return -1;
		sample->stock[i] = run.stock.pin_ns;
		sample->phyr[i] = run.phyr.pin_ns;
	}
	return 0;
}

static int bench_sweep(int dev, const struct sweep *sweep, size_t rounds, const char *kernel,
		       json_object *rows)
{
	static struct sample sample;
	struct mem mem;
	int ret;

	if (rounds > SWEEP_ROUNDS)
		rounds = SWEEP_ROUNDS;
	if (mem_map(&mem, mem_find(sweep->kind), sweep->to)) {
		perror(sweep->name);
		return -1;
	}
	ret = sweep_size(dev, &mem, sweep->from, &sample, 2);	/* warm up */
	for (size_t len = sweep->from; len <= sweep->to && !ret; len *= 4) {
		ret = sweep_size(dev, &mem, len, &sample, rounds);
		if (!ret)
			report(rows, kernel, sweep->name, len, &sample, rounds);
	}
	if (ret)
		fprintf(stderr, "bench: %s failed\n", sweep->name);
	mem_unmap(&mem);
	return ret;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	const char *only = argc > 3 ? argv[3] : NULL;
	json_object *rows = json_object_new_array();
	struct utsname uts;
	int dev, ret = 0;

	if (argc < 2 || !rounds || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: bench FILE.json [ROUNDS [KIND]]\n");
		return 2;
	}
	dev = open("/dev/phyr_bench", O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		perror("/dev/phyr_bench");
		return 1;
	}
	remote = remote_start();
	if (remote < 0) {
		perror("bench");
		return 1;
	}
	uname(&uts);
	printf("%s, median of %zu rounds\n  %-32s %14s %14s %10s\n", uts.release, rounds, "",
	       "stock us", "phyr us", "ratio");
	for (size_t i = 0; i < mem_nr_kinds; i++)
		if (mem_kinds[i].struct_page && (!only || !strcmp(mem_kinds[i].name, only)))
			ret |= bench_kind(dev, &mem_kinds[i], rounds, uts.release, rows);
	for (size_t i = 0; !only && i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
		ret |= bench_sweep(dev, &sweeps[i], rounds, uts.release, rows);
	return report_write("bench", argv[1], rows, ret);
}
