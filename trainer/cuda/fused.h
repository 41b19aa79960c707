/* fused: causal attention by cuDNN's fused kernels, in the place of
 * flash_forward and flash_backward (kernels.h): the same arrays, the same lse.
 * An option (ENGINE_ATTENTION_CUDNN); where the plugin is built without
 * cuDNN's headers fused_open says so.
 *
 * The gradient is the one of cuDNN's plans that repeats to the bit: dp goes
 * through memory, which costs batch * n_head * seq_len^2 in bf16. */
#ifndef LOGLOG_TRAINER_CUDA_FUSED_H
#define LOGLOG_TRAINER_CUDA_FUSED_H

extern "C" {
#include "base/err.h"
}
#include "trainer/cuda/kernels.h"

struct fused;

#ifdef LOGLOG_CUDNN
/* Load cuDNN and make the plans for sequences of this shape on the current
 * device, with their workspace.  Plans for another `batch` of the same are
 * made when they are first asked for, not within a graph.  -1 with the reason:
 * cuDNN is not there, too old, or refuses the shape. */
int fused_open(struct fused **out, struct flash_shape f, struct err *e);
void fused_close(struct fused *u);
/* Bytes of device memory that it holds. */
size_t fused_bytes(const struct fused *u);
/* As flash_forward and flash_backward, but for errors: -1. */
int fused_forward(struct fused *u, bf16 *o, float *lse, const bf16 *qkv,
                  struct flash_shape f, cudaStream_t s, struct err *e);
int fused_backward(struct fused *u, bf16 *dqkv, float *dot, const bf16 *dout,
                   const bf16 *o, const float *lse, const bf16 *qkv,
                   struct flash_shape f, cudaStream_t s, struct err *e);
#else
/* There is never a struct fused. */
static inline int fused_open(struct fused **, struct flash_shape, struct err *e)
{
    return err_set(e, ERR_ENV,
                   "the plugin is built without it (LOGLOG_CUDNN=ON)");
}

static inline void fused_close(struct fused *)
{
}

static inline size_t fused_bytes(const struct fused *)
{
    return 0;
}

static inline int fused_forward(struct fused *, bf16 *, float *, const bf16 *,
                                struct flash_shape, cudaStream_t, struct err *)
{
    return -1;
}

static inline int fused_backward(struct fused *, bf16 *, float *, const bf16 *,
                                 const bf16 *, const float *, const bf16 *,
                                 struct flash_shape, cudaStream_t, struct err *)
{
    return -1;
}
#endif

/* What it will hold, roughly, to choose a micro-batch by. */
static inline size_t fused_estimate(struct flash_shape f)
{
    size_t heads = static_cast<size_t>(f.batch) * static_cast<size_t>(f.n_head);
    size_t t = (static_cast<size_t>(f.seq_len) + 127) / 128 * 128;

    return heads * t * (2 * t + 8 * static_cast<size_t>(f.head_dim)) +
           (static_cast<size_t>(16) << 20);
}

#endif
