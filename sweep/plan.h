/* plan: the runs of a study, in a deterministic order.
 *
 * A stage whose design depends on earlier results is planned when they are
 * there: the caller hands in the fitted hyper-parameter law (isoflop, verify)
 * or the registered predictions (verify).  Planning is pure: same inputs, same
 * list, same ids. */
#ifndef LOGLOG_SWEEP_PLAN_H
#define LOGLOG_SWEEP_PLAN_H

#include "sweep/study.h"

#include <stddef.h>

/* Why a run may not be worth training; flags, not refusals. */
enum plan_flag {
    PLAN_FEW_STEPS = 1,  /* fewer than 300 steps */
    PLAN_EPOCHS = 2,     /* more than one pass over the training data */
    PLAN_HEAD_SHARE = 4, /* head above 15 % of the exact flops */
    PLAN_WARMUP = 8      /* warm-up above 10 % of the steps */
};
#define PLAN_FLAGS 4
/* "few-steps", "epochs", ...: one name per bit, in bit order. */
extern const char *const plan_flag_name[PLAN_FLAGS];
/* The reason in words, for `plan`. */
extern const char *const plan_flag_why[PLAN_FLAGS];

struct planned {
    int64_t id; /* spec_id */
    struct run_spec spec;
    int stage;      /* index into study.stage */
    double budget;  /* nominal flops of its cell */
    double flops;   /* achieved M D */
    double epochs;  /* D / distinct training tokens; 0 if unknown */
    unsigned flags; /* enum plan_flag */
    double seconds; /* predicted on one slot, without what its trunk does
                       for it; 0 if no cost model */
    int extension;  /* 0: in the first design; k: k-th extension */

    /* by trunk_plan (trunk.h); 0 before */
    int64_t family;     /* equal on runs that share their first steps */
    int64_t trunk;      /* the run that takes them for this one; 0: none */
    int64_t trunk_step; /* how many */
};

struct plan {
    struct planned *run;
    size_t n, cap;
    size_t *slot, n_slot; /* index of (id, stage), private */
};
void plan_init(struct plan *p);
void plan_release(struct plan *p);
/* Forget all but the first n runs. */
void plan_truncate(struct plan *p, size_t n);
/* Append unless a run with its id is there already (in the same stage).
 * Returns 1 if added, 0 if it was there. */
int plan_add(struct plan *p, const struct planned *r);

/* lr = lr_coef C^lr_exp, batch = batch_coef C^batch_exp (tokens), C in the
 * unit of `flops`. */
struct hyper_law {
    double lr_coef, lr_exp, batch_coef, batch_exp;
};
extern const struct hyper_law hyper_law_deepseek; /* Eq. 1 */

/* What the machine or the data add to a plan; zero what is unknown. */
struct plan_context {
    double train_tokens;         /* distinct tokens of the training data */
    char data[SPEC_DATA_ID];     /* identity of the data, into each spec */
    const struct hyper_law *law; /* for HYPER_FITTED; NULL: not yet known */
};

/* lr and batch of a stage at a budget, by its `hyper`; the law's are rounded to
 * 4 significant digits and to a batch that splits into equal parts (run_leaves
 * in flops.h).  0, or -1 while the law is not yet known. */
int plan_hyper(double *lr, double *batch_tokens, const struct study *s, int k,
               double flops, const struct plan_context *ctx);

#define PLAN_MAX_STAGE 100000 /* runs of one stage */
/* Append the first design of stage k.  HYPER and ISOFLOP stages; a stage
 * with `hyper: fitted` and no law, or PREDICT or VERIFY (see plan_verify),
 * appends nothing.  ctx may be NULL.  Returns 0, or -1 when a budget has no
 * possible run. */
int plan_stage(struct plan *p, const struct study *s, int k,
               const struct plan_context *ctx, struct err *e);

/* Extend budget `flops` of hyper stage k by one grid line beyond the side
 * where its optimum sits: dlr, dbatch in {-1, 0, 1}.  `p` holds what exists.
 * Returns the number of runs added, or -1.  0: nothing left to add, because
 * the stage's `extend` is used up, a batch would be less than a sequence, or a
 * run would have fewer than PLAN_MIN_STEPS steps. */
#define PLAN_MIN_STEPS 20
int plan_extend_hyper(struct plan *p, const struct study *s, int k,
                      double flops, int dlr, int dbatch,
                      const struct plan_context *ctx, struct err *e);
/* The same for an isoflop stage: two sizes more below (dir < 0) or above. */
int plan_extend_isoflop(struct plan *p, const struct study *s, int k,
                        double flops, int dir, const struct plan_context *ctx,
                        struct err *e);

/* Append run i of `p` once more with each of the stage's `confirm` seeds: the
 * winner of a sweep was picked for its luck too, and only fresh seeds say how
 * much of it.  Returns the number of runs added; those
 * that were there are not, or -1. */
int plan_confirm(struct plan *p, const struct study *s, size_t i,
                 const struct plan_context *ctx, struct err *e);

/* What `predict` registered for one budget: enough to run it. */
struct choice {
    double flops;
    struct model_spec model;
    double lr;
    int64_t batch_tokens;
};
/* The runs of verify stage k for one registered choice: one per seed. */
int plan_verify(struct plan *p, const struct study *s, int k,
                const struct choice *c, const struct plan_context *ctx,
                struct err *e);

/* The rest of a run whose model and data are set, all else being a copy of
 * study.base: batch rounded to whole sequences (at least one), steps for the
 * budget, and a warm-up of so many steps as is right for warmup_flops (flops,
 * or less).  Used by all of the above. */
void plan_fill(struct run_spec *r, const struct study *s, double flops,
               double warmup_flops, double lr, double batch_tokens,
               int64_t seed);

#endif
