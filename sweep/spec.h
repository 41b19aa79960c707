/* spec: one training run, as plain data.
 *
 * A run_spec is everything that decides the result of a run and nothing else:
 * no paths, no ranks, no machine.  It travels as its canonical text, one
 * `key = value` line per key in the order of the table in spec.c; its id is a
 * hash of that text, so planning twice adds nothing, and a spec is enough to
 * run the trial again anywhere that has the data it names. */
#ifndef LOGLOG_SWEEP_SPEC_H
#define LOGLOG_SWEEP_SPEC_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* A family is a shape rule, an operation list and an objective. */
enum family { FAMILY_DEEPSEEK_LLM };
enum optimizer { OPT_ADAMW };
enum schedule_kind {
    SCHED_MULTI_STEP, /* DeepSeek LLM 2.3: stages of constant rate */
    SCHED_COSINE,
    SCHED_WSD_LINEAR, /* constant, then linear decay over `decay` */
    SCHED_WSD_SQRT,   /* constant, then 1 - sqrt decay over `decay` */
    SCHED_CONSTANT
};
enum dtype { DTYPE_FP32, DTYPE_BF16 };

#define SPEC_STAGES 4   /* most drops of a multi-step schedule */
#define SPEC_DATA_ID 17 /* 16 hex digits and the NUL */

struct model_spec {
    int64_t family;     /* enum family */
    int64_t vocab;      /* V */
    int64_t seq_len;    /* T, l_seq of the paper */
    int64_t d_model;    /* C: channels */
    int64_t n_layer;    /* L */
    int64_t n_head;     /* query heads; head_dim * n_head == d_model */
    int64_t n_kv_head;  /* divides n_head; < n_head is GQA */
    int64_t d_ff;       /* inner width of SwiGLU */
    double rope_theta;  /* 1e4 */
    double norm_eps;    /* of RMSNorm, 1e-6 */
    double init_std;    /* of every matrix; 0.006 in the paper */
    int64_t init_depth; /* 1: output projections / sqrt(2 n_layer); 0: not */
};

struct optim_spec {
    int64_t name; /* enum optimizer */
    double lr;    /* peak */
    double beta1, beta2, eps;
    double weight_decay; /* decoupled, on matrices only */
    double clip;         /* global gradient norm; 0: none */
};

struct schedule_spec {
    int64_t name;               /* enum schedule_kind */
    int64_t warmup_steps;       /* linear from 0 */
    int64_t n_stage;            /* multi-step: used entries of at, factor */
    double at[SPEC_STAGES];     /* fraction of the steps, increasing */
    double factor[SPEC_STAGES]; /* of the peak, from at[i] on */
    double decay; /* WSD: last fraction of the steps that decays */
    double floor; /* cosine, WSD: final rate as a fraction of the peak */
};

struct run_spec {
    struct model_spec model;
    struct optim_spec optim;
    struct schedule_spec schedule;
    char data[SPEC_DATA_ID]; /* identity of training + validation data */
    int64_t dtype;           /* enum dtype */
    int64_t batch_tokens;    /* tokens a step, a multiple of seq_len */
    int64_t steps;           /* D = steps * batch_tokens */
    int64_t seed;            /* of weights and data order */
    int64_t eval_every;      /* steps between evaluations; 0: only at the end */
    int64_t eval_tokens;     /* tokens of each validation set; 0: all */
};

/* Table 2 and section 2 of DeepSeek LLM, and our defaults where it is
 * silent; model sizes, lr, batch_tokens, steps and data are left 0. */
void spec_defaults(struct run_spec *s);

/* D, the training tokens. */
int64_t spec_tokens(const struct run_spec *s);

/* The canonical text, appended to *out; every number reads back exactly. */
void spec_print(struct str *out, const struct run_spec *s);
/* Parse a canonical text (any subset of keys, over what *s holds).  Messages
 * carry the line. */
int spec_parse(struct run_spec *s, const char *text, struct err *e);
/* Set one key from text: "optim.lr", "3e-3"; lists are "[0.8, 0.9]" or
 * "0.8,0.9", and schedule.factor follows schedule.at, which says how many
 * stages there are.  Unknown keys are refused with the nearest known one;
 * ranges are spec_check's. */
int spec_set(struct run_spec *s, const char *key, const char *value,
             struct err *e);
/* Is it possible at all?  Ranges, divisibility, everything > 0. */
int spec_check(const struct run_spec *s, struct err *e);
/* The range of one key alone, for messages at the place it was written. */
int spec_check_key(const struct run_spec *s, const char *key, struct err *e);
/* The i-th key of the table; NULL past the last. */
const char *spec_key(size_t i);
/* The canonical text of one key's value, appended to *out. */
void spec_get(struct str *out, const struct run_spec *s, const char *key);

/* hash_id of the canonical text. */
int64_t spec_id(const struct run_spec *s);

/* Names of the enums above, both ways ("multi-step", "bf16"). */
const char *schedule_name(int64_t kind);
const char *dtype_name(int64_t dtype);
const char *family_name(int64_t family);

#endif
