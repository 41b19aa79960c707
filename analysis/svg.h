/* svg: the few shapes that our figures are made of, as text.
 *
 * Colours are never written into a shape: a shape has a class, and the style
 * sheet of the page (or svg_style, in a file of its own) says what it looks
 * like in light and in dark.  A shape with a coordinate that is not finite is
 * left out, so every number in the output is one.  Text is escaped. */
#ifndef LOGLOG_ANALYSIS_SVG_H
#define LOGLOG_ANALYSIS_SVG_H

#include "base/str.h"

#include <stddef.h>

/* Append text with & < > " ' escaped, for HTML and SVG; control characters
 * and bytes that are no UTF-8 become U+FFFD. */
void markup_escape(struct str *out, const char *text);

/* An <svg> of this size in user units, scaled to its container; title and
 * description for those who do not see it.  id: unique in the document, a
 * name of letters and digits. */
void svg_begin(struct str *out, const char *id, double w, double h,
               const char *title, const char *desc);
void svg_end(struct str *out);

void svg_line(struct str *out, const char *cls, double x1, double y1, double x2,
              double y2);
/* xy: n pairs.  Pairs that are not finite break the line. */
void svg_polyline(struct str *out, const char *cls, const double *xy, size_t n);
void svg_polygon(struct str *out, const char *cls, const double *xy, size_t n);
void svg_circle(struct str *out, const char *cls, double x, double y, double r);
void svg_rect(struct str *out, const char *cls, double x, double y, double w,
              double h);
/* anchor: start, middle, end.  title (may be NULL): shown on hovering. */
void svg_text(struct str *out, const char *cls, const char *anchor, double x,
              double y, const char *text);
/* Read upwards, centred on (x, y). */
void svg_text_up(struct str *out, const char *cls, double x, double y,
                 const char *text);
/* Markers that differ in shape as well as in colour, of size r. */
enum svg_mark { MARK_DOT, MARK_SQUARE, MARK_DIAMOND, MARK_UP, MARK_CROSS };
#define SVG_MARKS 5
void svg_mark(struct str *out, const char *cls, enum svg_mark m, double x,
              double y, double r);
/* What is drawn until svg_clip_end is cut at this frame. */
void svg_clip(struct str *out, const char *id, double x, double y, double w,
              double h);
void svg_clip_end(struct str *out);

/* An axis: data [lo, hi] to pixels [p0, p1]. */
struct scale {
    double lo, hi;
    int log;
    double p0, p1;
};
double scale_at(const struct scale *s, double v);
/* Widen [lo, hi] to hold v (ignored unless finite, and positive on a log
 * scale).  Start from scale_empty. */
void scale_empty(struct scale *s, int log);
void scale_hold(struct scale *s, double v);
/* Margins of a share of the range; a scale that holds nothing becomes
 * [1, 10] or [0, 1], one that holds a single value gets a range about it. */
void scale_finish(struct scale *s, double margin);
/* Ticks inside the scale; labelled ones first have label[i] = 1.  At most
 * max; returns the count. */
#define SCALE_TICKS 64
struct ticks {
    double v[SCALE_TICKS];
    int label[SCALE_TICKS];
    int n;
};
void scale_ticks(struct ticks *t, const struct scale *s);
/* "1e12", "0.003", "2.5": a tick's label. */
void scale_label(char buf[STR_DOUBLE], double v, const struct scale *s);

/* A framed plot of `x` and `y` (pixel ranges set) with grid, ticks, names. */
void svg_axes(struct str *out, const struct scale *x, const struct scale *y,
              const char *x_name, const char *y_name);

/* The style sheet of our classes, for the page and for single files. */
extern const char svg_style[];
/* The same in the colours of paper, none behind a name: for programs that know
 * no CSS variables (librsvg, Inkscape, LaTeX). */
void svg_style_print(struct str *out);

#endif
