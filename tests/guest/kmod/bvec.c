// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_bvec_test: kernel/bvec.c on memory of this module. Loading it is the test; it fails if
 * a list is not what it was made of.
 */
#include <linux/bio.h>
#include <linux/folio_queue.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/phyr.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "compat.h"

#define ORDER	4
#define BLOCK	((size_t)PAGE_SIZE << ORDER)
#define NR	3

#define expect(condition)							\
	do {									\
		if (!(condition)) {						\
			pr_err("phyr_bvec_test: not true: " #condition "\n");	\
			ret = -EINVAL;						\
		}								\
	} while (0)

static struct page *blocks[NR];
static struct bio_vec bvecs[NR];
static struct phyr expected[NR];

/* None ends where another block begins, so that no two are one phyr. */
static void describe_blocks(void)
{
	static const struct {
		size_t offset;
		size_t len;
	} parts[NR] = { { 7, BLOCK - 100 }, { 0, BLOCK }, { 3 * PAGE_SIZE, PAGE_SIZE } };
	unsigned int i;

	for (i = 0; i < NR; i++) {
		bvec_set_page(&bvecs[i], blocks[i] + (parts[i].offset >> PAGE_SHIFT),
			      parts[i].len, offset_in_page(parts[i].offset));
		expected[i].addr = page_to_phys(blocks[i]) + parts[i].offset;
		expected[i].len = parts[i].len;
	}
}

/* What is in a list, which is then emptied. */
static bool list_is(struct phyr_list *list, const struct phyr *phyrs, unsigned int nr)
{
	struct phyr_iter it;
	struct phyr phyr;
	unsigned int i = 0;
	bool same = true;

	phyr_list_for_each(list, it, phyr) {
		same = same && i < nr && phyr.addr == phyrs[i].addr &&
		       phyr.len == phyrs[i].len && it.kind == PHYR_RAM;
		i++;
	}
	phyr_list_free(list);
	phyr_list_init(list);
	return same && i == nr;
}

static int test_bvecs(struct phyr_list *list)
{
	struct iov_iter iter;
	int ret = 0;

	expect(!phyr_list_append_bvecs(list, bvecs, NR, GFP_KERNEL));
	expect(list_is(list, expected, NR));
	iov_iter_bvec(&iter, ITER_SOURCE, bvecs, NR, expected[0].len + expected[1].len - 5);
	iov_iter_advance(&iter, 11);
	expected[0].addr += 11;
	expected[0].len -= 11;
	expected[1].len -= 5;
	expect(!phyr_list_append_iter(list, &iter, GFP_KERNEL));
	expect(list_is(list, expected, 2));
	describe_blocks();
	iov_iter_discard(&iter, ITER_DEST, PAGE_SIZE);
	expect(phyr_list_append_iter(list, &iter, GFP_KERNEL) == -EINVAL);
	expect(list_is(list, NULL, 0));
	return ret;
}

static int test_bio(struct phyr_list *list)
{
	struct bio_vec table[NR];
	struct bio bio;
	int ret = 0;

	bio_init(&bio, NULL, table, NR, REQ_OP_WRITE);
	expect(!phyr_list_append_bvecs(list, bvecs, NR, GFP_KERNEL));
	expect(phyr_list_to_bio(list, 0, expected[0].len + 9, &bio) == expected[0].len + 9);
	expect(bio.bi_vcnt == 2 && bio.bi_iter.bi_size == expected[0].len + 9);
	/* there is room for one more, whatever follows */
	expect(phyr_list_to_bio(list, expected[0].len + 9, BLOCK, &bio) == BLOCK - 9);
	expect(phyr_list_to_bio(list, 0, 1, &bio) == 0);
	expect(list_is(list, expected, NR));
	expect(!phyr_list_append_bio(list, &bio, GFP_KERNEL));
	expect(list_is(list, expected, 2));
	bio_uninit(&bio);
	return ret;
}

/* Each phyr of the list is an entry; what has no page is none. */
static int test_to_bvecs(struct phyr_list *list)
{
	struct bio_vec out[NR];
	u64 len = expected[0].len + expected[1].len;
	int ret = 0;

	expect(!phyr_list_append_bvecs(list, bvecs, NR, GFP_KERNEL));
	expect(phyr_list_to_bvecs(list, 0, len + PAGE_SIZE, out, NR) == NR);
	expect(!memcmp(out, bvecs, sizeof(bvecs)));
	expect(phyr_list_to_bvecs(list, 0, len + PAGE_SIZE, out, 2) == 2);
	expect(phyr_list_to_bvecs(list, 1, len, out, 0) == 0);
	expect(phyr_list_to_bvecs(list, 1, len + PAGE_SIZE, out, NR) == -EINVAL);
	expect(phyr_list_to_bvecs(list, 5, 4, out, NR) == 1);
	expect(out[0].bv_page == bvecs[0].bv_page && out[0].bv_offset == 12 && out[0].bv_len == 4);
	expect(!phyr_list_append(list, PAGE_SIZE, PAGE_SIZE, PHYR_PFNMAP, GFP_KERNEL));
	expect(phyr_list_to_bvecs(list, 0, len + PAGE_SIZE, out, NR) == NR);
	expect(phyr_list_to_bvecs(list, 0, len + PAGE_SIZE + 1, out, NR) == NR);
	expect(phyr_list_to_bvecs(list, len, PAGE_SIZE + 1, out, NR) == 1);
	expect(phyr_list_to_bvecs(list, len + PAGE_SIZE, 1, out, NR) == -EOPNOTSUPP);
	phyr_list_free(list);
	phyr_list_init(list);
	return ret;
}

static int test_sgtable(struct phyr_list *list)
{
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned int i;
	int ret = sg_alloc_table(&sgt, NR, GFP_KERNEL);

	if (ret)
		return ret;
	for_each_sgtable_sg(&sgt, sg, i)
		sg_set_page(sg, bvecs[i].bv_page, bvecs[i].bv_len, bvecs[i].bv_offset);
	expect(!phyr_list_append_sgtable(list, &sgt, GFP_KERNEL));
	expect(list_is(list, expected, NR));
	sg_init_table(sgt.sgl, NR);
	expect(phyr_list_append_sgtable(list, &sgt, GFP_KERNEL) == -EINVAL);
	sg_free_table(&sgt);
	return ret;
}

static int test_folios(struct phyr_list *list)
{
	struct folio_batch batch;
	enum phyr_kind kind;
	struct phyr phyr;
	unsigned int i;
	int ret = 0;

	folio_batch_init(&batch);
	for (i = 0; i < NR; i++)
		folio_batch_add(&batch, page_folio(blocks[i]));
	expect(!phyr_list_append_folios(list, &batch, GFP_KERNEL));
	expect(phyr_list_len(list) == NR * BLOCK);
	for (i = 0; i < NR; i++)
		expect(phyr_list_find(list, i * BLOCK, &phyr, &kind) && phyr.len >= BLOCK &&
		       phyr.addr == page_to_phys(blocks[i]));
	phyr_list_free(list);
	phyr_list_init(list);
	return ret;
}

/* A page of vmalloc() after another, of which two may be adjacent. */
static bool list_is_vmalloc(struct phyr_list *list, const char *addr, size_t len)
{
	enum phyr_kind kind;
	struct phyr phyr;
	bool same = phyr_list_len(list) == len;
	size_t at;

	for (at = 0; at < len && same; at += 97)
		same = phyr_list_find(list, at, &phyr, &kind) &&
		       phyr.addr == page_to_phys(vmalloc_to_page(addr + at)) +
				    offset_in_page(addr + at);
	phyr_list_free(list);
	phyr_list_init(list);
	return same;
}

static int test_kvecs(struct phyr_list *list)
{
	char *scattered = vmalloc(3 * PAGE_SIZE);
	struct kvec kvecs[NR];
	struct iov_iter iter;
	unsigned int i;
	int ret = 0;

	if (!scattered)
		return -ENOMEM;
	for (i = 0; i < NR; i++) {
		kvecs[i].iov_base = page_address(bvecs[i].bv_page) + bvecs[i].bv_offset;
		kvecs[i].iov_len = bvecs[i].bv_len;
	}
	expect(!phyr_list_append_kvecs(list, kvecs, NR, GFP_KERNEL));
	expect(list_is(list, expected, NR));
	kvecs[0].iov_base = scattered + 5;
	kvecs[0].iov_len = 3 * PAGE_SIZE - 11;
	iov_iter_kvec(&iter, ITER_DEST, kvecs, 1, kvecs[0].iov_len);
	iov_iter_advance(&iter, 8);
	expect(!phyr_list_append_iter(list, &iter, GFP_KERNEL));
	expect(list_is_vmalloc(list, scattered + 13, 3 * PAGE_SIZE - 19));
	kvecs[0].iov_base = NULL;
	expect(phyr_list_append_kvecs(list, kvecs, 1, GFP_KERNEL) == -EFAULT);
	vfree(scattered);
	return ret;
}

static int test_all(void)
{
	struct phyr_list list;
	int ret;

	describe_blocks();
	phyr_list_init(&list);
	ret = test_bvecs(&list) ?: test_bio(&list) ?: test_to_bvecs(&list) ?:
	      test_sgtable(&list) ?: test_folios(&list) ?: test_kvecs(&list);
	phyr_list_free(&list);
	return ret;
}

static int __init bvec_test_init(void)
{
	int ret = -ENOMEM;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = alloc_pages(GFP_KERNEL | __GFP_COMP, ORDER);
		if (!blocks[i])
			goto free;
	}
	ret = test_all();
free:
	while (i--)
		__free_pages(blocks[i], ORDER);
	return ret;
}

static void __exit bvec_test_exit(void)
{
}

module_init(bvec_test_init);
module_exit(bvec_test_exit);

MODULE_DESCRIPTION("Lists made of what the kernel describes memory by, and back, for the tests of phyr");
MODULE_AUTHOR("The phyr developers");
MODULE_LICENSE("GPL");
