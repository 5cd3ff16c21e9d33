// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <linux/kvm.h>

#include "more.h"

#include "../tests/guest/common/nvme.h"
#include "../tests/guest/common/pmem.h"
#include "../tests/guest/common/rdma.h"
#include "../tests/guest/common/vfio.h"
#include "../tests/guest/common/vmm.h"

#define BYTES	600		/* by the slow device */

/*
 * A guest of KVM in RAM that the kernel does not own, in huge pages, and in a
 * guest_memfd. It writes when its memory is pinned: what the device then reads is of
 * the memory that the guest runs in.
 */

static struct vmm vmm;

static int guest_map_hidden(struct mem *mem)
{
	vmm_new(&vmm);
	return mem_find("hidden RAM")->map(mem);
}

static int guest_map_huge(struct mem *mem)
{
	vmm_new(&vmm);
	return mem_find("hugetlb 1 GiB")->map(mem);
}

static int guest_map_gmem(struct mem *mem)
{
	vmm_new(&vmm);
	return vmm_gmem_map(&vmm, mem, GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
}

static void guest_begin(const struct mem *mem)
{
	vmm_give(&vmm, mem->addr, mem->len);
	vmm_fill(&vmm, 0, mem->len, PAGE, 1);
}

static void guest_end(void)
{
	vmm_free(&vmm);
}

static size_t guest_place(int i)
{
	return i == 0 ? 0 : i == 1 ? vmm.len / 2 : vmm.len - BYTES;
}

static const char *guest_check(int edu, const struct mem *mem)
{
	char bytes[BYTES];

	vmm_fill(&vmm, 0, mem->len, PAGE, 2);
	for (size_t at = 0; at < mem->len; at += PAGE)
		vmm_check("its monitor", mem->addr + at, at, 4, 2);
	for (int i = 0; i < 3; i++) {
		vmm_fill(&vmm, guest_place(i), guest_place(i) + BYTES, 4, 3);
		if (pread(edu, bytes, BYTES, (off_t)guest_place(i)) != BYTES)
			return "the device could not read";
		vmm_check("the device", bytes, guest_place(i), BYTES, 3);

		pattern_fill(bytes, BYTES, (unsigned int)i + 5);
		if (pwrite(edu, bytes, BYTES, (off_t)guest_place(i)) != BYTES)
			return "the device could not write";
		if (vmm_sum(&vmm, guest_place(i), guest_place(i) + BYTES) !=
		    vmm_sum_of(bytes, BYTES))
			return "the guest read other bytes";
	}
	return NULL;
}

static const struct mem_kind guest_hidden = {
	"KVM guest, hidden", 128 * MIB, PAGE, false, false, false, guest_map_hidden
};

static const struct mem_kind guest_huge = {
	"KVM guest, 1 GiB", GIB, GIB, true, false, false, guest_map_huge
};

static const struct mem_kind guest_gmem = {
	"KVM, guest_memfd", 16 * MIB, PAGE, true, false, false, guest_map_gmem
};

/* The BAR as one region of RDMA: both ways at its two ends and in the middle. */
static const char *terabyte_check(int edu, const struct mem *mem)
{
	const size_t places[] = { 0, mem->len / 2 - PAGE / 2, mem->len - PAGE };
	struct ibv_mr *near, *far;
	const char *wrong = NULL;
	struct rdma r;

	(void)edu;
	near = rdma_begin(&r, PAGE);
	far = ibv_reg_mr(r.pd, mem->addr, mem->len, RDMA_ALL);
	if (!far)
		wrong = "RDMA could not have it";
	for (unsigned int i = 0; i < ARRAY_SIZE(places) && !wrong; i++) {
		pattern_fill(near->addr, PAGE, i + 1);
		if (rdma_write(&r, rdma_at(far, places[i]), rdma_at(near, 0), PAGE) ||
		    !pattern_is(mem->addr + places[i], PAGE, i + 1))
			wrong = "RDMA could not write";
		pattern_fill(mem->addr + places[i], PAGE, i + 11);
		if (rdma_read(&r, rdma_at(far, places[i]), rdma_at(near, 0), PAGE) ||
		    !pattern_is(near->addr, PAGE, i + 11))
			wrong = "RDMA could not read";
	}
	if (far)
		ibv_dereg_mr(far);
	rdma_end(&r, near);
	if (rdma_unload())
		wrong = "phyr_rdma did not go";
	return wrong;
}

const struct more_kind more_kinds[] = {
	{ .kind = &mem_cmb, .missing = nvme_missing },
	{ .kind = &mem_devdax_1g, .missing = pmem_nvdimm_missing },
	{ .kind = &mem_cxl, .missing = pmem_cxl_missing },
	{ .kind = &guest_hidden, .missing = vmm_missing, .begin = guest_begin,
	  .check = guest_check, .by = "the guest", .end = guest_end },
	{ .kind = &guest_huge, .missing = vmm_missing, .begin = guest_begin,
	  .check = guest_check, .by = "the guest", .end = guest_end },
	{ .kind = &guest_gmem, .missing = vmm_gmem_missing, .begin = guest_begin,
	  .check = guest_check, .by = "the guest", .end = guest_end },
	{ .kind = &mem_terabyte, .missing = vfio_missing, .check = terabyte_check, .by = "RDMA" },
};

const size_t more_nr_kinds = ARRAY_SIZE(more_kinds);
