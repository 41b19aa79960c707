/* serve_data: rows of the database as JSON.
 *
 * Ids of runs have 63 bits, which a number of JavaScript cannot hold: here they
 * are text.  Rows are those that `query --json` prints, as one list; the
 * status is that of `status --json`. */
#include "runner/serve.h"

#include "base/mem.h"
#include "db/curve.h"
#include "db/query.h"
#include "db/runs.h"
#include "db/status.h"
#include "runner/status_json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 10000 /* of one answer */
#define MAX_CURVES 64
#define MAX_BUCKETS 2000

/* --- arguments --- */

static const char *text_of(const struct http_request *q, const char *name)
{
    const char *v = q->argument(q, name);

    return v ? v : "";
}

static int number_of(int64_t *v, const struct http_request *q, const char *name,
                     int64_t lo, int64_t hi, int64_t usual, struct err *e)
{
    const char *text = q->argument(q, name);

    *v = usual;
    if (!text || !*text)
        return 0;
    if (str_to_i64(text, v) || *v < lo || *v > hi)
        return err_set(e, ERR_USAGE, "%s=%.40s: %lld to %lld expected", name,
                       text, (long long)lo, (long long)hi);
    return 0;
}

int serve_study_id(int64_t *id, const struct serve *s, struct store *db,
                   const struct http_request *q, struct err *e)
{
    const char *name = q->argument(q, "study");

    return db_study_find(id, db, name && *name ? name : s->study, e);
}

/* --- rows --- */

/* The rows of a query as a JSON list.  Lines of JSON hold no newline but their
 * end. */
static int add_rows(struct str *out, struct store *db, const char *sql,
                    const struct query_param *param, size_t n, struct err *e)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    int rc;

    if (!f)
        return err_errno(e, "memory for an answer");
    rc = db_query_with(f, db, sql, param, n, QUERY_JSON, e);
    if (fclose(f) && !rc)
        rc = err_errno(e, "memory for an answer");
    if (!rc) {
        for (size_t i = 0; i + 1 < len; i++)
            if (text[i] == '\n')
                text[i] = ',';
        str_add(out, "[");
        str_add_n(out, text, len ? len - 1 : 0);
        str_add(out, "]");
    }
    free(text);
    return rc;
}

static void add_saved(struct str *out)
{
    json_t *list = json_array();
    char *text;

    for (const struct query_saved *p = query_saved; p->name; p++) {
        json_t *params = json_object();
        for (size_t i = 0; i < p->n_param; i++)
            json_object_set_new(params, p->param[i].name,
                                json_string(p->param[i].value));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "name", p->name,
                                        "help", p->help, "params", params));
    }
    text = json_dumps(list, JSON_COMPACT);
    str_add(out, text);
    free(text);
    json_decref(list);
}

/* The studies, the one to show first in front. */
int serve_studies(struct serve *s, struct store *db,
                  const struct http_request *q, struct str *out, struct err *e)
{
    struct query_param first = {"first", s->study ? s->study : ""};

    (void)q;
    str_add(out, "{\"studies\":");
    if (add_rows(out, db,
                 "SELECT study, created FROM studies ORDER BY study <> "
                 "CAST(:first AS TEXT), study_id",
                 &first, 1, e))
        return -1;
    str_add(out, ",\"stages\":");
    if (add_rows(out, db,
                 "SELECT study, stage, kind, reason FROM stages ORDER BY "
                 "study_id, stage_id",
                 NULL, 0, e))
        return -1;
    str_add(out, ",\"budgets\":");
    if (add_rows(out, db,
                 "SELECT DISTINCT study, budget FROM runs WHERE budget IS NOT "
                 "NULL ORDER BY study, budget",
                 NULL, 0, e))
        return -1;
    str_add(out, ",\"queries\":");
    add_saved(out);
    str_add(out, "}");
    return 0;
}

int serve_status(struct serve *s, struct store *db,
                 const struct http_request *q, struct str *out, struct err *e)
{
    struct status st;
    int64_t study, n;
    json_t *o;
    char *text;

    if (number_of(&n, q, "events", 0, 1000, 40, e) ||
        serve_study_id(&study, s, db, q, e) ||
        db_status(&st, db, study, (int)n, e))
        return -1;
    o = status_json(&st);
    text = json_dumps(o, JSON_COMPACT);
    str_add(out, text);
    free(text);
    json_decref(o);
    status_release(&st);
    return 0;
}

/* --- runs --- */

#define RUN_COLUMNS                                                            \
    "CAST(run AS TEXT) AS run, stage, state, budget, flops, M, N2 AS N, D, "   \
    "d_model, n_layer, lr, batch_tokens, steps, steps_done, seed, loss, bpb, " \
    "attempts, failures, train_seconds, flags, reason, finished"
#define RUN_FILTER                                                             \
    " FROM runs WHERE study_id = :study AND "                                  \
    "(CAST(:stage AS TEXT) = '' OR stage = CAST(:stage AS TEXT)) AND "         \
    "(:state = '' OR state = :state) AND "                                     \
    "(:budget = '' OR abs(budget / :budget - 1) < 1e-6) AND "                  \
    "(CAST(:text AS TEXT) = '' OR instr(lower(run || ' ' || stage || ' ' || "  \
    "coalesce(reason, '') || ' ' || coalesce(flags, '')), "                    \
    "lower(CAST(:text AS TEXT))))"

/* What rows may be sorted by: nothing of a request becomes SQL. */
static const char *const sortable[] = {
    "ord",      "run",           "stage",      "state",
    "budget",   "flops",         "M",          "D",
    "d_model",  "n_layer",       "lr",         "steps",
    "seed",     "batch_tokens",  "loss",       "bpb",
    "attempts", "train_seconds", "steps_done", "finished",
    "failures",
};

static int sort_column(const char **column, const struct http_request *q,
                       struct err *e)
{
    const char *name = text_of(q, "sort");

    *column = sortable[0];
    for (size_t i = 0; *name && i < ARRAY_LEN(sortable); i++)
        if (!strcmp(name, sortable[i])) {
            *column = sortable[i];
            return 0;
        }
    return *name
               ? err_set(e, ERR_USAGE, "sort=%.40s: not a column of runs", name)
               : 0;
}

int serve_runs(struct serve *s, struct store *db, const struct http_request *q,
               struct str *out, struct err *e)
{
    int64_t study, limit, offset;
    char id[24], most[24], from[24];
    const char *column;
    struct query_param p[] = {{"study", id},
                              {"stage", text_of(q, "stage")},
                              {"state", text_of(q, "state")},
                              {"budget", text_of(q, "budget")},
                              {"text", text_of(q, "text")},
                              {"limit", most},
                              {"offset", from}};
    struct str sql;
    int rc;

    if (serve_study_id(&study, s, db, q, e) ||
        number_of(&limit, q, "limit", 1, MAX_ROWS, 200, e) ||
        number_of(&offset, q, "offset", 0, INT64_MAX, 0, e) ||
        sort_column(&column, q, e))
        return -1;
    snprintf(id, sizeof id, "%lld", (long long)study);
    snprintf(most, sizeof most, "%lld", (long long)limit);
    snprintf(from, sizeof from, "%lld", (long long)offset);
    str_init(&sql);
    str_add(out, "{\"total\":");
    str_add(&sql, "SELECT count(*) AS n" RUN_FILTER);
    rc = add_rows(out, db, sql.text, p, 5, e);
    str_clear(&sql);
    str_addf(&sql,
             "SELECT " RUN_COLUMNS RUN_FILTER
             " ORDER BY %s IS NULL, %s %s, ord LIMIT :limit OFFSET :offset",
             column, column, q->argument(q, "down") ? "DESC" : "");
    str_add(out, ",\"rows\":");
    if (!rc)
        rc = add_rows(out, db, sql.text, p, ARRAY_LEN(p), e);
    str_add(out, "}");
    str_release(&sql);
    return rc;
}

int serve_run(struct serve *s, struct store *db, const struct http_request *q,
              struct str *out, struct err *e)
{
    static const struct {
        const char *name, *sql;
    } part[] = {
        {"run", "SELECT " RUN_COLUMNS ", N1, params, flops_exact, n_head, "
                "n_kv_head, d_ff, vocab, seq_len, schedule, dtype, epochs, "
                "predicted_seconds, added, family FROM runs WHERE run = :run"},
        {"attempts", "SELECT attempt, state, reason, gang, host, ranks, "
                     "device, resumed_step, steps, loss, bpb, started, ended, "
                     "train_seconds, eval_seconds, build, commit_id FROM "
                     "attempts WHERE run = :run ORDER BY attempt"},
        {"evaluations", "SELECT step, tokens, flops, valid_set, loss, bpb FROM "
                        "evaluations WHERE run = :run ORDER BY step"},
        {"events", "SELECT at, kind, text FROM events WHERE run = :run ORDER "
                   "BY event"},
    };
    struct query_param p = {"run", text_of(q, "run")};

    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        str_addf(out, "%s\"%s\":", i ? "," : "{", part[i].name);
        if (add_rows(out, db, part[i].sql, &p, 1, e))
            return -1;
    }
    str_add(out, "}");
    return 0;
}

int serve_lanes(struct serve *s, struct store *db, const struct http_request *q,
                struct str *out, struct err *e)
{
    char id[24], most[24];
    struct query_param p[] = {{"study", id}, {"most", most}};
    int64_t study, n;

    if (serve_study_id(&study, s, db, q, e) ||
        number_of(&n, q, "n", 1, MAX_ROWS, 4000, e))
        return -1;
    snprintf(id, sizeof id, "%lld", (long long)study);
    snprintf(most, sizeof most, "%lld", (long long)n);
    return add_rows(
        out, db,
        "SELECT CAST(a.run AS TEXT) AS run, a.attempt, a.state, a.reason, "
        "a.gang, a.host, a.ranks, a.started, a.ended, a.resumed_step, a.steps, "
        "r.steps AS all_steps, r.batch_tokens, r.budget, r.stage FROM attempts "
        "a JOIN (SELECT run, min(stage) AS stage, min(budget) AS budget, "
        "min(steps) AS steps, min(batch_tokens) AS batch_tokens FROM runs "
        "WHERE study_id = :study GROUP BY run) r USING (run) ORDER BY "
        "a.started DESC LIMIT :most",
        p, ARRAY_LEN(p), e);
}

/* --- curves --- */

static void add_numbers(struct str *out, const char *name,
                        const struct db_curve *c, size_t field)
{
    char buf[STR_DOUBLE];

    str_addf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < c->n; i++) {
        double v;
        memcpy(&v, (const char *)&c->at[i] + field, sizeof v);
        str_addf(out, "%s%s", i ? "," : "",
                 isfinite(v) ? str_double(buf, v) : "null");
    }
    str_add(out, "]");
}

static void add_curve(struct str *out, int64_t run, const struct db_curve *c)
{
    static const struct {
        const char *name;
        size_t at;
    } field[] = {
        {"tokens", offsetof(struct db_bucket, tokens)},
        {"flops", offsetof(struct db_bucket, flops)},
        {"loss", offsetof(struct db_bucket, loss)},
        {"lo", offsetof(struct db_bucket, lo)},
        {"hi", offsetof(struct db_bucket, hi)},
        {"lr", offsetof(struct db_bucket, lr)},
        {"norm", offsetof(struct db_bucket, norm)},
        {"seconds", offsetof(struct db_bucket, seconds)},
    };

    str_addf(out,
             "{\"run\":\"%lld\",\"first\":%lld,\"last\":%lld,\"thinned\":%s,"
             "\"step\":[",
             (long long)run, (long long)c->first, (long long)c->last,
             c->thinned ? "true" : "false");
    for (size_t i = 0; i < c->n; i++)
        str_addf(out, "%s%lld", i ? "," : "", (long long)c->at[i].step);
    str_add(out, "]");
    for (size_t i = 0; i < ARRAY_LEN(field); i++)
        add_numbers(out, field[i].name, c, field[i].at);
    str_add(out, "}");
}

/* run=1,2,3: the curve of each. */
int serve_curves(struct serve *s, struct store *db,
                 const struct http_request *q, struct str *out, struct err *e)
{
    const char *at = text_of(q, "run");
    int64_t from, to, buckets, log;

    (void)s;
    if (number_of(&from, q, "from", 0, INT64_MAX, 0, e) ||
        number_of(&to, q, "to", 0, INT64_MAX, 0, e) ||
        number_of(&buckets, q, "n", 1, MAX_BUCKETS, 400, e) ||
        number_of(&log, q, "log", 0, 1, 0, e))
        return -1;
    str_add(out, "[");
    for (int k = 0; *at; k++) {
        struct db_curve c;
        char id[24];
        int64_t run;
        size_t n = strcspn(at, ",");
        snprintf(id, sizeof id, "%.*s", (int)(n < sizeof id ? n : 0), at);
        if (k == MAX_CURVES || str_to_i64(id, &run))
            return err_set(e, ERR_USAGE,
                           "run: at most %d ids, with commas between",
                           MAX_CURVES);
        if (db_curve(&c, db, run, from, to, (int)buckets, (int)log, e))
            return -1;
        str_add(out, k ? "," : "");
        add_curve(out, run, &c);
        db_curve_release(&c);
        at += n + (at[n] == ',');
    }
    str_add(out, "]");
    return 0;
}

/* --- queries --- */

static int saved_query(struct str *out, struct store *db,
                       const struct http_request *q,
                       const struct query_saved *saved, struct err *e)
{
    struct query_param p[8];

    BUG_ON(saved->n_param > ARRAY_LEN(p));
    for (size_t i = 0; i < saved->n_param; i++) {
        const char *given = q->argument(q, saved->param[i].name);
        p[i] = saved->param[i];
        if (given && *given)
            p[i].value = given;
        if (!p[i].value[0])
            return err_set(e, ERR_USAGE, "@%s: %s=... expected", saved->name,
                           p[i].name);
    }
    return add_rows(out, db, saved->sql, p, saved->n_param, e);
}

int serve_query(struct serve *s, struct store *db, const struct http_request *q,
                struct str *out, struct err *e)
{
    const char *sql = text_of(q, "q");
    const struct query_saved *saved;
    struct str text;
    size_t n = strlen(sql);
    int rc;

    (void)s;
    if (sql[0] == '@') {
        saved = query_find(sql + 1);
        if (!saved)
            return err_set(e, ERR_USAGE, "no saved query %.40s", sql);
        return saved_query(out, db, q, saved, e);
    }
    while (n && strchr(" \n\t\r;", sql[n - 1]))
        n--;
    str_init(&text); /* the guard of db/query.h sees to it that it only reads */
    str_addf(&text, "SELECT * FROM (%.*s\n) LIMIT %d", (int)n, sql, MAX_ROWS);
    rc = add_rows(out, db, text.text, NULL, 0, e);
    str_release(&text);
    return rc;
}
