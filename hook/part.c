// SPDX-License-Identifier: GPL-2.0-only
/* Hooks modules that are there, and those that come; unhooks those that go. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include "hook.h"
#include "part.h"

/* Of this module, in the order in which they are hooked. */
static struct hook_part *all_parts;
static unsigned int nr_parts;
static DEFINE_MUTEX(parts_lock);

/* It may come while this module does: then both say so. */
static int part_hook(struct hook_part *part)
{
	int ret = 0;

	mutex_lock(&parts_lock);
	if (!part->hooked) {
		ret = part->hook();
		part->hooked = !ret;
	}
	mutex_unlock(&parts_lock);
	return ret;
}

static void part_unhook(struct hook_part *part)
{
	mutex_lock(&parts_lock);
	if (part->hooked)
		part->unhook();
	part->hooked = false;
	mutex_unlock(&parts_lock);
}

/* One that is coming or going is left to module_event(). */
static int part_hook_if_there(struct hook_part *part)
{
	struct module *mod = hook_module_get(part->module);
	int ret = 0;

	if (IS_ERR(mod))
		return 0;
	if (hook_lookup(part->module, part->symbol))
		ret = part_hook(part);
	if (mod)
		module_put(mod);
	return ret;
}

/*
 * A module is hooked before its own code runs; one that was on its way already when this
 * one came, when it is there.
 */
static void part_event(struct hook_part *part, unsigned long event)
{
	switch (event) {
	case MODULE_STATE_COMING:
	case MODULE_STATE_LIVE:
		if (!part->refused && part_hook(part)) {
			part->refused = true;
			pr_warn("failed to hook %s, left unmodified\n", part->module);
		}
		break;
	case MODULE_STATE_GOING:
		part_unhook(part);
		part->refused = false;
		break;
	}
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *mod = data;
	unsigned int i;

	for (i = 0; i < nr_parts; i++) {
		if (strcmp(mod->name, all_parts[i].module))
			continue;
		part_event(&all_parts[i], event);
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/**
 * hook_parts_on - hook what is there, and what comes from now on
 * @parts: what, in this order; it stays where it is
 * @nr: how many
 *
 * Context: process, may sleep; after hook_init(), once.
 * Return: 0; or an error of a part's hook() or of register_module_notifier(), and nothing
 * is hooked then.
 */
int hook_parts_on(struct hook_part *parts, unsigned int nr)
{
	unsigned int i;
	int ret;

	all_parts = parts;
	nr_parts = nr;
	ret = register_module_notifier(&module_nb);
	if (ret)
		return ret;
	for (i = 0; i < nr && !ret; i++)
		ret = part_hook_if_there(&parts[i]);
	if (ret)
		hook_parts_off();
	return ret;
}

/**
 * hook_parts_off - what hook_parts_on() did, undone
 *
 * Context: process, may sleep.
 */
void hook_parts_off(void)
{
	unsigned int i = nr_parts;

	unregister_module_notifier(&module_nb);
	while (i--)
		part_unhook(&all_parts[i]);
	hook_drain();
}
