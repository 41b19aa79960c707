/* stat: the small statistics that every fit needs, and their distributions.
 *
 * Quantiles of samples are those of R's type 7 (numpy's default): linear
 * between order statistics. */
#ifndef LOGLOG_ANALYSIS_STAT_H
#define LOGLOG_ANALYSIS_STAT_H

#include <stddef.h>

double stat_mean(const double *x, size_t n);
/* Sample standard deviation (n - 1); NaN below two values. */
double stat_sd(const double *x, size_t n);
/* Sorts ascending, in place; NaN goes last. */
void stat_sort(double *x, size_t n);
/* The q-quantile, 0 <= q <= 1, of sorted x; NaN when n is 0. */
double stat_quantile_sorted(const double *x, size_t n, double q);
/* The same of any x, through a copy. */
double stat_quantile(const double *x, size_t n, double q);
double stat_median(const double *x, size_t n);
/* Correlation; NaN when either is constant. */
double stat_correlation(const double *x, const double *y, size_t n);

/* Standard normal distribution function and its inverse (|error| < 1e-12). */
double stat_normal_cdf(double z);
double stat_normal_quantile(double p);
/* Student's t, dof > 0 (need not be whole). */
double stat_t_cdf(double t, double dof);
double stat_t_quantile(double p, double dof);
double stat_chi2_cdf(double x, double dof);
double stat_chi2_quantile(double p, double dof);
/* F distribution with (d1, d2) degrees of freedom. */
double stat_f_cdf(double x, double d1, double d2);
double stat_f_quantile(double p, double d1, double d2);

/* The lowest and highest of x[0..n); NaN when n is 0. */
void stat_range(double *lo, double *hi, const double *x, size_t n);

#endif
