/* metrics: step, evaluation and position rows.  Rows of a superseded attempt
 * from a step on are replaced when the next attempt passes the same steps, so a
 * curve has each step once (view `curves`).  NaN is stored as NULL.
 *
 * Losses and evaluations keep every bit.  The other numbers of a step are kept
 * as scaled integers, since steps are many: lr to 1e-9 of the run's peak,
 * grad_norm to 1e-7, seconds to 1e-6.  Rows of an attempt that is not its run's
 * current, running one are left out without complaint. */
#ifndef LOGLOG_DB_METRICS_H
#define LOGLOG_DB_METRICS_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

struct db_step {
    int64_t run, attempt, step, tokens;
    double loss, lr, grad_norm, seconds;
};
struct db_eval {
    int64_t run, attempt, step, tokens;
    const char *set; /* name of the validation set */
    double loss, bpb, seconds;
    int64_t eval_tokens;
};
/* Of the last evaluation of a set: the targets at positions first .. last. */
struct db_position {
    int64_t run, attempt, step;
    const char *set;
    int64_t first, last, eval_tokens;
    double loss, bpb;
};
int db_steps_add(struct store *db, const struct db_step *s, size_t n,
                 struct err *e);
int db_evals_add(struct store *db, const struct db_eval *v, size_t n,
                 struct err *e);
int db_positions_add(struct store *db, const struct db_position *p, size_t n,
                     struct err *e);

#endif
