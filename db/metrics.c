/* metrics: see metrics.h.  The only hot path of this folder: one statement,
 * bound by position, numbers scaled to whole ones (see schema.sql). */
#include "db/metrics.h"

#include "base/mem.h"
#include "db/sql.h"

#include <math.h>
#include <string.h>

static const char sql_run_of[] =
    "SELECT num, lr, batch_tokens, iif(state = 'running', attempts, -1) "
    "FROM run WHERE id = :run";
/* By position: run, step, attempt, tokens, loss, lr, norm, micros. */
static const char sql_add_step[] =
    "INSERT OR REPLACE INTO step(run, step, attempt, tokens, loss, lr_e9, "
    "norm_e7, micros) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
static const char sql_add_eval[] =
    "INSERT OR REPLACE INTO evaluation(run, step, valid_set, attempt, tokens, "
    "loss, bpb, seconds, eval_tokens) VALUES(:run, :step, :set, :attempt, "
    ":tokens, :loss, :bpb, :seconds, :eval_tokens)";

/* The run that the last rows were of; rows come in stretches of one run. */
struct owner {
    int64_t run, num, batch;
    double lr;
    int64_t attempt; /* that may write; -1: none */
};

static int find_owner(struct owner *o, struct store *db, int64_t run,
                      struct err *e)
{
    struct sql q;
    int rc;

    if (o->run == run)
        return 0;
    if (sql_open(&q, db, sql_run_of, e))
        return -1;
    sql_int(&q, ":run", run);
    rc = sql_step(&q, e);
    if (rc == 1)
        *o = (struct owner){.run = run,
                            .num = sql_get_int(&q, 0),
                            .lr = sql_get_real(&q, 1),
                            .batch = sql_get_int(&q, 2),
                            .attempt = sql_get_int(&q, 3)};
    sql_close(&q);
    if (rc == 0)
        return err_set(e, ERR_DB, "%s: no run %lld", db->path, (long long)run);
    return rc == 1 ? 0 : -1;
}

static void bind_scaled(sqlite3_stmt *stmt, int place, double v, double scale)
{
    double x = v * scale;

    if (isfinite(x) && fabs(x) < 9e18)
        sqlite3_bind_int64(stmt, place, llround(x));
    else
        sqlite3_bind_null(stmt, place);
}

static int add_step(struct sql *q, const struct owner *o,
                    const struct db_step *s, struct err *e)
{
    sqlite3_bind_int64(q->stmt, 1, o->num);
    sqlite3_bind_int64(q->stmt, 2, s->step);
    sqlite3_bind_int64(q->stmt, 3, s->attempt);
    if (s->tokens == s->step * o->batch)
        sqlite3_bind_null(q->stmt, 4);
    else
        sqlite3_bind_int64(q->stmt, 4, s->tokens);
    if (isfinite(s->loss))
        sqlite3_bind_double(q->stmt, 5, s->loss);
    else
        sqlite3_bind_null(q->stmt, 5);
    if (s->lr == o->lr)
        sqlite3_bind_null(q->stmt, 6);
    else
        bind_scaled(q->stmt, 6, s->lr / o->lr, 1e9);
    bind_scaled(q->stmt, 7, s->grad_norm, 1e7);
    bind_scaled(q->stmt, 8, s->seconds, 1e6);
    if (sql_step(q, e) < 0)
        return -1;
    sqlite3_reset(q->stmt);
    return 0;
}

static int add_steps(struct store *db, const struct db_step *s, size_t n,
                     struct err *e)
{
    struct owner o = {0};
    struct sql q;
    int rc = 0;

    if (sql_open(&q, db, sql_add_step, e))
        return -1;
    for (size_t i = 0; i < n && !rc; i++) {
        rc = find_owner(&o, db, s[i].run, e);
        if (!rc && s[i].attempt == o.attempt)
            rc = add_step(&q, &o, &s[i], e);
    }
    sql_close(&q);
    return rc;
}

int db_steps_add(struct store *db, const struct db_step *s, size_t n,
                 struct err *e)
{
    if (n == 0)
        return 0;
    if (store_begin(db, e))
        return -1;
    return sql_end(db, add_steps(db, s, n, e), e);
}

static int add_evals(struct store *db, const struct db_eval *v, size_t n,
                     struct err *e)
{
    struct owner o = {0};
    struct sql q;

    for (size_t i = 0; i < n; i++) {
        if (find_owner(&o, db, v[i].run, e))
            return -1;
        if (v[i].attempt != o.attempt)
            continue;
        if (sql_open(&q, db, sql_add_eval, e))
            return -1;
        sql_int(&q, ":run", v[i].run);
        sql_int(&q, ":step", v[i].step);
        sql_text(&q, ":set", v[i].set);
        sql_int(&q, ":attempt", v[i].attempt);
        sql_int(&q, ":tokens", v[i].tokens);
        sql_real(&q, ":loss", v[i].loss);
        sql_real(&q, ":bpb", v[i].bpb);
        sql_real(&q, ":seconds", v[i].seconds);
        sql_int(&q, ":eval_tokens", v[i].eval_tokens);
        if (sql_run(&q, e))
            return -1;
    }
    return 0;
}

int db_evals_add(struct store *db, const struct db_eval *v, size_t n,
                 struct err *e)
{
    if (n == 0)
        return 0;
    if (store_begin(db, e))
        return -1;
    return sql_end(db, add_evals(db, v, n, e), e);
}
