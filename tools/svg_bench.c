// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture of phyr bench: for each kind of memory and each call two bars, of which the
 * longer one has the full width.
 */
#include <stdio.h>

#include "bench.h"
#include "svg.h"
#include "tool.h"

#define WIDTH		820u
#define MARGIN		28u
#define BAR_X		190u
#define BAR_WIDTH	440u
#define BAR_HEIGHT	11u
#define RATIO_X		(WIDTH - MARGIN)
#define ROW		36u
#define HEAD		88u
#define TITLE		64u		/* of a table, and its legend */
#define PHYR		3u		/* colours */
#define STOCK		0u

static unsigned int table_height(const struct bench_table *table)
{
	return table->nr ? TITLE + 2 * table->nr * ROW : 0;
}

static void put_bar(FILE *f, unsigned int y, unsigned int class, uint64_t ns, uint64_t most)
{
	double width = 1 + (double)ns / (double)most * (BAR_WIDTH - 1);

	fprintf(f, "<rect class=\"c%u\" x=\"%u\" y=\"%u\" width=\"%.1f\" height=\"%u\"/>"
		   "<text class=\"soft\" x=\"%.1f\" y=\"%u\">%s</text>\n",
		class, BAR_X, y, width, BAR_HEIGHT, BAR_X + width + 6, y + BAR_HEIGHT,
		text_ns(ns).s);
}

static void put_call(FILE *f, unsigned int y, const char *memory, const char *call,
		     const struct bench_time *time)
{
	uint64_t most = time->phyr > time->stock ? time->phyr : time->stock;

	fprintf(f, "<text class=\"end\" x=\"%u\" y=\"%u\">%s, %s</text>\n", BAR_X - 14, y + 17,
		memory, call);
	if (time->stock)
		put_bar(f, y, STOCK, time->stock, most);
	put_bar(f, y + BAR_HEIGHT + 2, PHYR, time->phyr, most ? most : 1);
	if (time->stock)
		fprintf(f, "<text class=\"end\" x=\"%u\" y=\"%u\">%.*f times</text>\n", RATIO_X,
			y + 17, bench_ratio(time) < 1 ? 2 : 1, bench_ratio(time));
}

static void put_swatch(FILE *f, unsigned int x, unsigned int y, unsigned int class,
		       const char *text)
{
	fprintf(f, "<rect class=\"c%u\" x=\"%u\" y=\"%u\" width=\"14\" height=\"14\" rx=\"2\"/>"
		   "<text x=\"%u\" y=\"%u\">%s</text>\n", class, x, y, x + 20, y + 11, text);
}

/**
 * struct look - what a table is called in the picture
 * @begin: the call that pins
 * @end: and the one that unpins
 * @stock: the stock way
 * @phyr: and phyr's
 */
struct look {
	const char *begin;
	const char *end;
	const char *stock;
	const char *phyr;
};

static unsigned int put_table(FILE *f, unsigned int y, const struct bench_table *table,
			      const struct look *look)
{
	const struct bench_row *row;

	if (!table->nr)
		return y;
	fprintf(f, "<line class=\"rule\" x1=\"%u\" y1=\"%u\" x2=\"%u\" y2=\"%u\"/>\n", MARGIN, y,
		WIDTH - MARGIN, y);
	put_swatch(f, BAR_X, y + 20, STOCK, look->stock);
	put_swatch(f, BAR_X + 240, y + 20, PHYR, look->phyr);
	fprintf(f, "<text class=\"soft end\" x=\"%u\" y=\"%u\">as fast</text>\n", RATIO_X,
		y + 31);
	y += TITLE - 12;
	for (row = table->rows; row < table->rows + table->nr; row++, y += 2 * ROW) {
		put_call(f, y, row->memory, look->begin, &row->begin);
		put_call(f, y + ROW, row->memory, look->end, &row->end);
	}
	return y + 12;
}

/**
 * svg_put_bench - put the picture into a file
 * @f: from svg_open()
 * @b: with all that was measured
 */
void svg_put_bench(FILE *f, const struct bench *b)
{
	static const struct look pin = {
		"pin", "unpin", "registered buffers of io_uring", "/dev/phyr",
	};
	static const struct look reg = {
		"ibv_reg_mr", "ibv_dereg_mr", "without phyr_rdma", "with phyr_rdma",
	};
	unsigned int height = HEAD + table_height(&b->pin) + table_height(&b->reg) + MARGIN;
	unsigned int y;

	svg_begin(f, WIDTH, height, "phyr bench");
	fprintf(f, "<text class=\"title\" x=\"%u\" y=\"40\">How long does it take to pin %s?"
		   "</text>\n<text class=\"soft\" x=\"%u\" y=\"62\">Linux %s, median of %u "
		   "rounds%s%s; in each pair of bars the longer one has the full width</text>\n",
		MARGIN, text_bytes(b->bytes).s, MARGIN, b->release, b->rounds,
		b->device ? ", RDMA device " : "", b->device ? b->device : "");
	y = put_table(f, HEAD, &b->pin, &pin);
	put_table(f, y, &b->reg, &reg);
}
