/* report_tables: see report_tables.h. */
#include "runner/report_tables.h"

#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"

#include <stdio.h>
#include <string.h>

/* Compute and sizes as in the other tables: four digits. */
#define SHORT(x) "replace(printf('%.4g', " x "), 'e+', 'e') AS " x

/* The tables that are rows of a view; :study stands for the study's id. */
static const struct {
    const char *title, *note;
    const char *head[PAGE_COLS];
    const char *sql;
} tables[REPORT_TABLES] = {
    /* clang-format off */
    [REPORT_EXCLUDED] = {
        "Excluded from every fit", NULL,
        {"run", "stage", "budget", "M", "lr", "batch", "seed", "why", NULL},
        "SELECT run, stage, " SHORT("budget") ", " SHORT("M") ", lr, batch, "
        "seed, why FROM ("
        "SELECT run, stage, budget, M, lr, batch, seed, why, ord FROM points "
        "WHERE study_id = :study AND NOT used UNION ALL "
        "SELECT run, stage, budget, M, lr, batch_tokens, seed, "
        "'has not ended (' || state || ')', ord FROM runs "
        "WHERE study_id = :study AND state IN ('pending', 'running')) "
        "ORDER BY ord"},
    [REPORT_RUNS] = {
        "Every run", "N: all parameters, by the paper's rule.",
        {"run", "stage", "state", "budget", "layers", "width", "M", "N", "D",
         "flops", "lr", "batch", "steps", "seed", "loss", "bpb", NULL},
        "SELECT run, stage, state, " SHORT("budget") ", n_layer, d_model, "
        SHORT("M") ", " SHORT("N2") ", " SHORT("D") ", " SHORT("flops") ", "
        "lr, batch, steps, seed, loss, bpb FROM ("
        "SELECT run, stage, state, budget, n_layer, d_model, M, N2, D, flops, "
        "lr, batch_tokens AS batch, steps, seed, loss, bpb, ord FROM runs "
        "WHERE study_id = :study UNION ALL "
        "SELECT run, stage, 'imported', budget, n_layer, d_model, M, N2, D, "
        "flops, lr, batch, steps, seed, loss, bpb, ord FROM points "
        "WHERE study_id = :study AND stage_id IN (SELECT stage_id FROM stages "
        "WHERE study_id = :study AND kind = 'import')) ORDER BY ord"},
    [REPORT_STAGES] = {
        "Stages", NULL,
        {"stage", "kind", "state", "runs", "reason", NULL},
        "SELECT stage, kind, state, runs, reason FROM stages "
        "WHERE study_id = :study ORDER BY stage_id"},
    [REPORT_COST] = {
        "Compute and time", "flops are M D; wasted: computed and thrown away "
        "by attempts that ended before a checkpoint; shared: not computed, "
        "because a trunk had taken those steps; stopped early: not computed, "
        "because a run was hopeless. A run that serves two stages is counted in "
        "both.",
        {"stage", "runs", "results", "attempts", "failures", "flops",
         "flops trained", "flops wasted", "flops shared",
         "flops stopped early", "training, s", "evaluation, s",
         "checkpoints, s", "slot time, s", NULL},
        "SELECT stage, runs, results, attempts, failures, flops, "
        "flops_trained, flops_wasted, flops_shared, flops_stopped, "
        "train_seconds, eval_seconds, "
        "checkpoint_seconds, slot_seconds FROM cost WHERE study_id = :study "
        "ORDER BY stage_id"},
    [REPORT_TRIES] = {
        "Every attempt", "The first 2000; where: host and slots.",
        {"run", "try", "stage", "where", "started", "seconds", "from step",
         "to step", "state", "reason", NULL},
        "SELECT a.run, a.attempt, (SELECT min(stage) FROM runs r WHERE "
        "r.run = a.run AND r.study_id = :study), a.host || ':' || a.ranks, "
        "a.started, round(a.seconds, 1), a.resumed_step, a.steps, a.state, "
        "a.reason FROM attempts a WHERE a.run IN (SELECT run FROM runs WHERE "
        "study_id = :study) ORDER BY a.started LIMIT 2000"},
    [REPORT_ATTEMPTS] = {
        "Where the runs were trained", NULL,
        {"host", "device", "ranks", "gang", "build", "commit", "attempts",
         "first started", "last ended", "command", NULL},
        "SELECT host, device, ranks, gang, build, commit_id, count(*), "
        "min(started), max(ended), argv FROM attempts WHERE run IN (SELECT run "
        "FROM runs WHERE study_id = :study) GROUP BY host, device, ranks, gang, "
        "build, commit_id, argv ORDER BY min(started)"},
    [REPORT_DATA] = {
        "Data sets", "id: a hash of the training and validation tokens.",
        {"id", "vocabulary", "context", "schedule", "precision", "runs",
         "most epochs", NULL},
        "SELECT data, vocab, seq_len, schedule, dtype, count(*), max(epochs) "
        "FROM runs WHERE study_id = :study GROUP BY data, vocab, seq_len, "
        "schedule, dtype"},
    [REPORT_FITS] = {
        "Fits that were stored", "input: SHA-256 of the points a fit saw.",
        {"fit", "made", "law", "method", "points", "identified", "refused",
         "input", NULL},
        "SELECT fit, at, law, method, n, iif(identified, 'yes', 'no'), "
        "refused, substr(input, 1, 16) FROM fits WHERE study_id = :study "
        "ORDER BY fit"},
    [REPORT_EVENTS] = {
        "Events", "The last 200.",
        {"at", "kind", "run", "what", NULL},
        "SELECT at, kind, nullif(run, 0), text FROM (SELECT * FROM events "
        "WHERE study_id = :study ORDER BY event DESC LIMIT 200) ORDER BY event"},
    /* clang-format on */
};

/* A number of a view for people: five digits; whole numbers as they are. */
static char *shorten(const char *text)
{
    char buf[64];
    double v;

    if (!text)
        return NULL;
    if (!strpbrk(text, ".e") || strpbrk(text, ":T") || str_to_double(text, &v))
        return xstrdup(text);
    snprintf(buf, sizeof buf, "%.5g", v);
    return xstrdup(buf);
}

static int add_row(void *ctx, int n, const char *const *value)
{
    struct report_table *t = ctx;
    size_t at = t->rows * (size_t)t->cols;

    t->cell = xrealloc(t->cell, (at + (size_t)t->cols) * sizeof *t->cell);
    for (int i = 0; i < t->cols; i++)
        t->cell[at + (size_t)i] = i < n ? shorten(value[i]) : NULL;
    t->rows++;
    return 0;
}

static void put_study(struct str *out, const char *sql, int64_t id)
{
    const char *at;

    while ((at = strstr(sql, ":study"))) {
        str_add_n(out, sql, (size_t)(at - sql));
        str_addf(out, "%lld", (long long)id);
        sql = at + strlen(":study");
    }
    str_add(out, sql);
}

int report_tables(struct report_table t[REPORT_TABLES], struct store *db,
                  int64_t study, struct err *e)
{
    struct str sql;
    int rc = 0;

    str_init(&sql);
    for (int i = 0; i < REPORT_TABLES && !rc; i++, t++) {
        t->title = tables[i].title;
        t->note = tables[i].note;
        t->head = tables[i].head;
        while (t->head[t->cols])
            t->cols++;
        str_clear(&sql);
        put_study(&sql, tables[i].sql, study);
        rc = db_each(db, sql.text, add_row, t, e);
    }
    str_release(&sql);
    return rc;
}
