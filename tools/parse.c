// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes, numbers, the lines of /proc/PID/maps, of phyr/regions in debugfs and of the
 * parameter hooks, places to copy from and to, and names that anybody chose.
 *
 * Nothing here writes outside of what it is given or keeps anything, whatever
 * the text.  Each function answers 0, -EINVAL for what it does not understand,
 * or -ERANGE for what is too large; then what it should have set is undefined.
 *
 * A cursor that has met an error stays where it is and keeps the error, so
 * that a whole line can be taken without a look after each part.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "parse.h"

struct cursor {
	const char *s;
	int error;
};

static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A' + 10);
	return 99;
}

/* Unlike strtoull(): no sign, no white space, no prefix, at least one digit. */
static uint64_t take_number(struct cursor *c, unsigned int base)
{
	const char *s = c->s;
	uint64_t n = 0;

	if (c->error)
		return 0;
	for (; digit(*s) < base; s++) {
		if (__builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, digit(*s), &n)) {
			c->error = -ERANGE;
			return 0;
		}
	}
	if (s == c->s)
		c->error = -EINVAL;
	c->s = s;
	return n;
}

/* One character out of @allowed. */
static char take_char(struct cursor *c, const char *allowed)
{
	if (c->error)
		return '\0';
	if (!*c->s || !strchr(allowed, *c->s)) {
		c->error = -EINVAL;
		return '\0';
	}
	return *c->s++;
}

static void take_end(struct cursor *c)
{
	if (!c->error && *c->s)
		c->error = -EINVAL;
}

/**
 * parse_number - a decimal number and nothing else
 * @s: the text
 * @max: the largest that is allowed
 * @number: set to it
 */
int parse_number(const char *s, uint64_t max, uint64_t *number)
{
	struct cursor c = { .s = s };

	*number = take_number(&c, 10);
	take_end(&c);
	if (c.error)
		return c.error;
	return *number > max ? -ERANGE : 0;
}

/* "", "k", "M", "GiB" ... as a power of two. */
static unsigned int take_unit(struct cursor *c)
{
	static const char letters[] = "kmgtpe";
	const char *found;

	if (c->error || !*c->s)
		return 0;
	if (*c->s == 'B') {
		c->s++;
		return 0;
	}
	found = strchr(letters, *c->s | 0x20);
	if (!found || !*found) {
		c->error = -EINVAL;
		return 0;
	}
	c->s++;
	if (*c->s) {
		take_char(c, "i");
		take_char(c, "B");
	}
	return 10 * (unsigned int)(found - letters + 1);
}

/* "0x" before a number, as addresses are written. */
static bool take_hex_prefix(struct cursor *c)
{
	if (c->error || c->s[0] != '0' || (c->s[1] | 0x20) != 'x')
		return false;
	c->s += 2;
	return true;
}

/* A number of bytes, of which what is hexadecimal has no unit: some of them are digits. */
static uint64_t take_size(struct cursor *c)
{
	bool hex = take_hex_prefix(c);
	uint64_t n = take_number(c, hex ? 16 : 10);
	unsigned int shift = hex ? 0 : take_unit(c);

	if (!c->error && n > UINT64_MAX >> shift)
		c->error = -ERANGE;
	return c->error ? 0 : n << shift;
}

/**
 * parse_size - a number of bytes: 4096, 64K, 2M, 1G, 1GiB, 0x60000000
 * @s: the text
 * @bytes: set to it
 */
int parse_size(const char *s, uint64_t *bytes)
{
	struct cursor c = { .s = s };

	*bytes = take_size(&c);
	take_end(&c);
	return c.error;
}

/**
 * parse_maps_line - a line of /proc/PID/maps
 * @line: without its newline
 * @map: set to what it says; its path is good as long as @line
 */
int parse_maps_line(const char *line, struct maps_line *map)
{
	static const char *const perms[] = { "r-", "w-", "x-", "ps" };
	struct cursor c = { .s = line };
	unsigned int i;

	map->start = take_number(&c, 16);
	take_char(&c, "-");
	map->end = take_number(&c, 16);
	take_char(&c, " ");
	for (i = 0; i < 4; i++)
		map->perms[i] = take_char(&c, perms[i]);
	map->perms[4] = '\0';
	take_char(&c, " ");
	map->offset = take_number(&c, 16);
	take_char(&c, " ");
	take_number(&c, 16);		/* device, major:minor */
	take_char(&c, ":");
	take_number(&c, 16);
	take_char(&c, " ");
	map->inode = take_number(&c, 10);
	if (c.error)
		return c.error;
	if (map->start >= map->end || (*c.s && *c.s != ' '))
		return -EINVAL;
	map->path = c.s + strspn(c.s, " ");
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* One byte of a name: blanks and the like are a backslash and three octal digits. */
static char take_byte(struct cursor *c)
{
	const char *s = c->s;

	if (s[0] != '\\' || !is_octal(s[1]) || !is_octal(s[2]) || !is_octal(s[3])) {
		c->s++;
		return s[0];
	}
	c->s += 4;
	return (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
}

/* What comes before the next blank. */
static void take_word(struct cursor *c, char *word, size_t size)
{
	size_t n = 0;

	while (!c->error && *c->s && *c->s != ' ') {
		if (n == size - 1)
			c->error = -ERANGE;
		else
			word[n++] = take_byte(c);
	}
	word[n] = '\0';
}

static uint64_t take_field(struct cursor *c)
{
	uint64_t n = take_number(c, 10);

	take_char(c, " ");
	return n;
}

/**
 * parse_region_line - a line of phyr/regions in debugfs
 * @line: without its newline
 * @region: set to what it says; the name is not fit to be shown, see text_clean()
 */
int parse_region_line(const char *line, struct region_line *region)
{
	struct cursor c = { .s = line };

	region->inode = take_field(&c);
	region->pid = take_field(&c);
	region->bytes = take_field(&c);
	region->pages = take_field(&c);
	region->phyrs = take_field(&c);
	take_word(&c, region->kinds, sizeof(region->kinds));
	take_char(&c, " ");
	take_word(&c, region->access, sizeof(region->access));
	take_char(&c, " ");
	take_word(&c, region->state, sizeof(region->state));
	take_char(&c, " ");
	region->users = take_field(&c);
	take_word(&c, region->comm, sizeof(region->comm));
	take_end(&c);
	return c.error;
}

/* All that follows. */
static void take_rest(struct cursor *c, char *rest, size_t size)
{
	size_t len = strlen(c->s);

	if (!c->error && !len)
		c->error = -EINVAL;
	if (!c->error && len >= size)
		c->error = -ERANGE;
	if (c->error)
		return;
	memcpy(rest, c->s, len + 1);
	c->s += len;
}

/**
 * parse_hook_line - a line of the parameter hooks of phyr_rdma or phyr_rxe
 * @line: without its newline
 * @hook: set to what it says
 */
int parse_hook_line(const char *line, struct hook_line *hook)
{
	struct cursor c = { .s = line };

	take_word(&c, hook->module, sizeof(hook->module));
	take_char(&c, " ");
	take_word(&c, hook->function, sizeof(hook->function));
	take_char(&c, " ");
	hook->calls = take_field(&c);
	take_rest(&c, hook->how, sizeof(hook->how));
	return c.error;
}

#define DECIMAL	"0123456789"
#define HEX	"0123456789abcdef"	/* as sysfs writes it */

static bool take_prefix(struct cursor *c, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(c->s, prefix, len))
		return false;
	c->s += len;
	return true;
}

/* Length of "0000:01:00.0" at @s, whose domain may have more digits; or 0. */
static size_t pci_address_len(const char *s)
{
	static const char *const rest[] = { ":", HEX, HEX, ":", HEX, HEX, ".", "01234567" };
	size_t len = strspn(s, HEX), i;

	if (len < 4 || len > 8)
		return 0;
	for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++, len++)
		if (!s[len] || !strchr(rest[i], s[len]))
			return 0;
	return len;
}

static uint64_t take_up_to(struct cursor *c, uint64_t max)
{
	uint64_t n = take_number(c, 10);

	if (!c->error && n > max)
		c->error = -ERANGE;
	return n;
}

/* "@OFFSET", if it is there, and the end. */
static int take_offset(struct cursor *c, struct endpoint_text *place)
{
	place->has_at = take_prefix(c, "@");
	if (place->has_at)
		place->at = take_size(c);
	take_end(c);
	return c->error;
}

static int endpoint_bar(struct cursor *c, struct endpoint_text *place)
{
	place->kind = ENDPOINT_BAR;
	place->name = c->s;
	place->name_len = pci_address_len(c->s);
	c->s += place->name_len;
	take_char(c, "/");
	place->number = take_up_to(c, 5);
	return c->error ? c->error : take_offset(c, place);
}

static int endpoint_phys(struct cursor *c, struct endpoint_text *place)
{
	place->kind = ENDPOINT_PHYS;
	place->has_at = true;
	place->at = take_size(c);
	take_end(c);
	return c->error;
}

static int endpoint_process(struct cursor *c, struct endpoint_text *place)
{
	place->kind = ENDPOINT_PROCESS;
	place->pid = take_up_to(c, INT_MAX);
	take_char(c, ":");
	place->has_at = true;
	if (!c->error && (!place->pid || !take_hex_prefix(c)))
		return -EINVAL;
	place->at = take_number(c, 16);
	take_end(c);
	return c->error;
}

/* After "/proc/PID/fd/". */
static int endpoint_region(struct cursor *c, struct endpoint_text *place)
{
	place->kind = ENDPOINT_REGION;
	place->number = take_up_to(c, INT_MAX);
	return c->error ? c->error : take_offset(c, place);
}

/* "/proc/PID/fd/" or "/proc/self/fd/"; false leaves @c where it was. */
static bool take_fd_directory(struct cursor *c, struct endpoint_text *place)
{
	struct cursor try = *c;

	if (!take_prefix(&try, "/proc/"))
		return false;
	if (!take_prefix(&try, "self")) {
		place->pid = take_up_to(&try, INT_MAX);
		if (try.error || !place->pid)
			return false;
	}
	if (!take_prefix(&try, "/fd/"))
		return false;
	*c = try;
	return true;
}

/* All that is left: an "@" of a name is one that no digit follows, or that is not the last. */
static int endpoint_file(struct cursor *c, struct endpoint_text *place)
{
	const char *at = strrchr(c->s, '@');

	*place = (struct endpoint_text){ .name = c->s, .name_len = strlen(c->s) };
	if (at && digit(at[1]) < 10) {
		place->name_len = (size_t)(at - c->s);
		c->s = at;
		take_offset(c, place);
	}
	if (!c->error && !place->name_len)
		return -EINVAL;
	return c->error;
}

/**
 * parse_endpoint - a place to copy from or to: one of &enum endpoint_kind
 * @text: as it was given; a file whose name looks like another kind has "./" before it, or
 *	"@0" behind it
 * @place: set to what it says; its name is good as long as @text
 */
int parse_endpoint(const char *text, struct endpoint_text *place)
{
	size_t digits = strspn(text, DECIMAL);
	struct cursor c = { .s = text };

	*place = (struct endpoint_text){ 0 };
	if (pci_address_len(text))
		return endpoint_bar(&c, place);
	if (take_prefix(&c, "phys:"))
		return endpoint_phys(&c, place);
	if (digits && text[digits] == ':')
		return endpoint_process(&c, place);
	if (take_fd_directory(&c, place))
		return endpoint_region(&c, place);
	return endpoint_file(&c, place);
}

/* Length of the valid UTF-8 character at @s, not a control character; or 0. */
static size_t char_len(const char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)*s;
	uint32_t code;
	size_t len, i;

	if (lead < 0x80)
		return lead >= 0x20 && lead != 0x7f;
	len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc0 || lead > 0xf7)
		return 0;
	code = lead & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[len] || code < 0xa0 || code > 0x10ffff)
		return 0;
	if ((code >= 0xd800 && code <= 0xdfff) || (code & 0xfffe) == 0xfffe)
		return 0;
	return len;
}

/**
 * text_clean - make a name fit to be shown, in a terminal, in JSON and in XML
 * @s: the name; what is no UTF-8 or a control character becomes '?'
 */
void text_clean(char *s)
{
	size_t len;

	for (; *s; s += len) {
		len = char_len(s);
		if (!len) {
			*s = '?';
			len = 1;
		}
	}
}

/**
 * text_cut - how many bytes the first characters of a clean text have
 * @s: the text
 * @chars: how many characters
 */
size_t text_cut(const char *s, size_t chars)
{
	size_t at = 0;

	while (s[at] && chars--) {
		do {
			at++;
		} while ((s[at] & 0xc0) == 0x80);
	}
	return at;
}
