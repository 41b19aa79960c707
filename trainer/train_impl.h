/* train_impl: private to the files train*.c. */
#ifndef LOGLOG_TRAINER_TRAIN_IMPL_H
#define LOGLOG_TRAINER_TRAIN_IMPL_H

#include "trainer/batches.h"
#include "trainer/checkpoint.h"
#include "trainer/comm.h"
#include "trainer/device.h"
#include "trainer/evaluate.h"
#include "trainer/loader.h"
#include "trainer/model.h"
#include "trainer/reduce.h"
#include "trainer/train.h"
#include "trainer/writer.h"

/* What the members agree on between two steps. */
enum {
    WANT_STOP = 1,
    WANT_CHECKPOINT = 2,
    NO_MEMORY = 4,
    NO_DEVICE = 8,
    SAVING = 16,   /* a member's share of a set is not on disk yet */
    UNWRITTEN = 32 /* and will not be */
};

struct train;

/* What a run is computed on.  All but close and losses are collective. */
struct train_ops {
    /* Memory, t->n; 1 with t->text when there is not enough. */
    int (*open)(struct train *t, struct err *e);
    void (*close)(struct train *t);
    /* The state to begin with: a checkpoint's, or the seed's if c is NULL. */
    int (*begin)(struct train *t, const struct checkpoint *c, struct err *e);
    /* The blocks, for member 0 to write (others get NULLs or anything), or of
     * this member's share of them; with *stays they do not change before they
     * are asked for again. */
    int (*blocks)(const float *block[CHECKPOINT_BLOCKS], int *stays,
                  struct train *t, struct err *e);
    /* The gradient of the next step: the sum of the batch's losses and the
     * gradient's norm. */
    int (*gradient)(double *nats, double *norm, struct train *t, struct err *e);
    /* AdamW with the gradient times `scale`. */
    int (*update)(struct train *t, double lr, double scale, struct err *e);
    eval_losses *losses; /* ctx is the struct train */
};
extern const struct train_ops train_cpu, train_device;

/* A set of checkpoints on its way to the disk (checkpoint.h). */
struct train_set {
    int open; /* on all members alike: there is one */
    int done; /* this member's share: *own says how */
    struct written own;
    char path[PATH_MAX];
    struct checkpoint_state state;
    double begun;
};

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
    int64_t eval_at_once; /* windows; 0: as eval_init says */

    const struct train_ops *ops;
    size_t n;              /* floats of the model */
    int64_t first_row;     /* of this member, in a batch */
    const int32_t *tokens; /* of its rows of the step, borrowed */
    struct loader *loader; /* of a member's rows; NULL: it has none */
    int failed;            /* train() ends with an error */

    /* train_cpu.c */
    struct model *model;
    struct reduce reduce;        /* who computes which leaves */
    struct comm_array nodes;     /* a gradient a node of reduce */
    struct comm_array leaf_nats; /* a double a leaf */
    struct comm_array grad;      /* their sum; unused if there is one node */
    struct comm_array norms;     /* a double an ADAMW_BLOCK */
    struct comm_array params;    /* data is model_params in a gang of one */
    struct comm_array m, v;
    float *scratch[RUN_LEAVES]; /* reduce.depth gradients */
    const float *summed;        /* the whole gradient of this step */

    /* train_device.c */
    const struct engine_api *api;
    struct engine *engine;
    float *host;                /* pinned: the blocks of its share */
    struct comm_array row_nats; /* a double a row of the batch */

    struct checkpoint_state state;
    struct writer *writer; /* with a checkpoint_dir: of member 0, of every
                              member that has a share; else NULL */
    struct checkpoint_share share; /* gang 0: member 0 writes one file */
    struct comm_array seals;       /* of a set, one a member */
    struct train_set set;
    double next_checkpoint; /* when one is due, by clock_now(); member 0 */
    int stop_asked;         /* by an observer */
    int unsaved;            /* there are steps behind the last checkpoint */

    double eval_loss, eval_bpb; /* of set 0 */
    double train_seconds, eval_seconds, checkpoint_seconds;
    char text[COMM_TEXT]; /* why it diverged or did not fit */
};

/* Mind what an observer returned. */
void train_observe(struct train *t, int answer);

/* train_open.c: everything a run needs, and its state from a checkpoint, a
 * trunk or the seed.  1 with t->text when it does not fit. */
int train_open(struct train *t, struct err *e);
void train_close(struct train *t);
/* All members have room, or none goes on: 1 with t->text.  Collective. */
int train_agree_room(struct train *t, int failed, const struct err *why,
                     struct err *e);
/* train_device.c: t->api, if there is a device for this run.  Not
 * collective. */
int train_device_find(struct train *t, struct err *e);

/* train_step.c: one optimiser step.  1 with t->text when it diverged. */
int train_step(struct train *t, struct err *e);

/* train_save.c */
/* Is a periodic checkpoint due?  Also takes note of a finished one. */
int train_save_due(struct train *t);
/* All shares of a set are on disk, or failed: write its index.  -1 when the
 * gang failed.  Collective. */
int train_save_seal(struct train *t, struct err *e);
/* Seconds to the next one: the bound on lost work, or as long as makes the time
 * that training stood still for one a fiftieth of the whole. */
double train_save_interval(double bound, double stood);
/* Write one; without `wait` it is finished in the background.  Returns 0 with
 * a warning when a checkpoint that need not be waited for fails. */
int train_save(struct train *t, enum checkpoint_kind kind, int wait,
               struct err *e);
/* Should a trunk be left after this step? */
int train_save_trunk_due(const struct train *t);
/* The run is over: finish what is being written, and remove or renew. */
int train_save_end(struct train *t, struct err *e);

#endif
