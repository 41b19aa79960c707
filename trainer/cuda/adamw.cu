/* adamw: the optimiser's step, and the gradient norm in two passes, each in one
 * launch for all stretches. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 256
static_assert(ADAMW_FLOATS == 4 * THREADS, "a thread has four");

int64_t stretch_blocks(struct stretch *s, size_t n, int64_t floats)
{
    int64_t blocks = 0;

    for (size_t i = 0; i < n; i++) {
        s[i].first = blocks;
        blocks += (s[i].n + floats - 1) / floats;
    }
    return blocks;
}

/* The stretch that this block is of. */
static __device__ __forceinline__ struct stretch
stretch_of_block(const struct stretch *table, int n)
{
    int low = 0, high = n; /* the last of low .. high that begins by now */

    while (high - low > 1) {
        int mid = (low + high) / 2;

        if (table[mid].first <= static_cast<int64_t>(blockIdx.x))
            low = mid;
        else
            high = mid;
    }
    return table[low];
}

static __global__ void __launch_bounds__(THREADS)
    adamw_kernel(float *p, float *m, float *v, bf16 *w, const float *g,
                 struct adamw_args a, const struct stretch *table, int n)
{
    struct stretch s = stretch_of_block(table, n);
    int64_t i = (static_cast<int64_t>(blockIdx.x) - s.first) * ADAMW_FLOATS +
                static_cast<int64_t>(threadIdx.x) * 4;
    float decay = s.decays ? a.decay : 1.0f;
    four p4, m4, v4, g4;

    if (i >= s.n)
        return;
    p4 = load4(p + s.local + i);
    m4 = load4(m + s.local + i);
    v4 = load4(v + s.local + i);
    g4 = load4(g + s.at + i);
    for (int k = 0; k < 4; k++) {
        float d = g4.v[k] * a.grad_scale;

        m4.v[k] = a.beta1 * m4.v[k] + (1 - a.beta1) * d;
        v4.v[k] = a.beta2 * v4.v[k] + (1 - a.beta2) * d * d;
        p4.v[k] = decay * p4.v[k] -
                  a.rate * m4.v[k] / (sqrtf(v4.v[k]) * a.inv_sqrt + a.eps);
    }
    store4(p + s.local + i, p4);
    store4(m + s.local + i, m4);
    store4(v + s.local + i, v4);
    store4(w + s.at + i, p4);
}

static __global__ void __launch_bounds__(THREADS)
    squares_kernel(double *partial, const float *x, const struct stretch *table,
                   int n)
{
    struct stretch s = stretch_of_block(table, n);
    int64_t from =
        (static_cast<int64_t>(blockIdx.x) - s.first) * SQUARES_FLOATS;
    double sum = 0;

    for (int64_t i = from + threadIdx.x; i < from + SQUARES_FLOATS && i < s.n;
         i += THREADS)
        sum +=
            static_cast<double>(x[s.at + i]) * static_cast<double>(x[s.at + i]);
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    squares_end_kernel(double *out, const double *partial,
                       const struct stretch *table)
{
    struct stretch s = table[blockIdx.x];
    int64_t blocks = (s.n + SQUARES_FLOATS - 1) / SQUARES_FLOATS;
    double sum = 0;

    for (int64_t i = threadIdx.x; i < blocks; i += THREADS)
        sum += partial[s.first + i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        out[blockIdx.x] = sum;
}

void sum_squares(double *sum, double *partial, const float *x,
                 const struct stretch *table, int n, int64_t blocks,
                 cudaStream_t s)
{
    if (blocks)
        LAUNCH(squares_kernel, dim3(static_cast<unsigned>(blocks)),
               dim3(THREADS), 0, s, partial, x, table, n);
    LAUNCH(squares_end_kernel, dim3(static_cast<unsigned>(n)), dim3(THREADS), 0,
           s, sum, partial, table);
}

void adamw(float *p, float *m, float *v, bf16 *w, const float *g,
           struct adamw_args a, const struct stretch *table, int n,
           int64_t blocks, cudaStream_t s)
{
    if (blocks)
        LAUNCH(adamw_kernel, dim3(static_cast<unsigned>(blocks)), dim3(THREADS),
               0, s, p, m, v, w, g, a, table, n);
}
