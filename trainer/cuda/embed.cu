/* embed: rows of a table, and their gradient.  The way back has one block for
 * each token that occurs, which adds up its rows in order: no two blocks write
 * the same place. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 128

static __global__ void __launch_bounds__(THREADS)
    embed_kernel(float *x, const bf16 *table, const int32_t *token, int c)
{
    int64_t row = blockIdx.x, from = token[row];

    for (int i = static_cast<int>(threadIdx.x) * 4; i < c;
         i += static_cast<int>(blockDim.x) * 4)
        store4(x + row * c + i, load4(table + from * c + i));
}

static __global__ void __launch_bounds__(THREADS)
    embed_back_kernel(float *dtable, const float *dx, const int32_t *which,
                      const int32_t *first, const int32_t *rows, int c)
{
    int64_t token = which[blockIdx.x];
    int begin = first[blockIdx.x], end = first[blockIdx.x + 1];

    if (begin >= end)
        return; /* there are fewer tokens than rows */
    for (int i = static_cast<int>(threadIdx.x) * 4; i < c;
         i += static_cast<int>(blockDim.x) * 4) {
        four sum = load4(dtable + token * c + i);

        for (int k = begin; k < end; k++) {
            four d = load4(dx + static_cast<int64_t>(rows[k]) * c + i);

            for (int j = 0; j < 4; j++)
                sum.v[j] += d.v[j];
        }
        store4(dtable + token * c + i, sum);
    }
}

void embed_forward(float *x, const bf16 *table, const int32_t *token,
                   int64_t rows, int c, cudaStream_t s)
{
    LAUNCH(embed_kernel, dim3(static_cast<unsigned>(rows)),
           dim3(threads_for(c, THREADS)), 0, s, x, table, token, c);
}

void embed_backward(float *dtable, const float *dx, const int32_t *which,
                    const int32_t *first, const int32_t *row, int n, int c,
                    cudaStream_t s)
{
    LAUNCH(embed_back_kernel, dim3(static_cast<unsigned>(n)),
           dim3(threads_for(c, THREADS)), 0, s, dtable, dx, which, first, row,
           c);
}
