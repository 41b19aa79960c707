/* design: what the runs of one budget are, private to plan.c, grid.c and
 * isoflop.c. */
#ifndef LOGLOG_SWEEP_DESIGN_H
#define LOGLOG_SWEEP_DESIGN_H

#include "sweep/plan.h"

/* One run of stage k: complete *spec, judge it, append it.  Returns 1 if
 * added, 0 if it was there, -1 if it is impossible. */
int design_add(struct plan *p, const struct study *s, int k, double flops,
               const struct model_spec *model, double lr, double batch_tokens,
               int64_t seed, int extension, const struct plan_context *ctx,
               struct err *e);

/* One run for each seed of the stage; returns how many were added, or -1. */
int design_seeds(struct plan *p, const struct study *s, int k, double flops,
                 const struct model_spec *model, double lr, double batch_tokens,
                 int extension, const struct plan_context *ctx, struct err *e);

/* The model of the rule nearest to M; -1 when the rule ends far below M. */
int design_model(struct model_spec *m, const struct study *s, double M,
                 struct err *e);

/* Does run r belong to this budget of stage k? */
int design_is(const struct planned *r, int k, double flops);

/* The number of the next extension of this budget; 0 when the stage allows no
 * more, or when the budget has no runs yet. */
int design_next_extension(const struct plan *p, const struct study *s, int k,
                          double flops);

/* First designs of the two kinds of stages that have one, for one budget. */
int grid_design(struct plan *p, const struct study *s, int k, int budget,
                const struct plan_context *ctx, struct err *e);
int isoflop_design(struct plan *p, const struct study *s, int k, int budget,
                   const struct plan_context *ctx, struct err *e);

#endif
