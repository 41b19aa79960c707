/* cublaslt: the part of cuBLASLt that the engine uses, as loops.  It reads and
 * writes the described elements and no others, so that AddressSanitizer
 * checks every layout, and refuses what the library refuses. */
#include "internal.h"

#include <cstdio>
#include <cstdlib>
#include <cublasLt.h>
#include <vector>

struct Product {
    cublasComputeType_t compute;
    cublasOperation_t transa, transb;
};

struct Matrix {
    cudaDataType_t type;
    uint64_t rows, cols;
    int64_t ld;
    int32_t batch;
    int64_t stride;
};

static float element(const void *p, const Matrix &m, int64_t b, uint64_t i,
                     uint64_t j)
{
    size_t at =
        static_cast<size_t>(b * m.stride + static_cast<int64_t>(j) * m.ld) + i;

    if (m.type == CUDA_R_32F)
        return static_cast<const float *>(p)[at];
    return __bfloat162float(static_cast<const __nv_bfloat16 *>(p)[at]);
}

static void put(void *p, const Matrix &m, int64_t b, uint64_t i, uint64_t j,
                float v)
{
    size_t at =
        static_cast<size_t>(b * m.stride + static_cast<int64_t>(j) * m.ld) + i;

    if (m.type == CUDA_R_32F)
        static_cast<float *>(p)[at] = v;
    else
        static_cast<__nv_bfloat16 *>(p)[at] = __float2bfloat16_rn(v);
}

/* op(x) as floats, column by column of `inner` when by_column, else by row */
static std::vector<float> unpack(const void *p, const Matrix &m, int64_t b,
                                 bool trans)
{
    std::vector<float> out(m.rows * m.cols);

    for (uint64_t j = 0; j < m.cols; j++)
        for (uint64_t i = 0; i < m.rows; i++)
            out[trans ? i * m.cols + j : j * m.rows + i] =
                element(p, m, b, i, j);
    return out;
}

/* out[m, n], column-major, = a[m, k] b[k, n] */
static void multiply(float *out, const float *a, const float *b, uint64_t m,
                     uint64_t n, uint64_t k)
{
    for (uint64_t j = 0; j < n; j++) {
        float *o = out + j * m;

        for (uint64_t l = 0; l < k; l++) {
            float x = b[j * k + l];
            const float *c = a + l * m;

            for (uint64_t i = 0; i < m; i++)
                o[i] += c[i] * x;
        }
    }
}

static bool aligned(const void *p, const Matrix &m)
{
    size_t size = m.type == CUDA_R_32F ? 4 : 2;

    return reinterpret_cast<uintptr_t>(p) % 16 == 0 &&
           static_cast<size_t>(m.ld) * size % 16 == 0 &&
           static_cast<size_t>(m.stride) * size % 16 == 0;
}

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
    *h = static_cast<cublasLtHandle_t>(malloc(1));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
    free(h);
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasLtGetStatusString(cublasStatus_t)
{
    return "emulated";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d,
                                        cublasComputeType_t c,
                                        cudaDataType_t scale)
{
    if (c != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    *d = reinterpret_cast<cublasLtMatmulDesc_t>(
        new Product{c, CUBLAS_OP_N, CUBLAS_OP_N});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    delete reinterpret_cast<Product *>(d);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t a,
                                              const void *v, size_t n)
{
    Product *d = reinterpret_cast<Product *>(desc);

    if (n != sizeof d->transa)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (a == CUBLASLT_MATMUL_DESC_TRANSA)
        memcpy(&d->transa, v, n);
    else if (a == CUBLASLT_MATMUL_DESC_TRANSB)
        memcpy(&d->transb, v, n);
    else
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l,
                                          cudaDataType_t type, uint64_t rows,
                                          uint64_t cols, int64_t ld)
{
    if ((type != CUDA_R_32F && type != CUDA_R_16BF) ||
        ld < static_cast<int64_t>(rows))
        return CUBLAS_STATUS_INVALID_VALUE;
    *l = reinterpret_cast<cublasLtMatrixLayout_t>(
        new Matrix{type, rows, cols, ld, 1, 0});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    delete reinterpret_cast<Matrix *>(l);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                 cublasLtMatrixLayoutAttribute_t a,
                                 const void *v, size_t n)
{
    Matrix *m = reinterpret_cast<Matrix *>(layout);

    if (a == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && n == sizeof m->batch)
        memcpy(&m->batch, v, n);
    else if (a == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET &&
             n == sizeof m->stride)
        memcpy(&m->stride, v, n);
    else
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    *p = static_cast<cublasLtMatmulPreference_t>(malloc(1));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                     cublasLtMatmulPreferenceAttributes_t a,
                                     const void *, size_t)
{
    return a == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatmulPreference_t, int want,
    cublasLtMatmulHeuristicResult_t *result, int *found)
{
    if (want < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    memset(result, 0, sizeof *result);
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                              const void *alpha, const void *A,
                              cublasLtMatrixLayout_t la, const void *B,
                              cublasLtMatrixLayout_t lb, const void *beta,
                              const void *C, cublasLtMatrixLayout_t lc, void *D,
                              cublasLtMatrixLayout_t ld,
                              const cublasLtMatmulAlgo_t *, void *, size_t,
                              cudaStream_t stream)
{
    Product p = *reinterpret_cast<Product *>(desc);
    Matrix a = *reinterpret_cast<Matrix *>(la);
    Matrix b = *reinterpret_cast<Matrix *>(lb);
    Matrix c = *reinterpret_cast<Matrix *>(lc);
    Matrix d = *reinterpret_cast<Matrix *>(ld);
    bool ta = p.transa == CUBLAS_OP_T, tb = p.transb == CUBLAS_OP_T;
    uint64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols;
    uint64_t n = tb ? b.rows : b.cols;
    float x = *static_cast<const float *>(alpha);
    float y = *static_cast<const float *>(beta);

    if (k != (tb ? b.cols : b.rows) || d.rows != m || d.cols != n ||
        c.rows != m || c.cols != n || a.type != b.type || c.type != d.type ||
        a.batch != d.batch || b.batch != d.batch || c.batch != d.batch ||
        !aligned(A, a) || !aligned(B, b) || !aligned(C, c) || !aligned(D, d)) {
        fprintf(stderr, "cuemu: cublasLtMatmul refuses m %llu n %llu k %llu\n",
                static_cast<unsigned long long>(m),
                static_cast<unsigned long long>(n),
                static_cast<unsigned long long>(k));
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    cuemu::counts.gemms++;
    cuemu::counts.gemm_flops +=
        2.0 * static_cast<double>(m * n * k) * static_cast<double>(d.batch);
    cuemu::counts.gemm_bytes +=
        static_cast<double>(d.batch) *
        (2.0 * static_cast<double>(m * k + k * n) +
         (d.type == CUDA_R_32F ? 4.0 : 2.0) * static_cast<double>(m * n) *
             (y == 0 ? 1 : 2));
    cuemu::enqueue(stream, [=] {
        for (int64_t q = 0; q < d.batch; q++) {
            /* both as k columns of m, and n columns of k */
            std::vector<float> fa = unpack(A, a, q, ta);
            std::vector<float> fb = unpack(B, b, q, tb);
            std::vector<float> out(m * n);

            multiply(out.data(), fa.data(), fb.data(), m, n, k);
            for (uint64_t j = 0; j < n; j++)
                for (uint64_t i = 0; i < m; i++) {
                    float old = y == 0 ? 0 : y * element(C, c, q, i, j);

                    put(D, d, q, i, j, x * out[j * m + i] + old);
                }
        }
    });
    return CUBLAS_STATUS_SUCCESS;
}

} /* extern "C" */
