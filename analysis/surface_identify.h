/* surface_identify: does the design determine the surface?
 *
 * A fit whose exponents the data do not know is refused, with the run that
 * would settle it; its numbers are kept for whoever wants to look. */
#ifndef LOGLOG_ANALYSIS_SURFACE_IDENTIFY_H
#define LOGLOG_ANALYSIS_SURFACE_IDENTIFY_H

#include "analysis/problem.h"

/* Fill the design's description (tpp, collinear, sizes, horizons), and
 * identified and refused.  q: the optimum. */
void identify(struct surface_fit *f, const double *q, const struct problem *p);

/* Condition numbers of the Gauss-Newton matrix G (n,n) of the frame, taken to
 * natural logarithms by J (form_unframe): of all parameters, and of the
 * exponents with the others eliminated. */
void identify_conditions(double *all, double *projected, const double *G,
                         const double *J, const struct form_info *t);
/* cov = scale * J G^-1 J'; NaN where G is singular. */
void identify_covariance(double *cov, const double *G, const double *J, int n,
                         double scale);

#endif
