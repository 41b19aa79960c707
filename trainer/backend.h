/* backend: the operations that the model is made of.
 *
 * Two or more implementations, one struct of functions.  cpu/reference.c is
 * plain loops and is the truth for every other one; model.c is the only
 * caller.  Rules for all operations:
 *
 *   - arguments are outputs, inputs, sizes, scratch; no operation allocates;
 *   - arrays are row-major fp32, rows are tokens, no padding between rows
 *     unless a leading dimension is given;
 *   - an operation writes its outputs, except that *_bwd ADDS to gradients of
 *     parameters (dw, dg, dtable) and where a comment says "adds";
 *   - sums run in one fixed order, so that every fp32 implementation but the
 *     reference gives the same bits, and a call on rows [0, a) followed by one
 *     on [a, m) the same as one on [0, m). */
#ifndef LOGLOG_TRAINER_BACKEND_H
#define LOGLOG_TRAINER_BACKEND_H

#include <stddef.h>
#include <stdint.h>

/* A linear layer y = W x, W[n, k].  `pack` is the backend's own copy of the
 * weights, pack_bytes(n, k) of it, renewed by pack() after W changes. */
struct linear {
    int64_t n, k;
    const float *w;
    void *pack;
};

/* Causal attention of one sequence.  A row of qkv is the query heads, then the
 * key heads, then the value heads; query head h reads key/value head
 * h / (n_head / n_kv_head).  RoPE (rotate-half) is part of the operation:
 * q and k are stored unrotated. */
struct attention {
    int64_t seq_len, n_head, n_kv_head, head_dim;
    const float *cos, *sin; /* [seq_len, head_dim / 2] */
};

/* One AdamW step, the same for every float but for the decay:
 *   g' = grad_scale g; m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2)
 *   g'^2; p = decay p - rate m / (sqrt(v) inv_sqrt + eps)
 * with rate = lr / (1 - beta1^t), inv_sqrt = 1 / sqrt(1 - beta2^t). */
struct adamw_step {
    float beta1, beta2, eps, grad_scale, rate, inv_sqrt;
};

/* What a model needs scratch for; see scratch_bytes. */
struct backend_shape {
    int64_t rows;  /* most rows of any call */
    int64_t max_n; /* widest linear layer's n, and k below */
    int64_t max_k;
    struct attention att;
};

struct backend {
    const char *name;    /* "avx512": what bench and doctor print */
    int bf16;            /* operands of the linear layers are rounded to bf16;
                            sums, and everything else, are fp32 */
    int (*usable)(void); /* does this CPU have what it needs? */
    int (*quick)(void);  /* is it the quicker one there?  NULL: yes */

    /* `rounds` of independent multiply-adds of this kind of operands on
     * registers alone; returns the flops done, for bench. */
    double (*peak)(int64_t rounds);

    size_t (*pack_bytes)(int64_t n, int64_t k);
    size_t (*scratch_bytes)(const struct backend_shape *s);
    void (*pack)(struct linear *l);

    /* y[m, n] = x[m, k] W^T, plus res[m, n] when res is not NULL (which may
     * be y itself). */
    void (*linear)(float *y, const float *x, const float *res,
                   const struct linear *l, int64_t m, void *scratch);
    /* dx[m, k] = dy[m, n] W */
    void (*linear_dx)(float *dx, const float *dy, const struct linear *l,
                      int64_t m, void *scratch);
    /* dw[n, k] += dy^T x; without `add` = instead of +=. */
    void (*linear_dw)(float *dw, const float *dy, const float *x,
                      const struct linear *l, int64_t m, int add,
                      void *scratch);

    /* x[m, c] = table[token, c];  dtable[token] += dx */
    void (*embed)(float *x, const float *table, const int32_t *token, int64_t m,
                  int64_t c);
    void (*embed_bwd)(float *dtable, const float *dx, const int32_t *token,
                      int64_t m, int64_t c);

    /* y = g x rstd, rstd[m] = 1 / sqrt(mean(x^2) + eps) */
    void (*rmsnorm)(float *y, float *rstd, const float *x, const float *g,
                    float eps, int64_t m, int64_t c);
    /* dx adds, dg adds; y again, for dw of the layer that reads it. */
    void (*rmsnorm_bwd)(float *dx, float *dg, float *y, const float *dy,
                        const float *x, const float *g, const float *rstd,
                        int64_t m, int64_t c);

    /* o[t, n_head * head_dim]; stat[n_head, 2, t] is what the way back needs
     * to make the attention weights again: in a unit of the backend's choice,
     * the largest score of a row and the sum of exp(score - it). */
    void (*attention)(float *o, float *stat, const float *qkv,
                      const struct attention *a, void *scratch);
    /* dqkv from dout[t, n_head * head_dim]. */
    void (*attention_bwd)(float *dqkv, const float *dout, const float *o,
                          const float *stat, const float *qkv,
                          const struct attention *a, void *scratch);

    /* gu[m, 2f] is gate then up: act[m, f] = gate sigmoid(gate) up */
    void (*swiglu)(float *act, const float *gu, int64_t m, int64_t f);
    /* dgu[m, 2f]; act again, for dw of the layer that reads it. */
    void (*swiglu_bwd)(float *dgu, float *act, const float *dact,
                       const float *gu, int64_t m, int64_t f);

    /* Cross entropy in place: *nats += the rows' losses, one row after the
     * other; logits[m, v] becomes scale * d(loss)/d(logits). */
    void (*xent)(double *nats, float *logits, const int32_t *target, int64_t m,
                 int64_t v, float scale);
    /* The losses alone; logits are spoilt. */
    void (*xent_loss)(double *nats, float *logits, const int32_t *target,
                      int64_t m, int64_t v);

    /* sum of squares of g[0, n), n at most ADAMW_BLOCK */
    double (*sum_squares)(const float *g, size_t n);
    /* n floats; decay is 1 - lr weight_decay, or 1. */
    void (*adamw)(float *p, float *m, float *v, const float *g,
                  const struct adamw_step *s, float decay, size_t n);

    /* w[i] = std rng_normal(seed, RNG_INIT, at + i) */
    void (*normals)(float *w, uint64_t seed, uint64_t at, double std, size_t n);
};

/* The vector kernels, one set of sources compiled per target (cpu/fast.h).
 * On other processors than x86 there is only the portable one. */
extern const struct backend backend_avx512, backend_avx2, backend_portable;
extern const struct backend backend_avx512_bf16, backend_avx2_bf16;
extern const struct backend backend_avx512_pairs; /* cpu/pairs.h */
extern const struct backend backend_portable_bf16;

/* The plain loops; operands rounded to bf16 for DTYPE_BF16. */
extern const struct backend backend_reference, backend_reference_bf16;

/* All of them, best first, ending with the two above; NULL-terminated. */
extern const struct backend *const backend_list[];

/* The first usable and quick one for this dtype; the environment's
 * LOGLOG_BACKEND names another usable one, for tests. */
const struct backend *backend_pick(int64_t dtype);
/* By name; NULL when there is none or this CPU cannot run it. */
const struct backend *backend_find(const char *name);

#endif
