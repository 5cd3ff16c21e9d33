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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "hook.h"

/* Every hook that was set once. */
static LIST_HEAD(all_hooks);
static DEFINE_MUTEX(all_hooks_lock);

/* While calls are made that have to reach a replacement, by this task. */
DEFINE_STATIC_KEY_FALSE(hook_testing);
static struct task_struct *hook_tester;

/* Not exported, but a kprobe finds it. */
DEFINE_STATIC_CALL_NULL(lookup, kallsyms_lookup_name);

/* Not exported either. */
DEFINE_STATIC_CALL_NULL(location, ftrace_location);

/* Nor this one. */
DEFINE_STATIC_CALL_NULL(find_mod, find_module);

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
		pr_err("kernel.ftrace_enabled is 0, no function can be hooked\n");
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
	addr = static_call(lookup)("find_module");
	if (!addr)
		return -ENOENT;
	static_call_update(find_mod, (typeof(find_module) *)addr);
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

/**
 * hook_module_get - keep a module while its functions are hooked
 * @name: its name
 *
 * Context: process, may sleep.
 * Return: the module, for module_put(); NULL if none is called so, as where it is built in;
 * ERR_PTR(-EAGAIN) if it is coming or going: its notifications say when it is there.
 */
struct module *hook_module_get(const char *name)
{
	struct module *mod;

	rcu_read_lock();
	preempt_disable();	/* find_module() of older kernels insists on it */
	mod = static_call(find_mod)(name);
	if (mod && (READ_ONCE(mod->state) != MODULE_STATE_LIVE || !try_module_get(mod)))
		mod = ERR_PTR(-EAGAIN);
	preempt_enable();
	rcu_read_unlock();
	return mod;
}

/*
 * A function has one direct call, and BPF's programs at functions (fentry, fexit) are
 * direct calls too.  A handler that changes where execution goes on can be there
 * beside one: BPF calls its program, and then what the handler says.
 */

/* Whether functions are left free for others to call something directly from. */
static bool share;
module_param(share, bool, 0444);
MODULE_PARM_DESC(share, "let BPF attach to hooked functions, which then take longer to call");

#define HANDLER_TRIES	1000	/* of a millisecond, see below */

static void notrace hook_redirect(unsigned long ip, unsigned long parent_ip,
				  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, handler);

	ftrace_regs_set_instruction_pointer(fregs, hook->to);
}

/* Freeing a filter leaves pointers to it: the next user starts with nothing. */
static void ops_free(struct ftrace_ops *ops)
{
	ftrace_free_filter(ops);
	memset(ops, 0, sizeof(*ops));
}

/* One that could not be registered may have been in ftrace's list for a moment. */
static void ops_abandon(struct ftrace_ops *ops)
{
	synchronize_rcu();
	ops_free(ops);
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
		ops_abandon(&hook->handler);
	hook->shared = !ret;
	return ret;
}

static struct ftrace_ops *handler_unregister(struct hook *hook)
{
	unregister_ftrace_function(&hook->handler);
	return &hook->handler;
}

#if HOOK_DIRECT

static int direct_register(struct hook *hook)
{
	int ret = ftrace_set_filter_ip(&hook->direct, hook->addr, 0, 0);

	if (ret)
		return ret;
	ret = register_ftrace_direct(&hook->direct, hook->stub);
	if (ret)
		ops_abandon(&hook->direct);
	hook->shared = false;
	return ret;
}

static struct ftrace_ops *direct_unregister(struct hook *hook)
{
	unregister_ftrace_direct(&hook->direct, hook->stub, false);
	return &hook->direct;
}

#else

static int direct_register(struct hook *hook)
{
	return -EBUSY;
}

static struct ftrace_ops *direct_unregister(struct hook *hook)
{
	return NULL;
}

#endif

/* The function's other direct call, or 0. */
static unsigned long other_caller(unsigned long place)
{
	return has_direct ? static_call(find_direct)(place) : 0;
}

static int hook_redirect_on(struct hook *hook, unsigned long place)
{
	int ret = share ? -EBUSY : direct_register(hook);
	unsigned long other;

	if (ret != -EBUSY)
		return ret;
	other = other_caller(place);
	ret = handler_register(hook);
	if (!ret && other)
		pr_info("%s is shared with %ps, its calls take a little longer\n",
			hook->name, (void *)other);
	return ret;
}

static void hook_redirect_off(struct hook *hook)
{
	hook->spent = hook->shared ? handler_unregister(hook) : direct_unregister(hook);
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

static void hook_add(struct hook *hook)
{
	mutex_lock(&all_hooks_lock);
	if (!hook->node.next)
		list_add_tail(&hook->node, &all_hooks);
	mutex_unlock(&all_hooks_lock);
}

/* Calls of a replacement. */
static unsigned long hook_all_entered(const struct hook *hook)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(hook->count, cpu)->entered);
	return sum;
}

static int hook_one(struct hook *hook)
{
	int ret;

	hook->bypassed = false;
	hook->addr = hook_lookup(hook->module, hook->name);
	if (!hook->addr) {
		pr_err("this kernel's %s has no function %s\n", hook->module,
		       hook->name);
		return -ENOENT;
	}
	if (!hook->to) {
		hook->found(hook->addr);
		return 0;
	}
	hook_add(hook);
	hook->base = hook_all_entered(hook);
	ret = hook_replace(hook);
	if (ret) {
		hook->addr = 0;
		pr_err("failed to hook %s (%d), left unmodified%s\n", hook->name, ret,
		       ret == -EBUSY ? ": something else redirects it, such as a livepatch" : "");
	}
	return ret;
}

/**
 * hook_entered - calls of a replacement
 * @hook: the function
 *
 * Context: any.
 * Return: how many there have been since hook_on().
 */
unsigned long hook_entered(const struct hook *hook)
{
	return hook_all_entered(hook) - hook->base;
}

/**
 * hook_reached - a replacement has begun, while functions are tested
 * @hook: the function
 *
 * Context: any.
 */
void hook_reached(struct hook *hook)
{
	if (READ_ONCE(hook_tester) == current)
		hook->reached = true;
}

/**
 * hook_bypassed - record that a function was bypassed
 * @hook: the function
 *
 * A compiler may put a copy of a function where it is called.  ftrace still finds the
 * function, and its replacement is never called.  For those who see that something was
 * done that only the function does, and its replacement was not called.
 *
 * Context: any.
 */
void hook_bypassed(struct hook *hook)
{
	if (xchg(&hook->bypassed, true))
		return;
	pr_warn("calls of %s in %s bypass its hook (inlined by the compiler?)\n",
		hook->name, hook->module);
}

/* The replacement is set, and the function's callers come to it. */
static int hook_test(struct hook *hook)
{
	int ret;

	if (!hook->test)
		return 0;
	hook->reached = false;
	ret = hook->test();
	if (ret < 0)
		return ret;
	if (!ret && !hook->reached) {
		hook_bypassed(hook);
		return -EOPNOTSUPP;
	}
	hook->base = hook_all_entered(hook);
	return 0;
}

static int hook_test_all(struct hook *const *hooks, unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	WRITE_ONCE(hook_tester, current);
	static_branch_enable(&hook_testing);
	for (i = 0; i < nr && !ret; i++)
		ret = hook_test(hooks[i]);
	static_branch_disable(&hook_testing);
	WRITE_ONCE(hook_tester, NULL);
	return ret;
}

/**
 * hook_off - give functions back
 * @hooks: the functions; one that is not replaced is left alone
 * @nr: how many
 *
 * A replacement may still be running afterwards, see hook_drain().
 *
 * Context: process, may sleep.
 */
void hook_off(struct hook *const *hooks, unsigned int nr)
{
	unsigned int i;

	for (i = nr; i--;) {
		struct hook *hook = hooks[i];

		if (!hook->addr || !hook->to)
			continue;
		hook_redirect_off(hook);
		WRITE_ONCE(hook->addr, 0);
	}
	synchronize_rcu();	/* what runs through ftrace's list */
	for (i = 0; i < nr; i++) {
		if (hooks[i]->spent)
			ops_free(hooks[i]->spent);
		hooks[i]->spent = NULL;
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
 * programs at one all the time; -EINVAL if ftrace cannot reach one; -EOPNOTSUPP if
 * one is not what its callers call; -ENOMEM.
 */
int hook_on(struct hook *const *hooks, unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = hook_one(hooks[i]);
	if (!ret)
		ret = hook_test_all(hooks, nr);
	if (ret) {
		hook_off(hooks, nr);
		hook_drain();
	}
	return ret;
}

/* Calls of the replacement now: none begins any more, so the sum only gets smaller. */
static bool hook_running(const struct hook *hook)
{
	unsigned long left = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		left += READ_ONCE(per_cpu_ptr(hook->count, cpu)->left);
	return hook_all_entered(hook) != left;
}

/**
 * hook_drain - wait until no replacement runs of a function that is not hooked
 *
 * After hook_off().  After a grace period of RCU tasks, a task that was on its way
 * to a replacement has counted in hook_enter(), and no more begin.  After another
 * one, a task that has counted in hook_leave() has returned too.  Functions that are
 * still hooked are not waited for.
 *
 * Context: process, may sleep.
 */
void hook_drain(void)
{
	struct hook *hook;

	synchronize_rcu_tasks();
	/* nothing adds to the list meanwhile: no lock to hold while waiting */
	list_for_each_entry(hook, &all_hooks, node)
		while (!hook->addr && hook_running(hook))
			msleep(20);
	synchronize_rcu_tasks();
}

/* How a function is replaced now. */
static const char *hook_how(const struct hook *hook)
{
	if (!hook->addr)
		return "not hooked";
	if (hook->bypassed)
		return "bypassed";
	return hook->shared ? "shared" : "direct";
}

/* What is replaced, and how often it was called. */
static int hooks_get(char *buffer, const struct kernel_param *kp)
{
	struct hook *hook;
	int len = 0;

	mutex_lock(&all_hooks_lock);
	list_for_each_entry(hook, &all_hooks, node)
		len += sysfs_emit_at(buffer, len, "%s %s %lu %s\n", hook->module, hook->name,
				     hook_entered(hook), hook_how(hook));
	mutex_unlock(&all_hooks_lock);
	return len;
}

static const struct kernel_param_ops hooks_ops = {
	.get = hooks_get,
};
module_param_cb(hooks, &hooks_ops, NULL, 0444);
MODULE_PARM_DESC(hooks, "functions that are hooked: module, name, calls, how");
