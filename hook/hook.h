/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function of a running kernel, replaced for as long as this module lives.
 *
 *	HOOK("rdma_rxe", rxe_mr_copy);	the function as its header declares it
 *	HOOK(..., .test = copy_test);	with a call that has to reach the replacement
 *	replacement_rxe_mr_copy()	what runs instead, from hook_enter(rxe_mr_copy)
 *					to hook_leave(rxe_mr_copy)
 *	stock(rxe_mr_copy)(...)		the original, from within the replacement
 *	FUNCTION("rdma_rxe", rxe_mr_init);	one that is just called, with stock()
 */
#ifndef PHYR_HOOK_H
#define PHYR_HOOK_H

#include <linux/ftrace.h>
#include <linux/jump_label.h>
#include <linux/linkage.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/static_call.h>

/**
 * struct hook_count - calls of a replacement, on one CPU
 * @entered: how many have begun here
 * @left: how many have ended here
 */
struct hook_count {
	unsigned long entered;
	unsigned long left;
};

/**
 * struct hook - one function to replace
 * @module: where it lives
 * @name: what it is called
 * @to: what runs instead; 0 if it is not replaced, just called
 * @stub: what the function's own first instruction calls, to go on at @to
 * @found: called with the function's address, for stock()
 * @test: calls the function as its callers do, with arguments that make it return at
 *	once; 0, a negative errno if there was no memory for the call, or 1 if it cannot
 *	be made here; NULL if there is no such call
 * @count: per CPU, calls of the replacement
 * @direct: ftrace's side of it, while the function calls @stub
 * @handler: ftrace's side of it, while an ftrace handler redirects it
 * @addr: the function's address, while it is replaced
 * @spent: the one of the two that was unregistered, and is to be freed
 * @shared: @handler is in use, @direct is not
 * @reached: the call of @test has reached the replacement
 * @bypassed: callers were seen that did not come through the function
 * @base: calls of the replacement before those that are reported
 * @node: in the list of all hooks
 */
struct hook {
	const char *module;
	const char *name;
	unsigned long to;
	unsigned long stub;
	void (*found)(unsigned long addr);
	int (*test)(void);
	struct hook_count __percpu *count;
	struct ftrace_ops direct;
	struct ftrace_ops handler;
	struct ftrace_ops *spent;
	unsigned long addr;
	bool shared;
	bool reached;
	bool bypassed;
	unsigned long base;
	struct list_head node;
};

DECLARE_STATIC_KEY_FALSE(hook_testing);

/*
 * Where ftrace can have a function call something else right away, that is a
 * stub, which returns to the replacement and not to the function: as many
 * returns as there were calls, so that the processor goes on predicting them.
 * Newer kernels take an odd address to mean something else.
 */
#if defined(CONFIG_X86_64) && defined(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)
#define HOOK_DIRECT	1
#define __HOOK_STUB(function)							\
	asmlinkage void hook_stub_##function(void);				\
	asm(".pushsection .text, \"ax\"\n"					\
	    ".balign 16\n"							\
	    ".type hook_stub_" #function ", @function\n"			\
	    "hook_stub_" #function ":\n\t"					\
	    ASM_ENDBR								\
	    "movq $replacement_" #function ", (%rsp)\n\t"			\
	    ASM_RET								\
	    ".size hook_stub_" #function ", . - hook_stub_" #function "\n"	\
	    ".popsection")
#define __HOOK_STUB_OF(function)	((unsigned long)hook_stub_##function)
#else
#define HOOK_DIRECT	0
#define __HOOK_STUB(function)		struct hook_stub_##function
#define __HOOK_STUB_OF(function)	0
#endif

/*
 * The original is called directly, not through a pointer: it may be one that
 * nothing may jump to (IBT).
 */
#define stock(function)		__STOCK(function)
#define __STOCK(function)	static_call(stock_##function)

#define __HOOK_STOCK(_function)							\
	DEFINE_STATIC_CALL_NULL(stock_##_function, _function);			\
	static void stock_##_function##_found(unsigned long addr)		\
	{									\
		static_call_update(stock_##_function, (typeof(_function) *)addr);	\
	}

/* The name of a function may be a macro. */
#define HOOK(module, function, ...)	__HOOK(module, function, ##__VA_ARGS__)
#define FUNCTION(module, function)	__FUNCTION(module, function)
#define hook_of(function)		__HOOK_OF(function)
#define replacement_of(function)	__REPLACEMENT_OF(function)
#define __HOOK_OF(function)		hook_##function
#define __REPLACEMENT_OF(function)	replacement_##function

#define __HOOK(_module, _function, ...)						\
	__HOOK_STOCK(_function)							\
	static typeof(_function) replacement_##_function;			\
	__HOOK_STUB(_function);							\
	static DEFINE_PER_CPU(struct hook_count, hook_count_##_function);	\
	static struct hook hook_##_function = {					\
		.module = _module,						\
		.name = #_function,						\
		.to = (unsigned long)replacement_##_function,			\
		.stub = __HOOK_STUB_OF(_function),				\
		.found = stock_##_function##_found,				\
		.count = &hook_count_##_function,				\
		##__VA_ARGS__							\
	}

/* A function that is not exported, to be called with stock(). */
#define __FUNCTION(_module, _function)						\
	__HOOK_STOCK(_function)							\
	static struct hook hook_##_function = {					\
		.module = _module,						\
		.name = #_function,						\
		.found = stock_##_function##_found,				\
	}

/*
 * The first and the last thing that a replacement does.  That the callers of a
 * function come to its replacement is tested once, when the function is replaced:
 * until then and afterwards the test is an instruction that does nothing.
 */
#define hook_enter(function)	__HOOK_ENTER(function)
#define hook_leave(function)	__HOOK_LEAVE(function)
#define __HOOK_ENTER(function)							\
	do {									\
		this_cpu_inc(hook_count_##function.entered);			\
		if (static_branch_unlikely(&hook_testing))			\
			hook_reached(&hook_##function);				\
	} while (0)
#define __HOOK_LEAVE(function)							\
	this_cpu_inc(hook_count_##function.left)

int hook_init(void);
void hook_exit(void);
struct module *hook_module_get(const char *name);
unsigned long hook_lookup(const char *module, const char *name);
int hook_on(struct hook *const *hooks, unsigned int nr);
void hook_off(struct hook *const *hooks, unsigned int nr);
void hook_drain(void);
void hook_reached(struct hook *hook);
unsigned long hook_entered(const struct hook *hook);
void hook_bypassed(struct hook *hook);

#endif /* PHYR_HOOK_H */
