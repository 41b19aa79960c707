/* model: the transformer of DeepSeek LLM section 2.1, forward and backward.
 *
 * Pre-norm RMSNorm, RoPE, causal attention (grouped queries when n_kv_head <
 * n_head), SwiGLU, untied head; equations on top of model.c, the only caller
 * of the backend's operations (backend.h).
 *
 * Parameters are one flat block of floats carved by a table (params.h), so
 * AdamW, the gradient norm, the gang's reduction and checkpoints treat a model
 * as one array.  Gradients are blocks of the same layout that the caller owns.
 * A sequence's contribution is computed by itself and added in order, so a
 * gradient depends on the sequences and their order, not on how many are given
 * at a time. */
#ifndef LOGLOG_TRAINER_MODEL_H
#define LOGLOG_TRAINER_MODEL_H

#include "base/err.h"
#include "sweep/spec.h"
#include "trainer/params.h"

#include <stddef.h>
#include <stdint.h>

struct model;

struct backend;

/* Allocate for this shape and dtype; parameters are zero.  -1 with ERR_ENV
 * and the bytes asked for when it does not fit. */
int model_create(struct model **m, const struct run_spec *spec, struct err *e);
/* The same on a given backend (backend.h), for tests and bench. */
int model_create_on(struct model **m, const struct run_spec *spec,
                    const struct backend *b, struct err *e);
void model_destroy(struct model *m);

/* The flat parameter block, model_size(m) floats, fp32 master weights.  After
 * writing to it call model_refresh, which renews packed and bf16 copies. */
float *model_params(struct model *m);
size_t model_size(const struct model *m);
const struct param_table *model_table(const struct model *m);
void model_refresh(struct model *m);

/* Initial weights from (seed, position): norms 1, matrices and embedding
 * normal(0, init_std), output projections scaled when init_depth is set. */
void model_init(struct model *m, int64_t seed);
/* The i-th tensor of the table alone, packed while it is in the cache; several
 * at once by as many threads. */
void model_init_tensor(struct model *m, int64_t seed, int i);
/* The parameters [from, to) of them alone, without model_refresh. */
void model_draw(struct model *m, int64_t seed, size_t from, size_t to);

/* grad += scale * d(sum of nats)/d(parameters) over `rows` sequences, each
 * T + 1 tokens (inputs tokens[0..T), targets tokens[1..T]).  *nats is the sum
 * over rows * T targets, in double, in row order. */
void model_grad(struct model *m, float *grad, double *nats,
                const int32_t *tokens, int64_t rows, float scale);

/* The same with = instead of +=: what grad held does not matter.  One sequence
 * at least. */
void model_grad_anew(struct model *m, float *grad, double *nats,
                     const int32_t *tokens, int64_t rows, float scale);

/* The loss alone: nats[r] is the sum over the T targets of row r. */
void model_eval(struct model *m, double *nats, const int32_t *tokens,
                int64_t rows);

/* The same by position: nats[r * parts + p] is the sum over the first end[p]
 * targets of row r; end is increasing, its last the T of all. */
void model_eval_parts(struct model *m, double *nats, const int32_t *tokens,
                      int64_t rows, const int64_t *end, int parts);

/* Where the time of a model goes, by kind of operation. */
enum model_op {
    OP_LINEAR,
    OP_LINEAR_DX,
    OP_LINEAR_DW,
    OP_ATTENTION,
    OP_ATTENTION_BWD,
    OP_NORM,
    OP_SWIGLU,
    OP_XENT,
    OP_EMBED,
    OP_PACK,
    OP_KINDS
};
extern const char *const model_op_name[OP_KINDS];
/* From now on add seconds to seconds[OP_KINDS], which the caller owns; NULL
 * stops it. */
void model_profile(struct model *m, double *seconds);
const struct backend *model_backend(const struct model *m);

#endif
