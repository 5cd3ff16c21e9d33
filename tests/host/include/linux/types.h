/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/ needs of the kernel, for a build in user space. */
#ifndef PHYR_HOST_TYPES_H
#define PHYR_HOST_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned int gfp_t;

/* -DPHYR_HOST_PHYS32: a 32-bit machine without PAE. */
#ifdef PHYR_HOST_PHYS32
typedef u32 phys_addr_t;
#else
typedef u64 phys_addr_t;
#endif

#ifndef __packed
#define __packed __attribute__((__packed__))
#endif

/* Says to leave a variable alone where the compiler clears all others. */
#define __uninitialized

#endif
