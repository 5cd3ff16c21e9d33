/* SPDX-License-Identifier: GPL-2.0-only */
/* What the subcommands of phyr share. */
#ifndef PHYR_TOOL_H
#define PHYR_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit statuses, besides 0 */
enum {
	TOOL_FAILED = 1,
	TOOL_USAGE = 2,
};

int cmd_info(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_pin(int argc, char **argv);
int cmd_layout(int argc, char **argv);
int cmd_regions(int argc, char **argv);
int cmd_copy(int argc, char **argv);
int cmd_fill(int argc, char **argv);
int cmd_compare(int argc, char **argv);

/* report.c: what is wrong, on standard error; all return the exit status. */
int tool_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int tool_try_help(const char *command);	/* when getopt_long() has complained */
int tool_fail_phyr(int error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * report.c: the options of a command that has --json alone; the exit status if
 * there is nothing more to do, or -1.
 */
int tool_json_option(int argc, char **argv, const char *help, bool *json);

/* report.c: numbers for people */
struct text {
	char s[32];
};

struct text text_bytes(uint64_t bytes);
struct text text_ns(uint64_t ns);
struct text text_memlock(void);
uint64_t memlock_limit(void);		/* UINT64_MAX: unlimited */

/* report.c: and for programs */
struct json_object;
void json_print(struct json_object *root);
void json_add_u64(struct json_object *obj, const char *key, uint64_t value);
void json_add_shown(struct json_object *obj, const char *key, uint64_t value, bool shown);
void json_add_bool(struct json_object *obj, const char *key, bool value);
void json_add_ns(struct json_object *obj, const char *key, uint64_t ns);
void json_add_text(struct json_object *obj, const char *key, const char *value);

#endif /* PHYR_TOOL_H */
