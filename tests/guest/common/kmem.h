/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernel memory this thread makes the kernel keep, by the kernel's own
 * trace events.
 */
#ifndef KMEM_H
#define KMEM_H

/* 0, or -1 if there are no trace events. */
int kmem_start(void);

/* Bytes that were allocated since kmem_start() and not freed; -1 if unknown. */
long kmem_stop(void);

#endif
