// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/phyr_bench: the same memory in the stock way and as phyrs.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/phyr.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "bench.h"

static enum dma_data_direction list_dir(const struct phyr_list *list)
{
	return phyr_list_read_only(list) ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/* Into an object that is there already, as the stock way's table is. */
static int phyr_map(struct device *dev, const struct phyr_list *list, struct bench_side *side)
{
	struct phyr_dma *dma = phyr_dma_alloc(dev, NULL, GFP_KERNEL);
	u64 start;
	int ret;

	if (!dma)
		return -ENOMEM;
	start = ktime_get_ns();
	ret = phyr_dma_map(dma, list, 0, phyr_list_len(list), list_dir(list), 0);
	side->map_ns = ktime_get_ns() - start;
	if (!ret) {
		side->segments = phyr_dma_nr(dma);
		start = ktime_get_ns();
		phyr_dma_unmap(dma);
		side->unmap_ns = ktime_get_ns() - start;
	}
	phyr_dma_free(dma);
	return ret;
}

static int phyr_map_new(struct device *dev, const struct phyr_list *list,
			struct bench_side *side)
{
	struct phyr_dma *dma;
	u64 start = ktime_get_ns();
	int ret = -ENOMEM;

	dma = phyr_dma_alloc(dev, NULL, GFP_KERNEL_ACCOUNT);
	if (dma)
		ret = phyr_dma_map(dma, list, 0, phyr_list_len(list), list_dir(list), 0);
	side->map_new_ns = ktime_get_ns() - start;
	if (!ret)
		phyr_dma_unmap(dma);
	phyr_dma_free(dma);
	return ret;
}

/* In turns, as the second one finds some things warm. */
static int phyr_maps(struct device *dev, const struct phyr_list *list, bool new_first,
		     struct bench_side *side)
{
	if (new_first)
		return phyr_map_new(dev, list, side) ?: phyr_map(dev, list, side);
	return phyr_map(dev, list, side) ?: phyr_map_new(dev, list, side);
}

static int phyr_pin(struct mm_struct *mm, struct phyr_list *list, const struct bench_run *run,
		    unsigned int gup_flags)
{
	if (mm == current->mm)
		return pin_user_phyr_list(list, run->addr, run->len, gup_flags);
	return pin_user_phyr_list_remote(list, mm, run->addr, run->len, gup_flags);
}

static void phyr_run(struct device *dev, struct mm_struct *mm, const struct bench_run *run,
		     struct bench_side *side)
{
	unsigned int gup_flags = (run->flags & BENCH_WRITE ? FOLL_WRITE : 0) |
				 (run->flags & BENCH_SHORT ? FOLL_PCI_P2PDMA : FOLL_LONGTERM) |
				 phyr_foll_pfnmap();
	struct phyr_list list;
	u64 start;
	int ret;

	start = ktime_get_ns();
	phyr_list_init(&list);
	ret = phyr_pin(mm, &list, run, gup_flags);
	side->pin_ns = ktime_get_ns() - start;
	if (!ret) {
		side->entries = phyr_list_nr(&list);
		side->bytes = sizeof(list) + phyr_list_bytes(&list);
		if (run->flags & BENCH_MAP)
			ret = phyr_maps(dev, &list, run->flags & BENCH_PHYR_FIRST, side);
		start = ktime_get_ns();
		unpin_user_phyr_list(&list, run->flags & BENCH_DIRTY);
		side->unpin_ns = ktime_get_ns() - start;
	}
	side->error = -ret;
}

/* The process's memory, with a reference; NULL if there is no such process. */
static struct mm_struct *bench_mm(pid_t pid)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *ref;

	if (!pid)
		return get_task_mm(current);
	ref = find_get_pid(pid);
	task = get_pid_task(ref, PIDTYPE_PID);
	put_pid(ref);
	if (!task)
		return NULL;
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm;
}

static long bench_run(struct bench_run __user *arg)
{
	struct pci_dev *edu = pci_get_device(0x1234, 0x11e8, NULL);
	struct device *dev = edu && edu->dev.driver ? &edu->dev : NULL;
	struct mm_struct *mm = NULL;
	struct bench_run run;
	long ret = -EFAULT;

	if (copy_from_user(&run, arg, sizeof(run)))
		goto put;
	ret = -ENODEV;
	if (run.flags & BENCH_MAP && !dev)
		goto put;
	ret = -ESRCH;
	mm = bench_mm(run.pid);
	if (!mm)
		goto put;
	memset(&run.stock, 0, sizeof(run.stock));
	memset(&run.phyr, 0, sizeof(run.phyr));
	if (run.flags & BENCH_PHYR_FIRST)
		phyr_run(dev, mm, &run, &run.phyr);
	stock_run(dev, mm, &run, &run.stock);
	if (!(run.flags & BENCH_PHYR_FIRST))
		phyr_run(dev, mm, &run, &run.phyr);
	/* what stock cannot pin, GUP cannot either */
	ret = run.stock.error ? 0 : gup_alone(mm, &run, &run.gup_ns);
	if (!ret)
		ret = copy_to_user(arg, &run, sizeof(run)) ? -EFAULT : 0;
put:
	if (mm)
		mmput(mm);
	pci_dev_put(edu);
	return ret;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case BENCH_IOC_RUN:
		return bench_run((void __user *)arg);
	case BENCH_IOC_CPU:
		return bench_cpu((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_bench",
	.fops = &bench_fops,
	.mode = 0600,
};
module_misc_device(bench_misc);

MODULE_DESCRIPTION("Pinning and mapping memory: the stock way against phyrs");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
