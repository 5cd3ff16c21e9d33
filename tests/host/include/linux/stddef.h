/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_HOST_STDDEF_H
#define PHYR_HOST_STDDEF_H

#include <stddef.h>

#define DECLARE_FLEX_ARRAY(type, name) \
	struct { struct { } __empty_##name; type name[]; }

#endif
