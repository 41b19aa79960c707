/* curve: see curve.h. */
#include "db/curve.h"

#include "base/mem.h"
#include "db/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql_extent[] =
    "SELECT r.num, r.M, r.batch_tokens, r.lr, "
    "(SELECT min(t.step) FROM step t WHERE t.run = r.num), "
    "(SELECT max(t.step) FROM step t WHERE t.run = r.num) "
    "FROM run r WHERE r.id = :run";
static const char sql_range[] =
    "SELECT step, tokens, loss, lr_e9, norm_e7, micros FROM step "
    "WHERE run = :num AND step >= :from AND step < :to ORDER BY step "
    "LIMIT :most";
static const char sql_evals[] =
    "SELECT valid_set, step, loss, bpb FROM evaluation WHERE run = :run "
    "AND loss IS NOT NULL ORDER BY step, valid_set";

/* What the small units of a step row are of. */
struct unit {
    int64_t num, batch;
    double M, lr;
};

static int read_extent(struct db_curve *c, struct unit *u, struct store *db,
                       int64_t run, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_extent, e))
        return -1;
    sql_int(&q, ":run", run);
    rc = sql_step(&q, e);
    if (rc == 1) {
        u->num = sql_get_int(&q, 0);
        u->M = sql_get_real(&q, 1);
        u->batch = sql_get_int(&q, 2);
        u->lr = sql_get_real(&q, 3);
        c->first = sql_get_int(&q, 4);
        c->last = sql_get_int(&q, 5);
    }
    sql_close(&q);
    return rc < 0 ? -1 : 0;
}

static void add_step(struct db_bucket *b, int *finite, struct sql *q,
                     const struct unit *u)
{
    double tokens = sql_get_real(q, 1), loss = sql_get_real(q, 2);
    double lr = sql_get_real(q, 3), norm = sql_get_real(q, 4) / 1e7;

    b->step = sql_get_int(q, 0);
    b->tokens = isnan(tokens) ? (double)b->step * (double)u->batch : tokens;
    b->flops = u->M * b->tokens;
    b->lr = isnan(lr) ? u->lr : lr / 1e9 * u->lr;
    b->norm = fmax(b->norm, norm); /* fmax leaves NaN out */
    b->seconds += sql_get_real(q, 5) / 1e6;
    if (!isfinite(loss))
        return;
    b->loss += loss;
    b->lo = fmin(b->lo, loss);
    b->hi = fmax(b->hi, loss);
    (*finite)++;
}

/* The steps [from, to) as one more bucket, if there are any. */
static int read_range(struct db_curve *c, struct store *db,
                      const struct unit *u, int64_t from, int64_t to,
                      struct err *e)
{
    struct db_bucket b = {.lo = NAN, .hi = NAN, .norm = NAN};
    int rc, n = 0, finite = 0;
    struct sql q;

    if (sql_open(&q, db, sql_range, e))
        return -1;
    sql_int(&q, ":num", u->num);
    sql_int(&q, ":from", from);
    sql_int(&q, ":to", to);
    sql_int(&q, ":most", CURVE_READ);
    while ((rc = sql_step(&q, e)) == 1) {
        add_step(&b, &finite, &q, u);
        n++;
    }
    sql_close(&q);
    if (rc < 0)
        return -1;
    if (!n)
        return 0;
    b.loss = finite ? b.loss / finite : NAN;
    b.seconds /= n;
    c->thinned |= n == CURVE_READ && to - from > CURVE_READ;
    c->at[c->n++] = b;
    return 0;
}

/* The first step of range i of n. */
static int64_t range_start(int64_t from, int64_t to, int i, int n, int log)
{
    double share = (double)i / n, span = (double)(to - from + 1);

    if (i == n)
        return to + 1;
    if (!log)
        return from + (int64_t)(share * span);
    return from + (int64_t)(exp(share * log1p(span)) - 1);
}

int db_curve(struct db_curve *c, struct store *db, int64_t run, int64_t from,
             int64_t to, int buckets, int log, struct err *e)
{
    struct unit u = {0};

    memset(c, 0, sizeof *c);
    BUG_ON(buckets < 1);
    if (read_extent(c, &u, db, run, e))
        return -1;
    from = from < c->first ? c->first : from;
    to = to <= 0 || to > c->last ? c->last : to;
    if (!c->last || from > to)
        return 0;
    c->at = xcalloc((size_t)buckets, sizeof *c->at);
    for (int i = 0; i < buckets; i++) {
        int64_t a = range_start(from, to, i, buckets, log);
        int64_t b = range_start(from, to, i + 1, buckets, log);
        if (a < b && read_range(c, db, &u, a, b, e)) {
            db_curve_release(c);
            return -1;
        }
    }
    return 0;
}

int db_curve_evals(struct db_curve *c, struct store *db, int64_t run,
                   struct err *e)
{
    struct sql q;
    size_t cap = c->n_eval;
    int rc;

    if (sql_open(&q, db, sql_evals, e))
        return -1;
    sql_int(&q, ":run", run);
    while ((rc = sql_step(&q, e)) == 1) {
        const char *set = sql_get_text(&q, 0);
        struct db_curve_eval *v;
        c->eval = mem_grow(c->eval, &cap, c->n_eval + 1, sizeof *c->eval);
        v = &c->eval[c->n_eval++];
        snprintf(v->set, sizeof v->set, "%s", set ? set : "");
        v->step = sql_get_real(&q, 1);
        v->loss = sql_get_real(&q, 2);
        v->bpb = sql_get_real(&q, 3);
    }
    sql_close(&q);
    return rc;
}

void db_curve_release(struct db_curve *c)
{
    free(c->at);
    free(c->eval);
    memset(c, 0, sizeof *c);
}
