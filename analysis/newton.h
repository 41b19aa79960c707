/* newton: the last digits of a minimum, from gradient and Hessian.
 *
 * Damped Newton: (H + mu |diag H|) s = -g with the smallest mu of a sequence
 * for which the matrix is positive definite and the function decreases
 * enough.  Converges in a handful of steps on the piecewise quadratics that
 * Huber's objective is made of, where a quasi-Newton method crawls. */
#ifndef LOGLOG_ANALYSIS_NEWTON_H
#define LOGLOG_ANALYSIS_NEWTON_H

#define NEWTON_MAX 12 /* variables */

/* f(x), gradient g (n) and Hessian H (n,n) row-major. */
typedef double newton_fn(double *g, double *H, const double *x, void *ctx);

struct newton_options {
    int max_iter;
    double rel;  /* stop when the promised decrease is below rel * |f| */
    double step; /* longest change of any variable in one iteration */
    /* Stop, not converged, where eight steps together gain less than this times
     * |f|; 0: never. */
    double stall;
};

struct newton_report {
    double f;
    int iters, evals;
    int converged;
};

/* From x (n) to the minimum, in place.  fixed[i] != 0 (fixed may be NULL)
 * holds a variable where it is. */
void newton_min(double *x, int n, const int *fixed, newton_fn *fn, void *ctx,
                const struct newton_options *o, struct newton_report *r);

#endif
