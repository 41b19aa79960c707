/* fit_series: loss curves from the database; see fit_input.h.
 *
 * A run has a row a step.  They are taken together in stretches of half a
 * percent of the run, cut where the learning rate moves, each with its mean
 * loss and mean rate.  Steps whose rows were thinned out had a rate too: that
 * of the schedule in the run's spec.  So the sums over the rates do not depend
 * on which rows were kept, and a loss that was kept stands for the half percent
 * around it, not for the whole gap before it. */
#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"
#include "runner/fit_input.h"
#include "sweep/schedule.h"
#include "sweep/spec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRETCHES 200
#define MOVES 0.01 /* of the peak, within a stretch */

struct reader {
    struct series *s;
    struct run_spec spec;
    int known;          /* spec is */
    double steps, peak; /* of the run */
    double from, first; /* where the stretch began, and its first rate */
    double last, lr, loss;
    int n, n_loss;
    struct err *e;
    int rc;
};

static int flush(struct reader *r)
{
    if (!r->n)
        return 0;
    r->rc = series_row(r->s, r->last, r->lr / r->n,
                       r->n_loss ? r->loss / r->n_loss : NAN, r->e);
    r->from = r->last;
    r->lr = r->loss = 0;
    r->n = r->n_loss = 0;
    return r->rc;
}

/* The next step that is known of; a loss that is not is NaN. */
static int add(struct reader *r, double step, double lr, double loss)
{
    if (r->n && fabs(lr - r->first) > MOVES * r->peak && flush(r))
        return -1;
    if (!r->n)
        r->first = lr;
    r->lr += lr;
    r->n++;
    r->last = step;
    if (isfinite(loss)) {
        r->loss += loss;
        r->n_loss++;
    }
    return step - r->from >= r->steps / STRETCHES ? flush(r) : 0;
}

/* step, lr, loss */
static int take(void *ctx, int n, const char *const *value)
{
    struct reader *r = ctx;
    double step, lr, loss;

    if (n < 3 || !value[0] || str_to_double(value[0], &step) || !value[1] ||
        str_to_double(value[1], &lr) || !(step > r->last))
        return 0;
    if (!value[2] || str_to_double(value[2], &loss))
        loss = NAN;
    while (r->known && r->last + 1 < step)
        if (add(r, r->last + 1,
                schedule_lr(&r->spec.schedule, r->spec.optim.lr,
                            (int64_t)r->last + 1, r->spec.steps),
                NAN))
            return 1;
    return add(r, step, lr, loss) != 0;
}

static int take_spec(void *ctx, int n, const char *const *value)
{
    struct reader *r = ctx;

    spec_defaults(&r->spec);
    r->known = n > 0 && value[0] && !spec_parse(&r->spec, value[0], NULL);
    return 0;
}

static int read_run(struct series_set *t, struct store *db,
                    const struct points *p, size_t i, struct err *e)
{
    char label[32], family[96], cell[96], sql[160];
    double steps = p->col[POINT_STEPS][i];
    struct reader r = {.steps = steps, .peak = p->col[POINT_LR][i], .e = e};

    snprintf(label, sizeof label, "%" PRId64, p->run[i]);
    snprintf(family, sizeof family, "%gx%g lr %.4g batch %g seed %g",
             p->col[POINT_N_LAYER][i], p->col[POINT_D_MODEL][i],
             p->col[POINT_LR][i], p->col[POINT_BATCH][i],
             p->col[POINT_SEED][i]);
    snprintf(cell, sizeof cell, "%gx%g lr %.4g batch %g steps %g",
             p->col[POINT_N_LAYER][i], p->col[POINT_D_MODEL][i],
             p->col[POINT_LR][i], p->col[POINT_BATCH][i], steps);
    r.s = series_add(t, label, family, cell);
    r.s->mean = 1;
    r.s->flops = p->col[POINT_FLOPS][i];
    snprintf(sql, sizeof sql, "SELECT spec FROM run WHERE id = %s", label);
    if (db_each(db, sql, take_spec, &r, e))
        return -1;
    snprintf(sql, sizeof sql,
             "SELECT step, lr, loss FROM curves WHERE run = %s ORDER BY step",
             label);
    if (db_each(db, sql, take, &r, e) || r.rc || flush(&r))
        return -1;
    if (!r.s->n)
        t->n--; /* an imported run has no curve */
    return 0;
}

static double metric(const struct points *p, size_t i)
{
    return isnan(p->col[POINT_BPB][i]) ? p->col[POINT_LOSS][i]
                                       : p->col[POINT_BPB][i];
}

static int same(const struct points *p, size_t i, size_t k)
{
    static const enum point_col col[] = {POINT_D_MODEL, POINT_N_LAYER, POINT_LR,
                                         POINT_BATCH, POINT_STEPS};

    for (size_t j = 0; j < ARRAY_LEN(col); j++)
        if (fabs(p->col[col[j]][i] - p->col[col[j]][k]) >
            1e-9 * fabs(p->col[col[j]][i]))
            return 0;
    return 1;
}

/* Row i is of the same cell as the best of its budget. */
static int is_best(const struct points *p, size_t i)
{
    size_t best = i;

    for (size_t k = 0; k < p->n; k++)
        if (p->used[k] &&
            fabs(p->col[POINT_BUDGET][k] / p->col[POINT_BUDGET][i] - 1) <
                1e-3 &&
            metric(p, k) < metric(p, best))
            best = k;
    return same(p, i, best);
}

static int seen(const struct points *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (p->used[k] && p->run[k] == p->run[i])
            return 1;
    return 0;
}

int fit_series_read(struct series_set *t, struct store *db,
                    const struct points *p, int best, struct err *e)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->used[i] && !seen(p, i) && (!best || is_best(p, i)) &&
            read_run(t, db, p, i, e))
            return -1;
    if (t->n)
        return 0;
    return err_set(e, ERR_FAILED,
                   "no run has a curve here; curves of others come from a file "
                   "(--points)");
}
