/* rmsnorm: a block for a row.  With u = x rstd and s = mean(g dy u):
 *   dx += rstd (g dy - u s),  dg += dy u
 * The gradient of g is summed over the rows that a block takes, by the thread
 * that owns the column, and then over blocks in order. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 128

static __global__ void __launch_bounds__(THREADS)
    rmsnorm_kernel(bf16 *y, float *rstd, const float *x, const bf16 *g,
                   float eps, int c)
{
    const float *xr = x + static_cast<int64_t>(blockIdx.x) * c;
    bf16 *yr = y + static_cast<int64_t>(blockIdx.x) * c;
    int at = static_cast<int>(threadIdx.x) * 4;
    int each = static_cast<int>(blockDim.x) * 4;
    float sum = 0, r;

    for (int i = at; i < c; i += each) {
        four a = load4(xr + i);

        for (int k = 0; k < 4; k++)
            sum += a.v[k] * a.v[k];
    }
    r = rsqrtf(block_sum(sum) / static_cast<float>(c) + eps);
    if (threadIdx.x == 0)
        rstd[blockIdx.x] = r;
    for (int i = at; i < c; i += each) {
        four a = load4(xr + i), b = load4(g + i);

        for (int k = 0; k < 4; k++)
            a.v[k] *= r * b.v[k];
        store4(yr + i, a);
    }
}

static __global__ void __launch_bounds__(THREADS)
    rmsnorm_back_kernel(float *dx, bf16 *dx16, bf16 *y, float *partial,
                        const bf16 *dy, const float *x, const bf16 *g,
                        const float *rstd, int add, int64_t rows, int c)
{
    DYN_SHARED(float, dg); /* [c]; a column belongs to one thread */
    int at = static_cast<int>(threadIdx.x) * 4;
    int each = static_cast<int>(blockDim.x) * 4;

    for (int i = at; i < c; i += each)
        store4(dg + i, {{0, 0, 0, 0}});
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
        int64_t o = row * c;
        float r = rstd[row], s = 0;

        for (int i = at; i < c; i += each) {
            four a = load4(x + o + i), b = load4(g + i), d = load4(dy + o + i);

            for (int k = 0; k < 4; k++)
                s += d.v[k] * b.v[k] * a.v[k];
        }
        s = block_sum(s) * r / static_cast<float>(c);
        for (int i = at; i < c; i += each) {
            four a = load4(x + o + i), b = load4(g + i), d = load4(dy + o + i);
            four out = {{0, 0, 0, 0}}, sum = load4(dg + i);

            if (add)
                out = load4(dx + o + i);
            for (int k = 0; k < 4; k++) {
                float u = a.v[k] * r;

                out.v[k] += r * (d.v[k] * b.v[k] - u * s);
                sum.v[k] += d.v[k] * u;
                a.v[k] = u * b.v[k];
            }
            store4(dx + o + i, out);
            store4(dx16 + o + i, out);
            store4(y + o + i, a);
            store4(dg + i, sum);
        }
    }
    for (int i = at; i < c; i += each)
        store4(partial + static_cast<int64_t>(blockIdx.x) * c + i,
               load4(dg + i));
}

/* dg[c] += partial[blocks, c], block by block */
static __global__ void __launch_bounds__(THREADS)
    column_sum_kernel(float *dg, const float *partial, int blocks, int c)
{
    int i = static_cast<int>(blockIdx.x * THREADS + threadIdx.x);
    float sum;

    if (i >= c)
        return;
    sum = 0;
    for (int b = 0; b < blocks; b++)
        sum += partial[static_cast<int64_t>(b) * c + i];
    dg[i] += sum;
}

void rmsnorm_forward(bf16 *y, float *rstd, const float *x, const bf16 *g,
                     float eps, int64_t rows, int c, cudaStream_t s)
{
    LAUNCH(rmsnorm_kernel, dim3(static_cast<unsigned>(rows)),
           dim3(threads_for(c, THREADS)), 0, s, y, rstd, x, g, eps, c);
}

void rmsnorm_backward(float *dx, bf16 *dx16, float *dg, bf16 *y, float *partial,
                      const bf16 *dy, const float *x, const bf16 *g,
                      const float *rstd, int add, int64_t rows, int c,
                      cudaStream_t s)
{
    int blocks = rows < NORM_BLOCKS ? static_cast<int>(rows) : NORM_BLOCKS;
    unsigned columns = static_cast<unsigned>((c + THREADS - 1) / THREADS);

    LAUNCH(rmsnorm_back_kernel, dim3(static_cast<unsigned>(blocks)),
           dim3(threads_for(c, THREADS)),
           static_cast<size_t>(c) * sizeof(float), s, dx, dx16, y, partial, dy,
           x, g, rstd, add, rows, c);
    LAUNCH(column_sum_kernel, dim3(columns), dim3(THREADS), 0, s, dg, partial,
           blocks, c);
}
