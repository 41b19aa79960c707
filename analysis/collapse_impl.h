/* What the parts of the collapse share. */
#ifndef LOGLOG_ANALYSIS_COLLAPSE_IMPL_H
#define LOGLOG_ANALYSIS_COLLAPSE_IMPL_H

#include "analysis/collapse.h"

/* A number of a run, at stretch `at` of it. */
typedef double collapse_value(const struct collapse_run *r, int at);
double collapse_flops(const struct collapse_run *r, int at);

/* The mean of v over the runs of a cell; *ss, the sum of squares about it,
 * relative, and *n, how many runs (both may be NULL). */
double collapse_cell(const struct collapse_fit *f, int cell, collapse_value *v,
                     int at, double *ss, int *n);

/* The common curve, what it leaves, and the intervals of that; run[].z is
 * there. */
int collapse_lay(struct collapse_fit *f, struct err *e);

#endif
