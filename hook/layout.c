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

#define DESCRIPTION	128	/* characters */

DEFINE_STATIC_CALL_NULL(btf_vmlinux, bpf_get_btf_vmlinux);
DEFINE_STATIC_CALL_NULL(find_btf_id, bpf_find_btf_id);
DEFINE_STATIC_CALL_NULL(put_btf, btf_put);
DEFINE_STATIC_CALL_NULL(btf_owner, btf_get_name);
DEFINE_STATIC_CALL_NULL(btf_types, btf_nr_types);
DEFINE_STATIC_CALL_NULL(btf_name, btf_name_by_offset);

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

static int find_btf_functions(void)
{
	if (FIND(btf_vmlinux, bpf_get_btf_vmlinux) && FIND(find_btf_id, bpf_find_btf_id) &&
	    FIND(put_btf, btf_put) && FIND(btf_owner, btf_get_name) &&
	    FIND(btf_types, btf_nr_types) && FIND(btf_name, btf_name_by_offset))
		return 0;
	pr_err("this kernel lacks a function that reads BTF\n");
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
static const struct btf_type *find_beside(const struct layout_type *t, u32 kind, const char *name)
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
		if (BTF_INFO_KIND(type->info) == kind && is_named(t, type->name_off, name))
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
	t->type = find_beside(t, kind_of(l), l->type);
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

static bool is_modifier(const struct btf_type *type)
{
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return true;
	}
	return false;
}

static const struct btf_type *skip_modifiers(const struct layout_type *t, u32 id)
{
	const struct btf_type *type = btf_type_by_id(t->btf, id);

	while (is_modifier(type))
		type = btf_type_by_id(t->btf, type->type);
	return type;
}

static bool is_struct(const struct btf_type *type)
{
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_FWD:
		return true;
	}
	return false;
}

/* A type as struct layout's @is has it; returns how many characters there are. */
static int describe(const struct layout_type *t, u32 id, char *text, size_t size)
{
	const struct btf_type *type = skip_modifiers(t, id);
	const char *star = "";

	if (BTF_INFO_KIND(type->info) == BTF_KIND_PTR) {
		star = "*";
		type = skip_modifiers(t, type->type);
		if (!is_struct(type))
			return scnprintf(text, size, "*");
	}
	if (is_struct(type))
		return scnprintf(text, size, "%s%s", star,
				 static_call(btf_name)(t->btf, type->name_off));
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_UNKN:
		return scnprintf(text, size, "0");
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return scnprintf(text, size, "%u", type->size);
	}
	return scnprintf(text, size, "?");
}

static void describe_function(const struct layout_type *t, const struct btf_type *function,
			      char *text, size_t size)
{
	const struct btf_type *proto = btf_type_by_id(t->btf, function->type);
	const struct btf_param *params = btf_params(proto);
	unsigned int i;
	int at = describe(t, proto->type, text, size);

	at += scnprintf(text + at, size - at, "(");
	for (i = 0; i < btf_type_vlen(proto); i++) {
		if (i)
			at += scnprintf(text + at, size - at, ",");
		at += describe(t, params[i].type, text + at, size - at);
	}
	scnprintf(text + at, size - at, ")");
}

static const struct btf_member *find_member(const struct layout_type *t, const char *name)
{
	const struct btf_member *member = btf_members(t->type);
	unsigned int i;

	for (i = 0; i < btf_type_vlen(t->type); i++)
		if (is_named(t, member[i].name_off, name))
			return &member[i];
	return NULL;
}

static int absent(const char *module, const struct layout *l)
{
	if (l->optional)
		return 0;
	pr_err("this kernel's %s has no %s in %s %s\n", module, l->name,
	       l->enumerator ? "enum" : "struct", l->type);
	return -ENOENT;
}

static int layout_enumerator(const char *module, const struct layout_type *t, struct layout *l)
{
	l->value = find_enumerator(t, l);
	return l->value == LAYOUT_ABSENT ? absent(module, l) : 0;
}

static int layout_member(const char *module, const struct layout_type *t, struct layout *l)
{
	const struct btf_member *member = find_member(t, l->name);
	char text[DESCRIPTION];
	bool whole;
	u32 bits;

	if (!member)
		return absent(module, l);
	describe(t, member->type, text, sizeof(text));
	bits = __btf_member_bit_offset(t->type, member);
	whole = !(bits % 8 || __btf_member_bitfield_size(t->type, member));
	if (strcmp(text, l->is) || !whole) {
		pr_err("this kernel's %s has %s in struct %s as \"%s\"%s, not as \"%s\"\n", module,
		       l->name, l->type, text, whole ? "" : " of bits", l->is);
		return -ENOENT;
	}
	l->value = bits / 8;
	return 0;
}

static int layout_one(const char *module, struct layout_type *t, struct layout *l)
{
	l->value = LAYOUT_ABSENT;
	if (type_get(module, t, l)) {
		pr_err("this kernel's %s has no %s %s, or does not describe its types (BTF)\n",
		       module, l->enumerator ? "enum" : "struct", l->type);
		return -ENOENT;
	}
	if (l->enumerator)
		return layout_enumerator(module, t, l);
	if (l->name)
		return layout_member(module, t, l);
	l->value = t->type->size;
	return 0;
}

/* One that is not described has had its parameters changed by the compiler, and its name. */
static int layout_function(const char *module, const struct layout_type *t,
			   const struct layout_function *f)
{
	const struct btf_type *type = find_beside(t, BTF_KIND_FUNC, f->name);
	char text[DESCRIPTION];

	if (!type)
		return 0;
	describe_function(t, type, text, sizeof(text));
	if (!strcmp(text, f->is))
		return 0;
	pr_err("this kernel's %s has %s as \"%s\", not as \"%s\"\n", module, f->name, text, f->is);
	return -ENOENT;
}

/**
 * layout_find - find members of structures, and enumerators; compare functions
 * @module: who has them
 * @layouts: what to find, each with its value filled in; what is of one type stands together,
 *	and the last one is of a type that only @module has, if there are @functions
 * @nr: how many
 * @functions: what is to be as it says; one that is not described is not compared
 * @nr_functions: how many
 *
 * The module is there, and held or on its way: its BTF comes and goes with it.
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT if one differs from what is wanted, after a message that names it;
 * -EOPNOTSUPP if the kernel has no BTF.
 */
int layout_find(const char *module, struct layout *layouts, unsigned int nr,
		const struct layout_function *functions, unsigned int nr_functions)
{
	struct layout_type t = { };
	int ret = find_btf_functions();
	unsigned int i;

	for (i = 0; i < nr && !ret; i++)
		ret = layout_one(module, &t, &layouts[i]);
	for (i = 0; i < nr_functions && !ret; i++)
		ret = layout_function(module, &t, &functions[i]);
	btf_drop(&t);
	return ret;
}

#else

int layout_find(const char *module, struct layout *layouts, unsigned int nr,
		const struct layout_function *functions, unsigned int nr_functions)
{
	pr_err("this kernel does not describe the types of its modules (BTF)\n");
	return -EOPNOTSUPP;
}

#endif
