// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds memory without a struct page, and revokes it: its mapping is watched.
 *
 * There is no reference to take on a BAR or on hidden memory.  It belongs to
 * its driver, and may be revoked at any time: munmap(), exit(), a driver that
 * zaps its mappings, a device that is removed.  So a list of such memory has a
 * watch, with an mmu interval notifier for each interval of a mapping that it
 * came from.  When one of them is invalidated, the whole list is revoked, for good,
 * before the notifier returns, and so before the memory can be reused:
 *
 *	1. phyr_list_enter() and phyr_list_register_user() return -ENODEV from now on;
 *	2. callers between phyr_list_enter() and phyr_list_leave() are waited
 *	   for: the CPU has stopped;
 *	3. each user's revoke() is called, in the order of registration: devices
 *	   stop, importers unmap, mappings of the IOMMU are torn down.
 *
 * Steps 2 and 3 run in a work item, for which the notifier waits.  They may take
 * locks that are held while memory is reclaimed (a dma-buf's reservation), and
 * lockdep forbids those in a notifier, because a notifier may be called by
 * reclaim.  This one cannot: reclaim, migration and KSM know pages only, and no
 * interval covers anything that has one.
 *
 * The idea of revoking is that of VFIO's dma-bufs; see also
 * Documentation/mm/hmm.rst on mirroring an address space.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "internal.h"
#include "phyr_trace.h"

struct phyr_watch {
	struct kref ref;
	struct list_head entry;		/* in watches */
	struct list_head intervals;	/* in the order of the list */
	struct mutex lock;		/* protects all below */
	struct list_head users;
	struct phyr_user *running;	/* its revoke() is being called */
	wait_queue_head_t idle;
	bool revoked;			/* set once, read without the lock */
	struct work_struct work;
	struct completion done;
};

/* A part of one mapping, of which a list has the memory. */
struct phyr_interval {
	struct mmu_interval_notifier notifier;
	struct list_head entry;
	struct phyr_watch *watch;
	u64 offset;			/* in the list, of its first byte */
	phys_addr_t first, last;	/* everything of it lies between */
	enum phyr_caching caching;
	bool pending;			/* being appended: not in the list yet */
	int error;			/* it was invalidated while pending */
};

/* The CPU's accesses; readers may sleep. */
DEFINE_STATIC_SRCU(access_srcu);

static struct workqueue_struct *watch_wq;
static LIST_HEAD(watches);
static DEFINE_MUTEX(watches_lock);

/* Revoking */

/* The next user, taken off the list and marked as the one that is called. */
static struct phyr_user *user_next(struct phyr_watch *watch)
{
	struct phyr_user *user;

	mutex_lock(&watch->lock);
	user = list_first_entry_or_null(&watch->users, struct phyr_user, entry);
	if (user)
		list_del_init(&user->entry);
	/* pairs with phyr_list_unregister_user(): what the one before has done is visible there */
	smp_store_release(&watch->running, user);
	mutex_unlock(&watch->lock);
	wake_up_all(&watch->idle);
	return user;
}

static void watch_work(struct work_struct *work)
{
	struct phyr_watch *watch = container_of(work, struct phyr_watch, work);
	u64 start = ktime_get_ns();
	struct phyr_user *user;
	unsigned int nr = 0;

	synchronize_srcu_expedited(&access_srcu);
	for (; (user = user_next(watch)); nr++)
		user->revoke(user);
	trace_phyr_revoke(nr, ktime_get_ns() - start);
	complete_all(&watch->done);
}

/* Returns when the memory is no longer used, however many callers there are. */
static void watch_revoke(struct phyr_watch *watch)
{
	bool first;

	mutex_lock(&watch->lock);
	first = !watch->revoked;
	WRITE_ONCE(watch->revoked, true);
	mutex_unlock(&watch->lock);
	if (first)
		queue_work(watch_wq, &watch->work);
	wait_for_completion(&watch->done);
}

/* A mapping that is only protected, migrated or aged still exists. */
static bool event_ends_mapping(enum mmu_notifier_event event)
{
	return event == MMU_NOTIFY_UNMAP || event == MMU_NOTIFY_CLEAR ||
	       event == MMU_NOTIFY_RELEASE;
}

/*
 * A pending interval is not in use.  If it is invalidated, the call that appends
 * fails, and the list is unchanged.
 */
static bool interval_take_back(struct phyr_interval *interval)
{
	bool pending;

	mutex_lock(&interval->watch->lock);
	pending = interval->pending;
	if (pending && !interval->error)
		interval->error = -EFAULT;
	mutex_unlock(&interval->watch->lock);
	return pending;
}

static bool interval_invalidate(struct mmu_interval_notifier *notifier,
				const struct mmu_notifier_range *range, unsigned long seq)
{
	struct phyr_interval *interval = container_of(notifier, struct phyr_interval, notifier);

	if (!event_ends_mapping(range->event))
		return true;
	if (!mmu_notifier_range_blockable(range))
		return false;
	if (!interval_take_back(interval))
		watch_revoke(interval->watch);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = interval_invalidate,
};

/* Devices that are removed: sysfs leaves mappings of their BARs where they are. */

static bool watch_in_bar(struct phyr_watch *watch, struct pci_dev *pdev)
{
	struct phyr_interval *interval;
	bool found = false;

	if (completion_done(&watch->done))
		return false;
	mutex_lock(&watch->lock);
	list_for_each_entry(interval, &watch->intervals, entry) {
		if (!phyr_pci_owns(pdev, interval->first, interval->last))
			continue;
		if (interval->pending)
			interval->error = -ENODEV;
		else
			found = true;
	}
	mutex_unlock(&watch->lock);
	return found;
}

static void watch_release(struct kref *ref)
{
	kfree(container_of(ref, struct phyr_watch, ref));
}

/*
 * A watch that is not revoked yet, or about to be, with a reference; NULL if there
 * is none.
 */
static struct phyr_watch *watch_find(struct pci_dev *pdev)
{
	struct phyr_watch *watch, *found = NULL;

	mutex_lock(&watches_lock);
	list_for_each_entry(watch, &watches, entry) {
		if (watch_in_bar(watch, pdev)) {
			kref_get(&watch->ref);
			found = watch;
			break;
		}
	}
	mutex_unlock(&watches_lock);
	return found;
}

static int watch_pci_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct phyr_watch *watch;

	/* Until REMOVED_DEVICE phyr_pci_removed() still finds the device on the bus. */
	if (event != BUS_NOTIFY_DEL_DEVICE && event != BUS_NOTIFY_REMOVED_DEVICE)
		return NOTIFY_DONE;
	while ((watch = watch_find(pdev))) {
		watch_revoke(watch);
		kref_put(&watch->ref, watch_release);
	}
	return NOTIFY_OK;
}

static struct notifier_block watch_pci = {
	.notifier_call = watch_pci_event,
};

/* Life */

static struct phyr_watch *watch_get(struct phyr_list *list)
{
	struct phyr_watch *watch = list->watch;

	if (watch)
		return watch;
	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return NULL;
	kref_init(&watch->ref);
	INIT_LIST_HEAD(&watch->intervals);
	mutex_init(&watch->lock);
	INIT_LIST_HEAD(&watch->users);
	init_waitqueue_head(&watch->idle);
	INIT_WORK(&watch->work, watch_work);
	init_completion(&watch->done);
	list->watch = watch;
	mutex_lock(&watches_lock);
	list_add(&watch->entry, &watches);
	mutex_unlock(&watches_lock);
	return watch;
}

/**
 * phyr_watch_mapping - hold what comes next in a list by watching its mapping
 * @list: the list; what is appended next is of this mapping
 * @mm: whose mapping it is; the caller holds it as for pin_user_phyrs_remote()
 * @addr: the page to begin at
 * @len: bytes, all in one mapping
 *
 * To be called before the mapping is read: later invalidations are recorded.  Until
 * phyr_watch_commit() nothing of it is in use, and the list is not revoked for it.
 *
 * Context: process, may sleep; without @mm's mmap_lock.
 * Return: 0, -ENODEV if the list is revoked already, -ENOMEM.
 */
int phyr_watch_mapping(struct phyr_list *list, struct mm_struct *mm, unsigned long addr,
		       unsigned long len)
{
	struct phyr_watch *watch = watch_get(list);
	struct phyr_interval *interval;
	int ret;

	if (!watch)
		return -ENOMEM;
	if (READ_ONCE(watch->revoked))
		return -ENODEV;
	interval = kzalloc(sizeof(*interval), GFP_KERNEL_ACCOUNT);
	if (!interval)
		return -ENOMEM;
	interval->watch = watch;
	interval->pending = true;
	interval->offset = phyr_list_len(list);
	interval->first = ~(phys_addr_t)0;
	ret = mmu_interval_notifier_insert(&interval->notifier, mm, addr, len, &interval_ops);
	if (ret) {
		kfree(interval);
		return ret;
	}
	mutex_lock(&watch->lock);
	list_add_tail(&interval->entry, &watch->intervals);
	mutex_unlock(&watch->lock);
	/* An invalidation that began before has ended after this. */
	mmu_interval_read_begin(&interval->notifier);
	return 0;
}

/*
 * @prot is uncached if pgprot_noncached() leaves it unchanged, and so on.  UC comes first: it
 * has the bits of WC on x86.
 */
static enum phyr_caching caching_of(pgprot_t prot)
{
	u64 val = pgprot_val(prot);

	if (pgprot_val(pgprot_noncached(prot)) == val || pgprot_val(pgprot_device(prot)) == val)
		return PHYR_UC;
	return pgprot_val(pgprot_writecombine(prot)) == val ? PHYR_WC : PHYR_WB;
}

/**
 * phyr_watch_record - record where the mapping that is watched leads
 * @list: the list
 * @addr: physical address
 * @len: bytes
 * @prot: how it is mapped
 */
void phyr_watch_record(struct phyr_list *list, phys_addr_t addr, size_t len, pgprot_t prot)
{
	struct phyr_watch *watch = list->watch;
	struct phyr_interval *interval;

	mutex_lock(&watch->lock);
	interval = list_last_entry(&watch->intervals, struct phyr_interval, entry);
	interval->first = min(interval->first, addr);
	interval->last = max(interval->last, addr + len - 1);
	interval->caching = caching_of(prot);
	mutex_unlock(&watch->lock);
}

/* Devices that are removed later find the interval, by the addresses recorded in it. */
static int interval_error(const struct phyr_interval *interval)
{
	if (!interval->pending || interval->error)
		return interval->error;
	return phyr_pci_removed(interval->first, interval->last) ? -ENODEV : 0;
}

/**
 * phyr_watch_commit - make what was appended part of the list
 * @list: the list, of which something is watched
 *
 * Context: process, may sleep.
 * Return: 0; -EFAULT if a mapping that was appended was invalidated meanwhile, -ENODEV if
 * it is a BAR of a device that was removed (the caller removes it from the list then);
 * -ENODEV if the list was revoked.
 */
int phyr_watch_commit(struct phyr_list *list)
{
	struct phyr_watch *watch = list->watch;
	struct phyr_interval *interval;
	int ret = 0;

	mutex_lock(&watch->lock);
	if (watch->revoked)
		ret = -ENODEV;
	list_for_each_entry(interval, &watch->intervals, entry)
		ret = ret ?: interval_error(interval);
	list_for_each_entry(interval, &watch->intervals, entry)
		if (!ret)
			interval->pending = false;
	mutex_unlock(&watch->lock);
	return ret;
}

static void interval_remove(struct phyr_watch *watch, struct phyr_interval *interval)
{
	/* May wait for a revocation, which takes the lock. */
	mmu_interval_notifier_remove(&interval->notifier);
	mutex_lock(&watch->lock);
	list_del(&interval->entry);
	mutex_unlock(&watch->lock);
	kfree(interval);
}

/**
 * phyr_watch_cut - stop watching the end of a list
 * @list: the list, of which something is watched; it is not used from there on
 * @offset: where the end begins
 *
 * Context: process, may sleep: a running revocation is waited for.
 */
void phyr_watch_cut(struct phyr_list *list, u64 offset)
{
	struct phyr_watch *watch = list->watch;
	struct phyr_interval *interval, *next;

	/* Only the list's owner adds or removes intervals. */
	list_for_each_entry_safe(interval, next, &watch->intervals, entry)
		if (interval->offset >= offset)
			interval_remove(watch, interval);
	if (!list_empty(&watch->intervals))
		return;

	mutex_lock(&watches_lock);
	list_del(&watch->entry);
	mutex_unlock(&watches_lock);
	flush_work(&watch->work);
	WARN_ON(!list_empty(&watch->users));
	list->watch = NULL;
	kref_put(&watch->ref, watch_release);
}

/**
 * phyr_watch_caching - how memory without a page is cached by the program
 * @list: the list
 * @offset: a byte of it, of the kind PHYR_PFNMAP
 *
 * Every other mapping of it has to be cached alike.
 *
 * Context: process, may sleep.
 * Return: the caching; PHYR_UC where it is not known.
 */
enum phyr_caching phyr_watch_caching(const struct phyr_list *list, u64 offset)
{
	struct phyr_watch *watch = list->watch;
	enum phyr_caching caching = PHYR_UC;
	struct phyr_interval *interval;

	if (!watch)
		return caching;
	mutex_lock(&watch->lock);
	list_for_each_entry(interval, &watch->intervals, entry)
		if (interval->offset <= offset)
			caching = interval->caching;
	mutex_unlock(&watch->lock);
	return caching;
}

/* Users */

/**
 * phyr_list_revoked - is a list revoked
 * @list: the list
 *
 * Context: any.  The result may be outdated: see phyr_list_enter().
 * Return: true if it is; a list of memory with pages is never revoked.
 */
bool phyr_list_revoked(const struct phyr_list *list)
{
	return list->watch && READ_ONCE(list->watch->revoked);
}
EXPORT_SYMBOL_GPL(phyr_list_revoked);

/**
 * phyr_list_enter - begin access by the CPU to the memory of a list
 * @list: the list
 *
 * Until phyr_list_leave() the memory is not revoked.  A revocation waits for
 * phyr_list_leave(): keep the section short, and wait in it for nothing that a program may
 * hold up.
 *
 * Context: any.
 * Return: what phyr_list_leave() needs, not negative; -ENODEV if the list was
 * revoked.
 */
int phyr_list_enter(const struct phyr_list *list)
{
	int idx;

	if (!list->watch)
		return 0;
	idx = srcu_read_lock(&access_srcu);
	if (!READ_ONCE(list->watch->revoked)) {
		__release(&access_srcu);	/* phyr_list_leave() does; for sparse */
		return idx;
	}
	srcu_read_unlock(&access_srcu, idx);
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(phyr_list_enter);

/**
 * phyr_list_leave - end what phyr_list_enter() began
 * @list: the list
 * @idx: what phyr_list_enter() returned
 *
 * Context: any.
 */
void phyr_list_leave(const struct phyr_list *list, int idx)
{
	if (!list->watch)
		return;
	__acquire(&access_srcu);
	srcu_read_unlock(&access_srcu, idx);
}
EXPORT_SYMBOL_GPL(phyr_list_leave);

/**
 * phyr_list_register_user - register for the revocation of a list
 * @list: the list
 * @user: who is notified; @user->revoke() is called at most once
 *
 * When revoke() returns, nothing may use the memory any more.  It may sleep, but it is
 * waited for:
 *
 * - by munmap(), exit(), mprotect(), and a write to a private mapping, with that program's
 *   mmap_lock and, where they split the mapping of a file, the i_mmap_rwsem of that file
 *   (one for all "resourceN" of sysfs and for /dev/mem);
 * - by a driver that zaps its mappings (unmap_mapping_range()), with the i_mmap_rwsem of
 *   that file, and whatever that driver holds: VFIO its memory_lock;
 * - by the removal of a device, with pci_lock_rescan_remove().
 *
 * So revoke() must not take any of these, a lock that is held while one of them is taken,
 * or one that is held around pinning to this list, or around phyr_list_unregister_user()
 * of the same user, which waits for it.  It must not unregister the user, unmap the
 * mapping or unpin the list itself: that is done afterwards, by somebody else.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENODEV if the list was revoked.
 */
int phyr_list_register_user(const struct phyr_list *list, struct phyr_user *user)
{
	struct phyr_watch *watch = list->watch;
	int ret = 0;

	INIT_LIST_HEAD(&user->entry);
	if (!watch)
		return 0;
	mutex_lock(&watch->lock);
	if (watch->revoked)
		ret = -ENODEV;
	else
		list_add_tail(&user->entry, &watch->users);
	mutex_unlock(&watch->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_register_user);

/**
 * phyr_list_unregister_user - unregister from the revocation of a list
 * @list: the list
 * @user: the one that was registered
 *
 * Context: process, may sleep: waits for a call of @user->revoke().
 */
void phyr_list_unregister_user(const struct phyr_list *list, struct phyr_user *user)
{
	struct phyr_watch *watch = list->watch;

	if (!watch)
		return;
	mutex_lock(&watch->lock);
	list_del_init(&user->entry);
	mutex_unlock(&watch->lock);
	/* pairs with user_next() */
	wait_event(watch->idle, smp_load_acquire(&watch->running) != user);
}
EXPORT_SYMBOL_GPL(phyr_list_unregister_user);

/**
 * phyr_watch_init - get ready to watch
 *
 * Return: 0, or -ENOMEM.
 */
int phyr_watch_init(void)
{
	int ret;

	/* munmap() and exit wait for it, and a task that reclaims memory may wait for them */
	watch_wq = alloc_workqueue("phyr", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!watch_wq)
		return -ENOMEM;
	ret = IS_ENABLED(CONFIG_PCI) ? bus_register_notifier(&pci_bus_type, &watch_pci) : 0;
	if (ret)
		destroy_workqueue(watch_wq);
	return ret;
}

/**
 * phyr_watch_exit - no list is watched any more
 */
void phyr_watch_exit(void)
{
	if (IS_ENABLED(CONFIG_PCI))
		bus_unregister_notifier(&pci_bus_type, &watch_pci);
	destroy_workqueue(watch_wq);
}
