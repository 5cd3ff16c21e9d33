// SPDX-License-Identifier: GPL-2.0-only
/* The search for members of structures, as a part of this module. */
#include "../hook/layout.c"
