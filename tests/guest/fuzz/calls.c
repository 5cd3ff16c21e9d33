// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call gets its structure from a buffer full of poison, so that a byte that is
 * written where none should be is found. What shape it has there is a number:
 *
 *	bits 0-2	PLACE_*: where in the buffer
 *	bits 3-4	TAIL_*: what is in the part that this kernel does not know
 *	bit 5		asked for in the way of 32-bit programs
 */
#define _GNU_SOURCE
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phyr.h>

#include "../../../examples/edu/edu_ioctl.h"
#include "../kmod/phyr_test_ioctl.h"
#include "corpus.h"
#include "world.h"

#define PAGE		4096ul
#define RW		(PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NOBODY		65534
#define POISON		0xa5

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* A thread's buffers, below 4 GiB for the sake of 32-bit calls. */
#define BUFFERS		0x10000000ul
#define BUFFERS_APART	0x100000ul
#define ARG_ROOM	(4 * PAGE)	/* and a hole behind it */
#define OUT_AT		(16 * PAGE)
#define OUT_ROOM	(2 * PAGE)

enum {
	PLACE_MIDDLE,
	PLACE_END = 2,
	PLACE_ODD,
	PLACE_CUT,
	PLACE_READ_ONLY,
	PLACE_NULL,
	PLACE_KERNEL
};

enum { TAIL_ZERO, TAIL_FIRST, TAIL_LAST };
/* What a call gives that was not even tried. */
enum { NOT_DONE = EINVAL };

#define SHAPE_COMPAT	(1u << 5)

#define NR_SLOTS	8
#define RANGES		256
#define FORKS_MAX	4

struct thread {
	unsigned int nr;
	pthread_t thread;
	struct kcov kcov;
	int fail_fd;
	unsigned int fail;		/* point that is to fail in the next guarded call */
	bool failed;			/* the call had a point that was to fail */
	unsigned char *arg, *out;
	unsigned char copy[ARG_ROOM];
	struct phyr_range ranges[RANGES + 1];	/* the last is not to be touched */
	bool nobody;
	unsigned int fresh;
};

static struct thread threads[PROGRAM_THREADS];
static pthread_barrier_t start_line, finish_line;
static const struct program *running;
static bool verbose, alone, compat;

/* Descriptors that are always there, and those of programs. */
static int dev = -1, edu = -1, driver = -1, memfd = -1, udmabuf = -1, zero_fd = -1, pagemap = -1;
static int status_fd = -1, first_fd;
static atomic_int slots[NR_SLOTS];

static pid_t forks[FORKS_MAX];
static atomic_uint nr_forks;
static bool read_only_pins;	/* phyr_test may hold some, which must not be dirtied */
static rlim_t memlock = RLIM_INFINITY;

#define must_be(condition, ...) do {						\
	if (!(condition))							\
		broken(__LINE__, #condition, " " __VA_ARGS__);			\
} while (0)

/* Something that has to be true is not: ends the process. */
static void __attribute__((format(printf, 3, 4), noreturn))
broken(int line, const char *condition, const char *format, ...)
{
	char words[300];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	corpus_fail(running, "calls.c:%d: not so: %s%s", line, condition, words);
	_exit(1);
}

/*
 * Points that fail: all from here to the end of a system call are counted. So would
 * be those in the making of a signal's frame, and a process that cannot be given that is
 * killed by the kernel: no signal is taken meanwhile.
 */

static void fail_write(struct thread *t, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* EFAULT: the point was the reading of this, and has passed now */
	while (pwrite(t->fail_fd, text, (size_t)len, 0) != len && errno == EFAULT)
		;
}

static void hold_signals(int how)
{
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(how, &alarm, NULL);
}

static void fail_begin(struct thread *t)
{
	t->failed = t->fail && t->fail_fd >= 0;
	if (t->failed) {
		hold_signals(SIG_BLOCK);
		fail_write(t, t->fail);
	}
	t->fail = 0;
}

static void fail_end(struct thread *t)
{
	int error = errno;

	if (t->failed) {
		fail_write(t, 0);
		hold_signals(SIG_UNBLOCK);
	}
	errno = error;
}

static int guarded_ioctl(struct thread *t, int fd, unsigned int cmd, void *arg)
{
	int error;

	fail_begin(t);
	error = ioctl(fd, cmd, arg) < 0 ? errno : 0;
	fail_end(t);
	return error;
}

static int guarded_ioctl32(struct thread *t, int fd, unsigned int cmd, void *arg)
{
	long ret;

	fail_begin(t);
	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	fail_end(t);
	return (int)ret < 0 ? -(int)ret : 0;
}

/* Descriptors */

static int fd_of(uint64_t arg)
{
	if (arg < NR_SLOTS)
		return atomic_load(&slots[arg]);
	switch (arg % 16) {
	case 8: return dev;
	case 9: return udmabuf;
	case 10: return memfd;
	case 11: return -1;
	case 12: return 1 << 30;
	case 13: return zero_fd;
	case 14: return edu;
	default: return atomic_load(&slots[arg % NR_SLOTS]);
	}
}

/* From here on it may be anybody's. */
static void slot_put(uint64_t slot, int fd)
{
	int old = atomic_exchange(&slots[slot % NR_SLOTS], fd);

	if (old >= 0)
		close(old);
}

/* Structures */

static uint32_t size_of(uint64_t arg, uint32_t ksize)
{
	if (arg >= 0x7fc0 && arg <= 0x8040)
		return (uint32_t)(ksize + arg - 0x8000);
	return (uint32_t)arg;
}

struct shaped {
	unsigned char *at;		/* in the buffer, or NULL */
	void *user;			/* what the kernel gets */
	int error;			/* that the shape brings about */
	int or_error;
};

/* What the first version of a structure had: longer ones came later. */
static uint32_t least_size(unsigned int cmd, uint32_t ksize)
{
	return cmd == PHYR_IOC_INFO ? offsetof(struct phyr_info, flags) : ksize;
}

/* Puts @in into the buffer, whose size is @usize by its own account. */
static struct shaped shape_in(struct thread *t, const void *in, uint32_t least, uint32_t ksize,
			      uint32_t usize, uint64_t shape)
{
	unsigned char *end = t->arg + ARG_ROOM;
	size_t room = usize < 8 ? 8 : usize > 2 * PAGE ? 2 * PAGE : usize;
	struct shaped s = { .at = t->arg + 512 };
	unsigned int place = shape & 7, tail = shape >> 3 & 3;

	memset(t->arg, POISON, ARG_ROOM);
	if (place == PLACE_END)
		s.at = end - room;
	else if (place == PLACE_ODD)
		s.at++;
	else if (place == PLACE_CUT)
		s.at = end - room + 1;
	else if (place == PLACE_READ_ONLY)
		s.at = end - PAGE;
	else if (place >= PLACE_NULL)
		s.at = NULL;
	s.user = s.at ? s.at : place == PLACE_NULL ? NULL : (void *)0xffff888000000000;
	if (!s.at) {
		s.error = EFAULT;
		s.or_error = EFAULT;
		return s;
	}
	for (size_t i = 0; i < room && s.at + i < end; i++)
		s.at[i] = i < ksize && i < usize ? ((const unsigned char *)in)[i] : 0;
	memcpy(s.at, &usize, 4);
	if (usize < least)
		s.error = EINVAL;
	else if (usize > PAGE)
		s.error = E2BIG;
	else if (place == PLACE_CUT)
		s.error = EFAULT;
	s.or_error = s.error;
	if (usize > ksize && usize <= PAGE && (tail == TAIL_FIRST || tail == TAIL_LAST)) {
		unsigned char *odd = tail == TAIL_FIRST ? s.at + ksize : s.at + usize - 1;

		if (odd < end) {
			*odd = 1;
			s.or_error = s.error ? s.error : E2BIG;
			s.error = E2BIG;
		}
	}
	return s;
}

/* Nothing but what a call that worked may write. */
static void check_untouched(struct thread *t, const struct shaped *s, size_t written)
{
	size_t before = s->at ? (size_t)(s->at - t->arg) : ARG_ROOM;
	size_t after = s->at ? before + written : ARG_ROOM;

	if (after > ARG_ROOM)
		after = ARG_ROOM;
	must_be(!memcmp(t->arg, t->copy, before));
	must_be(!memcmp(t->arg + after, t->copy + after, ARG_ROOM - after));
}

static bool may_fail(const struct thread *t, int error)
{
	return t->failed && (error == EFAULT || error == ENOMEM);
}

/*
 * A command with a structure, which may come back changed. Whatever it answers has
 * to go with its shape.
 */
static int struct_call(struct thread *t, unsigned int cmd, void *inout, uint32_t ksize,
		       uint64_t size, uint64_t shape)
{
	uint32_t usize = size_of(size, ksize), known = usize < ksize ? usize : ksize;
	struct shaped s = shape_in(t, inout, least_size(cmd, ksize), ksize, usize, shape);
	bool read_only = s.at && (shape & 7) == PLACE_READ_ONLY;
	int error;

	memcpy(t->copy, t->arg, ARG_ROOM);
	if (read_only)
		mprotect(t->arg + ARG_ROOM - PAGE, PAGE, PROT_READ);
	if (compat && shape & SHAPE_COMPAT && (uintptr_t)s.user >> 32 == 0)
		error = guarded_ioctl32(t, dev, cmd, s.user);
	else
		error = guarded_ioctl(t, dev, cmd, s.user);
	if (read_only)
		mprotect(t->arg + ARG_ROOM - PAGE, PAGE, RW);
	if (s.error)
		must_be(error == s.error || error == s.or_error || may_fail(t, error),
			"(%d, not %d)", error, s.error);
	if (read_only)
		must_be(error);
	check_untouched(t, &s, error ? 0 : known);
	if (!error)
		memcpy(inout, s.at, known);
	return error;
}

/* What must be true of regions */

/* A user sees nothing of how his pages lie in physical memory. */
static void check_restricted(const struct phyr_query *q)
{
	must_be(q->flags & PHYR_QUERY_RESTRICTED);
	must_be(!q->phyrs && !q->largest && !q->metadata_bytes);
	for (unsigned int i = 0; i < ARRAY_SIZE(q->histogram); i++)
		must_be(!q->histogram[i]);
}

static void check_sums(const struct thread *t, const struct phyr_query *q)
{
	uint64_t bytes = 0, phyrs = 0;

	for (unsigned int i = 0; i < PHYR_KIND_MAX; i++) {
		bytes += q->kind_bytes[i];
		must_be(!q->kind_bytes[i] == !(q->kinds & 1u << i));
	}
	must_be(bytes == q->bytes);
	must_be(q->bytes && q->pages && q->pages * PAGE >= q->bytes);
	if (t->nobody) {
		check_restricted(q);
		return;
	}
	must_be(!(q->flags & PHYR_QUERY_RESTRICTED));
	for (unsigned int i = 0; i < ARRAY_SIZE(q->histogram); i++)
		phyrs += q->histogram[i];
	must_be(phyrs && phyrs == q->phyrs && q->phyrs <= q->pages);
	must_be(q->largest <= q->bytes && q->largest * q->phyrs >= q->bytes);
	must_be(q->metadata_bytes >= 24);
}

/* The page that @addr is in has to be the one that is pinned there. */
static void check_frame(uint64_t addr, uint64_t phys)
{
	uint64_t entry = 0;

	if (!alone || pread(pagemap, &entry, 8, (off_t)(addr / PAGE * 8)) != 8)
		return;
	entry = entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
	if (entry)
		must_be(entry == phys / PAGE, "(%#llx at %#llx, not %#llx)",
			(unsigned long long)phys, (unsigned long long)addr,
			(unsigned long long)entry * PAGE);
}

/* All ranges of a region, from an odd place on: they have to add up. */
static void check_ranges(struct thread *t, int fd, const struct phyr_query *q, uint64_t addr,
			 uint64_t skip)
{
	uint64_t done = skip, nr = 0;
	struct phyr_range last = { 0 };

	while (done < q->bytes) {
		ssize_t got = phyr_ranges(dev, fd, done, t->ranges, RANGES);

		if (got == -ENODEV && !alone)	/* somebody unmapped the BAR */
			return;
		must_be(got > 0 && got <= RANGES, "(%zd at %llu)", got, (unsigned long long)done);
		must_be(!t->ranges[RANGES].len);
		check_frame(addr + done, t->ranges[0].addr);
		for (ssize_t i = 0; i < got; i++) {
			const struct phyr_range *r = &t->ranges[i];

			must_be(r->len && r->len <= q->largest && !r->reserved);
			must_be(q->kinds & 1u << r->kind);
			must_be(!nr || last.addr + last.len != r->addr || last.kind != r->kind ||
				last.kind == PHYR_KIND_PFNMAP || nr == 1);
			last = *r;
			done += r->len;
			nr++;
		}
	}
	check_frame(addr + done - 1, last.addr + last.len - 1);
	must_be(done == q->bytes);
	must_be(skip ? nr <= q->phyrs : nr == q->phyrs, "(%llu)", (unsigned long long)nr);
	if (alone)
		must_be(phyr_ranges(dev, fd, q->bytes, t->ranges, 1) == 0);
}

/* VmPin, in KiB */
static unsigned long pinned(void)
{
	char text[4096], *at;
	ssize_t n = pread(status_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, "VmPin:");
	return at ? strtoul(at + 6, NULL, 10) : 0;
}

/* A region that nobody else knows of yet. */
static void check_region(struct thread *t, const struct phyr_pin *pin, uint64_t addr)
{
	struct phyr_query q = { .size = sizeof(q) };
	uint64_t pages = (addr + pin->len - 1) / PAGE - addr / PAGE + 1;

	must_be(pin->fd >= first_fd);
	must_be(fcntl(pin->fd, F_GETFD) == FD_CLOEXEC);
	must_be(lseek(pin->fd, 0, SEEK_END) == (off_t)pin->len);
	must_be(!phyr_query(dev, pin->fd, &q));
	must_be(q.bytes == pin->len && q.pages == pages);
	must_be(!(pin->flags & PHYR_PIN_WRITE) == !(q.flags & PHYR_QUERY_WRITE));
	check_sums(t, &q);
	if (t->nobody) {
		must_be(!pin->pin_ns);
		must_be(phyr_ranges(dev, pin->fd, 0, t->ranges, 1) == -EPERM);
		must_be(!(q.kinds & 1u << PHYR_KIND_PFNMAP));
		must_be(!alone || (uint64_t)pinned() * 1024 <= memlock);
		return;
	}
	check_ranges(t, pin->fd, &q, addr, 0);
	if (q.bytes > 1)
		check_ranges(t, pin->fd, &q, addr, q.bytes / 3 + 1);
}

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

	must_be(import->fd >= first_fd);
	must_be(fcntl(import->fd, F_GETFD) == FD_CLOEXEC);
	must_be(!phyr_query(dev, import->fd, &q));
	must_be(lseek(import->fd, 0, SEEK_END) == (off_t)q.bytes);
	must_be(!(import->flags & PHYR_PIN_WRITE) == !(q.flags & PHYR_QUERY_WRITE));
	must_be(!(q.kinds & 1u << PHYR_KIND_PFNMAP));
	check_sums(t, &q);
	if (import->len)
		must_be(q.bytes == import->len);
	else
		must_be(!alone || q.bytes == (uint64_t)size - import->offset);
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
		got = read(zero_fd, addr, 1);
	else
		got = pwrite(memfd, addr, 1, 0);
	fail_end(t);
	return got < 0 ? errno : 0;
}

static int call_dup(struct thread *t, const uint64_t *a)
{
	int fd = fcntl(fd_of(a[0]), F_DUPFD_CLOEXEC, first_fd);

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

	if (!error && out.fd >= first_fd)
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

	if (fd < first_fd && fd != dev)		/* those are needed */
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
		ret = syscall(SYS_sendfile, memfd, fd, &at, a[3] % PAGE);
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
		(void)!read(zero_fd, (void *)pin.addr, 1);
	if (a[0] & 8)
		close_range((unsigned int)first_fd, ~0u, 0);
	while (rounds--)
		if (!ioctl(dev, PHYR_IOC_PIN, &pin) && a[0] & 16)
			close(pin.fd);
	_exit(0);
}

static int call_fork(struct thread *t, const uint64_t *a)
{
	unsigned int n = atomic_fetch_add(&nr_forks, 1);
	pid_t pid;

	(void)t;
	if (n >= FORKS_MAX)
		return NOT_DONE;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return errno;
	if (!pid)
		fork_child(a);
	forks[n] = pid;
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
	memlock = a[0];
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
	return guarded_ioctl(t, edu, EDU_IOC_MAP, &map);
}

static int call_edu_end(struct thread *t, const uint64_t *a)
{
	(void)t;
	(void)a;
	return ioctl(edu, EDU_IOC_UNMAP) ? errno : 0;
}

/* dma-buf warns when vmap() has no memory; so failures take the way around it. */
static int call_vmap(struct thread *t, const uint64_t *a)
{
	struct pt_copy copy = {
		.fd = a[0] < NR_SLOTS ? atomic_load(&slots[a[0]]) : -1,
		.offset = a[1], .len = a[2] % (64 << 10), .buf = world_addr(a[3], t->out),
		.flags = (a[4] & 1 ? PT_WRITE : 0) | (t->fail ? PT_BARE : 0),
	};

	return guarded_ioctl(t, driver, PT_IOC_VMAP, &copy);
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

	error = guarded_ioctl(t, driver, cmd, &pin);
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

	return guarded_ioctl(t, driver, PT_IOC_COPY, &copy);
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
	error = guarded_ioctl(t, driver, PT_IOC_MAP, &map);
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
	if (read_only_pins)
		flags &= ~(unsigned long)PT_DIRTY;
	return ioctl(driver, PT_IOC_UNPIN, flags) ? errno : 0;
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
};

/* Running */

static void say_result(const struct call *c, int error)
{
	char text[300];

	call_print(c, text, sizeof(text));
	printf("# %s: %s\n", text, error < 0 ? "?" : error ? strerror(error) : "ok");
}

static void run_thread(struct thread *t)
{
	const struct program *p = running;

	kcov_reset(&t->kcov);
	t->fresh = 0;
	for (unsigned int i = 0; i < p->nr; i++) {
		const struct call *c = &p->call[i];
		int error;

		if (c->thread != t->nr)
			continue;
		t->fail = c->fail;
		t->failed = false;
		error = calls[c->op](t, c->arg);
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
	unsigned int n = atomic_exchange(&nr_forks, 0);

	for (unsigned int i = 0; i < n && i < FORKS_MAX; i++) {
		if (forks[i] <= 0)
			continue;
		kill(forks[i], SIGKILL);
		while (waitpid(forks[i], NULL, 0) < 0 && errno == EINTR)
			;
		forks[i] = 0;
	}
}

static void memlock_unlimited(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	memlock = RLIM_INFINITY;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* The end of every program. */
static void clean_up(void)
{
	struct itimerval no_timer = { 0 };

	setitimer(ITIMER_REAL, &no_timer, NULL);
	ioctl(edu, EDU_IOC_UNMAP);
	ioctl(driver, PT_IOC_UNPIN, 0);
	ioctl(driver, PT_IOC_UNPIN, PT_ARRAY);
	munmap(world_base(AREA_WINDOW), world_len(AREA_WINDOW));
	close_range((unsigned int)first_fd, ~0u, 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		atomic_store(&slots[i], -1);
	memlock_unlimited();
	must_be(!pinned(), "(%lu KiB)", pinned());
	world_mend();
}

/* What is known of a program before it runs. */
static void look_at(const struct program *p)
{
	running = p;
	alone = true;
	read_only_pins = false;
	for (unsigned int i = 0; i < p->nr; i++) {
		const struct call *c = &p->call[i];

		if (c->thread || c->op == OP_FORK)
			alone = false;
		if ((c->op == OP_ARRAY || c->op == OP_LIST) && !(c->arg[2] & PT_WRITE))
			read_only_pins = true;
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
	corpus_fail(running, "died of signal %d (%s)", nr, strsignal(nr));
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
	compat = compat_there();
	memlock_unlimited();
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		atomic_store(&slots[i], -1);
	world_map();
	dev = open("/dev/phyr", O_RDWR | O_CLOEXEC);
	edu = open("/dev/edu0", O_RDWR | O_CLOEXEC);
	driver = open("/dev/phyr_test", O_RDWR | O_CLOEXEC);
	memfd = memfd_create("fuzz", MFD_CLOEXEC);
	zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	udmabuf = udmabuf_open();
	/*
	 * Mapped for the kernel once and for all, as dma-buf warns when that has no memory;
	 * and for udmabuf's own device in both directions, as it keeps the one that is asked
	 * for first, of which DMA-API debugging complains when another one is synced.
	 */
	phyr_import(dev, udmabuf, 0, 0, PHYR_PIN_WRITE);
	phyr_begin_access(udmabuf, PHYR_ACCESS_READ | PHYR_ACCESS_WRITE);
	pthread_barrier_init(&start_line, NULL, PROGRAM_THREADS);
	pthread_barrier_init(&finish_line, NULL, PROGRAM_THREADS);
	for (unsigned int i = 0; i < PROGRAM_THREADS; i++)
		thread_begin(&threads[i], i);
	thread_join_in(&threads[0]);
	first_fd = fill_up();
}
