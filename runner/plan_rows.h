/* plan_rows: the rows of `loglog plan`, and their columns as one table that
 * text, CSV and JSON walk. */
#ifndef LOGLOG_RUNNER_PLAN_ROWS_H
#define LOGLOG_RUNNER_PLAN_ROWS_H

#include "sweep/plan.h"

#include <jansson.h>
#include <stdio.h>

struct plan_row {
    int64_t id; /* 0: an estimate, whose runs are not yet decided */
    const char *stage, *kind;
    const char *state; /* "planned"; "estimate"; in a database, what became of
                          it: "pending", "done", ... */
    double budget, M, D, flops, flops_exact, params, bytes;
    int64_t d_model, n_layer, n_head, n_kv_head, d_ff;
    int64_t steps, warmup_steps, batch_tokens, seed;
    double lr, epochs, seconds; /* epochs 0: unknown; seconds of what it
                                   trains itself */
    unsigned flags;
    int extension;
    int64_t trunk, trunk_step; /* who takes how many steps for it; 0: nobody */
    double trunk_saved;        /* flops of them */
    /* predicted for a GPU (sweep/gpu_model.h); 0: not */
    double step_seconds, communication_seconds, mfu;
    int64_t micro_batch;
};

/* Everything but id and state, which the caller knows better. */
void plan_row_fill(struct plan_row *row, const struct planned *r,
                   const struct study *s);

void plan_rows_text(FILE *out, const struct plan_row *row, size_t n);
void plan_rows_csv(FILE *out, const struct plan_row *row, size_t n);
json_t *plan_row_json(const struct plan_row *row);

#endif
