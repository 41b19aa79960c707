/* holdout: judge a surface by runs that it has not seen.
 *
 * Clean fits are no evidence of extrapolation: what counts is the signed error
 * on larger budgets, whether the interval that was stated beforehand holds
 * it, and how both grow with the decades between fit and prediction. */
#ifndef LOGLOG_ANALYSIS_HOLDOUT_H
#define LOGLOG_ANALYSIS_HOLDOUT_H

#include "analysis/points.h"
#include "analysis/surface.h"

/* Which points are held out:
 *   COL:K   the K largest distinct values of a column (to 5 %)
 *   COL:P%  the largest P percent of the points by a column
 *   COL>V   those above a value                                            */
struct holdout_spec {
    enum point_col col;
    int top;      /* K, or 0 */
    double share; /* P / 100, or NaN */
    double above; /* V, or NaN */
};
int holdout_parse(struct holdout_spec *s, const char *text, struct err *e);
/* held[i] = 1 for the used rows of p that are held out, else 0.  Fails when
 * none is, or when fewer than half of the used rows remain. */
int holdout_mark(int *held, const struct points *p,
                 const struct holdout_spec *s, struct err *e);

/* One held-out point. */
struct holdout_row {
    size_t index; /* in the data given */
    double flops;
    double decades; /* log10(flops / largest flops fitted) */
    double observed, predicted;
    double lo, hi; /* interval of one run there */
    double error;  /* predicted/observed - 1 */
    int inside;
};

struct holdout {
    struct surface_fit fit; /* of the points that were not held out */
    size_t n;
    struct holdout_row *row; /* by flops */
    double mean_error, rms;  /* of `error` */
    double inside;           /* share of rows inside their interval */
    double decades;          /* of the farthest row */
};

struct holdout_options {
    struct surface_options surface;
    size_t resamples; /* for the intervals */
    uint64_t seed;
    int threads;
    double level;
};

/* Fit on the rows with held[i] = 0 and predict the others.  flops: (n). */
int holdout_surface(struct holdout *h, const struct surface_data *d,
                    const double *flops, const int *held,
                    const struct holdout_options *o, struct err *e);
void holdout_release(struct holdout *h);

/* Rolling extrapolation: for each cut-off among the budgets, fit what is at
 * or below it and predict what is above; one row for each pair of cut-off and
 * predicted budget.  Budgets are distinct flops (to 5 %), or half decades
 * where there are more than 24. */
struct rolling_row {
    double cutoff, flops; /* largest fitted, and predicted budget */
    double decades;
    size_t fitted, n;       /* points in the fit, points predicted */
    double mean_error, rms; /* signed, and root mean square */
    int identified;
};
/* *rows is the caller's to free. */
int holdout_rolling(struct rolling_row **rows, size_t *n,
                    const struct surface_data *d, const double *flops,
                    const struct surface_options *o, struct err *e);

/* The forms by their error on the held-out rows, best first; forms that could
 * not be fitted are left out.  *n <= SURFACE_FORMS. */
struct selection {
    enum surface_form form;
    double rms, mean_error, in_sample; /* in_sample: residual SD of the fit */
    int identified;
};
int holdout_select(struct selection *s, int *n, const struct surface_data *d,
                   const int *held, const struct surface_options *o,
                   struct err *e);

#endif
