// SPDX-License-Identifier: GPL-2.0-only
/* Runs programs: the threads, what they share, and the end of a program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phyr.h>

#include "../../../examples/edu/edu_ioctl.h"
#include "../kmod/phyr_test_ioctl.h"
#include "corpus.h"
#include "state.h"
#include "world.h"

struct fuzz_state fuzz = {
	.memlock = RLIM_INFINITY, .dev = -1, .edu = -1, .driver = -1, .memfd = -1, .udmabuf = -1,
	.zero_fd = -1, .pagemap = -1, .status_fd = -1,
};

static struct thread threads[PROGRAM_THREADS];
static pthread_barrier_t start_line, finish_line;
static bool verbose;

static void say_result(const struct call *c, int error)
{
	char text[300];

	call_print(c, text, sizeof(text));
	printf("# %s: %s\n", text, error < 0 ? "?" : error ? strerror(error) : "ok");
}

static void run_thread(struct thread *t)
{
	const struct program *p = fuzz.running;

	kcov_reset(&t->kcov);
	t->fresh = 0;
	for (unsigned int i = 0; i < p->nr; i++) {
		const struct call *c = &p->call[i];
		int error;

		if (c->thread != t->nr)
			continue;
		t->fail = c->fail;
		t->failed = false;
		error = call_do(t, c->op, c->arg);
		t->fail = 0;
		if (verbose)
			say_result(c, error);
		t->fresh += corpus_note_result(c, error);
	}
	if (t->nobody)
		syscall(SYS_setresuid, -1, 0, -1);
	t->nobody = false;
}

/* What a thread has to do itself. */
static void thread_join_in(struct thread *t)
{
	kcov_start(&t->kcov);
	t->fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	pthread_barrier_wait(&finish_line);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	thread_join_in(t);
	for (;;) {
		pthread_barrier_wait(&start_line);
		run_thread(t);
		pthread_barrier_wait(&finish_line);
	}
	return NULL;
}

static void end_forks(void)
{
	unsigned int n = atomic_exchange(&fuzz.nr_forks, 0);

	for (unsigned int i = 0; i < n && i < FORKS_MAX; i++) {
		if (fuzz.forks[i] <= 0)
			continue;
		kill(fuzz.forks[i], SIGKILL);
		while (waitpid(fuzz.forks[i], NULL, 0) < 0 && errno == EINTR)
			;
		fuzz.forks[i] = 0;
	}
}

static void memlock_unlimited(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	fuzz.memlock = RLIM_INFINITY;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* The end of every program. */
static void clean_up(void)
{
	struct itimerval no_timer = { 0 };

	setitimer(ITIMER_REAL, &no_timer, NULL);
	ioctl(fuzz.edu, EDU_IOC_UNMAP);
	ioctl(fuzz.driver, PT_IOC_UNPIN, 0);
	ioctl(fuzz.driver, PT_IOC_UNPIN, PT_ARRAY);
	munmap(world_base(AREA_WINDOW), world_len(AREA_WINDOW));
	close_range((unsigned int)fuzz.first_fd, ~0u, 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		atomic_store(&fuzz.slots[i], -1);
	memlock_unlimited();
	must_be(!pinned(), "(%lu KiB)", pinned());
	world_mend();
}

/* What is known of a program before it runs. */
static void look_at(const struct program *p)
{
	fuzz.running = p;
	fuzz.alone = true;
	fuzz.read_only_pins = false;
	for (unsigned int i = 0; i < p->nr; i++) {
		const struct call *c = &p->call[i];

		if (c->thread || c->op == OP_FORK)
			fuzz.alone = false;
		if ((c->op == OP_ARRAY || c->op == OP_LIST) && !(c->arg[2] & PT_WRITE))
			fuzz.read_only_pins = true;
	}
}

static void run_threads(void)
{
	pthread_barrier_wait(&start_line);
	run_thread(&threads[0]);
	pthread_barrier_wait(&finish_line);
}

static void run_alone(void)
{
	run_thread(&threads[0]);
	for (unsigned int i = 1; i < PROGRAM_THREADS; i++) {
		kcov_reset(&threads[i].kcov);
		threads[i].fresh = 0;
	}
}

unsigned int calls_run(const struct program *p, bool leave)
{
	unsigned int fresh = 0;

	look_at(p);
	if (program_has_threads(p) || p->call[0].thread)
		run_threads();
	else
		run_alone();
	end_forks();
	if (leave)
		_exit(0);
	clean_up();
	for (unsigned int i = 0; i < PROGRAM_THREADS; i++)
		fresh += threads[i].fresh + corpus_note_cover(&threads[i].kcov);
	return fresh;
}

/* Beginning */

static void thread_begin(struct thread *t, unsigned int nr)
{
	t->nr = nr;
	t->arg = mmap((void *)(BUFFERS + nr * BUFFERS_APART), ARG_ROOM, RW,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	t->out = mmap((void *)(BUFFERS + nr * BUFFERS_APART + OUT_AT), OUT_ROOM, RW,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	kcov_open(&t->kcov);
	if (nr)
		pthread_create(&t->thread, NULL, thread_main, t);
}

/* What programs open comes behind all that is open now. */
static int fill_up(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd < 63);
	return fd + 1;
}

/* A kernel without 32-bit programs kills who tries. */
static bool compat_there(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		guarded_ioctl32(&threads[0], -1, 0, NULL);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static int udmabuf_open(void)
{
	int file = memfd_create("phyr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;
	struct udmabuf_create create = {
		.memfd = (unsigned int)file, .flags = UDMABUF_FLAGS_CLOEXEC, .size = 4 * PAGE,
	};

	if (ftruncate(file, 4 * PAGE) || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	fd = ioctl(maker, UDMABUF_CREATE, &create);
	close(maker);
	close(file);
	return fd;
}

static void on_alarm(int nr)
{
	(void)nr;
}

/* Nothing here does that by itself. */
static void on_deadly(int nr)
{
	corpus_fail(fuzz.running, "died of signal %d (%s)", nr, strsignal(nr));
	_exit(1);
}

void calls_begin(bool say)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS };
	struct sigaction action = { .sa_handler = on_alarm };

	verbose = say;
	sigaction(SIGALRM, &action, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(deadly); i++)
		signal(deadly[i], on_deadly);
	fuzz.compat = compat_there();
	memlock_unlimited();
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		atomic_store(&fuzz.slots[i], -1);
	world_map();
	fuzz.dev = open("/dev/phyr", O_RDWR | O_CLOEXEC);
	fuzz.edu = open("/dev/edu0", O_RDWR | O_CLOEXEC);
	fuzz.driver = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	fuzz.memfd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz.zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fuzz.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	fuzz.status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	fuzz.udmabuf = udmabuf_open();
	/*
	 * Mapped for the kernel once and for all, as dma-buf warns when that has no memory;
	 * and for udmabuf's own device in both directions, as it keeps the one that is asked
	 * for first, of which DMA-API debugging complains when another one is synced.
	 */
	phyr_import(fuzz.dev, fuzz.udmabuf, 0, 0, PHYR_PIN_WRITE);
	phyr_begin_access(fuzz.udmabuf, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE);
	pthread_barrier_init(&start_line, NULL, PROGRAM_THREADS);
	pthread_barrier_init(&finish_line, NULL, PROGRAM_THREADS);
	for (unsigned int i = 0; i < PROGRAM_THREADS; i++)
		thread_begin(&threads[i], i);
	thread_join_in(&threads[0]);
	fuzz.first_fd = fill_up();
}
