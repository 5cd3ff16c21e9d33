// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is pinned counts against RLIMIT_MEMLOCK.
 *
 * It counts twice, as in the kernel's own drivers: in the mm that pins, as RDMA
 * counts, and for the user, as io_uring counts, because pinned memory may outlive
 * the process.  A request that passes either limit is refused before it changes a count,
 * so it does not make others fail.
 */
#include <linux/capability.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "compat.h"
#include "internal.h"

static unsigned long memlock_pages(void)
{
	return rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/* Is there room for @pages more, of which @used are in use? */
static bool fits(u64 used, unsigned long pages)
{
	unsigned long limit = memlock_pages();

	return used <= limit && pages <= limit - used;
}

/**
 * phyr_account_mm - count pages as pinned by the current process
 * @pages: how many
 *
 * For pins that other code subtracts from mm->pinned_vm when they end, as ib_core does.
 *
 * Context: process, with an mm of its own; does not sleep.
 * Return: 0; -ENOMEM over RLIMIT_MEMLOCK without CAP_IPC_LOCK.
 */
int phyr_account_mm(unsigned long pages)
{
	atomic64_t *count = &current->mm->pinned_vm;
	s64 used = atomic64_read(count);

	while (fits(used, pages))
		if (atomic64_try_cmpxchg(count, &used, used + pages))
			return 0;
	if (!capable(CAP_IPC_LOCK))
		return -ENOMEM;
	atomic64_add(pages, count);
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_account_mm);

/* What a privileged process pins beyond the limit is not counted for its user. */
static int account_user(struct phyr_account *account, unsigned long pages)
{
	struct user_struct *user = current_user();
	long used = atomic_long_read(&user->locked_vm);

	while (fits(used, pages)) {
		if (!atomic_long_try_cmpxchg(&user->locked_vm, &used, used + pages))
			continue;
		account->user = get_uid(user);
		return 0;
	}
	return capable(CAP_IPC_LOCK) ? 0 : -ENOMEM;
}

/**
 * phyr_account - count pages as pinned, by the current process and its user
 * @account: filled in, for phyr_unaccount()
 * @pages: how many
 *
 * Kernel threads have no limit, and nothing is counted.
 *
 * Context: process; does not sleep.
 * Return: 0; -ENOMEM over RLIMIT_MEMLOCK without CAP_IPC_LOCK:
 * then nothing is counted.
 */
int phyr_account(struct phyr_account *account, unsigned long pages)
{
	int ret;

	*account = (struct phyr_account) { 0 };
	if (!current->mm)
		return 0;
	if (!fits(atomic_long_read(&current_user()->locked_vm), pages) && !capable(CAP_IPC_LOCK))
		return -ENOMEM;
	ret = phyr_account_mm(pages);
	if (ret)
		return ret;
	ret = account_user(account, pages);
	if (ret) {
		atomic64_sub(pages, &current->mm->pinned_vm);
		return ret;
	}
	account->pages = pages;
	account->mm = current->mm;
	mmgrab(account->mm);
	return 0;
}

/**
 * phyr_unaccount - stop counting what phyr_account() counted
 * @account: what it filled in; fine if nothing is counted
 *
 * Context: process; does not sleep.
 */
void phyr_unaccount(struct phyr_account *account)
{
	if (account->user) {
		atomic_long_sub(account->pages, &account->user->locked_vm);
		free_uid(account->user);
	}
	if (account->mm) {
		atomic64_sub(account->pages, &account->mm->pinned_vm);
		mmdrop(account->mm);
	}
	*account = (struct phyr_account) { 0 };
}
