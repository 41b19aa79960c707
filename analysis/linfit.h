/* linfit: dense weighted linear least squares of few parameters.
 *
 * Householder QR of the scaled design; the condition number is that of the
 * design with unit columns, so it does not depend on units.  Weights are
 * relative precisions (1/variance up to a factor): doubling all of them
 * changes nothing but `rss`. */
#ifndef LOGLOG_ANALYSIS_LINFIT_H
#define LOGLOG_ANALYSIS_LINFIT_H

#include "base/err.h"

#include <stddef.h>

#define LINFIT_MAX 12 /* parameters */

struct linfit {
    size_t n; /* rows with weight > 0 */
    int p;
    int dof; /* n - p */
    double coef[LINFIT_MAX];
    double se[LINFIT_MAX];               /* NaN when dof is 0 */
    double cov[LINFIT_MAX * LINFIT_MAX]; /* (p,p) row-major, of coef; sigma2
                                            included; NaN when dof is 0 */
    double rss;                          /* weighted residual sum of squares */
    double sigma2; /* rss / dof, weights scaled to mean 1 */
    double r2;     /* against the weighted mean of y */
    double cond;   /* condition number, columns scaled to length 1 */
};

/* Minimise sum w (y - X coef)^2.  X is (n,p) row-major; w may be NULL (all 1);
 * rows of weight 0 do not exist.  Fails (ERR_FAILED) when fewer than p rows
 * remain, when a number is not finite, or when the design is singular (cond
 * above 1e12), naming the column. */
int linfit(struct linfit *f, const double *X, const double *y, const double *w,
           size_t n, int p, struct err *e);

/* x . coef, and (se not NULL) its standard error without the noise of a new
 * observation; sqrt(se^2 + sigma2) is with it. */
double linfit_at(const struct linfit *f, const double *x, double *se);

/* The same with coef >= 0 where nonneg[j] (Lawson-Hanson active sets); no
 * covariance.  coef has p entries. */
int linfit_nonneg(double *coef, const double *X, const double *y,
                  const double *w, size_t n, int p, const int *nonneg,
                  struct err *e);

/* Solve the symmetric positive definite (p,p) system A x = b by Cholesky,
 * p <= LINFIT_MAX; inv (may be NULL) receives the inverse.  -1: not positive
 * definite. */
int linfit_solve_spd(double *x, double *inv, const double *A, const double *b,
                     int p);

/* Eigenvalues, ascending, of the symmetric (p,p) A (Jacobi); vec (may be
 * NULL) receives the eigenvectors as columns. */
void linfit_eigen(double *value, double *vec, const double *A, int p);

#endif
