/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UMEM_RXE_H
#define UMEM_RXE_H

struct ib_umem;

int umem_rxe_end(struct ib_umem *umem);

#endif
