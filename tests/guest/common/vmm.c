// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "vmm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

/* Where the code is, past all memory. */
#define CODE		0xf0000000u
#define CODE_FILL	0
#define CODE_SUM	0x40

/* fill: edi = from, esi = to, ecx = step, eax = seed */
static const unsigned char fill[] = {
	0x89, 0xfb,				/* mov  %edi, %ebx */
	0x69, 0xdb, 0xb1, 0x79, 0x37, 0x9e,	/* imul $0x9e3779b1, %ebx, %ebx */
	0x01, 0xc3,				/* add  %eax, %ebx */
	0x89, 0x1f,				/* mov  %ebx, (%edi) */
	0x01, 0xcf,				/* add  %ecx, %edi */
	0x39, 0xf7,				/* cmp  %esi, %edi */
	0x72, 0xee,				/* jb   fill */
	0xf4,					/* hlt */
};

/* sum: edi = from, esi = to, ecx = step; edx = sum */
static const unsigned char sum[] = {
	0x03, 0x17,				/* add  (%edi), %edx */
	0x01, 0xcf,				/* add  %ecx, %edi */
	0x39, 0xf7,				/* cmp  %esi, %edi */
	0x72, 0xf8,				/* jb   sum */
	0xf4,					/* hlt */
};

static int open_kvm(void)
{
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

const char *vmm_missing(void)
{
	int kvm = open_kvm();

	if (kvm < 0)
		return errno == ENOENT ? "this kernel has no KVM, or the processor no SVM" :
					 strerror(errno);
	close(kvm);
	return NULL;
}

/* 32-bit protected mode without paging: all of 4 GiB at hand, and no tables. */
static void set_mode(struct vmm *vmm)
{
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_segment code = data;
	struct kvm_sregs sregs;

	code.selector = 8;
	code.type = 11;
	assert_return_code(ioctl(vmm->vcpu, KVM_GET_SREGS, &sregs), errno);
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = 0x11;			/* ET, PE */
	assert_return_code(ioctl(vmm->vcpu, KVM_SET_SREGS, &sregs), errno);
}

static void set_memory(struct vmm *vmm, uint32_t slot, uint64_t at, void *addr, size_t len)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = at, .memory_size = len,
		.userspace_addr = (uintptr_t)addr,
	};

	assert_return_code(ioctl(vmm->vm, KVM_SET_USER_MEMORY_REGION, &region), errno);
}

void vmm_new(struct vmm *vmm)
{
	int kvm = open_kvm(), len;

	*vmm = (struct vmm){ .gmem = -1 };
	assert_return_code(kvm, errno);
	vmm->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	assert_return_code(vmm->vm, errno);
	len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	assert_true(len > 0);
	vmm->run_len = (size_t)len;
	vmm->vcpu = ioctl(vmm->vm, KVM_CREATE_VCPU, 0);
	assert_return_code(vmm->vcpu, errno);
	vmm->run = map_shared(vmm->vcpu, vmm->run_len, RW, 0);
	close(kvm);
	vmm->code = anon(PAGE, RW);
	memcpy(vmm->code + CODE_FILL, fill, sizeof(fill));
	memcpy(vmm->code + CODE_SUM, sum, sizeof(sum));
	set_memory(vmm, 1, CODE, vmm->code, PAGE);
	set_mode(vmm);
}

void vmm_give(struct vmm *vmm, char *mem, size_t len)
{
	struct kvm_userspace_memory_region2 region = {
		.flags = KVM_MEM_GUEST_MEMFD, .memory_size = len,
		.userspace_addr = (uintptr_t)mem, .guest_memfd = (uint32_t)vmm->gmem,
	};

	vmm->mem = mem;
	vmm->len = len;
	if (vmm->gmem < 0)
		set_memory(vmm, 0, 0, mem, len);
	else
		assert_return_code(ioctl(vmm->vm, KVM_SET_USER_MEMORY_REGION2, &region), errno);
}

void vmm_free(struct vmm *vmm)
{
	release(vmm->run, vmm->run_len);
	close(vmm->vcpu);
	close(vmm->vm);
	release(vmm->code, PAGE);
}

/* Runs one of the two pieces of code up to its end; returns edx. */
static uint32_t run(struct vmm *vmm, struct kvm_regs *regs)
{
	assert_return_code(ioctl(vmm->vcpu, KVM_SET_REGS, regs), errno);
	while (ioctl(vmm->vcpu, KVM_RUN, 0))
		assert_int_equal(errno, EINTR);
	if (vmm->run->exit_reason != KVM_EXIT_HLT)
		fail_msg("the guest left for reason %u", vmm->run->exit_reason);
	assert_return_code(ioctl(vmm->vcpu, KVM_GET_REGS, regs), errno);
	return (uint32_t)regs->rdx;
}

void vmm_fill(struct vmm *vmm, size_t from, size_t to, size_t step, uint32_t seed)
{
	struct kvm_regs regs = {
		.rip = CODE + CODE_FILL, .rflags = 2, .rdi = from, .rsi = to, .rcx = step,
		.rax = seed,
	};

	assert_true(from < to && to <= vmm->len);
	run(vmm, &regs);
}

void vmm_check(const char *what, const void *got, size_t at, size_t len, uint32_t seed)
{
	const uint32_t *words = got;

	for (size_t i = 0; i < len / 4; i++)
		if (words[i] != vmm_word(at + 4 * i, seed))
			fail_msg("%s: %#x at %#zx, not %#x", what, words[i], at + 4 * i,
				 vmm_word(at + 4 * i, seed));
}

uint32_t vmm_sum(struct vmm *vmm, size_t from, size_t to)
{
	struct kvm_regs regs = {
		.rip = CODE + CODE_SUM, .rflags = 2, .rdi = from, .rsi = to, .rcx = 4,
	};

	assert_true(from < to && to <= vmm->len);
	return run(vmm, &regs);
}

uint32_t vmm_sum_of(const void *bytes, size_t len)
{
	const uint32_t *words = bytes;
	uint32_t total = 0;

	for (size_t i = 0; i < len / 4; i++)
		total += words[i];
	return total;
}

int vmm_gmem(struct vmm *vmm, size_t len, uint64_t flags)
{
	struct kvm_create_guest_memfd args = { .size = len, .flags = flags };

	return ioctl(vmm->vm, KVM_CREATE_GUEST_MEMFD, &args);
}

const char *vmm_gmem_missing(void)
{
	const int all = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
	const char *missing = vmm_missing();
	struct vmm vmm;
	int flags;

	if (missing)
		return missing;
	vmm_new(&vmm);
	flags = ioctl(vmm.vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	vmm_free(&vmm);
	return flags > 0 && (flags & all) == all ? NULL :
						   "this kernel lets nobody map a guest_memfd";
}

int vmm_gmem_map(struct vmm *vmm, struct mem *mem, uint64_t flags)
{
	mem->fd = vmm_gmem(vmm, mem->len, flags);
	if (mem->fd < 0)
		return -1;
	mem->addr = mmap(NULL, mem->len, RW, MAP_SHARED, mem->fd, 0);
	if (mem->addr == MAP_FAILED)
		return -1;
	mem->area = mem->addr;
	mem->area_len = mem->len;
	vmm->gmem = mem->fd;
	return 0;
}
