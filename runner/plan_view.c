/* plan_view: see plan_view.h. */
#include "runner/plan_view.h"

#include "base/file.h"
#include "base/mem.h"
#include "db/fits.h"
#include "db/runs.h"
#include "runner/jobs.h"
#include "runner/measure.h"
#include "sweep/axis.h"
#include "sweep/flops.h"
#include "sweep/trunk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Instead of a share of the peak: what the kernels of this run would take, in
 * time of one device (a gang's, added up).  A device trains in bf16.  What it
 * cannot have keeps its price. */
static void predict(struct plan_view *v, struct plan_row *row,
                    struct planned *r)
{
    struct run_spec s = r->spec;
    struct gpu_prediction g;
    struct err e;

    v->gpu.gang = v->study.gang > 1 ? v->study.gang : 1;
    s.dtype = DTYPE_BF16;
    if (gpu_predict(&g, v->chip, &s, v->gpu.gang, &e)) {
        if (!v->gpu.not_had++)
            v->gpu.why = e;
        return;
    }
    r->seconds = g.seconds * (double)(s.steps - r->trunk_step) * v->gpu.gang;
    row->seconds = r->seconds;
    row->bytes = g.bytes.total;
    row->step_seconds = g.seconds;
    row->communication_seconds = g.communication;
    row->mfu = g.mfu;
    row->micro_batch = g.micro_rows;
    if (!v->gpu.runs++)
        v->gpu.least_mfu = g.mfu;
    v->gpu.least_mfu = fmin(v->gpu.least_mfu, g.mfu);
    v->gpu.most_mfu = fmax(v->gpu.most_mfu, g.mfu);
    v->gpu.most_communication =
        fmax(v->gpu.most_communication, g.communication / g.seconds);
}

/* Rows for the runs of stage k; state[i] NULL or what became of run i. */
static int add_rows(struct plan_view *v, int k, struct plan *p,
                    const enum run_state *state, struct err *e)
{
    struct stage_view *st = &v->stage[k];
    struct plan left;

    if (st->from != FROM_DB)
        trunk_plan(p, 0, v->study.stage[k].trunk);
    if (v->measure && measure_plan(&v->cost, p, e))
        return -1;
    cost_plan(p, &v->cost);
    disk_add(&v->disk, p, v->slots);
    plan_init(&left);
    st->first = v->n;
    st->n = p->n;
    v->row = mem_grow(v->row, &v->cap, v->n + p->n, sizeof *v->row);
    for (size_t i = 0; i < p->n; i++) {
        struct plan_row *row = &v->row[v->n++];
        plan_row_fill(row, &p->run[i], &v->study);
        if (v->chip)
            predict(v, row, &p->run[i]);
        if (st->from == FROM_EQUATIONS) {
            row->id = row->trunk = 0;
            row->state = "estimate";
        } else if (state) {
            row->state = run_state_name(state[i]);
        }
        st->flops += row->flops;
        st->seconds += row->seconds;
        st->trunk_saved += row->trunk_saved;
        if (!state || !run_state_final(state[i])) {
            st->seconds_left += row->seconds;
            plan_add(&left, &p->run[i]);
            if (row->mfu > 0) /* what a gang's members lose is counted */
                left.run[left.n - 1].seconds /=
                    width_seconds(v->gpu.gang, v->gpu.gang);
        }
    }
    st->makespan = jobs_makespan(&left, v->study.gang, v->slots);
    plan_release(&left);
    return 0;
}

/* The stage as it stands in the database; returns 1 if it is there. */
static int take_stored(struct plan_view *v, int k, struct err *e)
{
    struct db_run *run;
    struct plan p;
    enum run_state *state;
    size_t n, m = 0;
    int rc = 0;

    if (!v->db)
        return 0;
    if (db_runs(&run, &n, v->db, v->db_study, k, e))
        return -1;
    if (n) {
        plan_init(&p);
        state = xcalloc(n, sizeof *state);
        for (size_t i = 0; i < n; i++)
            if (plan_add(&p, &run[i].plan))
                state[m++] = run[i].state;
        v->stage[k].from = FROM_DB;
        rc = add_rows(v, k, &p, state, e);
        free(state);
        plan_release(&p);
    }
    free(run);
    return rc ? -1 : n > 0;
}

/* What Eq. 4 and the stage's hyper-parameters would choose for a budget. */
static int choice_by_equations(struct choice *c, const struct plan_view *v,
                               int k, double flops,
                               const struct plan_context *ctx)
{
    double batch;

    c->flops = flops;
    c->model = v->study.base.model;
    shape_for_M(&c->model, &v->study.shape, deepseek_M(flops));
    if (plan_hyper(&c->lr, &batch, &v->study, k, flops, ctx))
        return -1;
    c->batch_tokens = (int64_t)batch;
    return 0;
}

/* A verify stage that is not planned yet: registered predictions where there
 * are some, equations elsewhere. */
static int plan_unverified(struct plan *p, struct plan_view *v, int k,
                           const struct plan_context *ctx, struct err *e)
{
    const struct stage *st = &v->study.stage[k];
    struct db_prediction *made = NULL;
    size_t n = 0;
    int rc = 0;

    if (v->db && db_predictions(&made, &n, v->db, v->db_study, e))
        return -1;
    v->stage[k].from = FROM_STUDY;
    v->stage[k].note = NULL;
    for (int b = 0; b < st->flops.n && !rc; b++) {
        struct choice c;
        size_t i = 0;
        while (i < n && !axis_same(made[i].choice.flops, st->flops.value[b]))
            i++;
        if (i < n) {
            c = made[i].choice;
        } else {
            v->stage[k].from = FROM_EQUATIONS;
            v->stage[k].note = "waits for predictions; estimated with "
                               "DeepSeek's Eq. 4 and Eq. 1";
            rc = choice_by_equations(&c, v, k, st->flops.value[b], ctx);
            BUG_ON(rc);
        }
        rc = plan_verify(p, &v->study, k, &c, ctx, e);
    }
    for (size_t i = 0; i < n; i++)
        free(made[i].json);
    free(made);
    return rc;
}

static int plan_one(struct plan_view *v, int k, struct plan_context *ctx,
                    struct err *e)
{
    const struct stage *st = &v->study.stage[k];
    struct plan p;
    int rc = take_stored(v, k, e);

    if (rc)
        return rc < 0 ? -1 : 0;
    plan_init(&p);
    ctx->law = NULL;
    if ((st->kind == STAGE_ISOFLOP || st->kind == STAGE_VERIFY) &&
        st->hyper == HYPER_FITTED) {
        ctx->law = &hyper_law_deepseek;
        v->stage[k].from = FROM_EQUATIONS;
        v->stage[k].note = "waits for the fitted hyper-parameter law; "
                           "estimated with DeepSeek's Eq. 1";
    }
    if (st->kind == STAGE_VERIFY)
        rc = plan_unverified(&p, v, k, ctx, e);
    else
        rc = plan_stage(&p, &v->study, k, ctx, e);
    if (!rc)
        rc = add_rows(v, k, &p, NULL, e);
    plan_release(&p);
    return rc;
}

static int gather(struct plan_view *v, struct err *e)
{
    struct plan_context ctx = {0};

    if (v->data_known) {
        ctx.train_tokens = v->data.train_tokens;
        memcpy(ctx.data, v->data.data, sizeof ctx.data);
    }
    for (int k = 0; k < v->study.n_stage; k++)
        if (plan_one(v, k, &ctx, e))
            return -1;
    return 0;
}

/* Packed data tell how many tokens there are; a plan can do without, but data
 * that are there and are not usable are worth an error now. */
static int look_at_data(struct plan_view *v, struct err *e)
{
    struct err why;

    if (study_check_data(&v->study, &why)) {
        str_addf(&v->data_note,
                 "%s; until then epochs are unknown and ids provisional",
                 why.text);
        return 0;
    }
    v->data_known = 1;
    return study_data_read(&v->data, &v->study, e);
}

/* The study in the database must be this one: stages are found by their
 * number. */
static int same_study(const struct plan_view *v, const char *path,
                      struct err *e)
{
    struct str now;
    char *stored;
    int same;

    if (db_study_text(&stored, v->db, v->db_study, e))
        return -1;
    str_init(&now);
    study_print(&now, &v->study);
    same = !strcmp(now.text, stored);
    str_release(&now);
    free(stored);
    return same ? 0
                : err_set(e, ERR_USAGE,
                          "%s: holds another version of study '%s' than %s; "
                          "plan without --db, or undo the change",
                          path, v->study.name, v->study.file);
}

static int open_db(struct plan_view *v, const char *path, struct err *e)
{
    if (!path || !file_exists(path))
        return 0; /* nothing was run yet */
    if (store_open(&v->db, path, STORE_READ, e) ||
        db_study_find(&v->db_study, v->db, v->study.name, e))
        return -1;
    return same_study(v, path, e);
}

int plan_view_read(struct plan_view *v, const char *study, const char *db,
                   struct err *e)
{
    str_init(&v->data_note);
    return study_read(&v->study, study, e) || look_at_data(v, e) ||
                   open_db(v, db, e) || gather(v, e)
               ? -1
               : 0;
}

void plan_view_release(struct plan_view *v)
{
    store_close(v->db);
    str_release(&v->data_note);
    free(v->row);
}

void plan_view_totals(struct plan_totals *t, const struct plan_view *v)
{
    *t = (struct plan_totals){.runs = v->n};
    for (int k = 0; k < v->study.n_stage; k++) {
        t->seconds_left += v->stage[k].seconds_left;
        t->makespan += v->stage[k].makespan;
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct plan_row *row = &v->row[i];
        t->flops += row->flops;
        t->flops_exact += row->flops_exact;
        t->seconds += row->seconds;
        t->trunk_saved += row->trunk_saved;
        if (row->bytes > t->bytes)
            t->bytes = row->bytes;
        for (int f = 0; f < PLAN_FLAGS; f++)
            t->flagged[f] += row->flags >> f & 1;
    }
    price_of(&t->price, t->seconds, v->watts, v->money);
    price_of(&t->price_left, t->seconds_left, v->watts, v->money);
}
