// SPDX-License-Identifier: GPL-2.0-only
/* phyr check: whether and how this machine can use phyr. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <json-c/json.h>

#include "check.h"
#include "module.h"
#include "tool.h"

#define WIDTH	100u
#define INDENT	26u			/* of what is found, behind its state and its name */

static const char help[] =
	"Usage: phyr check [--json]\n"
	"\n"
	"Tell whether and how this machine can use phyr: the kernel and its options, what\n"
	"may be loaded, IOMMU, huge pages, limits, RDMA devices, the modules and the functions\n"
	"that they replace. Changes nothing, and needs no module; root sees more.\n"
	"\n"
	"  ok       as it should be\n"
	"  note     phyr works, but there is something to know\n"
	"  problem  prevents phyr, or a module that is loaded, from working\n"
	"\n"
	"  -j, --json  for programs\n"
	"  -h, --help  this text\n"
	"\n"
	"Exits with 0 if there is no problem, with 1 if there is one.\n";

static const char *const state_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_NOTE] = "note",
	[CHECK_PROBLEM] = "problem",
};

/* Words, from column INDENT on, where the cursor is already. */
static void print_wrapped(const char *text)
{
	unsigned int column = INDENT, len;

	for (; *text; text += len) {
		text += strspn(text, " ");
		len = (unsigned int)strcspn(text, " ");
		if (column > INDENT && column + 1 + len > WIDTH) {
			printf("\n%*s", (int)INDENT, "");
			column = INDENT;
		}
		column += (unsigned int)printf("%s%.*s", column > INDENT ? " " : "", (int)len,
					       text);
	}
	putchar('\n');
}

static void print_result(enum check_state state, const char *name, const char *fact,
			 const char *meaning)
{
	printf("%-8s %-16s ", state_names[state], name);
	print_wrapped(fact);
	if (!meaning)
		return;
	printf("%*s", (int)INDENT, "");
	print_wrapped(meaning);
}

static struct json_object *result_json(enum check_state state, const char *name,
				       const char *fact, const char *meaning)
{
	struct json_object *obj = json_object_new_object();

	json_add_text(obj, "name", name);
	json_add_text(obj, "state", state_names[state]);
	json_add_text(obj, "fact", fact);
	json_object_object_add(obj, "meaning", meaning ? json_object_new_string(meaning) : NULL);
	return obj;
}

void check_say(struct check *check, enum check_state state, const char *name,
	       struct json_object *details, const char *meaning, const char *fmt, ...)
{
	struct json_object *obj;
	char fact[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(fact, sizeof(fact), fmt, args);
	va_end(args);
	check->problems += state == CHECK_PROBLEM;
	if (!check->results) {
		print_result(state, name, fact, meaning);
		json_object_put(details);
		return;
	}
	obj = result_json(state, name, fact, meaning);
	json_object_object_add(obj, "details", details);
	json_object_array_add(check->results, obj);
}

static void print_verdict(const struct check *check)
{
	if (check->problems)
		puts("\nphyr does not work here as it should: see the lines that say \"problem\".");
	else if (module_is_loaded(check->root, "phyr"))
		puts("\nphyr works here.");
	else
		puts("\nphyr would work here: modprobe phyr");
}

static void print_json(const struct check *check)
{
	struct json_object *root = json_object_new_object();

	json_add_bool(root, "works", !check->problems);
	json_add_text(root, "kernel", check->release);
	json_object_object_add(root, "checks", check->results);
	json_print(root);
	json_object_put(root);
}

int cmd_check(int argc, char **argv)
{
	struct check check = { .root = "" };
	struct utsname uts;
	bool json;
	int ret = tool_json_option(argc, argv, help, &json);

	if (ret >= 0)
		return ret;
	uname(&uts);
	check.release = uts.release;
	check.machine = uts.machine;
	if (json)
		check.results = json_object_new_array();
	check_kernel(&check);
	check_machine(&check);
	check_modules(&check);
	if (json)
		print_json(&check);
	else
		print_verdict(&check);
	return check.problems ? TOOL_FAILED : 0;
}
