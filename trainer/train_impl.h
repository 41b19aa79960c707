/* train_impl: private to train.c, train_open.c, train_step.c and
 * train_save.c. */
#ifndef LOGLOG_TRAINER_TRAIN_IMPL_H
#define LOGLOG_TRAINER_TRAIN_IMPL_H

#include "trainer/batches.h"
#include "trainer/checkpoint.h"
#include "trainer/comm.h"
#include "trainer/evaluate.h"
#include "trainer/model.h"
#include "trainer/reduce.h"
#include "trainer/train.h"
#include "trainer/writer.h"

/* What the members agree on between two steps. */
enum { WANT_STOP = 1, WANT_CHECKPOINT = 2, NO_MEMORY = 4 };

/* A run in training, as one member sees it.  The gang's arrays are written by
 * their owners as comm.h says; of the n floats of a model a member owns a
 * range of whole ADAMW_BLOCKs. */
struct train {
    const struct run_spec *spec;
    const struct train_env *env;
    const struct observer *obs;

    struct comm *comm;
    struct shard_set *train_set, *valid_set[TRAIN_SETS];
    struct batches batches;
    struct eval_set eval[TRAIN_SETS];

    struct model *model;
    size_t n;                    /* floats of the model */
    struct reduce reduce;        /* who computes which leaves */
    struct comm_array nodes;     /* a gradient a node of reduce */
    struct comm_array leaf_nats; /* a double a leaf */
    struct comm_array grad;      /* their sum; unused if there is one node */
    struct comm_array norms;     /* a double an ADAMW_BLOCK */
    struct comm_array params;    /* data is model_params in a gang of one */
    struct comm_array m, v;
    float *scratch[RUN_LEAVES]; /* reduce.depth gradients, zero between steps */
    int32_t *tokens;            /* of one leaf */

    struct checkpoint_state state;
    struct writer *writer;  /* member 0 with a checkpoint_dir, else NULL */
    double next_checkpoint; /* when one is due, by train_clock(); member 0 */
    int stop_asked;         /* by an observer */
    int unsaved;            /* there are steps behind the last checkpoint */

    double eval_loss, eval_bpb; /* of set 0 */
    double train_seconds, eval_seconds, checkpoint_seconds;
    char text[COMM_TEXT]; /* why it diverged or did not fit */
};

double train_clock(void); /* seconds, monotonic */
/* Mind what an observer returned. */
void train_observe(struct train *t, int answer);

/* train_open.c: everything a run needs, and its state from a checkpoint, a
 * trunk or the seed.  1 with t->text when it does not fit. */
int train_open(struct train *t, struct err *e);
void train_close(struct train *t);

/* train_step.c: one optimiser step.  1 with t->text when it diverged. */
int train_step(struct train *t, struct err *e);

/* train_save.c */
/* Is a periodic checkpoint due?  Also takes note of a finished one. */
int train_save_due(struct train *t);
/* Write one; without `wait` it is finished in the background.  Returns 0 with
 * a warning when a checkpoint that need not be waited for fails. */
int train_save(struct train *t, enum checkpoint_kind kind, int wait,
               struct err *e);
/* Should a trunk be left after this step? */
int train_save_trunk_due(const struct train *t);
/* The run is over: finish what is being written, and remove or renew. */
int train_save_end(struct train *t, struct err *e);

#endif
