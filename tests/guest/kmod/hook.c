// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_hook_test: hook/hook.c on functions of this module, one of which its caller has
 * a copy of; hook/layout.c on structures of the kernel. Loading it is the test; it fails if
 * a hook is not what hook_on() says, or a member not where layout_find() says.
 */
#include "../../../hook/hook.c"
#include "../../../hook/layout.c"

#include <linux/hrtimer.h>

/* So that the compiler knows nothing of what they return. */
static int one = 1;

static noinline int answer(void)
{
	return READ_ONCE(one);
}

/* __used: the compiler makes no other ones of them. */
static noinline __used int hooked_called(void)
{
	return answer();
}

/* Nobody calls it: its caller below does what it does. */
static noinline __used int hooked_bypassed(int more)
{
	return answer() + more;
}

static noinline int call_called(void)
{
	return hooked_called();
}

static noinline int call_bypassed(void)
{
	return answer() + 3;
}

static int called_test(void)
{
	call_called();
	return 0;
}

static int bypassed_test(void)
{
	call_bypassed();
	return 0;
}

static int no_memory_test(void)
{
	return -ENOMEM;
}

static int not_here_test(void)
{
	return 1;
}

HOOK(KBUILD_MODNAME, hooked_called, .test = called_test);
HOOK(KBUILD_MODNAME, hooked_bypassed, .test = bypassed_test);

static int replacement_hooked_called(void)
{
	int ret;

	hook_enter(hooked_called);
	ret = stock(hooked_called)() + 1;
	hook_leave(hooked_called);
	return ret;
}

static int replacement_hooked_bypassed(int more)
{
	hook_enter(hooked_bypassed);
	hook_leave(hooked_bypassed);
	return 0;
}

static struct hook *const called[] = { &hook_of(hooked_called) };
static struct hook *const both[] = { &hook_of(hooked_called), &hook_of(hooked_bypassed) };

#define expect(condition)							\
	do {									\
		if (!(condition)) {						\
			pr_err("phyr_hook_test: not true: " #condition "\n");	\
			ret = -EINVAL;						\
		}								\
	} while (0)

static int test_called(void)
{
	int ret = 0;

	expect(call_called() == 1);
	expect(!hook_on(called, 1));
	expect(call_called() == 2);
	expect(call_called() == 2);
	expect(hook_entered(&hook_of(hooked_called)) == 2);
	hook_off(called, 1);
	hook_drain();
	expect(call_called() == 1);
	expect(hook_entered(&hook_of(hooked_called)) == 2);
	return ret;
}

/* All or none: the one that is fine is not hooked either. */
static int test_bypassed(void)
{
	int ret = 0;

	expect(hook_on(both, 2) == -EOPNOTSUPP);
	expect(hook_of(hooked_bypassed).bypassed);
	expect(call_called() == 1);
	expect(call_bypassed() == 4);
	expect(!hook_entered(&hook_of(hooked_bypassed)));
	hook_of(hooked_bypassed).test = no_memory_test;
	expect(hook_on(both, 2) == -ENOMEM);
	expect(!hook_of(hooked_bypassed).bypassed);
	expect(call_called() == 1);
	hook_of(hooked_bypassed).test = not_here_test;
	expect(!hook_on(both, 2));
	expect(call_called() == 2);
	hook_off(both, 2);
	hook_drain();
	return ret;
}

static struct layout known[] = {
	{ .type = "list_head", .name = "prev", .is = "*list_head" },
	{ .type = "list_head" },
	{ .type = "hrtimer_restart", .name = "HRTIMER_RESTART", .enumerator = true },
	{ .type = "list_head", .name = "other", .optional = true },
	{ .type = "timespec64", .name = "tv_nsec", .is = "8" },
	{ .type = "address_space", .name = "i_pages", .is = "xarray" },
	{ .type = "file", .name = "private_data", .is = "*" },
};

/* The last one is not there, and not compared. */
static const struct layout_function known_functions[] = {
	{ "schedule_timeout", "8(8)" },
	{ "kfree", "0(*)" },
	{ "fput", "0(*file)" },
	{ "phyr_no_function", "0(0)" },
};

static const struct layout_function other_functions[] = {
	{ "schedule_timeout", "4(8)" },
	{ "schedule_timeout", "8(8,8)" },
	{ "fput", "0(*)" },
	{ "fput", "0(*path)" },
};

/* The last one is a bit-field. */
static struct layout unknown[] = {
	{ .type = "list_head", .name = "other", .is = "*list_head" },
	{ .type = "list_head", .name = "next", .is = "4" },
	{ .type = "list_head", .name = "next", .is = "4", .optional = true },
	{ .type = "address_space", .name = "i_pages", .is = "path" },
	{ .type = "phyr_no_struct" },
	{ .type = "hrtimer_restart", .name = "HRTIMER_OTHER", .enumerator = true },
	{ .type = "task_struct", .name = "sched_reset_on_fork", .is = "4" },
};

static int test_layout(void)
{
	unsigned int i;
	int ret = 0;

	if (!IS_ENABLED(CONFIG_DEBUG_INFO_BTF_MODULES)) {
		expect(layout_find("vmlinux", known, ARRAY_SIZE(known), NULL, 0) == -EOPNOTSUPP);
		return ret;
	}
	expect(!layout_find("vmlinux", known, ARRAY_SIZE(known), known_functions,
			    ARRAY_SIZE(known_functions)));
	expect(known[0].value == offsetof(struct list_head, prev));
	expect(known[1].value == sizeof(struct list_head));
	expect(known[2].value == HRTIMER_RESTART);
	expect(known[3].value == LAYOUT_ABSENT);
	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		expect(layout_find("vmlinux", &unknown[i], 1, NULL, 0) == -ENOENT);
	for (i = 0; i < ARRAY_SIZE(other_functions); i++)
		expect(layout_find("vmlinux", known, 1, &other_functions[i], 1) == -ENOENT);
	return ret;
}

static int __init hook_test_init(void)
{
	int ret = hook_init();

	if (ret)
		return ret;
	ret = test_called();
	if (!ret)
		ret = test_bypassed();
	if (!ret)
		ret = test_layout();
	if (!ret) {
		share = true;
		ret = test_called();
	}
	hook_exit();
	return ret;
}

static void __exit hook_test_exit(void)
{
}

module_init(hook_test_init);
module_exit(hook_test_exit);

MODULE_DESCRIPTION("Hooks of functions that are called, or not, for the tests of phyr_rdma");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
