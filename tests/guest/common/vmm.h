/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small virtual machine monitor: a guest of one processor whose memory is
 * some of this process's, and that writes or adds up what it is asked to.
 */
#ifndef VMM_H
#define VMM_H

#include "fixture.h"

struct kvm_run;

/**
 * struct vmm - a guest
 * @vm: KVM's descriptor of it
 * @mem: its memory, from its physical address 0 on
 * @gmem: the guest_memfd that @mem is a mapping of, or -1
 */
struct vmm {
	int vm;
	int vcpu;
	struct kvm_run *run;
	size_t run_len;
	char *mem;
	size_t len;
	int gmem;
	char *code;
};

/* Why there can be no guest here, or NULL. */
const char *vmm_missing(void);

/* vmm_new() makes a guest without memory; what goes wrong fails the test. */
void vmm_new(struct vmm *vmm);
void vmm_give(struct vmm *vmm, char *mem, size_t len);
void vmm_free(struct vmm *vmm);

/* What the guest writes at @offset. */
static inline uint32_t vmm_word(size_t offset, uint32_t seed)
{
	return (uint32_t)offset * 0x9e3779b1u + seed;
}

/* The guest writes a word every @step bytes of [from, to). */
void vmm_fill(struct vmm *vmm, size_t from, size_t to, size_t step, uint32_t seed);

/* Fails the test unless @got, by @what, is what the guest wrote at @at. */
void vmm_check(const char *what, const void *got, size_t at, size_t len, uint32_t seed);

/* The guest adds up the words of [from, to); and what it should find. */
uint32_t vmm_sum(struct vmm *vmm, size_t from, size_t to);
uint32_t vmm_sum_of(const void *bytes, size_t len);

/* A guest_memfd of @flags, or -1 with errno. */
int vmm_gmem(struct vmm *vmm, size_t len, uint64_t flags);

/* Why no guest_memfd can be mapped by the monitor, or NULL. */
const char *vmm_gmem_missing(void);

/*
 * Maps @mem->len bytes of a new one, which is @mem->fd, to be given to this guest; 0,
 * or -1 with errno.
 */
int vmm_gmem_map(struct vmm *vmm, struct mem *mem, uint64_t flags);

#endif
