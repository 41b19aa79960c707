/* curve: the best loss against compute, L(C).
 *
 * Two forms, always both: L = E + k C^-p, E >= 0, and the pure power law
 * L = k C^-p (DeepSeek LLM's figure 5 does not say which it drew).  Within the
 * data they can hardly be told apart; a decade beyond it they differ by more
 * than either's own interval.  So the forecast is not one fit's: it is the
 * average over p (and with it E, which reaches 0 at the pure law), each p
 * weighted by how well it fits, with the noise of the optima, what the law
 * does not explain, and the seed noise of the one run that will check it. */
#ifndef LOGLOG_ANALYSIS_CURVE_H
#define LOGLOG_ANALYSIS_CURVE_H

#include "base/err.h"

#include <stdint.h>

struct isoflop_fit; /* analysis/isoflop_fit.h */

/* The best loss of one budget. */
struct curve_point {
    double flops, loss;
    double se; /* standard error of loss; NaN or 0: unknown */
    int bound; /* 1: from a refused profile: the lowest mean, an upper bound */
};

struct curve_opts {
    double level;  /* 0.90 */
    int bootstrap; /* resamples of the parameters' intervals, 1000 */
    uint64_t seed;
    double p_min, p_max; /* exponents considered: 0.005, 1 */
};
void curve_opts_default(struct curve_opts *o);

struct curve_form {
    int ok;         /* fitted */
    double E, k, p; /* E = 0 in the pure power law */
    double E_ci[2], k_ci[2], p_ci[2];
    double objective; /* weighted sum of squares of the relative residuals */
    double rms;       /* relative residual */
};

struct curve_fit {
    struct curve_opts opts;
    struct curve_point *point; /* by flops, a copy */
    int n;
    struct curve_form with_E, pure;
    double noise;     /* relative SD of one run, as given; NaN unknown */
    double scatter;   /* relative SD of the points about the law beyond se */
    int identified;   /* the loss law may be used to forecast */
    int E_identified; /* E's interval excludes 0 */
    char refused[256];
    /* the grid of exponents and the weight of each (sums to 1), with the
     * linear fit given p: mean and covariance of (E, k') */
    struct curve_mix *mix;
    int n_mix;
};

/* Fit points (copied).  noise: relative SD of one run, NaN if unknown.  With
 * fewer than three budgets, or no fall of the loss beyond its noise, the law
 * is refused, which is no failure.  -1 with *e: no point, or values that are
 * no losses. */
int curve_fit(struct curve_fit *f, const struct curve_point *p, int n,
              double noise, const struct curve_opts *o, struct err *e);
void curve_fit_release(struct curve_fit *f);

/* The points an IsoFLOP fit offers: the minimum of each accepted profile, the
 * lowest mean of a refused one (bound = 1).  The caller frees *p. */
int curve_points(struct curve_point **p, const struct isoflop_fit *f);

/* A forecast at a budget. */
struct curve_forecast {
    double loss;         /* median of the average over p */
    double law_ci[2];    /* of the mean over seeds at that budget */
    double run_ci[2];    /* of one run there: seed noise included */
    double with_E, pure; /* what each form says */
    double decades;      /* log10(flops / largest fitted budget); < 0 inside */
};
/* extra: further relative SD to include (the uncertainty of the allocation),
 * or 0.  -1 when the law is refused. */
int curve_forecast(struct curve_forecast *out, const struct curve_fit *f,
                   double flops, double level, double extra);

/* As hyper_fit_json; law "loss", params of both forms. */
char *curve_fit_json(const struct curve_fit *f);

#endif
