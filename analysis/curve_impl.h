/* curve_impl: the inside of curve, shared by curve.c (fits and verdict),
 * curve_mix.c (the average and its forecasts) and curve_out.c. */
#ifndef LOGLOG_ANALYSIS_CURVE_IMPL_H
#define LOGLOG_ANALYSIS_CURVE_IMPL_H

#include "analysis/curve.h"

/* The points as the fits use them: x = C / C0, y = loss, w = 1 / se^2. */
struct curve_data {
    double *x, *y, *w;
    int n;
};

/* Given (E, p) the model is linear in L0 = L(C0): y = E + (L0 - E) x^-p.
 * Returns the weighted sum of squares at the best L0; sww: its precision. */
double curve_level(double *L0, double *sww, const struct curve_data *d,
                   double E, double p);
/* The best p at this E, searched in log p; the sum of squares there. */
double curve_best_p(double *p, const struct curve_data *d, double E,
                    const struct curve_opts *o);

/* f->part and f->dof. */
void curve_mix(struct curve_fit *f, const struct curve_data *d);
/* Quantile of E in the average. */
double curve_mix_E(const struct curve_fit *f, double q);

#endif
