// SPDX-License-Identifier: GPL-2.0-only
/* phyr check on machines that are made up: a directory with their files. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "../check.h"

#define RELEASE	"6.12.1-test"

#define TEMPLATE "/tmp/phyr-check-XXXXXX"

static char root[] = TEMPLATE;
static struct check check;

/* The machine */

static void make_directories(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*slash = '/';
	}
}

/* With a slash at its end. */
static void put_directory(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	make_directories(full);
}

static void put_bytes(const char *path, const void *bytes, size_t len)
{
	char full[PATH_MAX];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	make_directories(full);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	make_directories(full);
	assert_int_equal(symlink(target, full), 0);
}

static int set_up(void **state)
{
	(void)state;
	memcpy(root, TEMPLATE, sizeof(root));
	assert_non_null(mkdtemp(root));
	check = (struct check){
		.root = root, .release = RELEASE, .machine = "x86_64",
		.results = json_object_new_array(),
	};
	return 0;
}

static int tear_down(void **state)
{
	char command[PATH_MAX];

	(void)state;
	json_object_put(check.results);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

/* What was found */

static const char *text_of(struct json_object *obj, const char *key)
{
	return json_object_get_string(json_object_object_get(obj, key));
}

/* The n-th result of a name, or NULL. */
static struct json_object *result(const char *name, unsigned int n)
{
	size_t i;

	for (i = 0; i < json_object_array_length(check.results); i++) {
		struct json_object *obj = json_object_array_get_idx(check.results, i);

		if (!strcmp(text_of(obj, "name"), name) && !n--)
			return obj;
	}
	return NULL;
}

static void expect_nth(const char *name, unsigned int n, const char *state, const char *words)
{
	struct json_object *obj = result(name, n);

	assert_non_null(obj);
	if (strcmp(text_of(obj, "state"), state) || !strstr(text_of(obj, "fact"), words))
		fail_msg("expected %s \"%s\", got %s", state, words,
			 json_object_to_json_string(obj));
}

static void expect(const char *name, const char *state, const char *words)
{
	expect_nth(name, 0, state, words);
}

static struct json_object *details(const char *name, unsigned int n)
{
	return json_object_object_get(result(name, n), "details");
}

/* Machines */

static const char config[] =
	"# Automatically generated file\n"
	"CONFIG_PCI=y\nCONFIG_PCIE=y\nCONFIG_MMU_NOTIFIER=y\nCONFIG_DMA_SHARED_BUFFER=y\n"
	"CONFIG_INFINIBAND_USER_MEM=y\nCONFIG_DYNAMIC_FTRACE=y\n# CONFIG_KPROBES is not set\n"
	"CONFIG_RDMA_RXE=m\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n";

static void test_nothing(void **state)
{
	(void)state;
	check_kernel(&check);
	expect("kernel", "ok", RELEASE);
	expect("config", "note", "no /proc/config.gz");
	expect("lockdown", "ok", "this kernel has none");
	expect("signatures", "ok", "no Secure Boot");
	expect("ftrace", "note", "no ftrace");
	expect("BTF", "note", "does not describe");
	check_machine(&check);
	expect("IOMMU", "note", "no device");
	expect("huge pages", "note", "no hugetlb");
	expect("THP", "note", "no transparent");
	expect("RDMA devices", "ok", "none");
	assert_int_equal(check.problems, 0);
	check_modules(&check);
	expect("phyr", "problem", RELEASE);
	expect("phyr_rdma", "note", "does not find it");
	expect("phyr_rxe", "note", "does not find it");
	expect("tracer", "note", "cannot be read");
	expect("/dev/phyr", "note", "not there");
	assert_int_equal(check.problems, 1);
}

static void check_version(const char *release, const char *state)
{
	check.release = release;
	json_object_put(check.results);
	check.results = json_object_new_array();
	check_kernel(&check);
	expect("kernel", state, release);
}

static void test_versions(void **state)
{
	(void)state;
	check_version("6.11.0", "problem");
	check_version("5.15.0-rc1", "problem");
	check_version("6.12.0", "ok");
	check_version("6.12", "ok");
	check_version("7.0.1-x", "ok");
	check_version("next", "note");
	check.machine = "aarch64";
	check_version("6.13.0", "note");
}

static void test_config(void **state)
{
	(void)state;
	put("/boot/config-" RELEASE, config);
	check_kernel(&check);
	expect("config", "ok", "PCI, MMU_NOTIFIER, DMA_SHARED_BUFFER");
	expect("config phyr_rdma", "note", "KPROBES");
	assert_null(strstr(text_of(result("config phyr_rdma", 0), "fact"), "FTRACE"));
	expect("config phyr_rxe", "ok", "RDMA_RXE");
}

static void test_lockdown(void **state)
{
	(void)state;
	put_directory("/sys/kernel/security/");
	check_kernel(&check);
	expect_nth("lockdown", 0, "note", "securityfs is not mounted");
	put("/sys/kernel/security/lsm", "capability");
	check_kernel(&check);
	expect_nth("lockdown", 1, "ok", "this kernel has none");
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	check_kernel(&check);
	expect_nth("lockdown", 2, "ok", "not locked down");
}

static void test_no_config(void **state)
{
	(void)state;
	put("/lib/modules/" RELEASE "/build/.config", "CONFIG_PCI=y\nCONFIG_MMU_NOTIFIER=n\n");
	check_kernel(&check);
	expect("config", "problem", "MMU_NOTIFIER, DMA_SHARED_BUFFER");
	assert_int_equal(check.problems, 1);
}

static void test_signed_only(void **state)
{
	static const unsigned char on[] = { 6, 0, 0, 0, 1 };
	static const char secure_boot[] =
		"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

	(void)state;
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	put_bytes(secure_boot, on, sizeof(on));
	put("/lib/modules/" RELEASE "/modules.dep",
	    "kernel/a/phyrx.ko: kernel/b/phyr.ko\nupdates/dkms/phyr.ko:\n"
	    "updates/dkms/phyr-rdma.ko.xz: updates/dkms/phyr.ko\n");
	put("/lib/modules/" RELEASE "/updates/dkms/phyr.ko", "a module, and nothing behind it");
	check_kernel(&check);
	expect("lockdown", "note", "integrity");
	expect("signatures", "problem", "Secure Boot is on");
	put("/lib/modules/" RELEASE "/updates/dkms/phyr.ko", "x~Module signature appended~\n");
	check_kernel(&check);
	expect_nth("signatures", 1, "note", "Secure Boot is on");
	check_modules(&check);
	expect("phyr", "note", "/lib/modules/" RELEASE "/updates/dkms/phyr.ko");
	expect("phyr_rdma", "note", "phyr-rdma.ko.xz");
	assert_int_equal(check.problems, 1);
}

static void test_machine(void **state)
{
	(void)state;
	put("/sys/kernel/iommu_groups/2/type", "DMA-FQ\n");
	put("/sys/kernel/iommu_groups/10/type", "DMA-FQ\n");
	put("/sys/kernel/iommu_groups/10/devices/0000:01:00.0", "");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "32\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "30\n");
	put("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
	put("/sys/class/infiniband/rxe0/parent", "eth0\n");
	put_link("/sys/class/infiniband/mlx5_0/device/driver", "../../bus/pci/drivers/mlx5_core");
	put("/sys/class/infiniband/mlx5_0/device/iommu_group/type", "identity\n");
	check_machine(&check);
	expect("IOMMU", "ok", "DMA-FQ: 2 groups");
	assert_string_equal(text_of(json_object_array_get_idx(details("IOMMU", 0), 1), "devices"),
			    "[ \"0000:01:00.0\" ]");
	expect("huge pages", "ok", "2 MiB: 32, 30 free; 1 GiB: 1, 0 free");
	expect("THP", "note", "never");
	expect_nth("RDMA device", 0, "ok", "mlx5_0, driver mlx5_core");
	assert_string_equal(text_of(details("RDMA device", 0), "iommu_type"), "identity");
	expect_nth("RDMA device", 1, "ok", "rxe0, driver rdma_rxe");
	put("/sys/kernel/iommu_groups/3/type", "identity\n");
	check_machine(&check);
	expect_nth("IOMMU", 1, "note", "DMA-FQ: 2 groups, identity: 1 group");
}

static void test_modules(void **state)
{
	(void)state;
	put("/sys/module/phyr/version", "0.1\n");
	put("/sys/module/phyr_rdma/srcversion", "ABCD\n");
	put("/sys/module/phyr_rdma/parameters/hooks",
	    "ib_uverbs __ib_umem_get_va 12 direct\nib_uverbs __ib_umem_release 1 shared\n"
	    "rdma_rxe rxe_mr_copy 0 not hooked\nrdma_rxe rxe_mr_init_user 0 bypassed\nnonsense\n");
	put("/sys/kernel/tracing/enabled_functions",
	    "__ib_umem_get_va [ib_uverbs] (2)     D   M \ttramp: ftrace\n"
	    "\tdirect-->hook_stub [phyr_rdma]\n"
	    "__ib_umem_release [ib_uverbs] (1)\n"
	    "rxe_mr_cleanup [rdma_rxe] (1)     D\n\tdirect-->bpf_trampoline_1\n"
	    "schedule (3)\n");
	put("/sys/kernel/livepatch/patch/rdma_rxe/rxe_flush_pmem_iova,1/patched", "1");
	put("/sys/kernel/livepatch/patch/vmlinux/schedule,1/patched", "1");
	check_modules(&check);
	expect("phyr", "ok", "0.1");
	expect("phyr_rdma", "note", "ABCD");
	expect_nth("hook", 0, "ok", "__ib_umem_get_va of ib_uverbs: direct, 12 calls");
	expect_nth("hook", 1, "ok", "shared, 1 call");
	expect_nth("hook", 2, "ok", "not hooked");
	expect_nth("hook", 3, "problem", "bypassed");
	assert_null(result("hook", 4));
	expect_nth("tracer", 0, "ok", "__ib_umem_get_va: 1 besides phyr");
	expect_nth("tracer", 1, "note", "rxe_mr_cleanup: 1 besides phyr: (1) D direct-->bpf");
	assert_null(result("tracer", 2));
	expect("livepatch", "note", "patch redirects rxe_flush_pmem_iova");
	assert_null(result("livepatch", 1));
	expect("/dev/phyr", "problem", "though phyr is loaded");
	put("/dev/phyr", "");
	check_modules(&check);
	expect_nth("/dev/phyr", 1, "ok", "can be opened");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_config, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lockdown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signed_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_machine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
