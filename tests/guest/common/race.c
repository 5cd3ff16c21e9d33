// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#define LEN_SMALL	(128 * KIB)
#define LEN_HUGE	(4 * MIB)
#define LOOK_EACH	8	/* rounds; between them there is a race, and nothing else */
#define SOME_ROUNDS	(3 * LOOK_EACH)
#define SOME_TURNS	10

uint64_t race_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Where the kernel watches, races are what it is there for. */
static uint64_t race_ms(void)
{
	const char *ms = getenv("PHYR_RACE_MS");

	if (ms)
		return strtoull(ms, NULL, 10);
	return access("/sys/kernel/debug/kmemleak", F_OK) ? 250 : 3500;
}

static unsigned int race_wanted(void)
{
	const char *rounds = getenv("PHYR_RACE_ROUNDS");

	return rounds ? (unsigned int)strtoul(rounds, NULL, 10) : SOME_ROUNDS;
}

bool race_over(uint64_t start, unsigned int rounds)
{
	return rounds >= race_wanted() && race_now() - start >= race_ms();
}

void race_mark(char *addr, size_t len)
{
	for (size_t i = 0; i < len / PAGE; i++) {
		*(uint32_t *)(addr + i * PAGE) = (uint32_t)i + 1;
		*(uint32_t *)(addr + (i + 1) * PAGE - 4) = (uint32_t)i + 1;
	}
}

static bool marked(const volatile char *addr, size_t page, bool or_zero)
{
	uint32_t first = *(const volatile uint32_t *)addr;
	uint32_t last = *(const volatile uint32_t *)(addr + PAGE - 4);

	if (or_zero && (!first || !last))
		return true;
	return first == page + 1 && last == page + 1;
}

static void *trouble_thread(void *arg)
{
	struct race *race = arg;

	while (!race->stop) {
		race->trouble->once(race);
		race->turns++;
		usleep(race->turns * 37 % 1500);	/* let pins through, too */
	}
	return NULL;
}

/* Did it work?  If not, then for a reason. */
static bool worked(struct race *race, int error)
{
	if (!error) {
		race->good++;
		return true;
	}
	race->refused++;
	errno = error;
	must(error == EFAULT || error == ENOMEM || error == EAGAIN || error == EBUSY);
	usleep(race->refused * 23 % 500);
	return false;
}

/* One in so many pages, not always the same ones: a round should be short. */
static size_t page_step(const struct race *race)
{
	return race->len / PAGE / 6 + 3;
}

/*
 * Address space that nothing else is put into. Without it, a new mapping could
 * come to lie where the other thread has just made a hole.
 */
static char *reserve(char *at, size_t len)
{
	char *addr = mmap(at, len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	must(addr != MAP_FAILED);
	return addr;
}

/* A mapping of the region has what the process has. */
static void check_mapping(struct race *race, int region, unsigned int round, bool write)
{
	volatile char *map = mmap(race->window, race->len, write ? RW : PROT_READ,
				  MAP_SHARED | MAP_FIXED, region, 0);
	const bool place = write && race->trouble->place;

	must(map == race->window);
	for (size_t page = round % 5; page < race->len / PAGE; page += page_step(race)) {
		const size_t at = page * PAGE;
		volatile uint32_t *theirs = (volatile uint32_t *)(race->mem.addr + at + 16);
		volatile uint32_t *ours = (volatile uint32_t *)(map + at + 16);

		must(marked(map + at, page, !race->trouble->content));
		if (!place)
			continue;
		*ours = round;
		must(*theirs == round);
		*theirs = ~round;
		must(*ours == ~round);
	}
	reserve(race->window, race->len);
}

static void region_round(struct race *race, unsigned int flags, unsigned int round)
{
	struct phyr_query query = { .size = sizeof(query) };
	int region = phyr_pin(dev, race->mem.addr, race->len, flags);

	if (!worked(race, region < 0 ? -region : 0))
		return;
	must(!phyr_query(dev, region, &query));
	must(query.bytes == race->len && query.kind_bytes[PHYR_KIND_RAM] == race->len);
	must(query.pages == race->len / PAGE);
	check_mapping(race, region, round, flags & PHYR_PIN_WRITE);
	close(region);
}

static void check_content(struct race *race, int fd, size_t page)
{
	char copy[PAGE];

	must(!driver_copy(fd, page * PAGE, copy, PAGE, 0));
	must(marked(copy, page, !race->trouble->content));
}

/* What the kernel writes through the pin is what the process finds. */
static void check_place(struct race *race, int fd, size_t page, uint32_t value)
{
	volatile uint32_t *at = (uint32_t *)(race->mem.addr + page * PAGE + 8);

	must(!driver_copy(fd, page * PAGE + 8, &value, 4, PT_WRITE));
	must(*at == value);
}

/* What the process writes is what the kernel finds: also where it only reads. */
static void check_seen(struct race *race, int fd, size_t page, uint32_t value)
{
	volatile uint32_t *at = (uint32_t *)(race->mem.addr + page * PAGE + 12);
	uint32_t found;

	*at = value;
	must(!driver_copy(fd, page * PAGE + 12, &found, 4, 0));
	must(found == value);
}

static void list_round(struct race *race, int fd, unsigned int flags, unsigned int round)
{
	if (!worked(race, driver_add(fd, race->mem.addr, race->len, flags)))
		return;
	for (size_t page = round % 7; page < race->len / PAGE; page += page_step(race)) {
		check_content(race, fd, page);
		if (flags & PT_WRITE && race->trouble->place)
			check_place(race, fd, page, round * 1000 + (uint32_t)page);
		if (flags && race->trouble->place)
			check_seen(race, fd, page, round * 2000 + (uint32_t)page);
	}
	driver_unpin(fd, flags & PT_WRITE ? PT_DIRTY : 0);
}

static const unsigned int list_flags[] = { 0, PT_LONGTERM, PT_WRITE | PT_LONGTERM };

/* Pins, and looks at what that is. */
static void round_with_look(struct race *race, int fd, unsigned int i)
{
	region_round(race, i / LOOK_EACH & 1 ? PHYR_PIN_WRITE : 0, i);
	list_round(race, fd, PT_WRITE, i);
	list_round(race, fd, list_flags[i / LOOK_EACH % ARRAY_SIZE(list_flags)], i);
}

/* Pins and unpins. */
static void round_short(struct race *race, int fd, unsigned int i)
{
	unsigned int flags = i & 1 ? PT_WRITE : list_flags[i / 2 % ARRAY_SIZE(list_flags)];

	if (worked(race, driver_add(fd, race->mem.addr, race->len, flags)))
		driver_unpin(fd, flags & PT_WRITE ? PT_DIRTY : 0);
}

static unsigned int race_rounds(struct race *race, int fd)
{
	uint64_t start = race_now();
	unsigned int i;

	for (i = 0; !race_over(start, i) ||
	     (race->turns < SOME_TURNS && i < 200 * SOME_ROUNDS); i++) {
		if (i % LOOK_EACH)
			round_short(race, fd, i);
		else
			round_with_look(race, fd, i);
	}
	return i;
}

static void race_map(struct race *race)
{
	const struct mem_kind *kind = mem_find(race->trouble->kind);

	race->len = kind->page > PAGE ? LEN_HUGE : LEN_SMALL;
	must(!mem_map(&race->mem, kind, race->len));
	race->window = reserve(NULL, race->len);
	race->elsewhere = reserve(NULL, race->len + 2 * MIB);
	race->elsewhere += 2 * MIB - (uintptr_t)race->elsewhere % (2 * MIB);
	race_mark(race->mem.addr, race->len);
}

static void race_child(void *arg)
{
	struct race race = { .trouble = arg };
	int fd = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	unsigned int rounds;
	pthread_t thread;

	must(fd >= 0);
	race_map(&race);
	if (race.trouble->begin)
		race.trouble->begin(&race);
	must(!pthread_create(&thread, NULL, trouble_thread, &race));
	rounds = race_rounds(&race, fd);
	race.stop = true;
	must(!pthread_join(thread, NULL));
	if (race.trouble->end)
		race.trouble->end(&race);
	dprintf(1, "# %s, %s: %u turns, %u rounds, %u pins, %u refused\n", race.trouble->name,
		race.trouble->kind, race.turns, rounds, race.good, race.refused);
	must(race.turns > 0);
	must(race.good || !race.trouble->place);
	must(!race.refused || !race.trouble->place);
	must(fixture_status("VmPin:") == 0);
}

static void test_race(void **state)
{
	struct trouble *trouble = *state;
	const char *why = trouble->missing ? trouble->missing() : NULL;

	if (why) {
		print_message("# %s\n", why);
		skip();
	}
	child_run(race_child, trouble);
}

int race_run(const char *name, const struct trouble *troubles, size_t nr,
	     const struct CMUnitTest *others, size_t nr_others)
{
	struct CMUnitTest *tests = calloc(nr + nr_others, sizeof(*tests));
	char *title;

	if (!tests)
		abort();
	for (size_t i = 0; i < nr; i++) {
		if (asprintf(&title, "%s: %s", troubles[i].name, troubles[i].kind) < 0)
			abort();
		tests[i] = (struct CMUnitTest) {
			.name = title,
			.test_func = test_race,
			.teardown_func = fixture_nothing_left,
			.initial_state = (void *)&troubles[i],
		};
	}
	memcpy(tests + nr, others, nr_others * sizeof(*tests));
	return fixture_run_tests(name, tests, nr + nr_others);
}
