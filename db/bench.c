/* bench: see bench.h. */
#include "db/bench.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "db/export.h"
#include "db/metrics.h"
#include "db/points.h"
#include "db/rebuild.h"
#include "db/runs.h"
#include "db/status.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LANES 8   /* runs that report at the same time */
#define CHUNK 128 /* rows of one run in a batch */
#define ASKED 9   /* times that a question is asked */

static double size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : (double)st.st_size;
}

/* --- a study --- */

struct maker {
    struct store *db;
    int64_t study, steps; /* of each run */
    size_t n;
    struct planned *run;
    double spent; /* seconds in db_steps_add */
};

static int plan(struct maker *m, int64_t runs, struct err *e)
{
    m->n = (size_t)runs;
    m->run = xcalloc(m->n, sizeof *m->run);
    for (size_t i = 0; i < m->n; i++) {
        struct planned *p = &m->run[i];
        struct run_spec *s = &p->spec;
        spec_defaults(s);
        s->model.d_model = 32 * (1 + (int64_t)(i % 8));
        s->model.n_layer = 1 + (int64_t)(i % 4);
        s->model.n_head = s->model.n_kv_head = 2;
        s->model.d_ff = 3 * s->model.d_model;
        s->optim.lr = 1e-3 * (double)(1 + i % 5);
        s->batch_tokens = 1024;
        s->steps = m->steps;
        s->seed = (int64_t)i;
        p->id = spec_id(s);
        p->budget = pow(10, 10 + (double)(i % 12) / 4);
    }
    return db_plan_put(m->db, m->study, "hyper", m->run, m->n, e);
}

static void make_row(struct db_step *s, const struct planned *p, int64_t step)
{
    double u = rng_uniform((uint64_t)p->spec.seed, RNG_TEST, (uint64_t)step);
    double ramp = fmin(1, (double)step / 100);

    *s = (struct db_step){.run = p->id,
                          .attempt = 1,
                          .step = step,
                          .tokens = step * p->spec.batch_tokens,
                          .loss = 2 + 3 * exp(-(double)step / 300) + 0.1 * u,
                          .lr = p->spec.optim.lr * ramp,
                          .grad_norm = 0.5 + u,
                          .seconds = 0.012 + 0.001 * u};
}

/* Up to LANES runs side by side, from beginning to end. */
static int train(struct maker *m, size_t from, size_t lanes, struct err *e)
{
    struct db_step batch[LANES * CHUNK];
    int64_t attempt;

    for (size_t l = 0; l < lanes; l++) {
        struct db_attempt a = {.run = m->run[from + l].id, .gang = 1};
        if (db_attempt_begin(&attempt, m->db, &a, e))
            return -1;
    }
    for (int64_t at = 0; at < m->steps; at += CHUNK) {
        size_t n = 0;
        double t;
        for (size_t l = 0; l < lanes; l++)
            for (int64_t k = at; k < at + CHUNK && k < m->steps; k++)
                make_row(&batch[n++], &m->run[from + l], k + 1);
        t = clock_now();
        if (db_steps_add(m->db, batch, n, e))
            return -1;
        m->spent += clock_now() - t;
    }
    for (size_t l = 0; l < lanes; l++) {
        const struct planned *p = &m->run[from + l];
        double bpb = 2 + 0.1 * rng_uniform((uint64_t)p->id, RNG_TEST, 0);
        struct db_eval v = {.run = p->id,
                            .attempt = 1,
                            .step = m->steps,
                            .tokens = m->steps * 1024,
                            .set = "valid",
                            .loss = bpb * log(2),
                            .bpb = bpb};
        struct db_outcome o = {.state = RUN_DONE,
                               .steps = m->steps,
                               .tokens = m->steps * 1024,
                               .loss = v.loss,
                               .bpb = bpb,
                               .train_seconds = 1};
        if (db_evals_add(m->db, &v, 1, e) ||
            db_attempt_end(m->db, p->id, 1, &o, e))
            return -1;
    }
    return 0;
}

static int make(struct db_bench *b, struct maker *m, const char *path,
                struct err *e)
{
    char *journal = db_journal_path(path);
    double file, log_size;
    int rc = db_study_put(&m->study, m->db, "bench", "study: bench\n", 0, e) ||
             plan(m, b->runs, e);

    file = size_of(path);
    log_size = size_of(journal);
    for (size_t i = 0; i < m->n && !rc; i += LANES)
        rc = train(m, i, m->n - i < LANES ? m->n - i : LANES, e);
    store_close(m->db); /* moves the log into the file */
    m->db = NULL;
    b->insert_rate = (double)b->rows / m->spent;
    b->row_bytes = (size_of(path) - file) / (double)b->rows;
    b->journal_bytes = (size_of(journal) - log_size) / (double)b->rows;
    free(journal);
    return rc ? -1 : 0;
}

/* --- questions --- */

struct question {
    struct store *db;
    int64_t study, run;
    const char *sql;
    FILE *out;
};

static int ask_status(struct question *q, struct err *e)
{
    struct status s;

    if (db_status(&s, q->db, q->study, 5, e))
        return -1;
    status_release(&s);
    return 0;
}

static int ask_points(struct question *q, struct err *e)
{
    struct db_point *p;
    size_t n;

    if (db_points(&p, &n, q->db, q->study, NULL, NULL, e))
        return -1;
    free(p);
    return 0;
}

static int ask_sql(struct question *q, struct err *e)
{
    return db_query(q->out, q->db, q->sql, QUERY_CSV, e);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int median_ms(double *ms, int (*ask)(struct question *q, struct err *e),
                     struct question *q, struct err *e)
{
    double t[ASKED];

    for (int i = 0; i < ASKED; i++) {
        double start = clock_now();
        if (ask(q, e))
            return -1;
        t[i] = 1e3 * (clock_now() - start);
    }
    qsort(t, ASKED, sizeof *t, ascending);
    *ms = t[ASKED / 2];
    return 0;
}

static int by_run(struct db_bench *b, struct question *q, struct err *e)
{
    static const char *const views[] = {"runs",        "points",   "curves",
                                        "evaluations", "attempts", "optima"};
    char sql[96];
    double ms;

    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE run = %lld", views[i],
                 (long long)q->run);
        q->sql = sql;
        if (median_ms(&ms, ask_sql, q, e))
            return -1;
        if (ms > b->by_run_ms) {
            b->by_run_ms = ms;
            b->by_run_view = views[i];
        }
    }
    return 0;
}

static int ask_all(struct db_bench *b, const struct maker *m, const char *path,
                   struct err *e)
{
    struct question q = {.study = m->study, .run = m->run[m->n / 2].id};
    double start;
    int rc;

    q.out = fopen("/dev/null", "w");
    if (!q.out)
        return err_errno(e, "/dev/null");
    if (store_open(&q.db, path, STORE_READ, e)) {
        fclose(q.out);
        return -1;
    }
    rc = median_ms(&b->status_ms, ask_status, &q, e) ||
         median_ms(&b->points_ms, ask_points, &q, e) || by_run(b, &q, e);
    start = clock_now();
    rc = rc || db_export(q.out, q.db, "steps", NULL, QUERY_CSV, e);
    b->export_rate = (double)b->rows / (clock_now() - start);
    store_close(q.db);
    fclose(q.out);
    return rc ? -1 : 0;
}

/* --- */

static void remove_all(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock",
                                       ".journal.jsonl"};
    char name[PATH_MAX + 16];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%.*s%s", PATH_MAX - 1, path, ends[i]);
        unlink(name);
    }
}

int db_bench(struct db_bench *b, const char *path, int64_t runs, int64_t rows,
             struct err *e)
{
    struct maker m = {.db = NULL};
    int rc;

    if (runs < 1 || rows < runs)
        return err_set(e, ERR_USAGE, "at least one run, and a row for each");
    if (file_exists(path))
        return err_set(e, ERR_USAGE, "%s: is there already", path);
    m.steps = rows / runs;
    *b = (struct db_bench){.runs = runs, .rows = m.steps * runs};
    if (store_open(&m.db, path, STORE_WRITE, e))
        return -1;
    rc = make(b, &m, path, e) || ask_all(b, &m, path, e);
    free(m.run);
    remove_all(path);
    return rc ? -1 : 0;
}

void db_bench_print(FILE *out, const struct db_bench *b, int json)
{
    const struct {
        const char *name, *text;
        double v;
        int digits;
    } rows[] = {
        {"insert_rows_per_second", "step rows inserted a second",
         b->insert_rate, 0},
        {"bytes_per_row", "bytes of the file a step row", b->row_bytes, 1},
        {"journal_bytes_per_row", "bytes of the journal a step row",
         b->journal_bytes, 1},
        {"status_ms", "ms for a status page", b->status_ms, 1},
        {"points_ms", "ms for all points", b->points_ms, 1},
        {"by_run_ms", "ms for the slowest view by run", b->by_run_ms, 1},
        {"export_rows_per_second", "step rows exported a second",
         b->export_rate, 0},
    };

    fprintf(out,
            json ? "{\"bench\": \"db\", \"runs\": %lld, \"rows\": %lld"
                 : "%lld runs, %lld step rows\n",
            (long long)b->runs, (long long)b->rows);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (json)
            fprintf(out, ", \"%s\": %.17g", rows[i].name, rows[i].v);
        else
            fprintf(out, "%12.*f  %s\n", rows[i].digits, rows[i].v,
                    rows[i].text);
    if (json)
        fputs("}\n", out);
}
