// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "oracle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <phyr.h>

#include "fixture.h"

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"

/* kmemleak takes no notice of what is younger than five seconds. */
#define KMEMLEAK_AGE	6

/*
 * The process's own heap and stack, page tables and what else the kernel keeps
 * for itself come and go by as much. Of what leaks, kmemleak tells the byte.
 */
#define COMMITTED_SLACK	(4 << 10)
#define SLAB_SLACK	(6 << 10)

static void say(char *words, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *words, size_t size, const char *format, ...)
{
	size_t used = strlen(words);
	va_list args;

	va_start(args, format);
	vsnprintf(words + used, size - used, format, args);
	va_end(args);
}

/* What is held now */

/* Each processor counts for itself, and mem_vmstat() has that added up. */
static long long pins_left(void)
{
	return mem_vmstat("nr_foll_pin_acquired") - mem_vmstat("nr_foll_pin_released");
}

static long long vmpin_left(void)
{
	return fixture_status("VmPin:");
}

static bool info_get(struct phyr_info *info)
{
	int fd = phyr_open(), ret;

	*info = (struct phyr_info) { .size = sizeof(*info) };
	if (fd < 0)
		return false;
	ret = phyr_info(fd, info);
	close(fd);
	return !ret;
}

/* No module, no regions. */
static long long regions_left(void)
{
	struct phyr_info info;

	return info_get(&info) ? (long long)info.regions : 0;
}

static long long region_pages_left(void)
{
	struct phyr_info info;

	return info_get(&info) ? (long long)info.pinned_pages : 0;
}

/* By dma-buf's own word; the fifth column is who exported it. */
static long long dmabufs_left(void)
{
	char line[300], name[64];
	long long n = 0;
	FILE *f = fopen(BUFINFO, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%*x %*x %*x %*x %63s", name) == 1 && !strcmp(name, "phyr");
	fclose(f);
	return n;
}

static long long dir_entries(const char *path)
{
	struct dirent *entry;
	long long n = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* How often this process has a device open, even one whose node is gone. */
static long long own_files(const char *device)
{
	char path[300], target[300];
	struct dirent *entry;
	long long n = 0;
	ssize_t len;
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		n += !strncmp(target, device, strlen(device)) &&
		     (!target[strlen(device)] || target[strlen(device)] == ' ');
	}
	closedir(dir);
	return n;
}

/* Users of a module but the modules on top of it and this process's open files. */
static long long users_left(const char *module, const char *device)
{
	char path[100];
	long long users = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lld", &users) != 1)
		users = -1;
	fclose(f);
	snprintf(path, sizeof(path), "/sys/module/%s/holders", module);
	return users - dir_entries(path) - own_files(device);
}

static long long phyr_users_left(void)
{
	return users_left("phyr", "/dev/phyr");
}

static long long test_users_left(void)
{
	return users_left("phyr_test", "/dev/phyr_test");
}

static long long edu_users_left(void)
{
	return users_left("edu", "/dev/edu0");
}

static const struct {
	const char *what;
	long long (*count)(void);
} held[] = {
	{ "pins", pins_left },
	{ "KiB of VmPin", vmpin_left },
	{ "regions", regions_left },
	{ "pages of regions", region_pages_left },
	{ "dma-bufs", dmabufs_left },
	{ "users of phyr.ko", phyr_users_left },
	{ "users of phyr_test.ko", test_users_left },
	{ "users of edu.ko", edu_users_left },
};

static bool nothing_held(char *words, size_t size)
{
	bool nothing = true;

	words[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(held); i++) {
		long long n = held[i].count();

		if (!n)
			continue;
		say(words, size, "%s%lld %s", nothing ? "" : ", ", n, held[i].what);
		nothing = false;
	}
	return nothing;
}

bool oracle_nothing_held(char *words, size_t size)
{
	for (int i = 0; i < 50; i++) {
		if (nothing_held(words, size))
			return true;
		usleep(100000);
	}
	return false;
}

/* What is compared */

static long long meminfo(const char *key)
{
	char line[128];
	long long value = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = strtoll(line + strlen(key), NULL, 10);
	fclose(f);
	return value;
}

/*
 * The processors count this, too, for themselves, up to megabytes. Asking for
 * strict accounting, for a moment, has it added up.
 */
static long long committed(void)
{
	char policy[8] = "";
	int fd = open(OVERCOMMIT, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, policy, sizeof(policy) - 1) <= 0)
		return -1;
	close(fd);
	malloc_trim(0);		/* our own is not what is meant */
	write_file(OVERCOMMIT, "2");
	write_file(OVERCOMMIT, policy);
	return meminfo("Committed_AS:");
}

/* A debug kernel keeps freed memory for itself; but it has kmemleak. */
static long long slab(void)
{
	if (!access(KMEMLEAK, F_OK))
		return 0;
	write_file("/proc/sys/vm/drop_caches", "2");
	return meminfo("SUnreclaim:");
}

void oracle_begin(struct oracle *before)
{
	before->committed = committed();
	before->slab = slab();
}

/* One of ours, by who allocated it, or by the program that had it allocated? */
static bool leak_is_ours(const char *leak)
{
	static const char *const ours[] = {
		"phyr", "[edu]", "comm \"test_", "comm \"debug_",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strstr(leak, ours[i]))
			return true;
	return false;
}

/* Reads one of the reports, which are separated by how they begin. */
static bool leak_read(FILE *f, char *leak, size_t size)
{
	char line[300];
	long begin;

	leak[0] = '\0';
	while (begin = ftell(f), fgets(line, sizeof(line), f)) {
		if (leak[0] && !strncmp(line, "unreferenced", 12)) {
			fseek(f, begin, SEEK_SET);
			break;
		}
		say(leak, size, "%s", line);
	}
	return leak[0];
}

/*
 * What changed since the last look was in use then: so it has to look twice. What the
 * kernel keeps of files is most of what there is to look at, and can go.
 */
static bool kmemleak_nothing(char *words, size_t size)
{
	char leak[3000];
	bool nothing = true;
	FILE *f;

	if (access(KMEMLEAK, F_OK))
		return true;
	sleep(KMEMLEAK_AGE);
	write_file("/proc/sys/vm/drop_caches", "3");
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "re");
	if (!f) {
		say(words, size, "%s: %s\n", KMEMLEAK, strerror(errno));
		return false;
	}
	while (leak_read(f, leak, sizeof(leak))) {
		if (leak_is_ours(leak)) {
			say(words, size, "%s", leak);
			nothing = false;
		} else {
			fprintf(stderr, "# of another process: %s", leak);
		}
	}
	fclose(f);
	return nothing;
}

static bool grown(char *words, size_t size, const char *what, long long by, long long slack)
{
	if (by <= slack)
		return false;
	say(words, size, "%s%s has grown by %lld KiB", words[0] ? "\n" : "", what, by);
	return true;
}

bool oracle_end(const struct oracle *before, char *words, size_t size)
{
	bool nothing = oracle_nothing_held(words, size);

	if (grown(words, size, "Committed_AS", committed() - before->committed,
		  COMMITTED_SLACK))
		nothing = false;
	if (grown(words, size, "unreclaimable slab", slab() - before->slab, SLAB_SLACK))
		nothing = false;
	if (getenv("PHYR_KMEMLEAK") && !kmemleak_nothing(words, size))
		nothing = false;
	return nothing;
}
