/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs at the beginning or the end of a function of a kernel module,
 * which count its calls. Loaded through the system call itself: the guest needs
 * neither a library nor a compiler for them.
 */
#ifndef TEST_BPF_H
#define TEST_BPF_H

#include <stdbool.h>

/** struct bpf_tracer - a program that counts the calls of one function */
struct bpf_tracer {
	int map;		/* of one number: the calls */
	int prog;
	int link;		/* as long as it is open, the program runs */
};

/* Can this kernel have them? It takes type information of its modules. */
bool bpf_available(void);

/*
 * Attaches a program to @function of @module, which is loaded; @at_exit, to where it
 * returns, so that the program itself calls the function. Returns 0 or an errno; what
 * could not be loaded fails the test, what could not be attached does not.
 */
int bpf_attach(struct bpf_tracer *t, const char *module, const char *function, bool at_exit);
unsigned long long bpf_calls(const struct bpf_tracer *t);
void bpf_detach(struct bpf_tracer *t);

#endif
