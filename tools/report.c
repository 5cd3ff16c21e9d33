// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the command speaks: errors with what to do about them, numbers in units
 * that people read, and JSON with exact ones.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <json-c/json.h>
#include <phyr.h>

#include "tool.h"

int tool_fail(const char *fmt, ...)
{
	va_list args;

	fputs("phyr: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_usage(const char *command, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", command);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return tool_try_help(command);
}

int tool_try_help(const char *command)
{
	fprintf(stderr, "Try \"%s --help\".\n", command);
	return TOOL_USAGE;
}

int tool_json_option(int argc, char **argv, const char *help, bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*json = false;
	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			*json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return tool_try_help(argv[0]);
		}
	}
	if (optind < argc)
		return tool_usage(argv[0], "unexpected \"%s\"", argv[optind]);
	return -1;
}

/* For a negative errno of libphyr, which knows what to do about it. */
int tool_fail_phyr(int error, const char *fmt, ...)
{
	const char *hint = phyr_hint(error);
	va_list args;

	fputs("phyr: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(-error));
	if (hint)
		fprintf(stderr, "  %s\n", hint);
	if (error == -ENOMEM)
		fprintf(stderr, "  RLIMIT_MEMLOCK here: %s\n", text_memlock().s);
	return TOOL_FAILED;
}

/* Up to four figures: "4 KiB", "1.5 GiB", "1023 MiB". */
struct text text_bytes(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned int unit = 0;
	struct text text;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	/* Cut, not rounded: never more than there is, and never 1024 of a unit. */
	if (value < 100 && (uint64_t)(value * 10) % 10)
		snprintf(text.s, sizeof(text.s), "%.1f %s",
			 (double)(uint64_t)(value * 10) / 10, units[unit]);
	else
		snprintf(text.s, sizeof(text.s), "%" PRIu64 " %s", (uint64_t)value, units[unit]);
	return text;
}

struct text text_ns(uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = (double)ns;
	unsigned int unit = 0;
	struct text text;

	while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(text.s, sizeof(text.s), "%.*f %s", unit && value < 100 ? 1 : 0, value,
		 units[unit]);
	return text;
}

uint64_t memlock_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

struct text text_memlock(void)
{
	uint64_t limit = memlock_limit();

	return limit == UINT64_MAX ? (struct text){ "unlimited" } : text_bytes(limit);
}

void json_print(struct json_object *root)
{
	const int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			  JSON_C_TO_STRING_NOSLASHESCAPE;

	puts(json_object_to_json_string_ext(root, flags));
}

void json_add_u64(struct json_object *obj, const char *key, uint64_t value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

/* null for what the kernel does not show to this user. */
void json_add_shown(struct json_object *obj, const char *key, uint64_t value, bool shown)
{
	json_object_object_add(obj, key, shown ? json_object_new_uint64(value) : NULL);
}

void json_add_bool(struct json_object *obj, const char *key, bool value)
{
	json_object_object_add(obj, key, json_object_new_boolean(value));
}

/* In seconds, with all digits that there are and no more. */
void json_add_ns(struct json_object *obj, const char *key, uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
	json_object_object_add(obj, key, json_object_new_double_s((double)ns / 1e9, text));
}

void json_add_text(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, json_object_new_string(value));
}
