// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the rest of the kernel describes memory by becomes phyrs, and back: bio_vec, bio,
 * iov_iter, kvec, sg_table, folios.
 *
 * A bio_vec of several pages, an entry of a scatterlist and a folio are one step each.  Nothing
 * is pinned or held here: the caller keeps the memory for as long as the list is used, and
 * frees the list with phyr_list_free().  To a bio_vec goes what has a struct page, and
 * nothing else.
 */
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/export.h>
#include <linux/folio_queue.h>	/* has struct folio_batch, by whichever name of its header */
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "internal.h"

static int append_page(struct phyr_list *list, struct page *page, size_t offset, size_t len,
		       gfp_t gfp)
{
	if (!len)
		return 0;
	return phyr_list_append(list, page_to_phys(page) + offset, len, page_kind(page), gfp);
}

/**
 * phyr_list_append_bvecs - append what an array of bio_vec describes
 * @list: the list
 * @bvecs: the array; an entry may be of several pages, which follow each other
 * @nr: how many
 * @gfp: for the list's memory
 *
 * Context: any that @gfp allows.
 * Return: 0; -ENOMEM, and what was appended before stays.
 */
int phyr_list_append_bvecs(struct phyr_list *list, const struct bio_vec *bvecs, unsigned int nr,
			   gfp_t gfp)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = append_page(list, bvecs[i].bv_page, bvecs[i].bv_offset, bvecs[i].bv_len, gfp);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_append_bvecs);

/**
 * phyr_list_append_bio - append what is left of a bio
 * @list: the list
 * @bio: the bio, which stays as it is; one without data appends nothing
 * @gfp: for the list's memory
 *
 * Context: any that @gfp allows.
 * Return: as phyr_list_append_bvecs().
 */
int phyr_list_append_bio(struct phyr_list *list, const struct bio *bio, gfp_t gfp)
{
	struct bvec_iter iter;
	struct bio_vec bv;
	int ret = 0;

	if (!bio_has_data((struct bio *)bio))
		return 0;
	bio_for_each_bvec(bv, bio, iter) {
		ret = phyr_list_append_bvecs(list, &bv, 1, gfp);
		if (ret)
			break;
	}
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_append_bio);

/**
 * phyr_list_append_sgtable - append the memory that a scatterlist describes
 * @list: the list
 * @sgt: the scatterlist; what it is mapped to for a device is not looked at
 * @gfp: for the list's memory
 *
 * Context: any that @gfp allows.
 * Return: as phyr_list_append_bvecs(); -EINVAL for an entry without a struct page, as those
 * of dma-bufs of device memory are.
 */
int phyr_list_append_sgtable(struct phyr_list *list, const struct sg_table *sgt, gfp_t gfp)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret = 0;

	for_each_sgtable_sg(sgt, sg, i) {
		ret = sg_page(sg) ? append_page(list, sg_page(sg), sg->offset, sg->length, gfp) :
				    -EINVAL;
		if (ret)
			break;
	}
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_append_sgtable);

/**
 * phyr_list_append_folios - append all of each folio of a batch
 * @list: the list
 * @folios: the batch
 * @gfp: for the list's memory
 *
 * Context: any that @gfp allows.
 * Return: as phyr_list_append_bvecs().
 */
int phyr_list_append_folios(struct phyr_list *list, const struct folio_batch *folios, gfp_t gfp)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < folios->nr && !ret; i++)
		ret = append_page(list, folio_page(folios->folios[i], 0), 0,
				  folio_size(folios->folios[i]), gfp);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_append_folios);

/* The kernel's own mapping is one piece; what it maps elsewhere is looked up page by page. */
static int append_kernel(struct phyr_list *list, const void *addr, size_t len, gfp_t gfp)
{
	bool scattered = is_vmalloc_addr(addr);
	struct page *page;
	size_t n;
	int ret = 0;

	for (; len && !ret; addr += n, len -= n) {
		n = len;
		if (scattered)
			n = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
		else if (!virt_addr_valid(addr) || !virt_addr_valid(addr + len - 1))
			return -EFAULT;
		page = scattered ? vmalloc_to_page(addr) : virt_to_page(addr);
		ret = page ? append_page(list, page, offset_in_page(addr), n, gfp) : -EFAULT;
	}
	return ret;
}

/**
 * phyr_list_append_kvecs - append what an array of kvec describes
 * @list: the list
 * @kvecs: the array, of addresses that the kernel maps
 * @nr: how many
 * @gfp: for the list's memory
 *
 * Memory of vmalloc() and the like is a step a page, as its page tables are.
 *
 * Context: any that @gfp allows.
 * Return: as phyr_list_append_bvecs(); -EFAULT for an address that is not mapped, or that
 * leads to memory without a struct page, as that of ioremap() does.
 */
int phyr_list_append_kvecs(struct phyr_list *list, const struct kvec *kvecs, unsigned int nr,
			   gfp_t gfp)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = append_kernel(list, kvecs[i].iov_base, kvecs[i].iov_len, gfp);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_list_append_kvecs);

static int append_kvec_iter(struct phyr_list *list, const struct iov_iter *iter, gfp_t gfp)
{
	const struct kvec *kvec = iter->kvec;
	size_t skip = iter->iov_offset, left = iov_iter_count(iter), n;
	int ret = 0;

	for (; left && !ret; kvec++, skip = 0, left -= n) {
		n = min(left, kvec->iov_len - skip);
		ret = append_kernel(list, kvec->iov_base + skip, n, gfp);
	}
	return ret;
}

static int append_bvec_iter(struct phyr_list *list, const struct iov_iter *iter, gfp_t gfp)
{
	const struct bio_vec *bv = iter->bvec;
	size_t skip = iter->iov_offset, left = iov_iter_count(iter), n;
	int ret = 0;

	for (; left && !ret; bv++, skip = 0, left -= n) {
		n = min(left, bv->bv_len - skip);
		ret = append_page(list, bv->bv_page, bv->bv_offset + skip, n, gfp);
	}
	return ret;
}

/**
 * phyr_list_append_iter - append what an iterator of the kernel's memory leads to
 * @list: the list
 * @iter: an iterator over kvec or bio_vec, which stays where it is
 * @gfp: for the list's memory
 *
 * A program's memory has to be pinned: pin_user_phyr_list().
 *
 * Context: any that @gfp allows.
 * Return: as phyr_list_append_kvecs(); -EINVAL for any other iterator.
 */
int phyr_list_append_iter(struct phyr_list *list, const struct iov_iter *iter, gfp_t gfp)
{
	if (iov_iter_is_kvec(iter))
		return append_kvec_iter(list, iter, gfp);
	if (iov_iter_is_bvec(iter))
		return append_bvec_iter(list, iter, gfp);
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(phyr_list_append_iter);

#define BVEC_MAX	round_down(UINT_MAX, PAGE_SIZE)	/* what a bio_vec can hold */

/**
 * phyr_list_to_bvecs - describe a slice of a list by bio_vec
 * @list: the list, which must hold its memory for as long as they are used
 * @offset: first byte of the slice
 * @len: its length
 * @bvecs: the array to fill, an entry for each phyr, or more where one is longer than 4 GiB
 * @max: how many fit; if the slice takes more, the beginning of it is described
 *
 * It stops where memory of another kind begins: a bio must not have memory of PCI devices
 * beside other, and its queue has to take that (blk_queue_pci_p2pdma()).
 *
 * Context: any.
 * Return: how many were filled; -EOPNOTSUPP for memory without a struct page, as whatever
 * reads a bio_vec's page would go wrong; -EINVAL for a slice that is not in the list.
 */
int phyr_list_to_bvecs(const struct phyr_list *list, u64 offset, u64 len, struct bio_vec *bvecs,
		       unsigned int max)
{
	enum phyr_kind kind = PHYR_RAM;
	unsigned int nr = 0, n;
	struct phyr_iter it;
	struct phyr phyr;

	if (offset > phyr_list_len(list) || len > phyr_list_len(list) - offset)
		return -EINVAL;
	phyr_list_for_each_slice(list, offset, len, it, phyr) {
		if (nr && it.kind != kind)
			break;
		if (it.kind == PHYR_PFNMAP)
			return -EOPNOTSUPP;
		kind = it.kind;
		for (; phyr.len && nr < max; phyr.addr += n, phyr.len -= n) {
			n = min_t(u64, phyr.len, BVEC_MAX - offset_in_page(phyr.addr));
			bvec_set_page(&bvecs[nr++], pfn_to_page(PHYS_PFN(phyr.addr)), n,
				      offset_in_page(phyr.addr));
		}
		if (nr == max)
			break;
	}
	return nr;
}
EXPORT_SYMBOL_GPL(phyr_list_to_bvecs);

/**
 * phyr_list_to_bio - add a slice of a list to a bio, as far as there is room
 * @list: the list, which must hold its memory until the bio ends
 * @offset: first byte of the slice
 * @len: its length
 * @bio: the bio, which holds nothing of it
 *
 * How long a bio may be is for its submitter to know.
 *
 * Context: any.
 * Return: how many bytes were added, or an error as phyr_list_to_bvecs().
 */
ssize_t phyr_list_to_bio(const struct phyr_list *list, u64 offset, u64 len, struct bio *bio)
{
	unsigned int room = bio->bi_max_vecs - bio->bi_vcnt;
	struct bio_vec *bvecs = bio->bi_io_vec + bio->bi_vcnt;
	u32 before = bio->bi_iter.bi_size;
	int i, nr;

	if (bio_flagged(bio, BIO_CLONED))
		return -EINVAL;
	nr = phyr_list_to_bvecs(list, offset, min_t(u64, len, BVEC_MAX - before), bvecs, room);
	for (i = 0; i < nr; i++)
		bio->bi_iter.bi_size += bvecs[i].bv_len;
	bio->bi_vcnt += max(nr, 0);
	return nr < 0 ? nr : bio->bi_iter.bi_size - before;
}
EXPORT_SYMBOL_GPL(phyr_list_to_bio);
