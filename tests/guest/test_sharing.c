// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that more than one has: a parent and its child, everybody (zero
 * pages), equal pages that the kernel has merged. A pin holds the page that
 * the process has, and goes on to have when it writes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/layout.h"

#define LEN	(2 * MIB)
#define KSM	"/sys/kernel/mm/ksm/"
#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static const char *const kinds[] = {
	"4 KiB pages", "4 KiB scattered", "mTHP 64 KiB", "THP 2 MiB", "hugetlb 2 MiB",
};

static struct mem mem;
static unsigned char buf[LEN];

/* A child that has the memory, and writes to it when it is asked to. */
struct child {
	pid_t pid;
	int to[2];
	int from[2];
};

static void child_main(void *arg)
{
	struct child *child = arg;
	char byte;

	must(write(child->from[1], "x", 1) == 1);
	while (read(child->to[0], &byte, 1) == 1) {
		must(pattern_is(mem.addr, LEN, 1));
		pattern_fill(mem.addr, LEN, 99);
		must(write(child->from[1], "x", 1) == 1);
	}
}

static void child_begin(struct child *child)
{
	char byte;

	assert_int_equal(pipe(child->to), 0);
	assert_int_equal(pipe(child->from), 0);
	child->pid = fork();
	assert_return_code(child->pid, errno);
	if (!child->pid) {
		close(child->to[1]);
		child_main(child);
		_exit(0);
	}
	assert_int_equal(read(child->from[0], &byte, 1), 1);
}

static void child_scribble(struct child *child)
{
	char byte;

	assert_int_equal(write(child->to[1], "x", 1), 1);
	assert_int_equal(read(child->from[0], &byte, 1), 1);
}

static void child_end(struct child *child)
{
	close(child->to[0]);
	close(child->to[1]);
	child_wait(child->pid);
	close(child->from[0]);
	close(child->from[1]);
}

/* What the kernel finds through the pin, and what the process has. */
static void check_same(int fd, unsigned int seed)
{
	assert_int_equal(driver_copy(fd, 0, buf, LEN, 0), 0);
	assert_true(pattern_is(buf, LEN, seed));
	assert_true(pattern_is(mem.addr, LEN, seed));
}

/* The parent writes, to each page, after it was pinned. */
static void check_pinned(int fd, struct child *child)
{
	check_same(fd, 1);
	pattern_fill(mem.addr, LEN, 2);
	check_same(fd, 2);
	child_scribble(child);
	check_same(fd, 2);
}

static void shared_before(const char *kind, unsigned int flags, bool some)
{
	int fd = driver_open();
	struct child child;

	assert_int_equal(mem_map(&mem, mem_find(kind), LEN), 0);
	pattern_fill(mem.addr, LEN, 1);
	child_begin(&child);
	if (some)		/* every third page is the parent's own again */
		for (size_t at = 0; at < LEN; at += 3 * PAGE)
			*(volatile char *)(mem.addr + at) = *(volatile char *)(mem.addr + at);
	assert_int_equal(driver_add(fd, mem.addr, LEN, flags), 0);
	check_pinned(fd, &child);
	driver_unpin(fd, 0);
	child_end(&child);
	close(fd);
	mem_unmap(&mem);
}

static void shared_after(const char *kind, unsigned int flags)
{
	int fd = driver_open();
	struct child child;

	assert_int_equal(mem_map(&mem, mem_find(kind), LEN), 0);
	pattern_fill(mem.addr, LEN, 1);
	assert_int_equal(driver_add(fd, mem.addr, LEN, flags), 0);
	child_begin(&child);
	check_pinned(fd, &child);
	driver_unpin(fd, 0);
	child_end(&child);
	close(fd);
	mem_unmap(&mem);
}

static const unsigned int ways[] = { 0, PT_LONGTERM, PT_WRITE, PT_WRITE | PT_LONGTERM };

static void test_fork_then_pin(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ways); j++)
			shared_before(kinds[i], ways[j], false);
}

static void test_fork_then_write_then_pin(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ways); j++)
			shared_before(kinds[i], ways[j], true);
}

static void test_pin_then_fork(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ways); j++)
			shared_after(kinds[i], ways[j]);
}

/*
 * Some pages of a folio are the parent's own again, because it wrote to them or
 * pinned them one by one; the marks of others say that they are shared. Nothing
 * but the mark tells them apart when they are pinned to be read.
 */
enum asked {
	ASKED_WRITE,
	ASKED_PIN,
	ASKED_NR
};

static void ask_some(int fd, enum asked how, unsigned int seed)
{
	srand(seed);
	for (char *at = mem.addr; at < mem.addr + LEN; at += PAGE) {
		if (rand() % 3)
			continue;
		if (how == ASKED_WRITE) {
			*(volatile char *)at = *(volatile char *)at;
		} else {
			assert_int_equal(driver_add(fd, at, PAGE, seed & 1 ? PT_LONGTERM : 0), 0);
			driver_unpin(fd, 0);
		}
	}
}

/* What is pinned, page by page, is what GUP pins, and what is mapped. */
static void check_frames(int fd, unsigned int flags)
{
	uint64_t *gup = calloc(LEN / PAGE, 8), *mapped;
	struct phyr_range *ranges;
	size_t nr, page = 0;

	ranges = driver_ranges(fd, 0, &nr);
	assert_int_equal(driver_gup(fd, mem.addr, LEN / PAGE, gup, flags), 0);
	mapped = layout_frames(mem.addr, LEN);
	for (size_t i = 0; i < nr; i++) {
		for (uint64_t done = 0; done < ranges[i].len; done += PAGE, page++) {
			if ((ranges[i].addr + done) / PAGE != gup[page])
				fail_msg("page %zu is not the one that GUP pins", page);
			assert_int_equal(gup[page], mapped[page]);
		}
	}
	assert_int_equal(page, LEN / PAGE);
	free(ranges);
	free(mapped);
	free(gup);
}

static void asked_one_by_one(const char *kind, unsigned int flags, enum asked how, bool gone,
			     unsigned int seed)
{
	int fd = driver_open();
	struct child first, second;

	assert_int_equal(mem_map(&mem, mem_find(kind), LEN), 0);
	pattern_fill(mem.addr, LEN, 1);
	if (!strcmp(kind, "THP 2 MiB")) {	/* entries of its own for each page */
		assert_int_equal(madvise(mem.addr, PAGE, MADV_DONTFORK), 0);
		assert_int_equal(madvise(mem.addr, PAGE, MADV_DOFORK), 0);
	}
	child_begin(&first);
	if (gone)
		child_end(&first);
	ask_some(fd, how, seed);
	assert_int_equal(driver_add(fd, mem.addr, LEN, flags), 0);
	check_frames(fd, flags);
	child_begin(&second);
	check_pinned(fd, &second);		/* and stays so when there is another child */
	driver_unpin(fd, 0);
	child_end(&second);
	if (!gone)
		child_end(&first);
	close(fd);
	mem_unmap(&mem);
}

static void test_asked_one_by_one(void **state)
{
	static const char *const folios[] = { "mTHP 64 KiB", "THP 2 MiB", "4 KiB pages" };
	unsigned int seed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(folios); i++)
		for (enum asked how = 0; how < ASKED_NR; how++)
			for (int way = 0; way < 4; way++, seed++)
				asked_one_by_one(folios[i], way & 1 ? PT_LONGTERM : 0, how,
						 way & 2, seed);
}

/* Room for a huge page, where there is nothing yet. */
static char *huge_room(int prot)
{
	mem = (struct mem){ .fd = -1, .len = LEN, .area_len = 2 * LEN };
	mem.area = mmap(NULL, 2 * LEN, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(mem.area, MAP_FAILED);
	mem.addr = (char *)mem.area + LEN - (uintptr_t)mem.area % LEN;
	return mem.addr;
}

/* Memory that was only read is the zero page, or the huge one. */
static char *zeroes(int advice)
{
	char *addr = huge_room(RW);

	assert_int_equal(madvise(addr, LEN, advice), 0);
	for (size_t at = 0; at < LEN; at += PAGE)
		assert_int_equal(*(volatile char *)(addr + at), 0);
	return addr;
}

/* Everybody's zeroes can be read for a while; for longer they become our own. */
static void check_zeroes(int advice)
{
	int fd = driver_open();
	struct phyr_range *ranges;
	char *addr = zeroes(advice);
	size_t nr;

	assert_int_equal(driver_add(fd, addr, LEN, 0), 0);
	ranges = driver_ranges(fd, 0, &nr);
	layout_check(addr, LEN, ranges, nr);
	free(ranges);
	assert_int_equal(driver_copy(fd, 0, buf, LEN, 0), 0);
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(buf[i], 0);
	driver_unpin(fd, 0);
	assert_int_equal(fixture_nothing_left(NULL), 0);

	assert_int_equal(driver_add(fd, addr, LEN, PT_LONGTERM), 0);
	pattern_fill(addr, LEN, 8);
	check_same(fd, 8);
	driver_unpin(fd, 0);
	mem_unmap(&mem);

	addr = zeroes(advice);
	assert_int_equal(driver_add(fd, addr + 1, LEN - 2, PT_WRITE), 0);
	memset(buf, 0x21, LEN);
	assert_int_equal(driver_copy(fd, 0, buf, LEN - 2, PT_WRITE), 0);
	assert_memory_equal(addr + 1, buf, LEN - 2);
	driver_unpin(fd, PT_DIRTY);
	mem_unmap(&mem);
	close(fd);
}

static void test_zero_pages(void **state)
{
	(void)state;
	check_zeroes(MADV_NOHUGEPAGE);
}

static void test_huge_zero_page(void **state)
{
	(void)state;
	check_zeroes(MADV_HUGEPAGE);
}

static long ksm_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_return_code(fd, errno);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtol(text, NULL, 10);
}

static void ksm_start(void)
{
	assert_int_equal(write_file(KSM "sleep_millisecs", "0"), 0);
	assert_int_equal(write_file(KSM "pages_to_scan", "2000"), 0);
	assert_int_equal(write_file(KSM "run", "1"), 0);
}

/* Until all pages of the memory but one, of each sort, are merged. */
static void ksm_wait(size_t pages)
{
	for (int i = 0; i < 300; i++) {
		if (ksm_number(KSM "pages_sharing") >= (long)pages)
			return;
		usleep(100000);
	}
	fail_msg("KSM has merged %ld pages", ksm_number(KSM "pages_sharing"));
}

static void ksm_stop(void)
{
	assert_int_equal(write_file(KSM "run", "2"), 0);
	assert_int_equal(write_file(KSM "run", "0"), 0);
}

/* Equal pages that were merged: a pin to read for long makes them our own. */
static void test_merged_pages(void **state)
{
	int fd = driver_open();

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("4 KiB pages"), LEN), 0);
	memset(mem.addr, 0x3a, LEN);
	assert_int_equal(madvise(mem.addr, LEN, MADV_MERGEABLE), 0);
	ksm_start();
	ksm_wait(LEN / PAGE / 2);
	assert_int_equal(driver_add(fd, mem.addr, LEN, PT_LONGTERM), 0);
	pattern_fill(mem.addr, LEN, 4);
	check_same(fd, 4);
	driver_unpin(fd, 0);
	ksm_stop();
	close(fd);
	mem_unmap(&mem);
}

/*
 * A huge page of a memfd, by ordinary entries: its first half shared and to be read, its
 * second half private. The entries look alike, but what is private becomes the
 * process's own when it is pinned for long.
 */
static void two_mappings_begin(void)
{
	char *all;
	int fd = memfd_create("phyr", MFD_CLOEXEC);

	assert_return_code(fd, errno);
	assert_int_equal(write_file(SHMEM_HUGE, "always"), 0);
	assert_return_code(ftruncate(fd, LEN), errno);
	huge_room(PROT_NONE);
	mem.fd = fd;
	all = map_shared(fd, LEN, RW, 0);
	pattern_fill(all, LEN, 1);
	release(all, LEN);
	assert_int_equal(write_file(SHMEM_HUGE, "never"), 0);
	assert_ptr_not_equal(mmap(mem.addr, LEN / 2, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0),
			     MAP_FAILED);
	assert_ptr_not_equal(mmap(mem.addr + LEN / 2, LEN / 2, RW, MAP_PRIVATE | MAP_FIXED, fd,
				  LEN / 2), MAP_FAILED);
	assert_true(pattern_is(mem.addr, LEN, 1));
	assert_int_equal(mem_pfn(mem.addr + LEN - PAGE), mem_pfn(mem.addr) + LEN / PAGE - 1);
}

static void test_two_mappings_of_a_folio(void **state)
{
	int fd = driver_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i] & PT_WRITE)
			continue;
		two_mappings_begin();
		assert_int_equal(driver_add(fd, mem.addr, LEN, ways[i]), 0);
		check_frames(fd, ways[i]);
		if (ways[i] & PT_LONGTERM)
			memset(mem.addr + LEN / 2, 0x77, LEN / 2);
		assert_int_equal(driver_copy(fd, 0, buf, LEN, 0), 0);
		assert_memory_equal(buf, mem.addr, LEN);
		driver_unpin(fd, 0);
		mem_unmap(&mem);
	}
	close(fd);
}

/* test_sharing [PATTERN]: those tests only */
int main(int argc, char **argv)
{
	const struct CMUnitTest sharing[] = {
		fixture_test(test_fork_then_pin),
		fixture_test(test_fork_then_write_then_pin),
		fixture_test(test_pin_then_fork),
		fixture_test(test_asked_one_by_one),
		fixture_test(test_zero_pages),
		fixture_test(test_huge_zero_page),
		fixture_test(test_merged_pages),
		fixture_test(test_two_mappings_of_a_folio),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return fixture_run(sharing);
}
