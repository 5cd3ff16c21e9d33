// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is pinned again and again while another thread pulls at it.
 *
 * A pin works, all of it, or fails with an errno that says that memory was not
 * there. One that works holds the pages that the process has: what the kernel
 * reads through it is what was written there, and what the kernel writes is
 * what the process then finds. Each race runs in a process of its own, which
 * also ends with nothing pinned.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "common/driver.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define LEN		(4 * MIB)
#define SPLIT		"/sys/kernel/debug/split_huge_pages"
#define COMPACT		"/proc/sys/vm/compact_memory"

struct race;

/* What the other thread does, and what is then still true of the memory. */
struct trouble {
	const char *name;
	const char *kind;	/* of memory */
	void (*once)(struct race *race);
	bool content;		/* it keeps its content */
	bool place;		/* it stays where it is, and can be written */
	unsigned int rounds;	/* fewer where each pin has to fault much in again */
};

struct race {
	const struct trouble *trouble;
	struct mem mem;
	char *elsewhere;	/* address space to move to */
	atomic_bool stop;
	unsigned int good;
	unsigned int refused;
	unsigned int turns;
};

/* Each page begins with its number, and has its number at the end. */
static void mark(char *addr, size_t len)
{
	for (size_t i = 0; i < len / PAGE; i++) {
		*(uint32_t *)(addr + i * PAGE) = (uint32_t)i + 1;
		*(uint32_t *)(addr + (i + 1) * PAGE - 4) = (uint32_t)i + 1;
	}
}

static bool marked(const char *addr, size_t page, bool or_zero)
{
	uint32_t first = *(const uint32_t *)addr, last = *(const uint32_t *)(addr + PAGE - 4);

	if (or_zero && (!first || !last))
		return true;
	return first == page + 1 && last == page + 1;
}

/* Trouble */

static void trouble_munmap(struct race *race)
{
	char *addr = race->mem.addr + LEN / 4;

	must(!munmap(addr, LEN / 2));
	must(mmap(addr, LEN / 2, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr);
	memset(addr, 0, 8 * PAGE);
}

static void trouble_mremap(struct race *race)
{
	char *addr = race->mem.addr;

	must(mremap(addr, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, race->elsewhere) ==
	     race->elsewhere);
	must(mremap(race->elsewhere, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, addr) == addr);
}

static void trouble_dontneed(struct race *race)
{
	must(!madvise(race->mem.addr + LEN / 4 + PAGE, LEN / 2, MADV_DONTNEED));
	race->mem.addr[LEN / 2] = 0;
}

static void trouble_punch(struct race *race)
{
	must(!fallocate(race->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LEN / 4,
			LEN / 2));
}

static void trouble_truncate(struct race *race)
{
	must(!ftruncate(race->mem.fd, LEN / 2));
	must(!ftruncate(race->mem.fd, LEN));
}

static void trouble_fork(struct race *race)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		for (size_t i = 0; i < LEN; i += 16 * PAGE)
			race->mem.addr[i + 100] = 1;
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
}

/* Splits the folios, and then khugepaged's work: makes them huge again. */
static void trouble_split(struct race *race)
{
	char *addr = race->mem.addr;
	char order[100];

	snprintf(order, sizeof(order), "%d,%p,%p", getpid(), (void *)addr,
		 (void *)(addr + LEN));
	must(!write_file(SPLIT, order));
	madvise(race->mem.addr, LEN, MADV_COLLAPSE);	/* EAGAIN and EBUSY are fine */
}

/* Splits only the entry that maps the folio: a page gets a mapping of its own. */
static void trouble_split_entry(struct race *race)
{
	char *addr = race->mem.addr + LEN / 2 + 5 * PAGE;

	must(!madvise(addr, PAGE, MADV_DONTFORK));
	must(!madvise(addr, PAGE, MADV_DOFORK));
	madvise(race->mem.addr, LEN, MADV_COLLAPSE);
}

static void trouble_mprotect(struct race *race)
{
	must(!mprotect(race->mem.addr, LEN, PROT_READ));
	must(!mprotect(race->mem.addr, LEN, PROT_NONE));
	must(!mprotect(race->mem.addr, LEN, RW));
}

/* Pages move wherever they are not pinned. */
static void trouble_compact(struct race *race)
{
	(void)race;
	must(!write_file(COMPACT, "1"));
}

static void trouble_pin(struct race *race)
{
	int region = phyr_pin(dev, race->mem.addr + 1000, LEN - 2000, PHYR_PIN_WRITE);

	must(region >= 0);
	close(region);
}

static const struct trouble troubles[] = {
	{ "munmap", "4 KiB pages", trouble_munmap, false, false, 60 },
	{ "munmap", "THP 2 MiB", trouble_munmap, false, false, 60 },
	{ "mremap", "4 KiB pages", trouble_mremap, true, false, 60 },
	{ "mremap", "THP 2 MiB", trouble_mremap, true, false, 60 },
	{ "mremap", "hugetlb 2 MiB", trouble_mremap, true, false, 60 },
	{ "madvise(DONTNEED)", "4 KiB pages", trouble_dontneed, false, false, 30 },
	{ "madvise(DONTNEED)", "THP 2 MiB", trouble_dontneed, false, false, 30 },
	{ "punch a hole", "memfd", trouble_punch, false, false, 30 },
	{ "punch a hole", "memfd 2 MiB", trouble_punch, false, false, 60 },
	{ "truncate", "memfd", trouble_truncate, false, false, 60 },
	{ "fork", "4 KiB pages", trouble_fork, true, true, 30 },
	{ "fork", "THP 2 MiB", trouble_fork, true, true, 30 },
	{ "fork", "hugetlb 2 MiB", trouble_fork, true, true, 30 },
	{ "fork", "memfd", trouble_fork, true, true, 30 },
	{ "split and collapse", "THP 2 MiB", trouble_split, true, true, 60 },
	{ "split and collapse", "mTHP 64 KiB", trouble_split, true, true, 60 },
	{ "split the entry", "THP 2 MiB", trouble_split_entry, true, true, 60 },
	{ "mprotect", "4 KiB pages", trouble_mprotect, true, false, 60 },
	{ "mprotect", "THP 2 MiB", trouble_mprotect, true, false, 60 },
	{ "mprotect", "hugetlb 2 MiB", trouble_mprotect, true, false, 60 },
	{ "compaction", "4 KiB scattered", trouble_compact, true, true, 60 },
	{ "another pin", "THP 2 MiB", trouble_pin, true, true, 60 },
	{ "another pin", "hugetlb 2 MiB", trouble_pin, true, true, 60 },
	{ "another pin", "4 KiB pages", trouble_pin, true, true, 60 },
};

static void *trouble_thread(void *arg)
{
	struct race *race = arg;

	while (!race->stop) {
		race->trouble->once(race);
		race->turns++;
		usleep(race->turns * 37 % 1500);	/* let pins through, too */
	}
	return NULL;
}

/* Pins */

/* Did it work?  If not, then for a reason. */
static bool worked(struct race *race, int error)
{
	if (!error) {
		race->good++;
		return true;
	}
	race->refused++;
	errno = error;
	must(error == EFAULT || error == ENOMEM || error == EAGAIN || error == EBUSY);
	usleep(race->refused * 23 % 500);
	return false;
}

static void region_round(struct race *race, unsigned int flags)
{
	struct phyr_query query = { .size = sizeof(query) };
	int region = phyr_pin(dev, race->mem.addr, LEN, flags);

	if (!worked(race, region < 0 ? -region : 0))
		return;
	must(!phyr_query(dev, region, &query));
	must(query.bytes == LEN && query.kind_bytes[PHYR_KIND_RAM] == LEN);
	must(query.pages == LEN / PAGE);
	close(region);
}

static void check_content(struct race *race, int fd, size_t page)
{
	char copy[PAGE];

	must(!driver_copy(fd, page * PAGE, copy, PAGE, 0));
	must(marked(copy, page, !race->trouble->content));
}

/* What the kernel writes through the pin is what the process finds. */
static void check_place(struct race *race, int fd, size_t page, uint32_t value)
{
	volatile uint32_t *at = (uint32_t *)(race->mem.addr + page * PAGE + 8);

	must(!driver_copy(fd, page * PAGE + 8, &value, 4, PT_WRITE));
	must(*at == value);
	*at = ~value;
	must(!driver_copy(fd, page * PAGE + 8, &value, 4, 0));
	must(value == *at);
}

static void list_round(struct race *race, int fd, unsigned int flags, unsigned int round)
{
	if (!worked(race, driver_add(fd, race->mem.addr, LEN, flags)))
		return;
	for (size_t page = round % 7; page < LEN / PAGE; page += 37) {
		check_content(race, fd, page);
		if (flags & PT_WRITE && race->trouble->place)
			check_place(race, fd, page, round * 1000 + (uint32_t)page);
	}
	driver_unpin(fd, flags & PT_WRITE ? PT_DIRTY : 0);
}

static void race_child(void *arg)
{
	struct race race = { .trouble = arg };
	unsigned int rounds = race.trouble->rounds;
	pthread_t thread;
	int fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	must(!mem_map(&race.mem, mem_find(race.trouble->kind), LEN));
	race.elsewhere = mmap(NULL, 2 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(race.elsewhere != MAP_FAILED);
	race.elsewhere += 2 * MIB - (uintptr_t)race.elsewhere % (2 * MIB);
	mark(race.mem.addr, LEN);
	must(!pthread_create(&thread, NULL, trouble_thread, &race));
	for (unsigned int i = 0; i < rounds || (race.turns < 20 && i < 20 * rounds); i++) {
		region_round(&race, i & 1 ? PHYR_PIN_WRITE : 0);
		list_round(&race, fd, PT_WRITE, i);
		list_round(&race, fd, i & 1 ? PT_WRITE | PT_LONGTERM : 0, i);
	}
	race.stop = true;
	must(!pthread_join(thread, NULL));
	dprintf(1, "# %s, %s: %u turns, %u pins, %u refused\n", race.trouble->name,
		race.trouble->kind, race.turns, race.good, race.refused);
	must(race.turns > 0);
	must(race.good || !race.trouble->place);
	must(!race.refused || !race.trouble->place);
	must(fixture_status("VmPin:") == 0);
}

static void test_race(void **state)
{
	child_run(race_child, *state);
}

/* A region that goes while somebody asks about it */

struct closing {
	_Atomic int region;
	atomic_bool stop;
};

static void *asking_thread(void *arg)
{
	struct closing *closing = arg;
	struct phyr_query query;
	struct phyr_range range[64];

	while (!closing->stop) {
		int region = closing->region, error;

		query = (struct phyr_query) { .size = sizeof(query) };
		error = phyr_query(dev, region, &query);
		must(!error || error == -EBADF || error == -EINVAL);
		must(error || query.bytes == LEN);
		error = (int)phyr_ranges(dev, region, 4097, range, 64);
		must(error > 0 || error == -EBADF || error == -EINVAL);
	}
	return NULL;
}

static void closing_child(void *arg)
{
	struct closing closing = { .region = -1 };
	char *addr = mmap(NULL, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[2];

	(void)arg;
	must(addr != MAP_FAILED && !madvise(addr, LEN, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, asking_thread, &closing));
	for (int i = 0; i < 200; i++) {
		closing.region = phyr_pin(dev, addr, LEN, PHYR_PIN_WRITE);
		must(closing.region >= 0);
		usleep(i % 4 * 500);
		close(closing.region);
	}
	closing.stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_join(threads[i], NULL));
}

static void test_close_while_queried(void **state)
{
	(void)state;
	child_run(closing_child, NULL);
}

/* Memory of a process that is busy with it, and dies */

static void victim_child(void *arg)
{
	char *addr = arg;

	for (;;) {
		must(mmap(addr, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr);
		must(!madvise(addr, LEN, MADV_HUGEPAGE));
		memset(addr, 1, LEN);
		must(!munmap(addr + LEN / 2, LEN / 4));
		must(!mprotect(addr, LEN / 8, PROT_READ));
		must(!munmap(addr, LEN));
	}
}

/* Pins of a process until it is no more; gives how many there were. */
static unsigned int pin_victim(int fd, char *addr, pid_t pid, unsigned int rounds)
{
	unsigned int good = 0;
	struct pt_pin pin = {
		.addr = (uintptr_t)addr, .len = LEN, .pid = pid,
	};

	for (unsigned int i = 0; i < rounds; i++) {
		int error;

		pin.flags = PT_REMOTE | (i & 1 ? PT_WRITE : 0) | (i & 2 ? PT_LONGTERM : 0);
		error = driver_append(fd, &pin);
		if (error == ESRCH)
			break;
		good += !error;
		if (error && error != EFAULT && error != ENOMEM && error != EAGAIN)
			fail_msg("a pin of a process: %s", strerror(error));
		driver_unpin(fd, i & 1 ? PT_DIRTY : 0);
	}
	return good;
}

static void test_victim(void **state)
{
	char *addr = anon(LEN + 2 * MIB, RW);
	unsigned int good = 0;
	int fd = driver_open(), status;

	(void)state;
	release(addr, LEN + 2 * MIB);
	addr += 2 * MIB - (uintptr_t)addr % (2 * MIB);
	for (int i = 0; i < 8; i++) {
		pid_t pid = child_start(victim_child, addr);

		good += pin_victim(fd, addr, pid, 200);
		assert_int_equal(kill(pid, SIGKILL), 0);
		pin_victim(fd, addr, pid, 10000);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	print_message("# a busy process: %u pins\n", good);
	close(fd);
}

static const struct CMUnitTest others[] = {
	fixture_test(test_close_while_queried),
	fixture_test(test_victim),
};

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(troubles) + ARRAY_SIZE(others)];
	char *name;

	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		if (asprintf(&name, "%s: %s", troubles[i].name, troubles[i].kind) < 0)
			abort();
		tests[i] = (struct CMUnitTest) {
			.name = name,
			.test_func = test_race,
			.teardown_func = fixture_nothing_left,
			.initial_state = (void *)&troubles[i],
		};
	}
	memcpy(tests + ARRAY_SIZE(troubles), others, sizeof(others));
	return fixture_run_tests("races", tests, ARRAY_SIZE(tests));
}
