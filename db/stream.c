/* stream: see stream.h.  A ring of batches between two threads: one fills the
 * place at `filled`, the other takes the one at `taken`. */
#include "db/stream.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

#define RING 4

struct ring {
    struct stream_batch batch[RING];
    int (*take)(void *ctx, const struct stream_batch *b);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t filled, taken; /* batches so far */
    int last, stop;       /* none will follow; none is wanted any more */
};

static void put_bytes(struct stream_batch *b, struct stream_cell *c,
                      const void *bytes, int n)
{
    c->len = n;
    c->is.at = b->bytes.len;
    str_add_n(&b->bytes, n ? bytes : "", (size_t)n);
    str_add_n(&b->bytes, "", 1);
}

static void read_row(struct stream_batch *b, struct sql *q, int n)
{
    struct stream_cell *c = b->cell + b->rows++ * (size_t)n;

    for (int i = 0; i < n; i++, c++) {
        sqlite3_value *v = sqlite3_column_value(q->stmt, i);
        c->type = sqlite3_value_type(v);
        switch (c->type) {
        case SQLITE_INTEGER:
            c->is.whole = sqlite3_value_int64(v);
            break;
        case SQLITE_FLOAT:
            c->is.real = sqlite3_value_double(v);
            break;
        case SQLITE_BLOB:
            put_bytes(b, c, sqlite3_column_blob(q->stmt, i),
                      sqlite3_column_bytes(q->stmt, i));
            break;
        case SQLITE_TEXT:
            put_bytes(b, c, sqlite3_column_text(q->stmt, i),
                      sqlite3_column_bytes(q->stmt, i));
            break;
        }
    }
}

/* 1: full; 0: the rows end here; -1: they fail here. */
static int fill(struct stream_batch *b, struct sql *q, struct err *e)
{
    int n = sqlite3_column_count(q->stmt), rc = 1;

    b->rows = 0;
    str_clear(&b->bytes);
    while (b->rows < STREAM_ROWS && b->bytes.len < STREAM_BYTES &&
           (rc = sql_step(q, e)) == 1)
        read_row(b, q, n);
    return rc;
}

static void *take_all(void *arg)
{
    struct ring *r = arg;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        int stop;
        while (r->taken == r->filled && !r->last)
            pthread_cond_wait(&r->moved, &r->lock);
        if (r->taken == r->filled)
            break;
        pthread_mutex_unlock(&r->lock);
        stop = r->stop || r->take(r->ctx, &r->batch[r->taken % RING]);
        pthread_mutex_lock(&r->lock);
        r->stop = stop;
        r->taken++;
        pthread_cond_signal(&r->moved);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Batch after batch, each taken before the next one is made. */
static int alone(struct ring *r, struct sql *q, struct err *e)
{
    int rc;

    do
        rc = fill(&r->batch[0], q, e);
    while (!r->take(r->ctx, &r->batch[0]) && rc == 1);
    return rc;
}

/* Fill the ring as places become free; batch 0 is filled already. */
static int ahead(struct ring *r, struct sql *q, struct err *e)
{
    int rc = 1, stop = 0;

    while (rc == 1 && !stop) {
        pthread_mutex_lock(&r->lock);
        r->filled++;
        pthread_cond_signal(&r->moved);
        while (r->filled - r->taken == RING)
            pthread_cond_wait(&r->moved, &r->lock);
        stop = r->stop;
        pthread_mutex_unlock(&r->lock);
        if (!stop)
            rc = fill(&r->batch[r->filled % RING], q, e);
    }
    pthread_mutex_lock(&r->lock);
    r->filled += !stop;
    r->last = 1;
    pthread_cond_signal(&r->moved);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int run(struct ring *r, struct sql *q, struct err *e)
{
    pthread_t id;
    int rc = fill(&r->batch[0], q, e);

    if (rc != 1) {
        r->take(r->ctx, &r->batch[0]);
        return rc;
    }
    if (pthread_create(&id, NULL, take_all, r))
        return r->take(r->ctx, &r->batch[0]) ? 1 : alone(r, q, e);
    rc = ahead(r, q, e);
    pthread_join(id, NULL);
    return rc;
}

int stream_rows(struct sql *q,
                int (*take)(void *ctx, const struct stream_batch *b), void *ctx,
                struct err *e)
{
    size_t n = (size_t)sqlite3_column_count(q->stmt);
    struct ring r = {.take = take,
                     .ctx = ctx,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .moved = PTHREAD_COND_INITIALIZER};
    int rc;

    for (int i = 0; i < RING; i++) {
        r.batch[i].cell = xcalloc(STREAM_ROWS * n, sizeof *r.batch[i].cell);
        str_init(&r.batch[i].bytes);
    }
    rc = run(&r, q, e);
    for (int i = 0; i < RING; i++) {
        free(r.batch[i].cell);
        str_release(&r.batch[i].bytes);
    }
    return rc < 0 ? -1 : 0;
}
