// SPDX-License-Identifier: GPL-2.0-only
/* The few calls of libibverbs that register memory. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "tool.h"
#include "verbs.h"

#define LIBRARY	"libibverbs.so.1"

/* What a program does to the memory that others write to and read from. */
#define ACCESS	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/**
 * struct verbs - a device that is open
 * @library: libibverbs
 * @context: of the device
 * @pd: the protection domain of all regions
 * The others are functions of the library, by their names.
 */
struct verbs {
	void *library;
	struct ibv_context *context;
	struct ibv_pd *pd;
	typeof(ibv_get_device_list) *get_device_list;
	typeof(ibv_free_device_list) *free_device_list;
	typeof(ibv_get_device_name) *get_device_name;
	typeof(ibv_open_device) *open_device;
	typeof(ibv_close_device) *close_device;
	typeof(ibv_alloc_pd) *alloc_pd;
	typeof(ibv_dealloc_pd) *dealloc_pd;
	typeof(ibv_reg_mr) *reg_mr;
	typeof(ibv_dereg_mr) *dereg_mr;
};

static bool find_functions(struct verbs *v)
{
	v->get_device_list = dlsym(v->library, "ibv_get_device_list");
	v->free_device_list = dlsym(v->library, "ibv_free_device_list");
	v->get_device_name = dlsym(v->library, "ibv_get_device_name");
	v->open_device = dlsym(v->library, "ibv_open_device");
	v->close_device = dlsym(v->library, "ibv_close_device");
	v->alloc_pd = dlsym(v->library, "ibv_alloc_pd");
	v->dealloc_pd = dlsym(v->library, "ibv_dealloc_pd");
	v->reg_mr = dlsym(v->library, "ibv_reg_mr");
	v->dereg_mr = dlsym(v->library, "ibv_dereg_mr");
	return v->get_device_list && v->free_device_list && v->get_device_name &&
	       v->open_device && v->close_device && v->alloc_pd && v->dealloc_pd && v->reg_mr &&
	       v->dereg_mr;
}

static int load_library(struct verbs *v)
{
	v->library = dlopen(LIBRARY, RTLD_NOW);
	if (!v->library)
		return tool_fail("cannot load libibverbs: %s\n"
				 "  it is a package of rdma-core: libibverbs1, or libibverbs",
				 dlerror());
	if (find_functions(v))
		return 0;
	dlclose(v->library);
	return tool_fail(LIBRARY " lacks a function: %s", dlerror());
}

static struct ibv_context *open_by_name(const struct verbs *v, const char *name)
{
	struct ibv_device **list = v->get_device_list(NULL);
	struct ibv_context *context = NULL;
	size_t i;

	if (!list)
		return NULL;
	errno = ENODEV;
	for (i = 0; list[i]; i++) {
		if (strcmp(v->get_device_name(list[i]), name))
			continue;
		context = v->open_device(list[i]);
		break;
	}
	v->free_device_list(list);
	return context;
}

static int open_device(struct verbs *v, const char *name)
{
	v->context = open_by_name(v, name);
	if (!v->context)
		return tool_fail("cannot open the RDMA device %s: %m\n"
				 "  \"ibv_devinfo -d %s\" tells whether its provider "
				 "(ibverbs-providers) and ib_uverbs are there", name, name);
	v->pd = v->alloc_pd(v->context);
	if (v->pd)
		return 0;
	v->close_device(v->context);
	return tool_fail("cannot get a protection domain of %s: %m", name);
}

/**
 * verbs_open - open an RDMA device
 * @device: its name
 *
 * Return: it; NULL after a message.
 */
struct verbs *verbs_open(const char *device)
{
	struct verbs *v = calloc(1, sizeof(*v));

	if (!v) {
		tool_fail("%m");
		return NULL;
	}
	if (load_library(v))
		goto free;
	if (!open_device(v, device))
		return v;
	dlclose(v->library);
free:
	free(v);
	return NULL;
}

void verbs_close(struct verbs *v)
{
	v->dealloc_pd(v->pd);
	v->close_device(v->context);
	dlclose(v->library);
	free(v);
}

/* NULL: see errno. */
struct ibv_mr *verbs_register(const struct verbs *v, void *addr, size_t len)
{
	return v->reg_mr(v->pd, addr, len, ACCESS);
}

/* 0 or an errno. */
int verbs_deregister(const struct verbs *v, struct ibv_mr *mr)
{
	return v->dereg_mr(mr);
}
