// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's memory, seen from its hypervisor: a guest of KVM writes it, the
 * monitor pins it, a device and RDMA read what the guest wrote, and the guest
 * reads what they write.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "common/edu.h"
#include "common/rdma.h"
#include "common/vmm.h"

#define SIZE	(16 * MIB)		/* written and read as a whole */
#define WINDOW	MIB			/* of more than that */
#define BYTES	600			/* by the slow device */

/* What each test has: a guest, and RDMA. */
static struct vmm vmm;
static struct rdma r;
static char *buf;			/* WINDOW bytes, where RDMA reads to */
static struct ibv_mr *near;
static struct mem mem;

static int open_all(void **state)
{
	(void)state;
	if (vmm_missing())
		return 0;
	near = rdma_begin(&r, WINDOW);
	buf = near->addr;
	vmm_new(&vmm);
	return 0;
}

static int close_all(void **state)
{
	if (vmm_missing())
		return 0;
	vmm_free(&vmm);
	mem_unmap(&mem);
	rdma_end(&r, near);
	return fixture_nothing_left(state);
}

static void need_kvm(void)
{
	if (vmm_missing()) {
		print_message("# %s\n", vmm_missing());
		skip();
	}
}

/* The windows of the guest's memory: all of it, or its beginning, middle and end. */
static size_t window(int i, size_t *at)
{
	size_t middle = (vmm.len / 2 - WINDOW / 2) & ~(PAGE - 1);

	if (vmm.len <= SIZE) {
		*at = (size_t)i * WINDOW;
		return *at < vmm.len ? WINDOW : 0;
	}
	*at = i == 0 ? 0 : i == 1 ? middle : vmm.len - WINDOW;
	return i < 3 ? WINDOW : 0;
}

#define for_each_window(i, at) for (int i = 0; window(i, &(at)); i++)

/* The guest writes every byte of each window, and the first word of each page. */
static void guest_writes(uint32_t seed)
{
	size_t at;

	vmm_fill(&vmm, 0, vmm.len, PAGE, seed);
	for_each_window(i, at)
		vmm_fill(&vmm, at, at + WINDOW, 4, seed);
}

static void check_monitor(uint32_t seed)
{
	size_t at;

	for (size_t page = 0; page < vmm.len; page += PAGE)
		vmm_check("monitor", vmm.mem + page, page, 4, seed);
	for_each_window(i, at)
		vmm_check("monitor", vmm.mem + at, at, WINDOW, seed);
}

/* Slow: the two ends, the middle, and the first place where two phyrs meet. */
static void check_device(int edu, uint32_t seed)
{
	uint64_t meet = edu_boundary(edu, 0);
	const size_t places[] = { 0, vmm.len / 2 - 4, vmm.len - BYTES, meet - 8 };
	uint32_t got[BYTES / 4];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		len = vmm.len - places[i] < BYTES ? vmm.len - places[i] : BYTES;
		if (i == 3 && vmm.len > SIZE && meet < vmm.len)
			continue;	/* few words of that were written */
		assert_int_equal(pread(edu, got, len, (off_t)places[i]), len);
		vmm_check("device", got, places[i], len, seed);
	}
}

static void check_rdma(const struct ibv_mr *far, uint32_t seed)
{
	size_t at;

	for_each_window(i, at) {
		memset(buf, 0, WINDOW);
		assert_int_equal(rdma_read(&r, rdma_at(far, at), rdma_at(near, 0), WINDOW),
				 IBV_WC_SUCCESS);
		vmm_check("RDMA", buf, at, WINDOW, seed);
	}
}

/* The guest finds what the device and RDMA store. */
static void check_guest_reads(int edu, const struct ibv_mr *far)
{
	size_t at = vmm.len - WINDOW;
	char bytes[BYTES];

	pattern_fill(bytes, BYTES, 77);
	assert_int_equal(pwrite(edu, bytes, BYTES, (off_t)(vmm.len / 2)), BYTES);
	assert_int_equal(vmm_sum(&vmm, vmm.len / 2, vmm.len / 2 + BYTES), vmm_sum_of(bytes, BYTES));

	pattern_fill(buf, WINDOW, 78);
	assert_int_equal(rdma_write(&r, rdma_at(far, at), rdma_at(near, 0), WINDOW),
			 IBV_WC_SUCCESS);
	assert_int_equal(vmm_sum(&vmm, at, at + WINDOW), vmm_sum_of(buf, WINDOW));
}

static void check_query(int region, const char *name, uint32_t kind)
{
	struct phyr_query query = { .size = sizeof(query) };

	assert_int_equal(phyr_query(dev, region, &query), 0);
	assert_int_equal(query.kinds, 1u << kind);
	assert_int_equal(query.bytes, vmm.len);
	print_message("# %s, %llu MiB: %llu phyrs, %llu bytes\n", name, vmm.len / MIB,
		      (unsigned long long)query.phyrs, (unsigned long long)query.metadata_bytes);
}

/*
 * The guest writes before its memory is pinned and again when it is: what is
 * read then is the second, so what was pinned is the memory that it runs in.
 */
static void check_guest(const char *name, uint32_t kind)
{
	int region, edu = edu_open();
	struct ibv_mr *far;

	guest_writes(1);
	check_monitor(1);
	region = pin(vmm.mem, vmm.len, PHYR_PIN_WRITE);
	check_query(region, name, kind);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	far = ibv_reg_mr(r.pd, vmm.mem, vmm.len, RDMA_ALL);
	if (!far)
		fail_msg("ibv_reg_mr of %s: %s", name, strerror(errno));
	close(region);

	guest_writes(2);
	check_device(edu, 2);
	check_rdma(far, 2);
	check_monitor(2);
	check_guest_reads(edu, far);

	assert_int_equal(ibv_dereg_mr(far), 0);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
}

static void guest_in(const char *name, size_t len, uint32_t kind)
{
	need_kvm();
	if (mem_map(&mem, mem_find(name), len))
		fail_msg("%s: %s", name, strerror(errno));
	vmm_give(&vmm, mem.addr, len);
	check_guest(name, kind);
}

static void test_small_pages(void **state)
{
	(void)state;
	guest_in("4 KiB scattered", SIZE, PHYR_KIND_RAM);
}

static void test_thp(void **state)
{
	(void)state;
	guest_in("THP 2 MiB", 64 * MIB, PHYR_KIND_RAM);
}

static void test_2m(void **state)
{
	(void)state;
	guest_in("hugetlb 2 MiB", 64 * MIB, PHYR_KIND_RAM);
}

static void test_1g(void **state)
{
	(void)state;
	guest_in("hugetlb 1 GiB", GIB, PHYR_KIND_RAM);
}

static void test_devdax(void **state)
{
	(void)state;
	guest_in("devdax pmem", 64 * MIB, PHYR_KIND_PMEM);
}

/* RAM that this kernel does not own, which is how much of a cloud's memory is kept. */
static void test_hidden(void **state)
{
	(void)state;
	guest_in("hidden RAM", 128 * MIB, PHYR_KIND_PFNMAP);
}

static void test_bar(void **state)
{
	(void)state;
	guest_in("PCI BAR", 64 * MIB, PHYR_KIND_PFNMAP);
}

/* A guest_memfd, mapped. */
static void map_gmem(uint64_t flags)
{
	mem = (struct mem){ .len = SIZE };
	assert_return_code(vmm_gmem_map(&vmm, &mem, flags), errno);
}

static void test_gmem(void **state)
{
	const char *missing = vmm_gmem_missing();

	(void)state;
	need_kvm();
	if (missing) {
		/* of a kernel that has no such flag, or no guest_memfd for such guests */
		assert_int_equal(vmm_gmem(&vmm, SIZE, GUEST_MEMFD_FLAG_MMAP), -1);
		print_message("# %s: %s\n", missing, strerror(errno));
		assert_true(errno == EINVAL || errno == ENOTTY || errno == EOPNOTSUPP);
		return;
	}
	map_gmem(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
	vmm_give(&vmm, mem.addr, SIZE);
	check_guest("guest_memfd", PHYR_KIND_RAM);
}

/* The guest's own, which the kernel shows to nobody: it cannot be pinned either. */
static void test_private_gmem(void **state)
{
	(void)state;
	need_kvm();
	if (!vmm_gmem_missing()) {
		map_gmem(GUEST_MEMFD_FLAG_MMAP);
		assert_int_equal(phyr_pin(dev, mem.addr, SIZE, PHYR_PIN_WRITE), -EFAULT);
		assert_int_equal(phyr_pin(dev, mem.addr, 1, 0), -EFAULT);
		return;
	}
	mem = (struct mem){ .fd = vmm_gmem(&vmm, SIZE, 0) };
	if (mem.fd < 0) {
		print_message("# no guest_memfd for such a guest: %s\n", strerror(errno));
		return;
	}
	assert_ptr_equal(mmap(NULL, SIZE, RW, MAP_SHARED, mem.fd, 0), MAP_FAILED);
	assert_int_equal(errno, ENODEV);
}

#define vmm_test(f)	{ #f, f, open_all, close_all, NULL }

/* test_vmm [PATTERN]: those tests only */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		vmm_test(test_small_pages),
		vmm_test(test_thp),
		vmm_test(test_2m),
		vmm_test(test_1g),
		vmm_test(test_devdax),
		vmm_test(test_hidden),
		vmm_test(test_bar),
		vmm_test(test_gmem),
		vmm_test(test_private_gmem),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = fixture_run(tests);
	return rdma_unload() || failed;
}
