// SPDX-License-Identifier: GPL-2.0-only
/* The calls that programs are made of. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* /dev/phyr */

static int call_open(struct thread *t, const uint64_t *a)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK, O_PATH };
	int fd;

	fail_begin(t);
	fd = open("/dev/phyr", modes[a[1] % ARRAY_SIZE(modes)] | O_CLOEXEC);
	fail_end(t);
	if (fd < 0)
		return errno;
	slot_put(a[0], fd);
	return 0;
}

static int call_info(struct thread *t, const uint64_t *a)
{
	struct phyr_info info = { 0 };
	uint32_t size = size_of(a[0], sizeof(info));
	int error = struct_call(t, PHYR_IOC_INFO, &info, sizeof(info), a[0], a[1]);

	if (error)
		return error;
	must_be(info.page_size == PAGE && info.iova <= 1 && !info.reserved);
	must_be(!t->nobody || (!info.regions && !info.pinned_pages));
	must_be(info.flags == (t->nobody && size > offsetof(struct phyr_info, flags) ?
			       PHYR_INFO_RESTRICTED : 0));
	return 0;
}

static int call_pin(struct thread *t, const uint64_t *a)
{
	uint64_t addr = world_addr(a[1], t->out);
	struct phyr_pin pin = {
		.addr = addr, .len = a[2], .fd = -77,
		.flags = (uint32_t)a[3], .reserved = (uint32_t)(a[3] >> 32),
	};
	int error = struct_call(t, PHYR_IOC_PIN, &pin, sizeof(pin), a[4], a[5]);

	if (error)
		return error;
	must_be(a[3] <= PHYR_PIN_WRITE);
	must_be(pin.addr == addr && pin.len == a[2] && !pin.reserved && pin.flags == a[3]);
	must_be(a[2] && addr + a[2] > addr && addr >= PAGE && (addr + a[2] - 1) >> 47 == 0);
	check_region(t, &pin, addr);
	slot_put(a[0], pin.fd);
	return 0;
}

/* A region that nobody else knows of yet, of @import->dmabuf, which others may close. */
static void check_import(const struct thread *t, const struct phyr_import *import)
{
	struct phyr_query q = { .size = sizeof(q) };
	off_t size = lseek(import->dmabuf, 0, SEEK_END);

	must_be(import->fd >= fuzz.first_fd);
	must_be(fcntl(import->fd, F_GETFD) == FD_CLOEXEC);
	must_be(!phyr_query(fuzz.dev, import->fd, &q));
	must_be(lseek(import->fd, 0, SEEK_END) == (off_t)q.bytes);
	must_be(!(import->flags & PHYR_PIN_WRITE) == !(q.flags & PHYR_QUERY_WRITE));
	must_be(!(q.kinds & 1u << PHYR_KIND_PFNMAP));
	check_sums(t, &q);
	if (import->len)
		must_be(q.bytes == import->len);
	else
		must_be(!fuzz.alone || q.bytes == (uint64_t)size - import->offset);
}

static int call_import_buf(struct thread *t, const uint64_t *a)
{
	const struct phyr_import in = {
		.flags = (uint32_t)a[4], .dmabuf = fd_of(a[1]), .fd = -77,
		.offset = a[2], .len = a[3],
	};
	struct phyr_import import = in;
	int error = struct_call(t, PHYR_IOC_IMPORT, &import, sizeof(import), 0x8000, a[5]);

	if (error)
		return error;
	must_be(import.flags == in.flags && import.flags <= PHYR_PIN_WRITE);
	must_be(import.dmabuf == in.dmabuf && import.offset == in.offset && import.len == in.len);
	check_import(t, &import);
	slot_put(a[0], import.fd);
	return 0;
}

static int call_query(struct thread *t, const uint64_t *a)
{
	struct phyr_query q = { .fd = fd_of(a[0]) };
	int error = struct_call(t, PHYR_IOC_QUERY, &q, sizeof(q), a[1], a[2]);

	if (!error)
		check_sums(t, &q);
	return error;
}

static int call_ranges(struct thread *t, const uint64_t *a)
{
	struct phyr_ranges in = {
		.fd = fd_of(a[0]), .offset = a[1], .ranges = world_addr(a[2], t->out),
		.nr = (uint32_t)a[3], .reserved = a[3] >> 60 == 15,
	};
	struct phyr_ranges ranges = in;
	unsigned char *end = t->out + OUT_ROOM, *at;
	bool ours = in.ranges >= (uintptr_t)t->out && in.ranges < (uintptr_t)end;
	int error;

	memset(t->out, POISON, OUT_ROOM);
	error = struct_call(t, PHYR_IOC_RANGES, &ranges, sizeof(ranges), a[4], a[5]);
	if (!error)
		must_be(!t->nobody && ranges.nr <= in.nr && !in.reserved);
	/* How far it came before an error is its own affair; what lies before is not. */
	at = ours ? (unsigned char *)in.ranges : end;
	for (unsigned char *b = t->out; b < at; b++)
		must_be(*b == POISON);
	if (!error && ours)
		for (unsigned char *b = at + ranges.nr * sizeof(struct phyr_range); b < end; b++)
			must_be(*b == POISON);
	return error;
}

static int call_ioctl(struct thread *t, const uint64_t *a)
{
	return guarded_ioctl(t, fd_of(a[0]), (unsigned int)a[1],
			     (void *)world_addr(a[2], t->out));
}

/* Regions as files and as memory */

static void window_part(uint64_t window, uint64_t offset, char **addr, size_t *size, uint64_t len)
{
	offset = offset % WINDOW_SIZE & ~(PAGE - 1);
	*addr = world_base(AREA_WINDOW) + window % NR_WINDOWS * WINDOW_SIZE + offset;
	*size = len < WINDOW_SIZE - offset ? len : WINDOW_SIZE - offset;
}

static int call_mmap(struct thread *t, const uint64_t *a)
{
	static const int flags[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED | MAP_POPULATE,
				     MAP_PRIVATE, MAP_SHARED_VALIDATE | MAP_SYNC,
				     MAP_SHARED | MAP_LOCKED, MAP_PRIVATE | MAP_ANONYMOUS,
				     MAP_SHARED };
	static const int prots[] = { PROT_READ, RW, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC,
				     RW, RW, PROT_READ };
	char *window;
	size_t size;
	void *got;

	/* bits 2 up say how, so that most often it is PROT_READ or RW, MAP_SHARED */
	window_part(a[1], 0, &window, &size, a[3]);
	fail_begin(t);
	got = mmap(window, size, prots[(a[4] & 1) | (a[4] >> 1 & 6)],
		   flags[a[4] >> 4 & 7] | MAP_FIXED, fd_of(a[0]), (off_t)a[2]);
	fail_end(t);
	return got == MAP_FAILED ? errno : 0;
}

static int call_munmap(struct thread *t, const uint64_t *a)
{
	char *addr;
	size_t size;

	(void)t;
	window_part(a[0], a[1], &addr, &size, a[2]);
	return munmap(addr, size) ? errno : 0;
}

/* By the kernel's hand, which takes a fault as an error. */
static int call_touch(struct thread *t, const uint64_t *a)
{
	void *addr = (void *)world_addr(a[0], t->out);
	ssize_t got;

	fail_begin(t);
	if (a[1] & 1)
		got = read(fuzz.zero_fd, addr, 1);
	else
		got = pwrite(fuzz.memfd, addr, 1, 0);
	fail_end(t);
	return got < 0 ? errno : 0;
}

static int call_dup(struct thread *t, const uint64_t *a)
{
	int fd = fcntl(fd_of(a[0]), F_DUPFD_CLOEXEC, fuzz.first_fd);

	(void)t;
	if (fd < 0)
		return errno;
	slot_put(a[1], fd);
	return 0;
}

static int call_close(struct thread *t, const uint64_t *a)
{
	(void)t;
	slot_put(a[0], -1);
	return 0;
}

static int call_sync(struct thread *t, const uint64_t *a)
{
	struct dma_buf_sync sync = { .flags = a[1] & 1 ? a[1] : a[1] | DMA_BUF_SYNC_RW };

	return guarded_ioctl(t, fd_of(a[0]), DMA_BUF_IOCTL_SYNC, &sync);
}

static int call_export(struct thread *t, const uint64_t *a)
{
	struct dma_buf_export_sync_file out = {
		.flags = (uint32_t)a[1] ? (uint32_t)a[1] : DMA_BUF_SYNC_RW, .fd = -1,
	};
	int error = guarded_ioctl(t, fd_of(a[0]), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out);

	if (!error && out.fd >= fuzz.first_fd)
		slot_put(a[2], out.fd);
	return error;
}

static int call_import(struct thread *t, const uint64_t *a)
{
	struct dma_buf_import_sync_file in = {
		.flags = (uint32_t)a[1] ? (uint32_t)a[1] : DMA_BUF_SYNC_RW, .fd = fd_of(a[2]),
	};

	return guarded_ioctl(t, fd_of(a[0]), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in);
}

static int call_name(struct thread *t, const uint64_t *a)
{
	return guarded_ioctl(t, fd_of(a[0]), DMA_BUF_SET_NAME, (void *)world_addr(a[1], t->out));
}

static int call_lseek(struct thread *t, const uint64_t *a)
{
	static const int whence[] = { SEEK_END, SEEK_SET, SEEK_CUR, SEEK_DATA, SEEK_HOLE, 99 };

	(void)t;
	return lseek(fd_of(a[0]), (off_t)a[1], whence[a[2] % ARRAY_SIZE(whence)]) < 0 ? errno : 0;
}

static int call_poll(struct thread *t, const uint64_t *a)
{
	struct pollfd p = { .fd = fd_of(a[0]), .events = (short)a[1] };

	(void)t;
	return poll(&p, 1, 0) < 0 ? errno : p.revents ? 1000 + p.revents : 0;
}

static int call_fdinfo(struct thread *t, const uint64_t *a)
{
	char path[64], text[1024];
	int fd, error;

	(void)t;
	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd_of(a[0]));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	error = read(fd, text, sizeof(text)) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int reopen(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again < 0)
		return -1;
	close(again);
	return 0;
}

/* What nobody does to a region. */
static int call_odd(struct thread *t, const uint64_t *a)
{
	void *addr = (void *)world_addr(a[2], t->out);
	size_t len = a[3] % (64 << 10);
	int fd = fd_of(a[0]);
	struct stat st;
	off_t at = 0;
	long ret = 0;

	if (fd < fuzz.first_fd && fd != fuzz.dev)		/* those are needed */
		return NOT_DONE;
	switch (a[1] % 10) {
	case 0:
		ret = read(fd, addr, len);
		break;
	case 1:
		ret = write(fd, addr, len);
		break;
	case 2:
		ret = ftruncate(fd, (off_t)a[3]);
		break;
	case 3:
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a[3]);
		break;
	case 4:
		ret = fstat(fd, &st);
		break;
	case 5:
		ret = fsync(fd);
		break;
	case 6:
		ret = syscall(SYS_sendfile, fuzz.memfd, fd, &at, a[3] % PAGE);
		break;
	case 7:
		ret = fcntl(fd, F_SETFL, O_NONBLOCK);
		break;
	case 8:
		ret = reopen(fd);
		break;
	default:
		ret = flock(fd, LOCK_EX | LOCK_NB);
		break;
	}
	return ret < 0 ? errno : 0;
}

/* Sends a descriptor to itself; half of the time nobody takes it. */
static int call_pass(struct thread *t, const uint64_t *a)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int ends[2], fd = fd_of(a[0]), none = -1, error = 0;

	(void)t;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return errno;
	*c = (struct cmsghdr) {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(ends[0], &msg, 0) < 0) {
		error = errno;
	} else if (a[1] & 1 && recvmsg(ends[1], &msg, MSG_CMSG_CLOEXEC) > 0) {
		c = CMSG_FIRSTHDR(&msg);
		memcpy(&fd, c ? CMSG_DATA(c) : (void *)&none, sizeof(fd));
		slot_put(a[1] >> 1, fd);
	}
	close(ends[0]);
	close(ends[1]);
	return error;
}

/* Other processes, and this one's state */

/* The child of a process with threads: nothing but system calls. */
static void fork_child(const uint64_t *a)
{
	struct phyr_pin pin = {
		.size = sizeof(pin), .addr = world_addr(a[1], NULL), .len = a[2],
		.flags = a[0] & 1 ? PHYR_PIN_WRITE : 0,
	};
	unsigned int rounds = a[0] & 2 ? 1000 : 1;

	if (a[0] & 4)
		(void)!read(fuzz.zero_fd, (void *)pin.addr, 1);
	if (a[0] & 8)
		close_range((unsigned int)fuzz.first_fd, ~0u, 0);
	while (rounds--)
		if (!ioctl(fuzz.dev, PHYR_IOC_PIN, &pin) && a[0] & 16)
			close(pin.fd);
	_exit(0);
}

static int call_fork(struct thread *t, const uint64_t *a)
{
	unsigned int n = atomic_fetch_add(&fuzz.nr_forks, 1);
	pid_t pid;

	(void)t;
	if (n >= FORKS_MAX)
		return NOT_DONE;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return errno;
	if (!pid)
		fork_child(a);
	fuzz.forks[n] = pid;
	if (a[3] & 1) {
		usleep((useconds_t)(a[3] % 32 * 200));
		kill(pid, SIGKILL);
	}
	return 0;
}

static int call_rlimit(struct thread *t, const uint64_t *a)
{
	struct rlimit limit = { a[0], RLIM_INFINITY };

	(void)t;
	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return errno;
	fuzz.memlock = a[0];
	return 0;
}

/* This thread only, whatever POSIX says. */
static int call_user(struct thread *t, const uint64_t *a)
{
	t->nobody = a[0] & 1;
	return syscall(SYS_setresuid, -1, t->nobody ? NOBODY : 0, -1) ? errno : 0;
}

static int call_signal(struct thread *t, const uint64_t *a)
{
	struct itimerval timer = { .it_value.tv_usec = (suseconds_t)(1 + a[0] % 20000) };

	(void)t;
	return setitimer(ITIMER_REAL, &timer, NULL) ? errno : 0;
}

/* Changes of memory */

static int call_madvise(struct thread *t, const uint64_t *a)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_WILLNEED, MADV_DONTNEED_LOCKED, MADV_SEQUENTIAL,
	};
	char *addr;
	size_t size;

	(void)t;
	if (!world_part(a[0], a[1], &addr, &size))
		return NOT_DONE;
	return madvise(addr, size, advices[a[2] % ARRAY_SIZE(advices)]) ? errno : 0;
}

static int call_mprotect(struct thread *t, const uint64_t *a)
{
	static const int prots[] = { PROT_READ, RW, PROT_NONE, PROT_READ | PROT_EXEC };
	char *addr;
	size_t size;

	(void)t;
	if (!world_part(a[0], a[1], &addr, &size))
		return NOT_DONE;
	return mprotect(addr, size, prots[a[2] % 4]) ? errno : 0;
}

static int call_unmap(struct thread *t, const uint64_t *a)
{
	char *addr;
	size_t size;

	(void)t;
	if (!world_part(a[0], a[1], &addr, &size))
		return NOT_DONE;
	return munmap(addr, size) ? errno : 0;
}

static int call_mremap(struct thread *t, const uint64_t *a)
{
	const uint64_t there = (uint64_t)AREA_ELSEWHERE << 56;
	char *addr, *to;
	size_t size, room;

	(void)t;
	if (!world_part(a[0], a[1], &addr, &size) || !world_part(there, ~0ull, &to, &room))
		return NOT_DONE;
	if (size > room)
		size = room;
	addr = mremap(addr, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	return addr == MAP_FAILED ? errno : 0;
}

static int call_punch(struct thread *t, const uint64_t *a)
{
	int fd = world_memfd();
	off_t at = (off_t)(a[0] % world_len(AREA_MEMFD)), len = (off_t)(a[1] & 0xfffff) + 1;

	(void)t;
	if (a[2] & 1)
		return ftruncate(fd, at) ? errno : 0;
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) ? errno : 0;
}

/* Drivers */

static int call_edu(struct thread *t, const uint64_t *a)
{
	struct edu_map map = {
		.fd = fd_of(a[0]), .flags = a[1] & 15, .addr = world_addr(a[2], t->out),
		.len = a[3],
	};

	if (!(a[1] & 8))
		map.flags |= a[1] & 2 ? EDU_MAP_DMABUF : EDU_MAP_REGION;
	else
		map.flags &= EDU_MAP_WRITE | EDU_MAP_SHORT;
	return guarded_ioctl(t, fuzz.edu, EDU_IOC_MAP, &map);
}

static int call_edu_end(struct thread *t, const uint64_t *a)
{
	(void)t;
	(void)a;
	return ioctl(fuzz.edu, EDU_IOC_UNMAP) ? errno : 0;
}

/* dma-buf warns when vmap() has no memory; so failures take the way around it. */
static int call_vmap(struct thread *t, const uint64_t *a)
{
	struct pt_copy copy = {
		.fd = a[0] < NR_SLOTS ? atomic_load(&fuzz.slots[a[0]]) : -1,
		.offset = a[1], .len = a[2] % (64 << 10), .buf = world_addr(a[3], t->out),
		.flags = (a[4] & 1 ? PT_WRITE : 0) | (t->fail ? PT_BARE : 0),
	};

	return guarded_ioctl(t, fuzz.driver, PT_IOC_VMAP, &copy);
}

static int driver_pin(struct thread *t, unsigned int cmd, const uint64_t *a)
{
	struct pt_pin pin = {
		.addr = world_addr(a[0], t->out), .len = a[1], .pid = getpid(),
		.flags = a[2] & (PT_WRITE | PT_LONGTERM | PT_REMOTE | PT_PFNMAP |
				 (a[2] >> 40 ? PT_FORCE : 0)),
		.nr = (uint32_t)a[3] % 1024,
	};
	int error;

	error = guarded_ioctl(t, fuzz.driver, cmd, &pin);
	if (error)
		return error;
	must_be(pin.done <= pin.len && (pin.done == pin.len || pin.error));
	if (cmd == PT_IOC_APPEND)
		must_be(pin.error ? !pin.done : pin.done == pin.len);
	return pin.error;
}

static int call_array(struct thread *t, const uint64_t *a)
{
	return driver_pin(t, PT_IOC_ARRAY, a);
}

static int call_list(struct thread *t, const uint64_t *a)
{
	uint64_t args[CALL_ARGS] = { a[0], a[1], a[2] };

	return driver_pin(t, PT_IOC_APPEND, args);
}

static int call_copy(struct thread *t, const uint64_t *a)
{
	struct pt_copy copy = {
		.offset = a[0], .len = a[1] % (64 << 10), .buf = world_addr(a[2], t->out),
	};

	return guarded_ioctl(t, fuzz.driver, PT_IOC_COPY, &copy);
}

static int call_map(struct thread *t, const uint64_t *a)
{
	struct pt_map map = {
		.offset = a[0], .len = a[1],
		.flags = (a[2] & 1 ? PT_ARRAY : 0) | (a[2] & 2 ? PT_WRITE : 0),
	};
	int error;

	if (map.flags & PT_ARRAY)
		map.offset = 0;
	error = guarded_ioctl(t, fuzz.driver, PT_IOC_MAP, &map);
	if (error)
		return error;
	must_be(!map.line || t->failed, "(kmod/map.c:%u)", map.line);
	return map.error;
}

static int call_unpin(struct thread *t, const uint64_t *a)
{
	unsigned long flags = a[0] & (PT_DIRTY | PT_HALVES | PT_ARRAY);

	(void)t;
	/* a driver knows what it may call dirty */
	if (fuzz.read_only_pins)
		flags &= ~(unsigned long)PT_DIRTY;
	return ioctl(fuzz.driver, PT_IOC_UNPIN, flags) ? errno : 0;
}

/* Bytes of a region for the program, which has room for a few. */
static int bytes_out(struct thread *t, const uint64_t *a)
{
	struct phyr_copy copy = {
		.size = sizeof(copy), .dst_fd = -1, .src_fd = fd_of(a[0]),
		.dst = (uintptr_t)t->out, .src = a[1], .len = a[2] % (OUT_ROOM + 1),
	};
	int error;

	memset(t->out, POISON, OUT_ROOM);
	error = guarded_ioctl(t, fuzz.dev, PHYR_IOC_COPY, &copy);
	must_be(error || (copy.done && copy.done <= copy.len));
	for (size_t at = copy.len; at < OUT_ROOM; at++)
		must_be(t->out[at] == POISON);
	return error;
}

/* A region onto itself, where it is: nothing changes, unless somebody else writes there. */
static int bytes_in_place(struct thread *t, const uint64_t *a)
{
	struct phyr_copy copy = {
		.size = sizeof(copy), .dst_fd = fd_of(a[0]), .src_fd = fd_of(a[0]),
		.dst = a[1], .src = a[1], .len = a[2],
	};
	int error;

	if (!fuzz.alone)
		return bytes_out(t, a);
	error = guarded_ioctl(t, fuzz.dev, PHYR_IOC_COPY, &copy);
	must_be(error || (copy.done && copy.done <= copy.len));
	return error;
}

static int bytes_compare(struct thread *t, const uint64_t *a)
{
	struct phyr_compare compare = {
		.size = sizeof(compare), .a_fd = fd_of(a[0]), .b_fd = fd_of(a[3]),
		.a = a[1], .b = a[4], .len = a[2],
	};
	int error = guarded_ioctl(t, fuzz.dev, PHYR_IOC_COMPARE, &compare);

	must_be(error || (compare.equal <= compare.done && compare.done <= compare.len));
	return error;
}

static int bytes_crc(struct thread *t, const uint64_t *a)
{
	struct phyr_crc crc = {
		.size = sizeof(crc), .fd = fd_of(a[0]), .crc = (uint32_t)a[4], .offset = a[1],
		.len = a[2],
	};
	int error = guarded_ioctl(t, fuzz.dev, PHYR_IOC_CRC32C, &crc);

	must_be(error || (crc.done && crc.done <= crc.len));
	return error;
}

/* To a file of its own. */
static int bytes_to_file(struct thread *t, const uint64_t *a)
{
	struct phyr_slice slices[2] = { { a[1], a[2] }, { a[4], a[2] / 2 } };
	struct phyr_rw rw = {
		.size = sizeof(rw), .flags = PHYR_RW_WRITE, .fd = fd_of(a[0]),
		.file = memfd_create("fuzz", MFD_CLOEXEC), .slices = (uintptr_t)slices,
		.nr = 1 + a[3] % 2, .rwf = a[3] % 16 ? 0 : (uint32_t)a[3],
		.pos = (int64_t)(a[4] % (1 << 20)),
	};
	int error = guarded_ioctl(t, fuzz.dev, PHYR_IOC_RW, &rw);

	must_be(error || (rw.done && rw.done <= a[2] + a[2] / 2 && rw.direct <= rw.done));
	close(rw.file);
	return error;
}

static int call_bytes(struct thread *t, const uint64_t *a)
{
	static int (*const ways[])(struct thread *t, const uint64_t *a) = {
		bytes_out, bytes_in_place, bytes_compare, bytes_crc, bytes_to_file,
	};

	return ways[a[5] % ARRAY_SIZE(ways)](t, a);
}

static int (*const calls[NR_OPS])(struct thread *t, const uint64_t *a) = {
	[OP_OPEN] = call_open, [OP_INFO] = call_info, [OP_PIN] = call_pin,
	[OP_QUERY] = call_query, [OP_RANGES] = call_ranges, [OP_IOCTL] = call_ioctl,
	[OP_MMAP] = call_mmap, [OP_MUNMAP] = call_munmap, [OP_TOUCH] = call_touch,
	[OP_DUP] = call_dup, [OP_CLOSE] = call_close, [OP_SYNC] = call_sync,
	[OP_EXPORT] = call_export, [OP_IMPORT] = call_import, [OP_NAME] = call_name,
	[OP_LSEEK] = call_lseek, [OP_POLL] = call_poll, [OP_FDINFO] = call_fdinfo,
	[OP_ODD] = call_odd, [OP_PASS] = call_pass, [OP_FORK] = call_fork,
	[OP_RLIMIT] = call_rlimit, [OP_USER] = call_user, [OP_SIGNAL] = call_signal,
	[OP_MADVISE] = call_madvise, [OP_MPROTECT] = call_mprotect, [OP_UNMAP] = call_unmap,
	[OP_MREMAP] = call_mremap, [OP_PUNCH] = call_punch, [OP_EDU] = call_edu,
	[OP_EDU_END] = call_edu_end, [OP_VMAP] = call_vmap, [OP_ARRAY] = call_array,
	[OP_LIST] = call_list, [OP_COPY] = call_copy, [OP_MAP] = call_map,
	[OP_UNPIN] = call_unpin, [OP_IMPORT_BUF] = call_import_buf,
	[OP_BYTES] = call_bytes,
};

int call_do(struct thread *t, unsigned int op, const uint64_t *args)
{
	return calls[op](t, args);
}
