/* grid: the batch x learning-rate grid of a hyper stage (DeepSeek LLM 3.1).
 *
 * Each budget has one model.  The grid of a budget grows by whole lines: a new
 * learning rate at every batch that is there, a new batch at every learning
 * rate, so it stays a full rectangle. */
#include "base/mem.h"
#include "sweep/axis.h"
#include "sweep/design.h"
#include "sweep/flops.h"

#include <string.h>

static int grid_model(struct model_spec *m, const struct study *s, int k,
                      int budget, struct err *e)
{
    const struct stage *st = &s->stage[k];
    double M = st->centre * deepseek_M(st->flops.value[budget]);

    if (st->width) {
        *m = s->base.model;
        shape_for_width(m, &s->shape, st->width);
        return 0;
    }
    if (st->M.n)
        M = st->M.value[st->M.n > 1 ? budget : 0];
    if (design_model(m, s, M, e))
        return err_prefix(e, "%.200s:%d: %s: ", s->file, st->line, st->name);
    return 0;
}

int grid_design(struct plan *p, const struct study *s, int k, int budget,
                const struct plan_context *ctx, struct err *e)
{
    const struct stage *st = &s->stage[k];
    struct model_spec m;

    if (grid_model(&m, s, k, budget, e))
        return -1;
    for (int b = 0; b < st->batch.n; b++)
        for (int l = 0; l < st->lr.n; l++)
            if (design_seeds(p, s, k, st->flops.value[budget], &m,
                             st->lr.value[l], st->batch.value[b], 0, ctx,
                             e) < 0)
                return -1;
    return 0;
}

/* The distinct values on the two axes of what exists, increasing. */
#define LINES (STUDY_GRID + 128)
struct lines {
    int n;
    double value[LINES];
};

static void lines_add(struct lines *l, double v)
{
    int i = 0;

    while (i < l->n && l->value[i] < v)
        i++;
    if ((i < l->n && l->value[i] == v) || l->n == LINES)
        return;
    memmove(l->value + i + 1, l->value + i,
            (size_t)(l->n - i) * sizeof l->value[0]);
    l->value[i] = v;
    l->n++;
}

/* The value one step beyond an end of the axis; 0 when it has no step. */
static double beyond(const struct lines *l, const struct axis *a, int dir)
{
    double end = l->value[dir > 0 ? l->n - 1 : 0];

    if (!dir || !(a->ratio > 1))
        return 0;
    return axis_round(dir > 0 ? end * a->ratio : end / a->ratio, 12);
}

/* Would a batch of this size still be a run? */
static int batch_possible(const struct run_spec *like, double batch,
                          double flops)
{
    struct run_spec r = *like;
    struct model_count c;

    model_count(&c, &r.model);
    return batch >= (double)r.model.seq_len &&
           flops / c.M / batch >= PLAN_MIN_STEPS;
}

int plan_extend_hyper(struct plan *p, const struct study *s, int k,
                      double flops, int dlr, int dbatch,
                      const struct plan_context *ctx, struct err *e)
{
    const struct stage *st = &s->stage[k];
    int extension = design_next_extension(p, s, k, flops), added = 0;
    struct lines lr = {0}, batch = {0};
    struct model_spec m;
    const struct planned *like = NULL;
    double new_lr, new_batch;
    size_t was = p->n;

    BUG_ON(st->kind != STAGE_HYPER);
    if (!extension)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        if (design_is(&p->run[i], k, flops)) {
            like = &p->run[i];
            lines_add(&lr, like->spec.optim.lr);
            lines_add(&batch, (double)like->spec.batch_tokens);
        }
    m = like->spec.model;
    new_lr = beyond(&lr, &st->lr, dlr);
    new_batch = beyond(&batch, &st->batch, dbatch);
    if (new_batch > 0 && !batch_possible(&like->spec, new_batch, flops))
        new_batch = 0;
    if (new_lr > 1e3)
        new_lr = 0;
    if (new_lr > 0)
        lines_add(&lr, new_lr);
    if (new_batch > 0)
        lines_add(&batch, new_batch);
    for (int b = 0; b < batch.n; b++)
        for (int l = 0; l < lr.n; l++) {
            int rc = 0;
            if (lr.value[l] == new_lr || batch.value[b] == new_batch)
                rc = design_seeds(p, s, k, flops, &m, lr.value[l],
                                  batch.value[b], extension, ctx, e);
            if (rc < 0) {
                plan_truncate(p, was);
                return -1;
            }
            added += rc;
        }
    return added;
}
