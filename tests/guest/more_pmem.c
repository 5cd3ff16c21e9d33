// SPDX-License-Identifier: GPL-2.0-only
/*
 * Persistent memory by page-table entries of every size: devdax and fsdax on an
 * NVDIMM and on a CXL memory device. For the machine of "vm/run --more-pmem".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "common/edu.h"
#include "common/pmem.h"
#include "common/rdma.h"

#define WINDOW	(64 * KIB)		/* written and read by RDMA in each place */
#define BYTES	600			/* and by the slow device */
#define MNT	"/run/more-pmem"

static struct rdma r;
static char *buf;			/* WINDOW bytes, where RDMA reads to */
static struct ibv_mr *near;

static int open_all(void **state)
{
	(void)state;
	near = rdma_begin(&r, WINDOW);
	buf = near->addr;
	return 0;
}

static int close_all(void **state)
{
	rdma_end(&r, near);
	return fixture_nothing_left(state);
}

/* What is called @key of a new namespace on all of the medium. */
static const char *namespace_make(enum pmem_media media, const char *mode, const char *align,
				  const char *key)
{
	const char *missing = pmem_missing(media), *made;

	if (missing) {
		print_message("# %s\n", missing);
		skip();
	}
	made = pmem_namespace(media, mode, align, key);
	if (!*made)
		fail_msg("no %s of %s on the %s", mode, align,
			 media == PMEM_CXL ? "CXL device" : "NVDIMM");
	return made;
}

static char *map_file(int fd, off_t offset, size_t len)
{
	char *mem = pmem_map(fd, offset, len);

	if (!mem)
		fail_msg("mapping %zu bytes: %s", len, strerror(errno));
	return mem;
}

/* Has every page mapped; fails unless that took entries of @leaf bytes, by the tables they need. */
static void check_leaves(char *mem, size_t len, size_t leaf)
{
	size_t tables, lowest = len / (2 * MIB) * PAGE;

	tables = (size_t)fixture_status("VmPTE:");
	for (size_t i = 0; i < len; i += PAGE)
		mem[i] = (char)(i / PAGE);
	tables = ((size_t)fixture_status("VmPTE:") - tables) * KIB;
	print_message("# %llu MiB: %zu KiB of page tables\n", len / MIB, tables / 1024);
	/* and at the most a table of 2 MiB entries for each GiB, and one above them */
	if (leaf == PAGE)
		assert_in_range(tables, lowest, lowest + (len / GIB + 2) * PAGE);
	else if (leaf == 2 * MIB)
		assert_in_range(tables, len / GIB * PAGE, (len / GIB + 2) * PAGE);
	else
		assert_in_range(tables, 0, PAGE);
}

static size_t place(int i, size_t len, size_t size)
{
	return i == 0 ? 0 : i == 1 ? (len / 2 - size / 2) & ~7ul : len - size;
}

static void check_device(int edu, char *mem, size_t len)
{
	for (int i = 0; i < 3; i++)
		edu_check(edu, place(i, len, BYTES), mem + place(i, len, BYTES), BYTES);
}

static void check_rdma(struct ibv_mr *far, char *mem, size_t len)
{
	for (int i = 0; i < 3; i++) {
		size_t at = place(i, len, WINDOW);

		pattern_fill(buf, WINDOW, (unsigned int)i + 9);
		assert_int_equal(rdma_write(&r, rdma_at(far, at), rdma_at(near, 0), WINDOW),
				 IBV_WC_SUCCESS);
		assert_true(pattern_is(mem + at, WINDOW, (unsigned int)i + 9));
		assert_int_equal(rdma_flush(&r, rdma_at(far, at), WINDOW), IBV_WC_SUCCESS);
		pattern_fill(mem + at, WINDOW, (unsigned int)i + 19);
		assert_int_equal(rdma_read(&r, rdma_at(far, at), rdma_at(near, 0), WINDOW),
				 IBV_WC_SUCCESS);
		assert_true(pattern_is(buf, WINDOW, (unsigned int)i + 19));
	}
}

/*
 * devdax is one phyr, whatever the entries, and where sysfs says. The pagemap
 * cannot be asked: reading it breaks up entries of 1 GiB.
 */
static void check_region(int region, const char *name, size_t len)
{
	struct phyr_query query = { .size = sizeof(query) };
	unsigned long long start = 0;
	struct phyr_range range[2];
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%s/resource", name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%llx", &start), 1);
	fclose(f);
	assert_int_equal(phyr_query(dev, region, &query), 0);
	assert_int_equal(query.kinds, 1 << PHYR_KIND_PMEM);
	assert_int_equal(phyr_ranges(dev, region, 0, range, 2), 1);
	assert_int_equal(range[0].addr, start);
	assert_int_equal(range[0].len, len);
}

static void check_devdax(enum pmem_media media, const char *align, size_t leaf, size_t len)
{
	int region, fd, edu;
	char name[64], path[80], *mem;
	struct ibv_mr *far;

	snprintf(name, sizeof(name), "%s", namespace_make(media, "devdax", align, "chardev"));
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_return_code(fd, errno);
	mem = map_file(fd, 0, len);
	check_leaves(mem, len, leaf);

	region = pin(mem, len, PHYR_PIN_WRITE);
	check_region(region, name, len);
	edu = edu_open();
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	check_device(edu, mem, len);
	far = ibv_reg_mr(r.pd, mem, len, RDMA_ALL | IBV_ACCESS_FLUSH_PERSISTENT);
	if (!far)
		fail_msg("ibv_reg_mr: %s", strerror(errno));
	check_rdma(far, mem, len);

	assert_int_equal(ibv_dereg_mr(far), 0);
	assert_int_equal(edu_unmap(edu), 0);
	close(region);
	close(edu);
	release(mem, len);
	close(fd);
}

static void test_devdax_4k(void **state)
{
	(void)state;
	check_devdax(PMEM_NVDIMM, "4K", PAGE, 256 * MIB);
}

static void test_devdax_2m(void **state)
{
	(void)state;
	check_devdax(PMEM_NVDIMM, "2M", 2 * MIB, 2 * GIB);
}

static void test_devdax_1g(void **state)
{
	(void)state;
	check_devdax(PMEM_NVDIMM, "1G", GIB, 2 * GIB);
}

static void test_cxl_devdax_4k(void **state)
{
	(void)state;
	check_devdax(PMEM_CXL, "4K", PAGE, 64 * MIB);
}

static void test_cxl_devdax_2m(void **state)
{
	(void)state;
	check_devdax(PMEM_CXL, "2M", 2 * MIB, 256 * MIB);
}

/* A file of a DAX file system: longterm pins are refused, a driver's short ones are not. */
static void check_file(int fd, off_t start, size_t len, size_t leaf)
{
	char *mem = map_file(fd, start, len);
	int edu = edu_open();

	check_leaves(mem, len, leaf);
	assert_int_equal(phyr_pin(dev, mem, len, PHYR_PIN_WRITE), -EOPNOTSUPP);
	assert_null(ibv_reg_mr(r.pd, mem, len, RDMA_ALL));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(edu_map_user(edu, mem, len, EDU_MAP_WRITE), EOPNOTSUPP);
	assert_int_equal(edu_map_user(edu, mem, len, EDU_MAP_WRITE | EDU_MAP_SHORT), 0);
	check_device(edu, mem, len);
	assert_int_equal(edu_unmap(edu), 0);
	close(edu);
	release(mem, len);
}

/* Is the file one extent that begins on a boundary of @leaf? */
static bool is_aligned(int fd, size_t len, size_t leaf)
{
	struct {
		struct fiemap map;
		struct fiemap_extent first;
	} where = { .map = { .fm_length = ~0ull, .fm_extent_count = 1 } };

	assert_return_code(ioctl(fd, FS_IOC_FIEMAP, &where), errno);
	return where.map.fm_mapped_extents == 1 && where.first.fe_length >= len &&
	       where.first.fe_physical % leaf == 0;
}

/* A file that entries of @leaf bytes can map: whatever ext4 puts elsewhere stays in the way. */
static int make_file(size_t len, size_t leaf)
{
	char path[64];
	int fd;

	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), MNT "/file%d", i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_return_code(fd, errno);
		assert_int_equal(posix_fallocate(fd, 0, (off_t)len), 0);
		if (is_aligned(fd, len, leaf))
			return fd;
		close(fd);
	}
	fail_msg("no file begins on a boundary of %zu", leaf);
	return -1;
}

/*
 * The kernel's DAX has no entries of 1 GiB for files. One of 2 MiB maps bytes that begin
 * on such a boundary of the file, so a page into it there is none, wherever the file
 * happens to lie.
 */
static void check_fsdax(enum pmem_media media, const char *align, size_t leaf)
{
	off_t start = leaf == PAGE ? PAGE : 0;
	char device[64], command[300];
	int fd;

	snprintf(device, sizeof(device), "/dev/%s",
		 namespace_make(media, "fsdax", align, "blockdev"));
	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -b 4096 -E stride=512,stripe_width=512 -O ^has_journal %s && "
		 "mkdir -p %s && mount -o dax=always %s %s", device, MNT, device, MNT);
	assert_int_equal(system(command), 0);
	fd = make_file((size_t)start + 64 * MIB, leaf);
	check_file(fd, start, 64 * MIB, leaf);
	close(fd);
	assert_return_code(umount(MNT), errno);
}

static void test_fsdax_4k(void **state)
{
	(void)state;
	check_fsdax(PMEM_NVDIMM, "4K", PAGE);
}

static void test_fsdax_2m(void **state)
{
	(void)state;
	check_fsdax(PMEM_NVDIMM, "2M", 2 * MIB);
}

static void test_cxl_fsdax_2m(void **state)
{
	(void)state;
	check_fsdax(PMEM_CXL, "2M", 2 * MIB);
}

#define pmem_test(f)	{ #f, f, open_all, close_all, NULL }

/* more_pmem [PATTERN]: those tests only */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		pmem_test(test_devdax_4k),
		pmem_test(test_devdax_2m),
		pmem_test(test_devdax_1g),
		pmem_test(test_fsdax_4k),
		pmem_test(test_fsdax_2m),
		pmem_test(test_cxl_devdax_4k),
		pmem_test(test_cxl_devdax_2m),
		pmem_test(test_cxl_fsdax_2m),
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = fixture_run(tests);
	return rdma_unload() || failed;
}
