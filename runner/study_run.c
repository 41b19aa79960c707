/* study_run: see study_run.h. */
#include "runner/study_run.h"

#include "base/fault.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/study_stage.h"
#include "sweep/trunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const now_name[] = {"waiting", "open", "complete",
                                       "refused"};

int stage_mark(struct study_run *s, int k, enum stage_now now,
               const char *reason, struct err *e)
{
    const struct stage *stage = &s->study->stage[k];

    if (now == STAGE_COMPLETE)
        fault_kill("coordinator-kill");
    s->stage[k].now = now;
    return db_stage_put(s->db, s->id, k, stage->name,
                        stage_kind_name(stage->kind), now_name[now], reason, e);
}

int stage_load(struct study_run *s, int k, struct err *e)
{
    struct stage_run *g = &s->stage[k];
    struct db_run *rows;
    size_t n;

    if (db_runs(&rows, &n, s->db, s->id, k, e))
        return -1;
    plan_truncate(&g->plan, 0);
    g->state = xrealloc(g->state, (n + 1) * sizeof *g->state);
    g->left = 0;
    for (size_t i = 0; i < n; i++) {
        plan_add(&g->plan, &rows[i].plan);
        g->state[i] = rows[i].state;
        g->left += !run_state_final(rows[i].state);
    }
    BUG_ON(g->plan.n != n);
    free(rows);
    return 0;
}

int stage_store(struct study_run *s, int k, size_t from, struct err *e)
{
    struct stage_run *g = &s->stage[k];

    trunk_plan(&g->plan, from, s->study->stage[k].trunk);
    for (size_t i = from; i < g->plan.n; i++)
        g->plan.run[i].seconds = cost_planned(s->cost, &g->plan.run[i]);
    if (db_plan_put(s->db, s->id, s->study->stage[k].name, g->plan.run + from,
                    g->plan.n - from, e))
        return -1;
    return stage_load(s, k, e);
}

/* --- what a stage waits for --- */

static int all_complete(const struct study_run *s, int before,
                        enum stage_kind kind, int any_kind)
{
    for (int i = 0; i < before; i++)
        if ((any_kind || s->study->stage[i].kind == kind) &&
            s->stage[i].now != STAGE_COMPLETE)
            return 0;
    return 1;
}

/* NULL when stage k may begin, else what it waits for. */
static const char *waits_for(const struct study_run *s, int k)
{
    const struct stage *stage = &s->study->stage[k];

    switch (stage->kind) {
    case STAGE_HYPER:
        return NULL;
    case STAGE_ISOFLOP:
        if (stage->hyper != HYPER_FITTED ||
            all_complete(s, s->study->n_stage, STAGE_HYPER, 0))
            return NULL;
        return "the fitted law of batch and learning rate";
    case STAGE_PREDICT:
        return all_complete(s, k, STAGE_PREDICT, 1) ? NULL
                                                    : "the stages before it";
    case STAGE_VERIFY:
        return all_complete(s, k, STAGE_PREDICT, 0)
                   ? NULL
                   : "the registered predictions";
    }
    BUG_ON(1);
}

/* A plan that was made for other data than those that are there now. */
static int check_data(const struct study_run *s, int k, struct err *e)
{
    const struct plan *p = &s->stage[k].plan;

    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->run[i].spec.data, s->ctx.data))
            return err_set(e, ERR_USAGE,
                           "its runs were planned for the data %s, but %s and "
                           "the validation sets are now %s: bring the old data "
                           "back, or begin again with another --db or "
                           "--replace",
                           p->run[i].spec.data, s->study->train, s->ctx.data);
    return 0;
}

/* The stage's plan: the one in the database, else made and stored now. */
static int plan_first(struct study_run *s, int k, struct err *e)
{
    const struct stage *stage = &s->study->stage[k];
    struct stage_run *g = &s->stage[k];

    if (stage_load(s, k, e))
        return -1;
    if (g->plan.n)
        return check_data(s, k, e);
    if (stage->kind == STAGE_VERIFY) {
        if (stage_plan_verify(s, k, e))
            return -1;
    } else {
        if (stage->hyper == HYPER_FITTED && stage->kind == STAGE_ISOFLOP &&
            study_law(s, e))
            return -1;
        if (plan_stage(&g->plan, s->study, k, &s->ctx, e))
            return -1;
    }
    if (!g->plan.n)
        return err_set(e, ERR_FAILED, "it has no runs");
    return stage_store(s, k, 0, e);
}

/* --- the machine --- */

/* A stage whose turn may have come: 1 if anything changed, or -1. */
static int open_stage(struct study_run *s, int k, struct err *e)
{
    struct stage_run *g = &s->stage[k];

    if (waits_for(s, k))
        return 0;
    if (s->study->stage[k].kind == STAGE_PREDICT)
        return stage_predict(s, k, e) ? -1 : 1;
    if (plan_first(s, k, e))
        return -1;
    if (g->was_complete && !g->left) {
        g->now = STAGE_COMPLETE;
        return 1;
    }
    return stage_mark(s, k, STAGE_OPEN, NULL, e) ? -1 : 1;
}

/* A stage whose runs are all final: extended, complete, or refused. */
static int judge_stage(struct study_run *s, int k, struct err *e)
{
    int rc;

    switch (s->study->stage[k].kind) {
    case STAGE_HYPER:
        rc = stage_judge_hyper(s, k, e);
        break;
    case STAGE_ISOFLOP:
        rc = stage_judge_isoflop(s, k, e);
        break;
    default:
        rc = stage_judge_verify(s, k, e);
    }
    return rc < 0 ? -1 : 1;
}

static int settle(struct study_run *s, struct err *e)
{
    int changed = 1;

    while (changed) {
        changed = 0;
        for (int k = 0; k < s->study->n_stage; k++) {
            struct stage_run *g = &s->stage[k];
            int rc = 0;

            if (g->now == STAGE_WAITING)
                rc = open_stage(s, k, e);
            else if (g->now == STAGE_OPEN && !g->left)
                rc = judge_stage(s, k, e);
            if (rc < 0)
                return err_prefix(e, "stage '%s': ", s->study->stage[k].name);
            changed |= rc;
        }
    }
    return 0;
}

int study_run_advance(struct study_run *s, struct db_run **fresh, size_t *n,
                      struct err *e)
{
    struct db_run *rows;
    size_t n_rows, kept = 0;

    if (settle(s, e) || db_runs(&rows, &n_rows, s->db, s->id, -1, e))
        return -1;
    for (size_t i = 0; i < n_rows; i++)
        if (!run_state_final(rows[i].state))
            rows[kept++] = rows[i];
    *fresh = rows;
    *n = kept;
    return 0;
}

int study_run_final(struct study_run *s, int64_t run, enum run_state state)
{
    int ready = 0;

    for (int k = 0; k < s->study->n_stage; k++) {
        struct stage_run *g = &s->stage[k];

        for (size_t i = 0; i < g->plan.n; i++)
            if (g->plan.run[i].id == run && !run_state_final(g->state[i])) {
                g->state[i] = state;
                ready |= --g->left == 0;
            }
    }
    return ready;
}

static int stage_asked(struct study_run *s, int k, int64_t run,
                       enum run_state state, struct err *e)
{
    struct stage_run *g = &s->stage[k];
    int found = 0;

    for (size_t i = 0; i < g->plan.n; i++)
        if (g->plan.run[i].id == run) {
            if (run_state_final(g->state[i]))
                g->left++;
            if (run_state_final(state))
                g->left--;
            g->state[i] = state;
            found = 1;
        }
    if (!found || !g->left || g->now == STAGE_OPEN || g->now == STAGE_WAITING)
        return found;
    str_clear(&s->why);
    return stage_mark(s, k, STAGE_OPEN, "a run is tried again", e) ? -1 : 1;
}

int study_run_asked(struct study_run *s, int64_t run, enum run_state state,
                    struct err *e)
{
    int any = 0;

    for (int k = 0; k < s->study->n_stage; k++) {
        int one = stage_asked(s, k, run, state, e);

        if (one < 0)
            return -1;
        any |= one;
    }
    return any;
}

/* --- open and close --- */

struct saved_stage {
    struct study_run *s;
    int64_t id;
};

static int note_stage(void *ctx, int n, const char *const *value)
{
    struct saved_stage *saved = ctx;
    int64_t study, k;

    (void)n;
    if (str_to_i64(value[0], &study) || str_to_i64(value[1], &k) ||
        study != saved->id || k < 0 || k >= saved->s->study->n_stage)
        return 0;
    saved->s->stage[k].was_complete = !strcmp(value[2], "complete");
    return 0;
}

int study_run_open(struct study_run **out, const struct study *study,
                   struct store *db, int64_t id, const struct study_data *data,
                   const struct cost_model *cost, struct err *e)
{
    struct study_run *s = xcalloc(1, sizeof *s);
    struct saved_stage saved = {s, id};

    s->study = study;
    s->db = db;
    s->id = id;
    s->cost = cost;
    s->ctx.train_tokens = data->train_tokens;
    memcpy(s->ctx.data, data->data, sizeof s->ctx.data);
    str_init(&s->why);
    for (int k = 0; k < study->n_stage; k++)
        plan_init(&s->stage[k].plan);
    if (db_each(db, "SELECT study_id, stage_id, state FROM stages", note_stage,
                &saved, e)) {
        study_run_close(s);
        return -1;
    }
    for (int k = 0; k < study->n_stage; k++) {
        char reason[80];
        const char *what = waits_for(s, k);

        snprintf(reason, sizeof reason, "waits for %s", what ? what : "");
        if (!s->stage[k].was_complete &&
            stage_mark(s, k, STAGE_WAITING, what ? reason : NULL, e)) {
            study_run_close(s);
            return -1;
        }
    }
    *out = s;
    return 0;
}

void study_run_close(struct study_run *s)
{
    if (!s)
        return;
    for (int k = 0; k < s->study->n_stage; k++) {
        plan_release(&s->stage[k].plan);
        free(s->stage[k].state);
    }
    str_release(&s->why);
    free(s);
}

enum study_end study_run_end(const struct study_run *s)
{
    int complete = 1;

    for (int k = 0; k < s->study->n_stage; k++) {
        if (s->stage[k].now == STAGE_OPEN)
            return STUDY_GOES_ON;
        complete &= s->stage[k].now == STAGE_COMPLETE;
    }
    return complete ? STUDY_COMPLETE : STUDY_REFUSED;
}

const char *study_run_why(const struct study_run *s)
{
    return s->why.text;
}

const struct plan *study_run_plan(const enum run_state **state,
                                  const struct study_run *s, int k)
{
    *state = s->stage[k].state;
    return &s->stage[k].plan;
}

void study_run_tally(struct study_tally *t, const struct study_run *s)
{
    memset(t, 0, sizeof *t);
    for (int k = 0; k < s->study->n_stage; k++)
        for (size_t i = 0; i < s->stage[k].plan.n; i++) {
            enum run_state state = s->stage[k].state[i];
            double seconds = s->stage[k].plan.run[i].seconds;

            t->runs++;
            t->seconds += seconds;
            if (!run_state_final(state))
                continue;
            t->final++;
            t->seconds_final += seconds;
            t->failed += state == RUN_FAILED;
            t->diverged += state == RUN_DIVERGED;
        }
}
