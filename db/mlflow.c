/* mlflow: see mlflow.h.  The files are many and small, so they are written
 * without syncing into a directory of a temporary name, which gets its own name
 * when all are there. */
#include "db/mlflow.h"

#include "base/file.h"
#include "base/mem.h"
#include "db/guard.h"
#include "db/print.h"
#include "db/sql.h"

#include <ctype.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Milliseconds since 1970 of a time as it is stored. */
#define MS(time) "CAST((julianday(" time ") - 2440587.5) * 86400000 AS INTEGER)"

static const char sql_experiments[] =
    "SELECT study_id, study, " MS("created") " FROM studies ORDER BY study_id";
/* The first columns are ours, those from FIRST_PARAM on become parameters. */
#define FIRST_PARAM 7
static const char sql_runs[] =
    "SELECT study_id, run, state, coalesce(reason, ''), "
    "coalesce((SELECT min(" MS(
        "started") ") FROM attempts a "
                   " WHERE a.run = r.run), 0), "
                   "coalesce((SELECT max(" MS(
                       "ended") ") FROM attempts a "
                                " WHERE a.run = r.run), 0), "
                                "group_concat(stage, ' '), "
                                "budget, flops, flops_exact, M, D, N1, N2, "
                                "params, d_model, n_layer, "
                                "n_head, n_kv_head, d_ff, vocab, seq_len, lr, "
                                "batch_tokens, steps, "
                                "schedule, seed, dtype, data, family, epochs "
                                "FROM (SELECT * FROM runs "
                                "WHERE study_id IS NOT NULL AND (\n%s\n) ORDER "
                                "BY ord) r "
                                "GROUP BY study_id, run ORDER BY study_id, "
                                "min(ord)";
static const char sql_steps[] =
    "SELECT step, seconds, loss, lr, grad_norm FROM curves WHERE run = :run "
    "ORDER BY step";
static const char sql_evals[] =
    "SELECT step, valid_set, loss, bpb FROM evaluations WHERE run = :run "
    "ORDER BY step, valid_set";

/* States of a run there: RUNNING, SCHEDULED, FINISHED, FAILED, KILLED. */
static const struct {
    const char *state;
    int status;
} statuses[] = {
    {"running", 1},  {"pending", 2}, {"done", 3},
    {"diverged", 4}, {"failed", 4},  {"stopped", 5},
};

struct tree {
    const char *root;      /* the directory while it is made */
    const char *name;      /* ... and what it will be called, absolute */
    char at[2 * PATH_MAX]; /* of the experiment or run at hand */
};

static int write_file(const struct tree *t, const char *below, const char *name,
                      const struct str *text, struct err *e)
{
    char path[3 * PATH_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s%s%s", t->at, below, *below ? "/" : "",
             name);
    f = fopen(path, "we");
    if (!f)
        return err_errno(e, "%s", path);
    fwrite(text->text, 1, text->len, f);
    if (fclose(f))
        return err_errno(e, "%s", path);
    return 0;
}

static int write_text(const struct tree *t, const char *below, const char *name,
                      const char *value, struct err *e)
{
    struct str s;
    int rc;

    str_init(&s);
    str_add(&s, value);
    rc = write_file(t, below, name, &s, e);
    str_release(&s);
    return rc;
}

static int make_dirs(const struct tree *t, const char *below, struct err *e)
{
    char path[3 * PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", t->at, below);
    return file_mkdirs(path, e);
}

/* A scalar of YAML in single quotes. */
static void add_quoted(struct str *s, const char *key, const char *value)
{
    str_addf(s, "%s: '", key);
    for (; *value; value++)
        str_add_n(s, *value == '\'' ? "''" : value, *value == '\'' ? 2 : 1);
    str_add(s, "'\n");
}

/* --- experiments --- */

static int write_experiment(struct tree *t, struct sql *q, struct err *e)
{
    int64_t id = sql_get_int(q, 0), ms = sql_get_int(q, 2);
    struct str s;
    int rc;

    snprintf(t->at, sizeof t->at, "%s/%lld", t->root, (long long)id);
    str_init(&s);
    str_addf(&s, "artifact_location: file://%s/%lld\n", t->name, (long long)id);
    str_addf(&s,
             "creation_time: %lld\nexperiment_id: '%lld'\n"
             "last_update_time: %lld\nlifecycle_stage: active\n",
             (long long)ms, (long long)id, (long long)ms);
    add_quoted(&s, "name", sql_get_text(q, 1));
    rc = make_dirs(t, "", e) || write_file(t, "", "meta.yaml", &s, e);
    str_release(&s);
    return rc ? -1 : 0;
}

static int write_experiments(struct tree *t, struct store *db, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_experiments, e))
        return -1;
    while ((rc = sql_step(&q, e)) == 1)
        if (write_experiment(t, &q, e)) {
            rc = -1;
            break;
        }
    sql_close(&q);
    return rc;
}

/* --- metrics --- */

/* "TIME VALUE STEP"; what is not finite has no place there. */
static void add_metric(struct str *s, int64_t ms, double value, int64_t step)
{
    if (!isfinite(value))
        return;
    str_addf(s, "%lld ", (long long)ms);
    print_json_real(s, value);
    str_addf(s, " %lld\n", (long long)step);
}

static int write_steps(const struct tree *t, struct store *db, int64_t run,
                       int64_t began, struct err *e)
{
    static const char *const name[] = {"loss", "lr", "grad_norm"};
    struct str s[ARRAY_LEN(name)];
    double spent = 0;
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_steps, e))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        str_init(&s[i]);
    sql_int(&q, ":run", run);
    while ((rc = sql_step(&q, e)) == 1) {
        double seconds = sql_get_real(&q, 1);
        spent += isnan(seconds) ? 0 : seconds;
        for (size_t i = 0; i < ARRAY_LEN(name); i++)
            add_metric(&s[i], began + (int64_t)(1000 * spent),
                       sql_get_real(&q, 2 + (int)i), sql_get_int(&q, 0));
    }
    sql_close(&q);
    for (size_t i = 0; i < ARRAY_LEN(name); i++) {
        if (!rc && s[i].len)
            rc = write_file(t, "metrics", name[i], &s[i], e);
        str_release(&s[i]);
    }
    return rc;
}

/* "valid" "_bpb": a name of letters that may stand there. */
static void set_name(char out[80], const char *set, const char *what)
{
    snprintf(out, 80, "%.64s_%s", set, what);
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-", *c))
            *c = '_';
}

static int append(const struct tree *t, const char *name, const struct str *s,
                  struct err *e)
{
    char path[3 * PATH_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%s/metrics/%s", t->at, name);
    f = fopen(path, "ae");
    if (!f)
        return err_errno(e, "%s", path);
    fwrite(s->text, 1, s->len, f);
    return fclose(f) ? err_errno(e, "%s", path) : 0;
}

static int write_evals(const struct tree *t, struct store *db, int64_t run,
                       int64_t ended, struct err *e)
{
    struct sql q;
    struct str s;
    int rc;

    if (sql_open(&q, db, sql_evals, e))
        return -1;
    str_init(&s);
    sql_int(&q, ":run", run);
    while ((rc = sql_step(&q, e)) == 1) {
        static const char *const what[] = {"loss", "bpb"};
        for (int i = 0; i < 2; i++) {
            char name[80];
            str_clear(&s);
            set_name(name, sql_get_text(&q, 1), what[i]);
            add_metric(&s, ended, sql_get_real(&q, 2 + i), sql_get_int(&q, 0));
            if (s.len && append(t, name, &s, e))
                rc = -1;
        }
        if (rc < 0)
            break;
    }
    sql_close(&q);
    str_release(&s);
    return rc < 0 ? -1 : 0;
}

/* --- runs --- */

static int write_meta(const struct tree *t, struct sql *q, const char *id,
                      struct err *e)
{
    const char *state = sql_get_text(q, 2);
    int64_t ended = sql_get_int(q, 5);
    int status = 1, rc;
    struct str s;

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (!strcmp(state, statuses[i].state))
            status = statuses[i].status;
    str_init(&s);
    str_addf(&s, "artifact_uri: file://%s/%lld/%s/artifacts\n", t->name,
             (long long)sql_get_int(q, 0), id);
    if (ended)
        str_addf(&s, "end_time: %lld\n", (long long)ended);
    else
        str_add(&s, "end_time: null\n");
    str_addf(&s,
             "entry_point_name: ''\nexperiment_id: '%lld'\n"
             "lifecycle_stage: active\nrun_id: '%s'\nrun_name: '%lld'\n"
             "run_uuid: '%s'\nsource_name: ''\nsource_type: 4\n"
             "source_version: ''\nstart_time: %lld\nstatus: %d\ntags: []\n"
             "user_id: ''\n",
             (long long)sql_get_int(q, 0), id, (long long)sql_get_int(q, 1), id,
             (long long)sql_get_int(q, 4), status);
    rc = write_file(t, "", "meta.yaml", &s, e);
    str_release(&s);
    return rc;
}

static int write_params(const struct tree *t, struct sql *q, struct err *e)
{
    struct str value;
    int rc = 0;

    str_init(&value);
    for (int i = FIRST_PARAM; i < sqlite3_column_count(q->stmt) && !rc; i++) {
        const char *text = print_value(&value, q, i, 0);
        if (text)
            rc = write_text(t, "params", sqlite3_column_name(q->stmt, i), text,
                            e);
    }
    str_release(&value);
    return rc;
}

static int write_run(struct tree *t, struct store *db, struct sql *q,
                     struct err *e)
{
    int64_t run = sql_get_int(q, 1);
    char id[24];

    snprintf(id, sizeof id, "%016llx", (unsigned long long)run);
    snprintf(t->at, sizeof t->at, "%s/%lld/%s", t->root,
             (long long)sql_get_int(q, 0), id);
    return make_dirs(t, "params", e) || make_dirs(t, "metrics", e) ||
                   make_dirs(t, "tags", e) || make_dirs(t, "artifacts", e) ||
                   write_meta(t, q, id, e) || write_params(t, q, e) ||
                   write_text(t, "tags", "stage", sql_get_text(q, 6), e) ||
                   write_text(t, "tags", "state", sql_get_text(q, 2), e) ||
                   write_text(t, "tags", "reason", sql_get_text(q, 3), e) ||
                   write_steps(t, db, run, sql_get_int(q, 4), e) ||
                   write_evals(t, db, run, sql_get_int(q, 5), e)
               ? -1
               : 0;
}

static int write_runs(int64_t *n, struct tree *t, struct store *db,
                      const char *where, struct err *e)
{
    struct str text;
    struct sql q;
    int rc;

    str_init(&text);
    str_addf(&text, sql_runs, where ? where : "1");
    rc = sql_prepare(&q, db, text.text, e);
    str_release(&text);
    if (rc) {
        if (e)
            e->cls = ERR_USAGE;
        return -1;
    }
    while ((rc = sql_step(&q, e)) == 1) {
        if (write_run(t, db, &q, e)) {
            rc = -1;
            break;
        }
        ++*n;
    }
    sql_close(&q);
    return rc;
}

/* --- the directory --- */

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int write_all(int64_t *n, struct tree *t, struct store *db,
                     const char *where, struct err *e)
{
    int rc;

    guard_on(db); /* the condition is the user's */
    rc = file_mkdirs(t->root, e) || write_experiments(t, db, e) ||
                 write_runs(n, t, db, where, e)
             ? -1
             : 0;
    guard_off(db);
    return rc;
}

int db_export_mlflow(int64_t *n, const char *dir, struct store *db,
                     const char *where, struct err *e)
{
    char root[PATH_MAX], name[PATH_MAX], here[PATH_MAX];
    struct tree t = {root, name, ""};
    int rc;

    *n = 0;
    if (file_exists(dir))
        return err_set(e, ERR_USAGE, "%s: is there already", dir);
    if (!getcwd(here, sizeof here))
        return err_errno(e, "the current directory");
    if (snprintf(name, sizeof name, "%s%s%s", *dir == '/' ? "" : here,
                 *dir == '/' ? "" : "/", dir) >= (int)sizeof name ||
        snprintf(root, sizeof root, "%s.tmp%ld", dir, (long)getpid()) >=
            (int)sizeof root)
        return err_set(e, ERR_ENV, "%s: path too long", dir);
    rc = write_all(n, &t, db, where, e);
    if (!rc && rename(root, dir))
        rc = err_errno(e, "%s", dir);
    if (rc)
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return rc;
}
