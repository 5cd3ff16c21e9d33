// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that a program can get wrong, and the errno it gets for it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/exporters.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* 0 or the errno */
static int call(unsigned int cmd, void *arg)
{
	return ioctl(dev, cmd, arg) ? errno : 0;
}

static int try_pin(uint64_t addr, uint64_t len, unsigned int flags)
{
	struct phyr_pin arg = {
		.size = sizeof(arg), .addr = addr, .len = len, .flags = flags,
	};
	int error = call(PHYR_IOC_PIN, &arg);

	if (!error)
		close(arg.fd);
	return error;
}

static int try_query(int fd)
{
	struct phyr_query arg = { .size = sizeof(arg), .fd = fd };

	return call(PHYR_IOC_QUERY, &arg);
}

static int try_ranges(int fd, void *ranges, unsigned int nr)
{
	struct phyr_ranges arg = {
		.size = sizeof(arg), .fd = fd, .ranges = (uintptr_t)ranges, .nr = nr,
	};

	return call(PHYR_IOC_RANGES, &arg);
}

/* Addresses and lengths */

static void test_addresses(void **state)
{
	char *addr = anon(5 * PAGE, RW);
	const uint64_t at = (uintptr_t)addr;
	const struct {
		uint64_t addr;
		uint64_t len;
		int error;
	} bad[] = {
		{ at, 0, EINVAL },
		{ 0, 0, EINVAL },
		{ at, -at, EOVERFLOW },
		{ at, -at + 5, EOVERFLOW },
		{ at, ~0ull, EOVERFLOW },
		{ ~0ull, 1, EOVERFLOW },
		{ ~0ull, ~0ull, EOVERFLOW },
		{ -PAGE, PAGE - 1, EOVERFLOW },
		{ 0, 1, EFAULT },
		{ 0, PAGE, EFAULT },
		{ at, 1ull << 40, EFAULT },
		{ at, 1ull << 62, EFAULT },
		{ 0x7ffffffff000ull, PAGE, EFAULT },	/* the end of user space */
		{ 0x7fffffffe000ull, 8 * PAGE, EFAULT },
		{ 1ull << 47, PAGE, EFAULT },		/* not canonical */
		{ 1ull << 63, PAGE, EFAULT },
		{ 0xffff888000000000ull, PAGE, EFAULT }, /* the kernel's */
		{ 0xffffffff81000000ull, PAGE, EFAULT },
		{ 0xffffffffff600000ull, PAGE, EFAULT }, /* vsyscall */
	};

	(void)state;
	/* or else it may go on without a hole, up to the vDSO, which is refused otherwise */
	release(addr + 4 * PAGE, PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int read = try_pin(bad[i].addr, bad[i].len, 0);
		int write = try_pin(bad[i].addr, bad[i].len, PHYR_PIN_WRITE);

		if (read != bad[i].error || write != bad[i].error)
			fail_msg("%#llx + %#llx: %d and %d, not %d",
				 (unsigned long long)bad[i].addr,
				 (unsigned long long)bad[i].len, read, write, bad[i].error);
	}
	assert_int_equal(try_pin(at, 4 * PAGE, 0), 0);
	release(addr, 4 * PAGE);
}

/* All or nothing: what lies before the hole is unpinned; the oracle sees to it. */
static void check_hole(const char *addr, size_t len)
{
	assert_int_equal(try_pin((uintptr_t)addr, len, PHYR_PIN_WRITE), EFAULT);
	assert_int_equal(try_pin((uintptr_t)addr + 99, len - 99, PHYR_PIN_WRITE), EFAULT);
	assert_int_equal(fixture_nothing_left(NULL), 0);
}

static void test_hole(void **state)
{
	const size_t len = 8 * MIB, middle = len / 2;
	struct mem mem;
	char *addr;

	(void)state;
	addr = anon(len, RW);
	release(addr + middle, PAGE);
	check_hole(addr, len);
	release(addr, len);

	assert_int_equal(mem_map(&mem, mem_find("THP 2 MiB"), len), 0);
	release(mem.addr + middle + MIB, PAGE);
	check_hole(mem.addr, len);
	mem_unmap(&mem);

	assert_int_equal(mem_map(&mem, mem_find("hugetlb 2 MiB"), len), 0);
	release(mem.addr + middle, 2 * MIB);
	check_hole(mem.addr, len);
	check_hole(mem.addr + middle - PAGE, 2 * PAGE);
	mem_unmap(&mem);

	addr = anon(len, RW);			/* the hole is the end */
	check_hole(addr + len - PAGE, GIB);
	release(addr, len);
}

static void test_prot_none(void **state)
{
	char *addr = anon(64 * PAGE, RW);

	(void)state;
	assert_int_equal(mprotect(addr + 32 * PAGE, PAGE, PROT_NONE), 0);
	check_hole(addr, 64 * PAGE);
	assert_int_equal(try_pin((uintptr_t)addr, 64 * PAGE, 0), EFAULT);
	assert_int_equal(try_pin((uintptr_t)addr, 32 * PAGE, PHYR_PIN_WRITE), 0);
	assert_int_equal(try_pin((uintptr_t)addr + 32 * PAGE, 1, 0), EFAULT);
	release(addr, 64 * PAGE);
}

static void test_read_only(void **state)
{
	struct mem mem;
	char *addr = anon(64 * PAGE, RW);

	(void)state;
	assert_int_equal(mprotect(addr + 32 * PAGE, PAGE, PROT_READ), 0);
	check_hole(addr, 64 * PAGE);
	assert_int_equal(try_pin((uintptr_t)addr, 64 * PAGE, 0), 0);
	release(addr, 64 * PAGE);

	assert_int_equal(mem_map(&mem, mem_find("PCI BAR"), MIB), 0);
	assert_int_equal(mprotect(mem.addr, MIB, PROT_READ), 0);
	check_hole(mem.addr, MIB);
	assert_int_equal(try_pin((uintptr_t)mem.addr, MIB, 0), 0);
	assert_int_equal(mprotect(mem.addr, MIB, PROT_NONE), 0);
	assert_int_equal(try_pin((uintptr_t)mem.addr, MIB, 0), EFAULT);
	mem_unmap(&mem);
}

/* A file that ends before its mapping does. */
static void test_past_the_file(void **state)
{
	int fd = memfd_create("phyr", MFD_CLOEXEC);
	char *addr;

	(void)state;
	assert_int_equal(ftruncate(fd, 16 * PAGE), 0);
	addr = map_shared(fd, 32 * PAGE, RW, 0);
	assert_int_equal(try_pin((uintptr_t)addr, 16 * PAGE, PHYR_PIN_WRITE), 0);
	check_hole(addr, 32 * PAGE);
	release(addr, 32 * PAGE);
	close(fd);
}

/* More huge pages than there are: those that were there go back. */
static void test_too_many_huge_pages(void **state)
{
	const size_t len = 4 * GIB;
	char *addr = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			  MAP_NORESERVE, -1, 0);

	(void)state;
	assert_ptr_not_equal(addr, MAP_FAILED);
	assert_int_equal(try_pin((uintptr_t)addr, len, PHYR_PIN_WRITE), EFAULT);
	release(addr, len);
}

static void test_secretmem(void **state)
{
	long fd = syscall(SYS_memfd_secret, 0);
	char *addr;

	(void)state;
	assert_return_code(fd, errno);
	assert_int_equal(ftruncate((int)fd, 4 * PAGE), 0);
	addr = map_shared((int)fd, 4 * PAGE, RW, 0);
	assert_int_equal(try_pin((uintptr_t)addr, 4 * PAGE, 0), EFAULT);
	memset(addr, 1, 4 * PAGE);
	check_hole(addr, 4 * PAGE);
	assert_int_equal(try_pin((uintptr_t)addr, 4 * PAGE, 0), EFAULT);
	release(addr, 4 * PAGE);
	close((int)fd);
}

/*
 * Ordinary pages that a driver maps as if they had none, as the mapping of a
 * region does, are that driver's to hold.
 */
static void test_pfnmap_of_pages(void **state)
{
	char *addr = anon(2 * MIB, RW), *mapped;
	int region = pin(addr, 2 * MIB, PHYR_PIN_WRITE);

	(void)state;
	mapped = map_shared(region, 2 * MIB, RW, 0);
	assert_int_equal(try_pin((uintptr_t)mapped, PAGE, 0), EOPNOTSUPP);
	memset(mapped, 1, 2 * MIB);
	assert_int_equal(try_pin((uintptr_t)mapped, 2 * MIB, 0), EOPNOTSUPP);
	assert_int_equal(try_pin((uintptr_t)mapped + PAGE, PAGE, PHYR_PIN_WRITE), EOPNOTSUPP);
	release(mapped, 2 * MIB);
	close(region);
	release(addr, 2 * MIB);
}

/* Structures */

#define ROOM	(2 * PAGE)

static const struct {
	unsigned int cmd;
	unsigned int size;
	unsigned int least;	/* of the first version */
} commands[] = {
	{ PHYR_IOC_INFO, sizeof(struct phyr_info), offsetof(struct phyr_info, flags) },
	{ PHYR_IOC_PIN, sizeof(struct phyr_pin), sizeof(struct phyr_pin) },
	{ PHYR_IOC_QUERY, sizeof(struct phyr_query), offsetof(struct phyr_query, large_entry) },
	{ PHYR_IOC_RANGES, sizeof(struct phyr_ranges), sizeof(struct phyr_ranges) },
	{ PHYR_IOC_IMPORT, sizeof(struct phyr_import), sizeof(struct phyr_import) },
	{ PHYR_IOC_COPY, sizeof(struct phyr_copy), sizeof(struct phyr_copy) },
	{ PHYR_IOC_FILL, sizeof(struct phyr_fill), sizeof(struct phyr_fill) },
	{ PHYR_IOC_COMPARE, sizeof(struct phyr_compare), sizeof(struct phyr_compare) },
	{ PHYR_IOC_CRC32C, sizeof(struct phyr_crc), sizeof(struct phyr_crc) },
	{ PHYR_IOC_RW, sizeof(struct phyr_rw), sizeof(struct phyr_rw) },
};

/* Something to ask about, and @arg to ask for it in the right way. */
static struct {
	char *addr;
	int region;
	int null;		/* a file that takes everything */
	struct phyr_range range;
} asked;

static const struct phyr_slice one_byte = { .len = 1 };

static void prepare_rw(struct phyr_rw *rw)
{
	rw->flags = PHYR_RW_WRITE;
	rw->fd = asked.region;
	rw->file = asked.null;
	rw->slices = (uintptr_t)&one_byte;
	rw->nr = 1;
}

static void prepare_bytes(unsigned int cmd, void *arg)
{
	struct phyr_copy *copy = arg;
	struct phyr_fill *fill = arg;
	struct phyr_compare *compare = arg;
	struct phyr_crc *crc = arg;

	if (cmd == PHYR_IOC_COPY) {
		copy->dst_fd = asked.region;
		copy->src_fd = asked.region;
		copy->len = 1;
	} else if (cmd == PHYR_IOC_FILL) {
		fill->fd = asked.region;
		fill->len = 1;
	} else if (cmd == PHYR_IOC_COMPARE) {
		compare->a_fd = asked.region;
		compare->b_fd = asked.region;
		compare->len = 1;
	} else if (cmd == PHYR_IOC_CRC32C) {
		crc->fd = asked.region;
		crc->len = 1;
	} else if (cmd == PHYR_IOC_RW) {
		prepare_rw(arg);
	}
}

static void prepare(unsigned int cmd, unsigned int size, void *arg)
{
	struct phyr_pin *p = arg;
	struct phyr_query *query = arg;
	struct phyr_ranges *ranges = arg;
	struct phyr_import *import = arg;

	memset(arg, 0, ROOM);
	p->size = size;
	if (cmd == PHYR_IOC_PIN) {
		p->addr = (uintptr_t)asked.addr;
		p->len = PAGE;
	} else if (cmd == PHYR_IOC_QUERY) {
		query->fd = asked.region;
	} else if (cmd == PHYR_IOC_RANGES) {
		ranges->fd = asked.region;
		ranges->ranges = (uintptr_t)&asked.range;
		ranges->nr = 1;
	} else if (cmd == PHYR_IOC_IMPORT) {
		import->dmabuf = asked.region;
	} else {
		prepare_bytes(cmd, arg);
	}
}

static int ask(unsigned int cmd, void *arg)
{
	int error = call(cmd, arg);

	if (!error && cmd == PHYR_IOC_PIN)
		close(((struct phyr_pin *)arg)->fd);
	else if (!error && cmd == PHYR_IOC_IMPORT)
		close(((struct phyr_import *)arg)->fd);
	return error;
}

static void asked_begin(void)
{
	asked.addr = anon(4 * PAGE, RW);
	asked.region = pin(asked.addr, 4 * PAGE, PHYR_PIN_WRITE);
	asked.null = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void asked_end(void)
{
	close(asked.null);
	close(asked.region);
	release(asked.addr, 4 * PAGE);
}

static int ask_size(unsigned int cmd, unsigned int size, char *arg)
{
	prepare(cmd, size, arg);
	return ask(cmd, arg);
}

static void check_sizes(unsigned int cmd, unsigned int size, unsigned int least, char *arg)
{
	assert_int_equal(ask_size(cmd, 0, arg), EINVAL);
	assert_int_equal(ask_size(cmd, 1, arg), EINVAL);
	assert_int_equal(ask_size(cmd, 4, arg), EINVAL);
	assert_int_equal(ask_size(cmd, least - 1, arg), EINVAL);
	assert_int_equal(ask_size(cmd, least, arg), 0);
	for (size_t i = least; i < ROOM; i++)
		assert_int_equal(arg[i], 0);		/* nothing written there */
	assert_int_equal(ask_size(cmd, size - 1, arg), size == least ? EINVAL : 0);
	assert_int_equal(ask_size(cmd, size, arg), 0);
	assert_int_equal(ask_size(cmd, size + 1, arg), 0);
	assert_int_equal(ask_size(cmd, size + 64, arg), 0);
	assert_int_equal(ask_size(cmd, PAGE, arg), 0);
	for (size_t i = size; i < ROOM; i++)
		assert_int_equal(arg[i], 0);		/* nothing written there */
	assert_int_equal(ask_size(cmd, PAGE + 1, arg), E2BIG);
	assert_int_equal(ask_size(cmd, ~0u, arg), E2BIG);
}

/* A newer program may not ask for what this kernel does not know. */
static void check_tail(unsigned int cmd, unsigned int size, char *arg)
{
	prepare(cmd, size + 8, arg);
	arg[size + 7] = 1;
	assert_int_equal(ask(cmd, arg), E2BIG);
	prepare(cmd, PAGE, arg);
	arg[size] = 1;
	assert_int_equal(ask(cmd, arg), E2BIG);
	prepare(cmd, size, arg);
	arg[size] = 1;					/* not part of it */
	assert_int_equal(ask(cmd, arg), 0);
}

static void test_sizes(void **state)
{
	char *arg = malloc(ROOM);

	(void)state;
	asked_begin();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		check_sizes(commands[i].cmd, commands[i].size, commands[i].least, arg);
		check_tail(commands[i].cmd, commands[i].size, arg);
	}
	asked_end();
	free(arg);
}

/* A structure at the very end of a page, of which the next one is not there. */
static void check_pointers(unsigned int cmd, unsigned int size, char *pages)
{
	char *arg = malloc(ROOM);

	prepare(cmd, size, arg);
	memcpy(pages + PAGE - size, arg, size);
	assert_int_equal(ask(cmd, pages + PAGE - size), 0);
	memcpy(pages + PAGE - size + 1, arg, size - 1);
	assert_int_equal(ask(cmd, pages + PAGE - size + 1), EFAULT);
	prepare(cmd, size + 8, arg);
	memcpy(pages + PAGE - size, arg, size);
	assert_int_equal(ask(cmd, pages + PAGE - size), EFAULT);
	assert_int_equal(ask(cmd, pages + PAGE - 2), EFAULT);
	assert_int_equal(ask(cmd, pages + PAGE), EFAULT);
	assert_int_equal(ask(cmd, NULL), EFAULT);
	assert_int_equal(ask(cmd, (void *)0xffff888000000000ul), EFAULT);
	assert_int_equal(ask(cmd, (void *)~0ul), EFAULT);

	/* What cannot be written back is not left behind either. */
	prepare(cmd, size, arg);
	memcpy(pages, arg, size);
	assert_int_equal(mprotect(pages, PAGE, PROT_READ), 0);
	assert_int_equal(ask(cmd, pages), EFAULT);
	assert_int_equal(mprotect(pages, PAGE, RW), 0);
	free(arg);
}

static void test_pointers(void **state)
{
	char *pages = anon(2 * PAGE, RW);

	(void)state;
	release(pages + PAGE, PAGE);
	asked_begin();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		check_pointers(commands[i].cmd, commands[i].size, pages);
	asked_end();
	release(pages, PAGE);
}

static void test_flags(void **state)
{
	char *arg = malloc(ROOM);
	struct phyr_pin *p = (struct phyr_pin *)arg;
	struct phyr_ranges *ranges = (struct phyr_ranges *)arg;
	struct phyr_import *import = (struct phyr_import *)arg;

	(void)state;
	asked_begin();
	for (unsigned int bit = 1; bit < 32; bit++) {
		prepare(PHYR_IOC_PIN, sizeof(*p), arg);
		p->flags = 1u << bit;
		assert_int_equal(ask(PHYR_IOC_PIN, arg), EINVAL);
		p->flags |= PHYR_PIN_WRITE;
		assert_int_equal(ask(PHYR_IOC_PIN, arg), EINVAL);
		prepare(PHYR_IOC_IMPORT, sizeof(*import), arg);
		import->flags = 1u << bit;
		assert_int_equal(ask(PHYR_IOC_IMPORT, arg), EINVAL);
	}
	prepare(PHYR_IOC_PIN, sizeof(*p), arg);
	p->reserved = 1;
	assert_int_equal(ask(PHYR_IOC_PIN, arg), EINVAL);
	prepare(PHYR_IOC_RANGES, sizeof(*ranges), arg);
	ranges->reserved = 0x80000000;
	assert_int_equal(ask(PHYR_IOC_RANGES, arg), EINVAL);
	asked_end();
	free(arg);
}

static void test_unknown_commands(void **state)
{
	const unsigned int bad[] = {
		0, ~0u, FIONREAD & 0xff,
		_IOWR(PHYR_IOC_MAGIC, _IOC_NR(PHYR_IOC_RW) + 1, struct phyr_info),
		_IOWR(PHYR_IOC_MAGIC, 255, struct phyr_info),
		_IOWR(PHYR_IOC_MAGIC + 1, 0, struct phyr_info),
		_IOR(PHYR_IOC_MAGIC, 0, struct phyr_info),
		_IOW(PHYR_IOC_MAGIC, 1, struct phyr_pin),
		_IO(PHYR_IOC_MAGIC, 0),
	};
	struct phyr_info info = { .size = sizeof(info) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(call(bad[i], &info), ENOTTY);
	/* The size in the number is the caller's; the one inside counts. */
	assert_int_equal(call(_IOC(_IOC_READ | _IOC_WRITE, PHYR_IOC_MAGIC, 0, 1000), &info), 0);
}

static long ioctl32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

/* A 32-bit program has the same structures. */
static void test_32_bit(void **state)
{
	char *low = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct phyr_pin *p = (struct phyr_pin *)low;
	struct phyr_info *info = (struct phyr_info *)low;

	(void)state;
	assert_ptr_not_equal(low, MAP_FAILED);
	info->size = sizeof(*info);
	assert_int_equal(ioctl32(dev, PHYR_IOC_INFO, info), 0);
	assert_int_equal(info->page_size, PAGE);
	*p = (struct phyr_pin) {
		.size = sizeof(*p), .addr = (uintptr_t)low + PAGE, .len = PAGE,
	};
	assert_int_equal(ioctl32(dev, PHYR_IOC_PIN, p), 0);
	assert_int_equal(try_query(p->fd), 0);
	close(p->fd);
	p->addr = 1;
	assert_int_equal(ioctl32(dev, PHYR_IOC_PIN, p), -EFAULT);
	assert_int_equal(ioctl32(dev, _IO(PHYR_IOC_MAGIC, 77), p), -ENOTTY);
	release(low, 2 * PAGE);
}

/* Descriptors */

static void check_not_region(int fd, int error)
{
	struct phyr_range range;

	assert_int_equal(try_query(fd), error);
	assert_int_equal(try_ranges(fd, &range, 1), error);
}

static void test_not_regions(void **state)
{
	int memfd = memfd_create("phyr", MFD_CLOEXEC), buf, region;
	char *addr = anon(PAGE, RW), *other;

	(void)state;
	buf = udmabuf(&other, 4 * PAGE, 0);
	region = pin(addr, PAGE, 0);
	close(region);
	check_not_region(region, EBADF);
	check_not_region(-1, EBADF);
	check_not_region(1 << 30, EBADF);
	check_not_region(-1 - (1 << 30), EBADF);
	check_not_region(memfd, EINVAL);
	check_not_region(dev, EINVAL);
	check_not_region(buf, EINVAL);		/* a dma-buf, but not ours */
	close(buf);
	release(other, 4 * PAGE);
	close(memfd);
	release(addr, PAGE);
}

static void test_range_pointers(void **state)
{
	const unsigned int fit = PAGE / sizeof(struct phyr_range);
	struct mem mem;
	char *out = anon(2 * PAGE, RW);
	int region;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("4 KiB scattered"), 4 * MIB), 0);
	region = pin(mem.addr, mem.len, 0);
	assert_int_equal(try_ranges(region, out, fit), 0);
	assert_int_equal(mprotect(out + PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(try_ranges(region, out, fit), 0);
	assert_int_equal(try_ranges(region, out, fit + 1), EFAULT);
	assert_int_equal(try_ranges(region, out, ~0u), EFAULT);
	assert_int_equal(try_ranges(region, out + PAGE, 1), EFAULT);
	assert_int_equal(mprotect(out, PAGE, PROT_READ), 0);
	assert_int_equal(try_ranges(region, out, 1), EFAULT);
	assert_int_equal(try_ranges(region, NULL, 1), EFAULT);
	assert_int_equal(try_ranges(region, (void *)0xffff888000000000ul, 1), EFAULT);
	assert_int_equal(try_ranges(region, (void *)-24l, 2), EFAULT);
	assert_int_equal(try_ranges(region, NULL, 0), 0);	/* nothing to write */
	close(region);
	mem_unmap(&mem);
	release(out, 2 * PAGE);
}

/* No descriptor left: nothing is pinned, and it works again afterwards. */
static void test_no_descriptor(void **state)
{
	char *addr = anon(MIB, RW);
	struct rlimit old, few;
	int next = dup(dev);

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit) { .rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(try_pin((uintptr_t)addr, MIB, PHYR_PIN_WRITE), EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(fixture_nothing_left(NULL), 0);
	assert_int_equal(try_pin((uintptr_t)addr, MIB, PHYR_PIN_WRITE), 0);
	release(addr, MIB);
}

int main(void)
{
	const struct CMUnitTest bad[] = {
		fixture_test(test_addresses),
		fixture_test(test_hole),
		fixture_test(test_prot_none),
		fixture_test(test_read_only),
		fixture_test(test_past_the_file),
		fixture_test(test_too_many_huge_pages),
		fixture_test(test_secretmem),
		fixture_test(test_pfnmap_of_pages),
		fixture_test(test_sizes),
		fixture_test(test_pointers),
		fixture_test(test_flags),
		fixture_test(test_unknown_commands),
		fixture_test(test_32_bit),
		fixture_test(test_not_regions),
		fixture_test(test_range_pointers),
		fixture_test(test_no_descriptor),
	};

	return fixture_run(bad);
}
