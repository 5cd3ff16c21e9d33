// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an error means here, and what its reader can do: strerror() knows
 * neither pinning nor modules.
 */
#include "internal.h"

struct hint {
	int error;
	const char *text;
};

static const struct hint hints[] = {
	{ ENOENT, "the phyr module is not loaded: modprobe phyr" },
	{ ENXIO, "the phyr module is going away: modprobe phyr" },
	{ ENODEV, "the memory was revoked: a PCI BAR, or other memory without a struct page, was "
		  "unmapped, or its device removed; or the phyr module is going away" },
	{ EACCES, "not allowed: look at the permissions of /dev/phyr, and whether the "
		  "region was pinned, or the dma-buf opened, for writing" },
	{ EPERM, "physical addresses are for CAP_SYS_ADMIN, memory without a struct page "
		 "for CAP_SYS_RAWIO (or the module parameter allow_pfnmap): run it as root" },
	{ ENOMEM, "more than RLIMIT_MEMLOCK allows (see \"ulimit -l\"; CAP_IPC_LOCK is free "
		  "of it), or the kernel has no memory left, or could not move pages just now that "
		  "may not stay where they are (in a movable zone or in CMA): try again" },
	{ EBUSY, "a page may not stay where it is, and could not be moved just now: try again" },
	{ EAGAIN, "the mapping is changed by another thread all the time: try again" },
	{ EFAULT, "nothing is mapped in a part of the range, or it may not be written: "
		  "read-only memory, and files on most file systems, can be pinned without "
		  "PHYR_PIN_WRITE" },
	{ EOPNOTSUPP, "the kernel does not let this memory stay pinned: a file on a DAX file "
		      "system, or a driver's own pages; or the dma-buf is of memory that its "
		      "driver does not map for the kernel" },
	{ EINVAL, "wrong argument: a length of 0, an unknown flag, a descriptor that is no "
		  "region or no dma-buf, a part that is not in it, or a region that does not "
		  "consist of whole pages" },
	{ EOVERFLOW, "the range passes the end of the address space" },
	{ EBADF, "that file descriptor is not open" },
	{ EMFILE, "too many open files: see \"ulimit -n\"" },
	{ ENFILE, "too many open files in the system" },
	{ E2BIG, "the program knows a newer /dev/phyr than the module that is loaded: "
		 "update the module" },
	{ ENOTTY, "that is no /dev/phyr, or the loaded module is older than this call" },
	{ EIO, "the memory did not answer: the processor reported an error as it was read" },
	{ EHWPOISON, "a part of that memory is broken, the kernel has put it out of use" },
	{ EINTR, "the process is being killed" },
};

PHYR_EXPORT const char *phyr_hint(int error)
{
	size_t i;

	error = error < 0 ? -error : error;
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].error == error)
			return hints[i].text;
	return NULL;
}

PHYR_EXPORT const char *phyr_kind_name(unsigned int kind)
{
	switch (kind) {
	case PHYR_KIND_RAM:
		return "ram";
	case PHYR_KIND_PMEM:
		return "pmem";
	case PHYR_KIND_P2P:
		return "p2p";
	case PHYR_KIND_PFNMAP:
		return "mmio";
	default:
		return "unknown";
	}
}
