/* runs: what was planned and what became of it.
 *
 * A run is stored once, by its id; study_run says which study, stage and
 * budget it serves, so two stages may share a run.  Each try at a run is an
 * attempt with a number; reports of an attempt that is not the run's current
 * one are refused (returns 1, nothing written). */
#ifndef LOGLOG_DB_RUNS_H
#define LOGLOG_DB_RUNS_H

#include "base/err.h"
#include "db/run_state.h"
#include "db/store.h"
#include "sweep/plan.h"
#include "sweep/retain.h"

#include <stdint.h>

/* The study by name: insert it with its resolved text, or find it.  A study
 * whose resolved text differs from the stored one is refused, naming the first
 * line that differs, unless `replace`: then the text is replaced and its stages
 * and their plans are forgotten, while runs stay, found again by their ids. */
int db_study_put(int64_t *study, struct store *db, const char *name,
                 const char *resolved, int replace, struct err *e);
/* The only study, or the one of this name (name may be NULL). */
int db_study_find(int64_t *study, struct store *db, const char *name,
                  struct err *e);
/* Its resolved text, the caller's to free. */
int db_study_text(char **resolved, struct store *db, int64_t study,
                  struct err *e);

/* Insert the planned runs of a stage; those that are there stay as they are.
 * All run[].stage are the same stage, whose row is made if need be. */
int db_plan_put(struct store *db, int64_t study, const char *stage_name,
                const struct planned *run, size_t n, struct err *e);

/* Mark a stage: 'waiting', 'open' (planned, running), 'complete', 'refused',
 * with a reason in words (may be NULL). */
int db_stage_put(struct store *db, int64_t study, int index, const char *name,
                 const char *kind, const char *state, const char *reason,
                 struct err *e);

/* One stored run of a study's stage, as the scheduler needs it. */
struct db_run {
    int64_t id;
    enum run_state state;
    int attempts;       /* made so far */
    int failures;       /* of them, that ended badly */
    int64_t steps_done; /* as of the last attempt's end */
    struct planned plan;
};
/* All runs of a study (stage < 0) or of one stage, in planned order; the
 * array is the caller's to free. */
int db_runs(struct db_run **runs, size_t *n, struct store *db, int64_t study,
            int stage, struct err *e);

/* Provenance of an attempt; strings may be NULL. */
struct db_attempt {
    int64_t run;
    int gang;
    int64_t resumed_step; /* where it began; 0: from scratch */
    const char *host, *build, *commit, *argv, *device, *ranks;
    int64_t pid;
    double peak_flops; /* a second, of one process; not positive: not known */
};
/* Begin an attempt: run -> running.  *attempt is its number, 1-based. */
int db_attempt_begin(int64_t *attempt, struct store *db,
                     const struct db_attempt *a, struct err *e);

struct db_outcome {
    enum run_state state; /* what the run becomes: RUN_PENDING to try again */
    const char *reason;   /* one line; NULL when done */
    int preempted;        /* with RUN_PENDING: 1 when stopped from outside (a
                             signal, the time limit); 0 when the attempt ended
                             badly and counts in db_run.failures */
    int begun;            /* 1: it is known where it really began ... */
    int64_t resumed;      /* ... with this step; 0: it is as was said then */
    int64_t steps, tokens;
    double loss, bpb, epochs, train_seconds, eval_seconds, checkpoint_seconds;
    double data_seconds; /* of train_seconds: waiting for tokens */
    struct retain keep;  /* of the steps, when the run is over with this */
};
/* End an attempt.  NaN is stored as NULL.  Returns 1 and writes nothing if it
 * is not the run's current attempt. */
int db_attempt_end(struct store *db, int64_t run, int64_t attempt,
                   const struct db_outcome *o, struct err *e);
/* At start: attempts that a dead coordinator left open are closed as
 * preempted and their runs become pending.  *n counts them. */
int db_recover(int *n, struct store *db, int64_t study, struct err *e);

/* Failed and stopped runs of a study become pending again with no failures
 * counted, because somebody asked for it.  *n counts them. */
int db_runs_retry(int *n, struct store *db, int64_t study, struct err *e);
/* The same of one run; returns 1 and writes nothing if it is neither. */
int db_run_retry(struct store *db, int64_t run, struct err *e);
/* A pending or failed run is given up: it becomes stopped, for this reason.
 * Returns 1 and writes nothing if it is neither. */
int db_run_stop(struct store *db, int64_t run, const char *reason,
                struct err *e);
/* A run's state, and the first study that has it. */
int db_run_state(enum run_state *state, int64_t *study, struct store *db,
                 int64_t run, struct err *e);

/* Something worth telling later: kind in {start, stop, fault, retry, note}. */
int db_event(struct store *db, int64_t study, int64_t run, const char *kind,
             const char *text, struct err *e);

#endif
