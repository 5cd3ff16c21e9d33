// SPDX-License-Identifier: GPL-2.0-only
/* Where the members of soft RoCE's structures are. */
#include <linux/array_size.h>
#include <linux/xarray.h>

#include "../hook/layout.h"

#ifdef RXE_HEADERS

#include "rxe.h"

#define RXE_NO_PROTOTYPES
#define MEMBER(_type, _name, _size)						\
	[RXE_AT_##_type##_##_name] = {						\
		.size = (_size), .value = offsetof(struct _type, _name),	\
	}
#define ENUMERATOR(_type, _name)						\
	[RXE_VALUE_##_name] = {							\
		.type = #_type, .enumerator = true, .value = (_name),		\
	}
#define STRUCT(_type)	[RXE_SIZE_##_type] = { .value = sizeof(struct _type) }

#ifdef RXE_HAS_PAGE_LIST
#define PAGE_LIST	MEMBER(rxe_mr, page_list, sizeof(struct xarray))
#else
#define PAGE_LIST	[RXE_AT_rxe_mr_page_list] = { .value = LAYOUT_ABSENT }
#endif

/* The compiler has found them. */
#define find_all(layouts)	0

#else

#define MEMBER(_type, _name, _size)						\
	[RXE_AT_##_type##_##_name] = { .type = #_type, .name = #_name, .size = (_size) }
#define ENUMERATOR(_type, _name)						\
	[RXE_VALUE_##_name] = { .type = #_type, .name = #_name, .enumerator = true }
#define STRUCT(_type)	[RXE_SIZE_##_type] = { .type = #_type }
#define PAGE_LIST								\
	[RXE_AT_rxe_mr_page_list] = {						\
		.type = "rxe_mr", .name = "page_list",				\
		.size = sizeof(struct xarray), .optional = true,		\
	}

#define find_all(layouts)	layout_find("rdma_rxe", layouts, ARRAY_SIZE(layouts))

#endif

#include "private.h"

/* Where only a member's place matters, its size does not. */
static struct layout layouts[RXE_LAYOUT_NR] = {
	MEMBER(rxe_dev, ib_dev, sizeof(struct ib_device)),
	MEMBER(rxe_dev, mr_pool, 0),
	MEMBER(rxe_pool, xa, sizeof(struct xarray)),
	MEMBER(rxe_pd, ibpd, sizeof(struct ib_pd)),
	MEMBER(rxe_pd, elem, 0),
	MEMBER(rxe_pool_elem, obj, sizeof(void *)),
	MEMBER(rxe_pool_elem, ref_cnt, sizeof(struct kref)),
	MEMBER(rxe_mr, elem, 0),
	MEMBER(rxe_mr, ibmr, sizeof(struct ib_mr)),
	MEMBER(rxe_mr, umem, sizeof(void *)),
	MEMBER(rxe_mr, state, sizeof(u32)),
	PAGE_LIST,
	ENUMERATOR(rxe_mr_state, RXE_MR_STATE_INVALID),
	ENUMERATOR(rxe_mr_state, RXE_MR_STATE_VALID),
	ENUMERATOR(rxe_mr_copy_dir, RXE_TO_MR_OBJ),
	ENUMERATOR(rxe_mr_copy_dir, RXE_FROM_MR_OBJ),
	ENUMERATOR(resp_states, RESPST_NONE),
	ENUMERATOR(resp_states, RESPST_ERR_RKEY_VIOLATION),
	ENUMERATOR(resp_states, RESPST_ERR_MISALIGNED_ATOMIC),
	STRUCT(rxe_dev),
	STRUCT(rxe_pd),
	STRUCT(rxe_mr),
};

u32 rxe_layout[RXE_LAYOUT_NR] __read_mostly;

/**
 * rxe_layout_find - find out where the members are
 *
 * Context: process, may sleep; soft RoCE is there, or on its way.
 * Return: 0, or an error as layout_find().
 */
int rxe_layout_find(void)
{
	int ret = find_all(layouts);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(layouts) && !ret; i++)
		rxe_layout[i] = layouts[i].value;
	return ret;
}
