// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is pinned while the kernel moves it, splits its folios, makes them
 * huge, swaps it out, merges it with equal memory, or has to give it back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "common/layout.h"
#include "common/race.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define SPLIT		"/sys/kernel/debug/split_huge_pages"
#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define NODE1		"/sys/devices/system/node/node1"
#define COMPACT		"/proc/sys/vm/compact_memory"
#define KSM		"/sys/kernel/mm/ksm/"
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define SWAP		"/var/tmp/phyr-swap"

static void split(struct race *race)
{
	char *addr = race->mem.addr;
	char order[100];

	snprintf(order, sizeof(order), "%d,%p,%p", getpid(), (void *)addr,
		 (void *)(addr + race->len));
	must(!write_file(SPLIT, order));
}

/* Splits the folios, and makes them huge again. */
static void trouble_split(struct race *race)
{
	split(race);
	madvise(race->mem.addr, race->len, MADV_COLLAPSE);	/* EAGAIN and EBUSY are fine */
}

/* khugepaged makes them huge again, in its own time, which is nearly at once here. */
static void trouble_khugepaged(struct race *race)
{
	split(race);
	usleep(2000);
}

static long long collapsed(void)
{
	return mem_vmstat("thp_collapse_alloc");
}

static void khugepaged_begin(struct race *race)
{
	must(!write_file(KHUGEPAGED "scan_sleep_millisecs", "0"));
	must(!write_file(KHUGEPAGED "alloc_sleep_millisecs", "0"));
	must(!write_file(KHUGEPAGED "pages_to_scan", "8192"));
	race->count = collapsed();
}

/* It has worked, or does when it is left alone. */
static void khugepaged_end(struct race *race)
{
	long long after = collapsed();

	for (int i = 0; i < 300 && collapsed() == race->count; i++)
		usleep(100000);
	must(collapsed() > race->count);
	dprintf(1, "# khugepaged collapsed %lld times meanwhile\n", after - race->count);
	must(!write_file(KHUGEPAGED "scan_sleep_millisecs", "10000"));
	must(!write_file(KHUGEPAGED "alloc_sleep_millisecs", "60000"));
	must(!write_file(KHUGEPAGED "pages_to_scan", "4096"));
}

/* Splits only the entry that maps the folio: a page gets a mapping of its own. */
static void trouble_split_entry(struct race *race)
{
	char *addr = race->mem.addr + race->len / 2 + 5 * PAGE;

	must(!madvise(addr, PAGE, MADV_DONTFORK));
	must(!madvise(addr, PAGE, MADV_DOFORK));
	madvise(race->mem.addr, race->len, MADV_COLLAPSE);
}

/* Pages move wherever they are not pinned. */
static void trouble_compact(struct race *race)
{
	(void)race;
	must(!write_file(COMPACT, "1"));
}

/* To the other node and back; a machine has one to begin with, but see numa=fake=2. */
static const char *no_other_node(void)
{
	return access(NODE1, F_OK) ? "there is one memory node only" : NULL;
}

static void trouble_move(struct race *race)
{
	enum { NR = 32 };
	size_t step = race->len / NR;
	void *pages[NR];
	int nodes[NR], status[NR];

	for (size_t i = 0; i < NR; i++) {
		pages[i] = race->mem.addr + i * step;
		nodes[i] = (int)(race->turns & 1);
	}
	must(syscall(SYS_move_pages, 0, (long)NR, pages, nodes, status, MPOL_MF_MOVE) >= 0);
	for (size_t i = 0; i < NR; i++)
		race->count += status[i] == nodes[i];
}

/* What is pinned stays where it is, but it is not pinned all the time. */
static void move_end(struct race *race)
{
	must(race->count > 0);
}

/*
 * To another page: the kernel takes the old one for bad, and learns afterwards that
 * it is not.
 */
static void trouble_offline(struct race *race)
{
	char *addr = race->mem.addr + race->turns * 7 * PAGE % race->len, text[32];
	uint64_t pfn = mem_pfn(addr);

	if (madvise(addr, PAGE, MADV_SOFT_OFFLINE)) {
		/* EBUSY: it is pinned */
		must(errno == EBUSY || errno == EAGAIN || errno == EIO || errno == ENOMEM);
	} else if (pfn) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)pfn);
		write_file(UNPOISON, text);
	}
}

static void offline_begin(struct race *race)
{
	(void)race;
	must(!system("modprobe -q hwpoison-inject"));
}

static void trouble_cold(struct race *race)
{
	must(!madvise(race->mem.addr, race->len, MADV_COLD));
}

static void trouble_pageout(struct race *race)
{
	must(!madvise(race->mem.addr, race->len, MADV_PAGEOUT));
}

/* It is given up, and some of it is then taken. */
static void trouble_free(struct race *race)
{
	must(!madvise(race->mem.addr, race->len, MADV_FREE));
	must(!madvise(race->mem.addr + race->len / 4, race->len / 2, MADV_PAGEOUT));
}

static void swap_begin(struct race *race)
{
	(void)race;
	must(!system("fallocate -l 32M " SWAP " && chmod 600 " SWAP " && mkswap -q " SWAP));
	must(!swapon(SWAP, 0));
}

static void swap_end(struct race *race)
{
	(void)race;
	must(!swapoff(SWAP));
	must(!unlink(SWAP));
}

/*
 * The pages' numbers would make each one of its kind. So every page is page 1,
 * and again and again some are written to and so become pages of their own.
 */
static void merge_begin(struct race *race)
{
	for (size_t at = 0; at < race->len; at += PAGE)
		memset(race->mem.addr + at, 0, PAGE);
	must(!madvise(race->mem.addr, race->len, MADV_MERGEABLE));
	must(!write_file(KSM "sleep_millisecs", "0"));
	must(!write_file(KSM "pages_to_scan", "1000"));
	must(!write_file(KSM "run", "1"));
}

static void merge_end(struct race *race)
{
	(void)race;
	must(!write_file(KSM "run", "2"));
	must(!write_file(KSM "run", "0"));
}

static void trouble_merge(struct race *race)
{
	for (size_t at = 0; at < race->len; at += PAGE)
		race->mem.addr[at + 100] = (char)(race->turns / 20);
}

static const struct trouble troubles[] = {
	{ "split and collapse", "THP 2 MiB", trouble_split, true, true, NULL, NULL, NULL },
	{ "split and collapse", "mTHP 64 KiB", trouble_split, true, true, NULL, NULL, NULL },
	{ "split the entry", "THP 2 MiB", trouble_split_entry, true, true, NULL, NULL, NULL },
	{ "khugepaged", "THP 2 MiB", trouble_khugepaged, true, true,
	  khugepaged_begin, khugepaged_end, NULL },
	{ "compaction", "4 KiB scattered", trouble_compact, true, true, NULL, NULL, NULL },
	{ "compaction", "memfd", trouble_compact, true, true, NULL, NULL, NULL },
	{ "soft-offline", "4 KiB pages", trouble_offline, true, true, offline_begin, NULL, NULL },
	{ "soft-offline", "THP 2 MiB", trouble_offline, true, true, offline_begin, NULL, NULL },
	{ "soft-offline", "memfd", trouble_offline, true, true, offline_begin, NULL, NULL },
	{ "move_pages", "4 KiB pages", trouble_move, true, true, NULL, move_end, no_other_node },
	{ "move_pages", "mTHP 64 KiB", trouble_move, true, true, NULL, move_end, no_other_node },
	{ "move_pages", "THP 2 MiB", trouble_move, true, true, NULL, move_end, no_other_node },
	{ "move_pages", "memfd", trouble_move, true, true, NULL, move_end, no_other_node },
	{ "madvise(COLD)", "4 KiB pages", trouble_cold, true, true, NULL, NULL, NULL },
	{ "madvise(COLD)", "THP 2 MiB", trouble_cold, true, true, NULL, NULL, NULL },
	{ "madvise(PAGEOUT)", "4 KiB pages", trouble_pageout, true, true,
	  swap_begin, swap_end, NULL },
	{ "madvise(PAGEOUT)", "mTHP 64 KiB", trouble_pageout, true, true,
	  swap_begin, swap_end, NULL },
	{ "madvise(PAGEOUT)", "THP 2 MiB", trouble_pageout, true, true,
	  swap_begin, swap_end, NULL },
	{ "madvise(PAGEOUT)", "memfd", trouble_pageout, true, true, swap_begin, swap_end, NULL },
	{ "madvise(FREE)", "4 KiB pages", trouble_free, false, true, swap_begin, swap_end, NULL },
	{ "madvise(FREE)", "THP 2 MiB", trouble_free, false, true, swap_begin, swap_end, NULL },
	{ "KSM", "4 KiB pages", trouble_merge, false, true, merge_begin, merge_end, NULL },
};

/* Memory that goes: the devdax pmem as RAM that can be taken out again */

#define DAX	"/sys/bus/dax/"

struct block {
	uint64_t start;		/* of what is plugged */
	uint64_t size;
	char state[100];	/* the file that says whether it is there */
};

static struct block block;

static uint64_t read_number(const char *path, int base)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_return_code(fd, errno);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoull(text, NULL, base);
}

/* The driver @from releases the memory, and @to takes it. */
static int rebind(const char *from, const char *to)
{
	char path[100];
	int ret;

	snprintf(path, sizeof(path), DAX "drivers/%s/unbind", from);
	ret = write_file(path, "dax0.0");
	snprintf(path, sizeof(path), DAX "drivers/%s/new_id", to);
	write_file(path, "dax0.0");
	snprintf(path, sizeof(path), DAX "drivers/%s/bind", to);
	write_file(path, "dax0.0");
	return ret;
}

static int plug(void **state)
{
	uint64_t base;

	(void)state;
	assert_int_equal(system("modprobe kmem"), 0);
	assert_int_equal(rebind("device_dax", "kmem"), 0);
	block.size = read_number("/sys/devices/system/memory/block_size_bytes", 16);
	base = read_number(DAX "devices/dax0.0/resource", 16);
	block.start = (base + block.size - 1) / block.size * block.size;
	snprintf(block.state, sizeof(block.state), "/sys/devices/system/memory/memory%llu/state",
		 (unsigned long long)(block.start / block.size));
	/* it may have come online by itself */
	write_file(block.state, "offline");
	assert_int_equal(write_file(block.state, "online_movable"), 0);
	return 0;
}

static int unplug(void **state)
{
	write_file(block.state, "offline");
	if (rebind("kmem", "device_dax"))
		print_error("dax0.0 is still RAM\n");
	return fixture_nothing_left(state);
}

static bool in_block(const char *addr)
{
	uint64_t phys = mem_pfn(addr) * PAGE;

	return phys >= block.start && phys < block.start + block.size;
}

/* Movable memory is used first, as nothing else may be there. */
static char *map_in_block(size_t len)
{
	char *addr = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(addr, MAP_FAILED);
	assert_int_equal(madvise(addr, len, MADV_NOHUGEPAGE), 0);
	pattern_fill(addr, len, 3);
	for (size_t at = 0; at < len; at += PAGE)
		if (!in_block(addr + at))
			fail_msg("page %zu is not in the new memory", at / PAGE);
	return addr;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* The kernel tries for as long as nobody tells it to stop. */
static void offline_pinned_child(void *arg)
{
	const struct itimerval second = { .it_value = { .tv_sec = 1 } };
	const struct sigaction action = { .sa_handler = on_alarm };

	(void)arg;
	must(!sigaction(SIGALRM, &action, NULL));
	must(!setitimer(ITIMER_REAL, &second, NULL));
	errno = -write_file(block.state, "offline");
	must(errno == EINTR || errno == EBUSY);
}

static void test_offline(void **state)
{
	const size_t len = MIB;
	char *addr = map_in_block(len), *buf = malloc(len);
	int fd = driver_open();

	(void)state;
	assert_int_equal(driver_add(fd, addr, len, PT_WRITE), 0);
	child_run(offline_pinned_child, NULL);
	for (size_t at = 0; at < len; at += PAGE)
		assert_true(in_block(addr + at));
	assert_int_equal(driver_copy(fd, 0, buf, len, 0), 0);
	assert_true(pattern_is(buf, len, 3) && pattern_is(addr, len, 3));
	driver_unpin(fd, PT_DIRTY);
	assert_int_equal(write_file(block.state, "offline"), 0);
	for (size_t at = 0; at < len; at += PAGE)
		assert_false(in_block(addr + at));
	assert_true(pattern_is(addr, len, 3));
	assert_int_equal(write_file(block.state, "online_movable"), 0);
	free(buf);
	close(fd);
	release(addr, len);
}

/* What is pinned for long moves out first, and is in no one's way. */
static void test_offline_longterm(void **state)
{
	const size_t len = MIB;
	char *addr = map_in_block(len);
	int region = pin(addr, len, PHYR_PIN_WRITE);

	(void)state;
	for (size_t at = 0; at < len; at += PAGE)
		assert_false(in_block(addr + at));
	assert_true(pattern_is(addr, len, 3));
	assert_int_equal(write_file(block.state, "offline"), 0);
	assert_true(pattern_is(addr, len, 3));
	assert_int_equal(write_file(block.state, "online_movable"), 0);
	close(region);
	release(addr, len);
}

/* Memory comes and goes while a program pins what it has there. */
struct comings {
	atomic_bool stop;
	atomic_uint pins;
};

static void pin_meanwhile(void *arg)
{
	struct comings *comings = arg;
	const size_t len = 32 * PAGE;
	char *addr = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *buf = malloc(len);
	int fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC), region, error;

	must(addr != MAP_FAILED && buf && fd >= 0);
	pattern_fill(addr, len, 3);
	while (!comings->stop) {
		error = driver_add(fd, addr, len, PT_WRITE);
		must(!error || error == EAGAIN || error == EBUSY);
		if (!error) {
			must(!driver_copy(fd, 0, buf, len, 0));
			must(pattern_is(buf, len, 3) && pattern_is(addr, len, 3));
			driver_unpin(fd, PT_DIRTY);
			comings->pins++;
		}
		region = phyr_pin(dev, addr, len, PHYR_PIN_WRITE);
		must(region >= 0 || region == -EAGAIN || region == -EBUSY || region == -ENOMEM);
		must(pattern_is(addr, len, 3));
		if (region >= 0)
			close(region);
		/* new pages next time, from the movable zone first */
		must(!madvise(addr, len, MADV_DONTNEED));
		pattern_fill(addr, len, 3);
	}
}

static void offline_for_a_while(void *arg)
{
	const struct itimerval half = { .it_value = { .tv_usec = 500000 } };
	const struct sigaction action = { .sa_handler = on_alarm };

	(void)arg;
	must(!sigaction(SIGALRM, &action, NULL));
	must(!setitimer(ITIMER_REAL, &half, NULL));
	errno = -write_file(block.state, "offline");
	must(!errno || errno == EINTR || errno == EBUSY);
}

static void test_offline_race(void **state)
{
	struct comings *comings = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int turns = 0, gone = 0;
	uint64_t start = race_now();
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(comings, MAP_FAILED);
	pid = child_start(pin_meanwhile, comings);
	while (turns < 3 || !comings->pins || !race_over(start, comings->pins)) {
		child_run(offline_for_a_while, NULL);
		gone += !write_file(block.state, "online_movable");
		turns++;
	}
	comings->stop = true;
	child_wait(pid);
	print_message("# offlining: %u turns, %u of them went, %u pins\n", turns, gone,
		      comings->pins);
	release(comings, PAGE);
}

#define hotplug_test(f)	{ #f, f, plug, unplug, NULL }

static const struct CMUnitTest others[] = {
	hotplug_test(test_offline),
	hotplug_test(test_offline_longterm),
	hotplug_test(test_offline_race),
};

int main(void)
{
	return race_run("moving", troubles, ARRAY_SIZE(troubles), others, ARRAY_SIZE(others));
}
