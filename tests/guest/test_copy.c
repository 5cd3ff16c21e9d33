// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions copied, filled, compared and summed by the kernel: every kind of memory, odd ends,
 * overlap, and what stops a copy on its way.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/bar.h"
#include "common/driver.h"

#define LEN	(MIB + 5 * PAGE)
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"

struct lent {
	struct mem mem;
	int region;
};

static const char *const kinds[] = {
	"4 KiB pages", "4 KiB scattered", "mTHP 64 KiB", "THP 2 MiB", "hugetlb 2 MiB", "memfd",
	"devdax pmem", "PCI BAR", "hidden RAM", "mixed",
};

static size_t whole(const struct mem_kind *kind, size_t len)
{
	return (len + kind->page - 1) / kind->page * kind->page;
}

static void lend(struct lent *l, const char *name)
{
	const struct mem_kind *kind = mem_find(name);
	size_t len = whole(kind, strcmp(name, "mixed") ? LEN : 28 * MIB);

	if (mem_map(&l->mem, kind, len))
		fail_msg("%s: %s", name, strerror(errno));
	l->region = pin(l->mem.addr, l->mem.len, PHYR_PIN_WRITE);
}

static void take_back(struct lent *l)
{
	close(l->region);
	mem_unmap(&l->mem);
}

/* Where a copy begins, and how long it is. */
static const struct {
	size_t at;
	size_t len;
} parts[] = {
	{ 0, 1 }, { 1, 3 }, { 7, 64 }, { 63, 130 }, { PAGE - 1, 2 }, { PAGE - 3, 2 * PAGE + 5 },
	{ 65535, 3 }, { 64 * KIB - 5, 128 * KIB + 11 }, { 0, LEN }, { 13, LEN - 29 },
};

static void check_to_and_from(const struct lent *l, size_t at, size_t len)
{
	char *buf = anon(LEN, RW), *mem = l->mem.addr + at;

	pattern_fill(buf, len, (unsigned int)at + 1);
	assert_int_equal(phyr_fill(dev, l->region, 0, 0xa5, LEN), LEN);
	assert_int_equal(phyr_copy_to(dev, l->region, at, buf, len), len);
	assert_true(pattern_is(mem, len, (unsigned int)at + 1));
	if (at)
		assert_int_equal((unsigned char)mem[-1], 0xa5);
	if (at + len < LEN)
		assert_int_equal((unsigned char)mem[len], 0xa5);
	memset(buf, 0, LEN);
	assert_int_equal(phyr_copy_from(dev, l->region, at, buf, len), len);
	assert_true(pattern_is(buf, len, (unsigned int)at + 1));
	if (at + len < LEN)
		assert_int_equal(buf[len], 0);
	release(buf, LEN);
}

static void test_kinds(void **state)
{
	struct lent l;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		print_message("# %s\n", kinds[k]);
		lend(&l, kinds[k]);
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			check_to_and_from(&l, parts[i].at, parts[i].len);
		take_back(&l);
	}
}

/* Loads from write-combined memory that fill no cache, which a hypervisor may not know. */
static void test_streamed(void **state)
{
	static const char param[] = "/sys/module/phyr/parameters/stream_in_vm";
	char *bar, *buf = anon(LEN, RW);
	int region;

	(void)state;
	assert_true(bar_find());
	bar = bar_map_file("resource2_wc", LEN);
	region = pin(bar, LEN, PHYR_PIN_WRITE);
	for (int on = 0; on < 2; on++) {
		assert_int_equal(write_file(param, on ? "1" : "0"), 0);
		pattern_fill(buf, LEN, 8 + (unsigned int)on);
		assert_int_equal(phyr_copy_to(dev, region, 0, buf, LEN), LEN);
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			size_t at = parts[i].at, len = parts[i].len;

			memset(buf, 0, LEN);
			assert_int_equal(phyr_copy_from(dev, region, at, buf, len), len);
			for (size_t b = 0; b < len; b += 1 + len / 997)
				assert_int_equal((unsigned char)buf[b],
						 pattern(at + b, 8 + (unsigned int)on));
		}
	}
	assert_int_equal(write_file(param, "0"), 0);
	close(region);
	release(bar, LEN);
	release(buf, LEN);
}

/* A part of one region to another place in a second one, and back. */
static void check_between(const struct lent *a, const struct lent *b, size_t at, size_t len)
{
	size_t there = (at * 3 + 5) % (LEN - len + 1);

	pattern_fill(a->mem.addr, LEN, 3);
	assert_int_equal(phyr_fill(dev, b->region, 0, 0, LEN), LEN);
	assert_int_equal(phyr_copy(dev, b->region, there, a->region, at, len), len);
	assert_int_equal(phyr_compare(dev, b->region, there, a->region, at, len), len);
	assert_int_equal(phyr_fill(dev, a->region, 0, 0, LEN), LEN);
	assert_int_equal(phyr_copy(dev, a->region, at, b->region, there, len), len);
	for (size_t n = 0; n < len; n += 1 + len / 97)
		assert_int_equal((unsigned char)a->mem.addr[at + n], pattern(at + n, 3));
}

static void test_between(void **state)
{
	struct lent l[2];

	(void)state;
	lend(&l[0], "4 KiB scattered");
	for (size_t k = 1; k < ARRAY_SIZE(kinds); k += 2) {
		lend(&l[1], kinds[k]);
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			check_between(&l[0], &l[1], parts[i].at, parts[i].len);
		take_back(&l[1]);
	}
	take_back(&l[0]);
}

/* As memmove() does it. */
static void check_overlap(const struct lent *l, size_t to, size_t from, size_t len)
{
	char *model = anon(LEN, RW);

	pattern_fill(model, LEN, 9);
	assert_int_equal(phyr_copy_to(dev, l->region, 0, model, LEN), LEN);
	memmove(model + to, model + from, len);
	assert_int_equal(phyr_copy(dev, l->region, to, l->region, from, len), len);
	assert_memory_equal(l->mem.addr, model, LEN);
	release(model, LEN);
}

static void test_overlap(void **state)
{
	static const char *const some[] = { "4 KiB scattered", "hugetlb 2 MiB", "PCI BAR" };
	struct lent l;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(some); k++) {
		lend(&l, some[k]);
		check_overlap(&l, 1, 0, LEN - 1);
		check_overlap(&l, 0, 1, LEN - 1);
		check_overlap(&l, 70000, 3, 300001);
		check_overlap(&l, 3, 70000, 300001);
		check_overlap(&l, 64 * KIB, 0, 192 * KIB);
		check_overlap(&l, 5, 5, 200000);
		check_overlap(&l, 500000, 0, 400000);
		take_back(&l);
	}
}

static uint32_t crc32c(uint32_t crc, const unsigned char *at, size_t len)
{
	for (; len; len--) {
		crc ^= *at++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* At once, and in two parts. */
static void check_crc(const struct lent *l, const char *bytes)
{
	const size_t len = LEN - 9, part = 100001;
	uint32_t want = crc32c(~0u, (const unsigned char *)bytes + 3, len), crc = ~0u;

	assert_int_equal(phyr_crc32c(dev, l->region, 3, len, &crc), len);
	assert_int_equal(crc, want);
	crc = ~0u;
	assert_int_equal(phyr_crc32c(dev, l->region, 3, part, &crc), part);
	assert_int_equal(phyr_crc32c(dev, l->region, 3 + part, len - part, &crc), len - part);
	assert_int_equal(crc, want);
	assert_int_equal(phyr_crc32c(dev, l->region, 3, l->mem.len, &crc), -EINVAL);
	assert_int_equal(crc, want);
}

static void test_compare_and_sum(void **state)
{
	static const char *const some[] = { "4 KiB scattered", "PCI BAR" };
	struct phyr_compare c;
	struct lent l;
	char *buf = anon(LEN, RW);

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(some); k++) {
		lend(&l, some[k]);
		pattern_fill(buf, LEN, 4);
		assert_int_equal(phyr_copy_to(dev, l.region, 0, buf, LEN), LEN);
		for (size_t at = 0; at < LEN; at += LEN / 5 - 1) {
			buf[at] ^= 0x10;
			c = (struct phyr_compare){ .size = sizeof(c), .a_fd = l.region, .b_fd = -1,
				.b = (uintptr_t)buf, .len = LEN };
			assert_return_code(ioctl(dev, PHYR_IOC_COMPARE, &c), errno);
			assert_int_equal(c.equal, at);
			assert_true(c.done > c.equal);
			buf[at] ^= 0x10;
		}
		c.len = LEN;
		assert_return_code(ioctl(dev, PHYR_IOC_COMPARE, &c), errno);
		assert_int_equal(c.equal, LEN);
		assert_int_equal(c.done, LEN);
		check_crc(&l, buf);
		take_back(&l);
	}
	release(buf, LEN);
}

/* In one piece */

/* All of a list, and parts of it, by one address of the kernel's. */
static void check_one_piece(int drv, const char *mem, size_t len)
{
	char *buf = malloc(len);

	assert_non_null(buf);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && parts[i].at + parts[i].len <= len; i++) {
		size_t at = parts[i].at, n = parts[i].len;

		assert_int_equal(driver_copy(drv, at, buf, n, PT_ONE_PIECE), 0);
		assert_memory_equal(buf, mem + at, n);
	}
	assert_int_equal(driver_copy(drv, 0, buf, len, PT_ONE_PIECE), 0);
	assert_memory_equal(buf, mem, len);
	assert_int_equal(driver_copy(drv, 1, buf, len, PT_ONE_PIECE), EINVAL);
	assert_int_equal(driver_copy(drv, ~0ULL, buf, 2, PT_ONE_PIECE), EINVAL);
	assert_int_equal(driver_copy(drv, 0, buf, 0, PT_ONE_PIECE), EINVAL);
	free(buf);
}

static void test_one_piece(void **state)
{
	static const char *const some[] = {
		"4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "memfd", "devdax pmem", "PCI BAR",
	};
	int drv = driver_open();
	struct mem mem;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(some); k++) {
		const struct mem_kind *kind = mem_find(some[k]);

		print_message("# %s\n", some[k]);
		assert_int_equal(mem_map(&mem, kind, whole(kind, LEN)), 0);
		pattern_fill(mem.addr, mem.len, (unsigned int)k);
		assert_int_equal(driver_add(drv, mem.addr, mem.len, PT_WRITE), 0);
		check_one_piece(drv, mem.addr, mem.len);
		driver_unpin(drv, 0);
		mem_unmap(&mem);
	}
	close(drv);
}

/*
 * Of a BAR, two parts the other way round, and then something that has pages. The kernel
 * has a call for the first where a driver with such memory, such as i915, is configured.
 */
static void test_several_pieces(void **state)
{
	bool possible = !system("grep -q ' T vmap_pfn$' /proc/kallsyms");
	int drv = driver_open(), want = possible ? 0 : EOPNOTSUPP;
	char *bar, *mem = anon(PAGE, RW), buf[3 * PAGE];

	(void)state;
	assert_true(bar_find());
	bar = bar_map(16 * PAGE);
	pattern_fill(bar, 16 * PAGE, 5);
	assert_int_equal(driver_add(drv, bar + 9 * PAGE, 3 * PAGE, PT_WRITE), 0);
	assert_int_equal(driver_add(drv, bar + 2 * PAGE, 4 * PAGE, PT_WRITE), 0);
	assert_int_equal(driver_copy(drv, 2 * PAGE - 3, buf, 2 * PAGE + 9, PT_ONE_PIECE), want);
	if (possible) {
		assert_memory_equal(buf, bar + 11 * PAGE - 3, PAGE + 3);
		assert_memory_equal(buf + PAGE + 3, bar + 2 * PAGE, PAGE + 6);
	}
	assert_int_equal(driver_add(drv, mem, PAGE, PT_WRITE), 0);
	assert_int_equal(driver_copy(drv, 7 * PAGE - 1, buf, 2, PT_ONE_PIECE), EOPNOTSUPP);
	assert_int_equal(driver_copy(drv, 7 * PAGE, buf, PAGE, PT_ONE_PIECE), 0);
	release(bar, 16 * PAGE);
	assert_int_equal(driver_copy(drv, 0, buf, PAGE, PT_ONE_PIECE), ENODEV);
	close(drv);
	release(mem, PAGE);
}

/* Parts that meet within a page cannot be next to each other. */
static void test_odd_pieces(void **state)
{
	int drv = driver_open();
	char *mem = anon(4 * PAGE, RW), buf[2 * PAGE];

	(void)state;
	pattern_fill(mem, 4 * PAGE, 6);
	assert_int_equal(driver_add(drv, mem + 100, PAGE, PT_WRITE), 0);
	assert_int_equal(driver_add(drv, mem + 2 * PAGE + 8, PAGE, PT_WRITE), 0);
	assert_int_equal(driver_copy(drv, 0, buf, PAGE, PT_ONE_PIECE), 0);
	assert_memory_equal(buf, mem + 100, PAGE);
	assert_int_equal(driver_copy(drv, PAGE, buf, PAGE, PT_ONE_PIECE), 0);
	assert_memory_equal(buf, mem + 2 * PAGE + 8, PAGE);
	assert_int_equal(driver_copy(drv, PAGE - 1, buf, 2, PT_ONE_PIECE), EOPNOTSUPP);
	close(drv);
	release(mem, 4 * PAGE);
}

/* What is refused */

static void test_errors(void **state)
{
	char *mem = anon(8 * PAGE, RW), buf[64];
	int region = pin(mem, 8 * PAGE, PHYR_PIN_WRITE), other = pin(mem, 8 * PAGE, 0);
	struct phyr_copy copy;
	struct phyr_fill fill;

	(void)state;
	assert_int_equal(phyr_copy_to(dev, region, 0, buf, 0), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, region, 8 * PAGE, buf, 1), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, region, 8 * PAGE - 1, buf, 2), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, region, ~0ULL, buf, 2), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, other, 0, buf, 1), -EACCES);
	assert_int_equal(phyr_copy_from(dev, other, 0, buf, 1), 1);
	assert_int_equal(phyr_copy(dev, other, 0, region, 0, 1), -EACCES);
	assert_int_equal(phyr_copy(dev, region, 0, other, 0, 1), 1);
	assert_int_equal(phyr_copy(dev, region, 0, region, ~0ULL - 2, 8), -EINVAL);
	assert_int_equal(phyr_fill(dev, other, 0, 0, 1), -EACCES);
	assert_int_equal(phyr_fill(dev, region, 4 * PAGE, 0, 4 * PAGE + 1), -EINVAL);
	assert_int_equal(phyr_compare(dev, region, 0, other, 1, 8 * PAGE), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, dev, 0, buf, 1), -EINVAL);
	assert_int_equal(phyr_copy_to(dev, -1, 0, buf, 1), -EBADF);
	assert_int_equal(phyr_copy_from(dev, region, 0, (void *)8, 16), -EFAULT);
	assert_int_equal(phyr_copy_to(dev, region, 0, (void *)8, 16), -EFAULT);
	copy = (struct phyr_copy){ .size = sizeof(copy), .dst_fd = -1, .src_fd = -1, .len = 1 };
	assert_int_equal(ioctl(dev, PHYR_IOC_COPY, &copy), -1);
	assert_int_equal(errno, EINVAL);
	copy = (struct phyr_copy){ .size = sizeof(copy), .flags = 1, .dst_fd = region,
		.src_fd = region, .len = 1 };
	assert_int_equal(ioctl(dev, PHYR_IOC_COPY, &copy), -1);
	assert_int_equal(errno, EINVAL);
	fill = (struct phyr_fill){ .size = sizeof(fill), .fd = region, .byte = 256, .len = 1 };
	assert_int_equal(ioctl(dev, PHYR_IOC_FILL, &fill), -1);
	assert_int_equal(errno, EINVAL);
	close(region);
	close(other);
	release(mem, 8 * PAGE);
}

/* The program's memory ends in the middle: what is there was copied. */
static void check_hole(const char *kind)
{
	char *buf = anon(LEN, RW);
	struct lent l;
	ssize_t n;

	lend(&l, kind);
	assert_return_code(munmap(buf + 100 * PAGE, LEN - 100 * PAGE), errno);
	pattern_fill(buf, 100 * PAGE, 6);
	n = phyr_copy_to(dev, l.region, 0, buf, LEN);
	assert_in_range(n, 1, 100 * PAGE);
	assert_true(pattern_is(l.mem.addr, (size_t)n, 6));
	assert_int_equal(phyr_copy_to(dev, l.region, 0, buf + 100 * PAGE, 1), -EFAULT);
	n = phyr_copy_from(dev, l.region, 0, buf, LEN);
	assert_in_range(n, 1, 100 * PAGE);
	release(buf, 100 * PAGE);
	take_back(&l);
}

static void test_holes(void **state)
{
	(void)state;
	check_hole("4 KiB scattered");
	check_hole("PCI BAR");
}

/* Revoked before, and meanwhile */

static void test_revoked(void **state)
{
	struct lent l;
	char byte;

	(void)state;
	lend(&l, "PCI BAR");
	mem_unmap(&l.mem);
	assert_int_equal(phyr_copy_from(dev, l.region, 0, &byte, 1), -ENODEV);
	assert_int_equal(phyr_copy_to(dev, l.region, 0, &byte, 1), -ENODEV);
	assert_int_equal(phyr_fill(dev, l.region, 0, 0, 1), -ENODEV);
	close(l.region);
}

static void *copier(void *arg)
{
	const struct lent *l = arg;
	char *buf = malloc(LEN);
	ssize_t n;

	do {
		n = phyr_copy_from(dev, l->region, 0, buf, LEN);
		must(n == -ENODEV || (n > 0 && n <= (ssize_t)LEN));
		n = n < 0 ? n : phyr_fill(dev, l->region, 0, 7, LEN);
		must(n == -ENODEV || (n > 0 && n <= (ssize_t)LEN));
	} while (n > 0);
	free(buf);
	return NULL;
}

/* In a child: libpthread keeps stacks. */
static void revoke_meanwhile(void *arg)
{
	pthread_t thread[2];
	struct lent l;

	(void)arg;
	for (int i = 0; i < 5; i++) {
		must(!mem_map(&l.mem, mem_find("PCI BAR"), LEN));
		l.region = phyr_pin(dev, l.mem.addr, LEN, PHYR_PIN_WRITE);
		must(l.region >= 0);
		for (int t = 0; t < 2; t++)
			must(!pthread_create(&thread[t], NULL, copier, &l));
		usleep(20000 * (unsigned int)i);
		mem_unmap(&l.mem);
		for (int t = 0; t < 2; t++)
			pthread_join(thread[t], NULL);
		close(l.region);
	}
}

static void test_revoked_meanwhile(void **state)
{
	(void)state;
	child_run(revoke_meanwhile, NULL);
}

static void go_on(int sig)
{
	(void)sig;
}

/* The process gets a signal, as if it had touched it. */
static void poison(char *page)
{
	struct sigaction before, handle = { .sa_handler = go_on };
	int ret;

	assert_return_code(sigaction(SIGBUS, &handle, &before), errno);
	ret = madvise(page, PAGE, MADV_HWPOISON);
	print_message("# madvise: %s\n", ret ? strerror(errno) : "done");
	assert_return_code(sigaction(SIGBUS, &before, NULL), errno);
}

/* A page that the kernel knows to be bad is not read: what is before it is. */
static void test_poisoned(void **state)
{
	char *mem, *buf = anon(64 * PAGE, RW), text[32];
	int file, region;
	uint64_t pfn;

	(void)state;
	if (system("modprobe -q hwpoison-inject"))
		skip();
	file = memfd_create("poison", MFD_CLOEXEC);
	mem = anon(64 * PAGE, RW);
	pattern_fill(mem, 64 * PAGE, 2);
	region = pin(mem, 64 * PAGE, PHYR_PIN_WRITE);
	pfn = mem_pfn(mem + 40 * PAGE);
	poison(mem + 40 * PAGE);
	assert_int_equal(phyr_copy_from(dev, region, 39 * PAGE, buf, PAGE), PAGE);
	assert_true(pattern(39 * PAGE, 2) == (unsigned char)buf[0]);
	assert_int_equal(phyr_copy_from(dev, region, 40 * PAGE + 5, buf, 1), -EHWPOISON);
	assert_int_equal(phyr_copy_from(dev, region, 0, buf, 64 * PAGE), 40 * PAGE);
	assert_int_equal(phyr_copy_from(dev, region, 41 * PAGE, buf, PAGE), PAGE);
	assert_int_equal(phyr_pwrite(dev, file, region, 40 * PAGE, PAGE, 0), -EHWPOISON);
	assert_int_equal(phyr_pwrite(dev, file, region, 0, 64 * PAGE, 0), 40 * PAGE);
	close(region);
	close(file);
	release(mem, 64 * PAGE);
	release(buf, 64 * PAGE);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)pfn);
	assert_int_equal(write_file(UNPOISON, text), 0);
}

int main(void)
{
	const struct CMUnitTest copy[] = {
		fixture_test(test_kinds),
		fixture_test(test_streamed),
		fixture_test(test_between),
		fixture_test(test_overlap),
		fixture_test(test_compare_and_sum),
		fixture_test(test_one_piece),
		fixture_test(test_several_pieces),
		fixture_test(test_odd_pieces),
		fixture_test(test_errors),
		fixture_test(test_holes),
		fixture_test(test_revoked),
		fixture_test(test_revoked_meanwhile),
		fixture_test(test_poisoned),
	};

	return fixture_run(copy);
}
