/* lbfgs: minimise a smooth function of few variables from its gradient.
 *
 * Limited-memory BFGS with a line search that satisfies the weak Wolfe
 * conditions (Nocedal and Wright, Numerical Optimization, algorithms 7.5 and
 * 3.5).  Convergence is judged by the decrease that the model of the function
 * still promises, relative to the function's value: an objective that is a
 * sum of 1e-3 and one that is its mean stop at the same place. */
#ifndef LOGLOG_ANALYSIS_LBFGS_H
#define LOGLOG_ANALYSIS_LBFGS_H

#define LBFGS_MAX 16   /* variables */
#define LBFGS_MEMORY 8 /* pairs kept */

/* f(x), and its gradient into g (n). */
typedef double lbfgs_fn(double *g, const double *x, void *ctx);

struct lbfgs_options {
    int max_iter;
    double rel;  /* stop when the promised decrease is below rel * |f| */
    double step; /* longest step in any one iteration */
};

struct lbfgs_report {
    double f;
    int iters, evals;
    int converged; /* 0: max_iter, or the line search found nothing */
};

/* From x (n) to the minimum, in place. */
void lbfgs_min(double *x, int n, lbfgs_fn *fn, void *ctx,
               const struct lbfgs_options *o, struct lbfgs_report *r);

#endif
