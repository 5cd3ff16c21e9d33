/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_HOST_MINMAX_H
#define PHYR_HOST_MINMAX_H

#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))

#endif
