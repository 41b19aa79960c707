/* gemm: matrix products by cuBLASLt.  A plan (descriptors and the library's
 * choice of algorithm) is made once for each shape and kept.  The library is
 * column-major: a row-major y[m, n] is its matrix of n rows and m columns. */
#include "trainer/cuda/engine_impl.h"

#include <string.h>

static int bad(struct engine *g, cublasStatus_t r, const char *what)
{
    if (r == CUBLAS_STATUS_SUCCESS)
        return 0;
    engine_fail(g, "cuBLASLt: %s: %s", what, cublasLtGetStatusString(r));
    return 1;
}

static int layout(struct engine *g, cublasLtMatrixLayout_t *l, int64_t fp32,
                  int64_t rows, int64_t cols, int64_t ld, int64_t batch,
                  int64_t stride)
{
    int32_t count = static_cast<int32_t>(batch);

    return bad(g,
               cublasLtMatrixLayoutCreate(l, fp32 ? CUDA_R_32F : CUDA_R_16BF,
                                          static_cast<uint64_t>(rows),
                                          static_cast<uint64_t>(cols), ld),
               "layout") ||
           bad(g,
               cublasLtMatrixLayoutSetAttribute(
                   *l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                   sizeof count),
               "batch") ||
           bad(g,
               cublasLtMatrixLayoutSetAttribute(
                   *l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                   sizeof stride),
               "stride");
}

/* The library's first choice for the plan. */
static int choose(struct engine *g, gemm_plan *p)
{
    cublasLtMatmulPreference_t want;
    cublasLtMatmulHeuristicResult_t best;
    size_t bytes = WORKSPACE;
    int found = 0, failed;

    if (bad(g, cublasLtMatmulPreferenceCreate(&want), "preference"))
        return 1;
    failed = bad(g,
                 cublasLtMatmulPreferenceSetAttribute(
                     want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                     sizeof bytes),
                 "workspace") ||
             bad(g,
                 cublasLtMatmulAlgoGetHeuristic(g->blas, p->product, p->a, p->b,
                                                p->out, p->out, want, 1, &best,
                                                &found),
                 "heuristic");
    cublasLtMatmulPreferenceDestroy(want);
    if (!failed && !found) {
        engine_fail(g, "cuBLASLt has no algorithm for %lld x %lld x %lld",
                    static_cast<long long>(p->shape.m),
                    static_cast<long long>(p->shape.n),
                    static_cast<long long>(p->shape.k));
        failed = 1;
    }
    if (!failed)
        p->algo = best.algo;
    return failed;
}

static gemm_plan *plan_of(struct engine *g, const struct gemm_shape *s)
{
    cublasOperation_t ta = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t tb = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    gemm_plan p = {};

    for (gemm_plan &old : g->plans)
        if (!memcmp(&old.shape, s, sizeof *s))
            return &old;
    p.shape = *s;
    if (bad(g,
            cublasLtMatmulDescCreate(&p.product, CUBLAS_COMPUTE_32F,
                                     CUDA_R_32F),
            "product") ||
        bad(g,
            cublasLtMatmulDescSetAttribute(
                p.product, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta),
            "transposition") ||
        bad(g,
            cublasLtMatmulDescSetAttribute(
                p.product, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb),
            "transposition") ||
        layout(g, &p.a, 0, s->ta ? s->k : s->m, s->ta ? s->m : s->k, s->lda,
               s->batch, s->stride_a) ||
        layout(g, &p.b, 0, s->tb ? s->n : s->k, s->tb ? s->k : s->n, s->ldb,
               s->batch, s->stride_b) ||
        layout(g, &p.out, s->out_fp32, s->m, s->n, s->ldo, s->batch,
               s->stride_o) ||
        choose(g, &p))
        return nullptr;
    g->plans.push_back(p);
    return &g->plans.back();
}

int gemm_open(struct engine *g, struct err *e)
{
    if (bad(g, cublasLtCreate(&g->blas), "create"))
        return err_set(e, ERR_ENV, "%s", g->first.text);
    return 0;
}

void gemm_close(struct engine *g)
{
    for (gemm_plan &p : g->plans) {
        cublasLtMatrixLayoutDestroy(p.a);
        cublasLtMatrixLayoutDestroy(p.b);
        cublasLtMatrixLayoutDestroy(p.out);
        cublasLtMatmulDescDestroy(p.product);
    }
    g->plans.clear();
    if (g->blas)
        cublasLtDestroy(g->blas);
}

void gemm(struct engine *g, void *out, const bf16 *a, const bf16 *b,
          const void *add, const struct gemm_shape *shape)
{
    const float one = 1, beta = add ? 1.0f : 0.0f;
    gemm_plan *p = g->failed ? nullptr : plan_of(g, shape);

    if (p)
        bad(g,
            cublasLtMatmul(g->blas, p->product, &one, a, p->a, b, p->b, &beta,
                           add ? add : out, p->out, out, p->out, &p->algo,
                           g->workspace, WORKSPACE, g->main),
            "product");
}

/* y[m, n] = x[m, k] W[n, k]^T + res */
void linear(struct engine *g, void *y, const bf16 *x, const float *res, int w,
            int64_t m, int64_t ldy)
{
    const struct param *p = tensor(g, w);
    struct gemm_shape s = {1,   0, p->rows, m, p->cols, p->cols,       p->cols,
                           ldy, 1, 0,       0, 0,       res != nullptr};

    gemm(g, y, g->w + p->offset, x, res, &s);
}

/* dx[m, k] = dy[m, n] W */
void linear_dx(struct engine *g, bf16 *dx, const bf16 *dy, int w, int64_t m,
               int64_t ldy)
{
    const struct param *p = tensor(g, w);
    struct gemm_shape s = {0,       0, p->cols, m, p->rows, p->cols, ldy,
                           p->cols, 1, 0,       0, 0,       0};

    gemm(g, dx, g->w + p->offset, dy, nullptr, &s);
}

/* dW[n, k] += dy[m, n]^T x[m, k] */
void linear_dw(struct engine *g, const bf16 *dy, const bf16 *x, int w,
               int64_t m, int64_t ldy)
{
    const struct param *p = tensor(g, w);
    struct gemm_shape s = {0,       1, p->cols, p->rows, m, p->cols, ldy,
                           p->cols, 1, 0,       0,       0, 1};
    float *dw = g->grad + p->offset;

    gemm(g, dw, x, dy, dw, &s);
}
