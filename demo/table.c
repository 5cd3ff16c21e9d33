// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

const char *table_bytes(uint64_t n, char buf[16])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)n;
	int u = 0;

	for (; value >= 1024 && u < 4; u++)
		value /= 1024;
	snprintf(buf, 16, value < 10 && u && value != (int)value ? "%.1f %s" : "%.0f %s",
		 value, unit[u]);
	return buf;
}

const char *table_ns(uint64_t n, char buf[16])
{
	if (n < 1000000)
		snprintf(buf, 16, "%.1f us", (double)n / 1e3);
	else
		snprintf(buf, 16, "%.2f ms", (double)n / 1e6);
	return buf;
}

void *table_row_new(size_t size)
{
	void *row = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (row != MAP_FAILED)
		return row;
	perror("mmap");
	exit(1);
}

bool table_row_fill(void (*fill)(void *row), void *row)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return false;
	}
	if (!pid) {
		/* outside of a test of cmocka's, its asserts say nothing otherwise */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		fill(row);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == pid && !status)
		return true;
	fprintf(stderr, "\n");		/* after an assert's last line */
	return false;
}

int table_add(const char *report, const char *key, json_object *rows)
{
	json_object *whole = json_object_from_file(report);
	int ret = -1;

	if (whole) {
		json_object_object_add(whole, key, rows);
		ret = json_object_to_file_ext(report, whole, JSON_C_TO_STRING_PRETTY);
		json_object_put(whole);
	}
	if (ret)
		fprintf(stderr, "%s: %s\n", report, json_util_get_last_err());
	return ret;
}
