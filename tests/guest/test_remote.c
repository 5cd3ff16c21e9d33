// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver pins memory of another process, which unmaps it meanwhile.
 *
 * The other process frees its page tables, and has pages of a pipe allocated in
 * their place, filled with entries that lead to physical addresses which no memory
 * has.  A walker that still reads such a table follows them, and the kernel dies of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/race.h"

#define PLACE		((char *)(1ull << 40))	/* alone in a table of each level */
#define LEN		(4 * MIB)
#define FILLER_PAGES	16
#define ROUNDS_MS	8000	/* it took a few seconds, where tables were read while freed */
/* Present, writable, accessible to programs, and not a huge page: a table far beyond memory. */
#define BOGUS_ENTRY	0x0007fffffffff067ull

struct shared {
	atomic_uint turns;
};

static void fill(int pipe[2], char *page)
{
	for (int i = 0; i < FILLER_PAGES; i++)
		must(write(pipe[1], page, PAGE) == PAGE);
}

static void drain(int pipe[2], char *page)
{
	for (int i = 0; i < FILLER_PAGES; i++)
		must(read(pipe[0], page, PAGE) == PAGE);
}

static void owner_turn(int pipe[2], uint64_t *page)
{
	char *addr = mmap(PLACE, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	must(addr == PLACE);
	madvise(addr, LEN, MADV_HUGEPAGE);
	for (size_t at = 0; at < LEN; at += 2 * MIB)
		addr[at] = 1;
	must(!munmap(addr, LEN));
	fill(pipe, (char *)page);
	drain(pipe, (char *)page);
}

/* Maps and unmaps until it is killed. */
static void owner(struct shared *shared)
{
	uint64_t page[PAGE / 8];
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(!pipe(fds));
	for (size_t i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = BOGUS_ENTRY;
	for (;; shared->turns++)
		owner_turn(fds, page);
}

/* All of it, or not all of it was there. */
static bool pin_once(int fd, pid_t pid, unsigned int flags)
{
	struct pt_pin pin = {
		.addr = (uintptr_t)PLACE, .len = LEN, .pid = pid, .flags = flags | PT_REMOTE,
	};
	int error = driver_append(fd, &pin);

	assert_true(!error || error == EFAULT || error == ENOMEM || error == EAGAIN ||
		    error == EBUSY);
	assert_int_equal(pin.done, error ? 0 : LEN);
	if (!error)
		driver_unpin(fd, flags & PT_WRITE ? PT_DIRTY : 0);
	return !error;
}

static void test_owner_unmaps(void **state)
{
	struct shared *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int rounds = 0, good = 0;
	int fd = driver_open();
	uint64_t start;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		owner(shared);
	start = race_now();
	while (!race_over(start, rounds) || race_now() - start < ROUNDS_MS || shared->turns < 10)
		good += pin_once(fd, pid, rounds++ & 1 ? PT_WRITE : PT_WRITE | PT_LONGTERM);
	print_message("# %u turns, %u rounds, %u pins\n", shared->turns, rounds, good);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);	/* it did not fail */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	release(shared, PAGE);
}

/* What is pinned is what GUP pins, over the end of a mapping and of a huge page. */
static void test_two_mappings(void **state)
{
	char *addr = anon(8 * MIB, RW), copy[16];
	int fd = driver_open(), sync[2];
	struct pt_pin pin = { .len = 4 * MIB + PAGE, .flags = PT_REMOTE | PT_LONGTERM };
	pid_t pid;

	(void)state;
	madvise(addr, 8 * MIB, MADV_HUGEPAGE);
	for (size_t at = 0; at < 8 * MIB; at += PAGE)
		memcpy(addr + at, &at, sizeof(at));
	assert_int_equal(mprotect(addr + 3 * MIB, MIB, PROT_READ), 0);
	assert_int_equal(pipe(sync), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(sync[1]);
		_exit(read(sync[0], copy, 1) != 0);
	}
	pin.addr = (uintptr_t)addr + MIB;
	pin.pid = pid;
	assert_int_equal(driver_append(fd, &pin), 0);
	for (size_t at = 0; at < 4 * MIB; at += PAGE) {
		size_t mark = 0;

		assert_int_equal(driver_copy(fd, at, &mark, sizeof(mark), 0), 0);
		assert_int_equal(mark, at + MIB);
	}
	driver_unpin(fd, 0);
	close(sync[0]);
	close(sync[1]);
	child_wait(pid);
	close(fd);
	release(addr, 8 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_owner_unmaps),
		fixture_test(test_two_mappings),
	};

	return fixture_run(tests);
}
