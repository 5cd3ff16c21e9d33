// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several use the same memory, region or module, and one of them ends it: two
 * threads pin the same folios, a region goes while others use it, a process
 * dies while it is pinned, phyr itself is to go.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/edu.h"
#include "common/race.h"

#define LEN	(4 * MIB)

static void trouble_pin(struct race *race)
{
	int region = phyr_pin(dev, race->mem.addr + 1000, race->len - 2000, PHYR_PIN_WRITE);

	must(region >= 0);
	close(region);
}

static const struct trouble troubles[] = {
	{ "another pin", "4 KiB pages", trouble_pin, true, true, NULL, NULL, NULL },
	{ "another pin", "mTHP 64 KiB", trouble_pin, true, true, NULL, NULL, NULL },
	{ "another pin", "THP 2 MiB", trouble_pin, true, true, NULL, NULL, NULL },
	{ "another pin", "hugetlb 2 MiB", trouble_pin, true, true, NULL, NULL, NULL },
	{ "another pin", "memfd 2 MiB", trouble_pin, true, true, NULL, NULL, NULL },
};

/* A region that goes while somebody uses it */

struct closing;

/* What somebody does with it. */
struct use {
	void (*call)(struct closing *closing, int region);
};

struct closing {
	const struct use *use;
	char *addr;
	atomic_int region;
	atomic_bool stop;
	atomic_uint used;
};

/* The descriptor may be closed by now, or be of something else. */
static bool is_gone(int error)
{
	return error == EBADF || error == EINVAL;
}

static void use_query(struct closing *closing, int region)
{
	struct phyr_query query = { .size = sizeof(query) };
	struct phyr_range range[64];
	int error = phyr_query(dev, region, &query);

	must(!error || is_gone(-error));
	must(error || query.bytes == LEN);
	closing->used += !error;
	error = (int)phyr_ranges(dev, region, 4097, range, 64);
	must(error > 0 || is_gone(-error));
}

/* A mapping holds the memory, whatever happens to the descriptor. */
static void use_mmap(struct closing *closing, int region)
{
	char *map = mmap(NULL, LEN, RW, MAP_SHARED, region, 0);

	if (map == MAP_FAILED) {
		must(is_gone(errno) || errno == EACCES || errno == ENODEV);
		return;
	}
	for (size_t at = 0; at < LEN; at += LEN / 16)
		must(map[at] == closing->addr[at]);
	must(!munmap(map, LEN));
	closing->used++;
}

static void use_device(struct closing *closing, int region, unsigned int flags)
{
	int edu = open("/dev/edu0", O_RDWR | O_CLOEXEC), error;

	must(edu >= 0);
	error = flags & EDU_MAP_DMABUF ? edu_map_dmabuf(edu, region, flags) :
					 edu_map_region(edu, region, flags);
	must(!error || is_gone(error));
	closing->used += !error;
	close(edu);
}

static void use_phyrs(struct closing *closing, int region)
{
	use_device(closing, region, EDU_MAP_WRITE);
}

static void use_import(struct closing *closing, int region)
{
	use_device(closing, region, EDU_MAP_WRITE | EDU_MAP_DMABUF);
}

static void *using_thread(void *arg)
{
	struct closing *closing = arg;

	while (!closing->stop)
		closing->use->call(closing, closing->region);
	return NULL;
}

static void closing_child(void *arg)
{
	struct closing closing = { .use = arg, .region = -1 };
	uint64_t start = race_now();
	pthread_t threads[2];
	unsigned int i;

	closing.addr = mmap(NULL, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(closing.addr != MAP_FAILED && !madvise(closing.addr, LEN, MADV_HUGEPAGE));
	pattern_fill(closing.addr, LEN, 5);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, using_thread, &closing));
	for (i = 0; !race_over(start, i) || !closing.used; i++) {
		closing.region = phyr_pin(dev, closing.addr, LEN, PHYR_PIN_WRITE);
		must(closing.region >= 0);
		usleep(i % 8 * 100);
		close(closing.region);
	}
	closing.stop = true;
	for (size_t j = 0; j < ARRAY_SIZE(threads); j++)
		must(!pthread_join(threads[j], NULL));
	dprintf(1, "# %u regions closed, %u uses\n", i, closing.used);
}

static void test_close_while_queried(void **state)
{
	struct use use = { use_query };

	(void)state;
	child_run(closing_child, &use);
}

static void test_close_while_mapped(void **state)
{
	struct use use = { use_mmap };

	(void)state;
	child_run(closing_child, &use);
}

static void test_close_while_given_to_device(void **state)
{
	struct use use = { use_phyrs };

	(void)state;
	child_run(closing_child, &use);
}

static void test_close_while_imported(void **state)
{
	struct use use = { use_import };

	(void)state;
	child_run(closing_child, &use);
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
	unsigned int good = 0, deaths = 0;
	int fd = driver_open(), status;
	uint64_t start;

	(void)state;
	release(addr, LEN + 2 * MIB);
	addr += 2 * MIB - (uintptr_t)addr % (2 * MIB);
	for (start = race_now(); !race_over(start, good) || deaths < 4; deaths++) {
		pid_t pid = child_start(victim_child, addr);

		good += pin_victim(fd, addr, pid, 50);
		assert_int_equal(kill(pid, SIGKILL), 0);
		pin_victim(fd, addr, pid, 10000);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	print_message("# a busy process: %u pins, %u deaths\n", good, deaths);
	close(fd);
}

/* phyr goes while it is being opened and used */

static int remove_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

static void load_module(const char *name)
{
	char command[100];

	snprintf(command, sizeof(command), "modprobe %s", name);
	assert_int_equal(system(command), 0);
}

static const char *const users[] = { "edu", "phyr_bench", "phyr_test" };

struct removal {
	atomic_bool stop;
	char *addr;
	unsigned int opened;
	unsigned int missed;
};

static void *open_thread(void *arg)
{
	struct removal *removal = arg;
	struct phyr_query query;

	while (!removal->stop) {
		int fd = phyr_open(), region;

		if (fd < 0) {
			must(fd == -ENOENT || fd == -ENODEV || fd == -ENXIO);
			removal->missed++;
			continue;
		}
		region = phyr_pin(fd, removal->addr, MIB, PHYR_PIN_WRITE);
		must(region >= 0);
		query = (struct phyr_query) { .size = sizeof(query) };
		must(!phyr_query(fd, region, &query));
		close(fd);		/* the region is still there, and holds phyr */
		must(remove_module("phyr") == EWOULDBLOCK);
		close(region);
		removal->opened++;
	}
	return NULL;
}

/* By its name alone it takes modprobe, which is slow. */
static void insert_phyr(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/phyr.ko", getenv("PHYR_MODULES"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && !syscall(SYS_finit_module, fd, "", 0));
	close(fd);
}

static void removal_child(void *arg)
{
	struct removal removal = { .addr = arg };
	unsigned int removed = 0, refused = 0;
	uint64_t start = race_now();
	pthread_t thread;

	must(!pthread_create(&thread, NULL, open_thread, &removal));
	while (!race_over(start, removed + refused) || removed < 5) {
		int error = remove_module("phyr");

		must(!error || error == EWOULDBLOCK);
		refused += !!error;
		removed += !error;
		if (!error)
			insert_phyr();
		usleep(removed * 71 % 3000);
	}
	removal.stop = true;
	must(!pthread_join(thread, NULL));
	dprintf(1, "# phyr removed %u times, refused %u times; opened %u times, missed %u\n",
		removed, refused, removal.opened, removal.missed);
	must(removal.opened);
}

static void test_remove_module(void **state)
{
	char *addr = anon(MIB, RW);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_int_equal(remove_module(users[i]), 0);
	close(dev);
	child_run(removal_child, addr);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		load_module(users[i]);
	dev = phyr_open();
	assert_true(dev >= 0);
	release(addr, MIB);
}

static const struct CMUnitTest others[] = {
	fixture_test(test_close_while_queried),
	fixture_test(test_close_while_mapped),
	fixture_test(test_close_while_given_to_device),
	fixture_test(test_close_while_imported),
	fixture_test(test_victim),
	fixture_test(test_remove_module),
};

int main(void)
{
	return race_run("ends", troubles, ARRAY_SIZE(troubles), others, ARRAY_SIZE(others));
}
