/* profiles: simulated isoflop studies on a known surface, for tests.
 *
 * L(N, D) = E + A/N^alpha + B/D^beta with flops = 6 N D, or M = 6 N. */
#ifndef LOGLOG_TESTS_ANALYSIS_PROFILES_H
#define LOGLOG_TESTS_ANALYSIS_PROFILES_H

#include "analysis/points.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

struct truth {
    double E, A, B, alpha, beta;
};

static const struct truth truth_chinchilla = {1.69, 406.4, 410.7, 0.34, 0.28};
static const struct truth truth_epoch = {1.8172, 482.01, 2085.43, 0.3478,
                                         0.3658};
static const struct truth truth_even = {1.69, 400, 400, 0.31, 0.31};
static const struct truth truth_skewed = {1.69, 406.4, 410.7, 0.465, 0.155};

static inline double truth_loss(const struct truth *t, double N, double D)
{
    return t->E + t->A / pow(N, t->alpha) + t->B / pow(D, t->beta);
}

static inline double truth_N(const struct truth *t, double flops)
{
    double G =
        pow(t->alpha * t->A / (t->beta * t->B), 1 / (t->alpha + t->beta));
    return G * pow(flops / 6, t->beta / (t->alpha + t->beta));
}

static inline double truth_best(const struct truth *t, double flops)
{
    double N = truth_N(t, flops);
    return truth_loss(t, N, flops / 6 / N);
}

/* Sizes log-spaced from N/W to N W about the optimum times `centre`. */
struct design {
    double from, to; /* budgets, log-spaced */
    int budgets, sizes, seeds;
    double W;
    double centre_from, centre_to; /* multiples of the optimum, drifting */
    double noise;                  /* relative SD of one run */
};

static inline struct point run_point(const struct truth *t, double flops,
                                     double N, double noise, struct rng *r)
{
    struct point p;

    point_init(&p);
    p.col[POINT_BUDGET] = p.col[POINT_FLOPS] = flops;
    p.col[POINT_N] = N;
    p.col[POINT_M] = 6 * N;
    p.col[POINT_D] = flops / 6 / N;
    p.col[POINT_BPB] = truth_loss(t, N, p.col[POINT_D]);
    if (noise > 0)
        p.col[POINT_BPB] *= 1 + noise * rng_next_normal(r);
    p.col[POINT_LOSS] = p.col[POINT_BPB] * log(2);
    return p;
}

static inline void simulate(struct points *p, const struct truth *t,
                            const struct design *d, struct rng *r)
{
    for (int i = 0; i < d->budgets; i++) {
        double f = d->budgets > 1 ? i / (d->budgets - 1.0) : 0;
        double C = d->from * pow(d->to / d->from, f);
        double c0 = d->centre_from > 0 ? d->centre_from : 1;
        double c1 = d->centre_to > 0 ? d->centre_to : 1;
        double centre = truth_N(t, C) * c0 * pow(c1 / c0, f);
        for (int k = 0; k < d->sizes; k++)
            for (int s = 0; s < d->seeds; s++) {
                double u = d->sizes > 1 ? 2.0 * k / (d->sizes - 1) - 1 : 0;
                struct point q =
                    run_point(t, C, centre * pow(d->W, u), d->noise, r);
                q.col[POINT_SEED] = s + 1;
                points_add(p, &q);
            }
    }
}

#endif
