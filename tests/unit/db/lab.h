/* lab: what the tests of db/ share: a directory of their own, a hand-made
 * study, and short ways to ask a database. */
#ifndef LOGLOG_TESTS_DB_LAB_H
#define LOGLOG_TESTS_DB_LAB_H

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/fits.h"
#include "db/metrics.h"
#include "db/points.h"
#include "db/query.h"
#include "db/runs.h"
#include "db/store.h"
#include "db/upkeep.h"
#include "sweep/flops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A call that must succeed; prints the message when it does not. */
#define ok(call)                                                               \
    do {                                                                       \
        if ((call) != 0)                                                       \
            fail_msg("%s: %s", #call, err.text);                               \
    } while (0)
/* A call that must fail with this class and these words. */
#define refused(call, class, words)                                            \
    do {                                                                       \
        assert_int_equal(call, -1);                                            \
        assert_int_equal(err.cls, class);                                      \
        if (!strstr(err.text, words))                                          \
            fail_msg("'%s' does not say '%s'", err.text, words);               \
        assert_null(strchr(err.text, '\n'));                                   \
    } while (0)

/* |got - want| <= tolerance, in double (cmocka's own is in float) */
#define close_to(got, want, tolerance)                                         \
    do {                                                                       \
        double got_ = (got), want_ = (want);                                   \
        if (!(fabs(got_ - want_) <= (tolerance)))                              \
            fail_msg("%s: %.17g, expected %.17g", #got, got_, want_);          \
    } while (0)

struct lab {
    char dir[64];
    char path[96]; /* of the database */
    struct store *db;
    int64_t study;
};

static inline int lab_setup(void **state)
{
    struct lab *l = xcalloc(1, sizeof *l);
    const char *tmp = getenv("TMPDIR");

    snprintf(l->dir, sizeof l->dir, "%.40s/loglog-db-XXXXXX",
             tmp ? tmp : "/tmp");
    if (!mkdtemp(l->dir))
        return -1;
    snprintf(l->path, sizeof l->path, "%s/a.db", l->dir);
    *state = l;
    return 0;
}

static inline int lab_teardown(void **state)
{
    struct lab *l = *state;
    char path[PATH_MAX];
    struct dirent *d;
    DIR *dir;

    store_close(l->db);
    dir = opendir(l->dir);
    while (dir && (d = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%s", l->dir, d->d_name);
        if (d->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(l->dir);
    free(l);
    return 0;
}

/* What db_check finds, of which a line has the words `expected`; printed when
 * nothing is and something was. */
static inline int64_t lab_check(struct store *db, const char *expected)
{
    struct err err = {.text = ""};
    char *text = NULL;
    size_t n;
    int64_t found;
    FILE *f = open_memstream(&text, &n);

    ok(db_check(&found, f, db, 0, &err));
    fclose(f);
    if (expected && !strstr(text, expected))
        fail_msg("'%s' does not say '%s'", text, expected);
    if (!expected && found)
        print_message("%s", text);
    free(text);
    return found;
}

/* A database with one empty study in it, open for writing. */
static inline int lab_study(void **state)
{
    struct err err = {.text = ""};
    struct lab *l;

    if (lab_setup(state))
        return -1;
    l = *state;
    if (store_open(&l->db, l->path, STORE_WRITE, &err) ||
        db_study_put(&l->study, l->db, "lab", "study: lab\n", 0, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

/* A small run of stage `stage`: the k-th of its kind. */
static inline struct planned lab_run(int stage, int64_t d_model, double lr,
                                     int64_t seed)
{
    struct planned p = {.stage = stage, .budget = 1e9};
    struct run_spec *s = &p.spec;

    spec_defaults(s);
    s->model.d_model = d_model;
    s->model.n_layer = 2;
    s->model.n_head = s->model.n_kv_head = 2;
    s->model.d_ff = 3 * d_model;
    s->optim.lr = lr;
    s->seed = seed;
    s->batch_tokens = 1024;
    s->steps = 100;
    p.id = spec_id(s);
    p.flops = run_flops(s);
    p.family = p.id;
    return p;
}

static inline int64_t lab_begin(struct lab *l, int64_t run)
{
    struct db_attempt a = {.run = run, .gang = 1, .host = "node1", .pid = 42};
    struct err err = {.text = ""};
    int64_t attempt = 0;

    ok(db_attempt_begin(&attempt, l->db, &a, &err));
    return attempt;
}

static inline void lab_end(struct lab *l, int64_t run, int64_t attempt,
                           enum run_state state, const char *reason, double bpb)
{
    struct db_outcome o = {.state = state,
                           .reason = reason,
                           .steps = 100,
                           .tokens = 102400,
                           .loss = bpb * log(2),
                           .bpb = bpb,
                           .train_seconds = 2,
                           .eval_seconds = 0.5};
    struct err err = {.text = ""};

    ok(db_attempt_end(l->db, run, attempt, &o, &err));
}

/* Plan, begin and end one run. */
static inline void lab_result(struct lab *l, const struct planned *p,
                              const char *stage, enum run_state state,
                              double bpb)
{
    struct err err = {.text = ""};

    ok(db_plan_put(l->db, l->study, stage, p, 1, &err));
    lab_end(l, p->id, lab_begin(l, p->id), state,
            state == RUN_DONE ? NULL : "a reason", bpb);
}

/* All that a query prints, the caller's to free. */
static inline char *lab_print(struct store *db, const char *sql,
                              enum query_format format)
{
    struct err err = {.text = ""};
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    ok(db_query(f, db, sql, format, &err));
    fclose(f);
    return text;
}

static inline int lab_first(void *ctx, int n, const char *const *value)
{
    char **out = ctx;

    (void)n;
    *out = xstrdup(value[0] ? value[0] : "NULL");
    return 1;
}

/* The first column of the first row as text, "" if no row; to free. */
static inline char *lab_text(struct store *db, const char *sql)
{
    struct err err = {.text = ""};
    char *text = NULL;

    ok(db_each(db, sql, lab_first, &text, &err));
    return text ? text : xstrdup("");
}

/* The same as a number; NULL is NaN. */
static inline double lab_number(struct store *db, const char *sql)
{
    char *text = lab_text(db, sql);
    double v = strcmp(text, "NULL") ? strtod(text, NULL) : NAN;

    free(text);
    return v;
}

#define assert_text(db, sql, expected)                                         \
    do {                                                                       \
        char *got_ = lab_text(db, sql);                                        \
        assert_string_equal(got_, expected);                                   \
        free(got_);                                                            \
    } while (0)
#define assert_number(db, sql, expected)                                       \
    do {                                                                       \
        double got_ = lab_number(db, sql), want_ = (expected);                 \
        if (!(fabs(got_ - want_) <= 1e-12 * fabs(want_)))                      \
            fail_msg("%s: %.17g, expected %.17g", sql, got_, want_);           \
    } while (0)

#endif
