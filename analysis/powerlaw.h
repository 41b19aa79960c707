/* powerlaw: y = coef * x^exponent, a straight line on log-log paper.
 *
 * Ordinary or weighted least squares of ln y on ln x.  Weights are relative
 * precisions of ln y.  Intervals use Student's t. */
#ifndef LOGLOG_ANALYSIS_POWERLAW_H
#define LOGLOG_ANALYSIS_POWERLAW_H

#include "base/err.h"

#include <stddef.h>

struct powerlaw {
    size_t n;
    double coef, exponent;
    double se_log_coef, se_exponent; /* NaN when n is 2 */
    double cov[4];                   /* of (ln coef, exponent), row-major */
    double sigma;                    /* residual sd of ln y */
    double r2;
    double level; /* of the two intervals below */
    double coef_ci[2], exponent_ci[2];
    double x_lo, x_hi; /* range of x in the fit */
};

/* Fit; every x and y must be positive and finite, at least two different x.
 * w may be NULL.  level such as 0.9. */
int powerlaw_fit(struct powerlaw *f, const double *x, const double *y,
                 const double *w, size_t n, double level, struct err *e);

/* The two numbers alone, without checks or intervals: for refits inside a
 * bootstrap.  -1 when fewer than two different x (of positive weight). */
int powerlaw_fit_fast(double *coef, double *exponent, const double *x,
                      const double *y, const double *w, size_t n);

double powerlaw_at(const struct powerlaw *f, double x);
/* Interval of the law at x; new_point adds the scatter of one observation. */
void powerlaw_interval(double *lo, double *hi, const struct powerlaw *f,
                       double x, double level, int new_point);

#endif
