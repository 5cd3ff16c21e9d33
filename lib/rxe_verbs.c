// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libphyr-rxe: two calls of libibverbs that its provider for soft RoCE lacks.
 *
 * Preloaded, or linked before libibverbs, it takes the place of
 * ibv_reg_dmabuf_mr() and ibv_rereg_mr().  Whatever the device, the provider is
 * asked first.  Where it has no such call, and the device is one of soft RoCE,
 * the kernel is asked, as a provider that has it would do:
 * <rdma/rdma_user_ioctl_cmds.h>.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define PUBLIC __attribute__((visibility("default")))

#define MOST_ATTRS 9

/* One call of the kernel's ABI: a header that ends in an array of attributes. */
union call {
	struct ib_uverbs_ioctl_hdr hdr;
	char room[sizeof(struct ib_uverbs_ioctl_hdr) +
		  MOST_ATTRS * sizeof(struct ib_uverbs_attr)];
};

static union call call_for(uint16_t object, uint16_t method)
{
	return (union call){
		.hdr = { .object_id = object, .method_id = method, .driver_id = RDMA_DRIVER_RXE },
	};
}

static struct ib_uverbs_attr *add_attr(union call *call, uint16_t id, uint16_t len, uint64_t data)
{
	struct ib_uverbs_attr *attr = &call->hdr.attrs[call->hdr.num_attrs++];

	*attr = (struct ib_uverbs_attr){
		.attr_id = id,
		.len = len,
		.flags = UVERBS_ATTR_F_MANDATORY,
		.data = data,
	};
	call->hdr.length = (uint16_t)(sizeof(call->hdr) +
				      call->hdr.num_attrs * sizeof(call->hdr.attrs[0]));
	return attr;
}

/* The kernel answers EINVAL to a call that is for another driver than the device's. */
static bool is_rxe(struct ibv_context *context)
{
	union call call = call_for(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_PORT);
	struct ib_uverbs_query_port_resp_ex resp;

	add_attr(&call, UVERBS_ATTR_QUERY_PORT_PORT_NUM, sizeof(uint64_t), 1);
	add_attr(&call, UVERBS_ATTR_QUERY_PORT_RESP, sizeof(resp), (uintptr_t)&resp);
	return !ioctl(context->cmd_fd, RDMA_VERBS_IOCTL, &call) || errno != EINVAL;
}

/* Whether the kernel has to be asked, after a provider that failed with @error. */
static bool provider_lacks_it(struct ibv_context *context, int error)
{
	bool lacks = error == EOPNOTSUPP && is_rxe(context);

	errno = error;
	return lacks;
}

static struct ibv_mr *reg_dmabuf(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova,
				 int fd, int access)
{
	union call call = call_for(UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR);
	/* libibverbs keeps a little behind the public part; zeros are an ordinary region */
	struct ibv_mr *mr = calloc(2, sizeof(*mr));
	struct ib_uverbs_attr *handle;

	if (!mr)
		return NULL;
	handle = add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_HANDLE, 0, 0);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, 0, pd->handle);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_OFFSET, sizeof(offset), offset);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_LENGTH, sizeof(uint64_t), length);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_IOVA, sizeof(iova), iova);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_FD, sizeof(uint32_t), (uint32_t)fd);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, sizeof(uint32_t),
		 (uint32_t)access);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, sizeof(mr->lkey),
		 (uintptr_t)&mr->lkey);
	add_attr(&call, UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, sizeof(mr->rkey),
		 (uintptr_t)&mr->rkey);
	if (ioctl(pd->context->cmd_fd, RDMA_VERBS_IOCTL, &call)) {
		free(mr);
		return NULL;
	}
	mr->context = pd->context;
	mr->pd = pd;
	mr->length = length;
	mr->handle = (uint32_t)handle->data;
	return mr;
}

PUBLIC struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access)
{
	typeof(ibv_reg_dmabuf_mr) *provider = dlsym(RTLD_NEXT, "ibv_reg_dmabuf_mr");
	struct ibv_mr *mr = NULL;

	errno = EOPNOTSUPP;
	if (provider)
		mr = provider(pd, offset, length, iova, fd, access);
	if (mr || !provider_lacks_it(pd->context, errno))
		return mr;
	return reg_dmabuf(pd, offset, length, iova, fd, access);
}

static int rereg(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *addr, size_t length,
		 int access)
{
	union call call = call_for(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE);
	struct ib_uverbs_rereg_mr_resp resp;
	struct ib_uverbs_rereg_mr req = {
		.mr_handle = mr->handle,
		.flags = (uint32_t)flags,
		.start = (uintptr_t)addr,
		.length = length,
		.hca_va = (uintptr_t)addr,
		.pd_handle = flags & IBV_REREG_MR_CHANGE_PD ? pd->handle : 0,
		.access_flags = (uint32_t)access,
	};

	add_attr(&call, UVERBS_ATTR_CORE_IN, sizeof(req), (uintptr_t)&req);
	add_attr(&call, UVERBS_ATTR_CORE_OUT, sizeof(resp), (uintptr_t)&resp);
	add_attr(&call, UVERBS_ATTR_WRITE_CMD, sizeof(uint64_t), IB_USER_VERBS_CMD_REREG_MR);
	if (ioctl(mr->context->cmd_fd, RDMA_VERBS_IOCTL, &call))
		return -1;
	mr->lkey = resp.lkey;
	mr->rkey = resp.rkey;
	if (flags & IBV_REREG_MR_CHANGE_PD)
		mr->pd = pd;
	if (flags & IBV_REREG_MR_CHANGE_TRANSLATION) {
		mr->addr = addr;
		mr->length = length;
	}
	return 0;
}

PUBLIC int ibv_rereg_mr(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *addr,
			size_t length, int access)
{
	typeof(ibv_rereg_mr) *provider = dlsym(RTLD_NEXT, "ibv_rereg_mr");
	int ret = IBV_REREG_MR_ERR_CMD;

	errno = EOPNOTSUPP;
	if (provider)
		ret = provider(mr, flags, pd, addr, length, access);
	if (ret != IBV_REREG_MR_ERR_CMD || !provider_lacks_it(mr->context, errno))
		return ret;
	return rereg(mr, flags, pd, addr, length, access) ? IBV_REREG_MR_ERR_CMD : 0;
}
