// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends the callers of a function to another one.
 *
 * Every function of a kernel with ftrace begins with a place to call ftrace
 * from.  Either that is made to call a stub of ours directly, in the way of BPF's
 * trampolines, which costs a handful of instructions; or, where something else is
 * called directly already, an ftrace handler changes where execution goes on, in
 * the way of livepatching, which costs some hundred.  Unlike a livepatch both can
 * call the original, so that whatever phyr does not know stays with code that does,
 * and they cannot be switched off under memory regions that live: the module's
 * reference count says so.
 */
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "hook.h"

DEFINE_PER_CPU(long, hook_active);

/* Not exported, but a kprobe finds it. */
DEFINE_STATIC_CALL_NULL(lookup, kallsyms_lookup_name);

/* Not exported either. */
DEFINE_STATIC_CALL_NULL(location, ftrace_location);

/* Nor this one, which is there if there are direct calls: only for a message. */
DEFINE_STATIC_CALL_NULL(find_direct, ftrace_find_rec_direct);
static bool has_direct;

/*
 * The sysctl kernel.ftrace_enabled would take the hooks away under regions that
 * only their replacements can read.  It refuses as long as a permanent user of
 * ftrace is registered, and such a user cannot register while it is 0.  Direct
 * calls are not permanent: older kernels set the flags of their ops anew.  So
 * there is one that is, at a function that nobody calls, before the first hook is
 * set and after the last one is gone.
 */
static noinline void hook_lock_target(void)
{
	barrier();
}

static void notrace hook_lock_handler(unsigned long ip, unsigned long parent_ip,
				      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops hook_lock = {
	.func = hook_lock_handler,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static int hook_lock_on(void)
{
	int ret = ftrace_set_filter_ip(&hook_lock, (unsigned long)hook_lock_target, 0, 0);

	if (!ret)
		ret = register_ftrace_function(&hook_lock);
	if (ret)
		ftrace_free_filter(&hook_lock);
	if (ret == -EBUSY)
		pr_err("phyr_rdma: kernel.ftrace_enabled is 0, no function can be hooked\n");
	return ret;
}

static int hook_find_functions(void)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,	/* its address is all that is wanted */
	};
	int ret = register_kprobe(&probe);
	unsigned long addr;

	if (ret)
		return ret;
	static_call_update(lookup, (typeof(kallsyms_lookup_name) *)probe.addr);
	unregister_kprobe(&probe);
	addr = static_call(lookup)("ftrace_location");
	if (!addr)
		return -ENOENT;
	static_call_update(location, (typeof(ftrace_location) *)addr);
	addr = static_call(lookup)("ftrace_find_rec_direct");
	if (addr)
		static_call_update(find_direct, (typeof(ftrace_find_rec_direct) *)addr);
	has_direct = addr;
	return 0;
}

/**
 * hook_init - get ready to hook functions
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT, or what register_kprobe() returned; -EBUSY if ftrace is
 * switched off; -ENOMEM.
 */
int hook_init(void)
{
	int ret = hook_find_functions();

	return ret ?: hook_lock_on();
}

/**
 * hook_exit - what hook_init() did, undone
 *
 * Context: process, may sleep.  No function is hooked any more.
 */
void hook_exit(void)
{
	unregister_ftrace_function(&hook_lock);
	ftrace_free_filter(&hook_lock);
}

/**
 * hook_lookup - the address of a symbol
 * @module: the module that has it
 * @name: its name
 *
 * Context: process, may sleep.
 * Return: its address, or 0.
 */
unsigned long hook_lookup(const char *module, const char *name)
{
	char symbol[KSYM_NAME_LEN];

	snprintf(symbol, sizeof(symbol), "%s:%s", module, name);
	return static_call(lookup)(symbol) ?: static_call(lookup)(name);
}

/*
 * A function has one direct call, and BPF's programs at functions (fentry, fexit) are
 * direct calls too.  A handler that changes where execution goes on can be there
 * beside one: BPF calls its program, and then what the handler says.
 */

/* Whether functions are left free for others to call something directly from. */
bool hook_share;

#define HANDLER_TRIES	1000	/* of a millisecond, see below */

static void notrace hook_redirect(unsigned long ip, unsigned long parent_ip,
				  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, handler);

	ftrace_regs_set_instruction_pointer(fregs, hook->to);
}

/*
 * One that could not be registered may have been in ftrace's list for a moment.
 * Freeing a filter leaves pointers to it: the next user starts with nothing.
 */
static void ops_free(struct ftrace_ops *ops)
{
	synchronize_rcu();
	ftrace_free_filter(ops);
	memset(ops, 0, sizeof(*ops));
}

/* BPF says -EAGAIN, after a millisecond, if it is busy with this function. */
static int handler_register(struct hook *hook)
{
	unsigned int tries = HANDLER_TRIES;
	int ret;

	hook->handler.func = hook_redirect;
	hook->handler.flags = FTRACE_OPS_FL_IPMODIFY;
	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_ARGS))
		hook->handler.flags |= FTRACE_OPS_FL_SAVE_REGS;
	ret = ftrace_set_filter_ip(&hook->handler, hook->addr, 0, 0);
	if (ret)
		return ret;
	do
		ret = register_ftrace_function(&hook->handler);
	while (ret == -EAGAIN && --tries);
	if (ret)
		ops_free(&hook->handler);
	hook->shared = !ret;
	return ret;
}

static void handler_unregister(struct hook *hook)
{
	unregister_ftrace_function(&hook->handler);
	ops_free(&hook->handler);
}

#if HOOK_DIRECT

static int direct_register(struct hook *hook)
{
	int ret = ftrace_set_filter_ip(&hook->direct, hook->addr, 0, 0);

	if (ret)
		return ret;
	ret = register_ftrace_direct(&hook->direct, hook->stub);
	if (ret)
		ops_free(&hook->direct);
	hook->shared = false;
	return ret;
}

static void direct_unregister(struct hook *hook)
{
	unregister_ftrace_direct(&hook->direct, hook->stub, false);
	ops_free(&hook->direct);
}

#else

static int direct_register(struct hook *hook)
{
	return -EBUSY;
}

static void direct_unregister(struct hook *hook)
{
}

#endif

/* The function's other direct call, or 0. */
static unsigned long other_caller(unsigned long place)
{
	return has_direct ? static_call(find_direct)(place) : 0;
}

static int hook_redirect_on(struct hook *hook, unsigned long place)
{
	int ret = hook_share ? -EBUSY : direct_register(hook);
	unsigned long other;

	if (ret != -EBUSY)
		return ret;
	other = other_caller(place);
	ret = handler_register(hook);
	if (!ret && other)
		pr_info("phyr_rdma: %s is shared with %ps, its calls take a little longer\n",
			hook->name, (void *)other);
	return ret;
}

static void hook_redirect_off(struct hook *hook)
{
	if (hook->shared)
		handler_unregister(hook);
	else
		direct_unregister(hook);
}

/* Calls of the original go past the place from which it calls ftrace. */
static int hook_replace(struct hook *hook)
{
	unsigned long place = static_call(location)(hook->addr);

	if (!place)
		return -EINVAL;
	hook->found(place + MCOUNT_INSN_SIZE);
	return hook_redirect_on(hook, place);
}

static int hook_one(struct hook *hook)
{
	int ret;

	hook->addr = hook_lookup(hook->module, hook->name);
	if (!hook->addr) {
		pr_err("phyr_rdma: this kernel's %s has no function %s\n", hook->module,
		       hook->name);
		return -ENOENT;
	}
	if (!hook->to) {
		hook->found(hook->addr);
		return 0;
	}
	ret = hook_replace(hook);
	if (ret) {
		hook->addr = 0;
		pr_err("phyr_rdma: failed to hook %s (%d), left unmodified%s\n", hook->name, ret,
		       ret == -EBUSY ? ": something else redirects it, such as a livepatch" : "");
	}
	return ret;
}

/**
 * hook_off - give functions back
 * @hooks: the functions; one that is not replaced is left alone
 * @nr: how many
 *
 * Somebody may still be in a replacement afterwards, see hook_drain().
 *
 * Context: process, may sleep.
 */
void hook_off(struct hook *const *hooks, unsigned int nr)
{
	while (nr--) {
		struct hook *hook = hooks[nr];

		if (!hook->addr || !hook->to)
			continue;
		hook_redirect_off(hook);
		hook->addr = 0;
	}
}

/**
 * hook_on - replace functions, all or none
 * @hooks: the functions
 * @nr: how many
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT for a function that this kernel does not have; -EBUSY if
 * something else redirects one, such as a livepatch; -EAGAIN if BPF changes its
 * programs at one all the time; -EINVAL if ftrace cannot reach one; -ENOMEM.
 */
int hook_on(struct hook *const *hooks, unsigned int nr)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = hook_one(hooks[i]);
		if (ret) {
			hook_off(hooks, i);
			hook_drain();
			return ret;
		}
	}
	return 0;
}

static long hook_running(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(hook_active, cpu));
	return sum;
}

/**
 * hook_drain - wait until nobody runs a replacement any more
 *
 * After hook_off().  A grace period of RCU tasks: whoever was on the way in
 * has begun with hook_enter(), and the count only goes down.  Another one:
 * whoever has counted down has done its last instructions too.
 *
 * Context: process, may sleep.
 */
void hook_drain(void)
{
	synchronize_rcu_tasks();
	while (hook_running())
		msleep(20);
	synchronize_rcu_tasks();
}
