/* surface: loss as a function of model size and tokens, L(X, D).
 *
 * X is N (parameters) or M (non-embedding FLOPs per token), whichever the
 * caller puts in `size`; then compute is flops = factor * X * D with factor 6
 * or 1.  Forms:
 *   chinchilla  E + A/X^alpha + B/D^beta        (Hoffmann et al., approach 3)
 *   tied        E + A/X^alpha + B/D^alpha
 *   power       A/X^alpha + B/D^beta            (no irreducible loss)
 *   skaling     (A/X^alpha + B/D^beta)^k + E
 *   farseer     exp(a3 X^g + b3) + exp(a2 X^b + b2) * D^-exp(a1 X^a + b1)
 *   repeated    chinchilla in the effective tokens D' of Muennighoff et al.:
 *               D' = U + U R (1 - exp(-(D/U - 1)/R)), U unique tokens */
#ifndef LOGLOG_ANALYSIS_SURFACE_H
#define LOGLOG_ANALYSIS_SURFACE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum surface_form {
    SURFACE_CHINCHILLA,
    SURFACE_TIED,
    SURFACE_POWER,
    SURFACE_SKALING,
    SURFACE_FARSEER,
    SURFACE_REPEATED,
    SURFACE_FORMS
};

/* What is minimised, always a sum over points, never a mean:
 *   huber       Huber(delta) of ln L_hat - ln L
 *   mse         squares of ln L_hat - ln L
 *   mse-raw     squares of L_hat - L
 *   huber-raw   Huber(delta) of L_hat - L
 *   asymmetric  |L_hat - L|, times `over` where L_hat > L; reported divided
 *               by n, as it is published
 *   likelihood  - ln likelihood of a Huber density of ln residuals whose
 *               scale is fitted (Besiroglu et al. 2024) */
enum surface_objective {
    OBJECTIVE_HUBER,
    OBJECTIVE_MSE,
    OBJECTIVE_MSE_RAW,
    OBJECTIVE_HUBER_RAW,
    OBJECTIVE_ASYMMETRIC,
    OBJECTIVE_LIKELIHOOD,
    OBJECTIVES
};

/* varpro: search of the exponents with the rest solved exactly, then the
 * exact objective polished.  grid: L-BFGS from every one of the 4500 starts
 * of Hoffmann et al. as Besiroglu et al. list them. */
enum surface_method { METHOD_VARPRO, METHOD_GRID, METHODS };

#define SURFACE_MAX 9 /* parameters of the largest form */

struct surface {
    enum surface_form form;
    /* In the order of surface_param_name().  The first five of chinchilla,
     * skaling and repeated are E, A, B, alpha, beta; tied: E, A, B, alpha;
     * power: A, B, alpha, beta; farseer: a1 b1 a2 b2 a3 b3 a b g (with a, b,
     * g the exponents of X). */
    double p[SURFACE_MAX];
};

/* The points, borrowed: n rows, all positive and finite.  unique may be NULL
 * (needed by `repeated` only); weight may be NULL (all 1; 0 leaves out). */
struct surface_data {
    size_t n;
    const double *size, *tokens, *loss, *unique, *weight;
};

/* How surface_refit looks for the optimum of other weights: by variable
 * projection; by all starts of the grid again; or from where the first descents
 * of the starts ended, which is the work of once for all resamples. */
enum surface_refit_how { REFIT_VARPRO, REFIT_GRID, REFIT_ENDS };
#define REFITS 3

struct surface_options {
    enum surface_form form;
    enum surface_objective objective;
    enum surface_method method;
    double delta; /* of Huber; 1e-3 */
    double over;  /* of asymmetric; 10 */
    double level; /* of the profile intervals; 0.9 */
    int profile;  /* profile every exponent: intervals and identifiability */
    int threads;  /* of the grid of starts; 0 or 1: none */
    enum surface_refit_how refit; /* how a resample is searched */
    int smooth; /* 1: smoothed resamples where the objective has fine corners
                   (surface_smooth.h); 0: the points themselves */
};
/* chinchilla, huber, varpro, 1e-3, 10, 0.9, profile on, resamples plain. */
extern const struct surface_options surface_defaults;

struct surface_fit {
    struct surface s;
    struct surface_options options; /* as used */
    size_t n;
    double objective; /* at s */
    double scale;     /* fitted scale (likelihood), else NaN */
    double a;         /* beta/(alpha+beta); NaN where the form has none */
    size_t starts;    /* starts or grid cells searched */
    size_t reached;   /* of them, ended within 1e-6 (relative) of the best */
    double cond;      /* of the Hessian in (log A, log B, log E, exponents),
                         scaled to unit diagonal */
    double cond_projected; /* the same of the exponents alone, the rest solved
                              for (variable projection) */
    double cov[SURFACE_MAX * SURFACE_MAX]; /* linearised, of the internal
                                              parameters (surface_internal) */
    double resid_sd;                       /* of ln L - ln L_hat */
    /* Profile interval of each parameter that was profiled, else NaN;
     * _open says that it runs into the end of the search range. */
    double profile_lo[SURFACE_MAX], profile_hi[SURFACE_MAX];
    int profile_open[SURFACE_MAX];
    double tpp_lo, tpp_hi; /* range of D / X in the data */
    double collinear;      /* |correlation| of ln X and ln D */
    int sizes, horizons;   /* distinct X and D (to 1 %) */
    int identified;        /* every exponent is */
    char refused[256];     /* "" or why it is not, and what would settle it */
};

/* Fit.  Fails on data that cannot be fitted at all (too few points, a number
 * that is not positive); a fit whose exponents are not identified succeeds
 * with identified = 0 and the reason in refused. */
int surface_fit(struct surface_fit *f, const struct surface_data *d,
                const struct surface_options *o, struct err *e);

/* Refit from a known optimum (bootstrap): same form and objective, no
 * profile; weights or a resampled copy in d.  f->s is the start and the
 * result.  Returns -1 when it did not converge. */
int surface_refit(struct surface_fit *f, const struct surface_data *d,
                  struct err *e);

struct start_ends; /* analysis/multistart.h */

/* For REFIT_ENDS: where the first descents on d end; free with
 * start_ends_release().  Then refits of the same rows with other weights. */
int surface_ends(struct start_ends *s, const struct surface_fit *f,
                 const struct surface_data *d, struct err *e);
int surface_refit_from(struct surface_fit *f, const struct surface_data *d,
                       const struct start_ends *s, struct err *e);

/* L at (size, tokens); unique: NaN when not repeated. */
double surface_loss(const struct surface *s, double size, double tokens,
                    double unique);

/* The allocation of `flops` = factor*size*tokens that minimises the loss:
 * closed form for chinchilla, tied, power and skaling, else by search.  Fails
 * when there is none (an exponent not positive, minimum at the end of the
 * search). */
int surface_optimum(double *size, double *tokens, double *loss,
                    const struct surface *s, double flops, double factor,
                    struct err *e);
/* N_opt = coef * flops^exponent of chinchilla-like forms; -1 for others. */
int surface_optimum_law(double *coef, double *exponent, const struct surface *s,
                        double factor);

/* The objective of s on d, as surface_fit reports it. */
double surface_objective(const struct surface *s, const struct surface_data *d,
                         const struct surface_options *o);

int surface_n_params(enum surface_form f);
const char *surface_param_name(enum surface_form f, int i); /* "alpha" */
int surface_is_exponent(enum surface_form f, int i);
/* Internal parameters: A, B, E by their logarithms, others as they are. */
void surface_internal(double *q, const struct surface *s);

const char *surface_form_name(enum surface_form f);
int surface_form_parse(const char *name); /* -1: unknown */
const char *surface_objective_name(enum surface_objective o);
int surface_objective_parse(const char *name);
const char *surface_method_name(enum surface_method m);
int surface_method_parse(const char *name);
const char *surface_refit_name(enum surface_refit_how h);
int surface_refit_parse(const char *name);

#endif
