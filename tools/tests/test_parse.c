// SPDX-License-Identifier: GPL-2.0-only
/* Everything textual that the command reads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../parse.h"

static void check_size(const char *text, int error, uint64_t bytes)
{
	uint64_t got;

	assert_int_equal(parse_size(text, &got), error);
	if (!error)
		assert_int_equal(got, bytes);
}

static void test_size(void **state)
{
	(void)state;
	check_size("0", 0, 0);
	check_size("4096", 0, 4096);
	check_size("4096B", 0, 4096);
	check_size("64k", 0, 64 << 10);
	check_size("64KiB", 0, 64 << 10);
	check_size("2M", 0, 2 << 20);
	check_size("1G", 0, 1 << 30);
	check_size("3T", 0, 3ULL << 40);
	check_size("5p", 0, 5ULL << 50);
	check_size("15E", 0, 15ULL << 60);
	check_size("18446744073709551615", 0, UINT64_MAX);
	check_size("18446744073709551616", -ERANGE, 0);
	check_size("16E", -ERANGE, 0);
	check_size("0x60000000", 0, 0x60000000);
	check_size("0X1eB", 0, 0x1eb);
	check_size("0x0", 0, 0);
	check_size("0xffffffffffffffff", 0, UINT64_MAX);
	check_size("0x10000000000000000", -ERANGE, 0);
	check_size("17179869184G", -ERANGE, 0);
}

static void test_no_size(void **state)
{
	static const char *const texts[] = {
		"", " 1", "1 ", "-1", "+1", "1X", "1Gi", "1GB", "1GiBs", "G", "1.5G", "1BB",
		"1\xff", "1KK", "0x", "0xg", "x10", "00x10", "0x10K", "0x 1", "0x1.8",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_size(texts[i], -EINVAL, 0);
}

static void test_number(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(parse_number("0", 10, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(parse_number("10", 10, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(parse_number("11", 10, &n), -ERANGE);
	assert_int_equal(parse_number("99999999999999999999", UINT64_MAX, &n), -ERANGE);
	assert_int_equal(parse_number("", 10, &n), -EINVAL);
	assert_int_equal(parse_number("1a", 10, &n), -EINVAL);
	assert_int_equal(parse_number("a", 10, &n), -EINVAL);
}

static void test_maps(void **state)
{
	struct maps_line map;

	(void)state;
	assert_int_equal(parse_maps_line("7ffd4775c000-7ffd4777d000 rw-p 00000000 00:00 0"
					 "                          [stack]", &map), 0);
	assert_int_equal(map.start, 0x7ffd4775c000);
	assert_int_equal(map.end, 0x7ffd4777d000);
	assert_string_equal(map.perms, "rw-p");
	assert_string_equal(map.path, "[stack]");

	assert_int_equal(parse_maps_line("1000-2000 r-xs 12000 103:0a 1234 /a b (deleted)", &map),
			 0);
	assert_int_equal(map.offset, 0x12000);
	assert_int_equal(map.inode, 1234);
	assert_string_equal(map.path, "/a b (deleted)");

	assert_int_equal(parse_maps_line("1000-2000 ---p 0 0:0 0", &map), 0);
	assert_string_equal(map.path, "");
	assert_int_equal(parse_maps_line("1000-2000 ---p 0 0:0 0 ", &map), 0);
	assert_string_equal(map.path, "");
	assert_int_equal(parse_maps_line("ffffffffff600000-ffffffffff601000 --xp 0 0:0 0 [vsyscall]",
					 &map), 0);
}

static void test_no_maps(void **state)
{
	static const char line[] = "1000-2000 r-xp 00000000 08:01 12 /x";
	char cut[sizeof(line)];
	struct maps_line map;
	size_t len;

	(void)state;
	for (len = 0; len < strcspn(line, ":") + 2; len++) {
		memcpy(cut, line, len);
		cut[len] = '\0';
		assert_int_equal(parse_maps_line(cut, &map), -EINVAL);
	}
	assert_int_equal(parse_maps_line("2000-1000 r-xp 0 0:0 0", &map), -EINVAL);
	assert_int_equal(parse_maps_line("1000-1000 r-xp 0 0:0 0", &map), -EINVAL);
	assert_int_equal(parse_maps_line("1000-2000 rrxp 0 0:0 0", &map), -EINVAL);
	assert_int_equal(parse_maps_line("1000-2000 r-xq 0 0:0 0", &map), -EINVAL);
	assert_int_equal(parse_maps_line("1000-2000 r-xp 0 0:0 0x", &map), -EINVAL);
	assert_int_equal(parse_maps_line("1000-20000000000000000 r-xp 0 0:0 0", &map), -ERANGE);
}

static void check_clean(const char *text, const char *clean)
{
	char copy[64];

	strcpy(copy, text);
	text_clean(copy);
	assert_string_equal(copy, clean);
}

static void test_clean(void **state)
{
	(void)state;
	check_clean("", "");
	check_clean("plain <&>", "plain <&>");
	check_clean("\033[31m\t\x7f", "?[31m??");
	check_clean("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	check_clean("\xc3", "?");			/* cut short */
	check_clean("\xe2\x82", "??");
	check_clean("\xc0\x80", "??");			/* longer than need be */
	check_clean("\xe0\x80\x80", "???");
	check_clean("\xed\xa0\x80", "???");		/* half of a pair */
	check_clean("\xef\xbf\xbe", "???");		/* no character */
	check_clean("\xf4\x90\x80\x80", "????");	/* past the last one */
	check_clean("\xc2\x9b", "??");			/* a control character too */
	check_clean("\x80\xff\xfe", "???");
}

static void test_cut(void **state)
{
	(void)state;
	assert_int_equal(text_cut("", 3), 0);
	assert_int_equal(text_cut("abc", 0), 0);
	assert_int_equal(text_cut("abc", 2), 2);
	assert_int_equal(text_cut("abc", 9), 3);
	assert_int_equal(text_cut("\xe2\x82\xac\xc3\xa9x", 1), 3);
	assert_int_equal(text_cut("\xe2\x82\xac\xc3\xa9x", 2), 5);
	assert_int_equal(text_cut("\xe2\x82\xac\xc3\xa9x", 3), 6);
}

static void test_region(void **state)
{
	struct region_line r;

	(void)state;
	assert_int_equal(parse_region_line("163 217 67108864 16384 2 ram,mmio rw pinned 3 phyr",
					   &r), 0);
	assert_int_equal(r.inode, 163);
	assert_int_equal(r.pid, 217);
	assert_int_equal(r.bytes, 67108864);
	assert_int_equal(r.pages, 16384);
	assert_int_equal(r.phyrs, 2);
	assert_int_equal(r.users, 3);
	assert_string_equal(r.kinds, "ram,mmio");
	assert_string_equal(r.access, "rw");
	assert_string_equal(r.state, "pinned");
	assert_string_equal(r.comm, "phyr");

	/* names are anybody's */
	assert_int_equal(parse_region_line("1 2 3 4 5 ram ro imported 0 a\\040b\\012\\134", &r), 0);
	assert_string_equal(r.comm, "a b\n\\");
	assert_int_equal(parse_region_line("1 2 3 4 5 ram ro revoked 0 ", &r), 0);
	assert_string_equal(r.comm, "");
	assert_int_equal(parse_region_line("1 2 3 4 5 ram ro pinned 0 \\04", &r), 0);
	assert_string_equal(r.comm, "\\04");
}

static void test_no_region(void **state)
{
	static const char *const lines[] = {
		"", "1", "1 2 3 4 5 ram rw pinned 0", "1 2 3 4 5 ram rw pinned 0 two words",
		"x 2 3 4 5 ram rw pinned 0 a", "1 -2 3 4 5 ram rw pinned 0 a", " 1 2 3 4 5 ram",
	};
	struct region_line r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse_region_line(lines[i], &r), -EINVAL);
	assert_int_equal(parse_region_line("1 2 3 4 5 ram rw pinned-and-much-more 0 a", &r),
			 -ERANGE);
	assert_int_equal(parse_region_line("1 2 18446744073709551616 4 5 ram rw pinned 0 a", &r),
			 -ERANGE);
}

static void test_hook(void **state)
{
	static const char *const lines[] = {
		"", "ib_uverbs", "ib_uverbs f", "ib_uverbs f 1", "ib_uverbs f 1 ", "ib_uverbs f x direct",
	};
	struct hook_line hook;
	size_t i;

	(void)state;
	assert_int_equal(parse_hook_line("ib_uverbs ib_umem_get 12 not hooked", &hook), 0);
	assert_string_equal(hook.module, "ib_uverbs");
	assert_string_equal(hook.function, "ib_umem_get");
	assert_int_equal(hook.calls, 12);
	assert_string_equal(hook.how, "not hooked");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse_hook_line(lines[i], &hook), -EINVAL);
	assert_int_equal(parse_hook_line("ib_uverbs f 1 in some other way", &hook), -ERANGE);
}

static struct endpoint_text endpoint(const char *text)
{
	struct endpoint_text place;

	assert_int_equal(parse_endpoint(text, &place), 0);
	return place;
}

static void check_file(const char *text, const char *name, bool has_at, uint64_t at)
{
	struct endpoint_text place = endpoint(text);

	assert_int_equal(place.kind, ENDPOINT_FILE);
	assert_int_equal(place.name_len, strlen(name));
	assert_memory_equal(place.name, name, place.name_len);
	assert_int_equal(place.has_at, has_at);
	assert_int_equal(place.at, at);
}

static void test_endpoint_file(void **state)
{
	(void)state;
	check_file("dump", "dump", false, 0);
	check_file("dump@0", "dump", true, 0);
	check_file("/tmp/a b@64K", "/tmp/a b", true, 64 << 10);
	check_file("dump@0x1000", "dump", true, 0x1000);
	check_file("user@host", "user@host", false, 0);
	check_file("a@", "a@", false, 0);
	check_file("a@5@0", "a@5", true, 0);
	check_file("./phys:0x1000", "./phys:0x1000", false, 0);
	check_file("./12:30", "./12:30", false, 0);
	check_file("a:b", "a:b", false, 0);
	check_file("/proc/cpuinfo", "/proc/cpuinfo", false, 0);
	check_file("/proc/12/maps", "/proc/12/maps", false, 0);
	check_file("/proc/12x/fd/3", "/proc/12x/fd/3", false, 0);
	check_file("/proc/0/fd/3", "/proc/0/fd/3", false, 0);
	check_file("/dev/sda@1G", "/dev/sda", true, 1 << 30);
}

static void test_endpoint_process(void **state)
{
	struct endpoint_text place = endpoint("1234:0x7f00deadb000");

	(void)state;
	assert_int_equal(place.kind, ENDPOINT_PROCESS);
	assert_int_equal(place.pid, 1234);
	assert_int_equal(place.at, 0x7f00deadb000);
	assert_true(place.has_at);
	place = endpoint("1:0Xffffffffffffffff");
	assert_int_equal(place.pid, 1);
	assert_int_equal(place.at, UINT64_MAX);
}

static void test_endpoint_region(void **state)
{
	struct endpoint_text place = endpoint("/proc/1234/fd/7");

	(void)state;
	assert_int_equal(place.kind, ENDPOINT_REGION);
	assert_int_equal(place.pid, 1234);
	assert_int_equal(place.number, 7);
	assert_false(place.has_at);
	place = endpoint("/proc/self/fd/0@2M");
	assert_int_equal(place.kind, ENDPOINT_REGION);
	assert_int_equal(place.pid, 0);
	assert_int_equal(place.number, 0);
	assert_int_equal(place.at, 2 << 20);
}

static void test_endpoint_bar(void **state)
{
	struct endpoint_text place = endpoint("0000:01:00.0/2");

	(void)state;
	assert_int_equal(place.kind, ENDPOINT_BAR);
	assert_int_equal(place.name_len, strlen("0000:01:00.0"));
	assert_memory_equal(place.name, "0000:01:00.0", place.name_len);
	assert_int_equal(place.number, 2);
	assert_int_equal(place.at, 0);
	place = endpoint("10000:e1:1f.7/0@4K");
	assert_memory_equal(place.name, "10000:e1:1f.7", place.name_len);
	assert_int_equal(place.number, 0);
	assert_int_equal(place.at, 4096);
	place = endpoint("abcd:01:00.0/5@0x10");
	assert_int_equal(place.number, 5);
	assert_int_equal(place.at, 0x10);
}

static void test_endpoint_phys(void **state)
{
	struct endpoint_text place = endpoint("phys:0x60000000");

	(void)state;
	assert_int_equal(place.kind, ENDPOINT_PHYS);
	assert_int_equal(place.at, 0x60000000);
	assert_true(place.has_at);
	assert_int_equal(endpoint("phys:4G").at, 4ULL << 30);
}

static void test_no_endpoint(void **state)
{
	static const char *const texts[] = {
		"", "@0", "dump@12x", "dump@0x", "phys:", "phys:x", "phys:0x1000@1", "phys:-1",
		"12:30", "12:", "12:7f00", "12:0x", "12:0x7f@1", "0:0x1000", "01:00.0/2",
		"0000:01:00.0", "0000:01:00.0/", "0000:01:00.0/x", "0000:01:00.0/2@",
		"0000:01:00.0/2 ", "0000:01:00.8/2", "/proc/1/fd/", "/proc/1/fd/x",
		"/proc/1/fd/3@", "/proc/self/fd/3/4",
	};
	static const char *const large[] = {
		"dump@16E", "phys:0x10000000000000000", "1:0x10000000000000000",
		"2147483648:0x1000", "0000:01:00.0/6", "/proc/1/fd/2147483648",
	};
	struct endpoint_text place;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse_endpoint(texts[i], &place), -EINVAL);
	for (i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(parse_endpoint(large[i], &place), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_no_size),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_no_maps),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_no_region),
		cmocka_unit_test(test_hook),
		cmocka_unit_test(test_endpoint_file),
		cmocka_unit_test(test_endpoint_process),
		cmocka_unit_test(test_endpoint_region),
		cmocka_unit_test(test_endpoint_bar),
		cmocka_unit_test(test_endpoint_phys),
		cmocka_unit_test(test_no_endpoint),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
