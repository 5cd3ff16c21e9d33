/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function of a running kernel, replaced for as long as this module lives.
 *
 *	HOOK("rdma_rxe", rxe_mr_copy);	the function as its header declares it
 *	replacement_rxe_mr_copy()	what runs instead, from hook_enter() to hook_leave()
 *	stock(rxe_mr_copy)(...)		the original, from within the replacement
 *	FUNCTION("rdma_rxe", rxe_mr_init);	one that is just called, with stock()
 */
#ifndef PHYR_RDMA_HOOK_H
#define PHYR_RDMA_HOOK_H

#include <linux/ftrace.h>
#include <linux/linkage.h>
#include <linux/percpu.h>
#include <linux/static_call.h>

/**
 * struct hook - one function to replace
 * @module: where it lives
 * @name: what it is called
 * @to: what runs instead; 0 if it is not replaced, just called
 * @stub: what the function's own first instruction calls, to go on at @to
 * @found: told the function's address, for stock()
 * @direct: ftrace's side of it, while the function calls @stub
 * @handler: ftrace's side of it, while an ftrace handler redirects the function
 * @addr: the function's address, while it is replaced
 * @shared: @handler is in use, and @direct is not
 */
struct hook {
	const char *module;
	const char *name;
	unsigned long to;
	unsigned long stub;
	void (*found)(unsigned long addr);
	struct ftrace_ops direct;
	struct ftrace_ops handler;
	unsigned long addr;
	bool shared;
};

extern bool hook_share;

DECLARE_PER_CPU(long, hook_active);

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
#define HOOK(module, function)		__HOOK(module, function)
#define FUNCTION(module, function)	__FUNCTION(module, function)
#define hook_of(function)		__HOOK_OF(function)
#define replacement_of(function)	__REPLACEMENT_OF(function)
#define __HOOK_OF(function)		hook_##function
#define __REPLACEMENT_OF(function)	replacement_##function

#define __HOOK(_module, _function)						\
	__HOOK_STOCK(_function)							\
	static typeof(_function) replacement_##_function;			\
	__HOOK_STUB(_function);							\
	static struct hook hook_##_function = {					\
		.module = _module,						\
		.name = #_function,						\
		.to = (unsigned long)replacement_##_function,			\
		.stub = __HOOK_STUB_OF(_function),				\
		.found = stock_##_function##_found,				\
	}

/* A function that is not exported, to be called with stock(). */
#define __FUNCTION(_module, _function)						\
	__HOOK_STOCK(_function)							\
	static struct hook hook_##_function = {					\
		.module = _module,						\
		.name = #_function,						\
		.found = stock_##_function##_found,				\
	}

/* The first thing that a replacement does: it is running. */
static inline void hook_enter(void)
{
	this_cpu_inc(hook_active);
}

/* The last thing that a replacement does: it is not running any more. */
static inline void hook_leave(void)
{
	this_cpu_dec(hook_active);
}

int hook_init(void);
void hook_exit(void);
unsigned long hook_lookup(const char *module, const char *name);
int hook_on(struct hook *const *hooks, unsigned int nr);
void hook_off(struct hook *const *hooks, unsigned int nr);
void hook_drain(void);

#endif /* PHYR_RDMA_HOOK_H */
