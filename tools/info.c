// SPDX-License-Identifier: GPL-2.0-only
/* phyr info: the module, what it pins, and the limits here. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>
#include <phyr.h>

#include "tool.h"

static const char help[] =
	"Usage: phyr info [--json]\n"
	"\n"
	"Show the version of the loaded module, what it pins at the moment in the whole\n"
	"system (for CAP_SYS_ADMIN), and how much this shell may pin.\n"
	"\n"
	"  -j, --json  exact numbers, for programs\n"
	"  -h, --help  this text\n";

static int get_info(struct phyr_info *info)
{
	int dev = phyr_open(), ret;

	if (dev < 0)
		return tool_fail_phyr(dev, "cannot open " PHYR_DEVICE);
	ret = phyr_info(dev, info);
	close(dev);
	return ret ? tool_fail_phyr(ret, "cannot ask the module") : 0;
}

static bool is_restricted(const struct phyr_info *info)
{
	return info->flags & PHYR_INFO_RESTRICTED;
}

static void print_totals(const struct phyr_info *info)
{
	if (is_restricted(info)) {
		printf("regions          not shown\n"
		       "pinned           not shown\n");
		return;
	}
	printf("regions          %" PRIu64 "\n", (uint64_t)info->regions);
	printf("pinned           %s (%" PRIu64 " pages)\n",
	       text_bytes(info->pinned_pages * info->page_size).s,
	       (uint64_t)info->pinned_pages);
}

static void print_table(const struct phyr_info *info)
{
	printf("module version   %u.%u\n", info->version >> 16, info->version & 0xffff);
	printf("page size        %s\n", text_bytes(info->page_size).s);
	printf("one IOVA a list  %s\n", info->iova ? "yes" : "no (needs Linux 6.18)");
	print_totals(info);
	printf("RLIMIT_MEMLOCK   %s\n", text_memlock().s);
	if (is_restricted(info))
		puts("\nWhat is pinned is shown to CAP_SYS_ADMIN only: run it as root, or set the\n"
		     "module parameter allow_layout.");
}

static void print_json(const struct phyr_info *info)
{
	struct json_object *root = json_object_new_object();
	uint64_t limit = memlock_limit();
	char version[32];

	snprintf(version, sizeof(version), "%u.%u", info->version >> 16, info->version & 0xffff);
	json_add_text(root, "version", version);
	json_add_u64(root, "page_size", info->page_size);
	json_add_bool(root, "iova", info->iova);
	json_add_shown(root, "regions", info->regions, !is_restricted(info));
	json_add_shown(root, "pinned_pages", info->pinned_pages, !is_restricted(info));
	json_add_shown(root, "pinned_bytes", info->pinned_pages * info->page_size,
		       !is_restricted(info));
	json_add_bool(root, "restricted", is_restricted(info));
	json_object_object_add(root, "memlock_limit",
			       limit == UINT64_MAX ? NULL : json_object_new_uint64(limit));
	json_print(root);
	json_object_put(root);
}

int cmd_info(int argc, char **argv)
{
	struct phyr_info info = { .size = sizeof(info) };
	bool json;
	int ret = tool_json_option(argc, argv, help, &json);

	if (ret >= 0)
		return ret;
	ret = get_info(&info);
	if (ret)
		return ret;
	if (json)
		print_json(&info);
	else
		print_table(&info);
	return 0;
}
