/* kernels: the operations of the model on the device, but for its matrix
 * products (gemm.h).  Each queues on stream s and returns; a failed launch
 * shows in cudaGetLastError.
 *
 * Arguments are outputs, inputs, sizes.  Rows are tokens, arrays are row-major
 * without padding unless a leading dimension ld is given.  The residual
 * stream, its gradient, statistics and gradients of parameters are fp32, the
 * rest bf16; arithmetic is fp32.  Widths c and f are multiples of 4, head_dim
 * is a multiple of 8.  No kernel uses atomics: every sum has one order, so
 * results do not change from run to run. */
#ifndef LOGLOG_TRAINER_CUDA_KERNELS_H
#define LOGLOG_TRAINER_CUDA_KERNELS_H

#include "trainer/cuda/port.h"

typedef __nv_bfloat16 bf16;

/* x[rows, c] = table[token] */
void embed_forward(float *x, const bf16 *table, const int32_t *token,
                   int64_t rows, int c, cudaStream_t s);
/* dtable[token] += dx, fp32.  Rows are given by token: rows[first[i] ..
 * first[i + 1]) all have token which[i]; i < n.  Where first[i] >= first[i + 1]
 * there is nothing to do. */
void embed_backward(float *dtable, const float *dx, const int32_t *which,
                    const int32_t *first, const int32_t *row, int n, int c,
                    cudaStream_t s);

/* y = g x rstd, rstd[rows] = 1 / sqrt(mean(x^2) + eps) */
void rmsnorm_forward(bf16 *y, float *rstd, const float *x, const bf16 *g,
                     float eps, int64_t rows, int c, cudaStream_t s);
/* dx += the norm's part of dy, or is set to it when add is 0; dx16 is a copy
 * of the sum for the next product; dg += ; y again, for dW of its reader.
 * partial[NORM_BLOCKS * c] is scratch. */
#define NORM_BLOCKS 256
#define NORM_MAX_C 12288 /* c floats of shared memory within 48 KiB */
void rmsnorm_backward(float *dx, bf16 *dx16, float *dg, bf16 *y, float *partial,
                      const bf16 *dy, const float *x, const bf16 *g,
                      const float *rstd, int add, int64_t rows, int c,
                      cudaStream_t s);

/* Turn the first `heads` heads of each row of x, of leading dimension ld, in
 * place: the pair (i, i + head_dim / 2) of position row % seq_len by the angle
 * whose cosine and sine are turn[position, i]; sign -1 turns back. */
void rope(bf16 *x, const float2 *turn, float sign, int64_t rows, int64_t ld,
          int heads, int head_dim, int seq_len, cudaStream_t s);

/* act[rows, f] = gate sigmoid(gate) up, gu[rows, 2f] being gate then up */
void swiglu_forward(bf16 *act, const bf16 *gu, int64_t rows, int f,
                    cudaStream_t s);
/* dgu, and act again. */
void swiglu_backward(bf16 *dgu, bf16 *act, const bf16 *dact, const bf16 *gu,
                     int64_t rows, int f, cudaStream_t s);

/* nats[rows] = the loss of each row of logits[rows, ld], of which v are used;
 * ld is a multiple of 8.  With grad they become scale d(loss)/d(logits). */
void cross_entropy(float *nats, bf16 *logits, const int32_t *target,
                   int64_t rows, int v, int64_t ld, float scale, int grad,
                   cudaStream_t s);

/* A stretch of a flat block: n floats from `at`; this member's masters and
 * moments of them are from `local`.  One launch takes many, each with blocks
 * of its own, the first of which is number `first`. */
struct stretch {
    int64_t at, local, n, first;
    int64_t decays; /* its weights do */
};
/* Set `first` for blocks of so many floats; how many blocks in all. */
int64_t stretch_blocks(struct stretch *s, size_t n, int64_t floats);

/* sum[i] = the sum of squares of stretch i of x; partial[blocks].  Two passes:
 * blocks of a fixed size, then their sums in one order.  The table is on the
 * device. */
#define SQUARES_FLOATS 4096
void sum_squares(double *sum, double *partial, const float *x,
                 const struct stretch *table, int n, int64_t blocks,
                 cudaStream_t s);

/* The step of backend.h's struct adamw_step on n stretches, all multiples of 4;
 * w is the new p in bf16. */
#define ADAMW_FLOATS 1024
struct adamw_args {
    float beta1, beta2, eps, grad_scale, rate, inv_sqrt, decay;
};
void adamw(float *p, float *m, float *v, bf16 *w, const float *g,
           struct adamw_args a, const struct stretch *table, int n,
           int64_t blocks, cudaStream_t s);

/* w = bf16(p), n a multiple of 4 */
void to_bf16(bf16 *w, const float *p, int64_t n, cudaStream_t s);
/* The same for rows of `columns`, of leading dimension ld in w. */
void copy_columns(bf16 *w, int64_t ld, const float *p, int64_t rows,
                  int columns, cudaStream_t s);
/* sum[i] = nats[i n] + ... + nats[i n + n - 1], for i < rows */
void row_sums(double *sum, const float *nats, int64_t rows, int n,
              cudaStream_t s);

/* The attention weights of the materialised path: p[r, j] = softmax over
 * j <= r % t of scale score[r, j], 0 beyond; r in [0, rows), j in [0, t). */
void softmax_forward(bf16 *p, const float *score, float scale, int64_t rows,
                     int t, cudaStream_t s);
/* ds = scale p (dp - sum p dp) */
void softmax_backward(bf16 *ds, const bf16 *p, const float *dp, float scale,
                      int64_t rows, int t, cudaStream_t s);

/* Causal attention of `batch` sequences.  A row of qkv is the query heads,
 * the key heads, the value heads, with q and k turned; head h reads group
 * h / (n_head / n_kv_head).  o[rows, n_head * head_dim]; lse[batch, n_head,
 * seq_len] is the log of the sum of exp of the scaled scores. */
struct flash_shape {
    int batch, seq_len, n_head, n_kv_head, head_dim;
};
int flash_supports(int head_dim); /* 8, 16, 32, 64, 128 */
void flash_forward(bf16 *o, float *lse, const bf16 *qkv, struct flash_shape f,
                   cudaStream_t s);
/* dqkv, of turned q and k; dot[batch, n_head, seq_len] is scratch. */
void flash_backward(bf16 *dqkv, float *dot, const bf16 *dout, const bf16 *o,
                    const float *lse, const bf16 *qkv, struct flash_shape f,
                    cudaStream_t s);

#endif
