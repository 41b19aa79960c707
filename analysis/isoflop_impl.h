/* isoflop_impl: the inside of isoflop_fit, shared by its files:
 * isoflop_profile.c (runs to profiles and their noise), isoflop_surface.c (one
 * surface through all of them), isoflop_noised.c (the minimum of noised
 * curves), isoflop_fit.c (the verdict on each minimum), isoflop_law.c (optima
 * to laws), isoflop_use.c (are they identified), isoflop_out.c (as JSON). */
#ifndef LOGLOG_ANALYSIS_ISOFLOP_IMPL_H
#define LOGLOG_ANALYSIS_ISOFLOP_IMPL_H

#include "analysis/cell.h"
#include "analysis/isoflop_fit.h"
#include "analysis/isoflop_min.h"

/* The profile of a budget as arrays for fitting: x = log M, y = loss or its
 * log, w = runs in each mean.  Only the sizes in the window. */
struct profile {
    double *x, *y, *w;
    int n;
    double *z; /* a copy of y to perturb */
};
void profile_init(struct profile *p, const struct isoflop_budget *b,
                  const struct isoflop_opts *o);
void profile_release(struct profile *p);
/* The SD of y[i] when one run has relative SD sigma. */
double profile_sd(const struct profile *p, int i, double sigma, int log_loss);

/* Whether noise moves trunks, not cells; a deviate of each trunk for draw d. */
int isoflop_by_trunk(const struct isoflop_fit *f);
void isoflop_trunk_noise(double *z, const struct isoflop_fit *f, int d);

/* log M and y at the minimum by the method; -1 when there is none inside the
 * sizes (parabola: anywhere). */
int profile_minimum(double *x, double *y, const struct profile *p,
                    const double *values, enum isoflop_method method);

/* The observation of Porian et al. (isoflop_noised.c) of the number-th budget:
 * log M and its standard error; -1 with why (n bytes) when most of its curves
 * have their minimum at an end, *dir which. */
int profile_noised(double *x, double *se, int *dir, char *why, size_t n,
                   const struct profile *p, const struct isoflop_opts *o,
                   int number);

/* Fill f->budget from the runs (sorted in place) and add the seeds' spread. */
void isoflop_build(struct isoflop_fit *f, struct cell_noise *noise,
                   struct cell_runs *c);
/* Choose the sizes in the window of one budget. */
void isoflop_window(struct isoflop_budget *b, const struct isoflop_opts *o);
/* noise, sigma, misfit_p and degree from the profiles' residuals. */
void isoflop_noise(struct isoflop_fit *f, const struct cell_noise *seeds);

/* surface_M of every budget from the surface through all cells (those in the
 * windows). */
void isoflop_surface(struct isoflop_fit *f);
/* The same of B draws of the cells' noise: log M at the optimum of each of the
 * n budgets at[], row-major (B, n); NaN where a draw has none. */
void isoflop_surface_draws(double *x, const struct isoflop_fit *f,
                           const int *at, size_t n);

/* Laws and intervals from the budgets, then the verdict on them; -1 when the
 * draws that were given cannot be used. */
int isoflop_laws(struct isoflop_fit *f, struct err *e);
void isoflop_verdict(struct isoflop_fit *f);

#endif
