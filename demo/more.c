// SPDX-License-Identifier: GPL-2.0-only
#include "more.h"

#include "../tests/guest/common/nvme.h"
#include "../tests/guest/common/pmem.h"
#include "../tests/guest/common/vfio.h"
#include "../tests/guest/common/vmm.h"

#define BYTES	600		/* by the slow device */

/*
 * A guest of KVM in RAM that the kernel does not own. It writes when its memory
 * is pinned: what the device then reads is of the memory that the guest runs in.
 */

static struct vmm vmm;

static int guest_map(struct mem *mem)
{
	return mem_find("hidden RAM")->map(mem);
}

static void guest_begin(const struct mem *mem)
{
	vmm_new(&vmm);
	vmm_give(&vmm, mem->addr, mem->len, -1);
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

static const struct mem_kind guest_ram = {
	"KVM guest's RAM", 128 * MIB, PAGE, false, false, false, guest_map
};

const struct more_kind more_kinds[] = {
	{ .kind = &mem_cmb, .missing = nvme_missing },
	{ .kind = &mem_cxl, .missing = pmem_cxl_missing },
	{ .kind = &guest_ram, .missing = vmm_missing, .begin = guest_begin,
	  .check = guest_check, .end = guest_end },
	{ .kind = &mem_terabyte, .missing = vfio_missing },
};

const size_t more_nr_kinds = ARRAY_SIZE(more_kinds);
