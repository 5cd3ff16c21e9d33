// SPDX-License-Identifier: GPL-2.0-only
/* Modules that come and go, as a part of this one. */
#include "../hook/part.c"
