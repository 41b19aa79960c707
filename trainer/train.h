/* train: one run, from its spec to a loss curve.
 *
 * train() is called by each member of the run's gang, in its own process.  It
 * reports to an observer and has not heard of SQLite, MPI or the scheduler.
 * The result depends on the spec and the data alone: the same bits for any
 * gang, for any interruption and resumption, and whether the first steps were
 * taken by this run or by another one that shares them (CPU).  On a device
 * (docs/gpu.md) it is the same within the rounding of bf16, and the same bits
 * again on as many of the same devices, interrupted or not; the CPU goes on
 * from a device's checkpoint and a device from the CPU's. */
#ifndef LOGLOG_TRAINER_TRAIN_H
#define LOGLOG_TRAINER_TRAIN_H

#include "base/err.h"
#include "sweep/device_kind.h"
#include "sweep/spec.h"

#include <limits.h>
#include <signal.h>
#include <stdint.h>

#define TRAIN_SETS 4

/* Where a run happens: nothing in here may change its result. */
struct train_env {
    const char *train_path; /* packed shards */
    int n_valid;
    const char *valid_path[TRAIN_SETS];
    const char *checkpoint_dir; /* NULL: no checkpoints */
    double checkpoint_seconds;  /* between checkpoints, longer if they cost
                                   more than 2 % of the time; 0: only on stop */
    int keep;                   /* newest checkpoints; 0: 2 */
    int keep_checkpoint;        /* 1: leave one of the end when done; a disk
                                   that is full then is a warning */
    int member, gang;           /* this process of how many */
    const char *rendezvous;     /* name of the gang's shared memory, unique to
                                   the attempt; NULL if gang == 1.  If all
                                   members were killed: comm_forget (comm.h) */
    double peer_seconds;        /* a member that shows no progress for so long
                                   is given up; 0: 60 */
    enum device_kind device;    /* what to train on */
    int place;          /* this process among those of its node that have a
                           device each: it takes device place % devices */
    int64_t micro_rows; /* sequences at a time on a device; 0: as many as fit */
    int no_graphs;      /* see cuda/engine.h */
    int recompute;      /* enum engine_recompute (cuda/engine.h) */
    int attention;      /* enum engine_attention */
    int64_t run_id;     /* for messages and faults */
    int64_t attempt;
    const volatile sig_atomic_t *stop; /* nonzero: checkpoint and return;
                                          NULL: never */

    /* Steps taken once for several runs (schedule_shared in schedule.h).  A
     * trunk is a checkpoint that is not removed when the run is done. */
    const char *trunk; /* train_trunk_path of another run; begin with it if
                          checkpoint_dir holds nothing.  NULL: none.  A file
                          that is missing or damaged is passed over with a
                          warning; one of a run that does not share its steps
                          with this one is refused. */
    const int64_t *trunk_at; /* steps after which to leave one, increasing */
    int n_trunk;             /* how many; needs checkpoint_dir */
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

/* Of the last evaluation of a set, the targets at some positions of their
 * windows: what is predicted from as many tokens.  On the CPU. */
struct position_report {
    int64_t step;
    int64_t set;         /* index into valid_path */
    int64_t first, last; /* positions, from 1: 1, 2, 3-4, 5-8, ... seq_len */
    int64_t eval_tokens;
    double loss; /* nats a token */
    double bpb;
};

/* Carries results out; called on member 0 only.  A nonzero return stops the
 * run as *stop does.  Any callback may be NULL.  What lies behind the last
 * checkpoint is reported again, with the same numbers, by the attempt that
 * resumes from it. */
struct observer {
    void *ctx;
    int (*on_step)(void *ctx, const struct step_report *r);
    int (*on_eval)(void *ctx, const struct eval_report *r);
    /* A checkpoint of `step` is on disk: what came before is safe.  It is
     * written in the background, so some steps after `step`. */
    int (*on_checkpoint)(void *ctx, int64_t step, double seconds);
    /* The run begins (step 0) or goes on from a checkpoint or trunk. */
    int (*on_start)(void *ctx, int64_t step);
    /* Behind the last on_eval of a set, for all positions. */
    int (*on_position)(void *ctx, const struct position_report *r);
};

enum train_end {
    TRAIN_DONE,     /* all steps, final evaluation reported */
    TRAIN_STOPPED,  /* on request; resumable */
    TRAIN_DIVERGED, /* loss or gradient not finite, or loss rule; a result */
    TRAIN_NO_MEMORY /* did not fit; a result; bytes in the result's text */
};

/* The loss rule of TRAIN_DIVERGED: a training loss above this many times
 * ln(vocab), the loss of guessing, in so many steps in a row. */
#define TRAIN_DIVERGED_LOSS 2
#define TRAIN_DIVERGED_STEPS 20

struct train_result {
    enum train_end end;
    int64_t steps, tokens; /* achieved */
    double loss, bpb;      /* first validation set at the end; NaN if none */
    double epochs;         /* passes over the training data */
    double train_seconds;  /* this attempt: stepping */
    double eval_seconds;   /* evaluating */
    double checkpoint_seconds; /* standing still for checkpoints */
    double data_seconds;       /* of train_seconds: waiting for tokens */
    char text[128];            /* the reason, for DIVERGED and NO_MEMORY */
};

/* Fault points (base/fault.h), where step is the one about to be taken and
 * rank the member: child-kill, child-segv, child-hang, child-slow (50 ms),
 * nan, nan-valid (of the step taken; on every member), slow-read (loader.h),
 * and in checkpoints checkpoint-write (disk full), checkpoint-kill, and in sets
 * of them share-kill, checkpoint-index (disk full). */

/* Train, resuming from checkpoint_dir if it holds a usable checkpoint of this
 * very spec.  Returns 0 with *result filled, or -1 (an input was unusable, the
 * disk failed when the run had to be saved, a gang member died).  A checkpoint
 * that cannot be written while training goes on is a warning.  Collective over
 * the gang; no member waits for another without limit. */
int train(struct train_result *result, const struct run_spec *spec,
          const struct train_env *env, const struct observer *obs,
          struct err *e);

/* The file that env.trunk_at makes for this run after this step. */
int train_trunk_path(char path[PATH_MAX], const char *checkpoint_dir,
                     const struct run_spec *spec, int64_t step, struct err *e);

#endif
