// SPDX-License-Identifier: GPL-2.0-only
/* What the machine has for phyr to work on: IOMMU, huge pages, limits, RDMA devices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include <json-c/json.h>

#include "check.h"
#include "parse.h"
#include "rdma_device.h"
#include "system.h"
#include "tool.h"

#define GROUPS	"/sys/kernel/iommu_groups"
#define HUGE	"/sys/kernel/mm/hugepages"

/* IOMMU groups, of which there are few types. */

struct iommu_type {
	char name[32];
	unsigned int groups;
};

struct iommu_types {
	struct iommu_type types[8];
	unsigned int nr;
};

static void count_type(struct iommu_types *all, const char *name)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++) {
		if (!strcmp(all->types[i].name, name)) {
			all->types[i].groups++;
			return;
		}
	}
	if (i == ARRAY_SIZE(all->types))
		return;
	snprintf(all->types[i].name, sizeof(all->types[i].name), "%s", name);
	all->types[i].groups = 1;
	all->nr++;
}

static struct json_object *names_json(struct names *names)
{
	struct json_object *array = json_object_new_array();
	int i;

	for (i = 0; i < names->nr; i++)
		json_object_array_add(array, json_object_new_string(names->list[i]->d_name));
	return array;
}

static void add_group(const struct check *check, const char *group, struct iommu_types *types,
		      struct json_object *details)
{
	struct names devices = names_in("%s" GROUPS "/%s/devices", check->root, group);
	struct json_object *obj = json_object_new_object();
	char type[32];

	if (!read_line(type, sizeof(type), "%s" GROUPS "/%s/type", check->root, group))
		snprintf(type, sizeof(type), "unknown");
	count_type(types, type);
	json_add_text(obj, "group", group);
	json_add_text(obj, "type", type);
	json_object_object_add(obj, "devices", names_json(&devices));
	json_object_array_add(details, obj);
	names_free(&devices);
}

/* "DMA-FQ: 5 groups, identity: 1 group" */
static void list_types(const struct iommu_types *all, char *text, size_t size)
{
	const struct iommu_type *type;
	size_t len = 0;

	for (type = all->types; type < all->types + all->nr && len < size; type++)
		len += (size_t)snprintf(text + len, size - len, "%s%s: %u group%s",
					len ? ", " : "", type->name, type->groups,
					type->groups == 1 ? "" : "s");
}

static bool has_type(const struct iommu_types *all, const char *name)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		if (!strcmp(all->types[i].name, name))
			return true;
	return false;
}

static void check_iommu(struct check *check)
{
	struct names groups = names_in("%s" GROUPS, check->root);
	struct json_object *details = json_object_new_array();
	struct iommu_types types = { 0 };
	char text[256] = "";
	int i;

	for (i = 0; i < groups.nr; i++)
		add_group(check, groups.list[i]->d_name, &types, details);
	names_free(&groups);
	list_types(&types, text, sizeof(text));
	if (!types.nr)
		check_say(check, CHECK_NOTE, "IOMMU", details,
			  "Devices see physical addresses: a list of phyrs is as many segments for "
			  "them, and RDMA cards cannot register memory without a struct page.",
			  "no device is behind an IOMMU");
	else if (has_type(&types, "identity"))
		check_say(check, CHECK_NOTE, "IOMMU", details,
			  "identity (passthrough mode): these devices see physical addresses, and "
			  "such RDMA cards cannot register memory without a struct page. "
			  "iommu.passthrough=0 at boot changes it.", "%s", text);
	else
		check_say(check, CHECK_OK, "IOMMU", details, NULL, "%s", text);
}

/* Huge pages */

/* "hugepages-2048kB" */
static bool take_huge_size(const char *name, uint64_t *bytes)
{
	unsigned long long kib;

	if (sscanf(name, "hugepages-%llukB", &kib) != 1)
		return false;
	*bytes = (uint64_t)kib << 10;
	return true;
}

static void add_huge(const struct check *check, const char *name, char *text, size_t room,
		     struct json_object *details)
{
	struct json_object *obj = json_object_new_object();
	uint64_t size = 0, total = 0, free_pages = 0;
	size_t len = strlen(text);

	take_huge_size(name, &size);
	read_number(&total, "%s" HUGE "/%s/nr_hugepages", check->root, name);
	read_number(&free_pages, "%s" HUGE "/%s/free_hugepages", check->root, name);
	json_add_u64(obj, "size", size);
	json_add_u64(obj, "total", total);
	json_add_u64(obj, "free", free_pages);
	json_object_array_add(details, obj);
	snprintf(text + len, room - len, "%s%s: %" PRIu64 ", %" PRIu64 " free",
		 len ? "; " : "", text_bytes(size).s, total, free_pages);
}

static void check_huge(struct check *check)
{
	struct names sizes = names_in("%s" HUGE, check->root);
	struct json_object *details = json_object_new_array();
	char text[256] = "";
	int i;

	for (i = 0; i < sizes.nr; i++)
		add_huge(check, sizes.list[i]->d_name, text, sizeof(text), details);
	names_free(&sizes);
	if (*text)
		check_say(check, CHECK_OK, "huge pages", details,
			  "vm.nr_hugepages or hugepages= at boot reserves them.", "%s", text);
	else
		check_say(check, CHECK_NOTE, "huge pages", details, NULL,
			  "this kernel has no hugetlb pages");
}

static void check_thp(struct check *check)
{
	char mode[32];

	if (!read_choice(mode, sizeof(mode), "%s/sys/kernel/mm/transparent_hugepage/enabled",
			 check->root))
		check_say(check, CHECK_NOTE, "THP", NULL,
			  "Memory that is not hugetlb consists of small pages.",
			  "this kernel has no transparent huge pages");
	else if (!strcmp(mode, "never"))
		check_say(check, CHECK_NOTE, "THP", NULL,
			  "Memory that is not hugetlb consists of small pages: phyrs are shorter, "
			  "and pinning takes longer. Write madvise or always to "
			  "/sys/kernel/mm/transparent_hugepage/enabled.",
			  "transparent huge pages: never");
	else
		check_say(check, CHECK_OK, "THP", NULL, NULL, "transparent huge pages: %s", mode);
}

/* Limits, which are those of this process. */

static void add_limit(struct json_object *obj, const char *key, rlim_t limit)
{
	json_object_object_add(obj, key, limit == RLIM_INFINITY ? NULL :
			       json_object_new_uint64(limit));
}

static struct text limit_text(rlim_t limit)
{
	return limit == RLIM_INFINITY ? (struct text){ "unlimited" } : text_bytes(limit);
}

static void check_memlock(struct check *check)
{
	struct json_object *details = json_object_new_object();
	bool privileged = has_capability(CAP_IPC_LOCK);
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	add_limit(details, "soft", limit.rlim_cur);
	add_limit(details, "hard", limit.rlim_max);
	json_add_bool(details, "limits_this_process",
		      !privileged && limit.rlim_cur != RLIM_INFINITY);
	if (privileged || limit.rlim_cur == RLIM_INFINITY)
		check_say(check, CHECK_OK, "RLIMIT_MEMLOCK", details, NULL, "%s, at most %s%s",
			  limit_text(limit.rlim_cur).s, limit_text(limit.rlim_max).s,
			  privileged ? "; it does not limit this process (CAP_IPC_LOCK)" : "");
	else
		check_say(check, CHECK_NOTE, "RLIMIT_MEMLOCK", details,
			  "More cannot be pinned, by all processes of this user together: "
			  "ulimit -l, /etc/security/limits.conf.", "%s, at most %s",
			  limit_text(limit.rlim_cur).s, limit_text(limit.rlim_max).s);
}

/* RDMA */

static void say_rdma_device(struct check *check, const char *name)
{
	struct json_object *details = json_object_new_object();
	struct rdma_device device;
	const char *meaning = NULL;

	rdma_device_get(&device, check->root, name);
	json_add_text(details, "device", name);
	json_add_text(details, "driver", device.driver);
	json_object_object_add(details, "iommu_type", *device.iommu_type ?
			       json_object_new_string(device.iommu_type) : NULL);
	if (device.soft_roce)
		meaning = "Its memory regions are phyr_rxe's while that is loaded.";
	else if (strncmp(device.iommu_type, "DMA", 3))
		meaning = "It is not behind an IOMMU that translates: it can register memory "
			  "that has pages, not memory without a struct page.";
	check_say(check, CHECK_OK, "RDMA device", details, meaning, "%s, driver %s", name,
		  device.driver);
}

static void check_rdma(struct check *check)
{
	struct names devices = names_in("%s" RDMA_DEVICES, check->root);
	int i;

	for (i = 0; i < devices.nr; i++)
		say_rdma_device(check, devices.list[i]->d_name);
	if (!devices.nr)
		check_say(check, CHECK_OK, "RDMA devices", NULL,
			  "There is nothing for phyr_rdma to do.", "none");
	names_free(&devices);
}

void check_machine(struct check *check)
{
	check_iommu(check);
	check_huge(check);
	check_thp(check);
	check_memlock(check);
	check_rdma(check);
}
