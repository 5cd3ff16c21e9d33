// SPDX-License-Identifier: GPL-2.0-only
/* What all pictures have in common: the file, the colours, text that anybody chose. */
#include <stdint.h>
#include <stdio.h>

#include "parse.h"
#include "svg.h"
#include "tool.h"

/* Readable on white and, for viewers that say so, on dark. */
static const char head[] =
	"<style>\n"
	"  text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; "
	"font-size: 12px; fill: #24292f; }\n"
	"  .title { font-size: 20px; font-weight: 600; }\n"
	"  .soft { fill: #6e7781; }\n"
	"  .end { text-anchor: end; }\n"
	"  .in { fill: #ffffff; font-weight: 600; text-anchor: middle; }\n"
	"  .page { fill: #ffffff; }\n"
	"  .rule { stroke: #d0d7de; stroke-width: 1; }\n"
	"  .c0 { fill: #cf4f5e; } .c1 { fill: #d9922e; }\n"
	"  .c2 { fill: #2a9d97; } .c3 { fill: #3567b5; }\n"
	"  .many { fill: url(#many); }\n"
	"  @media (prefers-color-scheme: dark) {\n"
	"    text { fill: #e6edf3; } .soft { fill: #8d96a0; } .in { fill: #ffffff; }\n"
	"    .page { fill: #0d1117; } .rule { stroke: #30363d; }\n"
	"  }\n"
	"</style>\n"
	"<defs><pattern id=\"many\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">"
	"<rect width=\"1.2\" height=\"4\" fill=\"#ffffff\" fill-opacity=\"0.38\"/>"
	"</pattern></defs>\n";

/* At most @chars characters; control characters are gone already. */
void svg_text(FILE *f, const char *s, size_t chars)
{
	size_t len = text_cut(s, chars), i;

	for (i = 0; i < len; i++) {
		switch (s[i]) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		default:
			fputc(s[i], f);
		}
	}
	if (s[len])
		fputs("\u2026", f);
}

/**
 * svg_open - begin a file
 * @path: of the file
 *
 * Return: the file, for svg_close(); NULL after a message.
 */
FILE *svg_open(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		tool_fail("cannot write %s: %m", path);
	return f;
}

/**
 * svg_begin - write what comes first
 * @f: from svg_open()
 * @width: of the picture
 * @height: of the picture
 * @title: any text without control characters
 */
void svg_begin(FILE *f, unsigned int width, unsigned int height, const char *title)
{
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		   "viewBox=\"0 0 %u %u\">\n<title>", width, height, width, height);
	svg_text(f, title, SIZE_MAX);
	fprintf(f, "</title>\n%s<rect class=\"page\" width=\"%u\" height=\"%u\"/>\n", head,
		width, height);
}

/**
 * svg_close - end a file
 * @f: from svg_open()
 * @path: of it
 *
 * Return: 0, or an exit status after a message.
 */
int svg_close(FILE *f, const char *path)
{
	int failed;

	fputs("</svg>\n", f);
	failed = ferror(f);
	if (fclose(f) || failed)
		return tool_fail("cannot write %s: %m", path);
	return 0;
}
