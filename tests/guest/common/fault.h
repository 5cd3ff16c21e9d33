/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failure points, on kernels with fault injection: the n-th allocation, or
 * access to user memory, of this thread fails.
 */
#ifndef FAULT_H
#define FAULT_H

#include "fixture.h"

/* Every allocation may fail, also those that could wait for memory. */
void fault_set_up(void);

/* The @n-th point from now on fails. */
void fault_at(unsigned int n);

/* No more: how many points were still to come, 0 if there was a failure. */
unsigned int fault_end(void);

/**
 * fault_sweep - a call with each of its points failing, in turn
 * @name: of the call, to tell about it
 * @round: makes the call with the @n-th point failing, and undoes it; stores
 *	what the call answered, and returns true if it was over before that point
 * @arg: for @round
 *
 * Fails the test if the call fails undisturbed.
 */
void fault_sweep(const char *name, bool (*round)(void *arg, unsigned int n, int *error),
		 void *arg);

/*
 * The same of loading a module of $PHYR_MODULES, of whose points most are the
 * kernel's own: about @last of them, and all of the @last ones, where the module
 * begins. After each, @check is asked, with the point's number. The module is not loaded
 * before, and not after.
 */
void fault_sweep_load(const char *module, unsigned int last,
		      void (*check)(unsigned int n, int error));

/* And of unloading it, which works whatever fails. */
void fault_sweep_unload(const char *module);

/* Loads a module of $PHYR_MODULES; 0 or an errno. */
int fault_load(const char *module);

#endif
