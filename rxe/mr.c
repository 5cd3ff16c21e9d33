// SPDX-License-Identifier: GPL-2.0-only
/*
 * Soft RoCE by phyrs: a memory region is a list of them.
 *
 * Stock rxe has a slot a page, in an array that is one piece of memory, and
 * copies a page at a time.  Here a user's region has no slots: an address on
 * the wire is an offset in the list, and a copy goes as far as the phyr does.
 * All other regions (of the kernel's own users, on demand, registered before
 * this module was loaded) are left to the original functions.
 */
#include <linux/err.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/libnvdimm.h>
#include <linux/math.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <rdma/ib_pack.h>
#include <rdma/rdma_user_rxe.h>

#include "../hook/hook.h"
#include "compat.h"
#include "memory.h"
#include "rxe_hooks.h"

/* Calls of rxe_mr_init_user() that may have begun before it was hooked, at most. */
#define MAX_LATE	16

static int copy_test(void);

HOOK("rdma_rxe", rxe_mr_init_user);
HOOK("rdma_rxe", rxe_mr_cleanup);
HOOK("rdma_rxe", rxe_mr_copy, .test = copy_test);
HOOK("rdma_rxe", rxe_flush_pmem_iova);
HOOK("rdma_rxe", rxe_mr_do_atomic_op);
HOOK("rdma_rxe", rxe_mr_do_atomic_write);
FUNCTION("rdma_rxe", rxe_mr_init_dma);
FUNCTION("rdma_rxe", copy_data);

/* Regions that the stock function has made, and that have not ended. */
static atomic_long_t stock_regions = ATOMIC_LONG_INIT(MAX_LATE);

/* rxe's own: other regions may lead to the same memory. */
static spinlock_t *atomic_lock;

static struct rxe_memory *mr_memory(const struct rxe_mr *mr)
{
	return mr && mr_ibmr(mr)->type == IB_MR_TYPE_USER ? rxe_memory_of(*mr_umem(mr)) : NULL;
}

/* Registration */

static bool all_persistent(const struct phyr_list *list)
{
	struct phyr_iter it;
	struct phyr phyr;

	phyr_list_for_each(list, it, phyr)
		if (region_intersects(phyr.addr, phyr.len, IORESOURCE_MEM,
				      IORES_DESC_PERSISTENT_MEMORY) != REGION_INTERSECTS)
			return false;
	return true;
}

/* For the CPU, which is what moves soft RoCE's bytes. */
static int mr_make_accessible(struct rxe_memory *mem, int access)
{
	if (access & IB_ACCESS_FLUSH_PERSISTENT && !all_persistent(&mem->pinned.list))
		return -EINVAL;
	mem->access = phyr_access_get(&mem->pinned.list);
	if (IS_ERR(mem->access)) {
		int ret = PTR_ERR(mem->access);

		mem->access = NULL;
		return ret;
	}
	return 0;
}

/**
 * phyr_rxe_mr_init - give a user's region its keys, and no memory yet
 * @access: IB_ACCESS_*
 * @mr: the region
 *
 * Context: any.
 */
void phyr_rxe_mr_init(int access, struct rxe_mr *mr)
{
	stock(rxe_mr_init_dma)(access, mr);
	mr_ibmr(mr)->type = IB_MR_TYPE_USER;
	*mr_state(mr) = rxe_value(RXE_MR_STATE_INVALID);
	rxe_no_pages(mr);
}

static int mr_init_user(struct rxe_dev *rxe, u64 start, u64 length, int access,
			struct rxe_mr *mr)
{
	struct rxe_memory *mem;
	int ret;

	phyr_rxe_mr_init(access, mr);
	mem = rxe_memory_pin(rxe_ib_dev(rxe), start, length, access);
	if (IS_ERR(mem)) {
		module_put(THIS_MODULE);
		return PTR_ERR(mem);
	}
	ret = mr_make_accessible(mem, access);
	if (ret) {
		rxe_memory_free(mem);
		return ret;
	}
	*mr_umem(mr) = &mem->pinned.umem;
	mr_set_valid(mr);
	return 0;
}

static int replacement_rxe_mr_init_user(struct rxe_dev *rxe, u64 start, u64 length, int access,
					struct rxe_mr *mr)
{
	int ret;

	hook_enter(rxe_mr_init_user);
	if (rxe_memory_get_module())
		ret = mr_init_user(rxe, start, length, access, mr);
	else
		ret = stock(rxe_mr_init_user)(rxe, start, length, access, mr);
	hook_leave(rxe_mr_init_user);
	return ret;
}

/* The end */

/**
 * phyr_rxe_expect - stock regions may end
 * @nr: how many more than before
 *
 * For those that a device has when this module comes.
 *
 * Context: any.
 */
void phyr_rxe_expect(unsigned long nr)
{
	atomic_long_add(nr, &stock_regions);
}

/*
 * A region that rxe_mr_init_user() has made and not its replacement.  If there are more of
 * them than there may be, and the replacement was never called, then it is bypassed.
 */
static void stock_region_ends(void)
{
	struct hook *hook = &hook_of(rxe_mr_init_user);

	if (atomic_long_dec_return(&stock_regions) < 0 && READ_ONCE(hook->addr) &&
	    !hook_entered(hook))
		hook_bypassed(hook);
}

/* Of other files: a function that is called by its address is not inlined. */
static void replacement_rxe_mr_cleanup(struct rxe_pool_elem *elem)
{
	struct rxe_mr *mr = elem_mr(elem);
	struct rxe_memory *mem = mr_memory(mr);

	hook_enter(rxe_mr_cleanup);
	if (mem)
		*mr_umem(mr) = NULL;	/* ib_core does not know how to release it */
	else if (mr_ibmr(mr)->type == IB_MR_TYPE_USER && *mr_umem(mr) && !(*mr_umem(mr))->is_odp)
		stock_region_ends();
	stock(rxe_mr_cleanup)(elem);
	if (mem)
		rxe_memory_free(mem);
	hook_leave(rxe_mr_cleanup);
}

/* Data */

/* Where the bytes [@iova, @iova + @len) are in the list; false if they are not. */
static bool mr_offset(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova,
		      size_t len, u64 *offset)
{
	const struct ib_mr *ibmr = mr_ibmr(mr);
	u64 at = iova - ibmr->iova;

	if (iova < ibmr->iova || len > ibmr->length || at > ibmr->length - len)
		return false;
	*offset = mem->base + at;
	return true;
}

/* Between the two, memory without pages stays; -ENODEV if it has gone. */
static int mr_enter(const struct rxe_memory *mem)
{
	return mem->access ? phyr_access_enter(mem->access) : 0;
}

static void mr_leave(const struct rxe_memory *mem, int idx)
{
	if (mem->access)
		phyr_access_leave(mem->access, idx);
}

/* Where the CPU finds a byte of the list, and how many are contiguous from there. */
static size_t mr_map(const struct rxe_memory *mem, u64 offset, struct iosys_map *map)
{
	struct phyr_window window;

	if (mem->access) {
		if (phyr_access_window(mem->access, offset, &window))
			return 0;
		*map = window.map;
		return window.len;
	}
	*map = mem->mapped.map;
	iosys_map_incr(map, offset);
	return mem->dmabuf->size - offset;
}

static void vmap_copy(const struct rxe_memory *mem, u64 offset, void *addr, unsigned int length,
		      bool write)
{
	struct iosys_map map = mem->mapped.map;

	if (write)
		iosys_map_memcpy_to(&map, offset, addr, length);
	else
		iosys_map_memcpy_from(addr, &map, offset, length);
}

static int mr_copy(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova, void *addr,
		   unsigned int length, bool write)
{
	u64 offset;

	if (!length)
		return 0;
	if (!mr_offset(mr, mem, iova, length, &offset))
		return -EINVAL;
	if (mem->access)
		return write ? phyr_access_write(mem->access, offset, addr, length) :
			       phyr_access_read(mem->access, offset, addr, length);
	vmap_copy(mem, offset, addr, length, write);
	return 0;
}

static int replacement_rxe_mr_copy(struct rxe_mr *mr, u64 iova, void *addr,
				   unsigned int length, u32 dir)
{
	struct rxe_memory *mem = mr_memory(mr);
	int ret;

	hook_enter(rxe_mr_copy);
	if (mem)
		ret = mr_copy(mr, mem, iova, addr, length,
			      dir == rxe_value(RXE_TO_MR_OBJ));
	else
		ret = stock(rxe_mr_copy)(mr, iova, addr, length, dir);
	hook_leave(rxe_mr_copy);
	return ret;
}

/*
 * copy_data() is in one source file with rxe_mr_copy(), whose code it might have
 * instead of a call.  The other hooked functions are called from other files.
 */

/* A device and a region that nobody has, as far as copy_data() looks at them. */
struct copy_scene {
	struct rxe_dev *rxe;
	struct rxe_pd *pd;
	struct rxe_mr *mr;
	struct rxe_dma_info *dma;	/* with one entry behind it */
	char byte;
};

static void copy_scene_free(struct copy_scene *scene)
{
	kvfree(scene->dma);
	kvfree(scene->mr);
	kvfree(scene->pd);
	kvfree(scene->rxe);
}

static void copy_scene_init(struct copy_scene *scene)
{
	struct rxe_pool_elem *elem = mr_elem(scene->mr);
	struct ib_mr *ibmr = mr_ibmr(scene->mr);
	struct ib_pd *ibpd = pd_ibpd(scene->pd);

	ibpd->device = rxe_ib_dev(scene->rxe);
	kref_init(RXE_MEMBER(elem, rxe_pool_elem, ref_cnt));
	*(void **)RXE_MEMBER(elem, rxe_pool_elem, obj) = scene->mr;
	ibmr->device = ibpd->device;
	ibmr->pd = ibpd;
	ibmr->type = IB_MR_TYPE_USER;
	mr_set_valid(scene->mr);
	scene->dma->resid = 1;
	scene->dma->num_sge = 1;
	scene->dma->sge[0].length = 1;	/* of the region with key 0, which has no byte */
	xa_init(pool_xa(rxe_mr_pool(scene->rxe)));
}

static int copy_scene_new(struct copy_scene *scene)
{
	scene->rxe = kvzalloc(rxe_size(rxe_dev), GFP_KERNEL);
	scene->pd = kvzalloc(rxe_size(rxe_pd), GFP_KERNEL);
	scene->mr = kvzalloc(rxe_size(rxe_mr), GFP_KERNEL);
	scene->dma = kvzalloc(sizeof(*scene->dma) + sizeof(scene->dma->sge[0]), GFP_KERNEL);
	if (scene->rxe && scene->pd && scene->mr && scene->dma)
		return 0;
	copy_scene_free(scene);
	return -ENOMEM;
}

static int copy_test(void)
{
	struct copy_scene scene = { };
	struct xarray *xa;
	int ret;

	/* built in, there may be another function of that common name */
	if (abs_diff(hook_of(copy_data).addr, hook_of(rxe_mr_copy).addr) > SZ_64K)
		return 1;
	ret = copy_scene_new(&scene);
	if (ret)
		return ret;
	copy_scene_init(&scene);
	xa = pool_xa(rxe_mr_pool(scene.rxe));
	ret = xa_err(xa_store(xa, 0, mr_elem(scene.mr), GFP_KERNEL));
	if (!ret)
		stock(copy_data)(scene.pd, 0, scene.dma, &scene.byte, 1,
				 rxe_value(RXE_FROM_MR_OBJ));
	xa_destroy(xa);
	copy_scene_free(&scene);
	return ret;
}

static int flush_some(const struct rxe_memory *mem, u64 offset, unsigned int length)
{
	struct iosys_map map;
	size_t n;

	for (; length; length -= n, offset += n) {
		n = min_t(size_t, mr_map(mem, offset, &map), length);
		if (!n || map.is_iomem)
			return -EFAULT;
		arch_wb_cache_pmem(map.vaddr, n);
	}
	return 0;
}

static int mr_flush(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova,
		    unsigned int length)
{
	u64 offset;
	int idx, ret;

	if (!length)
		return 0;
	if (!mr_offset(mr, mem, iova, length, &offset))
		return -EINVAL;
	idx = mr_enter(mem);
	if (idx < 0)
		return idx;
	ret = flush_some(mem, offset, length);
	mr_leave(mem, idx);
	return ret;
}

static int replacement_rxe_flush_pmem_iova(struct rxe_mr *mr, u64 iova, unsigned int length)
{
	struct rxe_memory *mem = mr_memory(mr);
	int ret;

	hook_enter(rxe_flush_pmem_iova);
	if (mem)
		ret = mr_flush(mr, mem, iova, length);
	else
		ret = stock(rxe_flush_pmem_iova)(mr, iova, length);
	hook_leave(rxe_flush_pmem_iova);
	return ret;
}

/* Atomic operations, on eight bytes that one phyr has. */

static int word_enter(const struct rxe_mr *mr, const struct rxe_memory *mem)
{
	return mr_is_valid(mr) ? mr_enter(mem) : -EINVAL;
}

static void word_leave(const struct rxe_memory *mem, int idx)
{
	if (idx >= 0)
		mr_leave(mem, idx);
}

static unsigned long map_address(const struct iosys_map *map)
{
	return map->is_iomem ? (unsigned long)map->vaddr_iomem : (unsigned long)map->vaddr;
}

static int mr_word(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova,
		   struct iosys_map *map)
{
	u64 offset;
	size_t n;

	if (!mr_offset(mr, mem, iova, sizeof(u64), &offset))
		return rxe_value(RESPST_ERR_RKEY_VIOLATION);
	n = mr_map(mem, offset, map);
	if (!n)
		return rxe_value(RESPST_ERR_RKEY_VIOLATION);
	if (!IS_ALIGNED(map_address(map), sizeof(u64)))
		return rxe_value(RESPST_ERR_MISALIGNED_ATOMIC);
	return n < sizeof(u64) ? rxe_value(RESPST_ERR_RKEY_VIOLATION) : rxe_value(RESPST_NONE);
}

static u64 word_read(const struct iosys_map *map)
{
	return map->is_iomem ? readq(map->vaddr_iomem) : READ_ONCE(*(u64 *)map->vaddr);
}

/* Everything before is seen before. */
static void word_write(const struct iosys_map *map, u64 value)
{
	if (map->is_iomem)
		writeq(value, map->vaddr_iomem);
	else
		smp_store_release((u64 *)map->vaddr, value); /* as said above */
}

static int mr_atomic_op(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova,
			int opcode, u64 compare, u64 swap_add, u64 *orig_val)
{
	struct iosys_map map;
	int ret;

	ret = mr_word(mr, mem, iova, &map);
	if (ret != rxe_value(RESPST_NONE))
		return ret;
	spin_lock_bh(atomic_lock);
	*orig_val = word_read(&map);
	if (opcode != IB_OPCODE_RC_COMPARE_SWAP)
		word_write(&map, *orig_val + swap_add);
	else if (*orig_val == compare)
		word_write(&map, swap_add);
	spin_unlock_bh(atomic_lock);
	return rxe_value(RESPST_NONE);
}

static int replacement_rxe_mr_do_atomic_op(struct rxe_mr *mr, u64 iova, int opcode,
					   u64 compare, u64 swap_add, u64 *orig_val)
{
	struct rxe_memory *mem = mr_memory(mr);
	int ret;
	int idx;

	hook_enter(rxe_mr_do_atomic_op);
	if (!mem) {
		ret = stock(rxe_mr_do_atomic_op)(mr, iova, opcode, compare, swap_add, orig_val);
	} else {
		idx = word_enter(mr, mem);
		ret = rxe_resp(idx < 0 ? rxe_value(RESPST_ERR_RKEY_VIOLATION) :
			       mr_atomic_op(mr, mem, iova, opcode, compare, swap_add, orig_val));
		word_leave(mem, idx);
	}
	hook_leave(rxe_mr_do_atomic_op);
	return ret;
}

static int mr_atomic_write(const struct rxe_mr *mr, const struct rxe_memory *mem, u64 iova,
			   u64 value)
{
	struct iosys_map map;
	int ret;

	ret = mr_word(mr, mem, iova, &map);
	if (ret == rxe_value(RESPST_NONE))
		word_write(&map, value);
	return ret;
}

static int replacement_rxe_mr_do_atomic_write(struct rxe_mr *mr, u64 iova, u64 value)
{
	struct rxe_memory *mem = mr_memory(mr);
	int ret;
	int idx;

	hook_enter(rxe_mr_do_atomic_write);
	if (!mem) {
		ret = stock(rxe_mr_do_atomic_write)(mr, iova, value);
	} else {
		idx = word_enter(mr, mem);
		ret = rxe_resp(idx < 0 ? rxe_value(RESPST_ERR_RKEY_VIOLATION) :
			       mr_atomic_write(mr, mem, iova, value));
		word_leave(mem, idx);
	}
	hook_leave(rxe_mr_do_atomic_write);
	return ret;
}

/* In the order that they are needed: the last one creates regions of ours. */
static struct hook *const hooks[] = {
	&hook_of(rxe_mr_init_dma),
	&hook_of(copy_data),
	&hook_of(rxe_mr_do_atomic_op),
	&hook_of(rxe_mr_do_atomic_write),
	&hook_of(rxe_flush_pmem_iova),
	&hook_of(rxe_mr_copy),
	&hook_of(rxe_mr_cleanup),
	&hook_of(rxe_mr_init_user),
};

/**
 * phyr_rxe_hook - let soft RoCE work by phyrs
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT if rdma_rxe lacks one of the functions, or its lock for atomics;
 * or an error as hook_on().
 */
int phyr_rxe_hook(void)
{
	atomic_lock = (spinlock_t *)hook_lookup("rdma_rxe", "atomic_ops_lock");
	if (!atomic_lock)
		return -ENOENT;
	atomic_long_set(&stock_regions, MAX_LATE);
	return hook_on(hooks, ARRAY_SIZE(hooks));
}

/**
 * phyr_rxe_unhook - let soft RoCE work its own way
 *
 * Context: process, may sleep.  No region may hold this module any more.
 */
void phyr_rxe_unhook(void)
{
	hook_off(hooks, ARRAY_SIZE(hooks));
}
