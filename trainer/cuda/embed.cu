/* embed: rows of a table, and their gradient.  The way back has one block for
 * each token that occurs: no two blocks write the same place.  Its groups of
 * threads take every n-th row, and their sums are added in order. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 128
#define BACK_THREADS 512
#define AHEAD 4 /* rows that are read before they are added */

static __global__ void __launch_bounds__(THREADS)
    embed_kernel(float *x, const bf16 *table, const int32_t *token,
                 int64_t rows, int c)
{
    int64_t row = row_of_thread(), from;

    if (row >= rows)
        return;
    from = token[row];
    for (int i = static_cast<int>(threadIdx.x) * 4; i < c;
         i += static_cast<int>(blockDim.x) * 4)
        store4(x + row * c + i, load4(table + from * c + i));
}

/* Columns i .. i + 4 of rows[begin], rows[begin + step], ... */
static __device__ __forceinline__ four rows_sum(const float *dx,
                                                const int32_t *rows, int begin,
                                                int end, int step, int i, int c)
{
    four sum = {{0, 0, 0, 0}}, d[AHEAD];
    int k = begin;

    for (; k + (AHEAD - 1) * step < end; k += AHEAD * step) {
        for (int a = 0; a < AHEAD; a++)
            d[a] = load4(dx + static_cast<int64_t>(rows[k + a * step]) * c + i);
        for (int a = 0; a < AHEAD; a++)
            add4(&sum, d[a]);
    }
    for (; k < end; k += step)
        add4(&sum, load4(dx + static_cast<int64_t>(rows[k]) * c + i));
    return sum;
}

/* blockDim.x threads for the columns, blockDim.y groups for the rows. */
static __global__ void __launch_bounds__(BACK_THREADS)
    embed_back_kernel(float *dtable, const float *dx, const int32_t *which,
                      const int32_t *first, const int32_t *rows, int c)
{
    SHARED(float, part, [BACK_THREADS * 4]);
    int64_t token = which[blockIdx.x];
    int begin = first[blockIdx.x], end = first[blockIdx.x + 1];
    int lane = static_cast<int>(threadIdx.x),
        group = static_cast<int>(threadIdx.y);
    int lanes = static_cast<int>(blockDim.x),
        groups = static_cast<int>(blockDim.y);

    if (begin >= end)
        return; /* there are fewer tokens than blocks */
    for (int i = lane * 4; i - lane * 4 < c; i += lanes * 4) {
        four sum = {{0, 0, 0, 0}};

        if (i < c)
            sum = rows_sum(dx, rows, begin + group, end, groups, i, c);
        store4(part + (group * lanes + lane) * 4, sum);
        __syncthreads();
        if (group == 0 && i < c) {
            for (int y = 1; y < groups; y++)
                add4(&sum, load4(part + (y * lanes + lane) * 4));
            add4(&sum, load4(dtable + token * c + i));
            store4(dtable + token * c + i, sum);
        }
        __syncthreads(); /* part is written again */
    }
}

void embed_forward(float *x, const bf16 *table, const int32_t *token,
                   int64_t rows, int c, cudaStream_t s)
{
    dim3 block = block_for(c, THREADS, THREADS);

    LAUNCH(embed_kernel, grid_for(rows, block), block, 0, s, x, table, token,
           rows, c);
}

void embed_backward(float *dtable, const float *dx, const int32_t *which,
                    const int32_t *first, const int32_t *row, int n, int c,
                    cudaStream_t s)
{
    unsigned lanes = threads_for(c, BACK_THREADS);

    LAUNCH(embed_back_kernel, dim3(static_cast<unsigned>(n)),
           dim3(lanes, BACK_THREADS / lanes), 0, s, dtable, dx, which, first,
           row, c);
}
