/* rebuild: see rebuild.h.
 *
 * Each operation of a line goes through the function that made it, at the time
 * that it was made; numbers that the database gave out then (ids, attempts)
 * must come out the same.  A line is one transaction, as it was. */
#include "db/rebuild.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "db/dump.h"
#include "db/fits.h"
#include "db/journal.h"
#include "db/metrics.h"
#include "db/runs.h"
#include "db/sql.h"
#include "db/step_row.h"
#include "sweep/flops.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- values of an operation; what is missing is 0, NULL or NaN, and the
 *     functions that get it refuse what they cannot take --- */

static int64_t integer(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static double number(const json_t *v)
{
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static double real(const json_t *o, const char *key)
{
    return number(json_object_get(o, key));
}

/* Texts that may not be missing. */
static const char *must(const json_t *o, const char *key)
{
    const char *t = text(o, key);

    return t ? t : "";
}

static int same(int64_t is, const json_t *o, const char *key, struct err *e)
{
    if (is == integer(o, key))
        return 0;
    return err_set(e, ERR_DB, "%s %lld came out as %lld", key,
                   (long long)integer(o, key), (long long)is);
}

/* --- the operations --- */

static int do_study(struct store *db, const json_t *o, struct err *e)
{
    int64_t id;

    return db_study_put(&id, db, must(o, "name"), must(o, "resolved"),
                        (int)integer(o, "replace"), e) ||
                   same(id, o, "id", e)
               ? -1
               : 0;
}

static int do_stage(struct store *db, const json_t *o, struct err *e)
{
    return db_stage_put(db, integer(o, "study"), (int)integer(o, "idx"),
                        must(o, "name"), text(o, "kind"), must(o, "state"),
                        text(o, "reason"), e);
}

static int read_planned(struct planned *p, const json_t *o, int stage,
                        struct err *e)
{
    *p = (struct planned){.id = integer(o, "id"),
                          .stage = stage,
                          .budget = real(o, "budget"),
                          .epochs = real(o, "epochs"),
                          .flags = (unsigned)integer(o, "flags"),
                          .seconds = real(o, "seconds"),
                          .extension = (int)integer(o, "extension"),
                          .family = integer(o, "family"),
                          .trunk = integer(o, "trunk"),
                          .trunk_step = integer(o, "trunk_step")};
    spec_defaults(&p->spec);
    if (spec_parse(&p->spec, must(o, "spec"), e))
        return -1;
    p->flops = run_flops(&p->spec);
    return same(spec_id(&p->spec), o, "id", e);
}

static int do_plan(struct store *db, const json_t *o, struct err *e)
{
    const json_t *runs = json_object_get(o, "runs");
    size_t n = json_array_size(runs);
    struct planned *p = xcalloc(n, sizeof *p);
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++)
        rc = read_planned(&p[i], json_array_get(runs, i),
                          (int)integer(o, "idx"), e);
    if (!rc)
        rc = db_plan_put(db, integer(o, "study"), must(o, "stage"), p, n, e);
    free(p);
    return rc;
}

static int do_begin(struct store *db, const json_t *o, struct err *e)
{
    struct db_attempt a = {.run = integer(o, "run"),
                           .gang = (int)integer(o, "gang"),
                           .resumed_step = integer(o, "resumed_step"),
                           .host = text(o, "host"),
                           .build = text(o, "build"),
                           .commit = text(o, "commit"),
                           .argv = text(o, "argv"),
                           .device = text(o, "device"),
                           .ranks = text(o, "ranks"),
                           .pid = integer(o, "pid"),
                           .peak_flops = real(o, "peak")};
    int64_t attempt;

    return db_attempt_begin(&attempt, db, &a, e) ||
                   same(attempt, o, "attempt", e)
               ? -1
               : 0;
}

static int do_end(struct store *db, const json_t *o, struct err *e)
{
    int state = run_state_parse(must(o, "state")), rc;
    struct db_outcome out = {
        .reason = text(o, "reason"),
        .preempted = (int)integer(o, "preempted"),
        .begun = json_is_integer(json_object_get(o, "resumed")),
        .resumed = integer(o, "resumed"),
        .steps = integer(o, "steps"),
        .tokens = integer(o, "tokens"),
        .loss = real(o, "loss"),
        .bpb = real(o, "bpb"),
        .epochs = real(o, "epochs"),
        .train_seconds = real(o, "train_seconds"),
        .eval_seconds = real(o, "eval_seconds"),
        .checkpoint_seconds = real(o, "checkpoint_seconds"),
        .data_seconds = real(o, "data_seconds"),
        .keep = {integer(o, "every"), integer(o, "per_decade")},
    };

    if (state < 0)
        return err_set(e, ERR_DB, "no state '%s'", must(o, "state"));
    out.state = (enum run_state)state;
    rc = db_attempt_end(db, integer(o, "run"), integer(o, "attempt"), &out, e);
    if (rc == 1)
        return err_set(e, ERR_DB, "attempt %lld of run %lld was not running",
                       (long long)integer(o, "attempt"),
                       (long long)integer(o, "run"));
    return rc;
}

static int64_t or_null(const json_t *v)
{
    return json_is_integer(v) ? json_integer_value(v) : STEP_NULL;
}

static int do_steps(struct store *db, const json_t *o, struct err *e)
{
    const json_t *rows = json_object_get(o, "rows");
    size_t n = json_array_size(rows);
    struct step_row *row = xcalloc(n, sizeof *row);
    int rc;

    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(rows, i);
        row[i] = (struct step_row){
            .step = json_integer_value(json_array_get(r, 0)),
            .tokens = or_null(json_array_get(r, 1)),
            .loss = number(json_array_get(r, 2)),
            .lr_e9 = or_null(json_array_get(r, 3)),
            .norm_e7 = or_null(json_array_get(r, 4)),
            .micros = or_null(json_array_get(r, 5)),
        };
    }
    rc = step_rows_put(db, integer(o, "run"), integer(o, "attempt"), row, n, e);
    free(row);
    return rc;
}

static int do_eval(struct store *db, const json_t *o, struct err *e)
{
    struct db_eval v = {.run = integer(o, "run"),
                        .attempt = integer(o, "attempt"),
                        .step = integer(o, "step"),
                        .tokens = integer(o, "tokens"),
                        .set = must(o, "set"),
                        .loss = real(o, "loss"),
                        .bpb = real(o, "bpb"),
                        .seconds = real(o, "seconds"),
                        .eval_tokens = integer(o, "eval_tokens")};

    return db_evals_add(db, &v, 1, e);
}

static int do_position(struct store *db, const json_t *o, struct err *e)
{
    struct db_position p = {.run = integer(o, "run"),
                            .attempt = integer(o, "attempt"),
                            .step = integer(o, "step"),
                            .set = must(o, "set"),
                            .first = integer(o, "first"),
                            .last = integer(o, "last"),
                            .eval_tokens = integer(o, "eval_tokens"),
                            .loss = real(o, "loss"),
                            .bpb = real(o, "bpb")};

    return db_positions_add(db, &p, 1, e);
}

static int do_event(struct store *db, const json_t *o, struct err *e)
{
    return db_event(db, integer(o, "study"), integer(o, "run"), must(o, "kind"),
                    must(o, "text"), e);
}

static int do_retry(struct store *db, const json_t *o, struct err *e)
{
    int n;

    if (json_object_get(o, "run"))
        return db_run_retry(db, integer(o, "run"), e);
    return db_runs_retry(&n, db, integer(o, "study"), e);
}

static int do_stop(struct store *db, const json_t *o, struct err *e)
{
    return db_run_stop(db, integer(o, "run"), text(o, "reason"), e);
}

static int do_fit(struct store *db, const json_t *o, struct err *e)
{
    struct db_fit f = {.law = must(o, "law"),
                       .method = must(o, "method"),
                       .n = integer(o, "n"),
                       .identified = (int)integer(o, "identified"),
                       .refused = text(o, "refused"),
                       .input = text(o, "input"),
                       .json = must(o, "json")};
    int64_t id;

    return db_fit_put(&id, db, integer(o, "study"), &f, e) ||
                   same(id, o, "id", e)
               ? -1
               : 0;
}

static int do_prediction(struct store *db, const json_t *o, struct err *e)
{
    struct db_prediction p = {.M = real(o, "M"),
                              .N = real(o, "N"),
                              .D = real(o, "D"),
                              .bpb = real(o, "bpb"),
                              .bpb_lo = real(o, "bpb_lo"),
                              .bpb_hi = real(o, "bpb_hi"),
                              .level = real(o, "level"),
                              .decades = real(o, "decades")};
    struct run_spec s;
    int rc;

    spec_defaults(&s);
    if (spec_parse(&s, must(o, "model"), e))
        return -1;
    p.choice = (struct choice){.flops = real(o, "flops"),
                               .model = s.model,
                               .lr = real(o, "lr"),
                               .batch_tokens = integer(o, "batch_tokens")};
    p.json = xstrdup(must(o, "json"));
    rc = db_prediction_put(db, integer(o, "study"), (int)integer(o, "stage"),
                           &p, e) ||
         same(p.id, o, "id", e);
    free(p.json);
    return rc ? -1 : 0;
}

static const struct {
    const char *name;
    int (*replay)(struct store *db, const json_t *op, struct err *e);
} ops[] = {
    {"study", do_study},       {"stage", do_stage},
    {"plan", do_plan},         {"begin", do_begin},
    {"end", do_end},           {"steps", do_steps},
    {"eval", do_eval},         {"event", do_event},
    {"retry", do_retry},       {"stop", do_stop},
    {"fit", do_fit},           {"prediction", do_prediction},
    {"import", imported_load}, {"rows", dump_load},
    {"position", do_position},
};

/* --- lines --- */

static int replay_op(struct store *db, const json_t *op, struct err *e)
{
    const char *name = must(op, "op");

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (!strcmp(name, ops[i].name)) {
            int rc;
            db->now = text(op, "at");
            rc = ops[i].replay(db, op, e);
            db->now = NULL;
            return rc ? err_prefix(e, "%s: ", name) : 0;
        }
    return err_set(e, ERR_DB, "unknown operation '%.40s'", name);
}

static int replay_ops(struct store *db, const json_t *list, struct err *e)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (replay_op(db, json_array_get(list, i), e))
            return -1;
    return 0;
}

/* Line number n (0-based) of the journal, without its newline. */
static int replay_line(struct store *db, const char *line, size_t len,
                       int64_t n, struct err *e)
{
    json_error_t why;
    json_t *o;
    int rc;

    if (journal_sealed(line, len))
        return err_set(e, ERR_DB, "its checksum is wrong");
    o = json_loadb(line, len, 0, &why);
    if (!o)
        return err_set(e, ERR_DB, "%.100s", why.text);
    if (n == 0) {
        rc = integer(o, "loglog_journal") == 1
                 ? 0
                 : err_set(e, ERR_DB, "not a journal of loglog");
    } else if (integer(o, "n") != n) {
        rc = err_set(e, ERR_DB, "line %lld of the journal stands here",
                     (long long)integer(o, "n"));
    } else if (store_begin(db, e)) {
        rc = -1;
    } else {
        rc = sql_end(db, replay_ops(db, json_object_get(o, "ops"), e), e);
    }
    json_decref(o);
    return rc;
}

static int replay_file(struct rebuild *r, struct store *db,
                       const struct file_map *m)
{
    const char *p = (const char *)m->data, *end = p + m->len;
    struct err e = {.text = ""};

    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        int rc = nl ? replay_line(db, p, (size_t)(nl - p), r->lines, &e)
                    : err_set(&e, ERR_DB, "it is incomplete");
        if (rc) {
            r->bad = r->lines + 1;
            r->torn = !nl;
            snprintf(r->why, sizeof r->why, "%.250s", e.text);
            return -1;
        }
        r->lines++;
        p = nl + 1;
    }
    return 0;
}

char *db_journal_path(const char *database)
{
    char path[PATH_MAX + 16];

    journal_path(path, database);
    return xstrdup(path);
}

int db_rebuild(struct rebuild *r, const char *journal, const char *out,
               struct err *e)
{
    struct file_map m;
    struct store *db;
    int rc;

    *r = (struct rebuild){.lines = 0};
    if (file_exists(out))
        return err_set(e, ERR_USAGE, "%s: is there already", out);
    if (file_map(&m, journal, e))
        return -1;
    if (m.len == 0) {
        file_unmap(&m);
        return err_set(e, ERR_DB, "%s: empty", journal);
    }
    if (store_open(&db, out, STORE_WRITE, e)) {
        file_unmap(&m);
        return -1;
    }
    /* The new file's own journal is written in one go at the end. */
    rc =
        journal_switch(db, 0, e) || sql_exec(db, "PRAGMA synchronous = off", e);
    if (!rc)
        replay_file(r, db, &m);
    rc = rc || journal_switch(db, 1, e) ||
         sql_exec(db, "PRAGMA synchronous = full", e);
    store_close(db);
    file_unmap(&m);
    return rc ? -1 : 0;
}
