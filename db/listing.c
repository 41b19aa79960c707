/* listing: see listing.h. */
#include "db/listing.h"

#include "base/mem.h"
#include "db/sql.h"

#include <stdio.h>
#include <stdlib.h>

static const char sql_runs[] =
    "SELECT stage, reason, run, d_model, n_layer, batch_tokens, steps, "
    "steps_done, attempts, seed, ord, state, budget, lr, loss, bpb FROM runs "
    "WHERE study_id = ?1 ORDER BY ord";
static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}
#define COPY(to, from) copy(to, sizeof(to), from)

static void read_run(struct listed *r, struct sql *q)
{
    COPY(r->stage, sql_get_text(q, 0));
    COPY(r->reason, sql_get_text(q, 1));
    r->run = sql_get_int(q, 2);
    r->d_model = sql_get_int(q, 3);
    r->n_layer = sql_get_int(q, 4);
    r->batch = sql_get_int(q, 5);
    r->steps = sql_get_int(q, 6);
    r->steps_done = sql_get_int(q, 7);
    r->attempts = sql_get_int(q, 8);
    r->seed = sql_get_int(q, 9);
    r->ord = sql_get_int(q, 10);
    r->state = (enum run_state)run_state_parse(sql_get_text(q, 11));
    r->budget = sql_get_real(q, 12);
    r->lr = sql_get_real(q, 13);
    r->loss = sql_get_real(q, 14);
    r->bpb = sql_get_real(q, 15);
}

int db_listing(struct listing *l, struct store *db, int64_t study,
               struct err *e)
{
    struct sql q;
    size_t cap = 0;
    int rc;

    *l = (struct listing){.n = 0};
    if (sql_open(&q, db, sql_runs, e))
        return -1;
    sqlite3_bind_int64(q.stmt, 1, study);
    while ((rc = sql_step(&q, e)) == 1) {
        l->run = mem_grow(l->run, &cap, l->n + 1, sizeof *l->run);
        read_run(&l->run[l->n++], &q);
    }
    sql_close(&q);
    if (rc)
        listing_release(l);
    return rc;
}

void listing_release(struct listing *l)
{
    free(l->run);
    *l = (struct listing){.n = 0};
}
