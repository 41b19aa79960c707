/* listing: see listing.h. */
#include "db/listing.h"

#include "base/mem.h"
#include "db/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char sql_runs[] =
    "SELECT stage, reason, run, d_model, n_layer, batch_tokens, steps, "
    "steps_done, attempts, seed, ord, state, budget, lr, loss, bpb FROM runs "
    "WHERE study_id = ?1 ORDER BY ord";
static const char sql_count[] =
    "SELECT count(*) FROM step WHERE run = (SELECT num FROM run WHERE id = ?1)";
/* Every ?2-th row; by rows, since a thinned curve lacks steps. */
static const char sql_steps[] =
    "SELECT step, loss FROM (SELECT step, loss, "
    "row_number() OVER (ORDER BY step) AS n FROM step "
    "WHERE run = (SELECT num FROM run WHERE id = ?1)) "
    "WHERE loss IS NOT NULL AND (n % ?2 = 0 OR n <= 32) ORDER BY step";
static const char sql_evals[] =
    "SELECT valid_set, step, loss, bpb FROM evaluation WHERE run = ?1 "
    "AND loss IS NOT NULL ORDER BY step, valid_set";

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}
#define COPY(to, from) copy(to, sizeof(to), from)

static void read_run(struct listed *r, struct sql *q)
{
    COPY(r->stage, sql_get_text(q, 0));
    COPY(r->reason, sql_get_text(q, 1));
    r->run = sql_get_int(q, 2);
    r->d_model = sql_get_int(q, 3);
    r->n_layer = sql_get_int(q, 4);
    r->batch = sql_get_int(q, 5);
    r->steps = sql_get_int(q, 6);
    r->steps_done = sql_get_int(q, 7);
    r->attempts = sql_get_int(q, 8);
    r->seed = sql_get_int(q, 9);
    r->ord = sql_get_int(q, 10);
    r->state = (enum run_state)run_state_parse(sql_get_text(q, 11));
    r->budget = sql_get_real(q, 12);
    r->lr = sql_get_real(q, 13);
    r->loss = sql_get_real(q, 14);
    r->bpb = sql_get_real(q, 15);
}

int db_listing(struct listing *l, struct store *db, int64_t study,
               struct err *e)
{
    struct sql q;
    size_t cap = 0;
    int rc;

    *l = (struct listing){.n = 0};
    if (sql_open(&q, db, sql_runs, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, study);
    while ((rc = sql_step(&q, e)) == 1) {
        l->run = mem_grow(l->run, &cap, l->n + 1, sizeof *l->run);
        read_run(&l->run[l->n++], &q);
    }
    sql_close(&q);
    if (rc)
        listing_release(l);
    return rc;
}

void listing_release(struct listing *l)
{
    free(l->run);
    *l = (struct listing){.n = 0};
}

/* --- a curve --- */

static int read_steps(struct run_curve *c, struct store *db, int64_t run,
                      int64_t every, struct err *e)
{
    struct sql q;
    size_t cap = 0;
    int rc;

    if (sql_open(&q, db, sql_steps, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, run);
    sqlite3_bind_int64(q.stmt, 2, every);
    while ((rc = sql_step(&q, e)) == 1) {
        c->step = mem_grow(c->step, &cap, c->n_step + 1, sizeof *c->step);
        c->step[c->n_step++] =
            (struct curve_point){sql_get_real(&q, 0), sql_get_real(&q, 1)};
    }
    sql_close(&q);
    return rc;
}

static int read_evals(struct run_curve *c, struct store *db, int64_t run,
                      struct err *e)
{
    struct sql q;
    size_t cap = 0;
    int rc;

    if (sql_open(&q, db, sql_evals, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, run);
    while ((rc = sql_step(&q, e)) == 1) {
        struct curve_eval *v;
        c->eval = mem_grow(c->eval, &cap, c->n_eval + 1, sizeof *c->eval);
        v = &c->eval[c->n_eval++];
        COPY(v->set, sql_get_text(&q, 0));
        v->step = sql_get_real(&q, 1);
        v->loss = sql_get_real(&q, 2);
        v->bpb = sql_get_real(&q, 3);
    }
    sql_close(&q);
    return rc;
}

int db_run_curve(struct run_curve *c, struct store *db, int64_t run,
                 int64_t points, struct err *e)
{
    struct sql q;
    int64_t rows = 0;

    *c = (struct run_curve){.n_step = 0};
    if (sql_open(&q, db, sql_count, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, run);
    if (sql_run_id(&rows, &q, e) ||
        read_steps(c, db, run, rows / (points > 0 ? points : 1) + 1, e) ||
        read_evals(c, db, run, e)) {
        run_curve_release(c);
        return -1;
    }
    return 0;
}

void run_curve_release(struct run_curve *c)
{
    free(c->step);
    free(c->eval);
    *c = (struct run_curve){.n_step = 0};
}
