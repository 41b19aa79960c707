/* rmsnorm: as many threads for a row as it has columns for, and as many rows
 * to a block as it has room for.  With u = x rstd and s = mean(g dy u):
 *   dx += rstd (g dy - u s),  dg += dy u
 * The gradient of g is summed over the rows that a thread takes, then over the
 * rows of a block at a time, and then over blocks, always in order. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define LANES 128
#define THREADS 256
#define SUM_WARPS 8

static __global__ void __launch_bounds__(THREADS)
    rmsnorm_kernel(bf16 *y, float *rstd, const float *x, const bf16 *g,
                   float eps, int64_t rows, int c)
{
    int64_t row = row_of_thread(), o = row * c;
    int end = row < rows ? c : 0;
    int at = static_cast<int>(threadIdx.x) * 4;
    int each = static_cast<int>(blockDim.x) * 4;
    float sum = 0, r;

    for (int i = at; i < end; i += each) {
        four a = load4(x + o + i);

        for (int k = 0; k < 4; k++)
            sum += a.v[k] * a.v[k];
    }
    r = rsqrtf(block_sum(sum) / static_cast<float>(c) + eps);
    if (threadIdx.x == 0 && row < rows)
        rstd[row] = r;
    for (int i = at; i < end; i += each) {
        four a = load4(x + o + i), b = load4(g + i);

        for (int k = 0; k < 4; k++)
            a.v[k] *= r * b.v[k];
        store4(y + o + i, a);
    }
}

static __global__ void __launch_bounds__(THREADS)
    rmsnorm_back_kernel(float *dx, bf16 *dx16, bf16 *y, float *partial,
                        const bf16 *dy, const float *x, const bf16 *g,
                        const float *rstd, int add, int64_t rows, int c)
{
    DYN_SHARED(float, all);                              /* [blockDim.y][c] */
    float *dg = all + static_cast<int>(threadIdx.y) * c; /* a thread's columns
                                                            are its own */
    int at = static_cast<int>(threadIdx.x) * 4;
    int each = static_cast<int>(blockDim.x) * 4;
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.y;

    for (int i = at; i < c; i += each)
        store4(dg + i, {{0, 0, 0, 0}});
    for (int64_t row = row_of_thread(); row - threadIdx.y < rows;
         row += stride) {
        int64_t o = row * c;
        int end = row < rows ? c : 0;
        float r = end ? rstd[row] : 0, s = 0;

        for (int i = at; i < end; i += each) {
            four a = load4(x + o + i), b = load4(g + i), d = load4(dy + o + i);

            for (int k = 0; k < 4; k++)
                s += d.v[k] * b.v[k] * a.v[k];
        }
        s = block_sum(s) * r / static_cast<float>(c);
        for (int i = at; i < end; i += each) {
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
    __syncthreads(); /* the sums of all rows are there */
    if (threadIdx.y)
        return;
    for (int i = at; i < c; i += each) {
        four sum = load4(dg + i);

        for (int row = 1; row < static_cast<int>(blockDim.y); row++)
            add4(&sum, load4(all + row * c + i));
        store4(partial + static_cast<int64_t>(blockIdx.x) * c + i, sum);
    }
}

/* dg[c] += partial[blocks, c], a warp's width of columns to a block.  Warp w
 * sums blocks w, w + WARPS, ..., then the first adds what the warps have. */
static __global__ void __launch_bounds__(SUM_WARPS * 32)
    column_sum_kernel(float *dg, const float *partial, int blocks, int c)
{
    SHARED(float, part, [SUM_WARPS * 32]);
    int lane = static_cast<int>(threadIdx.x & 31);
    int warp = static_cast<int>(threadIdx.x >> 5);
    int i = static_cast<int>(blockIdx.x) * 32 + lane;
    float sum = 0;

    if (i < c)
        for (int b = warp; b < blocks; b += SUM_WARPS)
            sum += partial[static_cast<int64_t>(b) * c + i];
    part[threadIdx.x] = sum;
    __syncthreads();
    if (warp || i >= c)
        return;
    for (int w = 1; w < SUM_WARPS; w++)
        sum += part[w * 32 + lane];
    dg[i] += sum;
}

void rmsnorm_forward(bf16 *y, float *rstd, const float *x, const bf16 *g,
                     float eps, int64_t rows, int c, cudaStream_t s)
{
    dim3 block = block_for(c, LANES, THREADS);

    LAUNCH(rmsnorm_kernel, grid_for(rows, block), block, 0, s, y, rstd, x, g,
           eps, rows, c);
}

void rmsnorm_backward(float *dx, bf16 *dx16, float *dg, bf16 *y, float *partial,
                      const bf16 *dy, const float *x, const bf16 *g,
                      const float *rstd, int add, int64_t rows, int c,
                      cudaStream_t s)
{
    int blocks = rows < NORM_BLOCKS ? static_cast<int>(rows) : NORM_BLOCKS;
    unsigned columns = static_cast<unsigned>((c + 31) / 32);
    dim3 block = block_for(c, LANES, THREADS);

    while (block.y * static_cast<unsigned>(c) > NORM_MAX_C)
        block.y /= 2; /* what shared memory holds */
    LAUNCH(rmsnorm_back_kernel, dim3(static_cast<unsigned>(blocks)), block,
           block.y * static_cast<size_t>(c) * sizeof(float), s, dx, dx16, y,
           partial, dy, x, g, rstd, add, rows, c);
    LAUNCH(column_sum_kernel, dim3(columns), dim3(SUM_WARPS * 32), 0, s, dg,
           partial, blocks, c);
}
