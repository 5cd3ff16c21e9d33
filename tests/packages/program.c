// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program as others write it: it pins memory by libphyr, registers it with the first RDMA
 * device, says "ready", and holds both until its standard input ends.
 */
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr.h>

#define LENGTH	(16u << 20)

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "program: %s: %s\n", what, why);
	exit(1);
}

static int pin(int dev, void *mem)
{
	int region = dev < 0 ? dev : phyr_pin(dev, mem, LENGTH, PHYR_PIN_WRITE);

	if (region < 0)
		fail("phyr_pin", strerror(-region));
	return region;
}

static struct ibv_pd *first_device(void)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context;
	struct ibv_pd *pd;

	if (!devices || !devices[0])
		fail("ibv_get_device_list", "no device");
	context = ibv_open_device(devices[0]);
	ibv_free_device_list(devices);
	if (!context)
		fail("ibv_open_device", "failed");
	pd = ibv_alloc_pd(context);
	if (!pd)
		fail("ibv_alloc_pd", "failed");
	return pd;
}

int main(void)
{
	void *mem = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int dev = phyr_open();
	struct ibv_mr *mr;
	int region;

	if (mem == MAP_FAILED)
		fail("mmap", "failed");
	region = pin(dev, mem);
	mr = ibv_reg_mr(first_device(), mem, LENGTH, IBV_ACCESS_LOCAL_WRITE);
	if (!mr)
		fail("ibv_reg_mr", "failed");
	puts("ready");
	fflush(stdout);
	getchar();
	if (ibv_dereg_mr(mr))
		fail("ibv_dereg_mr", "failed");
	close(region);
	close(dev);
	return 0;
}
