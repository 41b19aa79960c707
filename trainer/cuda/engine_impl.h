/* engine_impl: private to engine*.cu, gemm.cu and gang.cu. */
#ifndef LOGLOG_TRAINER_CUDA_ENGINE_IMPL_H
#define LOGLOG_TRAINER_CUDA_ENGINE_IMPL_H

extern "C" {
#include "trainer/cuda/engine.h"
#include "trainer/params.h"
}
#include "trainer/cuda/fused.h"
#include "trainer/cuda/kernels.h"

#include <cublasLt.h>
#include <nccl.h>
#include <vector>

/* A matrix product out[m, n] = op(a) op(b), plus `add` of the same shape when
 * that is not NULL, column-major; a and b are bf16, out is fp32 or bf16. */
struct gemm_shape {
    int64_t ta, tb; /* transposed? */
    int64_t m, n, k, lda, ldb, ldo;
    int64_t batch, stride_a, stride_b, stride_o; /* between its matrices */
    int64_t out_fp32;
};

struct gemm_plan {
    struct gemm_shape shape;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, out;
    cublasLtMatmulAlgo_t algo;
};

/* Tensors that are reduced and gathered together: chunk floats for each
 * member, then a tail of fewer than 16 a member that all of them keep. */
struct bucket {
    int64_t at, n, chunk;
};

/* What the way back needs of a layer; the last one has x alone. */
struct kept {
    float *x, *rstd1;
    bf16 *qkv;
    float *lse;
    bf16 *o;
    float *x1, *rstd2;
    bf16 *gu;
};

struct engine {
    struct model_spec spec;
    struct optim_spec optim;
    struct engine_options opt;
    struct param_table table;
    int C, F, V, T, H, KV, D, Q, L;
    int64_t ldv;  /* V rounded up to 8 */
    int64_t rows; /* of a micro-batch, and its tokens */
    int64_t tokens;
    int64_t logit_rows;
    int flash;
    struct fused *fused; /* takes the place of flash when not NULL */
    struct err note;     /* why it does not, when it was asked for */
    int recompute;       /* the layers share all that is kept but x */

    cudaStream_t main, side; /* side: the gang's */
    cudaEvent_t ready, done;
    cublasLtHandle_t blas;
    std::vector<gemm_plan> plans;
    ncclComm_t gang;

    std::vector<bucket> buckets;
    std::vector<engine_piece> pieces;
    int64_t local;                     /* floats of p, m, v */
    std::vector<stretch> norms, steps; /* of the norm and of the optimiser */
    int64_t norm_blocks, step_blocks;

    char *block; /* everything below, carved */
    bf16 *w;
    float *grad;
    float *p, *m, *v;
    std::vector<kept> layer;
    float2 *turn;
    bf16 *n, *act, *dact, *dx16, *dn, *dgu, *dqkv, *logits;
    float *rstd, *dx, *dot, *nats, *partial;
    double *squares, *square_partial;
    struct stretch *norm_table, *step_table;
    float *score, *dkv;
    bf16 *weight, *dscore; /* of the materialised path */
    void *workspace;

    /* Of one call, grown as needed: on the host (pinned) and the device. */
    int32_t *host_ints, *dev_ints;
    double *host_nats, *dev_nats;
    int64_t call_rows;
    std::vector<int32_t>
        place; /* [V], of a token's rows, while they are sorted */

    /* A micro-batch: its integers, its losses, and its launches as a graph. */
    int32_t *micro_ints;
    double *micro_nats;
    cudaGraphExec_t graph;
    float graph_scale; /* that it was recorded with */
    int seen;          /* whole micro-batches, until there is a graph */

    struct err first; /* the first error since the last engine_wait */
    int failed;
};

#define WORKSPACE (static_cast<size_t>(32) << 20)

/* engine.cu */
/* Remember a CUDA error; 0 if r is none. */
int engine_check(struct engine *g, cudaError_t r, const char *what);
void engine_fail(struct engine *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Wait for the device; -1 with the first error, the gang's too. */
int engine_wait(struct engine *g, struct err *e);
static inline const struct param *tensor(const struct engine *g, int i)
{
    return &g->table.param[i];
}

/* tests/cuda/selftest.cpp, where it is linked. */
int engine_selftest(void) __attribute__((weak));

/* memory.cu: the table of what is carved; a block of NULL counts the bytes. */
size_t engine_carve(struct engine *g, char *block, int64_t rows);
void engine_sizes(struct engine *g, const struct run_spec *spec,
                  const struct engine_options *o);
void engine_shares(struct engine *g);

/* state.cu */
int engine_init(struct engine *g, int64_t seed, struct err *e);
int engine_save(struct engine *g, float *host, struct err *e);
int engine_load(struct engine *g, const float *host, struct err *e);
int engine_get(struct engine *g, int block, float *host, struct err *e);
int engine_get_grad(struct engine *g, float *host, struct err *e);

/* pass.cu */
int engine_grad(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, float scale, int last, struct err *e);
int engine_eval(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, struct err *e);

/* attention.cu: cuDNN, if it was asked for and can be had; else *note. */
void attention_open(struct engine *g);
void attention_close(struct engine *g);
/* Bytes that it holds besides the block, for so many rows; a guess. */
size_t attention_bytes(const struct engine *g, int64_t rows);
/* o from qkv, whose q and k are turned; dqkv from g->dn.  rows
 * sequences. */
void attention_forward(struct engine *g, struct kept *k, int64_t rows);
void attention_backward(struct engine *g, struct kept *k, int64_t rows);

/* trial.cu */
int engine_try_cudnn(struct engine_trial *t, struct err *e);

/* update.cu; the stretches are made from the pieces, and put on the device. */
void engine_stretches(struct engine *g);
void engine_put_stretches(struct engine *g);
int engine_zero(struct engine *g, struct err *e);
int engine_norm(struct engine *g, double *norm, struct err *e);
int engine_step(struct engine *g, double lr, double grad_scale, int64_t t,
                struct err *e);

/* gemm.cu */
int gemm_open(struct engine *g, struct err *e);
void gemm_close(struct engine *g);
void gemm(struct engine *g, void *out, const bf16 *a, const bf16 *b,
          const void *add, const struct gemm_shape *shape);
/* A linear layer y = W x of m rows, w its number in the table: bf16, or with
 * res the fp32 sum of it and res. */
void linear(struct engine *g, void *y, const bf16 *x, const float *res, int w,
            int64_t m, int64_t ldy);
void linear_dx(struct engine *g, bf16 *dx, const bf16 *dy, int w, int64_t m,
               int64_t ldy);
void linear_dw(struct engine *g, const bf16 *dy, const bf16 *x, int w,
               int64_t m, int64_t ldy);

/* gang.cu: nothing happens in a gang of one. */
int gang_new_id(unsigned char id[ENGINE_ID_BYTES], struct err *e);
int gang_join_all(struct engine *g, const unsigned char id[ENGINE_ID_BYTES],
                  struct err *e);
void gang_close(struct engine *g);
/* Sum a bucket of the gradient, once what is queued on main is done. */
void gang_reduce(struct engine *g, const struct bucket *b);
/* main waits for the gang's stream. */
void gang_join(struct engine *g);
/* Sum n doubles on the device, in place, on main's time. */
void gang_sum(struct engine *g, double *x, int n);
/* Gather a flat array whose own chunks are in place. */
void gang_gather_weights(struct engine *g);
void gang_gather_floats(struct engine *g, float *flat);
/* Wait for both streams; -1 and a remembered error when a peer is gone. */
int gang_wait(struct engine *g);

#endif
