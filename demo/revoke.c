// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: memory without a page goes while a program, a device and an
 * RDMA peer have it.
 *
 *	revoke-demo FILE.json
 *
 * For each row, one process maps a BAR, pins it, and lends the region to another.
 * That one maps it for the CPU and for edu's DMA, registers it for RDMA, and sees
 * each of them reach it. Then the first has the memory go, and all of them try
 * again. What was in the memory is there afterwards, every byte: nobody has written
 * to what may belong to another process by then.
 *
 * Adds a table to the report that demo has written, and exits 1 if anything was
 * wrong.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <time.h>

#include "../tests/guest/common/bar.h"
#include "../tests/guest/common/edu.h"
#include "../tests/guest/common/gone.h"
#include "../tests/guest/common/rdma.h"
#include "table.h"

#define SIZE	BAR_SIZE
#define BYTES	64ul		/* written and read in a place */
#define TRACING	"/sys/kernel/tracing/"

/**
 * struct way - for memory to go
 * @name: what the table calls it
 * @missing: why it cannot be shown here, or NULL; may be NULL
 * @find: finds the device
 * @map: maps the BAR
 * @go: has it go; may end the process
 * @undo: what there is to do afterwards; may be NULL
 */
struct way {
	const char *name;
	const char *(*missing)(void);
	bool (*find)(void);
	char *(*map)(void);
	void (*go)(char *bar);
	void (*undo)(char *bar);
};

/**
 * struct row - what was seen
 * @way: how it went
 * @start: when it began to go, by the monotonic clock
 * @cut_ns: how much later nobody reached it any more
 * @users: how many had to be stopped
 * @bus_error: whether the CPU got SIGBUS where it was mapped
 * @map: errno of a new mapping, or 0
 * @dma: errno of the device's DMA, likewise: reading and writing
 * @peer: what became of RDMA operations, likewise
 * @intact: none of this has written to the memory
 * @done: all of this was seen
 */
struct row {
	const struct way *way;
	uint64_t start;
	uint64_t cut_ns;
	unsigned int users;
	bool bus_error;
	int map;
	int dma[2];
	enum ibv_wc_status peer[2];
	bool intact;
	bool done;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The ways */

static char *sysfs_map(void)
{
	return bar_map(SIZE);
}

static void go_munmap(char *bar)
{
	release(bar, SIZE);
}

static void go_replaced(char *bar)
{
	assert_ptr_equal(mmap(bar, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), bar);
}

/* What came in its place is not reached either. */
static void undo_replaced(char *bar)
{
	assert_int_equal(bar[0], 0);
	assert_int_equal(memcmp(bar, bar + 1, SIZE - 1), 0);
}

static void go_exit(char *bar)
{
	(void)bar;
	_exit(0);
}

static void go_remove(char *bar)
{
	(void)bar;
	bar_remove();
}

static void undo_remove(char *bar)
{
	release(bar, SIZE);
	bar_back();
}

static struct bar_vfio vfio;

static char *vfio_map(void)
{
	bar_vfio_open(&vfio);
	return bar_vfio_map(&vfio, SIZE);
}

static void go_memory_off(char *bar)
{
	(void)bar;
	bar_vfio_memory(&vfio, false);
}

static void undo_vfio(char *bar)
{
	bar_vfio_memory(&vfio, true);
	release(bar, SIZE);
	bar_vfio_close(&vfio);
}

static void go_reset(char *bar)
{
	(void)bar;
	bar_vfio_reset(&vfio);
}

static const struct way ways[] = {
	{ "munmap()", NULL, bar_find, sysfs_map, go_munmap, NULL },
	{ "another mapping in its place", NULL, bar_find, sysfs_map, go_replaced, undo_replaced },
	{ "its process exits", NULL, bar_find, sysfs_map, go_exit, NULL },
	{ "device removed", NULL, bar_find, sysfs_map, go_remove, undo_remove },
	{ "vfio: memory switched off", bar_vfio_missing, bar_find, vfio_map, go_memory_off,
	  undo_vfio },
	{ "vfio: device reset", bar_vfio_missing, bar_find_resettable, vfio_map, go_reset,
	  undo_vfio },
};

/* The process that has the memory */

struct owner {
	struct row *row;
	int sock[2];		/* its own end is the second */
};

static void wait_for_word(int sock)
{
	char byte;

	must(read(sock, &byte, 1) == 1);
}

static void say_word(int sock)
{
	must(write(sock, "x", 1) == 1);
}

static void owner_main(void *arg)
{
	const struct owner *owner = arg;
	const struct way *way = owner->row->way;
	int region, sock = owner->sock[1];
	char *bar;

	close(owner->sock[0]);
	bar = way->map();
	region = phyr_pin(dev, bar, SIZE, PHYR_PIN_WRITE);
	must(region >= 0);
	send_fd(sock, region);
	must(!close(region));
	wait_for_word(sock);
	owner->row->start = now();
	way->go(bar);
	say_word(sock);
	wait_for_word(sock);
	if (way->undo)
		way->undo(bar);
}

/* The process that it is lent to */

struct loan {
	int region;
	char *map;
	int edu;
	struct rdma r;
	struct ibv_mr *near, *far;
	char *copy;		/* what should be in the memory */
};

static void loan_begin(struct loan *loan, int region)
{
	loan->region = region;
	loan->map = map_shared(region, SIZE, RW, 0);
	loan->edu = edu_open();
	assert_int_equal(edu_map_region(loan->edu, region, EDU_MAP_WRITE), 0);
	loan->near = rdma_begin(&loan->r, PAGE);
	loan->far = ibv_reg_dmabuf_mr(loan->r.pd, 0, SIZE, (uintptr_t)loan->map, region, RDMA_ALL);
	if (!loan->far)
		fail_msg("ibv_reg_dmabuf_mr: %s", strerror(errno));
	loan->far->addr = loan->map;
}

static void loan_end(struct loan *loan)
{
	assert_int_equal(ibv_dereg_mr(loan->far), 0);
	rdma_end(&loan->r, loan->near);
	assert_int_equal(edu_unmap(loan->edu), 0);
	close(loan->edu);
	release(loan->map, SIZE);
	close(loan->region);
}

/* All three reach it, at both ends. */
static void check_alive(struct loan *loan)
{
	char *bytes = loan->near->addr;

	for (size_t at = 0; at < SIZE; at += SIZE - BYTES) {
		edu_check(loan->edu, at, loan->map + at, BYTES);
		pattern_fill(bytes, BYTES, 3);
		assert_int_equal(rdma_write(&loan->r, rdma_at(loan->far, at),
					    rdma_at(loan->near, 0), BYTES), IBV_WC_SUCCESS);
		assert_true(pattern_is(loan->map + at, BYTES, 3));
		pattern_fill(loan->map + at, BYTES, 4);
		assert_int_equal(rdma_read(&loan->r, rdma_at(loan->far, at),
					   rdma_at(loan->near, 0), BYTES), IBV_WC_SUCCESS);
		assert_true(pattern_is(bytes, BYTES, 4));
	}
}

/* The last that is written to it. */
static void fill(struct loan *loan)
{
	uint64_t *words = (uint64_t *)anon(SIZE, RW);

	for (size_t i = 0; i < SIZE / sizeof(*words); i++)
		words[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
	loan->copy = (char *)words;
	memcpy(loan->map, loan->copy, SIZE);
}

/* Everybody tries again, and gets what the row says. */
static void try_again(struct loan *loan, struct row *row)
{
	char bytes[BYTES];

	assert_true(gone_revoked(loan->region));
	row->bus_error = gone_bus_error(loan->map) && gone_bus_error(loan->map + SIZE - 1);
	row->map = gone_mmap_errno(loan->region);

	memset(bytes, 0, BYTES);
	row->dma[0] = pread(loan->edu, bytes, BYTES, 0) < 0 ? errno : 0;
	row->dma[1] = pwrite(loan->edu, bytes, BYTES, SIZE - BYTES) < 0 ? errno : 0;

	memset(loan->near->addr, 0, PAGE);
	row->peer[0] = rdma_read(&loan->r, rdma_at(loan->far, 0), rdma_at(loan->near, 0), BYTES);
	rdma_reconnect(&loan->r);
	row->peer[1] = rdma_write(&loan->r, rdma_at(loan->far, 0), rdma_at(loan->near, 0), BYTES);
	rdma_reconnect(&loan->r);
}

/*
 * The one revocation since it began, by the kernel's own word: a line such as
 *	kworker/u8:4-865 [000] ..... 159.998073: phyr_revoke: users=2 ns=522721
 * that ends when all users have been stopped.
 */
static void read_trace(struct row *row)
{
	FILE *f = fopen(TRACING "trace", "re");
	unsigned int found = 0, users;
	char line[300], *at;
	double end;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, ": phyr_revoke: users=");
		if (!at || sscanf(at, ": phyr_revoke: users=%u", &users) != 1)
			continue;
		while (at > line && at[-1] != ' ')
			at--;
		end = strtod(at, NULL) * 1e9;
		if (end + 1e3 < (double)row->start)	/* it is rounded to 1 us */
			continue;
		row->cut_ns = (uint64_t)(end + 1e3) - row->start;
		row->users = users;
		found++;
	}
	fclose(f);
	assert_int_equal(found, 1);
}

static bool is_intact(const struct way *way, const char *copy)
{
	bool same;
	char *bar;

	assert_true(way->find());		/* it may have come back elsewhere */
	bar = bar_map(SIZE);
	same = !memcmp(bar, copy, SIZE);
	release(bar, SIZE);
	return same;
}

static void fill_row(void *arg)
{
	struct owner owner = { .row = arg };
	struct loan loan;
	bool exits = owner.row->way->go == go_exit;
	pid_t pid;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, owner.sock), errno);
	pid = child_start(owner_main, &owner);
	close(owner.sock[1]);
	loan_begin(&loan, receive_fd(owner.sock[0]));
	check_alive(&loan);
	fill(&loan);

	say_word(owner.sock[0]);
	if (exits)
		child_wait(pid);
	else
		wait_for_word(owner.sock[0]);
	read_trace(owner.row);
	try_again(&loan, owner.row);
	loan_end(&loan);
	if (!exits) {
		say_word(owner.sock[0]);
		child_wait(pid);
	}
	owner.row->intact = is_intact(owner.row->way, loan.copy);
	owner.row->done = true;
}

/* Telling about it */

static bool right(const struct row *row)
{
	return row->done && row->intact && row->bus_error && row->map == ENODEV &&
	       row->dma[0] == ENODEV && row->dma[1] == ENODEV &&
	       row->peer[0] == IBV_WC_REM_ACCESS_ERR && row->peer[1] == IBV_WC_REM_ACCESS_ERR;
}

/* What both a read and a write got. */
static const char *both(bool same, const char *what)
{
	return same ? what : "not alike";
}

static const char *errno_name(int error)
{
	return error ? strerrorname_np(error) : "success";
}

static const char *dma_word(const struct row *row)
{
	return both(row->dma[0] == row->dma[1], errno_name(row->dma[0]));
}

static const char *peer_word(const struct row *row)
{
	return both(row->peer[0] == row->peer[1], ibv_wc_status_str(row->peer[0]));
}

static const char *cpu_word(const struct row *row)
{
	return row->bus_error ? "SIGBUS" : "no fault";
}

static void print_head(void)
{
	printf("\n%-28s %7s %9s %9s  %-8s %-8s %-9s %-20s  %s\n", "", "", "cut off", "users", "the",
	       "a new", "device's", "an RDMA", "");
	printf("%-28s %7s %9s %9s  %-8s %-8s %-9s %-20s  %s\n", "memory revoked by", "size", "after",
	       "stopped", "CPU", "map", "DMA", "peer", "verified");
}

static void print_row(const struct row *row)
{
	char size[16], cut[16];

	if (!row->done) {
		printf("%-28s went wrong, see above\n", row->way->name);
		return;
	}
	printf("%-28s %7s %9s %9u  %-8s %-8s %-9s %-20s  %s\n", row->way->name,
	       table_bytes(SIZE, size), table_ns(row->cut_ns, cut), row->users, cpu_word(row),
	       errno_name(row->map), dma_word(row), peer_word(row),
	       right(row) ? "yes" : row->intact ? "NO" : "NO, it was written to");
	fflush(stdout);
}

static void add_word(json_object *o, const char *key, const char *word)
{
	json_object_object_add(o, key, json_object_new_string(word));
}

static json_object *row_json(const struct row *row)
{
	json_object *o = json_object_new_object();

	add_word(o, "goes", row->way->name);
	json_object_object_add(o, "bytes", json_object_new_uint64(SIZE));
	json_object_object_add(o, "cut_off_ns", json_object_new_uint64(row->cut_ns));
	json_object_object_add(o, "users", json_object_new_uint64(row->users));
	add_word(o, "cpu", cpu_word(row));
	add_word(o, "new_map", errno_name(row->map));
	add_word(o, "dma", dma_word(row));
	add_word(o, "peer", peer_word(row));
	json_object_object_add(o, "intact", json_object_new_boolean(row->intact));
	json_object_object_add(o, "verified", json_object_new_boolean(right(row)));
	return o;
}

static bool show(const struct way *way, json_object *rows)
{
	const char *missing;
	struct row *row;

	if (!way->find()) {
		printf("%-28s no such device in this machine\n", way->name);
		return false;
	}
	missing = way->missing ? way->missing() : NULL;
	if (missing) {
		printf("%-28s left out: %s\n", way->name, missing);
		return true;
	}
	row = table_row_new(sizeof(*row));
	row->way = way;
	table_row_fill(fill_row, row);
	print_row(row);
	json_object_array_add(rows, row_json(row));
	return right(row);
}

/* By the clock that programs have, too. */
static int trace(bool on)
{
	int ret = write_file(TRACING "trace_clock", on ? "mono" : "local");

	return ret ? ret : write_file(TRACING "events/phyr/phyr_revoke/enable", on ? "1" : "0");
}

int main(int argc, char **argv)
{
	json_object *rows = json_object_new_array();
	char words[ORACLE_WORDS];
	bool bad = false;

	if (argc != 2) {
		fprintf(stderr, "usage: revoke-demo FILE.json\n");
		return 2;
	}
	dev = phyr_open();
	if (dev < 0 || trace(true) || rdma_load()) {
		fprintf(stderr, "revoke-demo: no /dev/phyr, no trace events or no phyr_rdma\n");
		return 1;
	}
	print_head();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		bad |= !show(&ways[i], rows);
	bad |= trace(false) || rdma_unload();
	if (!oracle_nothing_held(words, sizeof(words))) {
		printf("left: %s\n", words);
		bad = true;
	}
	bad |= table_add(argv[1], "revoked", rows);
	return bad;
}
