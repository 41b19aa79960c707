/* merge: one database into another; see upkeep.h.
 *
 * The other one is copied first and the copy opened for writing, so that it is
 * of this version, closed by its coordinator's death if it has to be, and
 * nobody is disturbed.  Then it is all SQL between `main` and `other`, in one
 * transaction; what is to happen to each study and run is decided in temporary
 * tables before anything is copied. */
#include "base/mem.h"
#include "db/dump.h"
#include "db/journal.h"
#include "db/runs.h"
#include "db/sql.h"
#include "db/upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- decisions --- */

static const char sql_decide[] =
    /* studies by name; one of another text becomes NAME-2, NAME-3 ..., once */
    "INSERT INTO main.study(name, resolved, sha256, created) "
    "SELECT name, resolved, sha256, created FROM other.study "
    "WHERE name NOT IN (SELECT name FROM main.study);"
    "CREATE TEMP VIEW known AS SELECT o.id AS src, o.name, m.id AS dst, "
    "m.name AS here FROM other.study o JOIN main.study m "
    "ON m.resolved = o.resolved AND (m.name = o.name OR "
    "substr(m.name, 1, length(o.name) + 1) = o.name || '-');"
    "INSERT INTO main.study(name, resolved, sha256, created) "
    "SELECT o.name || '-' || (WITH RECURSIVE k(n) AS (SELECT 2 UNION ALL "
    "SELECT n + 1 FROM k WHERE o.name || '-' || n IN "
    "(SELECT name FROM main.study)) SELECT max(n) FROM k), "
    "o.resolved, o.sha256, o.created FROM other.study o "
    "WHERE o.id NOT IN (SELECT src FROM known);"
    "CREATE TEMP TABLE map AS SELECT src, name, dst, min(here) AS here "
    "FROM known GROUP BY src;" /* dst is that of the minimum */
    /* runs: is one here, is it finished here, there */
    "CREATE TEMP TABLE fate AS SELECT o.id, o.num AS src, m.num AS dst, "
    "coalesce(m.attempts, 0) AS shift, m.spec IS NOT NULL AND "
    "m.spec <> o.spec AS other_spec, "
    "m.state IN ('done', 'diverged') AS here, "
    "o.state IN ('done', 'diverged') AS there, "
    "o.attempts AS tries, m.state = o.state AND m.loss IS o.loss "
    "AND m.bpb IS o.bpb AS same "
    "FROM other.run o LEFT JOIN main.run m ON m.id = o.id;"
    /* taken: new here, or finished there and not here, or begun there only */
    "CREATE TEMP TABLE take AS SELECT id, src, dst, shift FROM fate "
    "WHERE dst IS NULL OR (NOT other_spec AND NOT here AND "
    "(there OR (shift = 0 AND tries > 0)))";

/* Each yields a row of text for what is left as it is here. */
static const char *const conflicts[] = {
    "SELECT 'run ' || id || ': another spec there' FROM fate "
    "WHERE other_spec",
    "SELECT 'run ' || f.id || ': ' || m.state || coalesce(' at bpb ' || "
    "m.bpb, '') || ' here, ' || o.state || coalesce(' at ' || o.bpb, '') || "
    "' there' FROM fate f JOIN main.run m ON m.id = f.id "
    "JOIN other.run o ON o.id = f.id WHERE f.here AND f.there AND NOT f.same",
    "SELECT 'prediction at ' || o.flops || ' flops of study ' || map.name || "
    "': another one there' FROM other.prediction o "
    "JOIN map ON map.src = o.study JOIN main.prediction m "
    "ON m.study = map.dst AND m.stage = o.stage AND m.flops = o.flops "
    "WHERE m.sha256 <> o.sha256",
};

/* Studies that are here under another name. */
static int report_renamed(FILE *out, struct store *db, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_prepare(&q, db,
                    "SELECT name, here FROM map WHERE here <> name "
                    "ORDER BY src",
                    e))
        return -1;
    while ((rc = sql_step(&q, e)) == 1)
        fprintf(out, "study %s: another study file there; here it is %s\n",
                sql_get_text(&q, 0), sql_get_text(&q, 1));
    sql_close(&q);
    return rc;
}

static int report_conflicts(struct merge *m, FILE *out, struct store *db,
                            struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(conflicts); i++) {
        struct sql q;
        int rc;
        if (sql_prepare(&q, db, conflicts[i], e))
            return -1;
        while ((rc = sql_step(&q, e)) == 1) {
            fprintf(out, "%s\n", sql_get_text(&q, 0));
            m->conflicts++;
        }
        sql_close(&q);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int count(struct merge *m, struct store *db, struct err *e)
{
    return sql_number(&m->studies, db, "SELECT count(*) FROM map", e) ||
                   sql_number(&m->runs, db,
                              "SELECT count(*) FROM take WHERE dst IS NULL",
                              e) ||
                   sql_number(&m->completed, db,
                              "SELECT count(*) FROM take "
                              "WHERE dst IS NOT NULL",
                              e) ||
                   sql_number(&m->same, db,
                              "SELECT count(*) FROM fate WHERE here AND there "
                              "AND same",
                              e)
               ? -1
               : 0;
}

/* --- copying --- */

static const char sql_stages[] =
    "INSERT INTO main.stage SELECT map.dst, o.idx, o.name, o.kind, o.state, "
    "o.reason, o.changed FROM other.stage o JOIN map ON map.src = o.study "
    "WHERE true ON CONFLICT(study, idx) DO UPDATE SET "
    "state = excluded.state, reason = excluded.reason, "
    "changed = excluded.changed WHERE state IN ('waiting', 'open') AND "
    "excluded.state IN ('complete', 'refused')";
/* What a run's row says of how it went. */
static const char sql_complete[] =
    "UPDATE main.run SET state = o.state, reason = o.reason, "
    "attempts = main.run.attempts + o.attempts, "
    "failures = main.run.failures + o.failures, steps_done = o.steps_done, "
    "tokens_done = o.tokens_done, loss = o.loss, bpb = o.bpb, "
    "finished = o.finished FROM other.run o WHERE o.id = main.run.id AND "
    "main.run.id IN (SELECT id FROM take WHERE dst IS NOT NULL)";
/* The rest; attempts are counted on from those that are here. */
static const char sql_details[] =
    "UPDATE take SET dst = (SELECT num FROM main.run WHERE id = take.id);"
    "DELETE FROM main.step WHERE run IN (SELECT dst FROM take);"
    "DELETE FROM main.evaluation WHERE run IN (SELECT id FROM take);"
    "DELETE FROM main.position WHERE run IN (SELECT id FROM take);"
    "INSERT INTO main.step(run, step, attempt, tokens, loss, lr_e9, norm_e7, "
    "micros) SELECT t.dst, s.step, s.attempt + t.shift, s.tokens, s.loss, "
    "s.lr_e9, s.norm_e7, s.micros FROM take t "
    "JOIN other.step s ON s.run = t.src;"
    "INSERT INTO main.evaluation(run, step, valid_set, attempt, tokens, loss, "
    "bpb, seconds, eval_tokens) SELECT v.run, v.step, v.valid_set, "
    "v.attempt + t.shift, v.tokens, v.loss, v.bpb, v.seconds, v.eval_tokens "
    "FROM take t JOIN other.evaluation v ON v.run = t.id;"
    "INSERT INTO main.position(run, step, valid_set, first, last, attempt, "
    "eval_tokens, loss, bpb) SELECT p.run, p.step, p.valid_set, p.first, "
    "p.last, p.attempt + t.shift, p.eval_tokens, p.loss, p.bpb "
    "FROM take t JOIN other.position p ON p.run = t.id;"
    "INSERT INTO main.attempt(run, attempt, state, reason, gang, "
    "resumed_step, steps, tokens, loss, bpb, epochs, train_seconds, "
    "eval_seconds, checkpoint_seconds, started, ended, host, pid, ranks, "
    "device, build, commit_id, argv, peak_flops, data_seconds) "
    "SELECT a.run, a.attempt + "
    "t.shift, "
    "a.state, a.reason, a.gang, a.resumed_step, a.steps, a.tokens, a.loss, "
    "a.bpb, a.epochs, a.train_seconds, a.eval_seconds, a.checkpoint_seconds, "
    "a.started, a.ended, a.host, a.pid, a.ranks, a.device, a.build, "
    "a.commit_id, a.argv, a.peak_flops, a.data_seconds FROM take t JOIN "
    "other.attempt a ON "
    "a.run = t.id;"
    "INSERT INTO main.study_run(study, stage, run, ord, budget, extension, "
    "flags, epochs, seconds) SELECT map.dst, o.stage, o.run, o.ord + 1 + "
    "(SELECT coalesce(max(ord), -1) FROM main.study_run WHERE "
    "study = map.dst), o.budget, o.extension, o.flags, o.epochs, o.seconds "
    "FROM other.study_run o JOIN map ON map.src = o.study "
    "WHERE NOT EXISTS (SELECT 1 FROM main.study_run m "
    "WHERE m.study = map.dst AND m.stage = o.stage AND m.run = o.run) "
    "ORDER BY o.ord;"
    "INSERT INTO main.branch SELECT b.run, b.family, b.trunk, b.step "
    "FROM other.branch b WHERE b.run IN (SELECT id FROM main.run) "
    "ON CONFLICT(run) DO NOTHING;"
    "INSERT INTO main.imported SELECT map.dst, o.stage, o.ord, o.run, "
    "o.source, o.cluster, o.budget, o.M, o.N1, o.N2, o.D, o.flops, "
    "o.flops_exact, o.lr, o.batch, o.d_model, o.n_layer, o.seed, o.steps, "
    "o.loss, o.bpb, o.used, o.why, o.wd, o.unique_tokens "
    "FROM other.imported o "
    "JOIN map ON map.src = o.study WHERE NOT EXISTS "
    "(SELECT 1 FROM main.imported m WHERE m.study = map.dst "
    "AND m.stage = o.stage);"
    "INSERT INTO main.event(at, study, run, kind, text) SELECT o.at, map.dst, "
    "o.run, o.kind, o.text FROM other.event o "
    "LEFT JOIN map ON map.src = o.study "
    "WHERE NOT EXISTS (SELECT 1 "
    "FROM main.event m WHERE m.at = o.at AND m.kind = o.kind AND m.text = "
    "o.text "
    "AND m.run IS o.run) ORDER BY o.id;"
    "INSERT INTO main.fit(study, at, law, method, n, identified, refused, "
    "input, json) SELECT map.dst, o.at, o.law, o.method, o.n, o.identified, "
    "o.refused, o.input, o.json FROM other.fit o "
    "JOIN map ON map.src = o.study WHERE NOT EXISTS "
    "(SELECT 1 FROM main.fit m WHERE m.study = map.dst AND m.at = o.at AND "
    "m.law = o.law AND m.method = o.method AND m.json = o.json) "
    "ORDER BY o.id;"
    "INSERT INTO main.prediction(study, stage, flops, model, d_model, n_layer, "
    "lr, batch_tokens, M, N, D, bpb, bpb_lo, bpb_hi, level, decades, sha256, "
    "made, json) SELECT map.dst, o.stage, o.flops, o.model, o.d_model, "
    "o.n_layer, o.lr, o.batch_tokens, o.M, o.N, o.D, o.bpb, o.bpb_lo, "
    "o.bpb_hi, o.level, o.decades, o.sha256, o.made, o.json "
    "FROM other.prediction o JOIN map ON map.src = o.study "
    "WHERE NOT EXISTS (SELECT 1 FROM main.prediction m "
    "WHERE m.study = map.dst AND m.stage = o.stage AND m.flops = o.flops) "
    "ORDER BY o.id";

/* New runs whole, but for their number. */
static int copy_runs(struct store *db, struct err *e)
{
    struct str text;
    char *cols;
    int rc;

    if (dump_columns(&cols, db, "main", "run", e))
        return -1;
    BUG_ON(strncmp(cols, "num, ", 5));
    str_init(&text);
    str_addf(&text,
             "INSERT INTO main.run(%s) SELECT %s FROM other.run WHERE id IN "
             "(SELECT id FROM take WHERE dst IS NULL) ORDER BY num",
             cols + 5, cols + 5);
    rc = sql_exec(db, text.text, e);
    str_release(&text);
    free(cols);
    return rc;
}

static int merge(struct merge *m, FILE *out, struct store *db, struct err *e)
{
    return sql_exec(db, sql_decide, e) || count(m, db, e) ||
                   report_renamed(out, db, e) ||
                   report_conflicts(m, out, db, e) ||
                   sql_exec(db, sql_stages, e) || copy_runs(db, e) ||
                   sql_exec(db, sql_complete, e) || sql_exec(db, sql_details, e)
               ? -1
               : 0;
}

/* --- the copy --- */

/* Runs that are still open in the copy are closed, as after a crash. */
static int settle(const char *path, struct err *e)
{
    struct store *db;
    int64_t n, id;
    int recovered, rc;

    if (store_open(&db, path, STORE_WRITE, e))
        return -1;
    rc = sql_number(&n, db, "SELECT coalesce(max(id), 0) FROM study", e);
    for (id = 1; id <= n && !rc; id++)
        rc = db_recover(&recovered, db, id, e);
    store_close(db);
    return rc;
}

static int attach(struct store *db, const char *path, struct err *e)
{
    struct sql q;

    if (sql_prepare(&q, db, "ATTACH :path AS other", e))
        return -1;
    sql_text(&q, ":path", path);
    return sql_run(&q, e);
}

static int copy_of(const char *tmp, const char *from, struct err *e)
{
    struct store *src;
    int rc;

    if (store_open(&src, from, STORE_READ, e))
        return -1;
    rc = db_backup(src, tmp, e) || settle(tmp, e) ? -1 : 0;
    store_close(src);
    return rc;
}

int db_merge(struct merge *m, FILE *out, struct store *db, const char *from,
             struct err *e)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock",
                                       ".journal.jsonl"};
    char tmp[PATH_MAX], name[PATH_MAX + 16];
    int rc;

    *m = (struct merge){0};
    snprintf(tmp, sizeof tmp, "%.4000s.merge%ld", db->path, (long)getpid());
    rc = copy_of(tmp, from, e);
    if (!rc && attach(db, tmp, e) == 0) {
        rc = store_begin(db, e) ? -1 : sql_end(db, merge(m, out, db, e), e);
        sql_exec(
            db,
            "DROP TABLE IF EXISTS temp.map; DROP VIEW IF EXISTS temp.known; "
            "DROP TABLE IF EXISTS "
            "temp.fate; DROP TABLE IF EXISTS temp.take; DETACH other",
            NULL);
        if (!rc && db->journal)
            rc = journal_restart(db, e);
    } else {
        rc = -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%s%s", tmp, ends[i]);
        unlink(name);
    }
    return rc;
}
