// SPDX-License-Identifier: GPL-2.0-only
/*
 * ibv_reg_mr() of the same memory, with phyr_rdma and without.  Afterwards the modules are as
 * they were, also after an error and a signal that would end the program.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <phyr.h>

#include "bench.h"
#include "memory.h"
#include "rdma_switch.h"
#include "system.h"
#include "tool.h"
#include "verbs.h"

#define SOFT_ROCE_MOST	(1ULL << 30)	/* stock rxe fails beyond it, with a warning in the log */

/* The device */

static int fail_device(struct names *devices, const char *device)
{
	int i;

	tool_fail("there is no RDMA device \"%s\"", device);
	fputs(devices->nr ? "  there is:" : "  there is none", stderr);
	for (i = 0; i < devices->nr; i++)
		fprintf(stderr, " %s", devices->list[i]->d_name);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

/**
 * bench_rdma_find - find an RDMA device
 * @b: its device is set, to NULL if there is none
 * @device: its name, or NULL for any
 */
int bench_rdma_find(struct bench *b, const char *device)
{
	static char name[sizeof(((struct dirent *)0)->d_name)];
	struct names devices = names_in(RDMA_DEVICES);
	int i = 0, ret = 0;

	while (device && i < devices.nr && strcmp(devices.list[i]->d_name, device))
		i++;
	if (i < devices.nr) {
		snprintf(name, sizeof(name), "%s", devices.list[i]->d_name);
		b->device = name;
		rdma_device_get(&b->driver, "", name);
	} else if (device) {
		ret = fail_device(&devices, device);
	}
	names_free(&devices);
	return ret;
}

/* Those of other programs may be registered with a device. */
static int check_regions(const struct bench *b)
{
	struct phyr_info info = { .size = sizeof(info) };
	int ret = phyr_info(b->dev, &info);

	if (ret)
		return tool_fail_phyr(ret, "cannot ask the module");
	if (!info.regions)
		return 0;
	return tool_fail("other programs have regions, %u of them, which may be registered\n"
			 "  \"phyr regions\" lists them: end these programs, or give --pin-only",
			 (unsigned int)info.regions);
}

/**
 * bench_rdma_check - whether phyr_rdma can be loaded and unloaded
 * @b: with a device
 * @modules: set to how they are
 */
int bench_rdma_check(const struct bench *b, struct rdma_switch *modules)
{
	int ret;

	if (b->driver.soft_roce && b->bytes > SOFT_ROCE_MOST)
		return tool_fail("stock soft RoCE (%s) cannot register more than 1 GiB: give a "
				 "smaller --size, another --device, or --pin-only", b->device);
	ret = rdma_switch_init(modules);
	return ret ? ret : check_regions(b);
}

/* Signals */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
static struct sigaction former[ARRAY_SIZE(signals)];
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	if (signal != SIGPIPE)		/* of that, writing tells */
		stopped = 1;
}

/* What is ignored stays so. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESTART };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], &action, &former[i]);
		if (former[i].sa_handler == SIG_IGN)
			sigaction(signals[i], &former[i], NULL);
	}
}

static void release_signals(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &former[i], NULL);
}

/* The work */

/**
 * struct rdma_bench - the device, and how it registers memory
 * @modules: how they were
 * @on: phyr_rdma is loaded now
 * @verbs: the device
 * @phyr: times with phyr_rdma
 * @stock: and without
 */
struct rdma_bench {
	const struct rdma_switch *modules;
	bool on;
	struct verbs *verbs;
	struct bench_samples phyr;
	struct bench_samples stock;
};

static int reg_round(const struct rdma_bench *r, const struct memory *mem,
		     struct bench_samples *s)
{
	uint64_t start = bench_now(), registered;
	struct ibv_mr *mr = verbs_register(r->verbs, mem->addr, mem->len);
	int ret;

	registered = bench_now();
	if (!mr)
		return tool_fail("cannot register %s: %m", text_bytes(mem->len).s);
	ret = verbs_deregister(r->verbs, mr);
	if (ret)
		return tool_fail("cannot deregister memory: %s", strerror(ret));
	bench_sample(s, start, registered, bench_now());
	return 0;
}

static int switch_to(struct rdma_bench *r, bool on)
{
	r->on = on;
	return on ? rdma_switch_on(r->modules) : rdma_switch_off();
}

/* As the modules are now, until there are so many rounds of it. */
static int reg_rounds(struct bench *b, struct rdma_bench *r, const struct memory *mem,
		      const struct bench_row *row, unsigned int rounds)
{
	struct bench_samples *s = r->on ? &r->phyr : &r->stock;
	unsigned int before = s->nr;
	int ret = reg_round(r, mem, s);

	s->nr = before;			/* that was to warm up */
	while (s->nr < rounds && !ret && !stopped) {
		bench_progress(b, r->on ? "ibv_reg_mr(), with phyr_rdma" :
			       "ibv_reg_mr(), without phyr_rdma", row, s->nr);
		ret = reg_round(r, mem, s);
	}
	return ret;
}

/* One way, the other way, and the first way again: what drifts does so for both. */
static int reg_kind(struct bench *b, const struct memory *mem, struct bench_row *row, void *ctx)
{
	struct rdma_bench *r = ctx;
	unsigned int rounds[] = { (b->rounds + 1) / 2, b->rounds, b->rounds }, i;
	int ret = 0;

	r->phyr.nr = 0;
	r->stock.nr = 0;
	for (i = 0; i < ARRAY_SIZE(rounds) && !ret && !stopped; i++) {
		if (i)
			ret = switch_to(r, !r->on);
		if (!ret && !stopped)
			ret = reg_rounds(b, r, mem, row, rounds[i]);
	}
	if (!ret && stopped)
		ret = TOOL_FAILED;
	if (!ret)
		bench_row_set(row, &r->phyr, &r->stock);
	return ret;
}

/* While signals are caught. */
static int measure(struct bench *b, struct rdma_bench *r)
{
	int ret = switch_to(r, r->modules->loaded[SWITCH_RDMA]), restored;

	if (!ret)
		ret = bench_each(b, &b->reg, reg_kind, r);
	progress_end(&b->progress);
	restored = rdma_switch_restore(r->modules);
	if (stopped && !restored)
		return tool_fail("interrupted; the modules are as they were before");
	return ret ? ret : restored;
}

/**
 * bench_rdma - measure ibv_reg_mr()
 * @b: with a device
 * @modules: from bench_rdma_check(), how they are
 */
int bench_rdma(struct bench *b, const struct rdma_switch *modules)
{
	static struct rdma_bench r;
	int ret;

	r.modules = modules;
	r.verbs = verbs_open(b->device);
	if (!r.verbs)
		return TOOL_FAILED;
	catch_signals();
	ret = measure(b, &r);
	release_signals();
	verbs_close(r.verbs);
	return ret;
}
