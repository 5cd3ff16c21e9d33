// SPDX-License-Identifier: GPL-2.0-only
/* phyr regions: what is pinned in the whole system, and by whom. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "parse.h"
#include "tool.h"

#define REGIONS	"/sys/kernel/debug/phyr/regions"

static const char help[] =
	"Usage: phyr regions [--json]\n"
	"\n"
	"List the regions that programs have made through /dev/phyr. Needs root, and\n"
	"debugfs in /sys/kernel/debug.\n"
	"\n"
	"  PID, COMMAND  who made it; that may be gone, and others may have it\n"
	"  BYTES, PHYRS  how much, in how many contiguous ranges\n"
	"  KINDS         ram, pmem, p2p, mmio (memory without a struct page)\n"
	"  ACCESS        ro: pinned for reading only\n"
	"  STATE         pinned; imported: of a dma-buf, whose exporter holds the memory;\n"
	"                or revoked: its memory may not be used any more\n"
	"  USERS         devices and RDMA regions that have it, and programs' mappings of it\n"
	"  INODE         of the dma-buf: ino in /proc/PID/fdinfo/FD\n"
	"\n"
	"  -j, --json  exact numbers, for programs\n"
	"  -h, --help  this text\n";

static void row_print(const struct region_line *r)
{
	printf("%7" PRIu64 "  %-16s %9s %9" PRIu64 "  %-10s %-6s %-8s %6" PRIu64 " %8" PRIu64 "\n",
	       r->pid, r->comm, text_bytes(r->bytes).s, r->phyrs, r->kinds, r->access,
	       r->state, r->users, r->inode);
}

static struct json_object *kinds_json(char *kinds)
{
	struct json_object *array = json_object_new_array();
	char *rest = NULL, *kind;

	for (kind = strtok_r(kinds, ",", &rest); kind; kind = strtok_r(NULL, ",", &rest))
		json_object_array_add(array, json_object_new_string(kind));
	return array;
}

static void row_json(struct json_object *array, struct region_line *r)
{
	struct json_object *row = json_object_new_object();

	json_add_u64(row, "pid", r->pid);
	json_add_text(row, "command", r->comm);
	json_add_u64(row, "bytes", r->bytes);
	json_add_u64(row, "pages", r->pages);
	json_add_u64(row, "phyrs", r->phyrs);
	json_object_object_add(row, "kinds", kinds_json(r->kinds));
	json_add_bool(row, "writable", !strcmp(r->access, "rw"));
	json_add_bool(row, "imported", !strcmp(r->state, "imported"));
	json_add_bool(row, "revoked", !strcmp(r->state, "revoked"));
	json_add_u64(row, "users", r->users);
	json_add_u64(row, "inode", r->inode);
	json_object_array_add(array, row);
}

static int open_failed(void)
{
	if (errno == EACCES || errno == EPERM)
		return tool_fail("cannot read " REGIONS ": %m (only root may)");
	if (errno == ENOENT)
		return tool_fail("cannot read " REGIONS ": %m (is phyr loaded, and debugfs "
				 "mounted? modprobe phyr; mount -t debugfs none "
				 "/sys/kernel/debug)");
	return tool_fail("cannot read " REGIONS ": %m");
}

static int list(FILE *f, struct json_object *array)
{
	struct region_line r;
	char line[300];
	bool any = false;

	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (parse_region_line(line, &r))
			return tool_fail("cannot make sense of " REGIONS);
		text_clean(r.comm);
		if (!any && !array)
			printf("%7s  %-16s %9s %9s  %-10s %-6s %-8s %6s %8s\n", "PID", "COMMAND",
			       "BYTES", "PHYRS", "KINDS", "ACCESS", "STATE", "USERS", "INODE");
		any = true;
		if (array)
			row_json(array, &r);
		else
			row_print(&r);
	}
	if (ferror(f))
		return tool_fail("cannot read " REGIONS ": %m");
	if (!any && !array)
		puts("nothing is pinned");
	return 0;
}

int cmd_regions(int argc, char **argv)
{
	struct json_object *array = NULL;
	int ret;
	bool json;
	FILE *f;

	ret = tool_json_option(argc, argv, help, &json);
	if (ret >= 0)
		return ret;
	f = fopen(REGIONS, "re");
	if (!f)
		return open_failed();
	if (json)
		array = json_object_new_array();
	ret = list(f, array);
	fclose(f);
	if (json && !ret)
		json_print(array);
	json_object_put(array);
	return ret;
}
