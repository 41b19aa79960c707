/* softmax: the causal attention weights of the materialised path, a block for
 * a row.  What lies beyond the diagonal is never read. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 128

static __global__ void __launch_bounds__(THREADS)
    softmax_kernel(bf16 *p, const float *score, float scale, int t)
{
    int64_t o = static_cast<int64_t>(blockIdx.x) * t;
    int n = static_cast<int>(blockIdx.x % static_cast<unsigned>(t)) + 1;
    int at = static_cast<int>(threadIdx.x);
    float max = -INFINITY, sum = 0;

    for (int j = at; j < n; j += THREADS)
        max = fmaxf(max, scale * score[o + j]);
    max = block_max(max);
    for (int j = at; j < n; j += THREADS)
        sum += __expf(scale * score[o + j] - max);
    sum = block_sum(sum);
    for (int j = at; j < t; j += THREADS)
        p[o + j] = __float2bfloat16_rn(
            j < n ? __expf(scale * score[o + j] - max) / sum : 0.0f);
}

static __global__ void __launch_bounds__(THREADS)
    softmax_back_kernel(bf16 *ds, const bf16 *p, const float *dp, float scale,
                        int t)
{
    int64_t o = static_cast<int64_t>(blockIdx.x) * t;
    int n = static_cast<int>(blockIdx.x % static_cast<unsigned>(t)) + 1;
    int at = static_cast<int>(threadIdx.x);
    float dot = 0;

    for (int j = at; j < n; j += THREADS)
        dot += __bfloat162float(p[o + j]) * dp[o + j];
    dot = block_sum(dot);
    for (int j = at; j < t; j += THREADS)
        ds[o + j] = __float2bfloat16_rn(
            j < n ? scale * __bfloat162float(p[o + j]) * (dp[o + j] - dot)
                  : 0.0f);
}

void softmax_forward(bf16 *p, const float *score, float scale, int64_t rows,
                     int t, cudaStream_t s)
{
    LAUNCH(softmax_kernel, dim3(static_cast<unsigned>(rows)), dim3(THREADS), 0,
           s, p, score, scale, t);
}

void softmax_backward(bf16 *ds, const bf16 *p, const float *dp, float scale,
                      int64_t rows, int t, cudaStream_t s)
{
    LAUNCH(softmax_back_kernel, dim3(static_cast<unsigned>(rows)),
           dim3(THREADS), 0, s, ds, p, dp, scale, t);
}
