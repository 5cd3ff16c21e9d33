// SPDX-License-Identifier: GPL-2.0-only
/* The trace events, see phyr_trace.h. */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "phyr_trace.h"
