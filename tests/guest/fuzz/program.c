// SPDX-License-Identifier: GPL-2.0-only
#include "program.h"

#include <linux/dma-buf.h>
#include <linux/phyr.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define PAGE		4096ull
#define BLANKS		"\n "
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What an argument is, which says how to make one up. */
enum arg {
	ARG_NONE,
	ARG_SLOT,	/* where a descriptor is put */
	ARG_FD,		/* a slot, or one of the descriptors that are always there */
	ARG_ADDR,	/* area << 56 | offset, which may be negative */
	ARG_LEN,
	ARG_OFFSET,
	ARG_NR,
	ARG_SIZE,	/* of a structure */
	ARG_SHAPE,	/* how a structure lies in memory, see judge.c */
	ARG_FLAGS,
	ARG_CMD,
	ARG_SMALL,
};

static const struct {
	const char *name;
	unsigned int weight;
	enum arg args[CALL_ARGS];
} ops[NR_OPS] = {
	[OP_OPEN] = { "open", 1, { ARG_SLOT, ARG_SMALL } },
	[OP_INFO] = { "info", 2, { ARG_SIZE, ARG_SHAPE } },
	[OP_PIN] = { "pin", 40, { ARG_SLOT, ARG_ADDR, ARG_LEN, ARG_FLAGS, ARG_SIZE, ARG_SHAPE } },
	[OP_QUERY] = { "query", 6, { ARG_FD, ARG_SIZE, ARG_SHAPE } },
	[OP_RANGES] = { "ranges", 10, { ARG_FD, ARG_OFFSET, ARG_ADDR, ARG_NR, ARG_SIZE,
					ARG_SHAPE } },
	[OP_IOCTL] = { "ioctl", 4, { ARG_FD, ARG_CMD, ARG_ADDR } },
	[OP_MMAP] = { "mmap", 8, { ARG_FD, ARG_SMALL, ARG_OFFSET, ARG_LEN, ARG_FLAGS } },
	[OP_MUNMAP] = { "munmap", 3, { ARG_SMALL, ARG_OFFSET, ARG_LEN } },
	[OP_TOUCH] = { "touch", 8, { ARG_ADDR, ARG_FLAGS } },
	[OP_DUP] = { "dup", 2, { ARG_FD, ARG_SLOT } },
	[OP_CLOSE] = { "close", 8, { ARG_SLOT } },
	[OP_SYNC] = { "sync", 4, { ARG_FD, ARG_FLAGS } },
	[OP_EXPORT] = { "export", 2, { ARG_FD, ARG_FLAGS, ARG_SLOT } },
	[OP_IMPORT] = { "import", 2, { ARG_FD, ARG_FLAGS, ARG_FD } },
	[OP_NAME] = { "name", 2, { ARG_FD, ARG_ADDR } },
	[OP_LSEEK] = { "lseek", 1, { ARG_FD, ARG_OFFSET, ARG_SMALL } },
	[OP_POLL] = { "poll", 1, { ARG_FD, ARG_FLAGS } },
	[OP_FDINFO] = { "fdinfo", 1, { ARG_FD } },
	[OP_ODD] = { "odd", 3, { ARG_FD, ARG_SMALL, ARG_ADDR, ARG_LEN } },
	[OP_PASS] = { "pass", 2, { ARG_FD, ARG_SLOT } },
	[OP_FORK] = { "fork", 2, { ARG_SMALL, ARG_ADDR, ARG_LEN, ARG_SMALL } },
	[OP_RLIMIT] = { "rlimit", 2, { ARG_LEN } },
	[OP_USER] = { "user", 4, { ARG_FLAGS } },
	[OP_SIGNAL] = { "signal", 2, { ARG_NR } },
	[OP_MADVISE] = { "madvise", 6, { ARG_ADDR, ARG_LEN, ARG_SMALL } },
	[OP_MPROTECT] = { "mprotect", 4, { ARG_ADDR, ARG_LEN, ARG_FLAGS } },
	[OP_UNMAP] = { "unmap", 4, { ARG_ADDR, ARG_LEN } },
	[OP_MREMAP] = { "mremap", 2, { ARG_ADDR, ARG_LEN } },
	[OP_PUNCH] = { "punch", 2, { ARG_OFFSET, ARG_LEN, ARG_SMALL } },
	[OP_EDU] = { "edu", 6, { ARG_FD, ARG_FLAGS, ARG_ADDR, ARG_LEN } },
	[OP_EDU_END] = { "edu-end", 2 },
	[OP_VMAP] = { "vmap", 3, { ARG_FD, ARG_OFFSET, ARG_LEN, ARG_ADDR, ARG_FLAGS } },
	[OP_ARRAY] = { "array", 6, { ARG_ADDR, ARG_LEN, ARG_FLAGS, ARG_NR } },
	[OP_LIST] = { "list", 8, { ARG_ADDR, ARG_LEN, ARG_FLAGS } },
	[OP_COPY] = { "copy", 3, { ARG_OFFSET, ARG_LEN, ARG_ADDR } },
	[OP_MAP] = { "map", 4, { ARG_OFFSET, ARG_LEN, ARG_FLAGS } },
	[OP_UNPIN] = { "unpin", 3, { ARG_FLAGS } },
	[OP_IMPORT_BUF] = { "import-buf", 8, { ARG_SLOT, ARG_FD, ARG_OFFSET, ARG_LEN, ARG_FLAGS,
					       ARG_SHAPE } },
	[OP_BYTES] = { "bytes", 10, { ARG_FD, ARG_OFFSET, ARG_LEN, ARG_FD, ARG_OFFSET,
				      ARG_SMALL } },
};

uint64_t rnd(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static bool one_in(uint64_t *s, unsigned int n)
{
	return !(rnd(s) % n);
}

/* Arguments */

/* Something near a multiple of something that matters. */
static uint64_t pick_edge(uint64_t *s)
{
	static const unsigned int shifts[] = { 12, 12, 12, 12, 12, 16, 21, 21, 30, 32, 63 };
	uint64_t value = rnd(s) % 20 << shifts[rnd(s) % ARRAY_SIZE(shifts)];

	switch (rnd(s) % 6) {
	case 0:
		return value - 1;
	case 1:
		return value + 1;
	case 2:
		return value + rnd(s) % 4096;
	default:
		return value;
	}
}

static uint64_t pick_len(uint64_t *s)
{
	switch (rnd(s) % 16) {
	case 0:
		return 0;
	case 1:
		return -pick_edge(s);
	case 2:
		return 1ull << rnd(s) % 64;
	case 3:
		return rnd(s);
	case 4:
		return 1;
	case 5:
		return 2ull << 20;
	case 6:
		return 4ull << 20;
	default:
		return pick_edge(s);
	}
}

static uint64_t pick_addr(uint64_t *s)
{
	/* most often one where there is something */
	uint64_t area = rnd(s) % (one_in(s, 8) ? NR_AREAS : NR_MAPPED_AREAS);
	uint64_t offset = one_in(s, 3) ? 0 : pick_edge(s);

	if (!one_in(s, 8) && area < NR_MAPPED_AREAS)
		offset %= world_len(area);
	if (one_in(s, 10))
		offset = -offset;
	return area << 56 | (offset & ~0ull >> 8);
}

static uint64_t pick_size(uint64_t *s)
{
	static const uint64_t sizes[] = {
		sizeof(struct phyr_info), sizeof(struct phyr_pin), sizeof(struct phyr_query),
		sizeof(struct phyr_ranges), sizeof(struct phyr_import), PAGE, PAGE + 1, 0, 4,
	};

	/* 0x8000: as long as it is known to be, plus what is below */
	switch (rnd(s) % 16) {
	case 0:
		return sizes[rnd(s) % ARRAY_SIZE(sizes)];
	case 1:
		return 0x8000 + rnd(s) % 64;
	case 2:
		return 0x8000 - rnd(s) % 16;
	case 3:
		return rnd(s) & 0x1fff;
	case 4:
		return (uint32_t)rnd(s);
	default:
		return 0x8000;
	}
}

static uint64_t pick_flags(uint64_t *s)
{
	switch (rnd(s) % 16) {
	case 0:
		return rnd(s);
	case 1:
		return 1ull << rnd(s) % 64;
	case 2: case 3: case 4:
		return rnd(s) % 64;
	case 5: case 6: case 7:
		return rnd(s) % 8;
	default:
		return rnd(s) % 2;
	}
}

static uint64_t pick_cmd(uint64_t *s)
{
	static const uint32_t known[] = {
		PHYR_IOC_INFO, PHYR_IOC_PIN, PHYR_IOC_QUERY, PHYR_IOC_RANGES, PHYR_IOC_IMPORT,
		PHYR_IOC_COPY, PHYR_IOC_FILL, PHYR_IOC_COMPARE, PHYR_IOC_CRC32C,
		PHYR_IOC_RW,
		DMA_BUF_IOCTL_SYNC, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		DMA_BUF_IOCTL_IMPORT_SYNC_FILE, DMA_BUF_SET_NAME,
	};
	uint32_t cmd = known[rnd(s) % ARRAY_SIZE(known)];

	switch (rnd(s) % 4) {
	case 0:
		return cmd ^ 1u << rnd(s) % 32;
	case 1:
		return (cmd & ~IOCSIZE_MASK) | (rnd(s) << _IOC_SIZESHIFT & IOCSIZE_MASK);
	case 2:
		return (uint32_t)rnd(s);
	default:
		return cmd;
	}
}

static uint64_t pick_arg(enum arg arg, uint64_t *s)
{
	switch (arg) {
	case ARG_SLOT:
		return rnd(s) % (one_in(s, 4) ? 8 : 2);
	case ARG_FD:
		return rnd(s) % (one_in(s, 8) ? 24 : one_in(s, 4) ? 8 : 2);
	case ARG_ADDR:
		return pick_addr(s);
	case ARG_LEN:
		return pick_len(s);
	case ARG_OFFSET:
		return one_in(s, 3) ? 0 : pick_edge(s);
	case ARG_NR:
		return one_in(s, 8) ? rnd(s) : 1 + rnd(s) % (one_in(s, 2) ? 4 : 700);
	case ARG_SIZE:
		return pick_size(s);
	case ARG_SHAPE:
		return one_in(s, 3) ? rnd(s) % 128 : 0;
	case ARG_FLAGS:
		return pick_flags(s);
	case ARG_CMD:
		return pick_cmd(s);
	case ARG_SMALL:
		return rnd(s) % 32;
	default:
		return 0;
	}
}

/* Making programs */

static unsigned int pick_op(uint64_t *s)
{
	unsigned int sum = 0, at, op;

	for (op = 0; op < NR_OPS; op++)
		sum += ops[op].weight;
	at = (unsigned int)(rnd(s) % sum);
	for (op = 0; at >= ops[op].weight; op++)
		at -= ops[op].weight;
	return op;
}

static void call_generate(struct call *c, uint64_t *s)
{
	*c = (struct call) { .op = (uint8_t)pick_op(s) };
	for (unsigned int i = 0; i < CALL_ARGS; i++)
		c->arg[i] = pick_arg(ops[c->op].args[i], s);
	if (one_in(s, 16))
		c->fail = (uint16_t)(1 + rnd(s) % (one_in(s, 4) ? 200 : 20));
}

static void scatter_threads(struct program *p, uint64_t *s)
{
	for (unsigned int i = 0; i < p->nr; i++)
		p->call[i].thread = (uint8_t)(rnd(s) % PROGRAM_THREADS);
}

void program_generate(struct program *p, uint64_t *s)
{
	p->nr = (unsigned int)(2 + rnd(s) % (PROGRAM_CALLS - 2));
	for (unsigned int i = 0; i < p->nr; i++)
		call_generate(&p->call[i], s);
	if (p->call[0].op != OP_PIN && !one_in(s, 8)) {
		p->call[0] = (struct call) { .op = OP_PIN, .arg = { 0, pick_addr(s) } };
		p->call[0].arg[2] = pick_edge(s);
		p->call[0].arg[3] = rnd(s) % 2;
		p->call[0].arg[4] = 0x8000;
	}
	if (one_in(s, 5))
		scatter_threads(p, s);
}

static void call_remove(struct program *p, unsigned int at)
{
	memmove(&p->call[at], &p->call[at + 1], (p->nr - at - 1) * sizeof(p->call[0]));
	p->nr--;
}

static void call_insert(struct program *p, unsigned int at, const struct call *c)
{
	if (p->nr == PROGRAM_CALLS)
		call_remove(p, p->nr - 1);
	if (at > p->nr)
		at = p->nr;
	memmove(&p->call[at + 1], &p->call[at], (p->nr - at) * sizeof(p->call[0]));
	p->call[at] = *c;
	p->nr++;
}

/* A bit of a number, a bit more or less of it, or another one. */
static void arg_mutate(struct call *c, uint64_t *s)
{
	unsigned int i = 0;
	uint64_t *arg;

	while (i < CALL_ARGS && ops[c->op].args[i])
		i++;
	if (!i)
		return;
	i = (unsigned int)(rnd(s) % i);
	arg = &c->arg[i];
	switch (rnd(s) % 8) {
	case 0:
		*arg ^= 1ull << rnd(s) % 64;
		break;
	case 1:
		*arg += 1ull << rnd(s) % 32;
		break;
	case 2:
		*arg -= 1ull << rnd(s) % 32;
		break;
	case 3:
		(*arg)++;
		break;
	case 4:
		(*arg)--;
		break;
	default:
		*arg = pick_arg(ops[c->op].args[i], s);
	}
}

static void mutate_once(struct program *p, const struct program *other, uint64_t *s)
{
	unsigned int at = (unsigned int)(rnd(s) % p->nr);
	struct call *c = &p->call[at], fresh;

	switch (rnd(s) % 16) {
	case 0: case 1: case 2:
		call_generate(&fresh, s);
		fresh.thread = c->thread;
		call_insert(p, at + 1, &fresh);
		break;
	case 3:
		if (p->nr > 1)
			call_remove(p, at);
		break;
	case 4: case 5:
		for (unsigned int i = (unsigned int)(rnd(s) % other->nr); i < other->nr; i++)
			call_insert(p, at++, &other->call[i]);
		break;
	case 6:
		fresh = *c;
		call_insert(p, (unsigned int)(rnd(s) % (p->nr + 1)), &fresh);
		break;
	case 7:
		if (one_in(s, 2))
			scatter_threads(p, s);
		else
			c->thread = (uint8_t)(rnd(s) % PROGRAM_THREADS);
		break;
	case 8: case 9:
		c->fail = one_in(s, 4) ? 0 : (uint16_t)(c->fail + 1 + rnd(s) % 8) % 400;
		break;
	default:
		arg_mutate(c, s);
	}
}

void program_mutate(struct program *p, const struct program *other, uint64_t *s)
{
	unsigned int times = (unsigned int)(1 + rnd(s) % 5);

	while (times--)
		mutate_once(p, other, s);
}

bool program_has_threads(const struct program *p)
{
	for (unsigned int i = 1; i < p->nr; i++)
		if (p->call[i].thread != p->call[0].thread)
			return true;
	return false;
}

/* Text */

static size_t addr_print(uint64_t arg, char *text, size_t size)
{
	int64_t offset = (int64_t)(arg << 8) >> 8;

	return (size_t)snprintf(text, size, " %s%c0x%llx", world_name(arg >> 56),
				offset < 0 ? '-' : '+',
				(unsigned long long)(offset < 0 ? -offset : offset));
}

size_t call_print(const struct call *c, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "%u %u %s", c->thread, c->fail, ops[c->op].name);

	for (unsigned int i = 0; i < CALL_ARGS && ops[c->op].args[i]; i++) {
		if (ops[c->op].args[i] == ARG_ADDR)
			n += addr_print(c->arg[i], text + n, size - n);
		else
			n += (size_t)snprintf(text + n, size - n, " 0x%llx",
					      (unsigned long long)c->arg[i]);
	}
	return n;
}

size_t program_print(const struct program *p, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned int i = 0; i < p->nr; i++) {
		n += call_print(&p->call[i], text + n, size - n);
		text[n++] = '\n';
	}
	text[n] = '\0';
	return n;
}

static bool addr_read(const char *word, uint64_t *arg)
{
	size_t len = strlen(word);
	uint64_t offset;
	int area;

	while (len && word[len] != '+' && word[len] != '-')
		len--;
	area = world_find(word, len);
	if (!len || area < 0)
		return false;
	offset = strtoull(word + len + 1, NULL, 16);
	if (word[len] == '-')
		offset = -offset;
	*arg = (uint64_t)area << 56 | (offset & ~0ull >> 8);
	return true;
}

static bool call_read(struct call *c, char *line)
{
	char *thread = strtok(line, BLANKS), *fail = strtok(NULL, BLANKS);
	char *name = strtok(NULL, BLANKS), *word;
	unsigned int op = 0, i;

	if (!name)
		return false;
	while (op < NR_OPS && strcmp(ops[op].name, name))
		op++;
	if (op == NR_OPS)
		return false;
	*c = (struct call) {
		.op = (uint8_t)op, .fail = (uint16_t)atoi(fail),
		.thread = (uint8_t)((unsigned int)atoi(thread) % PROGRAM_THREADS),
	};
	for (i = 0; i < CALL_ARGS && ops[op].args[i]; i++) {
		word = strtok(NULL, BLANKS);
		if (!word)
			return false;
		if (ops[op].args[i] != ARG_ADDR)
			c->arg[i] = strtoull(word, NULL, 16);
		else if (!addr_read(word, &c->arg[i]))
			return false;
	}
	return true;
}

/* Programs are parted by blank lines and by lines that begin with "#". */
int program_read(struct program *p, FILE *f)
{
	char line[300], copy[300];

	p->nr = 0;
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '\n' || line[0] == '#') {
			if (p->nr)
				return 1;
			continue;
		}
		memcpy(copy, line, sizeof(copy));
		if (p->nr == PROGRAM_CALLS || !call_read(&p->call[p->nr], copy)) {
			fprintf(stderr, "not a call: %s", line);
			return -1;
		}
		p->nr++;
	}
	return p->nr ? 1 : 0;
}
