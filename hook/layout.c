// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's BTF, by functions of its own that are not exported to modules, or not
 * in every version.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/static_call.h>
#include <linux/string.h>

#include "hook.h"
#include "layout.h"

#ifdef CONFIG_DEBUG_INFO_BTF_MODULES

DEFINE_STATIC_CALL_NULL(btf_vmlinux, bpf_get_btf_vmlinux);
DEFINE_STATIC_CALL_NULL(find_btf_id, bpf_find_btf_id);
DEFINE_STATIC_CALL_NULL(put_btf, btf_put);
DEFINE_STATIC_CALL_NULL(btf_owner, btf_get_name);
DEFINE_STATIC_CALL_NULL(btf_types, btf_nr_types);
DEFINE_STATIC_CALL_NULL(btf_name, btf_name_by_offset);
DEFINE_STATIC_CALL_NULL(btf_size, btf_resolve_size);

/* One type of the kernel's: its name is NULL if there is none, and @btf, held, if none was. */
struct layout_type {
	const char *name;
	struct btf *btf;
	const struct btf_type *type;
};

#define FIND(call, function)							\
({										\
	unsigned long addr = hook_lookup("vmlinux", #function);			\
										\
	if (addr)								\
		static_call_update(call, (typeof(function) *)addr);		\
	addr;									\
})

static int layout_functions(void)
{
	if (FIND(btf_vmlinux, bpf_get_btf_vmlinux) && FIND(find_btf_id, bpf_find_btf_id) &&
	    FIND(put_btf, btf_put) && FIND(btf_owner, btf_get_name) &&
	    FIND(btf_types, btf_nr_types) && FIND(btf_name, btf_name_by_offset) &&
	    FIND(btf_size, btf_resolve_size))
		return 0;
	return -EOPNOTSUPP;
}

static void btf_drop(struct layout_type *t)
{
	if (t->btf)
		static_call(put_btf)(t->btf);
	t->btf = NULL;
	t->name = NULL;
}

static bool is_named(const struct layout_type *t, u32 name_off, const char *name)
{
	return !strcmp(static_call(btf_name)(t->btf, name_off), name);
}

static u32 kind_of(const struct layout *l)
{
	return l->enumerator ? BTF_KIND_ENUM : BTF_KIND_STRUCT;
}

/* Another module may have a type of the same name. */
static bool is_of(const struct layout_type *t, const char *module)
{
	const char *owner = static_call(btf_owner)(t->btf);

	return !strcmp(owner, module) || !strcmp(owner, "vmlinux");
}

/* Of the types that a module has beside the kernel's own. */
static const struct btf_type *find_beside(const struct layout_type *t, const struct layout *l)
{
	const struct btf *vmlinux = static_call(btf_vmlinux)();
	const struct btf_type *type;
	u32 id, end;

	if (IS_ERR_OR_NULL(vmlinux) || !t->btf)
		return NULL;
	id = t->btf == vmlinux ? 1 : static_call(btf_types)(vmlinux);
	end = static_call(btf_types)(t->btf);
	for (; id < end; id++) {
		type = btf_type_by_id(t->btf, id);
		if (BTF_INFO_KIND(type->info) == kind_of(l) && is_named(t, type->name_off, l->type))
			return type;
	}
	return NULL;
}

/*
 * To find a type by its name, older kernels pass all of theirs for each module that there is,
 * which takes a tenth of a second.  Most are next to the one before.
 */
static int type_get(const char *module, struct layout_type *t, const struct layout *l)
{
	s32 id;

	if (t->name && !strcmp(t->name, l->type) && BTF_INFO_KIND(t->type->info) == kind_of(l))
		return 0;
	t->type = find_beside(t, l);
	if (!t->type) {
		btf_drop(t);
		id = static_call(find_btf_id)(l->type, kind_of(l), &t->btf);
		if (id < 0) {
			t->btf = NULL;
			return id;
		}
		if (!is_of(t, module)) {
			btf_drop(t);
			return -ENOENT;
		}
		t->type = btf_type_by_id(t->btf, id);
	}
	t->name = l->type;
	return 0;
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

static int layout_one(const char *module, struct layout_type *t, struct layout *l)
{
	const char *kind = l->enumerator ? "enum" : "struct";

	l->value = LAYOUT_ABSENT;
	if (type_get(module, t, l)) {
		pr_err("this kernel's %s has no %s %s\n", module, kind, l->type);
		return -ENOENT;
	}
	l->value = find_value(t, l);
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
 * @layouts: what to find, each with its value filled in; what is of one type stands together
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
	struct layout_type t = { };
	int ret = layout_functions();
	unsigned int i;

	if (ret)
		pr_err("this kernel does not describe its types (BTF)\n");
	for (i = 0; i < nr && !ret; i++)
		ret = layout_one(module, &t, &layouts[i]);
	btf_drop(&t);
	return ret;
}

#else

int layout_find(const char *module, struct layout *layouts, unsigned int nr)
{
	pr_err("this kernel does not describe the types of its modules (BTF)\n");
	return -EOPNOTSUPP;
}

#endif
