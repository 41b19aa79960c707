/* listing: the runs of a study as people leaf through them. */
#ifndef LOGLOG_DB_LISTING_H
#define LOGLOG_DB_LISTING_H

#include "base/err.h"
#include "db/run_state.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

struct listed { /* a row of the view runs */
    char stage[32], reason[160];
    int64_t run, d_model, n_layer, batch, steps, steps_done, attempts, seed;
    int64_t ord; /* order of planning */
    enum run_state state;
    double budget, lr, loss, bpb; /* NaN: not known */
};
struct listing {
    struct listed *run;
    size_t n;
};
/* All of them, in order of planning, those of a shared run once a stage. */
int db_listing(struct listing *l, struct store *db, int64_t study,
               struct err *e);
void listing_release(struct listing *l);

#endif
