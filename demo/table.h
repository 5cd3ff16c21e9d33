/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables of the demo have in common. */
#ifndef TABLE_H
#define TABLE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number of bytes, and of nanoseconds, in words; returns @buf. */
const char *table_bytes(uint64_t n, char buf[16]);
const char *table_ns(uint64_t n, char buf[16]);

/* Memory for a row that a process of its own fills. */
void *table_row_new(size_t size);

/*
 * Calls @fill in such a process: what goes wrong there ends only that, with
 * words. True if it came back.
 */
bool table_row_fill(void (*fill)(void *row), void *row);

/* The table becomes the member @key of a report that is there already; 0 or -1. */
int table_add(const char *report, const char *key, json_object *rows);

#endif
