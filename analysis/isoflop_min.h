/* isoflop_min: the minimum of one profile, arrays in, numbers out. */
#ifndef LOGLOG_ANALYSIS_ISOFLOP_MIN_H
#define LOGLOG_ANALYSIS_ISOFLOP_MIN_H

#define POLY_MAX 5 /* coefficients: up to degree 4 */

/* y = c[0] + c[1] v + c[2] v^2 ..., v = (x - mid) / half; mid is the mean of x
 * and half the largest distance from it, so that v lies within [-1, 1]. */
struct poly {
    int p; /* coefficients, degree + 1 */
    double c[POLY_MAX], mid, half;
    double cov[POLY_MAX * POLY_MAX]; /* (p,p) of c, per unit of the variance
                                        of a y of weight 1 */
    double rss;                      /* weighted */
    int n;
};

/* Weighted least squares of degree 1 to 4; w may be NULL (all 1).  -1 when
 * the points do not decide it (too few different x). */
int poly_fit(struct poly *f, int degree, const double *x, const double *y,
             const double *w, int n);
/* The value at x, and (var not NULL) its variance per unit variance. */
double poly_at(double *var, const struct poly *f, double x);
/* The lowest point on [lo, hi]; *y and *var as poly_at. */
void poly_lowest(double *x, double *y, double *var, const struct poly *f,
                 double lo, double hi);

/* Minimum of a fit of degree 2, wherever it lies; -1 and NaN when it does not
 * open upwards.  var_x: variance of its place per unit variance (linearised;
 * may be NULL). */
int parabola_minimum(double *x, double *y, double *var_x, const struct poly *f);
/* d2y/dx2 / 2 of a fit of degree 2, and its variance per unit variance. */
double parabola_curvature(double *var, const struct poly *f);

/* The lowest point of Akima's piecewise cubic (Akima 1970) through n >= 3
 * points, x increasing.  -1 when it lies at the first or the last x. */
int akima_minimum(double *x_min, double *y_min, const double *x,
                  const double *y, int n);
/* The curve itself at one x inside [x[0], x[n-1]]. */
double akima_at(const double *x, const double *y, int n, double at);
/* The lowest of its values at x[0] + (x[n-1] - x[0]) k / steps, k = 0 .. steps:
 * that k. */
int akima_lowest_step(const double *x, const double *y, int n, int steps);
/* Minimum and value of the natural cubic spline: its curvature is continuous,
 * and 0 at both ends. */
int spline_minimum(double *x_min, double *y_min, const double *x,
                   const double *y, int n);
double spline_at(const double *x, const double *y, int n, double at);

#endif
