// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: memory of every kind is pinned, mapped for the edu device,
 * reached by its DMA in both directions, checked, and unpinned.
 *
 *	demo FILE.json
 *
 * Prints a table, writes the same to the file, and exits 1 if anything was
 * wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <phyr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../bench/bench_ioctl.h"
#include "../tests/guest/common/edu.h"
#include "more.h"
#include "table.h"

#define CHUNK		1000	/* odd on purpose */
#define BOUNDARIES	3	/* places where two phyrs meet that are checked */
#define ROUNDS		5	/* of the timing */

struct row {
	const struct mem_kind *kind;
	struct bench_run time;
	struct edu_map map;
	const char *by;		/* who else has reached it, or NULL */
	const char *failed;	/* NULL: everything was as it should be */
};

struct demo {
	int phyr;
	int bench;
	int edu;
};

/* Fills @buf with bytes that depend on where they are to go. */
static void demo_pattern(unsigned char *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		buf[i] = (unsigned char)(seed >> 56);
	}
}

/* The device fetches what the CPU stored. */
static const char *check_fetch(int edu, const struct mem *mem, uint64_t at)
{
	unsigned char want[CHUNK], got[CHUNK];

	if (!mem->kind->read_only) {
		demo_pattern(want, CHUNK, at ^ 1);
		memcpy(mem->addr + at, want, CHUNK);
	} else {
		memcpy(want, mem->addr + at, CHUNK);
	}
	if (pread(edu, got, CHUNK, (off_t)at) != CHUNK)
		return "the device could not read";
	return memcmp(got, want, CHUNK) ? "the device read other bytes" : NULL;
}

/* The CPU finds what the device stored. */
static const char *check_store(int edu, const struct mem *mem, uint64_t at)
{
	unsigned char want[CHUNK] = { 0 };

	if (mem->kind->read_only)
		return pwrite(edu, want, CHUNK, (off_t)at) == -1 && errno == EACCES ?
		       NULL : "the device could write to read-only memory";
	demo_pattern(want, CHUNK, at);
	if (pwrite(edu, want, CHUNK, (off_t)at) != CHUNK)
		return "the device could not write";
	return memcmp(mem->addr + at, want, CHUNK) ? "the CPU read other bytes" : NULL;
}

static const char *check_place(int edu, const struct mem *mem, uint64_t at)
{
	const char *failed;

	if (at + CHUNK > mem->len)
		at = mem->len - CHUNK;
	failed = check_store(edu, mem, at);
	return failed ? failed : check_fetch(edu, mem, at);
}

/* First and last byte, the middle, past 4 GiB, and where phyrs meet. */
static const char *check_places(int edu, const struct mem *mem)
{
	const uint64_t places[] = { 0, mem->len / 2 - CHUNK / 2, 4 * GIB - CHUNK / 2, mem->len };
	struct edu_boundary boundary = { 0 };
	const char *failed = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !failed; i++)
		if (places[i] <= mem->len)
			failed = check_place(edu, mem, places[i]);
	for (int i = 0; i < BOUNDARIES && !failed; i++) {
		if (ioctl(edu, EDU_IOC_BOUNDARY, &boundary))
			return "no boundary";
		if (boundary.after >= mem->len)
			break;
		failed = check_place(edu, mem, boundary.after - CHUNK / 2);
	}
	return failed;
}

/* A region of /dev/phyr, or for what may be pinned only shortly, by the driver. */
static int map_for_device(const struct demo *demo, const struct mem *mem, struct edu_map *map)
{
	unsigned int flags = mem->kind->read_only ? 0 : EDU_MAP_WRITE;
	int region = -1, ret;

	if (mem->kind->short_only) {
		*map = (struct edu_map) { .addr = (uintptr_t)mem->addr, .len = mem->len,
					  .flags = flags | EDU_MAP_SHORT };
		return ioctl(demo->edu, EDU_IOC_MAP, map);
	}
	region = phyr_pin(demo->phyr, mem->addr, mem->len,
			  mem->kind->read_only ? 0 : PHYR_PIN_WRITE);
	if (region < 0) {
		errno = -region;
		return -1;
	}
	*map = (struct edu_map) { .fd = region, .flags = flags | EDU_MAP_REGION };
	ret = ioctl(demo->edu, EDU_IOC_MAP, map);
	close(region);		/* the driver holds it now */
	return ret;
}

static const char *check_kind(const struct demo *demo, const struct mem *mem,
			      const struct more_kind *more, struct row *row)
{
	const char *failed;

	if (map_for_device(demo, mem, &row->map))
		return strerror(errno);
	failed = check_places(demo->edu, mem);
	if (!failed && more->check)
		failed = more->check(demo->edu, mem);
	if (ioctl(demo->edu, EDU_IOC_UNMAP))
		return "could not unmap";
	return failed;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Pins it in the stock way and as phyrs, in turn; medians. */
static const char *time_kind(const struct demo *demo, const struct mem *mem, struct row *row)
{
	uint64_t stock[ROUNDS], phyr[ROUNDS];
	const struct mem_kind *kind = mem->kind;

	for (int i = 0; i < ROUNDS; i++) {
		row->time = (struct bench_run) {
			.addr = (uintptr_t)mem->addr, .len = mem->len,
			.flags = (kind->read_only ? 0 : BENCH_WRITE) |
				 (kind->short_only ? BENCH_SHORT : 0) |
				 (i & 1 ? BENCH_PHYR_FIRST : 0),
		};
		if (ioctl(demo->bench, BENCH_IOC_RUN, &row->time))
			return strerror(errno);
		if (row->time.phyr.error)
			return strerror(row->time.phyr.error);
		stock[i] = row->time.stock.pin_ns;
		phyr[i] = row->time.phyr.pin_ns;
	}
	qsort(stock, ROUNDS, sizeof(*stock), compare);
	qsort(phyr, ROUNDS, sizeof(*phyr), compare);
	row->time.stock.pin_ns = stock[ROUNDS / 2];
	row->time.phyr.pin_ns = phyr[ROUNDS / 2];
	if (kind->struct_page && row->time.stock.error)
		return "stock could not pin it";
	return NULL;
}

static void do_kind(const struct demo *demo, const struct more_kind *more, struct row *row)
{
	const struct mem_kind *kind = more->kind;
	struct mem mem;

	row->kind = kind;
	row->by = more->by;
	if (mem_map(&mem, kind, kind->size)) {
		row->failed = strerror(errno);
		return;
	}
	if (more->begin)
		more->begin(&mem);
	row->failed = time_kind(demo, &mem, row);
	if (!row->failed)
		row->failed = check_kind(demo, &mem, more, row);
	if (more->end)
		more->end();
	mem_unmap(&mem);
}

static void print_head(void)
{
	printf("%-17s %8s %6s %9s %7s %6s  %10s %10s  %8s %8s  %s\n", "", "", "struct", "4 KiB",
	       "", "DMA", "pin", "pin", "metadata", "metadata", "DMA");
	printf("%-17s %8s %6s %9s %7s %6s  %10s %10s  %8s %8s  %s\n", "kind", "size", "page?",
	       "pages", "phyrs", "ranges", "stock", "phyr", "stock", "phyr", "verified");
}

static void print_row(const struct row *row)
{
	const struct bench_side *stock = &row->time.stock, *phyr = &row->time.phyr;
	const char *by = row->failed ? NULL : row->by;
	char size[16], stock_ns[16] = "refused", phyr_ns[16], stock_meta[16] = "-", phyr_meta[16];

	if (!stock->error) {
		table_ns(stock->pin_ns, stock_ns);
		table_bytes(stock->bytes, stock_meta);
	}
	printf("%-17s %8s %6s %9llu %7llu %6llu  %10s %10s  %8s %8s  %s%s%s\n", row->kind->name,
	       table_bytes(row->kind->size, size),
	       row->kind->struct_page ? "yes" : strcmp(row->kind->name, "mixed") ? "no" : "some",
	       (unsigned long long)(row->kind->size / 4096), (unsigned long long)phyr->entries,
	       (unsigned long long)row->map.segments, stock_ns, table_ns(phyr->pin_ns, phyr_ns),
	       stock_meta, table_bytes(phyr->bytes, phyr_meta), row->failed ? row->failed : "yes",
	       by ? ", by " : "", by ? by : "");
	fflush(stdout);
}

static json_object *number(uint64_t n)
{
	return json_object_new_uint64(n);
}

static json_object *row_json(const struct row *row)
{
	const struct bench_side *stock = &row->time.stock, *phyr = &row->time.phyr;
	json_object *o = json_object_new_object();

	json_object_object_add(o, "kind", json_object_new_string(row->kind->name));
	json_object_object_add(o, "bytes", number(row->kind->size));
	json_object_object_add(o, "struct_page", json_object_new_boolean(row->kind->struct_page));
	json_object_object_add(o, "pages", number(row->kind->size / 4096));
	json_object_object_add(o, "phyrs", number(phyr->entries));
	json_object_object_add(o, "dma_segments", number(row->map.segments));
	json_object_object_add(o, "pin_ns", number(phyr->pin_ns));
	json_object_object_add(o, "stock_pin_ns", stock->error ? NULL : number(stock->pin_ns));
	json_object_object_add(o, "metadata_bytes", number(phyr->bytes));
	json_object_object_add(o, "stock_metadata_bytes",
			       stock->error ? NULL : number(stock->bytes));
	if (stock->error)
		json_object_object_add(o, "stock_error",
				       json_object_new_string(strerrorname_np(stock->error)));
	if (row->by)
		json_object_object_add(o, "also_by", json_object_new_string(row->by));
	json_object_object_add(o, "verified", json_object_new_boolean(!row->failed));
	if (row->failed)
		json_object_object_add(o, "failed", json_object_new_string(row->failed));
	return o;
}

/* A row of the table and of the report; true if all was as it should be. */
static bool show_kind(const struct demo *demo, const struct more_kind *more, json_object *rows)
{
	struct row row = { 0 };

	do_kind(demo, more, &row);
	print_row(&row);
	json_object_array_add(rows, row_json(&row));
	return !row.failed;
}

/* The same, or why there is no such memory. */
static bool show_more(const struct demo *demo, const struct more_kind *more, json_object *rows,
		      json_object *left_out)
{
	const char *missing = more->missing();

	if (!missing)
		return show_kind(demo, more, rows);
	printf("%-17s left out: %s\n", more->kind->name, missing);
	json_object_object_add(left_out, more->kind->name, json_object_new_string(missing));
	return true;
}

static int open_all(struct demo *demo)
{
	demo->phyr = phyr_open();
	if (demo->phyr < 0) {
		fprintf(stderr, "demo: /dev/phyr: %s\n", strerror(-demo->phyr));
		return -1;
	}
	demo->bench = open("/dev/phyr_bench", O_RDWR | O_CLOEXEC);
	demo->edu = open("/dev/edu0", O_RDWR | O_CLOEXEC);
	if (demo->bench < 0 || demo->edu < 0) {
		perror("demo: /dev/phyr_bench, /dev/edu0");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	json_object *report = json_object_new_object(), *rows = json_object_new_array();
	json_object *left_out = json_object_new_object();
	long long acquired, released;
	struct utsname uts;
	struct demo demo;
	bool bad = false;

	if (argc != 2) {
		fprintf(stderr, "usage: demo FILE.json\n");
		return 2;
	}
	if (open_all(&demo))
		return 1;
	setenv("CMOCKA_TEST_ABORT", "1", 1);	/* asserts of common/ end the program, with words */
	uname(&uts);
	printf("\nLinux %s, IOMMU %s\n\n", uts.release, edu_translated() ? "on" : "off");
	print_head();
	for (size_t i = 0; i < mem_nr_kinds; i++)
		bad |= !show_kind(&demo, &(struct more_kind){ .kind = &mem_kinds[i] }, rows);
	for (size_t i = 0; i < more_nr_kinds; i++)
		bad |= !show_more(&demo, &more_kinds[i], rows, left_out);
	acquired = mem_vmstat("nr_foll_pin_acquired");
	released = mem_vmstat("nr_foll_pin_released");
	bad |= acquired != released || acquired <= 0;
	printf("\npins taken %lld, released %lld: %s\n", acquired, released,
	       acquired == released ? "none leaked" : "LEAKED");

	json_object_object_add(report, "release", json_object_new_string(uts.release));
	json_object_object_add(report, "iommu", json_object_new_boolean(edu_translated()));
	json_object_object_add(report, "rows", rows);
	json_object_object_add(report, "left_out", left_out);
	json_object_object_add(report, "pins_leaked",
			       json_object_new_int64(acquired - released));
	if (json_object_to_file_ext(argv[1], report, JSON_C_TO_STRING_PRETTY)) {
		fprintf(stderr, "demo: %s: %s\n", argv[1], json_util_get_last_err());
		bad = true;
	}
	json_object_put(report);
	return bad;
}
