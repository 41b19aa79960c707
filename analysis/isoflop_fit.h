/* isoflop_fit: the best model size at each budget, and how it grows.
 *
 * Chinchilla's approach 2 (arXiv 2203.15556) with DeepSeek LLM's model scale
 * M, flops a token (arXiv 2401.02954, Eq. 3-4): at each budget a parabola of
 * the loss in log M, its minimum M_opt, D_opt = C / M_opt, then power laws.
 * The parabola is windowed about its minimum and tested: it must open upwards
 * beyond the noise and have its minimum inside the sizes that were run.  A
 * budget that fails is refused with the reason and the side to extend to.
 * Beside it stands Akima's piecewise cubic (Porian et al., arXiv 2406.19146),
 * which does not assume a shape.
 *
 * The parabola is biased even without noise when the surface is not symmetric
 * or the design wide (Czech et al., arXiv 2603.22339): analysis/surface.h fits
 * the surface itself. */
#ifndef LOGLOG_ANALYSIS_ISOFLOP_FIT_H
#define LOGLOG_ANALYSIS_ISOFLOP_FIT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct points; /* analysis/points.h */

enum isoflop_method { ISOFLOP_PARABOLA, ISOFLOP_AKIMA };
extern const char *const isoflop_method_name[2];

struct isoflop_opts {
    enum isoflop_method method;
    double window;    /* use sizes within this factor of the minimum; 0: all;
                         default 16 */
    int log_loss;     /* 1: fit log loss; 0: loss (default, as the papers) */
    int min_sizes;    /* 4: fewer sizes at a budget are refused */
    double curvature; /* 1.64: least t value of the quadratic term */
    double level;     /* of the intervals, 0.90 */
    int bootstrap;    /* resamples, 1000 */
    uint64_t seed;    /* of the resampling */
};
void isoflop_opts_default(struct isoflop_opts *o);

/* One size at one budget: the mean over its seeds. */
struct isoflop_size {
    double M, N, D;
    double flops;    /* achieved M D, mean */
    double loss, sd; /* of the metric; sd between seeds, NaN if one */
    int n, diverged; /* runs in the mean, runs that diverged */
    int in_window;   /* entered the parabola */
};

struct isoflop_budget {
    double flops;              /* nominal */
    struct isoflop_size *size; /* by M, increasing */
    int n_size;
    int lowest;        /* index of the lowest mean */
    int ok;            /* the minimum was accepted */
    char refused[192]; /* why not; "" if ok */
    int dir;           /* where to extend: -1 smaller models, +1 larger,
                          0 nowhere (ok, or noise that no size settles) */
    /* loss = c[0] + c[1] u + c[2] u^2, u = log(M / M_mid) */
    double c[3], M_mid;
    double curvature_t; /* c[2] over its standard error */
    double residual_sd; /* relative, about the parabola; NaN if no freedom */
    double parabola_M, parabola_loss; /* NaN where there is no minimum */
    double akima_M, akima_loss;
    double M, D, N, loss; /* the optimum by opts.method; NaN if refused */
    double log_M_se;      /* standard error of log M, loss_se of the loss */
    double loss_se;
    double M_ci[2], D_ci[2], loss_ci[2];
    int boot_kept; /* resamples in which the budget was accepted */
};

/* y = coef C^exponent. */
struct isoflop_power {
    double coef, exponent;
    double coef_ci[2], exponent_ci[2];
};

struct isoflop_fit {
    struct isoflop_opts opts;
    struct isoflop_budget *budget; /* by flops, increasing */
    int n_budget, n_ok;
    int n_point, n_excluded, n_diverged;
    double noise; /* relative SD of one run: between seeds where there are
                     any, else about the parabolas; NaN if neither */
    int noise_dof;
    int noise_from_seeds;
    /* M_opt = M.coef C^M.exponent and D_opt; the exponents sum to 1 and the
     * coefficients multiply to 1.  N from the N of the sizes run. */
    struct isoflop_power M, D, N;
    int identified;
    char refused[256]; /* why the exponents are not; "" if identified */
    char settle[256];  /* what runs would settle it, and their flops */
    double settle_flops;
    /* Mean of c[2] over accepted budgets, relative to the loss: a size off by
     * a factor r costs about off * log(r)^2 of the loss. */
    double off;
};

/* Fit the isoflop runs.  Points are grouped by nominal budget (achieved flops
 * within 5 % when there is none) and by M.  -1 with *e when there is no
 * finished run; refused budgets and laws are no failure. */
int isoflop_fit(struct isoflop_fit *f, const struct points *p,
                const struct isoflop_opts *o, struct err *e);
void isoflop_fit_release(struct isoflop_fit *f);

/* The allocation to go on with at a budget, always: M_opt, and in *how how it
 * was got.  Identified: the law.  Not identified: Eq. 4's exponent 0.5243,
 * moved into the fitted interval if there is one and it lies outside, through
 * the accepted optima; none accepted: through the lowest sizes measured, which
 * are then bounds. */
double isoflop_fit_use(struct str *how, const struct isoflop_fit *f,
                       double flops);

/* As hyper_fit_json.  params: M_coef, M_exponent, D_..., N_...; budgets. */
char *isoflop_fit_json(const struct isoflop_fit *f);

/* The optimum of one profile by each method, for those who bring arrays.
 * x = log size, increasing; y = loss; w = weights or NULL.  0, or -1 when
 * there is no interior minimum. */
int parabola_minimum(double *x_min, double *y_min, double c[3], const double *x,
                     const double *y, const double *w, int n);
int akima_minimum(double *x_min, double *y_min, const double *x,
                  const double *y, int n);

#endif
