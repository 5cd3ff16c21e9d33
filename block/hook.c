// SPDX-License-Identifier: GPL-2.0-only
/* Each module has hooks of its own. */
#include "../hook/hook.c"
