/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHYR_TEST_H
#define PHYR_TEST_H

#include <linux/mutex.h>
#include <linux/phyr.h>

#include "phyr_test_ioctl.h"

struct pci_dev;
struct pt_import;

#define PT_ARRAY_MAX	65536

/* What one open file holds. */
struct pt_file {
	struct mutex lock;		/* over all the others */
	struct phyr_list list;
	struct phyr *phyrs;
	unsigned int nr;
	struct pt_import *import;
};

/* dmabuf.c */
int pt_export(struct pt_dmabuf *arg);
int pt_export_state(struct pt_dmabuf *arg);
int pt_attach(struct pt_file *pt, struct pt_dmabuf *arg);
void pt_detach(struct pt_file *pt);

/* map.c */
struct pci_dev *pt_edu(void);
int pt_map(struct pt_file *pt, struct pt_map *map);
int pt_distrust(bool untrusted);

/* list.c */
int pt_build(struct pt_build *b);

#endif
