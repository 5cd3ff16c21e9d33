// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON that is written as it comes, for what may be too much to be kept.
 *
 * The caller closes each object and array, and passes keys that need no escaping and texts
 * that are clean (see text_clean()).  The output collects in a buffer, which is written when
 * it is full and when the outermost object is closed.
 */
#include <stdio.h>
#include <string.h>

#include "stream.h"

static void flush(struct stream *s)
{
	fwrite(s->buffer, 1, s->used, stdout);
	s->used = 0;
}

static void put(struct stream *s, const char *text, size_t len)
{
	if (len > sizeof(s->buffer) - s->used)
		flush(s);
	if (len > sizeof(s->buffer)) {
		fwrite(text, 1, len, stdout);
		return;
	}
	memcpy(s->buffer + s->used, text, len);
	s->used += len;
}

/* A line of its own for what comes at this depth; or else a blank. */
static void indent(struct stream *s)
{
	unsigned int i;

	if (s->depth > s->lines) {
		put(s, " ", 1);
		return;
	}
	put(s, "\n", 1);
	for (i = 0; i < s->depth; i++)
		put(s, "  ", 2);
}

static void put_text(struct stream *s, const char *text)
{
	size_t len;

	put(s, "\"", 1);
	for (;;) {
		len = strcspn(text, "\"\\");
		put(s, text, len);
		text += len;
		if (!*text)
			break;
		put(s, "\\", 1);
		put(s, text++, 1);
	}
	put(s, "\"", 1);
}

static void put_u64(struct stream *s, uint64_t value)
{
	char digits[24], *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(s, at, (size_t)(digits + sizeof(digits) - at));
}

/* What comes before each value; arrays have no keys. */
static void put_key(struct stream *s, const char *key)
{
	if (s->any)
		put(s, ",", 1);
	indent(s);
	s->any = true;
	if (!key)
		return;
	put(s, "\"", 1);
	put(s, key, strlen(key));
	put(s, "\": ", 3);
}

/**
 * stream_open - begin an object or an array
 * @s: the stream
 * @key: its name, or NULL in an array
 * @bracket: '{' or '['
 */
void stream_open(struct stream *s, const char *key, char bracket)
{
	if (s->depth)
		put_key(s, key);
	put(s, &bracket, 1);
	s->depth++;
	s->any = false;
}

/**
 * stream_close - end what was begun last
 * @s: the stream
 * @bracket: '}' or ']'
 */
void stream_close(struct stream *s, char bracket)
{
	bool lines = s->depth <= s->lines;

	s->depth--;
	if (s->any && lines)
		indent(s);
	else if (s->any)
		put(s, " ", 1);
	put(s, &bracket, 1);
	s->any = true;
	if (s->depth)
		return;
	put(s, "\n", 1);
	flush(s);
}

void stream_u64(struct stream *s, const char *key, uint64_t value)
{
	put_key(s, key);
	put_u64(s, value);
}

void stream_bool(struct stream *s, const char *key, bool value)
{
	const char *word = value ? "true" : "false";

	put_key(s, key);
	put(s, word, strlen(word));
}

void stream_text(struct stream *s, const char *key, const char *text)
{
	put_key(s, key);
	put_text(s, text);
}
