// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a call, and checks what it did and what it left.
 *
 * A call gets its structure from a buffer full of poison, so that a byte that is
 * written where none should be is found. What shape it has there is a number:
 *
 *	bits 0-2	PLACE_*: where in the buffer
 *	bits 3-4	TAIL_*: what is in the part that this kernel does not know
 *	bit 5		asked for in the way of 32-bit programs
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phyr.h>

#include "../../../examples/edu/edu_ioctl.h"
#include "../kmod/phyr_test_ioctl.h"
#include "corpus.h"
#include "state.h"
#include "world.h"

/* Something that has to be true is not: ends the process. */
void broken(const char *file, int line, const char *condition, const char *format, ...)
{
	char words[300];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	corpus_fail(fuzz.running, "%s:%d: not so: %s%s", strrchr(file, '/') + 1, line, condition,
		    words);
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

void fail_begin(struct thread *t)
{
	t->failed = t->fail && t->fail_fd >= 0;
	if (t->failed) {
		hold_signals(SIG_BLOCK);
		fail_write(t, t->fail);
	}
	t->fail = 0;
}

void fail_end(struct thread *t)
{
	int error = errno;

	if (t->failed) {
		fail_write(t, 0);
		hold_signals(SIG_UNBLOCK);
	}
	errno = error;
}

int guarded_ioctl(struct thread *t, int fd, unsigned int cmd, void *arg)
{
	int error;

	fail_begin(t);
	error = ioctl(fd, cmd, arg) < 0 ? errno : 0;
	fail_end(t);
	return error;
}

int guarded_ioctl32(struct thread *t, int fd, unsigned int cmd, void *arg)
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

int fd_of(uint64_t arg)
{
	if (arg < NR_SLOTS)
		return atomic_load(&fuzz.slots[arg]);
	switch (arg % 16) {
	case 8: return fuzz.dev;
	case 9: return fuzz.udmabuf;
	case 10: return fuzz.memfd;
	case 11: return -1;
	case 12: return 1 << 30;
	case 13: return fuzz.zero_fd;
	case 14: return fuzz.edu;
	default: return atomic_load(&fuzz.slots[arg % NR_SLOTS]);
	}
}

/* From here on it may be anybody's. */
void slot_put(uint64_t slot, int fd)
{
	int old = atomic_exchange(&fuzz.slots[slot % NR_SLOTS], fd);

	if (old >= 0)
		close(old);
}

/* Structures */

uint32_t size_of(uint64_t arg, uint32_t ksize)
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
	if (cmd == PHYR_IOC_QUERY)
		return offsetof(struct phyr_query, large_entry);
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
int struct_call(struct thread *t, unsigned int cmd, void *inout, uint32_t ksize,
		uint64_t size, uint64_t shape)
{
	uint32_t usize = size_of(size, ksize), known = usize < ksize ? usize : ksize;
	struct shaped s = shape_in(t, inout, least_size(cmd, ksize), ksize, usize, shape);
	bool read_only = s.at && (shape & 7) == PLACE_READ_ONLY;
	int error;

	memcpy(t->copy, t->arg, ARG_ROOM);
	if (read_only)
		mprotect(t->arg + ARG_ROOM - PAGE, PAGE, PROT_READ);
	if (fuzz.compat && shape & SHAPE_COMPAT && (uintptr_t)s.user >> 32 == 0)
		error = guarded_ioctl32(t, fuzz.dev, cmd, s.user);
	else
		error = guarded_ioctl(t, fuzz.dev, cmd, s.user);
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

void check_sums(const struct thread *t, const struct phyr_query *q)
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

	if (!fuzz.alone || pread(fuzz.pagemap, &entry, 8, (off_t)(addr / PAGE * 8)) != 8)
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
		ssize_t got = phyr_ranges(fuzz.dev, fd, done, t->ranges, RANGES);

		if (got == -ENODEV && !fuzz.alone)	/* somebody unmapped the BAR */
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
	if (fuzz.alone)
		must_be(phyr_ranges(fuzz.dev, fd, q->bytes, t->ranges, 1) == 0);
}

/* VmPin, in KiB */
unsigned long pinned(void)
{
	char text[4096], *at;
	ssize_t n = pread(fuzz.status_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, "VmPin:");
	return at ? strtoul(at + 6, NULL, 10) : 0;
}

/* A region that nobody else knows of yet. */
void check_region(struct thread *t, const struct phyr_pin *pin, uint64_t addr)
{
	struct phyr_query q = { .size = sizeof(q) };
	uint64_t pages = (addr + pin->len - 1) / PAGE - addr / PAGE + 1;

	must_be(pin->fd >= fuzz.first_fd);
	must_be(fcntl(pin->fd, F_GETFD) == FD_CLOEXEC);
	must_be(lseek(pin->fd, 0, SEEK_END) == (off_t)pin->len);
	must_be(!phyr_query(fuzz.dev, pin->fd, &q));
	must_be(q.bytes == pin->len && q.pages == pages);
	must_be(!(pin->flags & PHYR_PIN_WRITE) == !(q.flags & PHYR_QUERY_WRITE));
	check_sums(t, &q);
	if (t->nobody) {
		must_be(!pin->pin_ns);
		must_be(phyr_ranges(fuzz.dev, pin->fd, 0, t->ranges, 1) == -EPERM);
		must_be(!(q.kinds & 1u << PHYR_KIND_PFNMAP));
		must_be(!fuzz.alone || (uint64_t)pinned() * 1024 <= fuzz.memlock);
		return;
	}
	check_ranges(t, pin->fd, &q, addr, 0);
	if (q.bytes > 1)
		check_ranges(t, pin->fd, &q, addr, q.bytes / 3 + 1);
}
