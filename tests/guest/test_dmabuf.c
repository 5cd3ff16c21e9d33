// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region is a dma-buf like any other: the CPU maps it, importers take it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/edu.h"
#include "common/exporters.h"

#define SIZE	(4 * MIB)
#define SOME	(64 * PAGE)

static struct mem mem;

/* The errno of a mapping that must not be. */
static int map_refused(int region, size_t len, int prot, int flags, off_t offset)
{
	char *addr = mmap(NULL, len, prot, flags, region, offset);

	if (addr == MAP_FAILED)
		return errno;
	release(addr, len);
	return 0;
}

/* CPU */

static void check_shared(void)
{
	int region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
	char *map = map_shared(region, mem.len, RW, 0);

	for (size_t at = 100; at < mem.len; at += 37 * PAGE) {
		mem.addr[at] = (char)(at / PAGE + 1);
		assert_int_equal(map[at], mem.addr[at]);
		map[at + 1] = (char)(at / PAGE + 2);
		assert_int_equal(mem.addr[at + 1], map[at + 1]);
	}
	mem.addr[mem.len - 1] = 0x7e;
	assert_int_equal(map[mem.len - 1], 0x7e);
	release(map, mem.len);
	close(region);
}

static void check_partial(void)
{
	int region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
	char *map = map_shared(region, 2 * PAGE, RW, 5 * PAGE);

	mem.addr[6 * PAGE] = 0x41;
	assert_int_equal(map[PAGE], 0x41);
	assert_int_equal(map_refused(region, mem.len + PAGE, RW, MAP_SHARED, 0), EINVAL);
	assert_int_equal(map_refused(region, 2 * PAGE, RW, MAP_SHARED,
				     (off_t)(mem.len - PAGE)), EINVAL);
	assert_int_equal(map_refused(region, PAGE, RW, MAP_SHARED, (off_t)mem.len), EINVAL);
	assert_int_equal(map_refused(region, PAGE, RW, MAP_PRIVATE, 0), EINVAL);
	assert_int_equal(map_refused(region, PAGE, PROT_READ, MAP_PRIVATE, 0), EINVAL);
	/* it does not grow by itself either */
	assert_ptr_equal(mremap(map, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_int_equal(errno, EFAULT);
	close(region);
	/* a mapping is enough to hold it */
	mem.addr[5 * PAGE] = 0x42;
	assert_int_equal(map[0], 0x42);
	release(map, 2 * PAGE);
}

static void test_mmap(void **state)
{
	static const char *const kinds[] = {
		"4 KiB pages", "4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "memfd",
		"memfd 2 MiB", "devdax pmem", "PCI BAR",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(mem_map(&mem, mem_find(kinds[i]), SIZE), 0);
		check_shared();
		check_partial();
		mem_unmap(&mem);
		assert_int_equal(fixture_nothing_left(NULL), 0);
	}
}

static void test_mmap_read_only(void **state)
{
	int region;
	char *map;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("ext4 file"), MIB), 0);
	region = pin(mem.addr, MIB, 0);
	assert_int_equal(map_refused(region, MIB, RW, MAP_SHARED, 0), EACCES);
	assert_int_equal(map_refused(region, MIB, PROT_WRITE, MAP_SHARED, 0), EACCES);
	map = map_shared(region, MIB, PROT_READ, 0);
	assert_memory_equal(map, mem.addr, MIB);
	assert_int_equal(mprotect(map, MIB, RW), -1);
	assert_int_equal(errno, EACCES);
	assert_memory_equal(map, mem.addr, MIB);
	release(map, MIB);
	close(region);
	mem_unmap(&mem);
}

/* The rest of a page may belong to another mapping. */
static void test_mmap_unaligned(void **state)
{
	char *addr = anon(8 * PAGE, RW);
	const struct {
		size_t skip;
		size_t len;
	} odd[] = { { 1, PAGE }, { 0, PAGE + 1 }, { 512, 2 * PAGE - 512 }, { 0, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		int region = pin(addr + odd[i].skip, odd[i].len, PHYR_PIN_WRITE);

		assert_int_equal(map_refused(region, PAGE, RW, MAP_SHARED, 0), EINVAL);
		assert_int_equal(map_refused(region, 1, PROT_READ, MAP_SHARED, 0), EINVAL);
		close(region);
	}
	release(addr, 8 * PAGE);
}

/* The memory of the region is not that of the mapping that it was pinned by. */
static void test_original_unmapped(void **state)
{
	char *map;
	int region;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("THP 2 MiB"), SIZE), 0);
	pattern_fill(mem.addr, SIZE, 3);
	region = pin(mem.addr, SIZE, PHYR_PIN_WRITE);
	mem_unmap(&mem);
	map = map_shared(region, SIZE, RW, 0);
	assert_true(pattern_is(map, SIZE, 3));
	memset(map, 0, SIZE);
	close(region);
	release(map, SIZE);
}

static void forked_child(void *arg)
{
	char *map = arg;

	must(pattern_is(map, SOME, 4));
	map[0] = 0x11;
}

static void test_mmap_forked(void **state)
{
	char *addr = anon(SOME, RW), *map;
	int region = pin(addr, SOME, PHYR_PIN_WRITE);

	(void)state;
	map = map_shared(region, SOME, RW, 0);
	close(region);
	pattern_fill(addr, SOME, 4);
	child_run(forked_child, map);
	assert_int_equal(addr[0], 0x11);
	release(map, SOME);
	release(addr, SOME);
}

/*
 * What wants pages of a mapping is refused, as phyr.4 says; the memory that the region
 * was made of is as good as any other.  Each gives 0 or an errno.
 */

static int file_write(void *addr, int flags)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | flags, 0600), ret;

	assert_return_code(fd, errno);
	ret = pwrite(fd, addr, PAGE, 0) == (ssize_t)PAGE ? 0 : errno;
	close(fd);
	return ret;
}

static int file_read(void *addr, int flags)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | flags, 0600), ret;

	assert_return_code(fd, errno);
	assert_int_equal(pwrite(fd, page, PAGE, 0), PAGE);
	ret = pread(fd, addr, PAGE, 0) == (ssize_t)PAGE ? 0 : errno;
	close(fd);
	return ret;
}

static int pipe_splice(void *addr)
{
	struct iovec iov = { .iov_base = addr, .iov_len = PAGE };
	int ends[2], ret;

	assert_return_code(pipe(ends), errno);
	ret = vmsplice(ends[1], &iov, 1, 0) == (ssize_t)PAGE ? 0 : errno;
	close(ends[0]);
	close(ends[1]);
	return ret;
}

static int ring_register(void *addr)
{
	struct io_uring_params params = { .flags = 0 };
	struct iovec iov = { .iov_base = addr, .iov_len = PAGE };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params), ret;

	assert_return_code(ring, errno);
	ret = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1) ? errno : 0;
	close(ring);
	return ret;
}

static int peek(pid_t pid, void *addr)
{
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, addr, NULL);
	return errno;
}

static int vm_read(pid_t pid, void *addr)
{
	char bytes[16];
	struct iovec here = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct iovec there = { .iov_base = addr, .iov_len = sizeof(bytes) };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 ? errno : 0;
}

static int proc_mem(pid_t pid, void *addr)
{
	char path[40], byte;
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_return_code(fd, errno);
	ret = pread(fd, &byte, 1, (off_t)(uintptr_t)addr) == 1 ? 0 : errno;
	close(fd);
	return ret;
}

static void traced_child(void *arg)
{
	(void)arg;
	must(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
}

/* Of a process that has mapped the region, too. */
static void check_traced(char *map)
{
	static char ordinary[PAGE];
	pid_t pid = child_start(traced_child, NULL);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(peek(pid, ordinary), 0);
	assert_int_equal(vm_read(pid, ordinary), 0);
	assert_int_equal(proc_mem(pid, ordinary), 0);
	assert_int_equal(peek(pid, map), EIO);
	assert_int_equal(vm_read(pid, map), EFAULT);
	assert_int_equal(proc_mem(pid, map), EIO);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void check_not_pages(char *map)
{
	assert_int_equal(file_write(map, O_DIRECT), EFAULT);
	assert_int_equal(file_read(map, O_DIRECT), EFAULT);
	assert_int_equal(pipe_splice(map), EFAULT);
	assert_int_equal(ring_register(map), EFAULT);
	assert_int_equal(phyr_pin(dev, map, PAGE, PHYR_PIN_WRITE), -EOPNOTSUPP);
	check_traced(map);
	/* what copies by the CPU works */
	assert_int_equal(file_write(map, 0), 0);
	assert_int_equal(file_read(map, 0), 0);
}

static void test_mmap_not_pages(void **state)
{
	static const char *const kinds[] = { "4 KiB pages", "memfd", "hugetlb 2 MiB", "PCI BAR" };
	int region;
	char *map;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(mem_map(&mem, mem_find(kinds[i]), SIZE), 0);
		region = pin(mem.addr, SIZE, PHYR_PIN_WRITE);
		map = map_shared(region, SIZE, RW, 0);
		check_not_pages(map);
		/* the same memory, where it was pinned */
		if (mem.kind->struct_page) {
			assert_int_equal(file_write(mem.addr, O_DIRECT), 0);
			assert_int_equal(file_read(mem.addr, O_DIRECT), 0);
			assert_int_equal(pipe_splice(mem.addr), 0);
			assert_int_equal(ring_register(mem.addr), 0);
		}
		release(map, SIZE);
		close(region);
		mem_unmap(&mem);
	}
}

static int sync_cpu(int region, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(region, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0;
}

static void test_sync(void **state)
{
	char *addr = anon(PAGE, RW);
	int region = pin(addr, PAGE, PHYR_PIN_WRITE);

	(void)state;
	for (uint64_t access = 1; access <= 3; access++) {
		assert_int_equal(sync_cpu(region, DMA_BUF_SYNC_START | access), 0);
		assert_int_equal(sync_cpu(region, DMA_BUF_SYNC_END | access), 0);
	}
	assert_int_equal(sync_cpu(region, DMA_BUF_SYNC_START), EINVAL);
	assert_int_equal(sync_cpu(region, 1u << 10), EINVAL);
	assert_int_equal(phyr_begin_access(region, PHYR_ACCESS_READ), 0);
	assert_int_equal(phyr_end_access(region, PHYR_ACCESS_READ), 0);
	assert_int_equal(phyr_begin_access(region, 0), -EINVAL);
	close(region);
	release(addr, PAGE);
}

static void test_name_and_size(void **state)
{
	char *addr = anon(2 * PAGE, RW), path[64], text[1000] = "";
	int region = pin(addr + 7, PAGE + 100, 0), info;

	(void)state;
	assert_int_equal(lseek(region, 0, SEEK_END), PAGE + 100);
	assert_int_equal(lseek(region, 0, SEEK_SET), 0);
	assert_int_equal(ioctl(region, DMA_BUF_SET_NAME, "a region"), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", region);
	info = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(info, text, sizeof(text) - 1) > 0);
	close(info);
	assert_non_null(strstr(text, "exp_name:\tphyr"));
	assert_non_null(strstr(text, "name:\ta region"));
	close(region);
	release(addr, 2 * PAGE);
}

static void test_libphyr_map(void **state)
{
	char *addr = anon(SOME, RW);
	int region = pin(addr, SOME, PHYR_PIN_WRITE);
	size_t len = 0;
	void *map;

	(void)state;
	assert_int_equal(phyr_map(region, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE, &map, &len), 0);
	assert_int_equal(len, SOME);
	((char *)map)[5] = 0x55;
	assert_int_equal(addr[5], 0x55);
	release(map, len);
	close(region);
	release(addr, SOME);
}

/* The kernel, as a driver that wants a mapping of its own */

static void check_vmap(const char *kind)
{
	int fd = driver_open(), region;
	char bytes[3 * PAGE];

	assert_int_equal(mem_map(&mem, mem_find(kind), SIZE), 0);
	region = pin(mem.addr + 77, SIZE - 100, PHYR_PIN_WRITE);
	pattern_fill(mem.addr + 77, SIZE - 100, 5);
	assert_int_equal(driver_vmap(fd, region, 0, bytes, sizeof(bytes), 0), 0);
	assert_memory_equal(bytes, mem.addr + 77, sizeof(bytes));
	assert_int_equal(driver_vmap(fd, region, MIB + 1, bytes, sizeof(bytes), 0), 0);
	assert_memory_equal(bytes, mem.addr + 77 + MIB + 1, sizeof(bytes));
	memset(bytes, 0x3c, sizeof(bytes));
	assert_int_equal(driver_vmap(fd, region, SIZE - 100 - PAGE, bytes, PAGE, PT_WRITE), 0);
	assert_memory_equal(mem.addr + SIZE - 23 - PAGE, bytes, PAGE);
	close(region);
	close(fd);
	mem_unmap(&mem);
}

static void test_vmap(void **state)
{
	int fd = driver_open(), region;
	char byte;

	(void)state;
	check_vmap("4 KiB scattered");
	check_vmap("hugetlb 2 MiB");
	check_vmap("devdax pmem");

	assert_int_equal(mem_map(&mem, mem_find("PCI BAR"), MIB), 0);
	region = pin(mem.addr, MIB, PHYR_PIN_WRITE);
	assert_int_equal(driver_vmap(fd, region, 0, &byte, 1, 0), EINVAL);
	close(region);
	mem_unmap(&mem);

	/* The kernel's mapping could be written: not for one that must not be. */
	assert_int_equal(mem_map(&mem, mem_find("ext4 file"), MIB), 0);
	region = pin(mem.addr, MIB, 0);
	assert_int_equal(driver_vmap(fd, region, 0, &byte, 1, 0), EINVAL);
	close(region);
	mem_unmap(&mem);
	close(fd);
}

/* A device, in the classic way */

static void check_import(char *addr, size_t len)
{
	int edu = edu_open(), region = pin(addr, len, PHYR_PIN_WRITE);

	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	close(region);				/* the importer holds it */
	edu_check(edu, 0, addr, 100);
	edu_check(edu, len - 100, addr + len - 100, 100);
	/* across a page, which may be the end of a segment: two transfers */
	edu_check_store(edu, len / 2 / PAGE * PAGE - (uintptr_t)addr % PAGE - 50,
			addr + len / 2 / PAGE * PAGE - (uintptr_t)addr % PAGE - 50, 100);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
}

static void test_import(void **state)
{
	static const char *const kinds[] = {
		"4 KiB scattered", "hugetlb 2 MiB", "devdax pmem", "PCI BAR",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(mem_map(&mem, mem_find(kinds[i]), SIZE), 0);
		check_import(mem.addr, mem.len);
		mem_unmap(&mem);
	}
}

/*
 * Importers deal in pages, and would get the rest of a page as well.  A driver that takes
 * the region as a list does not.
 */
static void check_odd_bytes(char *addr, size_t len)
{
	int edu = edu_open(), region = pin(addr, len, PHYR_PIN_WRITE), driver = driver_open();

	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), EINVAL);
	assert_int_equal(driver_attach(driver, region, 0), EINVAL);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	edu_check(edu, 0, addr, 100);
	edu_check(edu, len - 100, addr + len - 100, 100);
	close(driver);
	close(edu);
	close(region);
}

static void test_odd_bytes(void **state)
{
	char *addr = anon(SOME, RW);

	(void)state;
	check_odd_bytes(addr + 1234, 2 * PAGE);
	check_odd_bytes(addr, 2 * PAGE - 1);
	check_odd_bytes(addr + PAGE - 100, 200);
	release(addr, SOME);
}

static void test_import_mixed(void **state)
{
	const size_t part = 4 * MIB;
	int edu = edu_open(), region;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("mixed"), mem_find("mixed")->size), 0);
	region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), 0);
	for (size_t i = 1; i < 6; i++)		/* across, from one kind to the next */
		edu_check_store(edu, i * part - 64, mem.addr + i * part - 64, 128);
	close(edu);
	close(region);
	mem_unmap(&mem);
}

static void test_import_read_only(void **state)
{
	int edu = edu_open(), region;
	char bytes[10] = "";

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("ext4 file"), MIB), 0);
	region = pin(mem.addr, MIB, 0);
	assert_int_equal(edu_map_dmabuf(edu, region, EDU_MAP_WRITE), EACCES);
	assert_int_equal(edu_map_dmabuf(edu, region, 0), 0);
	edu_check_peek(edu, 5 * PAGE + 1, mem.addr + 5 * PAGE + 1, 100);
	assert_int_equal(pwrite(edu, bytes, sizeof(bytes), 0), -1);
	assert_int_equal(errno, EACCES);
	close(edu);
	close(region);
	mem_unmap(&mem);
}

/* The CPU's access ioctls while a device has the region. */
static void test_sync_while_imported(void **state)
{
	char *addr = anon(SOME, RW);
	int region = pin(addr, SOME, PHYR_PIN_WRITE), a = edu_open(), b = edu_open();

	(void)state;
	assert_int_equal(edu_map_dmabuf(a, region, EDU_MAP_WRITE), 0);
	assert_int_equal(edu_map_dmabuf(b, region, 0), 0);
	assert_int_equal(phyr_begin_access(region, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE), 0);
	pattern_fill(addr, SOME, 6);
	assert_int_equal(phyr_end_access(region, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE), 0);
	edu_check_peek(b, 500, addr + 500, 100);
	edu_check_store(a, 600, addr + 600, 100);
	assert_int_equal(phyr_begin_access(region, PHYR_ACCESS_READ), 0);
	assert_int_equal(phyr_end_access(region, PHYR_ACCESS_READ), 0);
	close(a);
	close(b);
	close(region);
	release(addr, SOME);
}

/* The importer is a real one: it takes what others export. */
static void check_foreign(int buf, size_t len)
{
	char *map = mmap(NULL, len, RW, MAP_SHARED, buf, 0);
	int edu = edu_open();

	assert_ptr_not_equal(map, MAP_FAILED);
	memset(map, 0x66, len);
	assert_int_equal(edu_map_dmabuf(edu, buf, EDU_MAP_WRITE), 0);
	edu_check(edu, len / 2 + 10, map + len / 2 + 10, 100);
	assert_int_equal(edu_unmap(edu), 0);
	assert_int_equal(edu_map_region(edu, buf, 0), EINVAL);
	close(edu);
	release(map, len);
	close(buf);
}

static void test_foreign_udmabuf(void **state)
{
	char *addr;
	int buf = udmabuf(&addr, SOME, 0);

	(void)state;
	check_foreign(buf, SOME);
	release(addr, SOME);
}

static void test_foreign_heap(void **state)
{
	(void)state;
	check_foreign(heap_buffer(SOME, O_RDWR), SOME);
}

int main(void)
{
	const struct CMUnitTest dmabuf[] = {
		fixture_test(test_mmap),
		fixture_test(test_mmap_read_only),
		fixture_test(test_mmap_unaligned),
		fixture_test(test_original_unmapped),
		fixture_test(test_mmap_forked),
		fixture_test(test_mmap_not_pages),
		fixture_test(test_sync),
		fixture_test(test_name_and_size),
		fixture_test(test_libphyr_map),
		fixture_test(test_vmap),
		fixture_test(test_import),
		fixture_test(test_odd_bytes),
		fixture_test(test_import_mixed),
		fixture_test(test_import_read_only),
		fixture_test(test_sync_while_imported),
		fixture_test(test_foreign_udmabuf),
		fixture_test(test_foreign_heap),
	};

	return fixture_run(dmabuf);
}
