// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the administrator sees: each trace event when it happens and with what it is
 * about, and in the list of regions who uses one, and that it was revoked.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mount.h>

#include "common/edu.h"

#define TRACING	"/sys/kernel/tracing"
#define EVENTS	TRACING "/events/phyr/enable"
#define LEN	(8 * PAGE)

static void trace_begin(void)
{
	if (access(EVENTS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	assert_int_equal(write_file(TRACING "/trace", ""), 0);
	assert_int_equal(write_file(EVENTS, "1"), 0);
}

/* The lines of one event since the beginning; the last one is left in @line. */
static unsigned int traced(const char *event, char line[static 300])
{
	char name[40], next[300];
	unsigned int n = 0;
	FILE *f = fopen(TRACING "/trace", "re");

	assert_non_null(f);
	snprintf(name, sizeof(name), " %s: ", event);
	*line = '\0';
	while (fgets(next, sizeof(next), f)) {
		const char *at = strstr(next, name);

		if (!at)
			continue;
		n++;
		snprintf(line, 300, "%s", at + strlen(name));
	}
	fclose(f);
	return n;
}

static void expect(const char *event, unsigned int times, const char *text)
{
	char line[300];
	unsigned int n = traced(event, line);

	if (n != times || !strstr(line, text))
		fail_msg("%s came %u times, the last one with \"%s\"; expected: %u times, \"%s\"",
			 event, n, line, times, text);
}

static void trace_end(void)
{
	assert_int_equal(write_file(EVENTS, "0"), 0);
}

static void test_pin_and_map(void **state)
{
	char *addr = anon(LEN, RW), text[200];
	int edu = edu_open(), region;

	(void)state;
	trace_begin();
	region = pin(addr, LEN, PHYR_PIN_WRITE);
	snprintf(text, sizeof(text), "start=%p bytes=%zu phyrs=", (void *)addr, LEN);
	expect("phyr_pin", 1, text);
	expect("phyr_pin", 1, " gup_flags=0x101 ret=0");
	assert_int_equal(phyr_pin(dev, (void *)PAGE, PAGE, 0), -EFAULT);
	expect("phyr_pin", 2, " bytes=0 phyrs=0 gup_flags=0x100 ret=-14");

	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	snprintf(text, sizeof(text), " bytes=%zu segments=", LEN);
	expect("phyr_map", 1, text);
	expect("phyr_map", 1, " ret=0");
	expect("phyr_unmap", 0, "");
	assert_int_equal(edu_unmap(edu), 0);
	expect("phyr_unmap", 1, text);

	expect("phyr_unpin", 0, "");
	close(region);
	snprintf(text, sizeof(text), "bytes=%zu phyrs=", LEN);
	expect("phyr_unpin", 1, text);
	trace_end();
	close(edu);
	release(addr, LEN);
}

static void test_revoke(void **state)
{
	int edu = edu_open(), region;
	struct mem mem;

	(void)state;
	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), LEN), errno);
	region = pin(mem.addr, LEN, PHYR_PIN_WRITE);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	trace_begin();
	mem_unmap(&mem);
	/* the region itself, and the device */
	expect("phyr_revoke", 1, "users=2 ns=");
	close(edu);
	close(region);
	expect("phyr_revoke", 1, "users=2 ns=");
	trace_end();
}

/* One line of the list, of one region. */
static void check_list(const char *state, unsigned int users)
{
	char text[300], line[300] = "", expected[60];
	FILE *f = fopen("/sys/kernel/debug/phyr/regions", "re");
	unsigned int n = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		if (text[0] == '#')
			continue;
		n++;
		memcpy(line, text, sizeof(line));
	}
	fclose(f);
	assert_int_equal(n, 1);
	snprintf(expected, sizeof(expected), " rw %s %u test_trace", state, users);
	if (!strstr(line, expected))
		fail_msg("\"%s\" has no \"%s\"", line, expected);
}

static void test_users(void **state)
{
	int edu = edu_open(), other = edu_open(), region;
	struct mem mem;
	char *map;

	(void)state;
	assert_return_code(mem_map(&mem, mem_find("PCI BAR"), LEN), errno);
	region = pin(mem.addr, LEN, PHYR_PIN_WRITE);
	check_list("pinned", 0);
	map = map_shared(region, LEN, RW, 0);
	check_list("pinned", 1);
	release(map + PAGE, PAGE);		/* two mappings now */
	check_list("pinned", 2);
	assert_int_equal(edu_map_region(edu, region, EDU_MAP_WRITE), 0);
	check_list("pinned", 3);
	assert_int_equal(edu_map_dmabuf(other, region, EDU_MAP_WRITE), 0);
	check_list("pinned", 4);
	mem_unmap(&mem);
	/* the importer was notified, and has unmapped */
	check_list("revoked", 3);
	close(other);
	assert_int_equal(edu_unmap(edu), 0);
	check_list("revoked", 2);
	release(map, PAGE);
	release(map + 2 * PAGE, LEN - 2 * PAGE);
	check_list("revoked", 0);
	close(edu);
	close(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_pin_and_map),
		fixture_test(test_revoke),
		fixture_test(test_users),
	};

	return fixture_run(tests);
}
