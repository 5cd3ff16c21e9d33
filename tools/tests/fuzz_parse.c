// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of all that the command parses: the sanitizers look at memory, and what
 * is answered has to hold by other means.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_error(int ret)
{
	must(!ret || ret == -EINVAL || ret == -ERANGE);
}

/* What is understood as a number is written the same way again, but for zeros. */
static void check_number(const char *text)
{
	char again[32];
	uint64_t n;
	int ret = parse_number(text, UINT64_MAX, &n);

	check_error(ret);
	if (ret)
		return;
	snprintf(again, sizeof(again), "%llu", (unsigned long long)n);
	text += strspn(text, "0");
	must(!strcmp(*text ? text : "0", again));
	must(n < 7 || parse_number(again, n - 1, &n) == -ERANGE);
}

/* A size is what strtoull() makes of its digits, times a power of 1024 if they are decimal. */
static void check_size(const char *text)
{
	uint64_t bytes, unit = 1, digits;
	int ret = parse_size(text, &bytes);
	char *end;

	check_error(ret);
	if (ret)
		return;
	if (text[0] == '0' && (text[1] | 0x20) == 'x') {
		digits = strtoull(text, &end, 16);
		must(end > text + 2 && !*end && bytes == digits);
		return;
	}
	digits = strtoull(text, &end, 10);
	must(end != text && strlen(end) <= 3);
	for (const char *c = "kmgtpe"; *end && *end != 'B'; c++) {
		must(*c);
		unit <<= 10;
		if ((*end | 0x20) == *c)
			break;
	}
	must(bytes == digits * unit && bytes / unit == digits);
}

static void check_maps(const char *line)
{
	struct maps_line map;
	int ret = parse_maps_line(line, &map);

	check_error(ret);
	if (ret)
		return;
	must(map.start < map.end && strlen(map.perms) == 4);
	must(map.path >= line && map.path <= line + strlen(line) && *map.path != ' ');
}

static void check_region(const char *line)
{
	struct region_line region;
	int ret = parse_region_line(line, &region);

	check_error(ret);
	if (ret)
		return;
	must(strlen(region.kinds) < sizeof(region.kinds));
	must(strlen(region.comm) < sizeof(region.comm));
}

static void check_hook(const char *line)
{
	struct hook_line hook;
	int ret = parse_hook_line(line, &hook);

	check_error(ret);
	if (ret)
		return;
	must(strlen(hook.module) < sizeof(hook.module));
	must(strlen(hook.function) < sizeof(hook.function));
	must(*hook.how && strlen(hook.how) < sizeof(hook.how));
}

/* A name lies in the text, and only a file may have nearly any. */
static void check_endpoint(const char *text)
{
	struct endpoint_text place;
	int ret = parse_endpoint(text, &place);

	check_error(ret);
	if (ret)
		return;
	must(place.pid <= INT32_MAX && place.number <= INT32_MAX);
	must(place.has_at || !place.at);
	if (place.kind != ENDPOINT_FILE && place.kind != ENDPOINT_BAR)
		return;
	must(place.name == text && place.name_len && place.name_len <= strlen(text));
	must(place.kind == ENDPOINT_FILE || (place.number <= 5 && text[place.name_len] == '/'));
	must(place.has_at == (strrchr(text, '@') && place.name_len < strlen(text) &&
			      strchr(text + place.name_len, '@')));
}

/* A name that is clean stays as it is, and is cut between characters. */
static void check_text(char *text)
{
	size_t len = strlen(text), at = 0, next;
	char *again;

	text_clean(text);
	must(strlen(text) == len);
	again = strdup(text);
	must(!!again);
	text_clean(again);
	must(!strcmp(text, again));
	for (size_t chars = 0; at < len; chars++, at = next) {
		next = text_cut(text, chars + 1);
		must(next > at && next <= len && next - at <= 4);
		must((unsigned char)text[at] >= 0x20 && text[at] != 0x7f);
	}
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(!!text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_number(text);
	check_size(text);
	check_maps(text);
	check_hook(text);
	check_region(text);
	check_endpoint(text);
	check_text(text);
	free(text);
	return 0;
}
