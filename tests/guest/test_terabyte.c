// SPDX-License-Identifier: GPL-2.0-only
/*
 * A BAR of 1 TiB (8 GiB on the debug kernel), mapped through VFIO: one phyr, one DMA
 * range and one RDMA region, reached at both ends and in the middle.
 */
#define _GNU_SOURCE
#include <linux/phyr.h>
#include <sys/ioctl.h>
#include <time.h>

#include "common/edu.h"
#include "common/kmem.h"
#include "common/rdma.h"
#include "common/vfio.h"

#define BYTES	600			/* looked at in each place */
#define HEAD	512			/* metadata is no more than this, whatever the length */

static struct mem mem;
static size_t len;			/* of all of it: less on the debug kernel, see vm/run */

/* Once: under KASAN the kernel takes half a minute to make its mapping's shadow. */
static int map(void **state)
{
	(void)state;
	len = vfio_missing() ? 0 : vfio_bar_size();
	if (!len || mem.addr)
		return 0;
	if (mem_map(&mem, &mem_terabyte, len)) {
		print_error("mapping %zu GiB: %s\n", (size_t)(len / GIB), strerror(errno));
		return -1;
	}
	return 0;
}

static void need_terabyte(void)
{
	if (vfio_missing()) {
		print_message("# %s\n", vfio_missing());
		skip();
	}
}

/* The last of the tests: what it leaves is checked after that. */
static void test_unmap(void **state)
{
	(void)state;
	need_terabyte();
	mem_unmap(&mem);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* First byte, middle, the two sides of a leaf's end, last byte. */
static size_t place(size_t i)
{
	const size_t places[] = {
		0, 5 * GIB - BYTES / 2, len / 2 - BYTES / 2, len - GIB - BYTES / 2, len - BYTES,
	};

	return i < ARRAY_SIZE(places) ? places[i] : len;
}

/* As libphyr's, with the time that pinning itself took. */
static int pin_timed(const char *addr, size_t n, double *us)
{
	struct phyr_pin req = {
		.size = sizeof(req), .flags = PHYR_PIN_WRITE, .addr = (uintptr_t)addr, .len = n,
	};

	assert_return_code(ioctl(dev, PHYR_IOC_PIN, &req), errno);
	*us = (double)req.pin_ns / 1e3;
	return req.fd;
}

static struct phyr_query query_of(int region)
{
	struct phyr_query query = { .size = sizeof(query) };

	assert_int_equal(phyr_query(dev, region, &query), 0);
	return query;
}

/* One phyr that is where sysfs says that the BAR is. */
static void check_one_phyr(int region, size_t offset, size_t n)
{
	struct phyr_query query = query_of(region);
	struct phyr_range range[2];

	assert_int_equal(query.phyrs, 1);
	assert_int_equal(query.bytes, n);
	assert_int_equal(query.largest, n);
	assert_int_equal(query.kinds, 1 << PHYR_KIND_PFNMAP);
	assert_int_equal(query.kind_bytes[PHYR_KIND_PFNMAP], n);
	assert_true(query.metadata_bytes <= HEAD);
	assert_int_equal(phyr_ranges(dev, region, 0, range, 2), 1);
	assert_int_equal(range[0].addr, vfio_bar_start() + offset);
	assert_int_equal(range[0].len, n);
	assert_int_equal(range[0].kind, PHYR_KIND_PFNMAP);
}

static void test_one_phyr(void **state)
{
	long tables = fixture_status("VmPTE:");
	double first, again;
	int region;

	(void)state;
	need_terabyte();
	region = pin_timed(mem.addr, len, &first);
	check_one_phyr(region, 0, len);
	tables = fixture_status("VmPTE:") - tables;
	close(region);
	region = pin_timed(mem.addr, len, &again);
	check_one_phyr(region, 0, len);
	print_message("# %zu GiB: pinned in %.0f us, mapped by then in %.0f us, %llu bytes; "
		      "page tables %ld KiB\n", (size_t)(len / GIB), first, again,
		      (unsigned long long)query_of(region).metadata_bytes, tables);
	/* entries of 1 GiB: those of 2 MiB would take 4 MiB of tables */
	assert_true(tables < 1024);
	close(region);
}

static void test_parts(void **state)
{
	const struct { size_t offset, n; } parts[] = {
		{ 0, 1 }, { len - 1, 1 }, { len / 2 - 1, 2 }, { 123, len - 777 },
		{ 5 * PAGE, GIB }, { GIB + 2 * MIB - 1, 3 * GIB }, { len - GIB - PAGE, GIB + PAGE },
	};
	int region;

	(void)state;
	need_terabyte();
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		region = pin(mem.addr + parts[i].offset, parts[i].n, PHYR_PIN_WRITE);
		check_one_phyr(region, parts[i].offset, parts[i].n);
		close(region);
	}
}

/* Bytes of its own in each place, all there before the first is read. */
static void store_each(int edu)
{
	char bytes[BYTES];

	for (size_t i = 0; place(i) < len; i++) {
		pattern_fill(bytes, BYTES, (unsigned int)i * 3 + 1);
		assert_int_equal(pwrite(edu, bytes, BYTES, (off_t)place(i)), BYTES);
	}
}

static void check_each(void)
{
	for (size_t i = 0; place(i) < len; i++)
		assert_true(pattern_is(mem.addr + place(i), BYTES, (unsigned int)i * 3 + 1));
}

static void test_dma(void **state)
{
	struct edu_map how = { .flags = EDU_MAP_REGION | EDU_MAP_WRITE };
	long long tables = mem_vmstat("nr_iommu_pages");
	int edu, region;

	(void)state;
	need_terabyte();
	edu = edu_open();
	region = pin(mem.addr, len, PHYR_PIN_WRITE);
	how.fd = region;
	assert_return_code(ioctl(edu, EDU_IOC_MAP, &how), errno);
	print_message("# %zu GiB: mapped for a device in %.0f us, %llu ranges, %llu bytes; "
		      "the IOMMU's tables %lld KiB\n",
		      (size_t)(len / GIB), (double)how.map_ns / 1e3,
		      (unsigned long long)how.segments, (unsigned long long)how.map_bytes,
		      (mem_vmstat("nr_iommu_pages") - tables) * 4);
	assert_int_equal(how.len, len);
	assert_int_equal(how.phyrs, 1);
	assert_int_equal(how.segments, 1);
	assert_true(how.list_bytes + how.map_bytes <= 2 * HEAD);
	store_each(edu);
	check_each();
	for (size_t i = 0; place(i) < len; i++)
		edu_check_fetch(edu, place(i), mem.addr + place(i), BYTES);
	assert_int_equal(edu_unmap(edu), 0);
	close(region);
	close(edu);
}

/* A connection, and the near side of what goes through it. */
struct wire {
	struct rdma r;
	char *buf;
	struct ibv_mr *near;
};

static void wire_open(struct wire *w)
{
	w->near = rdma_begin(&w->r, PAGE);
	w->buf = w->near->addr;
}

static void wire_close(struct wire *w)
{
	rdma_end(&w->r, w->near);
}

static void write_each(struct wire *w, const struct ibv_mr *far)
{
	for (size_t i = 0; place(i) < len; i++) {
		pattern_fill(w->buf, BYTES, (unsigned int)i * 3 + 1);
		assert_int_equal(rdma_write(&w->r, rdma_at(far, place(i)), rdma_at(w->near, 0),
					    BYTES), IBV_WC_SUCCESS);
	}
}

static void read_each(struct wire *w, const struct ibv_mr *far)
{
	for (size_t i = 0; place(i) < len; i++) {
		pattern_fill(mem.addr + place(i), BYTES, (unsigned int)i * 5 + 2);
		memset(w->buf, 0, BYTES);
		assert_int_equal(rdma_read(&w->r, rdma_at(far, place(i)), rdma_at(w->near, 0),
					   BYTES), IBV_WC_SUCCESS);
		assert_true(pattern_is(w->buf, BYTES, (unsigned int)i * 5 + 2));
	}
}

/* Both ways in every place, and not a byte past the end. */
static void check_far(struct wire *w, const struct ibv_mr *far)
{
	write_each(w, far);
	check_each();
	read_each(w, far);
	assert_int_not_equal(rdma_read(&w->r, rdma_at(far, len - 1), rdma_at(w->near, 0), 2),
			     IBV_WC_SUCCESS);
	rdma_reconnect(&w->r);
	memset(mem.addr, 0, BYTES);
	memset(mem.addr + len / 2 - BYTES / 2, 0, BYTES);
	memset(mem.addr + len - BYTES, 0, BYTES);
}

static void test_rdma(void **state)
{
	struct ibv_mr *far;
	struct wire w;
	double start;
	long bytes;

	(void)state;
	need_terabyte();
	wire_open(&w);
	assert_int_equal(kmem_start(), 0);
	start = now_us();
	far = ibv_reg_mr(w.r.pd, mem.addr, len, RDMA_ALL);
	start = now_us() - start;
	bytes = kmem_stop();
	if (!far)
		fail_msg("ibv_reg_mr of %zu GiB: %s", (size_t)(len / GIB), strerror(errno));
	print_message("# registered in %.0f us, %ld bytes of slabs\n", start, bytes);
	assert_true(bytes > 0 && bytes < 8 * (long)PAGE);
	check_far(&w, far);
	start = now_us();
	assert_int_equal(ibv_dereg_mr(far), 0);
	print_message("# unpinned in %.0f us\n", now_us() - start);
	wire_close(&w);
}

static void test_rdma_of_region(void **state)
{
	struct ibv_mr *far;
	struct wire w;
	double start;
	int region;

	(void)state;
	need_terabyte();
	wire_open(&w);
	region = pin(mem.addr, len, PHYR_PIN_WRITE);
	start = now_us();
	far = ibv_reg_dmabuf_mr(w.r.pd, 0, len, 0, region, RDMA_ALL);
	if (!far)
		fail_msg("registering its dma-buf: %s", strerror(errno));
	print_message("# its dma-buf registered in %.0f us\n", now_us() - start);
	close(region);
	check_far(&w, far);
	assert_int_equal(ibv_dereg_mr(far), 0);
	wire_close(&w);
}

/* Without phyr_rdma the kernel has no way to register it. */
static void test_stock_refuses(void **state)
{
	struct rdma r;

	(void)state;
	need_terabyte();
	rdma_unload();			/* another program may have left it */
	assert_int_equal(rdma_regions(), -1);
	rdma_open(&r);
	errno = 0;
	assert_null(ibv_reg_mr(r.pd, mem.addr, len, RDMA_ALL));
	assert_int_equal(errno, EFAULT);
	rdma_close(&r);
}

#define terabyte_test(f)	{ #f, f, map, fixture_nothing_left, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		terabyte_test(test_one_phyr),
		terabyte_test(test_parts),
		terabyte_test(test_dma),
		terabyte_test(test_stock_refuses),
		terabyte_test(test_rdma),
		terabyte_test(test_rdma_of_region),
		terabyte_test(test_unmap),
	};
	int failed;

	failed = fixture_run(tests);
	return rdma_unload() || failed;
}
