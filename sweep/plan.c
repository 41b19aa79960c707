/* plan: see plan.h.  The designs themselves are in grid.c and isoflop.c. */
#include "sweep/plan.h"

#include "base/mem.h"
#include "sweep/axis.h"
#include "sweep/design.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const plan_flag_name[PLAN_FLAGS] = {"few-steps", "epochs",
                                                "head-share", "warmup"};
const char *const plan_flag_why[PLAN_FLAGS] = {
    "fewer than 300 steps: under-trained whatever its size",
    "more than one pass over the training data: repeated tokens teach less",
    "the head takes more than 15 % of the exact flops, which M does not count",
    "warm-up takes more than 10 % of the steps",
};

/* DeepSeek LLM Eq. 1. */
const struct hyper_law hyper_law_deepseek = {0.3118, -0.1250, 0.2920, 0.3271};

void plan_init(struct plan *p)
{
    *p = (struct plan){0};
}

void plan_release(struct plan *p)
{
    free(p->run);
    free(p->slot);
    plan_init(p);
}

/* The slot of a run in the index: the one that holds it, or a free one.  A
 * slot holds 1 + the run's position, 0 is free. */
static size_t find_slot(const struct plan *p, int64_t id, int stage)
{
    size_t mask = p->n_slot - 1;
    size_t i = ((size_t)id + (size_t)stage) & mask; /* ids are hashes */

    while (p->slot[i]) {
        const struct planned *r = &p->run[p->slot[i] - 1];
        if (r->id == id && r->stage == stage)
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static void index_all(struct plan *p, size_t n_slot)
{
    free(p->slot);
    p->n_slot = n_slot;
    p->slot = xcalloc(n_slot, sizeof *p->slot);
    for (size_t i = 0; i < p->n; i++)
        p->slot[find_slot(p, p->run[i].id, p->run[i].stage)] = i + 1;
}

int plan_add(struct plan *p, const struct planned *r)
{
    size_t i;

    if (2 * (p->n + 1) > p->n_slot)
        index_all(p, p->n_slot ? 2 * p->n_slot : 64);
    i = find_slot(p, r->id, r->stage);
    if (p->slot[i])
        return 0;
    p->run = mem_grow(p->run, &p->cap, p->n + 1, sizeof *p->run);
    p->run[p->n++] = *r;
    p->slot[i] = p->n;
    return 1;
}

void plan_truncate(struct plan *p, size_t n)
{
    BUG_ON(n > p->n);
    if (n == p->n)
        return;
    p->n = n;
    index_all(p, p->n_slot);
}

/* --- one run --- */

void plan_fill(struct run_spec *r, const struct study *s, double flops,
               double warmup_flops, double lr, double batch_tokens,
               int64_t seed)
{
    int64_t T = r->model.seq_len;
    double rows = round(batch_tokens / (double)T), warmup;

    r->optim.lr = lr;
    if (rows > 0x1p53 / (double)T)
        rows = floor(0x1p53 / (double)T); /* and spec_check refuses it */
    r->batch_tokens = rows > 1 ? (int64_t)rows * T : T;
    r->steps = steps_for_flops(r, flops);
    warmup = round(s->warmup * (double)steps_for_flops(r, warmup_flops));
    r->schedule.warmup_steps =
        warmup > (double)s->warmup_max ? s->warmup_max : (int64_t)warmup;
    r->seed = seed;
}

static unsigned judge(const struct planned *r)
{
    struct model_count c;
    const struct run_spec *s = &r->spec;
    unsigned flags = 0;

    model_count(&c, &s->model);
    if (s->steps < 300)
        flags |= PLAN_FEW_STEPS;
    if (r->epochs > 1)
        flags |= PLAN_EPOCHS;
    if (c.head_share > 0.15)
        flags |= PLAN_HEAD_SHARE;
    if ((double)s->schedule.warmup_steps > 0.1 * (double)s->steps)
        flags |= PLAN_WARMUP;
    return flags;
}

/* With `warmup_shared`, runs that differ in their budget alone warm up for as
 * long as the one of the smallest budget, and so can share a trunk.  They exist
 * where a stage has the same models at every budget. */
static double warmup_flops(const struct study *s, int k, double flops)
{
    const struct stage *st = &s->stage[k];
    int same_models = st->kind == STAGE_HYPER     ? st->width || st->M.n == 1
                      : st->kind == STAGE_ISOFLOP ? st->M.n > 0
                                                  : 0;

    return s->warmup_shared && same_models ? st->flops.value[0] : flops;
}

int design_add(struct plan *p, const struct study *s, int k, double flops,
               const struct model_spec *model, double lr, double batch_tokens,
               int64_t seed, int extension, const struct plan_context *ctx,
               struct err *e)
{
    struct planned r = {
        .spec = s->base, .stage = k, .budget = flops, .extension = extension};

    r.spec.model = *model;
    if (ctx)
        memcpy(r.spec.data, ctx->data, sizeof r.spec.data);
    plan_fill(&r.spec, s, flops, warmup_flops(s, k, flops), lr, batch_tokens,
              seed);
    if (spec_check(&r.spec, e))
        return err_prefix(e, "%.200s:%d: %s at %g flops: ", s->file,
                          s->stage[k].line, s->stage[k].name, flops);
    r.id = spec_id(&r.spec);
    r.flops = run_flops(&r.spec);
    if (ctx && ctx->train_tokens > 0)
        r.epochs = (double)spec_tokens(&r.spec) / ctx->train_tokens;
    r.flags = judge(&r);
    return plan_add(p, &r);
}

int design_seeds(struct plan *p, const struct study *s, int k, double flops,
                 const struct model_spec *model, double lr, double batch_tokens,
                 int extension, const struct plan_context *ctx, struct err *e)
{
    const struct stage *st = &s->stage[k];
    int added = 0;

    for (int i = 0; i < st->n_seed; i++) {
        int rc = design_add(p, s, k, flops, model, lr, batch_tokens,
                            st->seed[i], extension, ctx, e);
        if (rc < 0)
            return -1;
        added += rc;
    }
    return added;
}

int design_model(struct model_spec *m, const struct study *s, double M,
                 struct err *e)
{
    struct model_count c;

    *m = s->base.model;
    shape_for_M(m, &s->shape, M);
    model_count(&c, m);
    if (m->d_model + shape_unit(&s->shape) > s->shape.max_d_model &&
        c.M < 0.5 * M)
        return err_set(e, ERR_USAGE,
                       "a model of %.3g flops a token is wanted, but "
                       "max_d_model %lld ends at %.3g",
                       M, (long long)s->shape.max_d_model, c.M);
    return 0;
}

int design_is(const struct planned *r, int k, double flops)
{
    return r->stage == k && axis_same(r->budget, flops);
}

int design_next_extension(const struct plan *p, const struct study *s, int k,
                          double flops)
{
    int last = -1;

    for (size_t i = 0; i < p->n; i++)
        if (design_is(&p->run[i], k, flops) && p->run[i].extension > last)
            last = p->run[i].extension;
    return last >= 0 && last < s->stage[k].extend ? last + 1 : 0;
}

int plan_confirm(struct plan *p, const struct study *s, size_t i,
                 const struct plan_context *ctx, struct err *e)
{
    const struct planned like = p->run[i]; /* the array may move */
    const struct stage *st = &s->stage[like.stage];
    size_t was = p->n;
    int added = 0;

    for (int j = 0; j < st->n_confirm; j++) {
        int rc = design_add(p, s, like.stage, like.budget, &like.spec.model,
                            like.spec.optim.lr, (double)like.spec.batch_tokens,
                            st->confirm[j], like.extension, ctx, e);
        if (rc < 0) {
            plan_truncate(p, was);
            return -1;
        }
        added += rc;
    }
    return added;
}

/* --- stages --- */

/* Round a law's batch to a multiple of 2, 4 or 8 sequences where that moves it
 * by less than a sixteenth, so that its gradient splits into equal parts. */
static double round_batch(double batch, int64_t seq_len)
{
    double rows = batch / (double)seq_len;
    double part = rows >= 64 ? 8 : rows >= 32 ? 4 : rows >= 16 ? 2 : 1;

    return round(rows / part) * part * (double)seq_len;
}

int plan_hyper(double *lr, double *batch_tokens, const struct study *s, int k,
               double flops, const struct plan_context *ctx)
{
    const struct stage *st = &s->stage[k];
    const struct hyper_law *law = &hyper_law_deepseek;

    if (st->hyper == HYPER_FIXED) {
        *lr = st->lr_fixed;
        *batch_tokens = (double)st->batch_fixed;
        return 0;
    }
    if (st->hyper == HYPER_FITTED)
        law = ctx ? ctx->law : NULL;
    if (!law)
        return -1;
    *lr = axis_round(law->lr_coef * pow(flops, law->lr_exp), 4);
    *batch_tokens = round_batch(law->batch_coef * pow(flops, law->batch_exp),
                                s->base.model.seq_len);
    return 0;
}

int plan_stage(struct plan *p, const struct study *s, int k,
               const struct plan_context *ctx, struct err *e)
{
    const struct stage *st = &s->stage[k];
    double runs = st->flops.n * st->n_seed;
    size_t was = p->n;
    int rc = 0;

    runs *= st->kind == STAGE_HYPER ? st->lr.n * st->batch.n : st->sizes;
    if (runs > PLAN_MAX_STAGE)
        return err_set(e, ERR_USAGE,
                       "%.200s:%d: %s: %.0f runs; at most %d expected", s->file,
                       st->line, st->name, runs, PLAN_MAX_STAGE);
    for (int b = 0; b < st->flops.n && !rc; b++) {
        if (st->kind == STAGE_HYPER)
            rc = grid_design(p, s, k, b, ctx, e);
        else if (st->kind == STAGE_ISOFLOP)
            rc = isoflop_design(p, s, k, b, ctx, e);
    }
    if (rc)
        plan_truncate(p, was);
    return rc;
}

int plan_verify(struct plan *p, const struct study *s, int k,
                const struct choice *c, const struct plan_context *ctx,
                struct err *e)
{
    const struct stage *st = &s->stage[k];

    for (int b = 0; b < st->flops.n; b++)
        if (axis_same(c->flops, st->flops.value[b]))
            return design_seeds(p, s, k, c->flops, &c->model, c->lr,
                                (double)c->batch_tokens, 0, ctx, e) < 0
                       ? -1
                       : 0;
    return err_set(e, ERR_USAGE, "%.200s:%d: %s has no budget of %g flops",
                   s->file, st->line, st->name, c->flops);
}
