/* grids: simulated (lr, batch) grids with a known optimum, for tests. */
#ifndef LOGLOG_TESTS_ANALYSIS_GRIDS_H
#define LOGLOG_TESTS_ANALYSIS_GRIDS_H

#include "analysis/hyper_fit.h"
#include "analysis/points.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

/* A loss with its optimum at a known (lr, batch):
 * L (1 + a u^2 + b v^2 - c u v), u and v the log distances. */
struct bowl {
    double loss, lr, batch, a, b, c;
};

struct grid {
    double flops, N, D;
    double lr_from, lr_to, lr_ratio, batch_from, batch_to, batch_ratio;
    int seeds;
    double noise;
    double diverge_above; /* lr from which runs diverge; 0: never */
};

static inline double bowl_at(const struct bowl *b, double lr, double batch)
{
    double u = log(lr / b->lr), v = log(batch / b->batch);
    return b->loss * (1 + b->a * u * u + b->b * v * v - b->c * u * v);
}

static inline void add_grid(struct points *p, const struct grid *g,
                            const struct bowl *b, struct rng *r)
{
    for (double batch = g->batch_from; batch <= g->batch_to * 1.001;
         batch *= g->batch_ratio)
        for (double lr = g->lr_from; lr <= g->lr_to * 1.001; lr *= g->lr_ratio)
            for (int s = 0; s < g->seeds; s++) {
                struct point q;
                point_init(&q);
                q.col[POINT_BUDGET] = g->flops;
                q.col[POINT_N] = g->N;
                q.col[POINT_M] = g->flops / g->D;
                q.col[POINT_D] = g->D;
                q.col[POINT_LR] = lr;
                q.col[POINT_BATCH] = batch;
                q.col[POINT_WD] = 0.1;
                q.col[POINT_SEED] = s + 1;
                q.col[POINT_LOSS] = bowl_at(b, lr, batch);
                if (g->noise > 0)
                    q.col[POINT_LOSS] *= 1 + g->noise * rng_next_normal(r);
                if (g->diverge_above > 0 && lr >= g->diverge_above) {
                    q.used = 0;
                    q.col[POINT_LOSS] = NAN;
                    strcpy(q.why, "diverged: loss is not finite");
                }
                points_add(p, &q);
            }
}

/* Grids in sqrt2 steps about the optima of lr = 0.3 C^-0.12, batch =
 * 0.3 C^0.33 at budgets from 1e12, each ten times the last. */
static const struct hyper_law fed = {0.3, -0.12, 0.3, 0.33};

static inline void add_law_grids(struct points *p, int budgets, double ratio,
                                 int seeds, double noise, struct rng *r)
{
    for (int i = 0; i < budgets; i++) {
        double C = 1e12 * pow(10, i), D = sqrt(C / 6);
        double lr = hyper_lr(&fed, C), batch = hyper_batch(&fed, C);
        double k = pow(ratio, 4);
        struct bowl b = {3 * pow(C / 1e12, -0.05), lr, batch, 0.02, 0.01, 0.01};
        struct grid g = {C,         D,         D,     lr / k, lr * k, ratio,
                         batch / k, batch * k, ratio, seeds,  noise,  0};
        add_grid(p, &g, &b, r);
    }
}

#endif
