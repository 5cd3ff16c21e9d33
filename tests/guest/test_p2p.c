// SPDX-License-Identifier: GPL-2.0-only
/*
 * From device to device: edu reaches the BAR of another device and the memory of
 * an NVMe controller, and a device that no bridge leads from is refused.
 */
#define _GNU_SOURCE
#include "common/driver.h"
#include "common/edu.h"
#include "common/nvme.h"

#define SIZE	(4 * MIB)

static void trust_bridges(const char *value)
{
	assert_int_equal(write_file("/sys/module/phyr/parameters/trust_bridges", value), 0);
}

static void test_bar(void **state)
{
	int edu = edu_open();
	struct mem mem;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("PCI BAR"), SIZE), 0);
	assert_int_equal(edu_map_user(edu, mem.addr, SIZE, EDU_MAP_WRITE), 0);
	edu_check(edu, 0, mem.addr, 64);
	edu_check(edu, SIZE - 64, mem.addr + SIZE - 64, 64);
	close(edu);
	mem_unmap(&mem);
}

static int platform_errno(int fd)
{
	struct pt_map map = { .len = SIZE, .flags = PT_PLATFORM };

	return driver_map(fd, &map);
}

static void test_no_way(void **state)
{
	int fd = driver_open(), refused = nvme_missing() ? 0 : EREMOTEIO;
	char *ram = anon(SIZE, RW);
	struct mem mem;

	(void)state;
	assert_int_equal(mem_map(&mem, mem_find("PCI BAR"), SIZE), 0);
	assert_int_equal(driver_add(fd, mem.addr, SIZE, PT_WRITE | PT_LONGTERM), 0);
	assert_int_equal(platform_errno(fd), refused);
	trust_bridges("1");
	assert_int_equal(platform_errno(fd), 0);
	trust_bridges("0");
	assert_int_equal(platform_errno(fd), refused);
	driver_unpin(fd, 0);

	assert_int_equal(driver_add(fd, ram, SIZE, PT_WRITE | PT_LONGTERM), 0);
	assert_int_equal(platform_errno(fd), 0);
	driver_unpin(fd, 0);
	close(fd);
	mem_unmap(&mem);
	release(ram, SIZE);
}

static void test_cmb(void **state)
{
	int edu, fd, refused;
	struct phyr_range *ranges;
	uint64_t bytes = 0, frame;
	struct mem mem;
	size_t nr;
	char *cmb;

	(void)state;
	if (nvme_missing()) {
		print_message("# %s\n", nvme_missing());
		skip();
	}
	edu = edu_open();
	fd = driver_open();
	assert_int_equal(mem_map(&mem, &mem_cmb, MIB), 0);
	cmb = mem.addr;
	/* as GUP has it: not for long, and only for who asks, as it may be unbound */
	refused = driver_gup(fd, cmb, 1, &frame, PT_WRITE | PT_LONGTERM);
	assert_int_not_equal(refused, 0);
	assert_int_equal(phyr_pin(dev, cmb, MIB, PHYR_PIN_WRITE), -refused);
	assert_int_equal(driver_gup(fd, cmb, 1, &frame, PT_WRITE), EREMOTEIO);
	assert_int_equal(driver_add(fd, cmb, MIB, PT_WRITE), EREMOTEIO);
	assert_int_equal(driver_add(fd, cmb, MIB, PT_WRITE | PT_LONGTERM | PT_P2P), EINVAL);

	assert_int_equal(driver_add(fd, cmb, MIB, PT_WRITE | PT_P2P), 0);
	ranges = driver_ranges(fd, 0, &nr);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(ranges[i].kind, PHYR_KIND_P2P);
		bytes += ranges[i].len;
	}
	assert_int_equal(bytes, MIB);
	free(ranges);
	driver_unpin(fd, 0);

	assert_int_equal(edu_map_user(edu, cmb, MIB, EDU_MAP_WRITE | EDU_MAP_SHORT), 0);
	edu_check(edu, 0, cmb, 64);
	edu_check(edu, MIB / 2 - 20, cmb + MIB / 2 - 20, 64);
	edu_check(edu, MIB - 64, cmb + MIB - 64, 64);
	assert_int_equal(edu_unmap(edu), 0);
	mem_unmap(&mem);
	close(edu);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_bar),
		fixture_test(test_no_way),
		fixture_test(test_cmb),
	};

	return fixture_run(tests);
}
