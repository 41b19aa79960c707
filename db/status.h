/* status: how a study stands, in a few milliseconds whatever its size.  No
 * step rows are read but the last one of each running run. */
#ifndef LOGLOG_DB_STATUS_H
#define LOGLOG_DB_STATUS_H

#include "base/err.h"
#include "db/run_state.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

#define STATUS_TEXT 160

struct status_stage {
    char name[32], kind[16], state[16], reason[STATUS_TEXT];
    int64_t runs[RUN_STATES]; /* by state */
    double flops, flops_done; /* of all its runs; of what is computed */
    double best;              /* bpb of the best run; NaN: none */
};
struct status_best { /* a row of the view optima */
    char stage[32];
    int64_t run, d_model, n_layer, batch;
    double budget, bpb, gap, lr;
};
struct status_running {
    char stage[32], host[64], since[32];
    int64_t run, attempt, step, steps;
    int gang;
    double loss; /* of the last step; NaN: none yet */
    double left; /* exact flops still to do */
};
struct status_failure { /* runs that ended badly, by reason */
    char state[16], reason[STATUS_TEXT];
    int64_t n;
};
struct status_event {
    char at[32], kind[16], text[STATUS_TEXT];
    int64_t run; /* 0: none */
};

struct status {
    char study[64], created[32];
    char writer[512];         /* "host X, pid N, since T"; "": nobody writes */
    int64_t runs[RUN_STATES]; /* each run once */
    double flops, flops_done; /* the same */
    double rate; /* exact flops a second and slot, of ended attempts */
    int slots;   /* taken by running attempts */
    double eta;  /* seconds; NaN: nothing runs or nothing was measured */
    struct status_stage *stage;
    struct status_best *best;
    struct status_running *running;
    struct status_failure *failure; /* most frequent first */
    struct status_event *event;     /* the last ones, oldest first */
    size_t n_stage, n_best, n_running, n_failure, n_event;
};

/* n_events: how many of the last events to read. */
int db_status(struct status *s, struct store *db, int64_t study, int n_events,
              struct err *e);
void status_release(struct status *s);

#endif
