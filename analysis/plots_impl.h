/* plots_impl: what the figures share. */
#ifndef LOGLOG_ANALYSIS_PLOTS_IMPL_H
#define LOGLOG_ANALYSIS_PLOTS_IMPL_H

#include "analysis/plots.h"
#include "analysis/svg.h"

#define PLOT_W 480.0
#define PLOT_H 350.0
#define PLOT_LEFT 62.0
#define PLOT_TOP 14.0
#define PLOT_BOTTOM 44.0
#define PLOT_RIGHT 16.0
#define PLOT_LABELS 52.0 /* right margin where curves are labelled */

/* Give two finished scales the pixels of a figure. */
void plot_frame(struct scale *x, struct scale *y, double right);
/* "q0" to "q7": the colour of the i-th of n ordered series. */
const char *plot_order(int i, int n);
/* coef C^exponent as a line over the x scale. */
void plot_power(struct str *out, const char *cls, const struct scale *x,
                const struct scale *y, double coef, double exponent);
/* The area between lo(C) and hi(C). */
void plot_band(struct str *out, const char *cls, const struct scale *x,
               const struct scale *y, const double *C, const double *lo,
               const double *hi, size_t n);
/* Rows of marker and text from (x, y) down. */
struct legend_row {
    const char *cls;
    int line; /* 1: a line, 0: a marker */
    enum svg_mark mark;
    const char *text;
};
void plot_legend(struct str *out, double x, double y,
                 const struct legend_row *row, size_t n);
/* A vertical bar from lo to hi at x with caps. */
void plot_bar(struct str *out, const char *cls, double x, double lo, double hi);
/* Text labels of curves at the right side, moved apart. */
struct side_label {
    double y;
    char cls[16], text[32];
};
void plot_side_labels(struct str *out, double x, struct side_label *l,
                      size_t n);

#endif
