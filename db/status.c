/* status: see status.h. */
#include "db/status.h"

#include "base/mem.h"
#include "db/lanes.h"
#include "db/lock.h"
#include "db/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql_study[] = "SELECT name, created FROM study WHERE id = ?1";
/* Whether two stages share a run; else the totals are the sums of the stages.
 */
static const char sql_shared[] = "SELECT count(*) > count(DISTINCT run) "
                                 "FROM study_run WHERE study = ?1";
static const char sql_totals[] =
    "SELECT state, count(*), sum(flops), "
    "sum(iif(state = 'running', 0.0, M * min(tokens_done, D))) "
    "FROM run WHERE id IN (SELECT run FROM study_run WHERE study = ?1) "
    "GROUP BY state";
/* A row for each stage and state of its runs.  From column 10 on: slot seconds
 * of ended attempts, what trunks took for their runs (the first attempt of
 * others begins with step 0), what early stops left undone; the exact flops
 * that training has done, and in how many slot seconds. */
static const char sql_stages[] =
    "SELECT g.idx, g.name, g.kind, g.state, g.reason, r.state, count(r.id), "
    "sum(r.flops), "
    "sum(iif(r.state = 'running', 0.0, r.M * min(r.tokens_done, r.D))), "
    "min(iif(r.state = 'done', r.bpb, NULL)), "
    "total(w.seconds), total(iif(r.state IN ('failed', 'stopped'), 0.0, "
    "r.M * r.batch_tokens * w.shared)), "
    "total(iif(r.state = 'stopped' AND r.reason LIKE 'early:%' "
    "AND w.run IS NOT NULL, r.M * (r.D - r.tokens_done), 0.0)), "
    "total(r.flops_exact * w.steps / r.steps), total(w.train) "
    "FROM stage g LEFT JOIN study_run x ON x.study = g.study "
    "AND x.stage = g.idx LEFT JOIN run r ON r.id = x.run "
    "LEFT JOIN (SELECT run, sum(gang * (train_seconds + eval_seconds + "
    "checkpoint_seconds)) AS seconds, min(resumed_step) AS shared, "
    "sum(iif(train_seconds > 0, max(steps - resumed_step, 0), 0)) AS steps, "
    "sum(iif(steps > resumed_step, gang * train_seconds, 0)) AS train "
    "FROM attempt WHERE ended IS NOT NULL GROUP BY run) w ON w.run = r.id "
    "WHERE g.study = ?1 GROUP BY g.idx, r.state ORDER BY g.idx";
static const char sql_best[] =
    "SELECT stage, budget, run, d_model, n_layer, batch, bpb, gap, lr "
    "FROM optima WHERE study_id = ?1 ORDER BY stage_id, budget";
static const char sql_failures[] =
    "SELECT state, coalesce(reason, ''), count(*) AS n FROM run "
    "WHERE state IN ('diverged', 'failed', 'stopped') AND id IN "
    "(SELECT run FROM study_run WHERE study = ?1) "
    "GROUP BY state, reason ORDER BY n DESC, reason LIMIT 8";
static const char sql_events[] =
    "SELECT at, kind, text, run FROM (SELECT * FROM event WHERE study = ?1 "
    "ORDER BY id DESC LIMIT ?2) ORDER BY id";
/* Exact flops of waiting runs, by the first stage that wants them. */
#define WAITING(done, more)                                                    \
    "SELECT stage, total(flops_exact * "                                       \
    "(1.0 - min(steps_done, steps) * 1.0 / steps)) FROM "                      \
    "(SELECT min(x.stage) AS stage, r.flops_exact, r.steps, " done             \
    " AS steps_done FROM study_run x JOIN run r ON r.id = x.run " more         \
    " WHERE x.study = ?1 AND r.state = 'pending' GROUP BY r.id) GROUP BY "     \
    "stage"
static const char sql_waiting[] =
    WAITING("max(r.steps_done, coalesce(b.step, 0))",
            "LEFT JOIN branch b ON b.run = r.id");
/* Of versions before 4. */
static const char sql_waiting_1[] = WAITING("r.steps_done", "");
/* A file of version 2 that nobody writes has no such column: then the name
 * means that of the outer query, NULL. */
static const char sql_slots[] =
    "SELECT (SELECT slots FROM session WHERE id = now.id) FROM "
    "(SELECT max(id) AS id FROM session WHERE closed IS NULL AND ?1) now, "
    "(SELECT NULL AS slots)";

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}
#define COPY(to, from) copy(to, sizeof(to), from)

/* Call `row` for each row of a statement whose ?1 is the study. */
static int each(struct status *s, struct store *db, const char *text,
                int64_t study, int64_t limit,
                void (*row)(struct status *s, struct sql *q), struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, text, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, study);
    if (sqlite3_bind_parameter_count(q.stmt) > 1)
        sqlite3_bind_int64(q.stmt, 2, limit);
    while ((rc = sql_step(&q, e)) == 1)
        row(s, &q);
    sql_close(&q);
    return rc;
}

static double number(struct sql *q, int column)
{
    double v = sql_get_real(q, column);

    return isnan(v) ? 0 : v;
}

static void read_study(struct status *s, struct sql *q)
{
    COPY(s->study, sql_get_text(q, 0));
    COPY(s->created, sql_get_text(q, 1));
}

static void read_totals(struct status *s, struct sql *q)
{
    int state = run_state_parse(sql_get_text(q, 0));

    if (state >= 0)
        s->runs[state] = sql_get_int(q, 1);
    s->flops += number(q, 2);
    s->flops_done += number(q, 3);
}

/* One more element, zeroed. */
static void *grow(void *list, size_t *n, size_t size)
{
    char *p = xrealloc(list, (*n + 1) * size);

    memset(p + *n * size, 0, size);
    (*n)++;
    return p;
}

static void read_stage(struct status *s, struct sql *q)
{
    const char *name = sql_get_text(q, 1), *runs = sql_get_text(q, 5);
    struct status_stage *g;
    double best = sql_get_real(q, 9);
    int state = runs ? run_state_parse(runs) : -1;

    if (!s->n_stage || strcmp(s->stage[s->n_stage - 1].name, name)) {
        s->stage = grow(s->stage, &s->n_stage, sizeof *s->stage);
        g = &s->stage[s->n_stage - 1];
        g->index = sql_get_int(q, 0);
        COPY(g->name, name);
        COPY(g->kind, sql_get_text(q, 2));
        COPY(g->state, sql_get_text(q, 3));
        COPY(g->reason, sql_get_text(q, 4));
        g->best = g->eta = NAN;
    }
    g = &s->stage[s->n_stage - 1];
    if (state >= 0)
        g->runs[state] = sql_get_int(q, 6);
    g->flops += number(q, 7);
    g->flops_done += number(q, 8);
    if (!isnan(best))
        g->best = best;
    g->slot_seconds += number(q, 10);
    g->shared += number(q, 11);
    g->stopped += number(q, 12);
    s->rate_flops += number(q, 13);
    s->rate_seconds += number(q, 14);
}

static void read_shared(struct status *s, struct sql *q)
{
    s->runs_shared = sql_get_int(q, 0) != 0;
}

static void add_stages(struct status *s)
{
    for (size_t i = 0; i < s->n_stage; i++) {
        for (int k = 0; k < RUN_STATES; k++)
            s->runs[k] += s->stage[i].runs[k];
        s->flops += s->stage[i].flops;
        s->flops_done += s->stage[i].flops_done;
    }
}

static int read_runs(struct status *s, struct store *db, int64_t study,
                     struct err *e)
{
    if (each(s, db, sql_stages, study, 0, read_stage, e) ||
        each(s, db, sql_shared, study, 0, read_shared, e) ||
        (s->runs_shared && each(s, db, sql_totals, study, 0, read_totals, e)))
        return -1;
    if (!s->runs_shared)
        add_stages(s);
    for (size_t i = 0; i < s->n_stage; i++) {
        s->slot_seconds += s->stage[i].slot_seconds;
        s->shared += s->stage[i].shared;
        s->stopped += s->stage[i].stopped;
    }
    s->rate = s->rate_seconds > 0 ? s->rate_flops / s->rate_seconds : 0;
    return 0;
}

static void read_best(struct status *s, struct sql *q)
{
    struct status_best *b;

    s->best = grow(s->best, &s->n_best, sizeof *s->best);
    b = &s->best[s->n_best - 1];
    COPY(b->stage, sql_get_text(q, 0));
    b->budget = sql_get_real(q, 1);
    b->run = sql_get_int(q, 2);
    b->d_model = sql_get_int(q, 3);
    b->n_layer = sql_get_int(q, 4);
    b->batch = sql_get_int(q, 5);
    b->bpb = sql_get_real(q, 6);
    b->gap = sql_get_real(q, 7);
    b->lr = sql_get_real(q, 8);
}

static void read_failure(struct status *s, struct sql *q)
{
    struct status_failure *f;

    s->failure = grow(s->failure, &s->n_failure, sizeof *s->failure);
    f = &s->failure[s->n_failure - 1];
    COPY(f->state, sql_get_text(q, 0));
    COPY(f->reason, sql_get_text(q, 1));
    f->n = sql_get_int(q, 2);
}

static void read_event(struct status *s, struct sql *q)
{
    struct status_event *v;

    s->event = grow(s->event, &s->n_event, sizeof *s->event);
    v = &s->event[s->n_event - 1];
    COPY(v->at, sql_get_text(q, 0));
    COPY(v->kind, sql_get_text(q, 1));
    COPY(v->text, sql_get_text(q, 2));
    v->run = sql_get_int(q, 3);
}

static void read_waiting(struct status *s, struct sql *q)
{
    int64_t stage = sql_get_int(q, 0);

    for (size_t i = 0; i < s->n_stage; i++)
        if (s->stage[i].index == stage)
            s->stage[i].left += number(q, 1);
}

static void read_slots(struct status *s, struct sql *q)
{
    s->of_slots = (int)number(q, 0);
}

/* While nothing has ended, what runs tells how fast a slot is. */
static void use_running_rate(struct status *s)
{
    double flops = 0, slots = 0;

    for (size_t i = 0; i < s->n_running; i++)
        if (!isnan(s->running[i].flops_rate)) {
            flops += s->running[i].flops_rate;
            slots += s->running[i].gang;
        }
    if (!(s->rate > 0) && slots > 0)
        s->rate = flops / slots;
}

/* What is left, spread over the slots that are at work, stage after stage; but
 * a run cannot end sooner than its own remainder takes. */
static void estimate(struct status *s)
{
    double left = 0, longest = 0;

    for (size_t i = 0; i < s->n_running; i++)
        longest = fmax(longest,
                       s->running[i].left /
                           (s->running[i].gang > 0 ? s->running[i].gang : 1));
    for (size_t i = 0; i < s->n_stage; i++) {
        struct status_stage *g = &s->stage[i];
        left += g->left;
        g->eta = s->slots && s->rate > 0 && g->left > 0
                     ? left / s->slots / s->rate
                     : NAN;
    }
    s->eta = s->slots && s->rate > 0 ? fmax(left / s->slots, longest) / s->rate
                                     : NAN;
}

static void sum_speed(struct status *s)
{
    double flops = 0, peak = 0;

    for (size_t i = 0; i < s->n_running; i++) {
        const struct status_running *r = &s->running[i];
        if (isnan(r->tokens_rate))
            continue;
        s->tokens_rate += r->tokens_rate;
        if (isnan(r->peak))
            continue;
        flops += r->flops_rate;
        peak += r->peak;
    }
    s->peak_share = peak > 0 ? flops / peak : NAN;
}

int db_status(struct status *s, struct store *db, int64_t study, int n_events,
              struct err *e)
{
    int64_t branches;

    *s = (struct status){.eta = 0};
    lock_owner(s->writer, db->path);
    if (sql_number(&branches, db,
                   "SELECT count(*) FROM sqlite_schema WHERE name = 'branch'",
                   e) ||
        each(s, db, sql_study, study, 0, read_study, e) ||
        read_runs(s, db, study, e) ||
        each(s, db, sql_best, study, 0, read_best, e) ||
        each(s, db, branches ? sql_waiting : sql_waiting_1, study, 0,
             read_waiting, e) ||
        each(s, db, sql_slots, study, 0, read_slots, e) ||
        lanes_read(s, db, study, e) ||
        each(s, db, sql_failures, study, 0, read_failure, e) ||
        each(s, db, sql_events, study, n_events, read_event, e)) {
        status_release(s);
        return -1;
    }
    if (!s->writer[0])
        s->of_slots = 0;
    use_running_rate(s);
    estimate(s);
    sum_speed(s);
    return 0;
}

void status_release(struct status *s)
{
    free(s->stage);
    free(s->best);
    free(s->running);
    free(s->failure);
    free(s->event);
    *s = (struct status){.eta = NAN};
}
