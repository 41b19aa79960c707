/* adamw: the optimiser's step, and the gradient norm in two passes. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 256
#define SQUARES 4096 /* floats of a block of the first pass */

static __global__ void __launch_bounds__(THREADS)
    adamw_kernel(float *p, float *m, float *v, bf16 *w, const float *g,
                 struct adamw_args a, int64_t n)
{
    int64_t i = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) * 4;
    four p4, m4, v4, g4;

    if (i >= n)
        return;
    p4 = load4(p + i);
    m4 = load4(m + i);
    v4 = load4(v + i);
    g4 = load4(g + i);
    for (int k = 0; k < 4; k++) {
        float d = g4.v[k] * a.grad_scale;

        m4.v[k] = a.beta1 * m4.v[k] + (1 - a.beta1) * d;
        v4.v[k] = a.beta2 * v4.v[k] + (1 - a.beta2) * d * d;
        p4.v[k] = a.decay * p4.v[k] -
                  a.rate * m4.v[k] / (sqrtf(v4.v[k]) * a.inv_sqrt + a.eps);
    }
    store4(p + i, p4);
    store4(m + i, m4);
    store4(v + i, v4);
    store4(w + i, p4);
}

static __global__ void __launch_bounds__(THREADS)
    squares_kernel(double *partial, const float *x, int64_t n)
{
    int64_t from = static_cast<int64_t>(blockIdx.x) * SQUARES;
    double sum = 0;

    for (int64_t i = from + threadIdx.x; i < from + SQUARES && i < n;
         i += THREADS)
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    squares_end_kernel(double *out, const double *partial, int64_t n)
{
    double sum = 0;

    for (int64_t i = threadIdx.x; i < n; i += THREADS)
        sum += partial[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *out = sum;
}

int64_t sum_squares_blocks(int64_t n)
{
    return (n + SQUARES - 1) / SQUARES;
}

void sum_squares(double *sum, double *partial, const float *x, int64_t n,
                 cudaStream_t s)
{
    int64_t blocks = sum_squares_blocks(n);

    LAUNCH(squares_kernel, dim3(static_cast<unsigned>(blocks)), dim3(THREADS),
           0, s, partial, x, n);
    LAUNCH(squares_end_kernel, dim3(1), dim3(THREADS), 0, s, sum, partial,
           blocks);
}

void adamw(float *p, float *m, float *v, bf16 *w, const float *g,
           struct adamw_args a, int64_t n, cudaStream_t s)
{
    int64_t blocks = (n / 4 + THREADS - 1) / THREADS;

    LAUNCH(adamw_kernel, dim3(static_cast<unsigned>(blocks)), dim3(THREADS), 0,
           s, p, m, v, w, g, a, n);
}
