// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: regions of /dev/phyr as dma-bufs, for drivers that nobody here
 * wrote; and their dma-bufs as regions.
 *
 *	importers-demo FILE.json
 *
 * Adds two tables to the report that demo has written, and exits 1 if anything was
 * wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "../tests/guest/common/edu.h"
#include "../tests/guest/common/exporters.h"
#include "../tests/guest/common/importers.h"
#include "../tests/guest/common/rdma.h"
#include "table.h"

#define SIZE	(CAMERA_BUFFERS * MIB)
#define WINDOW	(64 * KIB)	/* of an RDMA message */
#define BYTES	600		/* by the slow device */

struct row;

/**
 * struct importer - a driver that takes a dma-buf
 * @name: what the table calls it
 * @has: whether this kernel has it
 * @pageless: what it answers to memory without a page: 0 or an errno
 * @take: has it take @mem, and sees that all of it is reached
 */
struct importer {
	const char *name;
	bool (*has)(void);
	int pageless;
	void (*take)(const struct mem *mem, struct row *row);
};

/**
 * struct exporter - a driver that makes a dma-buf
 * @name: what the table calls it
 * @memory: what it makes it of
 * @has: whether this kernel has it
 * @make: makes one of SIZE bytes, with a mapping of it
 */
struct exporter {
	const char *name;
	const char *memory;
	bool (*has)(void);
	int (*make)(char **addr);
};

/**
 * struct row - a driver and memory
 * @importer: takes memory of @kind, or
 * @exporter: gives some of its own
 * @kind: see there
 * @error: why it was refused, or 0
 * @bytes: how many were compared
 * @done: everything was as it should be
 */
struct row {
	const struct importer *importer;
	const struct exporter *exporter;
	const struct mem_kind *kind;
	int error;
	uint64_t bytes;
	bool done;
};

static int region_of(const struct mem *mem)
{
	return pin(mem->addr, mem->len, PHYR_PIN_WRITE);
}

/* DRM: an object of vgem's, mapped through DRM's file */

static bool has_vgem(void)
{
	return importer_load(VGEM);
}

static void take_vgem(const struct mem *mem, struct row *row)
{
	int drm = vgem_open(), region = region_of(mem);
	off_t offset = vgem_next_offset(drm, mem->len);
	uint32_t handle;
	char *map;

	row->error = vgem_import(drm, region, &handle);
	close(region);				/* the importer holds it */
	if (row->error) {
		close(drm);
		return;
	}
	map = map_shared(drm, mem->len, RW, offset);
	pattern_fill(mem->addr, mem->len, 1);
	assert_true(pattern_is(map, mem->len, 1));
	pattern_fill(map, mem->len, 2);
	assert_true(pattern_is(mem->addr, mem->len, 2));
	row->bytes = 2 * mem->len;
	release(map, mem->len);
	close(drm);
}

/* V4L2: frames that vivid writes */

static bool has_vivid(void)
{
	return importer_load(VIVID);
}

static void take_vivid(const struct mem *mem, struct row *row)
{
	int camera = camera_open(), region = region_of(mem);

	camera_buffers(camera, V4L2_MEMORY_DMABUF, 2);
	row->error = camera_queue(camera, 0, region);
	close(region);
	camera_buffers(camera, V4L2_MEMORY_DMABUF, 0);
	if (!row->error) {
		camera_expect(camera);
		camera_capture(camera, mem->addr, mem->len, camera_sentinels[0]);
		row->bytes = 2 * CAMERA_BUFFERS * CAMERA_FRAME + mem->len;
	}
	close(camera);
}

/* RDMA: a memory region of soft RoCE, written and read by its peer */

static bool has_rdma(void)
{
	return !rdma_load();
}

static void take_rdma(const struct mem *mem, struct row *row)
{
	int region = region_of(mem);
	struct ibv_mr *near, *far;
	struct rdma r;

	near = rdma_begin(&r, WINDOW);
	far = ibv_reg_dmabuf_mr(r.pd, 0, mem->len, 0, region, RDMA_ALL);
	row->error = far ? 0 : errno;
	close(region);
	for (size_t at = 0; far && at < mem->len; at += WINDOW) {
		struct rdma_at there = { .key = far->rkey, .addr = at };
		unsigned int seed = (unsigned int)(at / WINDOW);

		pattern_fill(near->addr, WINDOW, seed);
		assert_int_equal(rdma_write(&r, there, rdma_at(near, 0), WINDOW), IBV_WC_SUCCESS);
		assert_true(pattern_is(mem->addr + at, WINDOW, seed));
		pattern_fill(mem->addr + at, WINDOW, seed + 100);
		assert_int_equal(rdma_read(&r, there, rdma_at(near, 0), WINDOW), IBV_WC_SUCCESS);
		assert_true(pattern_is(near->addr, WINDOW, seed + 100));
		row->bytes += 2 * WINDOW;
	}
	if (far)
		assert_int_equal(ibv_dereg_mr(far), 0);
	rdma_end(&r, near);
}

/* The first two cannot be notified of a revocation, so they get no memory that may be revoked. */
static const struct importer importers[] = {
	{ "DRM's vgem, by PRIME", has_vgem, EOPNOTSUPP, take_vgem },
	{ "V4L2's vivid, by DMABUF", has_vivid, EFAULT, take_vivid },
	{ "RDMA, ibv_reg_dmabuf_mr()", has_rdma, 0, take_rdma },
};

/* The other direction: what others have made */

static int make_udmabuf(char **addr)
{
	return udmabuf(addr, SIZE, 0);
}

static int make_heap(char **addr)
{
	int buf = heap_buffer(SIZE, O_RDWR);

	*addr = map_shared(buf, SIZE, RW, 0);
	return buf;
}

static int make_vgem(char **addr)
{
	uint32_t handle;

	return vgem_buffer(vgem_open(), SIZE, &handle, addr);
}

static bool always(void)
{
	return true;
}

static const struct exporter exporters[] = {
	{ "udmabuf", "memfd, in no order", always, make_udmabuf },
	{ "the system heap", "pages of all sizes", always, make_heap },
	{ "DRM's vgem, by PRIME", "shmem", has_vgem, make_vgem },
};

/* A region of somebody's dma-buf, by the CPU and by a device. */
static void take_region(struct row *row)
{
	int edu = edu_open(), region, buf;
	char *addr, *map;

	buf = row->exporter->make(&addr);
	region = phyr_import(dev, buf, 0, 0, PHYR_PIN_WRITE);
	if (region < 0) {
		row->error = -region;
		return;
	}
	map = map_shared(region, SIZE, RW, 0);
	pattern_fill(addr, SIZE, 1);
	assert_true(pattern_is(map, SIZE, 1));
	pattern_fill(map, SIZE, 2);
	assert_true(pattern_is(addr, SIZE, 2));
	release(map, SIZE);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	edu_check(edu, 0, addr, BYTES);
	edu_check(edu, SIZE - BYTES, addr + SIZE - BYTES, BYTES);
	assert_int_equal(edu_unmap(edu), 0);
	row->bytes = 2 * SIZE + 4 * BYTES;
}

static const char *const kinds[] = {
	"4 KiB scattered", "THP 2 MiB", "hugetlb 2 MiB", "devdax pmem", "PCI BAR",
};

static void fill_row(void *arg)
{
	struct row *row = arg;
	struct mem mem;

	if (row->exporter) {
		take_region(row);
		row->done = true;
		return;
	}
	assert_return_code(mem_map(&mem, row->kind, SIZE), errno);
	row->importer->take(&mem, row);
	mem_unmap(&mem);
	row->done = true;
}

static bool right(const struct row *row)
{
	int error = row->exporter || row->kind->struct_page ? 0 : row->importer->pageless;

	return row->done && row->error == error && (error || row->bytes >= SIZE);
}

static const char *driver(const struct row *row)
{
	return row->exporter ? row->exporter->name : row->importer->name;
}

static const char *memory(const struct row *row)
{
	return row->exporter ? row->exporter->memory : row->kind->name;
}

static void print_row(const struct row *row)
{
	char size[16], bytes[16] = "-";

	if (row->bytes)
		table_bytes(row->bytes, bytes);
	printf("%-27s %-18s %6s  %-10s %9s  %s\n", driver(row), memory(row),
	       table_bytes(SIZE, size), row->error ? strerrorname_np(row->error) : "yes", bytes,
	       right(row) ? "yes" : "NO");
	fflush(stdout);
}

static json_object *row_json(const struct row *row)
{
	const char *error = row->error ? strerrorname_np(row->error) : NULL;
	json_object *o = json_object_new_object();

	json_object_object_add(o, row->exporter ? "exporter" : "importer",
			       json_object_new_string(driver(row)));
	json_object_object_add(o, "kind", json_object_new_string(memory(row)));
	json_object_object_add(o, "bytes", json_object_new_uint64(SIZE));
	json_object_object_add(o, "error", error ? json_object_new_string(error) : NULL);
	json_object_object_add(o, "compared_bytes", json_object_new_uint64(row->bytes));
	json_object_object_add(o, "verified", json_object_new_boolean(right(row)));
	return o;
}

static bool show(struct row what, json_object *rows)
{
	struct row *row = table_row_new(sizeof(*row));

	*row = what;
	table_row_fill(fill_row, row);
	print_row(row);
	json_object_array_add(rows, row_json(row));
	return right(row);
}

static bool left_out(const char *driver)
{
	printf("%-27s left out: this kernel has none\n", driver);
	return true;
}

static bool show_importer(const struct importer *importer, json_object *rows)
{
	bool good = true;

	if (!importer->has())
		return left_out(importer->name);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		good &= show((struct row){ .importer = importer, .kind = mem_find(kinds[i]) },
			     rows);
	return good;
}

static bool show_exporter(const struct exporter *exporter, json_object *rows)
{
	if (!exporter->has())
		return left_out(exporter->name);
	return show((struct row){ .exporter = exporter }, rows);
}

static void print_head(const char *what)
{
	printf("\n%-27s %-18s %6s  %-10s %9s  %s\n", what, "memory", "size", "taken", "compared",
	       "verified");
}

int main(int argc, char **argv)
{
	json_object *rows = json_object_new_array(), *regions = json_object_new_array();
	char words[ORACLE_WORDS];
	bool bad = false;

	if (argc != 2) {
		fprintf(stderr, "usage: importers-demo FILE.json\n");
		return 2;
	}
	dev = phyr_open();
	if (dev < 0) {
		fprintf(stderr, "importers-demo: /dev/phyr: %s\n", strerror(-dev));
		return 1;
	}
	print_head("a region as a dma-buf for");
	for (size_t i = 0; i < ARRAY_SIZE(importers); i++)
		bad |= !show_importer(&importers[i], rows);
	print_head("a region from a dma-buf of");
	for (size_t i = 0; i < ARRAY_SIZE(exporters); i++)
		bad |= !show_exporter(&exporters[i], regions);
	bad |= rdma_unload();
	if (!oracle_nothing_held(words, sizeof(words))) {
		printf("left: %s\n", words);
		bad = true;
	}
	bad |= table_add(argv[1], "imported", rows);
	bad |= table_add(argv[1], "regions_of", regions);
	return bad;
}
