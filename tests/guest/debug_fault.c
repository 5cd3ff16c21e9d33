// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failure point: each call is made again and again, and each time another
 * one of its allocations or copies fails: the first, the second, and so on,
 * until the call is over before it is the turn of the next.
 *
 * A call that is disturbed fails with an errno that is documented, or works
 * nevertheless: where a batch of pages, a trimmed list or one range of DMA
 * addresses are not available, phyr goes on with less, and so does much of the
 * kernel below it. Either way nothing may be left.
 *
 * For kernels with fault injection, see run-all.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/driver.h"
#include "common/edu.h"
#include "common/exporters.h"
#include "common/fault.h"

/* What a call is about, and what it has brought about. */
struct scene {
	const struct site *site;
	struct mem mem;
	char *addr;		/* the memory that it is about */
	size_t len;
	pid_t child;		/* which shares it */
	int test;		/* /dev/phyr_test */
	int edu;
	int region;
	int source;		/* a foreign dma-buf, which the region is of */
	int fd;			/* what the call has opened */
	char *map;
};

/*
 * A call. @prepare makes what it needs, @call is what is disturbed, and gives 0
 * or an errno, @undo ends what it has brought about.
 */
struct site {
	const char *name;
	const char *kind;	/* of memory; NULL for none */
	size_t len;
	unsigned int flags;
	void (*prepare)(struct scene *s);
	int (*call)(struct scene *s);
	void (*undo)(struct scene *s, int error);
	int also;		/* an errno, besides ENOMEM and EFAULT */
};

/* Memory */

static void kind_map(struct scene *s)
{
	const struct site *site = s->site;
	const struct mem_kind *kind;

	if (!site->kind)
		return;
	kind = mem_find(site->kind);
	if (mem_map(&s->mem, kind, (site->len + kind->page - 1) / kind->page * kind->page))
		fail_msg("%s: %s", site->kind, strerror(errno));
	/* not on a page, so that a list has wide leaves, too */
	s->addr = s->mem.addr + 100;
	s->len = site->len - 200;
}

/* Nothing of it is there yet. */
static void untouched(struct scene *s)
{
	s->addr = s->mem.addr;
	s->len = s->mem.len;
	assert_int_equal(madvise(s->addr, s->len, MADV_DONTNEED), 0);
}

static void untouched_file(struct scene *s)
{
	s->addr = s->mem.addr;
	s->len = s->mem.len;
	assert_int_equal(fallocate(s->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   (off_t)s->len), 0);
}

/* All of it is everybody's page of zeroes. */
static void zeroes(struct scene *s)
{
	s->addr = s->mem.addr;
	s->len = s->mem.len;
	assert_int_equal(madvise(s->addr, s->len, MADV_DONTNEED), 0);
	for (size_t at = 0; at < s->len; at += PAGE)
		assert_int_equal(*(volatile char *)(s->addr + at), 0);
}

/* All of it is a child's, too. */
static void shared(struct scene *s)
{
	s->child = fork();
	assert_return_code(s->child, errno);
	if (!s->child) {
		pause();
		_exit(0);
	}
}

static void alone(struct scene *s)
{
	int status;

	if (!s->child)
		return;
	kill(s->child, SIGKILL);
	assert_int_equal(waitpid(s->child, &status, 0), s->child);
	s->child = 0;
}

/* /dev/phyr */

static int opened(struct scene *s, int fd)
{
	s->fd = fd;
	return fd < 0 ? errno : 0;
}

static void undo_open(struct scene *s, int error)
{
	if (!error)
		close(s->fd);
	s->fd = -1;
}

static int call_open(struct scene *s)
{
	return opened(s, open("/dev/phyr", O_RDWR | O_CLOEXEC));
}

static int call_info(struct scene *s)
{
	struct phyr_info info = { .size = sizeof(info) };

	(void)s;
	return -phyr_info(dev, &info);
}

static int call_pin(struct scene *s)
{
	int region = phyr_pin(dev, s->addr, s->len, s->site->flags);

	s->fd = region;
	return region < 0 ? -region : 0;
}

static void undo_pin(struct scene *s, int error)
{
	undo_open(s, error);
	alone(s);
}

static void prepare_region(struct scene *s)
{
	s->region = pin(s->addr, s->len, s->site->flags);
}

static void prepare_whole_region(struct scene *s)
{
	s->addr = s->mem.addr;
	s->len = s->mem.len;
	prepare_region(s);
}

static int call_query(struct scene *s)
{
	struct phyr_query query = { .size = sizeof(query) };

	return -phyr_query(dev, s->region, &query);
}

static int call_ranges(struct scene *s)
{
	struct phyr_range ranges[64];
	ssize_t got = phyr_ranges(dev, s->region, 0, ranges, ARRAY_SIZE(ranges));

	return got < 0 ? (int)-got : 0;
}

/* With a file that has its pages already. */
static void prepare_file(struct scene *s)
{
	prepare_region(s);
	s->fd = memfd_create("rw", MFD_CLOEXEC);
	assert_int_equal(pwrite(s->fd, s->mem.addr, MIB / 2, 0), MIB / 2);
}

static int call_rw(struct scene *s)
{
	const size_t len = 200 * 1024;
	ssize_t n = phyr_pwrite(dev, s->fd, s->region, 3, len, 5);

	if (n == (ssize_t)len)
		n = phyr_pread(dev, s->fd, s->region, 3, len, 5);
	return n < 0 ? (int)-n : n == (ssize_t)len ? 0 : EFAULT;
}

static void undo_file(struct scene *s, int error)
{
	(void)error;
	close(s->fd);
	s->fd = -1;
}

/* Both ways, and from one end to the other; what was there stays there. */
static int call_bytes(struct scene *s)
{
	static char bytes[200 * 1024];
	struct phyr_crc crc = {
		.size = sizeof(crc), .fd = s->region, .len = sizeof(bytes),
	};
	ssize_t n = phyr_copy_from(dev, s->region, 3, bytes, sizeof(bytes));

	if (n == sizeof(bytes))
		n = phyr_copy_to(dev, s->region, 3, bytes, sizeof(bytes));
	if (n == sizeof(bytes))
		n = phyr_copy(dev, s->region, 70000, s->region, 5, sizeof(bytes));
	if (n == sizeof(bytes))
		n = phyr_fill(dev, s->region, 9, 7, sizeof(bytes));
	if (n == sizeof(bytes))
		n = phyr_compare(dev, s->region, 0, s->region, 0, sizeof(bytes));
	if (n == sizeof(bytes))
		n = ioctl(dev, PHYR_IOC_CRC32C, &crc) ? -errno : (ssize_t)sizeof(bytes);
	return n < 0 ? (int)-n : n == sizeof(bytes) ? 0 : EFAULT;
}

static int call_map_by_leaf(struct scene *s)
{
	void *map;
	int error = phyr_mmap(dev, s->region, 0, 0, PHYR_ACCESS_READ | PHYR_MMAP_POPULATE, &map);

	if (!error)
		munmap(map, s->len);
	return -error;
}

/* Ends cannot fail, whatever does. */
static int call_close(struct scene *s)
{
	int region = s->region;

	s->region = -1;
	return close(region) ? errno : 0;
}

static void undo_nothing(struct scene *s, int error)
{
	(void)s;
	(void)error;
}

/* dma-buf */

static int call_mmap(struct scene *s)
{
	s->map = mmap(NULL, s->len, RW, MAP_SHARED, s->region, 0);
	if (s->map == MAP_FAILED)
		return errno;
	for (size_t at = 0; at < s->len; at += 32 * PAGE)
		s->map[at] = 1;
	return 0;
}

static void undo_mmap(struct scene *s, int error)
{
	if (!error)
		release(s->map, s->len);
}

static void prepare_mmap(struct scene *s)
{
	prepare_whole_region(s);
	assert_int_equal(call_mmap(s), 0);
}

static int call_munmap(struct scene *s)
{
	return munmap(s->map, s->len) ? errno : 0;
}

static void undo_munmap(struct scene *s, int error)
{
	if (error)
		release(s->map, s->len);
}

static int call_vmap(struct scene *s)
{
	char bytes[100];

	return driver_vmap(s->test, s->region, 5000, bytes, sizeof(bytes), PT_BARE);
}

static int call_sync(struct scene *s)
{
	int error = phyr_begin_access(s->region, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE);

	if (!error)
		error = phyr_end_access(s->region, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE);
	return -error;
}

static int call_export(struct scene *s)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };
	int error = ioctl(s->region, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg) ? errno : 0;

	s->fd = arg.fd;
	return error;
}

static void prepare_import(struct scene *s)
{
	prepare_region(s);
	assert_int_equal(call_export(s), 0);
}

static int call_import(struct scene *s)
{
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_RW, .fd = s->fd };

	return ioctl(s->region, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg) ? errno : 0;
}

static void undo_import(struct scene *s, int error)
{
	(void)error;
	undo_open(s, 0);
}

static int call_name(struct scene *s)
{
	return ioctl(s->region, DMA_BUF_SET_NAME, "a region") ? errno : 0;
}

/* Other dma-bufs */

static int call_import_buf(struct scene *s)
{
	int buf = s->source >= 0 ? s->source : s->region;
	int region = phyr_import(dev, buf, PAGE + 1, 0, PHYR_PIN_WRITE);

	s->fd = region;
	return region < 0 ? -region : 0;
}

/*
 * Its first import stays, and with it the kernel's mapping: dma-buf warns when that
 * fails.
 */
static void prepare_foreign(struct scene *s)
{
	char *addr;

	s->source = udmabuf(&addr, s->mem.len, 0);
	release(addr, s->mem.len);
	s->region = phyr_import(dev, s->source, 0, 0, PHYR_PIN_WRITE);
	assert_true(s->region >= 0);
}

static void undo_foreign(struct scene *s, int error)
{
	(void)error;
	undo_open(s, s->fd < 0);
	close(s->source);
	s->source = -1;
}

/* A device */

static int call_edu_open(struct scene *s)
{
	return opened(s, open("/dev/edu0", O_RDWR | O_CLOEXEC));
}

static int call_edu_region(struct scene *s)
{
	return edu_map_region(s->edu, s->region, EDU_MAP_WRITE);
}

static int call_edu_dmabuf(struct scene *s)
{
	return edu_map_dmabuf(s->edu, s->region, EDU_MAP_WRITE);
}

static int call_edu_user(struct scene *s)
{
	return edu_map_user(s->edu, s->addr, s->len, EDU_MAP_WRITE | s->site->flags);
}

static void undo_edu(struct scene *s, int error)
{
	if (!error)
		assert_int_equal(edu_unmap(s->edu), 0);
}

static void prepare_edu_region(struct scene *s)
{
	prepare_region(s);
	assert_int_equal(call_edu_region(s), 0);
}

static void prepare_edu_dmabuf(struct scene *s)
{
	prepare_whole_region(s);
	assert_int_equal(call_edu_dmabuf(s), 0);
}

static int call_edu_unmap(struct scene *s)
{
	return edu_unmap(s->edu);
}

/* Importing it, and the CPU's turn while it is imported */

static int call_sync_imported(struct scene *s)
{
	return call_sync(s);
}

static void undo_sync_imported(struct scene *s, int error)
{
	(void)error;
	undo_edu(s, 0);
}

/* What drivers call */

static int call_test_open(struct scene *s)
{
	return opened(s, open("/dev/phyr_test", O_RDWR | O_CLOEXEC));
}

static struct pt_pin pin_of(const struct scene *s)
{
	return (struct pt_pin) {
		.addr = (uintptr_t)s->addr, .len = s->len, .flags = s->site->flags,
		.pid = getpid(), .nr = 512,
	};
}

static int call_array(struct scene *s)
{
	struct pt_pin pin = pin_of(s);

	return driver_array(s->test, &pin);
}

static void undo_array(struct scene *s, int error)
{
	/* an array has what was pinned before something failed */
	(void)error;
	driver_unpin(s->test, PT_ARRAY);
	alone(s);
}

static int call_list(struct scene *s)
{
	struct pt_pin pin = pin_of(s);

	return driver_append(s->test, &pin);
}

static void undo_list(struct scene *s, int error)
{
	if (error && error != EFAULT)
		assert_int_equal(driver_bytes(s->test, 0), 0);
	driver_unpin(s->test, 0);
	alone(s);
}

/* To the end of a list that has something, which has to stay as it is. */
static void prepare_append(struct scene *s)
{
	assert_int_equal(driver_add(s->test, s->addr, s->len / 2 + 300, PT_WRITE), 0);
}

static int call_append(struct scene *s)
{
	return driver_add(s->test, s->addr + s->len / 2, s->len / 2, s->site->flags);
}

static void undo_append(struct scene *s, int error)
{
	if (error && error != EFAULT)
		assert_int_equal(driver_bytes(s->test, 0), s->len / 2 + 300);
	driver_unpin(s->test, PT_DIRTY);
}

static void prepare_array(struct scene *s)
{
	assert_int_equal(call_array(s), 0);
}

static void prepare_list(struct scene *s)
{
	assert_int_equal(call_list(s), 0);
}

static int call_unpin_array(struct scene *s)
{
	driver_unpin(s->test, PT_ARRAY | PT_DIRTY | PT_HALVES);
	return 0;
}

static int call_unpin_list(struct scene *s)
{
	driver_unpin(s->test, PT_DIRTY);
	return 0;
}

static int call_map_array(struct scene *s)
{
	struct pt_map map = { .flags = PT_ARRAY };

	return driver_map(s->test, &map);
}

static int call_map_list(struct scene *s)
{
	struct pt_map map = { .offset = 50, .len = s->len - 100 };

	return driver_map(s->test, &map);
}

static void undo_map(struct scene *s, int error)
{
	(void)error;
	driver_unpin(s->test, PT_ARRAY);
	driver_unpin(s->test, 0);
}

static int call_build(struct scene *s)
{
	struct pt_build build = { .nr = 4000, .many = s->site->flags };
	int error = ioctl(s->test, PT_IOC_BUILD, &build) ? errno : 0;

	if (build.line)
		fail_msg("kmod/list.c:%u is not content", build.line);
	return error;
}

#define W	PHYR_PIN_WRITE
#define PW	PT_WRITE
#define PL	PT_LONGTERM
#define PR	PT_REMOTE

static const struct site sites[] = {
	{ "open /dev/phyr", NULL, 0, 0, NULL, call_open, undo_open, 0 },
	{ "INFO", NULL, 0, 0, NULL, call_info, undo_nothing, 0 },

	{ "PIN 4 KiB pages", "4 KiB pages", MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN 4 KiB scattered", "4 KiB scattered", 4 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN mTHP", "mTHP 64 KiB", 4 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN THP", "THP 2 MiB", 8 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN hugetlb", "hugetlb 2 MiB", 8 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN gigantic", "hugetlb 1 GiB", GIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN memfd", "memfd", MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN huge memfd", "memfd 2 MiB", 4 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN file", "ext4 file", MIB, 0, NULL, call_pin, undo_pin, 0 },
	{ "PIN devdax", "devdax pmem", 4 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN BAR", "PCI BAR", MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN hidden RAM", "hidden RAM", MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN mixed", "mixed", 28 * MIB, W, NULL, call_pin, undo_pin, 0 },
	{ "PIN untouched", "4 KiB pages", 128 * KIB, W, untouched, call_pin, undo_pin, 0 },
	{ "PIN untouched THP", "THP 2 MiB", 4 * MIB, W, untouched, call_pin, undo_pin, 0 },
	{ "PIN untouched memfd", "memfd", 128 * KIB, W, untouched_file, call_pin, undo_pin, 0 },
	{ "PIN untouched huge memfd", "memfd 2 MiB", 4 * MIB, W, untouched_file, call_pin, undo_pin,
	  0 },
	{ "PIN zeroes to read", "4 KiB pages", 128 * KIB, 0, zeroes, call_pin, undo_pin, 0 },
	{ "PIN shared", "4 KiB pages", 128 * KIB, W, shared, call_pin, undo_pin, 0 },
	{ "PIN shared to read", "mTHP 64 KiB", 128 * KIB, 0, shared, call_pin, undo_pin, 0 },
	{ "PIN shared THP", "THP 2 MiB", 128 * KIB, W, shared, call_pin, undo_pin, 0 },
	{ "PIN shared hugetlb", "hugetlb 2 MiB", 4 * MIB, W, shared, call_pin, undo_pin, 0 },

	{ "COPY and its like", "4 KiB scattered", MIB, W, prepare_region, call_bytes, undo_nothing,
	  0 },
	{ "COPY and its like, BAR", "PCI BAR", MIB, W, prepare_region, call_bytes, undo_nothing,
	  0 },
	{ "RW", "4 KiB scattered", MIB, W, prepare_file, call_rw, undo_file, 0 },
	{ "RW, BAR", "PCI BAR", MIB, W, prepare_file, call_rw, undo_file, 0 },
	{ "phyr_mmap", "memfd 2 MiB", 8 * MIB, W, prepare_whole_region, call_map_by_leaf,
	  undo_nothing, ENFILE },
	{ "phyr_mmap BAR", "PCI BAR", MIB, W, prepare_whole_region, call_map_by_leaf, undo_nothing,
	  ENFILE },
	{ "QUERY", "4 KiB scattered", MIB, W, prepare_region, call_query, undo_nothing, 0 },
	{ "RANGES", "4 KiB scattered", MIB, W, prepare_region, call_ranges, undo_nothing, 0 },
	{ "close region", "4 KiB scattered", MIB, W, prepare_region, call_close, undo_nothing, 0 },
	{ "close file region", "ext4 file", MIB, 0, prepare_region, call_close, undo_nothing, 0 },

	{ "mmap", "4 KiB scattered", MIB, W, prepare_whole_region, call_mmap, undo_mmap, 0 },
	{ "mmap BAR", "PCI BAR", MIB, W, prepare_whole_region, call_mmap, undo_mmap, 0 },
	{ "munmap", "4 KiB scattered", MIB, W, prepare_mmap, call_munmap, undo_munmap, 0 },
	{ "vmap", "4 KiB scattered", 16 * MIB, W, prepare_region, call_vmap, undo_nothing, 0 },
	{ "CPU access", "4 KiB pages", MIB, W, prepare_region, call_sync, undo_nothing, 0 },
	{ "export fence", "4 KiB pages", MIB, W, prepare_region, call_export, undo_open, 0 },
	{ "import fence", "4 KiB pages", MIB, W, prepare_import, call_import, undo_import, 0 },
	{ "SET_NAME", "4 KiB pages", MIB, W, prepare_region, call_name, undo_nothing, 0 },

	{ "IMPORT region", "4 KiB scattered", 4 * MIB, W, prepare_region, call_import_buf,
	  undo_open, 0 },
	{ "IMPORT", "4 KiB pages", 4 * MIB, W, prepare_foreign, call_import_buf, undo_foreign, 0 },

	{ "open /dev/edu0", NULL, 0, 0, NULL, call_edu_open, undo_open, 0 },
	{ "device takes region", "4 KiB scattered", 4 * MIB, W, prepare_region, call_edu_region,
	  undo_edu, EIO },
	{ "device takes BAR", "PCI BAR", MIB, W, prepare_region, call_edu_region, undo_edu,
	  EREMOTEIO },
	{ "device takes hidden RAM", "hidden RAM", MIB, W, prepare_region, call_edu_region,
	  undo_edu, EREMOTEIO },
	{ "device takes devdax", "devdax pmem", 4 * MIB, W, prepare_region, call_edu_region,
	  undo_edu, EIO },
	{ "device takes mixed", "mixed", 28 * MIB, W, prepare_region, call_edu_region, undo_edu,
	  EIO },
	{ "device unmaps", "4 KiB scattered", MIB, W, prepare_edu_region, call_edu_unmap,
	  undo_nothing, 0 },
	{ "attach, map", "4 KiB scattered", 4 * MIB, W, prepare_whole_region, call_edu_dmabuf,
	  undo_edu, EIO },
	{ "attach, map BAR", "PCI BAR", MIB, W, prepare_whole_region, call_edu_dmabuf, undo_edu,
	  EREMOTEIO },
	{ "unmap, detach", "4 KiB scattered", MIB, W, prepare_edu_dmabuf, call_edu_unmap,
	  undo_nothing, 0 },
	{ "CPU access, imported", "4 KiB scattered", MIB, W, prepare_edu_dmabuf,
	  call_sync_imported, undo_sync_imported, 0 },
	{ "device takes user memory", "4 KiB scattered", MIB, 0, NULL, call_edu_user, undo_edu,
	  EIO },
	{ "device takes it shortly", "THP 2 MiB", 8 * MIB, EDU_MAP_SHORT, NULL, call_edu_user,
	  undo_edu, EIO },

	{ "open /dev/phyr_test", NULL, 0, 0, NULL, call_test_open, undo_open, 0 },
	{ "pin_user_phyrs", "4 KiB scattered", 4 * MIB, PW, NULL, call_array, undo_array, 0 },
	{ "pin_user_phyrs THP", "THP 2 MiB", 8 * MIB, PW | PL, NULL, call_array, undo_array, 0 },
	{ "pin_user_phyrs mixed", "mixed", 28 * MIB, PW, NULL, call_array, undo_array, 0 },
	{ "pin_user_phyrs untouched", "4 KiB pages", 128 * KIB, 0, untouched, call_array,
	  undo_array, 0 },
	{ "pin_user_phyrs fsdax", "fsdax pmem", MIB, PW, NULL, call_array, undo_array, 0 },
	{ "pin_user_phyrs_remote", "4 KiB scattered", 4 * MIB, PW | PR, NULL, call_array,
	  undo_array, 0 },
	{ "pin_user_phyrs_remote, shared", "mTHP 64 KiB", 128 * KIB, PR, shared, call_array,
	  undo_array, 0 },
	{ "pin_user_phyr_list", "4 KiB scattered", 4 * MIB, PW, NULL, call_list, undo_list, 0 },
	{ "pin_user_phyr_list THP", "THP 2 MiB", 8 * MIB, 0, NULL, call_list, undo_list, 0 },
	{ "pin_user_phyr_list untouched", "4 KiB pages", 128 * KIB, PW | PL, untouched, call_list,
	  undo_list, 0 },
	{ "pin_user_phyr_list_remote", "4 KiB scattered", 4 * MIB, PW | PR, NULL, call_list,
	  undo_list, 0 },
	{ "pin_user_phyr_list_remote mixed", "mixed", 28 * MIB, PW | PR | PT_PFNMAP, NULL,
	  call_list, undo_list, 0 },
	{ "pin_user_phyr_list, appending", "4 KiB scattered", 4 * MIB, PW, prepare_append,
	  call_append, undo_append, 0 },
	{ "unpin_user_phyrs", "4 KiB scattered", MIB, PW, prepare_array, call_unpin_array,
	  undo_nothing, 0 },
	{ "unpin_user_phyr_list", "4 KiB scattered", MIB, PW, prepare_list, call_unpin_list,
	  undo_nothing, 0 },
	{ "sg_map_phyrs", "4 KiB scattered", 4 * MIB, PW, prepare_array, call_map_array, undo_map,
	  EIO },
	{ "sg_map_phyrs, mixed", "mixed", 28 * MIB, PW, prepare_array, call_map_array, undo_map,
	  EIO },
	{ "phyr_dma_map", "4 KiB scattered", 4 * MIB, PW, prepare_list, call_map_list,
	  undo_map, EIO },
	{ "phyr_dma_map THP", "THP 2 MiB", 8 * MIB, PW, prepare_list, call_map_list, undo_map,
	  EIO },
	{ "phyr_dma_map mixed", "mixed", 28 * MIB, PW, prepare_list, call_map_list, undo_map,
	  EIO },
	{ "phyr_list_append", NULL, 0, 1, NULL, call_build, undo_nothing, 0 },
	{ "phyr_list_append_many", NULL, 0, 64, NULL, call_build, undo_nothing, 0 },
};

/* The sweep */

static void check_error(const struct site *site, unsigned int n, int error)
{
	if (error && error != ENOMEM && error != EFAULT && error != site->also)
		fail_msg("point %u: %s", n, strerror(error));
}

/*
 * Regions are quickly counted. The whole oracle is asked when all points of a
 * call are done; to find the one that leaks, PHYR_FAULT_STEP has it asked here.
 */
static void check_nothing_left(unsigned int n)
{
	struct phyr_info info = { .size = sizeof(info) };
	char words[ORACLE_WORDS];

	assert_int_equal(phyr_info(dev, &info), 0);
	if (info.regions || info.pinned_pages)
		fail_msg("point %u leaves a region", n);
	if (getenv("PHYR_FAULT_STEP") && !oracle_nothing_held(words, sizeof(words)))
		fail_msg("point %u leaves %s", n, words);
}

/* One round; true if the call was over before the @n-th point. */
static bool disturb(void *arg, unsigned int n, int *error)
{
	struct scene *s = arg;
	const struct site *site = s->site;
	unsigned int left;

	s->fd = -1;
	s->region = -1;
	if (site->prepare)
		site->prepare(s);
	fault_at(n);
	*error = site->call(s);
	left = fault_end();
	check_error(site, n, *error);
	site->undo(s, *error);
	if (s->region >= 0)
		close(s->region);
	check_nothing_left(n);
	return left;
}

static void test_site(void **state)
{
	struct scene s = { .site = *state, .mem.fd = -1, .source = -1 };

	s.test = driver_open();
	s.edu = edu_open();
	kind_map(&s);
	fault_sweep(s.site->name, disturb, &s);
	close(s.edu);
	close(s.test);
	mem_unmap(&s.mem);
}

/*
 * Unloading phyr.ko. Loading it is not disturbed: it has trace events, and the
 * kernel warns when it has no memory to describe one.
 */
static void test_unload(void **state)
{
	static const char *const users[] = { "edu", "phyr_bench", "phyr_test" };
	char command[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_int_equal(syscall(SYS_delete_module, users[i], O_NONBLOCK), 0);
	close(dev);
	assert_int_equal(syscall(SYS_delete_module, "phyr", O_NONBLOCK), 0);

	fault_sweep_unload("phyr");

	assert_int_equal(fault_load("phyr"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		snprintf(command, sizeof(command), "modprobe %s", users[i]);
		assert_int_equal(system(command), 0);
	}
	dev = phyr_open();
	assert_true(dev >= 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(sites) + 1];
	size_t nr = 0;

	/* Names may be given, to look at one of them. */
	for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
		if (argc > 1 && strcmp(sites[i].name, argv[1]))
			continue;
		tests[nr++] = (struct CMUnitTest) {
			.name = sites[i].name,
			.test_func = test_site,
			.teardown_func = fixture_nothing_left,
			.initial_state = (void *)&sites[i],
		};
	}
	if (argc < 2 || !strcmp(argv[1], "test_unload"))
		tests[nr++] = (struct CMUnitTest)fixture_test(test_unload);
	fault_set_up();
	return fixture_run_tests("fault", tests, nr);
}
