/* status: how a study stands, in a few milliseconds whatever its size.  Of step
 * rows, only a few hundred of each running run are read. */
#ifndef LOGLOG_DB_STATUS_H
#define LOGLOG_DB_STATUS_H

#include "base/err.h"
#include "db/run_state.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

#define STATUS_TEXT 160
#define STATUS_SPARK 24 /* samples of a running run's loss */

struct status_stage {
    int64_t index; /* place in the study file */
    char name[32], kind[16], state[16], reason[STATUS_TEXT];
    int64_t runs[RUN_STATES]; /* by state */
    double flops, flops_done; /* of all its runs; of what is computed */
    double best;              /* bpb of the best run; NaN: none */
    double left;              /* exact flops still to do */
    double eta;               /* seconds; NaN: not known */
    double slot_seconds;      /* of its ended attempts: processes times time */
    double shared;            /* flops that trunks took for its runs */
    double stopped;           /* flops that early stops spared */
};
struct status_best { /* a row of the view optima */
    char stage[32];
    int64_t run, d_model, n_layer, batch;
    double budget, bpb, gap, lr;
};
struct status_running {
    char stage[32], host[64], since[32], device[32];
    char ranks[256]; /* "0 1 4": one a member, as launched */
    int64_t run, attempt, step, steps, d_model, n_layer, batch;
    int gang;
    double budget, lr;
    double loss;        /* of the last step; NaN: none yet */
    double left;        /* exact flops still to do */
    double tokens_rate; /* tokens a second over the last steps; NaN: none */
    double flops_rate;  /* exact flops a second, of all members; NaN: none */
    double peak;        /* flops a second that its members could do; NaN */
    double eta;         /* seconds of training left; NaN: none */
    /* mean loss in each of STATUS_SPARK equal parts of its steps; NaN: not
     * there yet */
    double spark[STATUS_SPARK];
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
    int runs_shared;          /* two stages share a run */
    double rate_flops, rate_seconds; /* of the attempts that have ended */
    double rate; /* exact flops a second and slot, of ended attempts; of the
                    running ones while none has ended */
    double slot_seconds, shared, stopped; /* of all stages together */
    int slots;                            /* taken by running attempts */
    int of_slots;       /* that the launch has; 0: not known */
    double tokens_rate; /* of all running runs together */
    double peak_share;  /* of the running runs' peak that they reach; NaN */
    double eta;         /* seconds; NaN: nothing runs or nothing was measured */
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
