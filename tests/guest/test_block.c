// SPDX-License-Identifier: GPL-2.0-only
/*
 * With phyr_block: bytes move between an NVMe drive and a PCI BAR, device to device.  What
 * cannot be direct is copied, and right as well; what is written and read is compared by
 * read() and write() of the drive.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

#include "common/bar.h"
#include "common/drive.h"

#define LEN	(4 * MIB)
#define WHERE	"/tmp/phyr-block"

static const char *drive;
static char *plain;		/* for read() and write() */
static char *bar;
static int region;

static void lend_bar(void)
{
	assert_true(bar_find());
	bar = bar_map_file("resource2_wc", LEN);
	region = pin(bar, LEN, PHYR_PIN_WRITE);
}

static void take_back(void)
{
	close(region);
	release(bar, LEN);
}

static int open_drive(int flags)
{
	int fd = open(drive, O_RDWR | O_CLOEXEC | flags);

	assert_return_code(fd, errno);
	return fd;
}

/* To @pos of the file and back, and how many bytes of each way were direct. */
static void check(int fd, uint64_t offset, size_t len, off_t pos, uint64_t direct[2])
{
	const struct phyr_slice slice = { .offset = offset, .len = len };
	unsigned int seed = (unsigned int)(offset + len);

	pattern_fill(plain, len, seed);
	assert_int_equal(phyr_copy_to(dev, region, offset, plain, len), len);
	memset(plain, 0, len);
	assert_int_equal(phyr_pwritev2(dev, fd, region, &slice, 1, pos, 0, &direct[0]), len);
	assert_int_equal(pread(fd, plain, len, pos), len);
	assert_true(pattern_is(plain, len, seed));

	pattern_fill(plain, len, seed + 1);
	assert_int_equal(pwrite(fd, plain, len, pos), len);
	assert_int_equal(phyr_fill(dev, region, 0, 0x5a, LEN), LEN);
	assert_int_equal(phyr_preadv2(dev, fd, region, &slice, 1, pos, 0, &direct[1]), len);
	memset(plain, 0, LEN);
	assert_int_equal(phyr_copy_from(dev, region, offset, plain, len), len);
	assert_true(pattern_is(plain, len, seed + 1));
	assert_int_equal(phyr_copy_from(dev, region, 0, plain, LEN), LEN);
	for (size_t i = 0; i < LEN; i += i == offset ? len : 1)
		if (i < offset || i >= offset + len)
			assert_int_equal(plain[i], 0x5a);
}

static void check_all_is(int fd, uint64_t offset, size_t len, off_t pos, bool direct)
{
	uint64_t got[2] = { 1, 1 };

	check(fd, offset, len, pos, got);
	print_message("# %zu bytes: %llu written and %llu read directly\n", len,
		      (unsigned long long)got[0], (unsigned long long)got[1]);
	assert_int_equal(got[0], direct ? len : 0);
	assert_int_equal(got[1], direct ? len : 0);
}

static const struct {
	uint64_t offset;
	size_t len;
} parts[] = {
	{ 0, 512 }, { 512, 512 }, { 0, PAGE }, { PAGE, 2 * PAGE }, { 3 * PAGE + 512, PAGE },
	{ 64 * KIB, 64 * KIB }, { 0, 256 * KIB }, { 0, MIB }, { 1024, MIB }, { 0, LEN },
	{ PAGE + 512, 3 * MIB + 1536 },
};

static void test_direct(void **state)
{
	int fd = open_drive(O_DIRECT);

	(void)state;
	lend_bar();
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		check_all_is(fd, parts[i].offset, parts[i].len, (off_t)i * 8 * (off_t)MIB, true);
	take_back();
	close(fd);
}

/* Copied: as the file is buffered, or the memory does not lie as a shadow may. */
static void test_not_direct(void **state)
{
	static const struct phyr_slice slices[] = { { 0, PAGE }, { 2 * PAGE, PAGE } };
	int fd = open_drive(O_DIRECT), buffered = open_drive(0);
	uint64_t direct = 1;

	(void)state;
	lend_bar();
	check_all_is(buffered, 512, MIB, 0, false);
	check_all_is(fd, 4, PAGE, 0, false);
	check_all_is(fd, 260, MIB, 0, false);
	assert_int_equal(phyr_preadv2(dev, fd, region, slices, 2, 0, 0, &direct), 2 * PAGE);
	assert_int_equal(direct, 0);
	take_back();
	close(buffered);
	close(fd);
}

static void mount_drive(const char *mkfs_options, const char *options)
{
	char command[128];

	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s %s", mkfs_options, drive);
	assert_int_equal(system(command), 0);
	assert_true(!mkdir(WHERE, 0700) || errno == EEXIST);
	assert_return_code(mount(drive, WHERE, "ext4", 0, options), errno);
}

static int open_file(int flags)
{
	int fd = open(WHERE "/file", O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

	assert_return_code(fd, errno);
	return fd;
}

static void test_ext4(void **state)
{
	uint64_t direct[2];
	int fd;

	(void)state;
	lend_bar();
	mount_drive("", NULL);
	fd = open_file(O_DIRECT);
	check(fd, 0, MIB, 0, direct);
	assert_int_equal(direct[0], MIB);
	assert_int_equal(direct[1], MIB);
	/* what is before it is a hole */
	assert_return_code(ftruncate(fd, 0), errno);
	check(fd, PAGE, MIB, 2 * MIB, direct);
	assert_int_equal(direct[1], MIB);
	assert_int_equal(phyr_preadv2(dev, fd, region, &(struct phyr_slice) { 0, 2 * MIB }, 1, MIB,
				      0, direct), 2 * MIB);
	assert_int_equal(direct[0], MIB);
	assert_int_equal(phyr_copy_from(dev, region, 0, plain, MIB), MIB);
	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(plain[i], 0);
	close(fd);
	assert_return_code(umount(WHERE), errno);
	/* the journal has the data: buffered, whatever was asked for */
	mount_drive("", "data=journal");
	fd = open_file(O_DIRECT);
	check(fd, 0, MIB, 0, direct);
	assert_int_equal(direct[0], 0);
	close(fd);
	assert_return_code(umount(WHERE), errno);
	take_back();
}

/** struct run - I/O in a thread, until it fails or @stop is set */
struct run {
	pthread_t thread;
	atomic_bool stop;
	atomic_ulong done;
	atomic_ulong copied;		/* bytes that were not direct */
	int fd;
	ssize_t last;
};

static ssize_t run_once(struct run *r, bool write)
{
	const struct phyr_slice slice = { .len = LEN };
	uint64_t direct = 0;
	ssize_t n = write ? phyr_pwritev2(dev, r->fd, region, &slice, 1, 64 * MIB, 0, &direct) :
			    phyr_preadv2(dev, r->fd, region, &slice, 1, 0, 0, &direct);

	if (n == LEN)
		r->copied += LEN - direct;
	return n;
}

static void *run(void *arg)
{
	struct run *r = arg;

	do {
		r->last = run_once(r, false);
		if (r->last == LEN)
			r->last = run_once(r, true);
		r->done++;
	} while (!r->stop && r->last == LEN);
	return NULL;
}

/* On a stack of its own: libpthread keeps those that it makes. */
static void thread_start(struct run *r, void *(*f)(void *arg))
{
	static char stack[256 * KIB] __attribute__((aligned(4096)));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	assert_false(pthread_attr_setstack(&attr, stack, sizeof(stack)));
	assert_false(pthread_create(&r->thread, &attr, f, r));
	pthread_attr_destroy(&attr);
}

static void run_start(struct run *r)
{
	r->stop = false;
	r->done = 0;
	r->copied = 0;
	r->fd = open_drive(O_DIRECT);
	thread_start(r, run);
	while (r->done < 2)
		usleep(1000);
}

static ssize_t run_end(struct run *r)
{
	r->stop = true;
	assert_false(pthread_join(r->thread, NULL));
	close(r->fd);
	print_message("# %lu times, %lu bytes copied\n", r->done, r->copied);
	return r->last;
}

/* Blocks of which several are in a page, each in a request with others that are elsewhere. */
static void check_blocks(int fd)
{
	const size_t block = 1024;
	uint64_t direct;

	/* every second one is written already: two sorts of extents */
	assert_return_code(fallocate(fd, 0, 0, MIB), errno);
	pattern_fill(plain, MIB, 3);
	for (off_t pos = 0; pos < (off_t)MIB; pos += 2 * (off_t)block)
		assert_int_equal(pwrite(fd, plain, block, pos), block);
	for (unsigned int i = 0; i < 3; i++) {
		pattern_fill(plain, MIB, 4 + i);
		assert_int_equal(phyr_copy_to(dev, region, i * 512, plain, MIB), MIB);
		assert_int_equal(phyr_pwritev2(dev, fd, region,
					       &(struct phyr_slice) { i * 512, MIB }, 1, 0, 0,
					       &direct), MIB);
		print_message("# %llu of them directly\n", (unsigned long long)direct);
		assert_true(direct > 0);
		memset(plain, 0, MIB);
		assert_int_equal(pread(fd, plain, MIB, 0), MIB);
		assert_true(pattern_is(plain, MIB, 4 + i));
		assert_int_equal(phyr_fill(dev, region, 0, 0, LEN), LEN);
		assert_int_equal(phyr_pread(dev, fd, region, i * 512, MIB, 0), MIB);
		assert_int_equal(phyr_copy_from(dev, region, i * 512, plain, MIB), MIB);
		assert_true(pattern_is(plain, MIB, 4 + i));
	}
}

static void test_small_blocks(void **state)
{
	int fd;

	(void)state;
	lend_bar();
	mount_drive("-b 1024", NULL);
	fd = open_file(O_DIRECT);
	check_blocks(fd);
	close(fd);
	assert_return_code(umount(WHERE), errno);
	take_back();
}

/* Memory with pages beside it: all of it is copied. */
static void test_mixed(void **state)
{
	const struct mem_kind *kind = mem_find("mixed");
	struct phyr_slice slice = { .len = 28 * MIB };
	uint64_t direct = 1;
	struct mem mem;
	int fd;

	(void)state;
	mount_drive("", NULL);
	fd = open_file(O_DIRECT);
	assert_return_code(ftruncate(fd, 28 * (off_t)MIB), errno);
	pattern_fill(plain, LEN, 8);
	assert_int_equal(pwrite(fd, plain, LEN, 8 * (off_t)MIB), LEN);
	assert_false(mem_map(&mem, kind, slice.len));
	region = pin(mem.addr, mem.len, PHYR_PIN_WRITE);
	assert_int_equal(phyr_fill(dev, region, 0, 0x11, slice.len), slice.len);
	assert_int_equal(phyr_preadv2(dev, fd, region, &slice, 1, 0, 0, &direct), slice.len);
	assert_int_equal(direct, 0);
	for (size_t i = 0; i < slice.len; i++)
		if (i < 8 * MIB || i >= 8 * MIB + LEN)
			assert_int_equal(mem.addr[i], 0);
	assert_true(pattern_is(mem.addr + 8 * MIB, LEN, 8));
	close(region);
	mem_unmap(&mem);
	close(fd);
	assert_return_code(umount(WHERE), errno);
}

/* Requests that have a length, and no memory. */
static void test_discard(void **state)
{
	uint64_t range[2] = { 256 * MIB, 16 * MIB };
	int fd = open_drive(O_DIRECT);
	struct run r;

	(void)state;
	lend_bar();
	run_start(&r);
	for (int i = 0; i < 30; i++)
		assert_return_code(ioctl(fd, BLKDISCARD, range), errno);
	assert_int_equal(run_end(&r), LEN);
	assert_int_equal(r.copied, 0);
	take_back();
	close(fd);
}

static void *write_once(void *arg)
{
	struct run *r = arg;

	r->done = 1;
	r->last = phyr_pwrite(dev, r->fd, region, 0, MIB, 0);
	return NULL;
}

/* The memory goes while a call waits for something else: nobody waits for the call. */
static void test_revoked_frozen(void **state)
{
	int dir;
	struct run r = { .stop = false };

	(void)state;
	lend_bar();
	mount_drive("", NULL);
	r.fd = open_file(O_DIRECT);
	dir = open(WHERE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(dir, errno);
	assert_return_code(ioctl(dir, FIFREEZE, 0), errno);
	thread_start(&r, write_once);
	while (!r.done)
		usleep(1000);
	usleep(100000);
	release(bar, LEN);
	assert_return_code(ioctl(dir, FITHAW, 0), errno);
	assert_false(pthread_join(r.thread, NULL));
	assert_true(r.last == MIB || r.last == -ENODEV);
	close(dir);
	close(r.fd);
	close(region);
	assert_return_code(umount(WHERE), errno);
}

/* A device between hands the same pages to the drive, and may as well look into them. */
static void test_stacked(void **state)
{
	char command[128], loop[64] = "";
	FILE *f;
	int fd;

	(void)state;
	snprintf(command, sizeof(command), "modprobe -q loop; losetup -f --show --direct-io=on %s",
		 drive);
	f = popen(command, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%63s", loop), 1);
	assert_int_equal(pclose(f), 0);
	lend_bar();
	fd = open(loop, O_RDWR | O_CLOEXEC | O_DIRECT);
	assert_return_code(fd, errno);
	check_all_is(fd, 0, MIB, 0, false);
	close(fd);
	take_back();
	snprintf(command, sizeof(command), "losetup -d %s", loop);
	assert_int_equal(system(command), 0);
}

/* The memory goes: what is under way ends first, all of it or a part, and nothing begins. */
static void test_revoked_under_way(void **state)
{
	ssize_t last;
	struct run r;

	(void)state;
	for (int i = 0; i < 5; i++) {
		lend_bar();
		run_start(&r);
		usleep(3000u * (unsigned int)i);
		release(bar, LEN);
		assert_int_equal(phyr_pread(dev, r.fd, region, 0, PAGE, 0), -ENODEV);
		last = run_end(&r);
		assert_int_equal(r.copied, 0);
		assert_true(last == -ENODEV || (last > 0 && last < (ssize_t)LEN));
		close(region);
	}
}

static void be_killed(void *arg)
{
	int ready = *(int *)arg, fd = open(drive, O_RDWR | O_CLOEXEC | O_DIRECT);

	must(fd >= 0);
	must(write(ready, "", 1) == 1);
	for (;;)
		must(phyr_pread(dev, fd, region, 0, LEN, 0) == (ssize_t)LEN);
}

static void test_killed(void **state)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	(void)state;
	lend_bar();
	for (unsigned int i = 0; i < 5; i++) {
		assert_return_code(pipe(pipes), errno);
		pid = child_start(be_killed, &pipes[1]);
		assert_int_equal(read(pipes[0], &c, 1), 1);
		usleep(20000 + 3000 * i);
		assert_return_code(kill(pid, SIGKILL), errno);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(pipes[0]);
		close(pipes[1]);
	}
	take_back();
}

/* Ordinary I/O of others goes its way beside it. */
static void test_beside_others(void **state)
{
	int fd = open_drive(O_DIRECT);
	char *other = anon(LEN, RW);
	struct run r;

	(void)state;
	pattern_fill(other, LEN, 77);
	assert_int_equal(pwrite(fd, other, LEN, 128 * MIB), LEN);
	lend_bar();
	run_start(&r);
	for (size_t i = 0; i < 20; i++) {
		memset(other, 0, LEN);
		assert_int_equal(pread(fd, other, LEN, 128 * MIB), LEN);
		assert_true(pattern_is(other, LEN, 77));
	}
	assert_int_equal(run_end(&r), LEN);
	assert_int_equal(r.copied, 0);
	take_back();
	release(other, LEN);
	close(fd);
}

/* The controller forgets what it was given, and gets it again. */
static void test_reset(void **state)
{
	char path[128];
	struct run r;

	(void)state;
	snprintf(path, sizeof(path), "/sys/block/%s/device/reset_controller",
		 strrchr(drive, '/') + 1);
	lend_bar();
	run_start(&r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write_file(path, "1"), 0);
		usleep(50000);
	}
	assert_int_equal(run_end(&r), LEN);
	assert_int_equal(r.copied, 0);
	take_back();
}

/* False for one that this kernel has not. */
static bool set_scheduler(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/queue/scheduler", strrchr(drive, '/') + 1);
	return !write_file(path, name);
}

/* Pages of others, at the next blocks, at the same time: a scheduler may merge the two. */
static void be_neighbour(void *arg)
{
	int fd = open(drive, O_RDWR | O_CLOEXEC | O_DIRECT);
	char *at = mmap(NULL, MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	(void)arg;
	must(fd >= 0 && at != MAP_FAILED);
	for (;;) {
		for (off_t pos = PAGE; pos < (off_t)MIB; pos += 2 * (off_t)PAGE) {
			memset(at, 0x77, PAGE);
			must(pwrite(fd, at, PAGE, pos) == (ssize_t)PAGE);
			memset(at, 0, PAGE);
			must(pread(fd, at, PAGE, pos) == (ssize_t)PAGE);
			must(at[0] == 0x77 && at[PAGE - 1] == 0x77);
		}
	}
}

static void write_between(int fd, unsigned int seed)
{
	for (off_t pos = 0; pos < (off_t)MIB; pos += 2 * (off_t)PAGE) {
		pattern_fill(plain, PAGE, seed + (unsigned int)(pos / (off_t)PAGE));
		assert_int_equal(phyr_copy_to(dev, region, 0, plain, PAGE), PAGE);
		assert_int_equal(phyr_pwrite(dev, fd, region, 0, PAGE, pos), PAGE);
		assert_int_equal(phyr_fill(dev, region, 0, 0, PAGE), PAGE);
		assert_int_equal(phyr_pread(dev, fd, region, 0, PAGE, pos), PAGE);
		assert_int_equal(phyr_copy_from(dev, region, 0, plain, PAGE), PAGE);
		assert_true(pattern_is(plain, PAGE, seed + (unsigned int)(pos / (off_t)PAGE)));
	}
}

static void test_neighbours(void **state)
{
	static const char *const schedulers[] = { "mq-deadline", "none" };
	int fd = open_drive(O_DIRECT), status;
	pid_t pid;

	(void)state;
	lend_bar();
	for (size_t s = 0; s < ARRAY_SIZE(schedulers); s++) {
		if (!set_scheduler(schedulers[s])) {
			print_message("# no %s\n", schedulers[s]);
			continue;
		}
		pid = child_start(be_neighbour, NULL);
		for (unsigned int round = 0; round < 3; round++)
			write_between(fd, round * 1000);
		assert_return_code(kill(pid, SIGKILL), errno);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	take_back();
	close(fd);
}

/* The BAR's device goes, with what is under way. */
static void test_bar_goes(void **state)
{
	struct run r;
	ssize_t last;

	(void)state;
	lend_bar();
	run_start(&r);
	bar_remove();
	last = run_end(&r);
	assert_true(last == -ENODEV || (last > 0 && last < (ssize_t)LEN));
	take_back();
	bar_back();
}

/* The name of the drive's PCI device. */
static void drive_device(char *name, size_t size)
{
	char path[PATH_MAX], link[128];

	snprintf(link, sizeof(link), "/sys/block/%s/device/device", strrchr(drive, '/') + 1);
	assert_non_null(realpath(link, path));
	assert_true(snprintf(name, size, "%s", strrchr(path, '/') + 1) < (int)size);
}

static void test_drive_goes(void **state)
{
	char name[64];
	struct run r;

	(void)state;
	drive_device(name, sizeof(name));
	lend_bar();
	run_start(&r);
	assert_int_equal(write_file("/sys/bus/pci/drivers/nvme/unbind", name), 0);
	assert_int_not_equal(run_end(&r), LEN);
	take_back();
	assert_int_equal(write_file("/sys/bus/pci/drivers/nvme/bind", name), 0);
	drive = drive_path();
	assert_non_null(drive);
}

/* Without the module all is copied; a call that runs keeps it. */
static void test_unload(void **state)
{
	uint64_t direct[2];
	struct run r;
	int fd;

	(void)state;
	lend_bar();
	run_start(&r);
	for (int i = 0; i < 10 && system("rmmod phyr_block 2>/dev/null"); i++)
		usleep(10000);
	assert_int_equal(run_end(&r), LEN);
	if (!access("/sys/module/phyr_block", F_OK))
		assert_int_equal(system("rmmod phyr_block"), 0);
	fd = open_drive(O_DIRECT);
	check(fd, 0, MIB, 0, direct);
	assert_int_equal(direct[0], 0);
	assert_int_equal(direct[1], 0);
	assert_int_equal(system("modprobe phyr_block"), 0);
	check_all_is(fd, 0, MIB, 0, true);
	close(fd);
	take_back();
}

static int set_up(void)
{
	drive = drive_path();
	if (!drive || system("modprobe phyr_block")) {
		fputs("test_block: no NVMe drive, or no phyr_block\n", stderr);
		return -1;
	}
	plain = mmap(NULL, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return plain == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest block[] = {
		fixture_test(test_direct),
		fixture_test(test_not_direct),
		fixture_test(test_ext4),
		fixture_test(test_small_blocks),
		fixture_test(test_mixed),
		fixture_test(test_discard),
		fixture_test(test_stacked),
		fixture_test(test_beside_others),
		fixture_test(test_neighbours),
		fixture_test(test_reset),
		fixture_test(test_revoked_under_way),
		fixture_test(test_revoked_frozen),
		fixture_test(test_bar_goes),
		fixture_test(test_killed),
		fixture_test(test_drive_goes),
		fixture_test(test_unload),
	};
	int ret;

	if (set_up())
		return 1;
	ret = fixture_run(block);
	return system("rmmod phyr_block") ? 1 : ret;
}
