// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA engine of QEMU's edu device: 4 KiB of memory of its own, and one
 * transfer at a time between that and the bus.  See docs/specs/edu in QEMU.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/pci.h>

#include "edu.h"

#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98

#define EDU_CMD_START	0x1
#define EDU_CMD_TO_BUS	0x2
#define EDU_CMD_IRQ	0x4

#define EDU_BUF		0x40000
#define EDU_TIMEOUT	(10 * HZ)

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, edu->regs + EDU_IRQ_ACK);
	complete(&edu->done);
	return IRQ_HANDLED;
}

static int edu_transfer(struct edu *edu, u64 dst, u64 src, size_t len, u32 cmd)
{
	reinit_completion(&edu->done);
	writeq(src, edu->regs + EDU_DMA_SRC);
	writeq(dst, edu->regs + EDU_DMA_DST);
	writeq(len, edu->regs + EDU_DMA_COUNT);
	writeq(cmd | EDU_CMD_START | EDU_CMD_IRQ, edu->regs + EDU_DMA_CMD);
	return wait_for_completion_timeout(&edu->done, EDU_TIMEOUT) ? 0 : -ETIMEDOUT;
}

/* Moves up to EDU_BUF_SIZE bytes from one bus address to another, through the device. */
int edu_copy(struct edu *edu, dma_addr_t dst, dma_addr_t src, size_t len)
{
	int ret = edu_transfer(edu, EDU_BUF, src, len, 0);

	return ret ? ret : edu_transfer(edu, dst, EDU_BUF, len, EDU_CMD_TO_BUS);
}

int edu_engine_init(struct edu *edu)
{
	int ret = pci_alloc_irq_vectors(edu->pdev, 1, 1, PCI_IRQ_ALL_TYPES);

	if (ret < 0)
		return ret;
	ret = request_irq(pci_irq_vector(edu->pdev, 0), edu_irq, IRQF_SHARED, "edu", edu);
	if (ret)
		pci_free_irq_vectors(edu->pdev);
	return ret;
}

void edu_engine_exit(struct edu *edu)
{
	free_irq(pci_irq_vector(edu->pdev, 0), edu);
	pci_free_irq_vectors(edu->pdev);
}
