// SPDX-License-Identifier: GPL-2.0-only
/* Soft RoCE's regions are pinned as those of any other RDMA device. */
#include "../rdma/pin.c"
