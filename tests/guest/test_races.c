// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is pinned while another thread changes what is mapped: takes it away,
 * moves it, forks, forbids it, or has its faults handled by a program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/race.h"

static void trouble_munmap(struct race *race)
{
	char *addr = race->mem.addr + race->len / 4;

	must(!munmap(addr, race->len / 2));
	must(mmap(addr, race->len / 2, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr);
	memset(addr, 0, 8 * PAGE);
}

static void trouble_mremap(struct race *race)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *addr = race->mem.addr, *elsewhere = race->elsewhere;

	must(mremap(addr, race->len, race->len, flags, elsewhere) == elsewhere);
	must(mremap(elsewhere, race->len, race->len, flags, addr) == addr);
}

static void trouble_dontneed(struct race *race)
{
	must(!madvise(race->mem.addr + race->len / 4 + PAGE, race->len / 2, MADV_DONTNEED));
	race->mem.addr[race->len / 2] = 0;
}

static void trouble_punch(struct race *race)
{
	must(!fallocate(race->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, race->len / 4,
			race->len / 2));
}

static void trouble_truncate(struct race *race)
{
	must(!ftruncate(race->mem.fd, race->len / 2));
	must(!ftruncate(race->mem.fd, race->len));
}

static void trouble_fork(struct race *race)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		for (size_t i = 0; i < race->len; i += 16 * PAGE)
			race->mem.addr[i + 100] = 1;
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
}

static void trouble_mprotect(struct race *race)
{
	must(!mprotect(race->mem.addr, race->len, PROT_READ));
	must(!mprotect(race->mem.addr, race->len, PROT_NONE));
	must(!mprotect(race->mem.addr, race->len, RW));
}

/* No entry can be written, until each is found to have been allowed to. */
static void trouble_soft_dirty(struct race *race)
{
	(void)race;
	must(!write_file("/proc/self/clear_refs", "4"));
}

static void trouble_accessed(struct race *race)
{
	(void)race;
	must(!write_file("/proc/self/clear_refs", "1"));
}

/* Faults that a program handles */

struct faults {
	int fd;
	int stop[2];
	char *source;		/* what each page is to be */
	struct race *race;
	pthread_t thread;
};

static void fault_copy(struct faults *faults, uint64_t addr)
{
	uint64_t at = (addr & ~(PAGE - 1)) - (uintptr_t)faults->race->mem.addr;
	struct uffdio_copy copy = {
		.dst = addr & ~(PAGE - 1),
		.src = (uintptr_t)faults->source + at,
		.len = PAGE,
	};

	/* EEXIST: somebody was faster; EAGAIN: the mapping is changing */
	if (ioctl(faults->fd, UFFDIO_COPY, &copy)) {
		struct uffdio_range range = { .start = copy.dst, .len = PAGE };

		must(errno == EEXIST || errno == EAGAIN);
		must(!ioctl(faults->fd, UFFDIO_WAKE, &range));
	}
}

/* All of it: a pin should not have to wait for each page. */
static int protect(struct faults *faults, uint64_t mode)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)faults->race->mem.addr, faults->race->len },
		.mode = mode,
	};

	return ioctl(faults->fd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

static void *faults_thread(void *arg)
{
	struct faults *faults = arg;
	struct pollfd fds[] = {
		{ .fd = faults->fd, .events = POLLIN }, { .fd = faults->stop[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (read(faults->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		must(msg.event == UFFD_EVENT_PAGEFAULT);
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			protect(faults, 0);
		else
			fault_copy(faults, msg.arg.pagefault.address);
	}
	return NULL;
}

static void faults_begin(struct race *race, uint64_t mode)
{
	struct faults *faults = calloc(1, sizeof(*faults));
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)race->mem.addr, race->len }, .mode = mode,
	};

	must(faults);
	faults->race = race;
	faults->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	must(faults->fd >= 0 && !ioctl(faults->fd, UFFDIO_API, &api));
	must(!ioctl(faults->fd, UFFDIO_REGISTER, &reg));
	faults->source = mmap(NULL, race->len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(faults->source != MAP_FAILED);
	race_mark(faults->source, race->len);
	must(!pipe(faults->stop));
	race->more = faults;
	must(!pthread_create(&faults->thread, NULL, faults_thread, faults));
}

static void missing_begin(struct race *race)
{
	faults_begin(race, UFFDIO_REGISTER_MODE_MISSING);
}

static void protect_begin(struct race *race)
{
	faults_begin(race, UFFDIO_REGISTER_MODE_WP);
}

static void faults_end(struct race *race)
{
	struct faults *faults = race->more;

	must(write(faults->stop[1], "x", 1) == 1);
	must(!pthread_join(faults->thread, NULL));
	close(faults->stop[0]);
	close(faults->stop[1]);
	close(faults->fd);
	must(!munmap(faults->source, race->len));
	free(faults);
}

/* What is gone is what it was when it comes back. */
static void trouble_missing(struct race *race)
{
	must(!madvise(race->mem.addr + race->len / 4, race->len / 2, MADV_DONTNEED));
}

static void trouble_protect(struct race *race)
{
	int error = protect(race->more, UFFDIO_WRITEPROTECT_MODE_WP);

	must(!error || error == EAGAIN);
}

static const struct trouble troubles[] = {
	{ "munmap", "4 KiB pages", trouble_munmap, false, false, NULL, NULL, NULL },
	{ "munmap", "THP 2 MiB", trouble_munmap, false, false, NULL, NULL, NULL },
	{ "mremap", "4 KiB pages", trouble_mremap, true, false, NULL, NULL, NULL },
	{ "mremap", "THP 2 MiB", trouble_mremap, true, false, NULL, NULL, NULL },
	{ "mremap", "hugetlb 2 MiB", trouble_mremap, true, false, NULL, NULL, NULL },
	{ "madvise(DONTNEED)", "4 KiB pages", trouble_dontneed, false, false, NULL, NULL, NULL },
	{ "madvise(DONTNEED)", "THP 2 MiB", trouble_dontneed, false, false, NULL, NULL, NULL },
	{ "punch a hole", "memfd", trouble_punch, false, false, NULL, NULL, NULL },
	{ "punch a hole", "memfd 2 MiB", trouble_punch, false, false, NULL, NULL, NULL },
	{ "truncate", "memfd", trouble_truncate, false, false, NULL, NULL, NULL },
	{ "fork and exit", "4 KiB pages", trouble_fork, true, true, NULL, NULL, NULL },
	{ "fork and exit", "mTHP 64 KiB", trouble_fork, true, true, NULL, NULL, NULL },
	{ "fork and exit", "THP 2 MiB", trouble_fork, true, true, NULL, NULL, NULL },
	{ "fork and exit", "hugetlb 2 MiB", trouble_fork, true, true, NULL, NULL, NULL },
	{ "fork and exit", "memfd", trouble_fork, true, true, NULL, NULL, NULL },
	{ "mprotect", "4 KiB pages", trouble_mprotect, true, false, NULL, NULL, NULL },
	{ "mprotect", "THP 2 MiB", trouble_mprotect, true, false, NULL, NULL, NULL },
	{ "mprotect", "hugetlb 2 MiB", trouble_mprotect, true, false, NULL, NULL, NULL },
	{ "soft-dirty", "4 KiB pages", trouble_soft_dirty, true, true, NULL, NULL, NULL },
	{ "soft-dirty", "mTHP 64 KiB", trouble_soft_dirty, true, true, NULL, NULL, NULL },
	{ "soft-dirty", "THP 2 MiB", trouble_soft_dirty, true, true, NULL, NULL, NULL },
	{ "accessed bits", "THP 2 MiB", trouble_accessed, true, true, NULL, NULL, NULL },
	{ "userfaultfd, missing", "4 KiB pages", trouble_missing, true, false,
	  missing_begin, faults_end, NULL },
	{ "userfaultfd, protected", "4 KiB pages", trouble_protect, true, true,
	  protect_begin, faults_end, NULL },
	{ "userfaultfd, protected", "THP 2 MiB", trouble_protect, true, true,
	  protect_begin, faults_end, NULL },
};

int main(void)
{
	return race_run("races", troubles, ARRAY_SIZE(troubles), NULL, 0);
}
