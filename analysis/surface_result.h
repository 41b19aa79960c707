/* surface_result: a surface fit as the result that is printed and stored. */
#ifndef LOGLOG_ANALYSIS_SURFACE_RESULT_H
#define LOGLOG_ANALYSIS_SURFACE_RESULT_H

#include "analysis/bootstrap.h"
#include "analysis/fit_json.h"
#include "analysis/holdout.h"
#include "analysis/surface.h"

/* Initialise *r from a fit of these data; factor: 6 for parameters, 1 for
 * FLOPs per token.  boot may be NULL: then the intervals are the profiles. */
void surface_result(struct fit_result *r, const struct surface_fit *f,
                    const struct surface_data *d, double factor,
                    const struct bootstrap *boot, enum boot_kind kind,
                    double level);

/* Diagnostics "holdout", "rolling" and "selection". */
void surface_result_holdout(struct fit_result *r, const struct holdout *h,
                            const char *spec, double level);
void surface_result_rolling(struct fit_result *r, const struct rolling_row *row,
                            size_t n);
void surface_result_selection(struct fit_result *r, const struct selection *s,
                              int n);

/* t value of the product of ln size and ln tokens in a quadratic regression of
 * the residuals: beyond 2 or so they form a saddle, which a form without an
 * interaction cannot follow (try skaling).  NaN with too few points. */
double surface_saddle(const struct surface_fit *f,
                      const struct surface_data *d);

#endif
