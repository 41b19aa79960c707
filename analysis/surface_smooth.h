/* surface_smooth: the smoothed bootstrap of a surface fit.
 *
 * Where the corners of an objective are fine beside the residuals (a Huber
 * delta of 0.001 and runs that scatter by 1 %; absolute errors), the optimum
 * is a quantile of the residuals.  Resamples of the points themselves are a
 * poor stand-in for new ones then: their optima lie about another point than
 * the optimum of all, an average, so that percentile intervals are too wide
 * and their reflections, the basic ones, fall short (docs/fits.md, Coverage).
 * The remedy is that of De Angelis, Hall & Young, JASA 88, 1310 (1993): a
 * drawn run's loss is moved along a normal kernel, of Silverman's bandwidth
 * 0.9 min(SD, IQR/1.34) n^-1/5 of the residuals (1986, eq. 3.31).  And what a
 * resample is compared with is the optimum of what it was drawn from, the
 * smoothed points (Davison & Hinkley 1997, 2.4 and 3.4). */
#ifndef LOGLOG_ANALYSIS_SURFACE_SMOOTH_H
#define LOGLOG_ANALYSIS_SURFACE_SMOOTH_H

#include "analysis/surface.h"

/* The corners of the fit's objective are finer than its residuals. */
int surface_has_corners(const struct surface_fit *f,
                        const struct surface_data *d);
/* The bandwidth: a relative standard deviation of losses. */
double surface_bandwidth(const struct surface_fit *f,
                         const struct surface_data *d);

/* Columns of m rows, in one block. */
struct smooth_rows {
    struct surface_data d;
    double *block; /* NULL: none yet; free() it */
    size_t room;   /* rows it holds */
};

/* Rows idx[0..m) of d, the k-th one's loss times exp(bandwidth z), z the
 * standard normal of (seed, number, k). */
void smooth_draw(struct smooth_rows *r, const struct surface_data *d,
                 const size_t *idx, size_t m, double bandwidth, uint64_t seed,
                 size_t number);
/* Every row of d at the midpoints of SMOOTH_NODES equal parts of the kernel:
 * the smoothed points. */
#define SMOOTH_NODES 11
void smooth_all(struct smooth_rows *r, const struct surface_data *d,
                double bandwidth);

#endif
