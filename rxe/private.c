// SPDX-License-Identifier: GPL-2.0-only
/* Where the members of soft RoCE's structures are. */
#include <linux/array_size.h>
#include <linux/xarray.h>

#include "../hook/layout.h"

#ifdef RXE_HEADERS

#include "rxe.h"

#define RXE_LAYOUT_ONLY
#include "private.h"

#define VALUE_MEMBER(type, name, size)	offsetof(struct type, name),
#define VALUE_ENUMERATOR(type, name)	name,
#define VALUE_STRUCT(type)		sizeof(struct type),

u32 rxe_layout[RXE_LAYOUT_NR] = {
	RXE_LAYOUT(VALUE_MEMBER, VALUE_ENUMERATOR, VALUE_STRUCT)
#ifdef RXE_HAS_PAGE_LIST
	offsetof(struct rxe_mr, page_list),
#else
	LAYOUT_ABSENT,
#endif
};

int rxe_layout_find(void)
{
	return 0;
}

#else

#include "private.h"

#define FIND_MEMBER(_type, _name, _size)	{ .type = #_type, .name = #_name, .size = _size },
#define FIND_ENUMERATOR(_type, _name)	\
	{ .type = #_type, .name = #_name, .enumerator = true },
#define FIND_STRUCT(_type)		{ .type = #_type },

u32 rxe_layout[RXE_LAYOUT_NR] __read_mostly;

/**
 * rxe_layout_find - find out where the members are
 *
 * Context: process, may sleep; soft RoCE is there, or on its way.
 * Return: 0, or an error as layout_find().
 */
int rxe_layout_find(void)
{
	struct layout layouts[RXE_LAYOUT_NR] = {
		RXE_LAYOUT(FIND_MEMBER, FIND_ENUMERATOR, FIND_STRUCT)
		{ .type = "rxe_mr", .name = "page_list", .size = sizeof(struct xarray),
		  .optional = true },
	};
	int ret = layout_find("rdma_rxe", layouts, ARRAY_SIZE(layouts));
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(layouts) && !ret; i++)
		rxe_layout[i] = layouts[i].value;
	return ret;
}

#endif
