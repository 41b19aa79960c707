/* curve_rolling: the law of the loss judged by larger budgets: for each cut-off
 * the profiles at or below it are fitted and the best loss of every budget
 * above it is forecast, as predict would have done at the time. */
#ifndef LOGLOG_ANALYSIS_CURVE_ROLLING_H
#define LOGLOG_ANALYSIS_CURVE_ROLLING_H

#include "base/err.h"

#include <stddef.h>

struct points;       /* analysis/points.h */
struct isoflop_opts; /* analysis/isoflop_fit.h */
struct fit_result;   /* analysis/fit_json.h */

struct curve_rolling_row {
    double cutoff, flops; /* largest budget fitted, and the one forecast */
    double decades;
    int budgets;      /* fitted */
    double observed;  /* by the profile of that budget, of all runs */
    double predicted; /* before it */
    double lo, hi;    /* of what is observed: its standard error included */
    double error;     /* predicted/observed - 1 */
    int inside;
    double misfit; /* as curve.h's, of the budgets fitted */
};

/* A row for each pair of a cut-off whose law is identified and a larger budget
 * with an accepted minimum, by cut-off.  Of o, level and how the minima are
 * found are used.  -1 with *e when there is no such pair, or the profiles
 * cannot be fitted.  *rows is the caller's to free. */
int curve_rolling(struct curve_rolling_row **rows, size_t *n,
                  const struct points *p, const struct isoflop_opts *o,
                  struct err *e);

/* Diagnostics `rolling` (the rows) and rolling_mean_error, rolling_rms,
 * rolling_inside over them. */
void curve_rolling_result(struct fit_result *r,
                          const struct curve_rolling_row *rows, size_t n);

#endif
