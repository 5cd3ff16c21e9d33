// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of what programs can do with /dev/phyr: it makes up programs of a few
 * calls, runs them in several threads and processes, and keeps those that take
 * phyr's code to a new place, to make others of.
 *
 *	debug_fuzz [OPTION]… [SECONDS]
 *
 *	--seed N	what follows from it is the same each time, but for races
 *	--procs N	processes at a time [2]
 *	--dir DIR	where the corpus and the last programs are kept
 *			[/phyr/build/fuzz]
 *	--fresh		begins without the corpus that is there
 *	--replay FILE	runs the programs of a file, and prints what each call gives
 *	--times N	and does that as often [1]
 *
 * The kernel looks for what is wrong with itself; here it is seen to that an
 * answer goes with its question, and that in the end nothing is left. Where KCOV
 * is missing, the results of calls show the way.
 *
 * What ran last is in DIR/last-N, for --replay, even if the kernel died of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "common/fixture.h"
#include "fuzz/calls.h"
#include "fuzz/corpus.h"
#include "fuzz/world.h"

#define BATCH		400u		/* programs that a process runs */
#define BATCH_MS	15000
#define HANG_MS		180000
#define SAY_MS		5000
#define LAST		16u		/* programs that are remembered */
#define LAST_SIZE	(PROGRAM_TEXT + 256)

static struct {
	unsigned int seconds;
	unsigned long seed;
	unsigned int procs;
	const char *dir;
	bool fresh;
	const char *replay;
	unsigned int times;
} options = { .seconds = 45, .procs = 2, .dir = "/phyr/build/fuzz", .times = 1 };

struct worker {
	pid_t pid;
	unsigned long runs;		/* as of @since */
	uint64_t since;
};

static struct worker workers[WORKERS_MAX];
static uint64_t started;

/* Programs to begin with: what regions are for. */
static const char *const beginnings =
	"0 0 pin 0x0 small+0x0 0x10000 0x1 0x8000 0x0\n"
	"0 0 query 0x0 0x8000 0x0\n"
	"0 0 ranges 0x0 0x1234 out+0x0 0x10 0x8000 0x0\n"
	"0 0 mmap 0x0 0x0 0x0 0x10000 0x1\n"
	"0 0 touch window+0x3000 0x1\n"
	"0 0 sync 0x0 0x3\n"
	"0 0 sync 0x0 0x7\n"
	"0 0 close 0x0\n"
	"0 0 touch window+0x4000 0x0\n"
	"\n"
	"0 0 pin 0x0 mixed+0x0 0x800000 0x0 0x8000 0x0\n"
	"0 0 edu 0x0 0x0 null+0x0 0x0\n"
	"0 0 edu-end\n"
	"0 0 edu 0x0 0x2 null+0x0 0x0\n"
	"0 0 sync 0x0 0x1\n"
	"0 0 sync 0x0 0x5\n"
	"\n"
	"0 0 pin 0x0 thp+0x1000 0x300000 0x1 0x8000 0x20\n"
	"0 0 vmap 0x0 0x10 0x1000 small+0x0 0x1\n"
	"0 0 edu 0x0 0x3 null+0x0 0x0\n"
	"0 0 dup 0x0 0x1\n"
	"0 0 pass 0x1 0x4\n"
	"\n"
	"0 0 import-buf 0x0 0x9 0x0 0x0 0x1 0x0\n"
	"0 0 import-buf 0x1 0x0 0x1000 0x2000 0x1 0x0\n"
	"0 0 ranges 0x1 0x123 out+0x0 0x10 0x8000 0x0\n"
	"0 0 mmap 0x1 0x0 0x0 0x2000 0x1\n"
	"0 0 touch window+0x1000 0x1\n"
	"0 0 edu 0x1 0x3 null+0x0 0x0\n"
	"0 0 sync 0x1 0x3\n"
	"0 0 sync 0x1 0x7\n"
	"0 0 close 0x0\n"
	"0 0 vmap 0x1 0x10 0x1000 small+0x0 0x1\n"
	"\n"
	"0 0 list small+0x10 0x8000 0x1\n"
	"0 0 list thp+0x0 0x200000 0x1\n"
	"0 0 map 0x0 0x100000 0x0\n"
	"0 0 copy 0x20 0x1000 zero+0x0\n"
	"0 0 unpin 0x8\n"
	"0 0 array memfd+0x0 0x10000 0x1 0x10\n"
	"0 0 map 0x0 0x0 0x1\n"
	"0 0 unpin 0x38\n"
	"\n"
	"0 0 user 0x1\n"
	"0 0 rlimit 0x20000\n"
	"0 0 pin 0x0 huge+0x0 0x200000 0x1 0x8000 0x0\n"
	"0 0 pin 0x1 small+0x0 0x4000 0x1 0x8000 0x0\n"
	"0 0 ranges 0x1 0x0 out+0x0 0x10 0x8000 0x0\n"
	"0 0 pin 0x0 bar+0x0 0x4000 0x1 0x8000 0x0\n"
	"\n"
	"0 0 pin 0x0 gigantic+0x0 0x40000000 0x1 0x8000 0x0\n"
	"1 0 pin 0x1 devdax+0x0 0x400000 0x1 0x8000 0x0\n"
	"2 0 query 0x0 0x8000 0x0\n"
	"2 0 close 0x0\n"
	"1 0 madvise gigantic+0x0 0x200000 0x0\n";

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool time_over(void)
{
	return now_ms() - started >= options.seconds * 1000ull;
}

static const char *in_dir(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", options.dir, name);
	return path;
}

/* A process */

static int last_open(unsigned int nr)
{
	char name[16];

	snprintf(name, sizeof(name), "last-%u", nr);
	return open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

/* Where it will be found if this is the end. */
static void last_note(int fd, unsigned long n, const struct program *p)
{
	char text[LAST_SIZE];
	size_t len = (size_t)snprintf(text, sizeof(text), "# program %lu\n", n);

	len += program_print(p, text + len, sizeof(text) - len);
	memset(text + len, '\n', sizeof(text) - len);
	if (pwrite(fd, text, sizeof(text), (off_t)(n % LAST * sizeof(text))) < 0)
		return;
}

static void next_program(struct program *p, uint64_t *seed)
{
	struct program other;

	if (corpus_next_pending(p))
		return;
	if (rnd(seed) % 8 && corpus_pick(p, seed) && corpus_pick(&other, seed))
		program_mutate(p, &other, seed);
	else
		program_generate(p, seed);
}

static void run_batch(unsigned int worker, unsigned long batch)
{
	uint64_t seed = options.seed * 1000003 + batch, begin = now_ms();
	int last = last_open(worker);
	struct program p;

	calls_begin(false);
	for (unsigned int i = 0; i < BATCH && !time_over(); i++) {
		unsigned long n = atomic_fetch_add(&corpus->runs[worker], 1);
		bool leave = now_ms() - begin > BATCH_MS || i == BATCH - 1;

		next_program(&p, &seed);
		last_note(last, n, &p);
		if (calls_run(&p, leave && batch % 2))
			corpus_add(&p);
		if (leave)
			break;
	}
	_exit(0);
}

/* The one that watches them */

static void worker_start(unsigned int i)
{
	static unsigned long batch;
	unsigned long nr = batch++;

	workers[i].since = now_ms();
	workers[i].runs = atomic_load(&corpus->runs[i]);
	workers[i].pid = fork();
	assert_return_code(workers[i].pid, errno);
	if (!workers[i].pid)
		run_batch(i, nr);
}

static void say_stacks(pid_t pid)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do echo \"# $t\"; sed 's/^/#   /' $t/stack; done", pid);
	if (system(command))
		print_message("# no stacks\n");
}

static void worker_ended(struct worker *w, int status)
{
	w->pid = 0;
	if (WIFSIGNALED(status))
		corpus_fail(NULL, "a process died of signal %d (%s)", WTERMSIG(status),
			    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		corpus_fail(NULL, "a process ended with %d", WEXITSTATUS(status));
}

/* Has it ended, or has it been in one program for minutes? */
static void worker_check(unsigned int i)
{
	struct worker *w = &workers[i];
	unsigned long runs = atomic_load(&corpus->runs[i]);
	int status;

	if (!w->pid)
		return;
	if (waitpid(w->pid, &status, WNOHANG) == w->pid) {
		worker_ended(w, status);
	} else if (runs != w->runs) {
		w->runs = runs;
		w->since = now_ms();
	} else if (now_ms() - w->since > HANG_MS) {
		corpus_fail(NULL, "a process hangs, see last-%u", i);
		say_stacks(w->pid);
		kill(w->pid, SIGKILL);
	}
}

static unsigned long all_runs(void)
{
	unsigned long n = 0;

	for (unsigned int i = 0; i < WORKERS_MAX; i++)
		n += atomic_load(&corpus->runs[i]);
	return n;
}

static void say_progress(void)
{
	unsigned int ms = (unsigned int)(now_ms() - started);

	print_message("# %u s: %lu programs (%lu/s), %lu calls, %u places of phyr, %u signals, "
		      "corpus %u\n", ms / 1000, all_runs(), all_runs() * 1000 / (ms ? ms : 1),
		      atomic_load(&corpus->calls), atomic_load(&corpus->places),
		      atomic_load(&corpus->seen), atomic_load(&corpus->nr));
}

static bool any_left(void)
{
	for (unsigned int i = 0; i < options.procs; i++)
		if (workers[i].pid)
			return true;
	return false;
}

static void run_workers(void)
{
	uint64_t said = started;

	do {
		for (unsigned int i = 0; i < options.procs; i++) {
			worker_check(i);
			if (!workers[i].pid && !time_over() && !atomic_load(&corpus->failed))
				worker_start(i);
		}
		if (now_ms() - said >= SAY_MS) {
			said = now_ms();
			say_progress();
			corpus_save(in_dir("corpus"));
		}
		usleep(20000);
	} while (any_left());
}

/* Where the module is, so that places can be looked up in it. */
static unsigned long module_base(void)
{
	unsigned long base = 0;
	FILE *f = fopen("/sys/module/phyr/sections/.text", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lx", &base) != 1)
		base = 0;
	fclose(f);
	return base;
}

static void save_places(void)
{
	unsigned int nr = atomic_load(&corpus->places);
	unsigned long base = module_base();
	FILE *f = fopen(in_dir("places"), "we");

	if (!f)
		return;
	for (unsigned int i = 0; i < nr && i < PLACES_MAX; i++)
		fprintf(f, "%#lx\n", corpus->place[i] - base);
	fclose(f);
}

static void save_failure(void)
{
	char name[64];
	FILE *f;

	snprintf(name, sizeof(name), "failed-%lu", options.seed);
	f = fopen(in_dir(name), "we");
	if (f) {
		fprintf(f, "# %s", corpus->failure);
		fclose(f);
	}
}

/* Points that are to fail may be anywhere, see debug_fault.c. */
static void fail_set_up(void)
{
	static const char *const files[] = {
		"failslab/verbose", "fail_page_alloc/verbose", "fail_usercopy/verbose",
		"failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-highmem", "fail_page_alloc/min-order",
	};
	char path[100];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i]);
		write_file(path, strstr(path, "ignore") ? "N" : "0");
	}
}

static void load_beginnings(void)
{
	FILE *f = fmemopen((void *)beginnings, strlen(beginnings), "r");
	struct program p;

	while (program_read(&p, f) > 0)
		corpus->pending[corpus->nr_pending++] = p;
	fclose(f);
}

static void begin(void)
{
	mkdir(options.dir, 0755);
	corpus_create();
	fail_set_up();
	world_open();
	started = now_ms();
}

static void end(void)
{
	world_close();
	corpus_destroy();
}

static void test_fuzz(void **state)
{
	char failure[sizeof(corpus->failure)], words[ORACLE_WORDS];

	(void)state;
	begin();
	load_beginnings();
	if (!options.fresh && corpus_load(in_dir("corpus")) < 0 && !access(in_dir("corpus"), F_OK))
		print_message("# %s is no corpus\n", in_dir("corpus"));
	print_message("# seed %lu, %u s, %u programs to begin with, %s; last programs in %s\n",
		      options.seed, options.seconds, corpus->nr_pending,
		      kcov_there() ? "KCOV" : "no KCOV", in_dir("last-*"));
	run_workers();
	say_progress();
	corpus_save(in_dir("corpus"));
	save_places();
	/* before the files on DAX are closed, as that waits for their pins */
	if (!oracle_nothing_held(words, sizeof(words))) {
		print_message("# left: %s\n", words);
		corpus_fail(NULL, "left: %s; --replay says what leaves it", words);
	}
	if (atomic_load(&corpus->failed))
		save_failure();
	memcpy(failure, corpus->failure, sizeof(failure));
	assert_true(all_runs());
	end();
	if (failure[0])
		fail_msg("seed %lu: %s", options.seed, failure);
}

static long long pins(void)
{
	return mem_vmstat("nr_foll_pin_acquired") - mem_vmstat("nr_foll_pin_released");
}

static void replay_file(void)
{
	struct program p;
	long long before;
	FILE *f;
	int got;

	calls_begin(true);
	before = pins();
	for (unsigned int i = 0; i < options.times; i++) {
		f = fopen(options.replay, "re");
		must(f);
		while ((got = program_read(&p, f)) > 0) {
			printf("# program\n");
			calls_run(&p, false);
			if (pins() != before)
				corpus_fail(&p, "left: %lld pins", pins() - before);
			before = pins();
		}
		must(!got);
		fclose(f);
	}
	_exit(0);
}

static void test_replay(void **state)
{
	char failure[sizeof(corpus->failure)];
	int status;
	pid_t pid;

	(void)state;
	begin();
	pid = fork();
	assert_return_code(pid, errno);
	if (!pid)
		replay_file();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	memcpy(failure, corpus->failure, sizeof(failure));
	end();
	if (failure[0])
		fail_msg("%s", failure);
	assert_int_equal(status, 0);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "procs", required_argument, NULL, 'p' },
		{ "dir", required_argument, NULL, 'd' },
		{ "fresh", no_argument, NULL, 'f' },
		{ "replay", required_argument, NULL, 'r' },
		{ "times", required_argument, NULL, 't' },
		{ 0 }
	};
	int c;

	options.seed = (unsigned long)time(NULL);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			options.procs = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'd':
			options.dir = optarg;
			break;
		case 'f':
			options.fresh = true;
			break;
		case 'r':
			options.replay = optarg;
			break;
		case 't':
			options.times = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		default:
			exit(2);
		}
	}
	if (optind < argc)
		options.seconds = (unsigned int)strtoul(argv[optind], NULL, 0);
	if (!options.procs || options.procs > WORKERS_MAX)
		options.procs = 2;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest fuzz[] = { fixture_test(test_fuzz) };
	const struct CMUnitTest replay[] = { fixture_test(test_replay) };

	parse(argc, argv);
	if (options.replay)
		return fixture_run(replay);
	return fixture_run(fuzz);
}
