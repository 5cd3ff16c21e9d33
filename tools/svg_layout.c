// SPDX-License-Identifier: GPL-2.0-only
/* The picture of a process's memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "picture.h"
#include "svg.h"
#include "tool.h"

#define WIDTH		1120u
#define MARGIN		28u
#define BAR_X		232u
#define BAR_WIDTH	(BAR_UNITS / 2)
#define BAR_HEIGHT	16u
#define ROW		25u
#define TOTAL_Y		112u		/* of the bar for the whole process */
#define TOTAL_HEIGHT	26u
#define ROWS_Y		192u
#define NAME_CHARS	26u

static const char *const class_names[NR_CLASSES] = {
	"below 64 KiB", "64 KiB to 2 MiB", "2 MiB to 1 GiB", "1 GiB and up"
};

static void put_header(FILE *f, const struct layout *layout, unsigned int height)
{
	const struct mapping *total = &layout->total;
	char title[80];

	snprintf(title, sizeof(title), "%s (%d): physical layout", layout->comm, layout->pid);
	svg_begin(f, WIDTH, height, title);
	fprintf(f, "<text class=\"title\" x=\"%u\" y=\"40\">How contiguous is the memory of ",
		MARGIN);
	svg_text(f, layout->comm, NAME_CHARS);
	fprintf(f, " (%d)?</text>\n<text class=\"soft\" x=\"%u\" y=\"62\">%s in %" PRIu64
		   " phyrs, the largest %s. Described by arrays of pages: %s; by phyrs: %s.",
		layout->pid, MARGIN, text_bytes(total->cost.bytes).s, total->cost.phyrs,
		text_bytes(total->cost.largest).s,
		text_bytes(layout_array_bytes(layout, total)).s,
		text_bytes(total->cost.metadata).s);
	if (total->absent[ABSENT_SWAPPED])
		fprintf(f, " %s more is swapped out.",
			text_bytes(total->absent[ABSENT_SWAPPED] * layout->page_size).s);
	fputs("</text>\n", f);
}

static void put_swatch(FILE *f, unsigned int x, unsigned int class, bool many)
{
	fprintf(f, "<rect class=\"c%u\" x=\"%u\" y=\"80\" width=\"14\" height=\"14\" rx=\"2\"/>",
		class, x);
	if (many)
		fprintf(f, "<rect class=\"many\" x=\"%u\" y=\"80\" width=\"14\" height=\"14\" "
			   "rx=\"2\"/>", x);
}

static void put_legend(FILE *f)
{
	unsigned int class, x = BAR_X;

	fprintf(f, "<text class=\"soft end\" x=\"%u\" y=\"91\">length of a phyr</text>\n",
		BAR_X - 14);
	for (class = 0; class < NR_CLASSES; class++, x += 136) {
		put_swatch(f, x, class, false);
		fprintf(f, "<text x=\"%u\" y=\"91\">%s</text>\n", x + 20, class_names[class]);
	}
	put_swatch(f, x, CLASS_SMALL, true);
	fprintf(f, "<text x=\"%u\" y=\"91\">too many to tell apart</text>\n", x + 20);
}

/* The whole process: how many bytes are in phyrs of each class. */
static void put_total(FILE *f, const struct layout *layout)
{
	const struct cost *cost = &layout->total.cost;
	double x = BAR_X, width;
	unsigned int class;

	fprintf(f, "<text class=\"end\" x=\"%u\" y=\"%u\">whole process</text>\n", BAR_X - 14,
		TOTAL_Y + 17);
	for (class = 0; class < NR_CLASSES; class++) {
		width = (double)cost->class_bytes[class] / (double)cost->bytes * BAR_WIDTH;
		if (!cost->class_bytes[class])
			continue;
		fprintf(f, "<rect class=\"c%u\" x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\"/>",
			class, x, TOTAL_Y, width, TOTAL_HEIGHT);
		if (width >= 48)
			fprintf(f, "<text class=\"in\" x=\"%.2f\" y=\"%u\">%.0f %%</text>",
				x + width / 2, TOTAL_Y + 17, width / BAR_WIDTH * 100);
		x += width;
	}
	fprintf(f, "\n<text x=\"%u\" y=\"%u\">%s</text>\n", BAR_X + BAR_WIDTH + 14, TOTAL_Y + 17,
		text_bytes(cost->bytes).s);
}

static void put_boxes(FILE *f, const struct picture *picture, unsigned int y)
{
	const struct box *box;

	for (box = picture->boxes; box < picture->boxes + picture->nr; box++) {
		double x = BAR_X + box->from / 2.0, width = (box->to - box->from) / 2.0;

		/* A gap tells boxes apart; a column has no edges to show. */
		fprintf(f, "<rect class=\"c%u\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
			   "height=\"%u\"/>", box->class, x, y,
			box->shared ? width : width - 0.7, BAR_HEIGHT);
		if (box->shared)
			fprintf(f, "<rect class=\"many\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
				   "height=\"%u\"/>", x, y, width, BAR_HEIGHT);
	}
}

static void put_mapping(FILE *f, const struct mapping *map, unsigned int y)
{
	const char *name = short_name(map->path);

	fprintf(f, "<g><title>%" PRIx64 "-%" PRIx64 " %s ", map->start, map->end, map->perms);
	svg_text(f, *map->path ? map->path : name, SIZE_MAX);
	fprintf(f, "</title>\n<text class=\"end\" x=\"%u\" y=\"%u\">", BAR_X - 14, y + 12);
	svg_text(f, name, NAME_CHARS);
	fputs("</text>\n", f);
	put_boxes(f, map->picture, y);
	fprintf(f, "\n<text x=\"%u\" y=\"%u\">%s <tspan class=\"soft\">in %" PRIu64
		   "</tspan></text></g>\n", BAR_X + BAR_WIDTH + 14, y + 12,
		text_bytes(map->cost.bytes).s, map->cost.phyrs);
}

static int by_size(const void *a, const void *b)
{
	const struct mapping *left = *(const struct mapping *const *)a;
	const struct mapping *right = *(const struct mapping *const *)b;

	if (left->cost.bytes != right->cost.bytes)
		return left->cost.bytes < right->cost.bytes ? 1 : -1;
	return left->start < right->start ? -1 : 1;
}

static void put_all(FILE *f, const struct layout *layout)
{
	unsigned int nr = layout->nr_pictured, y = ROWS_Y, i;
	const struct mapping *sorted[ARRAY_SIZE(layout->pictured)];
	size_t left = layout->nr_present - nr;

	for (i = 0; i < nr; i++)
		sorted[i] = &layout->pictured[i];
	qsort(sorted, nr, sizeof(sorted[0]), by_size);
	put_header(f, layout, ROWS_Y + nr * ROW + 36);
	put_legend(f);
	if (layout->total.cost.bytes)
		put_total(f, layout);
	fprintf(f, "<line class=\"rule\" x1=\"%u\" y1=\"158\" x2=\"%u\" y2=\"158\"/>\n"
		   "<text class=\"soft end\" x=\"%u\" y=\"179\">mapping</text>"
		   "<text class=\"soft\" x=\"%u\" y=\"179\">its phyrs, in the order of its "
		   "addresses; each bar is one mapping, whatever its size</text>"
		   "<text class=\"soft\" x=\"%u\" y=\"179\">present in phyrs</text>\n",
		MARGIN, WIDTH - MARGIN, BAR_X - 14, BAR_X, BAR_X + BAR_WIDTH + 14);
	for (i = 0; i < nr; i++, y += ROW)
		put_mapping(f, sorted[i], y);
	if (left)
		fprintf(f, "<text class=\"soft\" x=\"%u\" y=\"%u\">and %zu smaller mappings"
			   "</text>\n", BAR_X, y + 14, left);
}

/**
 * svg_write_layout - put the picture into a file
 * @path: of the file
 * @layout: with pictures
 *
 * Return: 0, or an exit status after a message.
 */
int svg_write_layout(const char *path, const struct layout *layout)
{
	FILE *f = svg_open(path);

	if (!f)
		return TOOL_FAILED;
	put_all(f, layout);
	return svg_close(f, path);
}
