/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#include "bench_ioctl.h"

struct device;

void stock_run(struct device *dev, struct mm_struct *mm, const struct bench_run *run,
	       struct bench_side *side);
long bench_cpu(struct bench_cpu __user *arg);
int gup_alone(struct mm_struct *mm, const struct bench_run *run, u64 *ns);

#endif
