/* metrics: see metrics.h.  Steps are the only hot path of this folder: one
 * statement, bound by position, numbers scaled to whole ones. */
#include "db/metrics.h"

#include "base/mem.h"
#include "db/decimal.h"
#include "db/journal.h"
#include "db/sql.h"
#include "db/step_row.h"

#include <math.h>
#include <stdlib.h>
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

static const char sql_add_position[] =
    "INSERT OR REPLACE INTO position(run, step, valid_set, first, last, "
    "attempt, eval_tokens, loss, bpb) VALUES(:run, :step, :set, :first, :last, "
    ":attempt, :eval_tokens, :loss, :bpb)";

/* What rows need to know of their run. */
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

/* --- steps --- */

static int64_t scaled(double v, double scale)
{
    double x = v * scale;

    return isfinite(x) && fabs(x) < 9e18 ? llround(x) : STEP_NULL;
}

static void to_row(struct step_row *r, const struct db_step *s,
                   const struct owner *o)
{
    *r = (struct step_row){
        .step = s->step,
        .tokens = s->tokens == s->step * o->batch ? STEP_NULL : s->tokens,
        .lr_e9 = s->lr == o->lr ? STEP_NULL : scaled(s->lr / o->lr, 1e9),
        .norm_e7 = scaled(s->grad_norm, 1e7),
        .micros = scaled(s->seconds, 1e6),
        .loss = s->loss,
    };
}

static void bind(sqlite3_stmt *stmt, int place, int64_t v)
{
    if (v == STEP_NULL)
        sqlite3_bind_null(stmt, place);
    else
        sqlite3_bind_int64(stmt, place, v);
}

static int put_row(struct sql *q, const struct step_row *r, struct err *e)
{
    bind(q->stmt, 2, r->step);
    bind(q->stmt, 4, r->tokens);
    if (isfinite(r->loss))
        sqlite3_bind_double(q->stmt, 5, r->loss);
    else
        sqlite3_bind_null(q->stmt, 5);
    bind(q->stmt, 6, r->lr_e9);
    bind(q->stmt, 7, r->norm_e7);
    bind(q->stmt, 8, r->micros);
    if (sql_step(q, e) < 0)
        return -1;
    sqlite3_reset(q->stmt);
    return 0;
}

static void add_number(struct str *out, int64_t v)
{
    char buf[DECIMAL_MAX + 1] = ",null";

    if (v == STEP_NULL)
        str_add_n(out, buf, 5);
    else
        str_add_n(out, buf, 1 + decimal_int(buf + 1, v));
}

/* {"op":"steps","run":..,"attempt":..,"rows":[[step,tokens,loss,..],..]} */
static void log_rows(struct store *db, int64_t run, int64_t attempt,
                     const struct step_row *row, size_t n)
{
    struct str *out = journal_raw(db);
    char buf[DECIMAL_MAX];

    if (!out)
        return;
    str_addf(out, "{\"op\":\"steps\",\"run\":%lld,\"attempt\":%lld,\"rows\":[",
             (long long)run, (long long)attempt);
    for (size_t i = 0; i < n; i++) {
        const struct step_row *r = &row[i];
        str_add_n(out, i ? ",[" : "[", i ? 2 : 1);
        str_add_n(out, buf, decimal_int(buf, r->step));
        add_number(out, r->tokens);
        str_add_n(out, ",", 1);
        if (isfinite(r->loss))
            str_add_n(out, buf, decimal_real(buf, r->loss));
        else
            str_add_n(out, "null", 4);
        add_number(out, r->lr_e9);
        add_number(out, r->norm_e7);
        add_number(out, r->micros);
        str_add_n(out, "]", 1);
    }
    str_add(out, "]}");
}

/* Rows of the owner's current attempt. */
static int put_rows(struct store *db, const struct owner *o,
                    const struct step_row *row, size_t n, struct err *e)
{
    struct sql q;
    int rc = 0;

    if (n == 0)
        return 0;
    if (sql_open(&q, db, sql_add_step, e))
        return -1;
    bind(q.stmt, 1, o->num);
    bind(q.stmt, 3, o->attempt);
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_row(&q, &row[i], e);
    sql_close(&q);
    if (!rc)
        log_rows(db, o->run, o->attempt, row, n);
    return rc;
}

int step_rows_put(struct store *db, int64_t run, int64_t attempt,
                  const struct step_row *row, size_t n, struct err *e)
{
    struct owner o = {0};
    int rc;

    if (store_begin(db, e))
        return -1;
    rc = find_owner(&o, db, run, e);
    if (!rc && o.attempt == attempt)
        rc = put_rows(db, &o, row, n, e);
    return sql_end(db, rc, e);
}

/* Rows come in stretches of one run; strangers are left out. */
static int add_steps(struct store *db, const struct db_step *s, size_t n,
                     struct err *e)
{
    struct step_row *row = xmalloc(n * sizeof *row);
    struct owner o = {0};
    size_t i = 0;
    int rc = 0;

    while (i < n && !rc) {
        size_t k = 0;
        rc = find_owner(&o, db, s[i].run, e);
        for (; i < n && !rc && s[i].run == o.run; i++)
            if (s[i].attempt == o.attempt)
                to_row(&row[k++], &s[i], &o);
        if (!rc)
            rc = put_rows(db, &o, row, k, e);
    }
    free(row);
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

/* --- evaluations --- */

static int add_eval(struct store *db, const struct db_eval *v, struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_add_eval, e))
        return -1;
    sql_int(&q, ":run", v->run);
    sql_int(&q, ":step", v->step);
    sql_text(&q, ":set", v->set);
    sql_int(&q, ":attempt", v->attempt);
    sql_int(&q, ":tokens", v->tokens);
    sql_real(&q, ":loss", v->loss);
    sql_real(&q, ":bpb", v->bpb);
    sql_real(&q, ":seconds", v->seconds);
    sql_int(&q, ":eval_tokens", v->eval_tokens);
    if (sql_run(&q, e))
        return -1;
    journal_op(
        db, "eval",
        json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I}", "run",
                  (json_int_t)v->run, "attempt", (json_int_t)v->attempt, "step",
                  (json_int_t)v->step, "tokens", (json_int_t)v->tokens, "set",
                  journal_text(v->set), "loss", journal_real(v->loss), "bpb",
                  journal_real(v->bpb), "seconds", journal_real(v->seconds),
                  "eval_tokens", (json_int_t)v->eval_tokens));
    return 0;
}

static int add_evals(struct store *db, const struct db_eval *v, size_t n,
                     struct err *e)
{
    struct owner o = {0};

    for (size_t i = 0; i < n; i++)
        if (find_owner(&o, db, v[i].run, e) ||
            (v[i].attempt == o.attempt && add_eval(db, &v[i], e)))
            return -1;
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

static int add_position(struct store *db, const struct db_position *p,
                        struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_add_position, e))
        return -1;
    sql_int(&q, ":run", p->run);
    sql_int(&q, ":step", p->step);
    sql_text(&q, ":set", p->set);
    sql_int(&q, ":first", p->first);
    sql_int(&q, ":last", p->last);
    sql_int(&q, ":attempt", p->attempt);
    sql_int(&q, ":eval_tokens", p->eval_tokens);
    sql_real(&q, ":loss", p->loss);
    sql_real(&q, ":bpb", p->bpb);
    if (sql_run(&q, e))
        return -1;
    journal_op(db, "position",
               json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o}", "run",
                         (json_int_t)p->run, "attempt", (json_int_t)p->attempt,
                         "step", (json_int_t)p->step, "set",
                         journal_text(p->set), "first", (json_int_t)p->first,
                         "last", (json_int_t)p->last, "eval_tokens",
                         (json_int_t)p->eval_tokens, "loss",
                         journal_real(p->loss), "bpb", journal_real(p->bpb)));
    return 0;
}

static int add_positions(struct store *db, const struct db_position *p,
                         size_t n, struct err *e)
{
    struct owner o = {0};

    for (size_t i = 0; i < n; i++)
        if (find_owner(&o, db, p[i].run, e) ||
            (p[i].attempt == o.attempt && add_position(db, &p[i], e)))
            return -1;
    return 0;
}

int db_positions_add(struct store *db, const struct db_position *p, size_t n,
                     struct err *e)
{
    if (n == 0)
        return 0;
    if (store_begin(db, e))
        return -1;
    return sql_end(db, add_positions(db, p, n, e), e);
}
