/* collapse: do the loss curves of all sizes coincide once each is scaled?
 *
 * Qiu et al., arXiv 2507.02119: with time as a share x of the run and the loss
 * above the irreducible one as a share of where the run ends,
 *     z(x) = (L(x T) - L0) / (L(T) - L0),
 * compute-optimal runs of all sizes fall on one curve; where the learning rate
 * decays, closer than two seeds of one size do ("supercollapse").  A size that
 * leaves the curve has the wrong hyper-parameters, or a fault.  L0 is that of
 * L0 + k C^-p through the ends of the runs, or given.  Its interval is that
 * law's (curve.h); those of the scatter and of the seed noise draw the cells
 * again, each with all its seeds, L0 held. */
#ifndef LOGLOG_ANALYSIS_COLLAPSE_H
#define LOGLOG_ANALYSIS_COLLAPSE_H

#include "analysis/series.h"
#include "base/err.h"

#include <stdint.h>

struct fit_result; /* analysis/fit_json.h */

#define COLLAPSE_GRID 40 /* stretches of a run */

struct collapse_options {
    double L0;     /* NaN: from the ends of the runs */
    double from;   /* share of a run from which on it is judged, 0.2 */
    double level;  /* of the intervals, 0.9 */
    int bootstrap; /* resamples, 400; 0: no interval */
    uint64_t seed;
    int interval; /* enum boot_kind; percentile */
    /* Draws (bootstrap.h) of the cells in the order of their compute (of
     * appearance where that is not known), for every interval; NULL: none. */
    const char *indices;
};
void collapse_options_default(struct collapse_options *o);

struct collapse_run {
    char label[POINT_TEXT], cell[POINT_TEXT];
    double flops, steps, end; /* loss over the last stretch */
    double z[COLLAPSE_GRID];  /* at x = (i + 1/2) / COLLAPSE_GRID */
    double loss[COLLAPSE_GRID];
    int cell_id;
    double deviation; /* root mean square of its z over the mean curve, less 1,
                         from `from` on */
    int odd;          /* far from the curve: see collapse_fit */
};

struct collapse_fit {
    struct collapse_options opts;
    struct collapse_run *run;
    size_t n;
    int n_cell, n_skipped; /* skipped: curves with gaps */
    double L0, L0_ci[2], k, p;
    int L0_fitted;
    double mean[COLLAPSE_GRID];    /* the common curve */
    double scatter[COLLAPSE_GRID]; /* relative SD of z between cells, each the
                                      mean of its seeds */
    double noise[COLLAPSE_GRID];   /* relative SD of L - L0 between the seeds
                                      of a cell, scaled to the same mean of
                                      seeds; NaN: no cell has two */
    double scatter_rms, noise_rms; /* over x from `from` on */
    double scatter_ci[2], noise_ci[2]; /* NaN: none */
    double below; /* share of x there with scatter < noise */
    int super;    /* scatter_rms < noise_rms */
    int identified;
    char refused[256];
};

/* Fit.  A run is odd when its deviation is more than four times the median
 * one.  Fewer than three cells, or ends that do not determine L0, are refused,
 * which is no failure; -1 with *e when there is no curve at all, or draws that
 * cannot be used. */
int collapse_fit(struct collapse_fit *f, const struct series_set *t,
                 const struct collapse_options *o, struct err *e);
void collapse_fit_release(struct collapse_fit *f);

/* As hyper_fit_result; law "collapse". */
void collapse_fit_result(struct fit_result *r, const struct collapse_fit *f);

#endif
