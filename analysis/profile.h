/* profile: how well the data know one parameter.
 *
 * The parameter is held at a value, all others are fitted again, and the rise
 * of the objective is turned into a deviance: 2 (F - F_min) E psi' / E psi^2,
 * which is chi-square with one degree of freedom for least squares and, to
 * first order, for every M-estimator.  The interval is where it stays below
 * the quantile of F(1, n - p).  A deviance that never gets there within the
 * range of exponents says that the data do not identify it. */
#ifndef LOGLOG_ANALYSIS_PROFILE_H
#define LOGLOG_ANALYSIS_PROFILE_H

#include "analysis/problem.h"

#define PROFILE_LO 0.005 /* range of exponents */
#define PROFILE_HI 4.0
#define PROFILE_POINTS 64

struct profile {
    int param;
    double level;
    double lo, hi; /* natural units; the end of the range where open */
    int open;      /* bit 0: open below; bit 1: open above */
    double threshold;
    double best; /* the lowest objective seen, and where: below the f given */
    double best_q[SURFACE_MAX]; /* when that was no minimum */
    int n;                      /* points visited, by value */
    double value[PROFILE_POINTS], deviance[PROFILE_POINTS];
};

/* Profile parameter `param` about the optimum q of value f.  The values are
 * natural for exponents, k, E and R (not their logarithms); A and B stand for
 * the size of their terms in the middle of the data. */
void profile_run(struct profile *out, const struct problem *p, const double *q,
                 double f, int param, double level);

/* A profile for plots: as above from a finished fit and its data, and at values
 * in between, so that the points make a curve. */
int profile_of_fit(struct profile *out, const struct surface_fit *fit,
                   const struct surface_data *d, int param, double level,
                   struct err *e);

#endif
