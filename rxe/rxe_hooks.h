/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of phyr_rxe.ko share. */
#ifndef PHYR_RXE_HOOKS_H
#define PHYR_RXE_HOOKS_H

struct ib_device;
struct ib_device_ops;
struct rxe_mr;

/* uverbs.c */
int phyr_uverbs_hook(void);
void phyr_uverbs_unhook(void);
int phyr_uverbs_lend(struct ib_device *device, const struct ib_device_ops *ops);
void phyr_uverbs_take_back(struct ib_device *device);
bool phyr_uverbs_counted(const struct ib_device *device);

/* mr.c */
void phyr_rxe_mr_init(int access, struct rxe_mr *mr);
void phyr_rxe_expect(unsigned long nr);
int phyr_rxe_hook(void);
void phyr_rxe_unhook(void);

/* dmabuf.c */
int phyr_rxe_dmabuf_hook(void);
void phyr_rxe_dmabuf_unhook(void);

#endif /* PHYR_RXE_HOOKS_H */
