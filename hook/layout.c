// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's BTF, by functions of its own that are not exported to modules, or not
 * in every version.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/static_call.h>
#include <linux/string.h>

#include "hook.h"
#include "layout.h"

#ifdef CONFIG_DEBUG_INFO_BTF_MODULES

DEFINE_STATIC_CALL_NULL(find_btf_id, bpf_find_btf_id);
DEFINE_STATIC_CALL_NULL(put_btf, btf_put);
DEFINE_STATIC_CALL_NULL(btf_name, btf_name_by_offset);
DEFINE_STATIC_CALL_NULL(btf_size, btf_resolve_size);

/* One type of the kernel's, held. */
struct layout_type {
	struct btf *btf;
	const struct btf_type *type;
};

static int layout_functions(void)
{
	unsigned long find = hook_lookup("vmlinux", "bpf_find_btf_id");
	unsigned long put = hook_lookup("vmlinux", "btf_put");
	unsigned long name = hook_lookup("vmlinux", "btf_name_by_offset");
	unsigned long size = hook_lookup("vmlinux", "btf_resolve_size");

	if (!find || !put || !name || !size)
		return -EOPNOTSUPP;
	static_call_update(find_btf_id, (typeof(bpf_find_btf_id) *)find);
	static_call_update(put_btf, (typeof(btf_put) *)put);
	static_call_update(btf_name, (typeof(btf_name_by_offset) *)name);
	static_call_update(btf_size, (typeof(btf_resolve_size) *)size);
	return 0;
}

static int type_get(struct layout_type *t, const struct layout *l)
{
	s32 id = static_call(find_btf_id)(l->type, l->enumerator ? BTF_KIND_ENUM : BTF_KIND_STRUCT,
					  &t->btf);

	if (id < 0)
		return id;
	t->type = btf_type_by_id(t->btf, id);
	return 0;
}

static bool is_named(const struct layout_type *t, u32 name_off, const char *name)
{
	return !strcmp(static_call(btf_name)(t->btf, name_off), name);
}

/* An enumerator's value, or LAYOUT_ABSENT. */
static u32 find_enumerator(const struct layout_type *t, const struct layout *l)
{
	const struct btf_enum *e = btf_enum(t->type);
	unsigned int i;

	for (i = 0; i < btf_type_vlen(t->type); i++)
		if (is_named(t, e[i].name_off, l->name))
			return e[i].val;
	return LAYOUT_ABSENT;
}

static bool has_size(const struct layout_type *t, const struct btf_member *member, u32 size)
{
	u32 actual;

	if (!size)
		return true;
	return !IS_ERR(static_call(btf_size)(t->btf, btf_type_by_id(t->btf, member->type),
					     &actual)) && actual == size;
}

/* A member's offset, or LAYOUT_ABSENT, also for a bit-field and for one of another size. */
static u32 find_member(const struct layout_type *t, const struct layout *l)
{
	const struct btf_member *member = btf_members(t->type);
	unsigned int i;
	u32 bits;

	for (i = 0; i < btf_type_vlen(t->type); i++) {
		if (!is_named(t, member[i].name_off, l->name))
			continue;
		bits = __btf_member_bit_offset(t->type, &member[i]);
		if (bits % 8 || __btf_member_bitfield_size(t->type, &member[i]) ||
		    !has_size(t, &member[i], l->size))
			break;
		return bits / 8;
	}
	return LAYOUT_ABSENT;
}

static u32 find_value(const struct layout_type *t, const struct layout *l)
{
	if (!l->name)
		return t->type->size;
	return l->enumerator ? find_enumerator(t, l) : find_member(t, l);
}

static int layout_one(const char *module, struct layout *l)
{
	struct layout_type t;

	const char *kind = l->enumerator ? "enum" : "struct";

	l->value = LAYOUT_ABSENT;
	if (type_get(&t, l)) {
		pr_err("this kernel's %s has no %s %s\n", module, kind, l->type);
		return -ENOENT;
	}
	l->value = find_value(&t, l);
	static_call(put_btf)(t.btf);
	if (l->value != LAYOUT_ABSENT || l->optional)
		return 0;
	if (l->size)
		pr_err("this kernel's %s has no %u bytes named %s in %s %s\n", module, l->size,
		       l->name, kind, l->type);
	else
		pr_err("this kernel's %s has no %s in %s %s\n", module, l->name, kind, l->type);
	return -ENOENT;
}

/**
 * layout_find - find members of structures, and enumerators
 * @module: who has them, for a message
 * @layouts: what to find, each with its value filled in
 * @nr: how many
 *
 * The module is there: its BTF comes and goes with it.
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT if one differs from what is wanted, after a message that names it;
 * -EOPNOTSUPP if the kernel has no BTF.
 */
int layout_find(const char *module, struct layout *layouts, unsigned int nr)
{
	int ret = layout_functions();
	unsigned int i;

	if (ret)
		pr_err("this kernel does not describe its types (BTF)\n");
	for (i = 0; i < nr && !ret; i++)
		ret = layout_one(module, &layouts[i]);
	return ret;
}

#else

int layout_find(const char *module, struct layout *layouts, unsigned int nr)
{
	pr_err("this kernel does not describe the types of its modules (BTF)\n");
	return -EOPNOTSUPP;
}

#endif
