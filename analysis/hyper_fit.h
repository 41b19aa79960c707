/* hyper_fit: from a learning-rate x batch grid at each budget to the laws
 * lr(C) and batch(C).
 *
 * DeepSeek LLM (arXiv 2401.02954) 3.1: keep every (lr, batch) whose loss is
 * at most 0.25 % above the lowest of its budget and fit both against compute.
 * At micro scale one seed differs from the next by more than that, so the rule
 * here is max(0.25 %, 2 SD between seeds).  Beside it stands the minimum of a
 * quadratic surface in (log lr, log batch).  Arrays in, numbers out: nothing
 * here reads a database.
 *
 * A run that diverged is a bound, not a gap: its cell can never be the best,
 * and an optimum next to it is interior.  An optimum at the grid's edge is a
 * bound too: its budget says so (dlr, dbatch: where to extend) and does not
 * count as a measurement of the law. */
#ifndef LOGLOG_ANALYSIS_HYPER_FIT_H
#define LOGLOG_ANALYSIS_HYPER_FIT_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "sweep/plan.h"

#include <stdint.h>

struct points;     /* analysis/points.h */
struct fit_result; /* analysis/fit_json.h */

/* How the optimum of one budget becomes points of the regression. */
enum hyper_optimum {
    HYPER_NEAR,      /* all near-optimal cells of the grids whose optimum is
                        interior: default */
    HYPER_CENTRE,    /* their geometric centre, one point a budget */
    HYPER_QUADRATIC, /* the minimum of the quadratic surface */
    HYPER_POOLED     /* as HYPER_NEAR, but of every grid, edges included, and by
                        near_rel alone: what Step Law's code does
                        (query_optimal_lr_bs_data) */
};

struct hyper_opts {
    enum hyper_optimum optimum;
    double near_rel; /* 0.0025: the 0.25 % of the paper */
    double near_sd;  /* 2: times the SD between seeds */
    double level;    /* of the intervals, 0.90 */
    int bootstrap;   /* resamples, 1000; 0: no intervals, nothing identified */
    uint64_t seed;   /* of the resampling */
    /* -1: as hyper_fit.c says; an enum boot_kind: that interval, of whole
     * grids resampled, few of them as few.h says; as it is where the draws are
     * read from a file. */
    int interval;
    /* Draws of grids (bootstrap.h), numbered as in hyper_fit.grid; one that is
     * not interior on an axis adds nothing to its law.  NULL: none. */
    const char *indices;
};
void hyper_opts_default(struct hyper_opts *o);

/* One (lr, batch) of one grid: the mean over its seeds. */
struct hyper_cell {
    double lr, batch; /* batch in tokens */
    double loss;      /* mean; INFINITY when a run of the cell diverged */
    int n, diverged;  /* runs in the mean; runs that diverged */
    double sd;        /* relative SD between its seeds; NaN if one */
    int first; /* the runs of the mean are hyper_fit.trunk[first .. first + n)
                */
    double excess; /* loss / best loss - 1 */
    int near;      /* excess within the threshold */
};

/* The minimum of a quadratic in (log lr, log batch) over the good cells of a
 * grid (one axis only, where the other was not varied); usable only if the
 * surface is convex and the minimum inside. */
struct hyper_quad {
    int ok;
    char why[128]; /* when not ok */
    double lr, batch, loss;
    double residual_sd; /* relative, of the cells about the surface */
};

/* All cells of one budget and one size. */
struct hyper_grid {
    double flops, M, N, D;   /* nominal budget; Eq. 2's M; N; mean D */
    double wd;               /* weight decay; NaN unknown */
    struct hyper_cell *cell; /* by batch, then by lr, increasing */
    int n_cell, n_lr, n_batch;
    int best;         /* index of the lowest mean */
    double threshold; /* relative: near is excess <= threshold */
    int n_near;
    double lr, batch; /* centre (geometric mean) of the near cells */
    double lr_lo, lr_hi, batch_lo, batch_hi; /* their extent */
    struct hyper_quad quad;
    /* -1: the optimum sits on the lowest line of the grid, +1: on the
     * highest, 0: interior (also where the axis has one value, or where the
     * next line up diverged).  What plan_extend_hyper wants. */
    int dlr, dbatch;
    char why[160]; /* in words, when dlr or dbatch is not 0 */
};

/* y = coef C^exponent with its interval. */
struct hyper_power {
    double coef, exponent;
    double coef_ci[2], exponent_ci[2];
    int n_grid;        /* grids with an interior optimum that entered */
    int n_point;       /* of the regression: near-optimal cells, or centres */
    int identified;    /* the exponent's interval has one sign, or is narrow */
    char refused[256]; /* why not, and what would settle it; "" if identified */
};

/* y = coef N^n D^d B^b: Step Law (arXiv 2503.04715) with b = 0.  Fitted only
 * when the budgets do not lie on one line in (log N, log D). */
struct hyper_multi {
    int ok;
    char why[128]; /* when not ok */
    double coef, n, d, b;
    double n_ci[2], d_ci[2], b_ci[2];
};

/* Laws are judged by what they cost: each budget in turn is left out, the law
 * fitted on the others, and the excess loss of its (lr, batch) over the best
 * cell read off the left-out grid (interpolated in logs). */
enum hyper_form {
    HYPER_FORM_C,     /* lr and batch in C, both fitted */
    HYPER_FORM_EQ1,   /* Eq. 1's exponents, coefficients fitted */
    HYPER_FORM_FLAT,  /* one lr and one batch for all budgets */
    HYPER_FORM_ND,    /* lr in (N, D), batch in D */
    HYPER_FORM_NDB,   /* lr in (N, D, B) at the best lr of each batch */
    HYPER_FORM_TAU,   /* AdamW timescale B / (lr wd D) as a power of D/N */
    HYPER_FORM_PAPER, /* Eq. 1 as printed, nothing fitted */
    HYPER_FORMS
};
extern const char *const hyper_form_name[HYPER_FORMS];
struct hyper_score {
    int n; /* budgets it could be judged on; 0: could not be fitted */
    double mean, max; /* relative excess loss, held out */
};

struct hyper_fit {
    struct hyper_opts opts;
    struct hyper_grid *grid; /* by flops, then by M */
    int n_grid;
    int n_point, n_excluded; /* runs used; runs that may not enter */
    int n_diverged;          /* of the excluded */
    char input[HASH_HEX];    /* points_hash of what it saw */
    int *trunk, n_trunk;     /* of each run (analysis/cell.h) */
    int shared;              /* grids of several budgets share trunks */
    double noise; /* relative SD between seeds of one run, pooled over the
                     cells within 5 % of their best; NaN when no cell has two
                     seeds: then the rule is the bare 0.25 % */
    int noise_dof;
    struct hyper_power lr, batch;
    struct hyper_multi lr_nd, batch_d, lr_ndb;
    struct hyper_score score[HYPER_FORMS];
};

/* Fit.  A grid is the runs of one (budget, M); points without a budget are
 * grouped by (M, D).  -1 with *e when there is nothing to fit (no finished
 * run, no cell with lr and batch) or opts.indices cannot be used; a law that is
 * not identified is no failure: see hyper_power.refused.  Release what
 * succeeded. */
int hyper_fit(struct hyper_fit *f, const struct points *p,
              const struct hyper_opts *o, struct err *e);
void hyper_fit_release(struct hyper_fit *f);

/* The law to go on with, always: *law is filled and *how says in one line per
 * quantity how it was got.  Identified exponents are used as fitted.  One that
 * is not identified becomes Eq. 1's, moved into the fitted interval if it lies
 * outside, with the coefficient fitted to the centres of the interior grids:
 * the quadratic's minimum where there is one and the noise is beyond the
 * 0.25 %, else the centre of the near-optimal cells.  With no interior optimum
 * the centres of the edge grids are taken, and said to be bounds. */
void hyper_fit_use(struct hyper_law *law, struct str *how,
                   const struct hyper_fit *f);

/* The rates at a budget that an exponent of lr which is not identified leaves:
 * both ends of its interval, each through the optima of the grids.  -1: it is
 * identified, or has no interval. */
int hyper_lr_left(double range[2], const struct hyper_fit *f, double flops);
/* The rate of the law in (N, D), where lr in C is not identified and the law in
 * (N, D) costs less on held-out grids; NaN: not so. */
double hyper_lr_of_ND(const struct hyper_fit *f, double N, double D);

/* lr and batch of a law at a budget; batch in tokens, not rounded. */
double hyper_lr(const struct hyper_law *law, double flops);
double hyper_batch(const struct hyper_law *law, double flops);

/* The whole fit as `fit --law hyper` prints it (law, method, n, excluded,
 * params, ci, level, identified, refused, diagnostics, grids): *r is
 * initialised by it.  identified: both exponents are. */
void hyper_fit_result(struct fit_result *r, const struct hyper_fit *f);
int hyper_fit_identified(const struct hyper_fit *f);

#endif
