// SPDX-License-Identifier: GPL-2.0-only
#include "corpus.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct corpus *corpus;

void corpus_create(void)
{
	corpus = mmap(NULL, sizeof(*corpus), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (corpus == MAP_FAILED)
		abort();
}

void corpus_destroy(void)
{
	munmap(corpus, sizeof(*corpus));
}

static uint64_t hash(uint64_t a, uint64_t b)
{
	uint64_t state = a * 0x9e3779b97f4a7c15ull ^ b;

	return rnd(&state);
}

/* Sets a bit; true if it was not set. */
static bool map_set(atomic_uchar *map, uint64_t bit)
{
	unsigned char mask = (unsigned char)(1u << bit % 8);

	if (atomic_load_explicit(&map[bit / 8], memory_order_relaxed) & mask)
		return false;
	return !(atomic_fetch_or(&map[bit / 8], mask) & mask);
}

static void note_place(unsigned long pc)
{
	unsigned int n;

	if (!map_set(corpus->place_map, hash(pc, 0) & 0xfffff))
		return;
	n = atomic_fetch_add(&corpus->places, 1);
	if (n < PLACES_MAX)
		corpus->place[n] = pc;
}

static unsigned int note(uint64_t a, uint64_t b)
{
	if (!map_set(corpus->seen_map, hash(a, b) & 0xfffff))
		return 0;
	atomic_fetch_add(&corpus->seen, 1);
	return 1;
}

unsigned int corpus_note_cover(const struct kcov *k)
{
	const unsigned long *pcs;
	size_t n = kcov_seen(k, &pcs);
	unsigned long last = 0;
	unsigned int fresh = 0;

	for (size_t i = 0; i < n; i++) {
		if (note(pcs[i], last)) {
			note_place(pcs[i]);
			fresh++;
		}
		last = pcs[i];
	}
	return fresh;
}

/* Where there is no KCOV this is all that leads the way. */
unsigned int corpus_note_result(const struct call *c, int result)
{
	unsigned int area = c->op == OP_PIN ? (unsigned int)(c->arg[1] >> 56) : 0;

	atomic_fetch_add_explicit(&corpus->calls, 1, memory_order_relaxed);
	return note(1, (uint64_t)c->op << 32 | area << 16 | (unsigned int)result);
}

void corpus_add(const struct program *p)
{
	unsigned int n = atomic_fetch_add(&corpus->nr, 1);

	if (n >= CORPUS_MAX) {
		atomic_fetch_sub(&corpus->nr, 1);
		return;
	}
	corpus->program[n] = *p;
	atomic_store(&corpus->ready[n], true);
}

bool corpus_pick(struct program *p, uint64_t *seed)
{
	unsigned int n = atomic_load(&corpus->nr), i;

	if (n > CORPUS_MAX)
		n = CORPUS_MAX;
	if (!n)
		return false;
	i = (unsigned int)(rnd(seed) % n);
	if (rnd(seed) % 2)
		i = n - 1 - (unsigned int)(rnd(seed) % (n < 32 ? n : 32));
	if (!atomic_load(&corpus->ready[i]))
		return false;
	*p = corpus->program[i];
	return true;
}

bool corpus_next_pending(struct program *p)
{
	unsigned int i = atomic_load(&corpus->todo);

	if (i >= corpus->nr_pending)
		return false;
	i = atomic_fetch_add(&corpus->todo, 1);
	if (i >= corpus->nr_pending)
		return false;
	*p = corpus->pending[i];
	return true;
}

int corpus_load(const char *path)
{
	FILE *f = fopen(path, "re");
	struct program p;
	int n = 0, ret;

	if (!f)
		return -1;
	while ((ret = program_read(&p, f)) > 0 && corpus->nr_pending < CORPUS_MAX) {
		corpus->pending[corpus->nr_pending++] = p;
		n++;
	}
	fclose(f);
	return ret < 0 ? -1 : n;
}

static void save(const struct program *p, FILE *f)
{
	char text[PROGRAM_TEXT];

	program_print(p, text, sizeof(text));
	fprintf(f, "%s\n", text);
}

int corpus_save(const char *path)
{
	char temporary[300];
	int n = 0;
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f)
		return -1;
	for (unsigned int i = 0; i < CORPUS_MAX; i++)
		if (atomic_load(&corpus->ready[i])) {
			save(&corpus->program[i], f);
			n++;
		}
	for (unsigned int i = atomic_load(&corpus->todo); i < corpus->nr_pending; i++, n++)
		save(&corpus->pending[i], f);
	if (fclose(f) || rename(temporary, path))
		return -1;
	return n;
}

void corpus_fail(const struct program *p, const char *format, ...)
{
	char text[PROGRAM_TEXT] = "";
	va_list args;
	int n;

	if (atomic_exchange(&corpus->failed, 1))
		return;
	va_start(args, format);
	n = vsnprintf(corpus->failure, 1500, format, args);
	va_end(args);
	if (p)
		program_print(p, text, sizeof(text));
	snprintf(corpus->failure + n, sizeof(corpus->failure) - (size_t)n, "\n%s", text);
}
