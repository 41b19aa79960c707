/* train: one run, from its spec to a loss curve.
 *
 * train() is called by each member of the run's gang, in its own process.  It
 * reports to an observer and has not heard of SQLite, MPI or the scheduler.
 * The result depends on the spec and the data alone: the same bits for any
 * gang, and for any interruption and resumption (CPU). */
#ifndef LOGLOG_TRAINER_TRAIN_H
#define LOGLOG_TRAINER_TRAIN_H

#include "base/err.h"
#include "sweep/spec.h"

#include <signal.h>
#include <stdint.h>

#define TRAIN_SETS 4

/* Where a run happens: nothing in here may change its result. */
struct train_env {
    const char *train_path; /* packed shards */
    int n_valid;
    const char *valid_path[TRAIN_SETS];
    const char *checkpoint_dir; /* NULL: no checkpoints */
    double checkpoint_seconds;  /* between checkpoints; 0: only on stop */
    int keep_checkpoint;        /* 1: leave the last one when done */
    int member, gang;           /* this process of how many */
    const char *rendezvous;     /* name of the gang's shared memory;
                                   NULL if gang == 1 */
    int64_t run_id;             /* for messages and faults */
    int64_t attempt;
    const volatile sig_atomic_t *stop; /* nonzero: checkpoint and return;
                                          NULL: never */
};

/* One optimiser step. */
struct step_report {
    int64_t step;   /* 1-based: steps finished */
    int64_t tokens; /* seen so far */
    double loss;    /* nats a token, mean over the batch */
    double lr;
    double grad_norm; /* before clipping */
    double seconds;   /* wall time of this step */
};

/* One evaluation of one validation set. */
struct eval_report {
    int64_t step, tokens;
    int set;     /* index into valid_path */
    double loss; /* nats a token */
    double bpb;  /* bits per byte of the original text */
    int64_t eval_tokens;
    double seconds;
};

/* Carries results out; called on member 0 only.  A nonzero return stops the
 * run as *stop does.  Any callback may be NULL. */
struct observer {
    void *ctx;
    int (*on_step)(void *ctx, const struct step_report *r);
    int (*on_eval)(void *ctx, const struct eval_report *r);
    /* A checkpoint of `step` is on disk: what came before is safe. */
    int (*on_checkpoint)(void *ctx, int64_t step, double seconds);
    /* The run begins (step 0) or goes on from a checkpoint. */
    int (*on_start)(void *ctx, int64_t step);
};

enum train_end {
    TRAIN_DONE,     /* all steps, final evaluation reported */
    TRAIN_STOPPED,  /* on request; resumable */
    TRAIN_DIVERGED, /* loss or gradient not finite, or loss rule; a result */
    TRAIN_NO_MEMORY /* did not fit; a result; bytes in the result's text */
};

struct train_result {
    enum train_end end;
    int64_t steps, tokens; /* achieved */
    double loss, bpb;      /* first validation set at the end; NaN if none */
    double epochs;         /* passes over the training data */
    double train_seconds;  /* this attempt: stepping */
    double eval_seconds, checkpoint_seconds;
    char text[128]; /* the reason, for DIVERGED and NO_MEMORY */
};

/* Train, resuming from checkpoint_dir if it holds a usable checkpoint of this
 * very spec.  Returns 0 with *result filled, or -1 (an input was unusable, the
 * disk failed, a gang member died).  Collective over the gang. */
int train(struct train_result *result, const struct run_spec *spec,
          const struct train_env *env, const struct observer *obs,
          struct err *e);

#endif
