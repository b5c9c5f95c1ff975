/*
 * svg.h
 *		Writing SVG: text that is escaped, colours by kind, durations.
 *
 * A document is self-contained: no scripts, fonts, styles or links from
 * elsewhere.
 */
#ifndef LLMTRACE_SVG_H
#define LLMTRACE_SVG_H

#include "kernel/trajectory.h"

#define SVG_WIDTH 1200
#define SVG_MARGIN 12

extern void svg_begin(StringInfo buf, int height, const char *title);
extern void svg_end(StringInfo buf);
extern void svg_text(StringInfo buf, Bytes text, int max_chars);
extern void svg_rect(StringInfo buf, double x, double y, double width, double height,
					 const char *fill, const char *more);
extern const char *svg_kind_color(uint8 kind);
extern void svg_legend(StringInfo buf, const uint8 *kind_is_used, double x, double y);

/* Three digits that matter, with a unit; TIME_OPEN is "open". */
#define DURATION_TEXT_ROOM 32
extern const char *duration_text(char *room, int64 ns);

/* The pictures. */
extern void waterfall_svg(StringInfo buf, Trajectory *t);

#endif							/* LLMTRACE_SVG_H */
