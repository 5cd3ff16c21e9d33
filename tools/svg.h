/* SPDX-License-Identifier: GPL-2.0-only */
/* What all pictures have in common. */
#ifndef PHYR_SVG_H
#define PHYR_SVG_H

#include <stddef.h>
#include <stdio.h>

FILE *svg_open(const char *path);
void svg_begin(FILE *f, unsigned int width, unsigned int height, const char *title);
void svg_text(FILE *f, const char *s, size_t chars);
int svg_close(FILE *f, const char *path);

#endif /* PHYR_SVG_H */
