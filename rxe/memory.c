// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of soft RoCE's regions: a program's, a region of /dev/phyr, or a foreign
 * dma-buf, as the CPU finds it.
 *
 * rxe has an ib_umem in each region of a program, and looks at it to tell regions on
 * demand from others, and whether it may be written.  This one is ours from the first
 * field to the last: ib_core has not made it, and does not release it.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "memory.h"

/* An ib_umem that leads here in the field for appending, which it is not made by, is ours. */
static struct scatterlist memory_mark;
static atomic_long_t memory_live;
static bool memory_enabled;

/**
 * rxe_memory_begin - let regions be made by phyrs, after all hooks are in place
 */
void rxe_memory_begin(void)
{
	WRITE_ONCE(memory_enabled, true);
}

/**
 * rxe_memory_get_module - may a region be made that needs this module
 *
 * Not while it is being loaded: that may still fail.
 *
 * Context: any.
 * Return: true with a reference to this module, which is then the memory's.
 */
bool rxe_memory_get_module(void)
{
	return READ_ONCE(memory_enabled) && try_module_get(THIS_MODULE);
}

/**
 * rxe_memory_of - the memory of a region of ours
 * @umem: what rxe has in the region, or NULL
 *
 * Context: any.
 * Return: the memory, or NULL if the region is not of ours.
 */
struct rxe_memory *rxe_memory_of(const struct ib_umem *umem)
{
	if (!umem || umem->sgt_append.prv != &memory_mark)
		return NULL;
	return container_of(umem, struct rxe_memory, pinned.umem);
}

/**
 * rxe_memory_live - regions of soft RoCE that hold this module
 *
 * Return: how many.
 */
unsigned long rxe_memory_live(void)
{
	return atomic_long_read(&memory_live);
}

static struct rxe_memory *memory_new(void)
{
	return kzalloc(sizeof(struct rxe_memory), GFP_KERNEL_ACCOUNT);
}

/* The caller's reference to this module is the memory's from now on. */
static struct rxe_memory *memory_publish(struct rxe_memory *mem)
{
	mem->pinned.umem.sgt_append.prv = &memory_mark;
	atomic_long_inc(&memory_live);
	return mem;
}

/**
 * rxe_memory_pin - pin a program's memory
 * @device: the rxe device
 * @addr: first byte
 * @size: length in bytes
 * @access: IB_ACCESS_*
 *
 * Context: process, may sleep.  The caller has a reference to this module, which goes
 * with the memory.
 * Return: the memory, which nobody can access yet; or an ERR_PTR() as ib_umem_get().
 */
struct rxe_memory *rxe_memory_pin(struct ib_device *device, unsigned long addr, size_t size,
				  int access)
{
	struct rxe_memory *mem = memory_new();
	int ret;

	if (!mem)
		return ERR_PTR(-ENOMEM);
	ret = phyr_umem_pin(&mem->pinned, device, addr, size, access);
	if (ret) {
		kfree(mem);
		return ERR_PTR(ret);
	}
	mem->base = ib_umem_offset(&mem->pinned.umem);
	return memory_publish(mem);
}

/* A region of /dev/phyr is a list already. */
static int dmabuf_take_region(struct rxe_memory *mem, struct phyr_region *region, u64 offset,
			      u64 size)
{
	const struct phyr_list *list = phyr_region_list(region);
	struct phyr_access *access;

	if (offset > phyr_list_len(list) || size > phyr_list_len(list) - offset)
		return -EINVAL;
	if (mem->pinned.umem.writable && !phyr_region_writable(region))
		return -EACCES;
	access = phyr_access_get(list);
	if (IS_ERR(access))
		return PTR_ERR(access);
	mem->access = access;
	mem->region = region;
	return 0;
}

/* Anybody else's is mapped as a whole by its exporter. */
static int dmabuf_take_mapped(struct rxe_memory *mem, struct dma_buf *dmabuf, u64 offset, u64 size)
{
	int ret;

	if (offset > dmabuf->size || size > dmabuf->size - offset)
		return -EINVAL;
	/* nobody gets more out of a dma-buf than its descriptor is good for */
	if (mem->pinned.umem.writable && !(dmabuf->file->f_mode & FMODE_WRITE))
		return -EACCES;
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	ret = phyr_dmabuf_map(&mem->mapped, dmabuf, &mem->pinned.umem.ibdev->dev);
	if (ret) {
		dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
		return ret;
	}
	mem->dmabuf = dmabuf;
	return 0;
}

static int dmabuf_take(struct rxe_memory *mem, u64 offset, u64 size, int fd)
{
	struct phyr_region *region = phyr_region_get(fd);
	struct dma_buf *dmabuf;
	int ret;

	if (!IS_ERR(region)) {
		ret = dmabuf_take_region(mem, region, offset, size);
		if (ret)
			phyr_region_put(region);
		return ret;
	}
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = dmabuf_take_mapped(mem, dmabuf, offset, size);
	if (ret)
		dma_buf_put(dmabuf);
	return ret;
}

/**
 * rxe_memory_dmabuf - a dma-buf as the memory of a region
 * @device: the rxe device
 * @offset: first byte, in the dma-buf
 * @size: length in bytes, not 0
 * @fd: the dma-buf
 * @access: IB_ACCESS_*
 *
 * Context: process, may sleep.  The caller has a reference to this module, which goes
 * with the memory.
 * Return: the memory; or an ERR_PTR() of -EBADF or -EINVAL for what is no dma-buf,
 * -EINVAL for a range outside of it, -EACCES for writing to a region that was pinned for
 * reading, or to a dma-buf that is open for reading, -ENOMEM, and what
 * phyr_dmabuf_map() answers.
 */
struct rxe_memory *rxe_memory_dmabuf(struct ib_device *device, u64 offset, u64 size, int fd,
				     int access)
{
	struct rxe_memory *mem;
	int ret;

	if (!size)
		return ERR_PTR(-EINVAL);
	/* No pages of the caller's: phyr_dmabuf_map() counts what it has to pin. */
	mem = memory_new();
	if (!mem)
		return ERR_PTR(-ENOMEM);
	mem->pinned.umem.ibdev = device;
	mem->pinned.umem.writable = ib_access_writable(access);
	mem->base = offset;
	ret = dmabuf_take(mem, offset, size, fd);
	if (ret) {
		kfree(mem);
		return ERR_PTR(ret);
	}
	return memory_publish(mem);
}

static void dmabuf_release(struct rxe_memory *mem)
{
	phyr_dmabuf_unmap(&mem->mapped);
	dma_buf_end_cpu_access(mem->dmabuf, DMA_BIDIRECTIONAL);
	dma_buf_put(mem->dmabuf);
}

/**
 * rxe_memory_free - a region's end
 * @mem: its memory, which nobody accesses any more
 *
 * Context: process, may sleep.
 */
void rxe_memory_free(struct rxe_memory *mem)
{
	if (mem->access)
		phyr_access_put(mem->access);
	if (mem->region)
		phyr_region_put(mem->region);
	else if (mem->dmabuf)
		dmabuf_release(mem);
	else
		phyr_umem_unpin(&mem->pinned, true);
	kfree(mem);
	atomic_long_dec(&memory_live);
	module_put(THIS_MODULE);
}
