// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON that is written as it comes, for what may be too much to be kept.
 *
 * The caller closes each object and array, and passes keys that are short and need no
 * escaping and texts that are clean (see text_clean()).  The output collects in a buffer,
 * which is written when it is full and when the outermost object is closed.
 */
#include <stdio.h>
#include <string.h>

#include "stream.h"

#define PIECE		4096u	/* of a long text, less than the buffer */
#define NUMBER		32u	/* more than any number has characters */

static void flush(struct stream *s)
{
	fwrite(s->buffer, 1, s->used, stdout);
	s->used = 0;
}

/* Where the next @len bytes go, of which fewer may be used; not more than the buffer has. */
static char *room(struct stream *s, size_t len)
{
	if (len > sizeof(s->buffer) - s->used)
		flush(s);
	return s->buffer + s->used;
}

static void used_to(struct stream *s, const char *end)
{
	s->used = (size_t)(end - s->buffer);
}

static void put(struct stream *s, const char *text, size_t len)
{
	size_t part;

	for (; len; text += part, len -= part) {
		part = len < PIECE ? len : PIECE;
		memcpy(room(s, part), text, part);
		s->used += part;
	}
}

/* A line of its own for what comes at this depth; or else a blank. */
static char *indent(const struct stream *s, char *at)
{
	unsigned int i;

	if (s->depth > s->lines) {
		*at++ = ' ';
		return at;
	}
	*at++ = '\n';
	for (i = 0; i < s->depth; i++) {
		*at++ = ' ';
		*at++ = ' ';
	}
	return at;
}

/* What comes before each value, which may be a NUMBER; arrays have no keys. */
static char *put_key(struct stream *s, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	char *at = room(s, len + 2 * s->depth + NUMBER + 8);

	if (s->any)
		*at++ = ',';
	at = indent(s, at);
	s->any = true;
	if (!key)
		return at;
	*at++ = '"';
	memcpy(at, key, len);
	at += len;
	*at++ = '"';
	*at++ = ':';
	*at++ = ' ';
	return at;
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

static char *put_number(char *at, uint64_t value, unsigned int base)
{
	char digits[NUMBER];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		*at++ = digits[--n];
	return at;
}

/**
 * stream_open - begin an object or an array
 * @s: the stream
 * @key: its name, or NULL in an array
 * @bracket: '{' or '['
 */
void stream_open(struct stream *s, const char *key, char bracket)
{
	char *at = s->depth ? put_key(s, key) : room(s, 1);

	*at++ = bracket;
	used_to(s, at);
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
	char *at = room(s, 2 * s->depth + 4);

	s->depth--;
	if (s->any && lines)
		at = indent(s, at);
	else if (s->any)
		*at++ = ' ';
	*at++ = bracket;
	s->any = true;
	if (!s->depth)
		*at++ = '\n';
	used_to(s, at);
	if (!s->depth)
		flush(s);
}

void stream_u64(struct stream *s, const char *key, uint64_t value)
{
	used_to(s, put_number(put_key(s, key), value, 10));
}

/* As a text, "0x" before it: JSON has no such numbers. */
void stream_hex(struct stream *s, const char *key, uint64_t value)
{
	char *at = put_key(s, key);

	memcpy(at, "\"0x", 3);
	at = put_number(at + 3, value, 16);
	*at++ = '"';
	used_to(s, at);
}

void stream_bool(struct stream *s, const char *key, bool value)
{
	const char *word = value ? "true" : "false";

	used_to(s, put_key(s, key));
	put(s, word, strlen(word));
}

void stream_text(struct stream *s, const char *key, const char *text)
{
	used_to(s, put_key(s, key));
	put_text(s, text);
}
