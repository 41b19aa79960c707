/* isoflop_fit: the best model size at each budget, and how it grows.
 *
 * Chinchilla's approach 2 (arXiv 2203.15556) with DeepSeek LLM's model scale
 * M, flops a token (arXiv 2401.02954, Eq. 3-4): at each budget a parabola of
 * the loss in log M, its minimum M_opt, D_opt = C / M_opt, then power laws.
 * The parabola is windowed about its minimum and tested: it must open upwards
 * beyond the noise and have its minimum inside the sizes that were run.  A
 * budget that fails is refused with the reason and the side to extend to.
 * Beside it stand Akima's piecewise cubic (Porian et al., arXiv 2406.19146) and
 * the natural spline, which do not assume a shape, and the surface's minimum.
 *
 * The parabola is biased even without noise when the surface is not symmetric
 * or the design wide (Czech et al., arXiv 2603.22339): analysis/surface.h fits
 * the surface itself. */
#ifndef LOGLOG_ANALYSIS_ISOFLOP_FIT_H
#define LOGLOG_ANALYSIS_ISOFLOP_FIT_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

#include <stdint.h>

struct points;     /* analysis/points.h */
struct fit_result; /* analysis/fit_json.h */

/* surface: the minimum of E + A/M^alpha + B/D^beta fitted to all budgets
 * together. */
enum isoflop_method {
    ISOFLOP_PARABOLA,
    ISOFLOP_AKIMA,
    ISOFLOP_SURFACE,
    ISOFLOP_SPLINE, /* the natural cubic one */
    ISOFLOP_METHODS
};
extern const char *const isoflop_method_name[ISOFLOP_METHODS];

/* What the exponents' intervals resample.  Noise: every cell mean is drawn
 * again with the spread of its runs, the budgets stay.  Budgets: whole budgets
 * are drawn with replacement; of few, Student's t is the width (few.h).
 * Trunks: as noise, but runs of different budgets that share their first steps
 * (same group, size and setting) move together.  Auto: trunks where budgets
 * share them; else budgets from six on, where the noise is known noise below;
 * noise for the surface, whose optima are of all budgets. */
enum isoflop_resample {
    ISOFLOP_RESAMPLE_AUTO,
    ISOFLOP_RESAMPLE_NOISE,
    ISOFLOP_RESAMPLE_BUDGETS,
    ISOFLOP_RESAMPLE_TRUNKS,
    ISOFLOP_RESAMPLES
};
extern const char *const isoflop_resample_name[ISOFLOP_RESAMPLES];

/* Of Akima's curve: its own minimum, or what Porian et al. (arXiv 2406.19146)
 * take: the median of the minima of a thousand curves through losses with the
 * noise of a seed added, on a grid 25 times as fine as the sizes. */
enum isoflop_observation {
    ISOFLOP_PLAIN,
    ISOFLOP_NOISED,
    ISOFLOP_OBSERVATIONS
};
extern const char *const isoflop_observation_name[ISOFLOP_OBSERVATIONS];

struct isoflop_opts {
    enum isoflop_method method;
    enum isoflop_observation observation;
    double seed_noise; /* SD of a loss in `noised`; 0.005, as theirs */
    enum isoflop_resample resample;
    double window;    /* use sizes within this factor of the minimum; 0: all
                         of them (default, as the papers) */
    int log_loss;     /* 1: fit log loss; 0: loss (default, too) */
    int min_sizes;    /* 4: fewer sizes at a budget are refused */
    double curvature; /* 1.64: least t value of the quadratic term */
    double level;     /* of the intervals, 0.90 */
    int bootstrap;    /* resamples, 1000; 0: no intervals, nothing identified */
    uint64_t seed;    /* of the resampling */
    /* Of whole budgets, an enum boot_kind (-1: percentile), as wide as said
     * above; as it is where the draws are read from a file. */
    int interval;
    const char *indices; /* draws of budgets (bootstrap.h), or NULL */
};
void isoflop_opts_default(struct isoflop_opts *o);

/* One size at one budget: the mean over its seeds. */
struct isoflop_size {
    double M, N, D;
    double flops;    /* achieved M D, mean */
    double loss, sd; /* of the metric; sd between seeds, NaN if one */
    int n, diverged; /* runs in the mean, runs that diverged */
    int in_window;   /* entered the parabola */
    int first;       /* its runs are isoflop_fit.trunk[first .. first + n) */
};

struct isoflop_budget {
    double flops;              /* nominal */
    struct isoflop_size *size; /* with a loss; by M, increasing */
    int n_size, n_diverged;    /* sizes; sizes of which every run diverged */
    int lowest;                /* index of the lowest mean */
    int ok;                    /* the minimum was accepted */
    char refused[192];         /* why not; "" if ok */
    int dir; /* where to extend: -1 smaller models, +1 larger, 0 nowhere (ok,
                or noise that no further size settles) */
    /* the parabola, for plots: y = c[0] + c[1] u + c[2] u^2 with y the loss
     * (its log if opts.log_loss), u = log(M / M_mid); NaN when there is none */
    double c[3], M_mid;
    double curvature_t;               /* c[2] over its standard error */
    double parabola_M, parabola_loss; /* NaN where there is no minimum */
    double akima_M, akima_loss;       /* NaN where it is at the edge */
    double spline_M, spline_loss;     /* the same */
    double surface_M;                 /* of the surface; NaN: none */
    double M, D, N, loss;       /* the optimum by opts.method; NaN if refused */
    double log_M_se, loss_se;   /* standard errors; NaN if refused */
    double M_ci[2], loss_ci[2]; /* from noise resamples; NaN if none */
    /* The lowest point of the smooth profile within the sizes run, also where
     * the optimum was refused: what the loss law starts from.  It is the
     * parabola's, or a quartic's when the parabolas misfit beyond the noise. */
    double low_M, low, low_se;
};

/* y = coef C^exponent. */
struct isoflop_power {
    double coef, exponent;
    double coef_ci[2], exponent_ci[2];
};

struct isoflop_fit {
    struct isoflop_opts opts;
    enum isoflop_resample resampled;
    struct isoflop_budget *budget; /* by flops, increasing */
    int n_budget, n_ok;
    int n_point, n_excluded, n_diverged;
    int *trunk, n_trunk;  /* of each run */
    int shared;           /* budgets share trunks */
    int metric_bpb;       /* 1: losses are bits per byte; 0: nats */
    char input[HASH_HEX]; /* points_hash of what it saw */
    double noise; /* relative SD of one run: between seeds where there are
                     any, else about the smooth profiles; NaN if neither */
    int noise_dof;
    int noise_from_seeds;
    double sigma; /* relative SD of one run about the parabolas: noise, and
                     what the parabolas miss; standard errors use it */
    int sigma_dof;
    double misfit_p; /* F test of quartics against parabolas; NaN untested */
    int degree;      /* of the smooth profiles: 2, or 4 if misfit_p < 0.01 */
    /* M_opt = M.coef C^M.exponent and D_opt; the exponents sum to 1 and the
     * coefficients multiply to 1.  N from the N of the sizes run. */
    struct isoflop_power M, D, N;
    double chi2; /* of the optima about the law per degree of freedom, in
                    units of their standard errors; NaN below 3 optima */
    int identified;
    char refused[256]; /* why the exponents are not; "" if identified */
    char settle[256];  /* what runs would settle it, "" if identified */
    double settle_flops;
    double off; /* median of c[2] / loss over accepted budgets: a size wrong
                   by a factor r costs off * log(r)^2 of the loss; NaN */
};

/* Fit the isoflop runs.  Points are grouped by nominal budget (achieved flops
 * within 5 % when there is none) and by M.  -1 with *e when there is no
 * finished run, draws that cannot be used, or no trunk to resample; refused
 * budgets and laws are no failure.  Release what
 * succeeded. */
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

/* As hyper_fit_result.  params: M_coef, M_exponent, D_..., N_...; diagnostics:
 * every budget. */
void isoflop_fit_result(struct fit_result *r, const struct isoflop_fit *f);

#endif
