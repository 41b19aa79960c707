/* curve: the best loss against compute, L(C).
 *
 * Two forms, always both: L = E + k C^-p, E >= 0, and the pure power law
 * L = k C^-p (DeepSeek LLM's figure 5 does not say which it drew).  Within the
 * data they can hardly be told apart; a decade beyond it they differ by more
 * than either's own interval.  So the forecast is not one fit's: it is the
 * average over E and p, each pair weighted by how well it fits, a fifth of the
 * prior weight on E = 0, with the noise of the optima, a quarter of a percent
 * for what was not tuned (DeepSeek's own tolerance for an optimum), and the
 * seed noise of the one run that will check it.  Where the points lie further
 * from the best law than their errors say, the errors are taken that much
 * larger, in the weights and in the interval: that is the model's error. */
#ifndef LOGLOG_ANALYSIS_CURVE_H
#define LOGLOG_ANALYSIS_CURVE_H

#include "base/err.h"

#include <stdint.h>

struct isoflop_fit; /* analysis/isoflop_fit.h */
struct fit_result;  /* analysis/fit_json.h */

/* The best loss of one budget. */
struct curve_point {
    double flops, loss;
    double se; /* standard error of loss; NaN: unknown */
    int bound; /* 1: from a refused profile: its lowest smooth loss */
};

struct curve_opts {
    double level;  /* 0.90 */
    int bootstrap; /* resamples for the parameters' intervals, 400; 0: none */
    uint64_t seed;
    double p_min, p_max; /* exponents considered: 0.005, 1 */
    double se_dof;       /* degrees of freedom behind the se: 10 */
    int interval;        /* enum boot_kind; percentile */
    /* Draws of budgets (bootstrap.h), in the order of flops, to resample
     * instead of the noise; NULL: none. */
    const char *indices;
};
void curve_opts_default(struct curve_opts *o);
/* The options that go with the points of an IsoFLOP fit: its degrees of
 * freedom behind their errors. */
void curve_opts_isoflop(struct curve_opts *o, const struct isoflop_fit *f);

struct curve_form {
    int ok;                           /* fitted */
    double E, k, p;                   /* E = 0 in the pure power law */
    double E_ci[2], k_ci[2], p_ci[2]; /* bootstrap; NaN: none */
    double objective;                 /* sum of squares of residual / se */
    double rms;                       /* relative residual */
};

/* One pair (E, p) of the average, and the level L0 at C0 given them. */
struct curve_part {
    double weight; /* they sum to 1 */
    double E, p;
    double L0, var; /* mean and variance, in units of the scale below */
};

struct curve_fit {
    struct curve_opts opts;
    struct curve_point *point; /* by flops, a copy */
    int n;
    double C0; /* geometric mean of the budgets */
    struct curve_form with_E, pure;
    double noise;     /* relative SD of one run, as given; NaN unknown */
    double chi2;      /* objective of with_E per degree of freedom; NaN: none */
    double misfit;    /* chi2 where it is above 1, else 1: variances of the
                         points are taken this many times larger */
    double departs;   /* relative SD of a budget about the law beyond its error,
                         by that */
    int identified;   /* the loss law may be used to forecast */
    int E_identified; /* E's interval excludes 0 */
    char refused[256];
    struct curve_part *part; /* (n_part), empty when refused */
    int n_part;
    double dof; /* of Student's t, for every part: towards n - 3 where misfit
                   is above 1, for n - 3 residuals tell it */
};

/* Fit points (copied; at least one).  noise: relative SD of one run, NaN if
 * unknown.  With fewer than three budgets, budgets within a factor 3, or no
 * fall of the loss beyond its noise, the law is refused, which is no failure.
 * -1 with *e: no point, values that are no losses, or draws that cannot be
 * used.  Release what
 * succeeded. */
int curve_fit(struct curve_fit *f, const struct curve_point *p, int n,
              double noise, const struct curve_opts *o, struct err *e);
void curve_fit_release(struct curve_fit *f);

/* The points an IsoFLOP fit offers, one a budget: the lowest smooth loss of
 * its profile, at an accepted minimum or (bound = 1) within the sizes run.
 * Returns their number; the caller frees *p. */
int curve_points(struct curve_point **p, const struct isoflop_fit *f);

/* A forecast at a budget. */
struct curve_forecast {
    double loss;         /* median of the average */
    double law_ci[2];    /* of the mean over seeds at that budget, with what
                            budgets depart from the law */
    double run_ci[2];    /* of one run there: seed noise included */
    double with_E, pure; /* what each form says */
    double decades;      /* log10(flops / largest fitted budget); < 0 inside */
};
/* extra: further relative SD to include (the choice of size, say), or 0.  -1
 * when the law is refused. */
int curve_forecast(struct curve_forecast *out, const struct curve_fit *f,
                   double flops, double level, double extra);

/* As hyper_fit_result; law "loss", params E, k, p of the form with E, and
 * pure_k, pure_p. */
void curve_fit_result(struct fit_result *r, const struct curve_fit *f);

#endif
