/* plots_fit: the figures that only `fit` draws: what a surface says along the
 * tokens, profiles, curves and their collapse, and pairs with a power law. */
#ifndef LOGLOG_ANALYSIS_PLOTS_FIT_H
#define LOGLOG_ANALYSIS_PLOTS_FIT_H

#include "analysis/anneal.h"
#include "analysis/collapse.h"
#include "analysis/profile.h"
#include "analysis/surface.h"
#include "base/str.h"

#include <stddef.h>

/* Loss against tokens, one colour a size, and the surface through them. */
void plot_surface(struct str *out, const char *id, const struct surface_fit *f,
                  const struct surface_data *d);
/* The deviance of a parameter with everything else fitted again, and where it
 * crosses the level. */
void plot_profile(struct str *out, const char *id, const char *name,
                  const struct profile *p);
/* Measured and predicted curves of a family: the trunk and its branches. */
void plot_anneal(struct str *out, const char *id, const struct anneal_family *f,
                 const struct series_set *t);
/* Every run's scaled curve; and the scatter of sizes beside that of seeds. */
void plot_collapse(struct str *out, const char *id,
                   const struct collapse_fit *f);
void plot_collapse_scatter(struct str *out, const char *id,
                           const struct collapse_fit *f);
/* y against x on log axes with coef x^exponent. */
void plot_pairs(struct str *out, const char *id, const double *x,
                const double *y, size_t n, double coef, double exponent,
                const char *x_name, const char *y_name);

#endif
