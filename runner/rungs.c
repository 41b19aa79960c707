/* rungs: runs of a grid wait for each other part of the way, and the hopeless
 * ones stop there (analysis/early.h).
 *
 * A run pauses at its rung as it does for a signal, and is held until every run
 * of its budget has a loss there or will never have one.  The decision follows
 * from those losses alone, so it is the same whoever trained what when, and is
 * made again, alike, after an interruption. */
#include "runner/coordinator_impl.h"

#include "analysis/early.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/requests.h"
#include "runner/trunks.h"
#include "sweep/axis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int64_t rungs_of(const struct study *s, const struct planned *p)
{
    const struct stage *st = &s->stage[p->stage];

    return st->early_at > 0 ? early_rung(p->spec.steps, st->early_at) : 0;
}

static int count_row(void *ctx, int n, const char *const *v)
{
    (void)n;
    (void)v;
    ++*(int *)ctx;
    return 0;
}

int64_t rungs_of_run(const struct coordinator *c, const struct tenant *t,
                     const struct planned *p)
{
    int64_t rung = rungs_of(&t->study, p);
    struct str sql;
    int wanted = 0;

    if (!rung)
        return 0;
    str_init(&sql);
    str_addf(&sql,
             "SELECT 1 FROM events WHERE run = %" PRId64
             " AND kind = 'note' AND text LIKE '%%%s'",
             p->id, request_past(REQUEST_RETRY));
    db_each(c->db, sql.text, count_row, &wanted, NULL);
    str_release(&sql);
    return wanted ? 0 : rung;
}

int rungs_reached(const struct job *job)
{
    const struct planned *p = &job->run.plan;
    int64_t step = job->run.steps_done > p->trunk_step ? job->run.steps_done
                                                       : p->trunk_step;

    return job->rung && step >= job->rung;
}

struct mean {
    double sum;
    int64_t n;
};

static int add_loss(void *ctx, int n, const char *const *v)
{
    struct mean *m = ctx;
    double loss;

    (void)n;
    if (v[0] && !str_to_double(v[0], &loss)) {
        m->sum += loss;
        m->n++;
    }
    return 0;
}

/* Mean training loss before the rung; NaN if the run did not get there. */
static int loss_at(double *loss, const struct coordinator *c,
                   const struct planned *p, int64_t rung, struct err *e)
{
    int64_t run = p->trunk && p->trunk_step >= rung ? p->trunk : p->id;
    struct mean m = {0, 0}, past = {0, 0};
    struct str sql;
    int rc;

    str_init(&sql);
    str_addf(&sql,
             "SELECT loss FROM curves WHERE run = %" PRId64
             " AND step BETWEEN %" PRId64 " AND %" PRId64 " ORDER BY step",
             run, early_window(rung), rung);
    rc = db_each(c->db, sql.text, add_loss, &m, e);
    str_clear(&sql);
    str_addf(&sql,
             "SELECT 1 FROM curves WHERE run = %" PRId64 " AND step >= "
             "%" PRId64 " LIMIT 1",
             run, rung);
    rc = rc || db_each(c->db, sql.text, add_loss, &past, e);
    str_release(&sql);
    *loss = past.n && m.n ? m.sum / (double)m.n : NAN;
    return rc ? -1 : 0;
}

/* The grid of one budget: its runs, and what is known of them. */
struct grid {
    const struct planned **run;
    struct early_run *at;
    size_t n;
    int complete, undecided;
};

static void grid_release(struct grid *g)
{
    free(g->run);
    free(g->at);
}

/* Every run of the stage that belongs to the budget.  A run that is over and
 * has no loss there does not count; one that still may get there keeps the
 * others waiting. */
static int grid_read(struct grid *g, struct coordinator *c,
                     const struct tenant *t, int k, double budget,
                     struct err *e)
{
    const enum run_state *state;
    const struct plan *p = study_run_plan(&state, t->run, k);

    *g = (struct grid){.complete = 1};
    g->run = xcalloc(p->n + 1, sizeof(struct planned *));
    g->at = xcalloc(p->n + 1, sizeof *g->at);
    if (ledger_flush(&c->ledger, e))
        return -1;
    for (size_t i = 0; i < p->n && g->complete; i++) {
        const struct planned *r = &p->run[i];
        const struct job *job = jobs_find(&c->jobs, r->id);
        int64_t rung = rungs_of(&t->study, r);
        double loss;

        if (!axis_same(r->budget, budget) || !rung)
            continue;
        if (loss_at(&loss, c, r, rung, e))
            return -1;
        if (isnan(loss) && !run_state_final(state[i]))
            g->complete = 0;
        g->undecided += job && job->now != JOB_FINAL && job->rung;
        g->run[g->n] = r;
        g->at[g->n++] =
            (struct early_run){.lr = r->spec.optim.lr,
                               .batch = (double)r->spec.batch_tokens,
                               .loss = loss};
    }
    return 0;
}

static int stop_run(struct coordinator *c, struct job *job,
                    const struct early_run *at, double share, struct err *e)
{
    char why[128];

    snprintf(why, sizeof why,
             "early: at %.0f %% of its steps %.1f %% behind the best cell",
             100 * share, 100 * at->behind);
    if (db_run_stop(c->db, job->run.id, why, e))
        return -1;
    job->now = JOB_FINAL;
    job->run.state = RUN_STOPPED;
    for (int i = 0; i < c->n_tenant; i++)
        c->tenant[i].ready |=
            study_run_final(c->tenant[i].run, job->run.id, RUN_STOPPED);
    trunks_final(&c->jobs, c->sched, job->run.id);
    trunks_tidy(&c->jobs, job, c->checkpoints);
    return 0;
}

static void go_on(struct coordinator *c, struct job *job)
{
    job->rung = 0;
    if (job->now == JOB_HELD &&
        !trunks_must_wait(&c->jobs, job, c->checkpoints))
        jobs_requeue(job, c->sched, 0);
}

static int carry_out(struct coordinator *c, const struct tenant *t, int k,
                     struct grid *g, struct err *e)
{
    const struct stage *st = &t->study.stage[k];
    size_t stopped = 0;
    char text[160];

    early_judge(g->at, g->n, st->early_margin);
    for (size_t i = 0; i < g->n; i++) {
        struct job *job = jobs_find(&c->jobs, g->run[i]->id);

        if (!job || job->now == JOB_FINAL || !job->rung)
            continue;
        if (!g->at[i].stop) {
            go_on(c, job);
        } else if (job->now == JOB_HELD) {
            if (stop_run(c, job, &g->at[i], st->early_at, e))
                return -1;
            stopped++;
        }
    }
    if (!stopped)
        return 0;
    snprintf(text, sizeof text,
             "stage '%s' at %.3g flops: %zu of %zu runs are hopeless at %.0f "
             "%% of their steps and stop",
             st->name, g->run[0]->budget, stopped, g->n, 100 * st->early_at);
    progress_clear(c);
    log0_info("%s", text);
    return db_event(c->db, t->id, 0, "note", text, e);
}

static void look(struct coordinator *c, const struct tenant *t, int k,
                 double budget)
{
    struct grid g;
    struct err e;
    int rc = grid_read(&g, c, t, k, budget, &e);

    if (!rc && g.complete && g.undecided)
        rc = carry_out(c, t, k, &g, &e);
    grid_release(&g);
    if (rc)
        coordinator_break(c, &e);
}

void rungs_look(struct coordinator *c)
{
    for (int i = 0; i < c->n_tenant && !c->stopping; i++) {
        const struct tenant *t = &c->tenant[i];

        for (int k = 0; k < t->study.n_stage; k++)
            for (int b = 0; t->study.stage[k].early_at > 0 &&
                            b < t->study.stage[k].flops.n;
                 b++)
                look(c, t, k, t->study.stage[k].flops.value[b]);
    }
}

void rungs_hold(struct coordinator *c)
{
    for (size_t i = 0; i < c->jobs.n; i++) {
        struct job *job = c->jobs.job[i];

        if (job->now == JOB_QUEUED && rungs_reached(job))
            jobs_hold(job);
    }
}
