// SPDX-License-Identifier: GPL-2.0-only
/*
 * A place that bytes are read from or written to: a file, memory of a process, a region, a
 * BAR or a range of physical memory.
 *
 * Opening it finds out how long it is, and changes nothing.  When the length is known,
 * endpoint_start() makes a region of a BAR or of physical memory: the part that is wanted
 * is mapped through the file that the kernel has for it, and pinned.  So what may not be
 * mapped cannot be reached.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/pci_regs.h>

#include <phyr.h>

#include "endpoint.h"
#include "tool.h"

#define DEVICES	"/sys/bus/pci/devices"
#define MEM	"/dev/mem"

struct path {
	char s[PATH_MAX];
};

/**
 * endpoint_take - a place from the command line
 * @e: set to it; endpoint_close() may be called from now on
 * @command: for messages
 * @text: kept
 */
int endpoint_take(struct endpoint *e, const char *command, const char *text)
{
	int ret;

	*e = (struct endpoint){ .text = text, .dev = -1, .fd = -1, .size = ENDPOINT_UNKNOWN };
	ret = parse_endpoint(text, &e->place);
	if (!ret && e->place.name_len >= PATH_MAX)
		ret = -ENAMETOOLONG;
	e->at = e->place.at;
	if (!ret)
		return 0;
	return tool_usage(command, "\"%s\" %s (PATH, PATH@OFFSET, PID:0xADDRESS, /proc/PID/fd/N, "
			  "0000:01:00.0/BAR and phys:0xADDRESS are places)", text,
			  ret == -EINVAL ? "is no place" : "has a number that is too large");
}

bool endpoint_is_region(const struct endpoint *e)
{
	return e->place.kind == ENDPOINT_REGION || e->place.kind == ENDPOINT_BAR ||
	       e->place.kind == ENDPOINT_PHYS;
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->place.kind == b->place.kind && a->id[0] == b->id[0] && a->id[1] == b->id[1];
}

/* What it is, if writing there can do more than change some bytes; or NULL. */
const char *endpoint_danger(const struct endpoint *e)
{
	if (e->place.kind == ENDPOINT_BAR)
		return "memory of a device";
	if (e->place.kind == ENDPOINT_PHYS)
		return "physical memory";
	return e->block ? "a block device" : NULL;
}

/* Files */

static struct path file_path(const struct endpoint *e)
{
	struct path path;

	snprintf(path.s, sizeof(path.s), "%.*s", (int)e->place.name_len, e->place.name);
	return path;
}

static int fail_open(const char *path, int flags)
{
	int error = errno;

	tool_fail("cannot open %s for %s: %s", path, flags == O_RDONLY ? "reading" : "writing",
		  strerror(error));
	if (error == EBUSY)
		fputs("  the device is in use: mounted, for instance\n", stderr);
	else if (error == ENXIO && strstr(path, "/fd/"))
		fputs("  a region is /proc/PID/fd/N, or /proc/self/fd/N\n", stderr);
	return TOOL_FAILED;
}

/* With O_EXCL, the kernel refuses to write to a block device that is in use. */
static int open_path(const char *path, int flags)
{
	struct stat st;

	if (flags != O_RDONLY && !stat(path, &st) && S_ISBLK(st.st_mode))
		flags = O_WRONLY | O_EXCL;
	return open(path, flags | O_CLOEXEC, 0666);
}

/* Files of /proc and the like have a size of 0, and are read up to their end. */
static int file_size(struct endpoint *e, const struct stat *st, const char *path, bool write)
{
	uint64_t size = (uint64_t)st->st_size;

	if (e->block && ioctl(e->fd, BLKGETSIZE64, &size))
		return tool_fail("cannot find out how large %s is: %m", path);
	if ((!e->block && !e->regular) || !size)
		return 0;
	if (e->at >= size && (e->block || !write))
		return tool_fail("%s has %" PRIu64 " bytes, nothing at offset %" PRIu64, path,
				 size, e->at);
	e->size = e->at < size ? size - e->at : 0;
	return 0;
}

static int open_file(struct endpoint *e, int flags)
{
	struct path path = file_path(e);
	struct stat st;

	e->fd = open_path(path.s, flags);
	if (e->fd < 0)
		return fail_open(path.s, flags);
	if (fstat(e->fd, &st))
		return tool_fail("%s: %m", path.s);
	e->block = S_ISBLK(st.st_mode);
	e->regular = S_ISREG(st.st_mode);
	e->id[0] = e->block ? UINT64_MAX : st.st_dev;
	e->id[1] = e->block ? st.st_rdev : st.st_ino;
	e->stream = lseek(e->fd, 0, SEEK_CUR) < 0;
	if (e->stream && e->place.has_at)
		return tool_fail("%s has no offsets: it is read or written in order", path.s);
	if (e->at > INT64_MAX)
		return tool_fail("%s: no file is that long", e->text);
	return file_size(e, &st, path.s, flags != O_RDONLY);
}

/* Memory of a process */

static void hint_process(int error)
{
	if (error == EPERM)
		fputs("  only who may trace the process may do that: its user, or CAP_SYS_PTRACE;\n"
		      "  see /proc/sys/kernel/yama/ptrace_scope too\n", stderr);
	else if (error == EFAULT)
		fputs("  nothing is mapped there, or not for that access, see /proc/PID/maps; memory of\n"
		      "  devices, and mappings of regions, cannot be reached by an address\n",
		      stderr);
}

static int fail_process(const struct endpoint *e, const char *what)
{
	int error = errno;

	tool_fail("cannot %s %s: %s", what, e->text, strerror(error));
	hint_process(error);
	return TOOL_FAILED;
}

/* Regions of a process */

/* A duplicate of the descriptor, or -1 with errno. */
static int take_descriptor(const struct endpoint *e)
{
	int number = (int)e->place.number, pidfd, fd, error;

	if (!e->place.pid)
		return fcntl(number, F_DUPFD_CLOEXEC, 0);
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)e->place.pid, 0);
	if (pidfd < 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	error = errno;
	close(pidfd);
	errno = error;
	return fd;
}

/* A dma-buf of another driver becomes a region. */
static int import(struct endpoint *e, bool write, struct phyr_query *query)
{
	int region = phyr_import(e->dev, e->fd, 0, 0, write ? PHYR_PIN_WRITE : 0);

	if (region < 0)
		return region;
	close(e->fd);
	e->fd = region;
	return phyr_query(e->dev, region, query);
}

static int open_region(struct endpoint *e, bool write)
{
	struct phyr_query query = { .size = sizeof(query) };
	struct stat st;
	int ret;

	e->fd = take_descriptor(e);
	if (e->fd < 0)
		return fail_process(e, "open");
	if (fstat(e->fd, &st))
		return tool_fail("%s: %m", e->text);
	e->id[0] = st.st_dev;
	e->id[1] = st.st_ino;
	ret = phyr_query(e->dev, e->fd, &query);
	if (ret == -EINVAL)
		ret = import(e, write, &query);
	if (ret)
		return tool_fail_phyr(ret, "%s is no region that can be accessed", e->text);
	if (query.flags & PHYR_QUERY_REVOKED)
		return tool_fail_phyr(-ENODEV, "%s", e->text);
	if (write && !(query.flags & PHYR_QUERY_WRITE))
		return tool_fail_phyr(-EACCES, "cannot write to %s", e->text);
	if (e->at >= query.bytes)
		return tool_fail("%s has %" PRIu64 " bytes, nothing at offset %" PRIu64, e->text,
				 (uint64_t)query.bytes, e->at);
	e->size = query.bytes - e->at;
	return 0;
}

/* BARs */

static struct path bar_path(const struct endpoint *e, const char *file)
{
	struct path path;

	snprintf(path.s, sizeof(path.s), DEVICES "/%.*s/%s", (int)e->place.name_len,
		 e->place.name, file);
	return path;
}

static struct path bar_resource(const struct endpoint *e)
{
	char file[32];

	snprintf(file, sizeof(file), "resource%" PRIu64 "%s", e->place.number,
		 e->wc ? "_wc" : "");
	return bar_path(e, file);
}

static int fail_bar(const struct endpoint *e)
{
	int name_len = (int)e->place.name_len;

	if (errno != ENOENT)
		return tool_fail("%s: %m", e->text);
	if (access(bar_path(e, "").s, F_OK))
		return tool_fail("there is no PCI device %.*s: see \"lspci -D\"", name_len,
				 e->place.name);
	if (!e->wc)
		return tool_fail("%.*s has no BAR %" PRIu64 ": see \"lspci -vs %.*s\"", name_len,
				 e->place.name, e->place.number, name_len, e->place.name);
	return tool_fail("BAR %" PRIu64 " of %.*s does not exist, or is not prefetchable: do "
			 "without --wc", e->place.number, name_len, e->place.name);
}

/* Whether the device answers to accesses to its memory, as its command register has it. */
static bool bar_answers(const struct endpoint *e)
{
	int fd = open(bar_path(e, "config").s, O_RDONLY | O_CLOEXEC);
	uint8_t command = PCI_COMMAND_MEMORY;

	if (fd < 0)
		return true;
	if (pread(fd, &command, 1, PCI_COMMAND) != 1)
		command = PCI_COMMAND_MEMORY;
	close(fd);
	return command & PCI_COMMAND_MEMORY;
}

static int open_bar(struct endpoint *e)
{
	struct path path = bar_resource(e);
	struct stat st;

	if (stat(path.s, &st))
		return fail_bar(e);
	if (!bar_answers(e)) {
		tool_fail("%.*s does not answer to accesses to its memory",
			  (int)e->place.name_len, e->place.name);
		fprintf(stderr, "  load its driver, or enable it: echo 1 > %s\n",
			bar_path(e, "enable").s);
		return TOOL_FAILED;
	}
	e->id[0] = st.st_dev;
	e->id[1] = st.st_ino;
	if (e->at >= (uint64_t)st.st_size)
		return tool_fail("%s: the BAR has %" PRIu64 " bytes, nothing at offset %" PRIu64,
				 e->text, (uint64_t)st.st_size, e->at);
	e->size = (uint64_t)st.st_size - e->at;
	return 0;
}

/* All of them */

/**
 * endpoint_open - open a place, and find out how long it is
 * @e: the place
 * @flags: as of open(2); O_RDONLY, or O_WRONLY with or without O_CREAT
 */
int endpoint_open(struct endpoint *e, int flags)
{
	if (endpoint_is_region(e)) {
		e->dev = phyr_open();
		if (e->dev < 0)
			return tool_fail_phyr(e->dev, "cannot open " PHYR_DEVICE);
	}
	switch (e->place.kind) {
	case ENDPOINT_FILE:
		return open_file(e, flags);
	case ENDPOINT_REGION:
		return open_region(e, flags != O_RDONLY);
	case ENDPOINT_BAR:
		return open_bar(e);
	case ENDPOINT_PROCESS:
		e->id[0] = e->place.pid;
		return 0;
	case ENDPOINT_PHYS:
		return 0;
	}
	return 0;
}

/* The part of a BAR or of physical memory that is wanted becomes a region. */
static int pin_part(struct endpoint *e, uint64_t length, bool write)
{
	struct path path = { MEM };
	int ret;

	if (e->place.kind == ENDPOINT_BAR)
		path = bar_resource(e);
	ret = memory_map_file(&e->mem, path.s, e->at, length, write);
	if (ret) {
		e->mem.map_len = 0;
		return ret;
	}
	e->at = 0;
	e->fd = phyr_pin(e->dev, e->mem.addr, e->mem.len, write ? PHYR_PIN_WRITE : 0);
	if (e->fd < 0)
		return tool_fail_phyr(e->fd, "cannot pin %s of %s", text_bytes(length).s, e->text);
	return 0;
}

/**
 * endpoint_start - make a place ready to be read or written
 * @e: the place, which is open
 * @length: how many bytes, not 0
 * @write: they will be written
 */
int endpoint_start(struct endpoint *e, uint64_t length, bool write)
{
	if (e->place.kind == ENDPOINT_BAR || e->place.kind == ENDPOINT_PHYS)
		return pin_part(e, length, write);
	return 0;
}

/* What was written has arrived, as far as the kernel says so. */
int endpoint_finish(struct endpoint *e)
{
	int fd = e->fd;

	if (e->place.kind != ENDPOINT_FILE)
		return 0;
	if (e->block && fdatasync(fd))
		return tool_fail("cannot write to %s: %m", e->text);
	e->fd = -1;
	if (close(fd))
		return tool_fail("cannot write to %s: %m", e->text);
	return 0;
}

void endpoint_close(struct endpoint *e)
{
	if (e->fd >= 0)
		close(e->fd);
	if (e->mem.map_len)
		memory_free(&e->mem);
	if (e->dev >= 0)
		close(e->dev);
}

/* Says what went wrong @offset bytes behind the beginning, and what to do about it. */
int endpoint_fail(const struct endpoint *e, const char *verb, uint64_t offset, int error)
{
	uint64_t at = e->place.at + offset;

	if (endpoint_is_region(e))
		return tool_fail_phyr(error, "cannot %s %s at %#" PRIx64, verb, e->text, at);
	tool_fail("cannot %s %s at %#" PRIx64 ": %s", verb, e->text, at, strerror(-error));
	if (e->place.kind == ENDPOINT_PROCESS)
		hint_process(-error);
	return TOOL_FAILED;
}

/* Reading and writing */

static ssize_t file_read(const struct endpoint *e, uint64_t offset, void *buf, size_t len)
{
	ssize_t n;

	do {
		n = e->stream ? read(e->fd, buf, len)
			      : pread(e->fd, buf, len, (off_t)(e->at + offset));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t file_write(const struct endpoint *e, uint64_t offset, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = e->stream ? write(e->fd, buf, len)
			      : pwrite(e->fd, buf, len, (off_t)(e->at + offset));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t process_access(const struct endpoint *e, uint64_t offset, void *buf, size_t len,
			      bool write)
{
	struct iovec here = { .iov_base = buf, .iov_len = len };
	struct iovec there = { .iov_base = (void *)(uintptr_t)(e->at + offset), .iov_len = len };
	pid_t pid = (pid_t)e->place.pid;
	ssize_t n = write ? process_vm_writev(pid, &here, 1, &there, 1, 0)
			  : process_vm_readv(pid, &here, 1, &there, 1, 0);

	return n < 0 ? -errno : n;
}

ssize_t endpoint_read(const struct endpoint *e, uint64_t offset, void *buf, size_t len)
{
	ssize_t n;

	if (e->place.kind == ENDPOINT_FILE)
		return file_read(e, offset, buf, len);
	if (e->place.kind == ENDPOINT_PROCESS)
		return process_access(e, offset, buf, len, false);
	do {
		n = phyr_copy_from(e->dev, e->fd, e->at + offset, buf, len);
	} while (n == -EINTR);
	return n;
}

ssize_t endpoint_write(const struct endpoint *e, uint64_t offset, const void *buf, size_t len)
{
	ssize_t n;

	if (e->place.kind == ENDPOINT_FILE)
		return file_write(e, offset, buf, len);
	if (e->place.kind == ENDPOINT_PROCESS)
		return process_access(e, offset, (void *)buf, len, true);
	do {
		n = phyr_copy_to(e->dev, e->fd, e->at + offset, buf, len);
	} while (n == -EINTR);
	return n;
}
