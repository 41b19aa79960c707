/* design: which runs to make next.
 *
 * Given a surface and what the runs so far say about its parameters, the
 * variance of a forecast (the optimal loss at a target budget, or the optimal
 * size there) follows to first order from the covariance of the parameters,
 * and so does how much any further run would shrink it.  Runs are taken one
 * by one, each the one that shrinks the logarithm of the variance most after
 * a price per FLOP is taken off; the price is the one that leaves the least
 * variance when the budget, or the number of runs, is used up.  The result is
 * set against a fixed grid of 8 budgets x 10 sizes of the same total compute.
 *
 * A law is never exact: a run far below the target says less about it than
 * its noise alone would make it.  `misfit` is the relative error by which the
 * law may be off per decade of compute between run and target. */
#ifndef LOGLOG_ANALYSIS_DESIGN_H
#define LOGLOG_ANALYSIS_DESIGN_H

#include "analysis/surface.h"

enum design_goal {
    DESIGN_LOSS, /* ln of the loss at the optimum of the target */
    DESIGN_SIZE  /* ln of the optimal size there */
};

struct design_options {
    double flops;   /* to be spent in all */
    double target;  /* budget of the forecast */
    double factor;  /* flops = factor * size * tokens: 6, or 1 for M */
    double noise;   /* relative SD of one run's loss */
    double misfit;  /* relative, per decade below the target */
    double least;   /* smallest run worth making, flops; 0: flops * 1e-5 */
    double largest; /* largest share of `flops` that one run may take; 0.25 */
    double tpp_lo, tpp_hi; /* tokens per parameter that may be run */
    int repeats;           /* runs of one cell at most (seeds) */
    int most;              /* runs at most */
    double level;          /* of the intervals */
    enum design_goal goal;
};
/* 6, 0.4 % noise, 0.1 % misfit, 1 to 1000 tokens per parameter, 3 repeats,
 * 80 runs, 0.9, loss. */
extern const struct design_options design_defaults;

struct design_run {
    double size, tokens, flops;
    int repeats; /* how many of this cell */
    double sd;   /* of the goal once this and all before it are done */
};

struct design {
    struct design_options o;
    size_t n;
    struct design_run *run; /* in the order of choice, cells merged */
    double spent;
    double sd_before; /* SD of the goal from the runs so far; may be INFINITY */
    double sd_after;  /* with the proposed runs */
    double sd_fixed;  /* with the fixed design of the same compute instead */
    double fixed_spent;
    double value; /* the goal itself now: loss or size */
};

/* cov: covariance of surface_internal() parameters from the runs so far
 * (surface_fit.cov), or NULL when there are none: then the surface is a guess
 * known to 30 % in coefficients and .1 in exponents. */
int design_runs(struct design *d, const struct surface *s, const double *cov,
                const struct design_options *o, struct err *e);
void design_release(struct design *d);

/* The fixed design: 8 budgets over 3.5 decades up to the largest that the
 * total allows, 10 sizes each over a factor of 16 about the optimum.  Writes
 * 80 runs; returns their flops. */
#define DESIGN_FIXED 80
double design_fixed(struct design_run *run, const struct surface *s,
                    const struct design_options *o);

#endif
