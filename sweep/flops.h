/* flops: what a model costs, by formula: DeepSeek LLM (arXiv 2401.02954)
 * Eq. 2, section 3.1-3.2 and appendix A.2.
 *
 *   6 N1 = 72 n_layer d^2                        non-embedding parameters
 *   6 N2 = 72 n_layer d^2 + 6 n_vocab d          complete
 *   M    = 72 n_layer d^2 + 12 n_layer d l_seq   non-embedding flops/token
 *   flops = M D
 *
 * The 72 assumes 12 d^2 parameters a layer (MHA and an exact 8/3 SwiGLU), and
 * 12 n d l counts full attention.  The exact count beside it is of matrix
 * multiply-adds, two flops each and three times the forward pass, with the real
 * widths (d_ff, grouped queries), the head, and causal attention: a sequence
 * has l (l + 1) / 2 pairs of query and key, each d multiply-adds for the score
 * and d for the value, so 6 n d (l + 1) flops a token. */
#ifndef LOGLOG_SWEEP_FLOPS_H
#define LOGLOG_SWEEP_FLOPS_H

#include "sweep/spec.h"

struct model_count {
    double M;      /* Eq. 2, flops a token, forward + backward */
    double N1, N2; /* Eq. 2's parameter scales (12 d^2 a layer) */
    double params; /* parameters that exist, embeddings and norms too */
    double matrix; /* parameters of matrices inside the layers */
    double body, attention, head; /* exact flops a token, fwd + bwd; causal */
    double exact;                 /* their sum */
    double head_share;            /* head / exact */
};
void model_count(struct model_count *c, const struct model_spec *m);

double run_flops(const struct run_spec *s);       /* M D on the achieved D */
double run_flops_exact(const struct run_spec *s); /* exact D */

/* A batch is split into this many equal parts whose gradients are computed
 * apart and added as a binary tree, so that the sum does not depend on who
 * computed them: the largest power of two up to RUN_LEAVES that divides the
 * sequences of a batch.  A gang has at most so many members. */
#define RUN_LEAVES 8
int run_leaves(const struct run_spec *s);

/* Bytes a run needs on one CPU member of a gang of g: parameters, two moments,
 * gradients, packed weights, activations of one sequence, logits.  While a
 * checkpoint is written beside the steps, run_checkpoint_bytes more. */
double run_bytes(const struct run_spec *s, int gang);

/* Bytes of its checkpoint: parameters and two moments. */
double run_checkpoint_bytes(const struct run_spec *s);

/* Steps for a budget: D = flops / M rounded to whole steps, at least 1. */
int64_t steps_for_flops(const struct run_spec *s, double flops);

/* DeepSeek LLM Eq. 1 (batch in tokens) and Eq. 4. */
double deepseek_lr(double flops);
double deepseek_batch(double flops);
double deepseek_M(double flops);
double deepseek_D(double flops);

#endif
