/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What phyr_rxe knows of soft RoCE's private structures and functions.
 *
 * The structures are known by the members that are used here, whose places the kernel
 * itself tells when soft RoCE comes (hook/layout.c); or, if this module was built with
 * soft RoCE's own headers (RXE_HEADERS), the compiler.
 */
#ifndef PHYR_RXE_PRIVATE_H
#define PHYR_RXE_PRIVATE_H

#include <linux/xarray.h>
#include <rdma/ib_verbs.h>

#include "../hook/layout.h"

struct rxe_dev;
struct rxe_pd;
struct rxe_pool;
struct rxe_pool_elem;
struct rxe_mr;
struct rxe_dma_info;
struct ib_umem;

/*
 * Members by their offsets, enumerators by their values, structures by their sizes; those of
 * one type together, see layout_find().
 */
enum {
	RXE_AT_rxe_dev_ib_dev,
	RXE_AT_rxe_dev_mr_pool,
	RXE_SIZE_rxe_dev,
	RXE_AT_rxe_pool_xa,
	RXE_AT_rxe_pd_ibpd,
	RXE_AT_rxe_pd_elem,
	RXE_SIZE_rxe_pd,
	RXE_AT_rxe_pool_elem_obj,
	RXE_AT_rxe_pool_elem_ref_cnt,
	RXE_AT_rxe_mr_elem,
	RXE_AT_rxe_mr_ibmr,
	RXE_AT_rxe_mr_umem,
	RXE_AT_rxe_mr_state,
	RXE_AT_rxe_mr_page_list,	/* LAYOUT_ABSENT in newer kernels */
	RXE_SIZE_rxe_mr,
	RXE_VALUE_RXE_MR_STATE_INVALID,
	RXE_VALUE_RXE_MR_STATE_VALID,
	RXE_VALUE_RXE_TO_MR_OBJ,
	RXE_VALUE_RXE_FROM_MR_OBJ,
	RXE_VALUE_RESPST_NONE,
	RXE_VALUE_RESPST_ERR_RKEY_VIOLATION,
	RXE_VALUE_RESPST_ERR_MISALIGNED_ATOMIC,
	RXE_LAYOUT_NR
};

extern u32 rxe_layout[RXE_LAYOUT_NR];

int rxe_layout_find(void);

#define rxe_value(enumerator)	(rxe_layout[RXE_VALUE_##enumerator])
#define rxe_size(type)		(rxe_layout[RXE_SIZE_##type])

/* The address of a member, of the type that it is given. */
#define RXE_MEMBER(of, type, name)					\
	((void *)(of) + rxe_layout[RXE_AT_##type##_##name])

static inline struct ib_mr *mr_ibmr(const struct rxe_mr *mr)
{
	return RXE_MEMBER(mr, rxe_mr, ibmr);
}

static inline struct rxe_pool_elem *mr_elem(const struct rxe_mr *mr)
{
	return RXE_MEMBER(mr, rxe_mr, elem);
}

static inline struct rxe_mr *elem_mr(const struct rxe_pool_elem *elem)
{
	return (void *)elem - rxe_layout[RXE_AT_rxe_mr_elem];
}

static inline struct ib_umem **mr_umem(const struct rxe_mr *mr)
{
	return RXE_MEMBER(mr, rxe_mr, umem);
}

static inline u32 *mr_state(const struct rxe_mr *mr)
{
	return RXE_MEMBER(mr, rxe_mr, state);
}

static inline bool mr_is_valid(const struct rxe_mr *mr)
{
	return *mr_state(mr) == rxe_value(RXE_MR_STATE_VALID);
}

static inline void mr_set_valid(struct rxe_mr *mr)
{
	*mr_state(mr) = rxe_value(RXE_MR_STATE_VALID);
}

static inline struct ib_device *rxe_ib_dev(const struct rxe_dev *rxe)
{
	return RXE_MEMBER(rxe, rxe_dev, ib_dev);
}

static inline struct rxe_dev *ib_dev_rxe(const struct ib_device *dev)
{
	return (void *)dev - rxe_layout[RXE_AT_rxe_dev_ib_dev];
}

static inline struct rxe_pool *rxe_mr_pool(const struct rxe_dev *rxe)
{
	return RXE_MEMBER(rxe, rxe_dev, mr_pool);
}

static inline struct xarray *pool_xa(const struct rxe_pool *pool)
{
	return RXE_MEMBER(pool, rxe_pool, xa);
}

static inline struct ib_pd *pd_ibpd(const struct rxe_pd *pd)
{
	return RXE_MEMBER(pd, rxe_pd, ibpd);
}

static inline struct rxe_pool_elem *ibpd_elem(const struct ib_pd *ibpd)
{
	return RXE_MEMBER((void *)ibpd - rxe_layout[RXE_AT_rxe_pd_ibpd], rxe_pd, elem);
}

/*
 * What rxe frees at the end of every region but one for DMA, where it has slots for pages.
 * Stable kernels got the newer way in an update.
 */
static inline void rxe_no_pages(struct rxe_mr *mr)
{
	if (rxe_layout[RXE_AT_rxe_mr_page_list] != LAYOUT_ABSENT)
		xa_init((struct xarray *)RXE_MEMBER(mr, rxe_mr, page_list));
}

/*
 * Its functions, but beside its own headers.  An enum is an int to those who call them; what
 * the atomic ones return is one in newer kernels.
 */
#ifndef RXE_NO_PROTOTYPES
void rxe_mr_init_dma(int access, struct rxe_mr *mr);
int rxe_mr_init_user(struct rxe_dev *rxe, u64 start, u64 length, int access, struct rxe_mr *mr);
void rxe_mr_cleanup(struct rxe_pool_elem *elem);
int rxe_mr_copy(struct rxe_mr *mr, u64 iova, void *addr, unsigned int length, u32 dir);
int copy_data(struct rxe_pd *pd, int access, struct rxe_dma_info *dma, void *addr, int length,
	      u32 dir);
int rxe_flush_pmem_iova(struct rxe_mr *mr, u64 iova, unsigned int length);
int rxe_mr_do_atomic_op(struct rxe_mr *mr, u64 iova, int opcode, u64 compare, u64 swap_add,
			u64 *orig_val);
int rxe_mr_do_atomic_write(struct rxe_mr *mr, u64 iova, u64 value);
int __rxe_add_to_pool(struct rxe_pool *pool, struct rxe_pool_elem *elem, bool sleepable);
int __rxe_get(struct rxe_pool_elem *elem);
void __rxe_finalize(struct rxe_pool_elem *elem);
int __rxe_cleanup(struct rxe_pool_elem *elem, bool sleepable);
#endif

/* What a region may allow; as soft RoCE has it. */
#define RXE_MR_ACCESS	(IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE |		\
			 IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_LOCAL_WRITE |		\
			 IB_ACCESS_MW_BIND | IB_ACCESS_ON_DEMAND | IB_ACCESS_FLUSH_GLOBAL | \
			 IB_ACCESS_FLUSH_PERSISTENT | IB_ACCESS_OPTIONAL)

#endif /* PHYR_RXE_PRIVATE_H */
