/* lanes: see lanes.h.  Every step row that is read is found by its key. */
#include "db/lanes.h"

#include "base/mem.h"
#include "db/sql.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RECENT 16    /* rows that the speed is taken from */
#define PER_SAMPLE 8 /* steps that a sample of the curve is the mean of */

/* peak_flops: see sql_slots in status.c. */
static const char sql_running[] =
    "SELECT r.id, r.attempts, r.steps, a.gang, a.host, a.started, a.ranks, "
    "a.device, (SELECT peak_flops FROM attempt p "
    " WHERE p.run = a.run AND p.attempt = a.attempt), r.d_model, r.n_layer, "
    "r.batch_tokens, r.lr, "
    "r.flops_exact, r.flops, "
    "(SELECT min(x.stage) FROM study_run x "
    " WHERE x.study = ?1 AND x.run = r.id), "
    "(SELECT min(x.budget) FROM study_run x "
    " WHERE x.study = ?1 AND x.run = r.id), r.num "
    "FROM (SELECT NULL AS peak_flops), run r "
    "JOIN attempt a ON a.run = r.id AND a.attempt = r.attempts "
    "WHERE r.state = 'running' AND r.id IN "
    "(SELECT run FROM study_run WHERE study = ?1) ORDER BY a.started, r.id";
static const char sql_last[] =
    "SELECT step, loss FROM step WHERE run = ?1 ORDER BY step DESC LIMIT 1";
/* Steps between the last rows, and the microseconds that they took; a row may
 * stand for several steps. */
static const char sql_recent[] =
    "SELECT total(step - before), total(micros) FROM (SELECT step, micros, "
    "lag(step) OVER (ORDER BY step) AS before FROM (SELECT step, micros "
    "FROM step WHERE run = ?1 ORDER BY step DESC LIMIT ?2)) "
    "WHERE before IS NOT NULL AND micros IS NOT NULL";
static const char sql_sample[] =
    "SELECT avg(loss) FROM (SELECT loss FROM step "
    "WHERE run = ?1 AND step > ?2 AND step <= ?3 ORDER BY step LIMIT ?4)";

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}
#define COPY(to, from) copy(to, sizeof(to), from)

static const struct status_stage *stage_of(const struct status *s,
                                           int64_t index)
{
    for (size_t i = 0; i < s->n_stage; i++)
        if (s->stage[i].index == index)
            return &s->stage[i];
    return NULL;
}

/* What the attempt's and the run's rows say; *num is the key of its steps. */
static void read_row(struct status_running *r, int64_t *num, double *flops,
                     const struct status *s, struct sql *q)
{
    const struct status_stage *g = stage_of(s, sql_get_int(q, 15));

    r->run = sql_get_int(q, 0);
    r->attempt = sql_get_int(q, 1);
    r->steps = sql_get_int(q, 2);
    r->gang = (int)sql_get_int(q, 3);
    COPY(r->host, sql_get_text(q, 4));
    COPY(r->since, sql_get_text(q, 5));
    COPY(r->ranks, sql_get_text(q, 6));
    COPY(r->device, sql_get_text(q, 7));
    r->peak = sql_get_real(q, 8) * r->gang;
    r->d_model = sql_get_int(q, 9);
    r->n_layer = sql_get_int(q, 10);
    r->batch = sql_get_int(q, 11);
    r->lr = sql_get_real(q, 12);
    r->left = sql_get_real(q, 13); /* all of it, for now */
    *flops = sql_get_real(q, 14);
    COPY(r->stage, g ? g->name : NULL);
    r->budget = sql_get_real(q, 16);
    *num = sql_get_int(q, 17);
}

/* One number or two of a statement with up to four integers bound. */
static int ask(double *a, double *b, struct store *db, const char *text,
               const int64_t *arg, int n, struct err *e)
{
    struct sql q;
    int rc;

    *a = *b = NAN;
    if (sql_open(&q, db, text, e))
        return -1;
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(q.stmt, i + 1, arg[i]);
    rc = sql_step(&q, e);
    if (rc == 1) {
        *a = sql_get_real(&q, 0);
        if (sqlite3_column_count(q.stmt) > 1)
            *b = sql_get_real(&q, 1);
    }
    sql_close(&q);
    return rc < 0 ? -1 : 0;
}

static int read_speed(struct status_running *r, struct store *db, int64_t num,
                      struct err *e)
{
    double steps, micros, whole = r->left; /* exact flops of the whole run */

    r->tokens_rate = r->flops_rate = r->eta = NAN;
    if (ask(&steps, &micros, db, sql_recent, (int64_t[]){num, r->step - RECENT},
            2, e))
        return -1;
    if (steps > 0 && micros > 0) {
        double rate = 1e6 * steps / micros; /* steps a second */
        r->tokens_rate = rate * (double)r->batch;
        r->flops_rate = rate * whole / (double)r->steps;
        r->eta = (double)(r->steps - r->step) / rate;
    }
    return 0;
}

static int read_spark(struct status_running *r, struct store *db, int64_t num,
                      struct err *e)
{
    double unused;

    for (int i = 0; i < STATUS_SPARK; i++) {
        int64_t from = r->steps * i / STATUS_SPARK,
                to = r->steps * (i + 1) / STATUS_SPARK;
        r->spark[i] = NAN;
        if (from < r->step && ask(&r->spark[i], &unused, db, sql_sample,
                                  (int64_t[]){num, from, to, PER_SAMPLE}, 4, e))
            return -1;
    }
    return 0;
}

static int read_steps(struct status_running *r, struct store *db, int64_t num,
                      struct err *e)
{
    double last;

    if (ask(&last, &r->loss, db, sql_last, &num, 1, e))
        return -1;
    r->step = isnan(last) ? 0 : (int64_t)last;
    return read_speed(r, db, num, e) || read_spark(r, db, num, e) ? -1 : 0;
}

/* A running run's row knows only its former attempts, so the totals and the
 * stages left it out. */
static void add_progress(struct status *s, struct status_running *r,
                         double flops)
{
    double done = r->steps ? (double)r->step / (double)r->steps : 0;

    r->left *= 1 - done;
    s->slots += r->gang;
    s->flops_done += flops * done;
    for (size_t i = 0; i < s->n_stage; i++)
        if (!strcmp(s->stage[i].name, r->stage)) {
            s->stage[i].flops_done += flops * done;
            s->stage[i].left += r->left;
        }
}

int lanes_read(struct status *s, struct store *db, int64_t study, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_running, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, study);
    while ((rc = sql_step(&q, e)) == 1) {
        struct status_running *r;
        int64_t num;
        double flops;

        s->running =
            xrealloc(s->running, (s->n_running + 1) * sizeof *s->running);
        r = &s->running[s->n_running++];
        memset(r, 0, sizeof *r);
        read_row(r, &num, &flops, s, &q);
        if (read_steps(r, db, num, e)) {
            rc = -1;
            break;
        }
        add_progress(s, r, flops);
    }
    sql_close(&q);
    return rc;
}
