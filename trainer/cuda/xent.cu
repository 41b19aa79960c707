/* xent: cross entropy of bf16 logits, in place, some rows to a block.  A thread
 * keeps the maximum and the sum of exp of what it has seen, its row's join
 * them; logits are read twice and written once. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 256

/* Columns i .. i + 4 of a row; -inf, whose exp is 0, beyond column v. */
static __device__ __forceinline__ four columns(const bf16 *z, int i, int v)
{
    four a = load4(z + i);

    for (int k = 0; k < 4; k++)
        if (i + k >= v)
            a.v[k] = -INFINITY;
    return a;
}

static __global__ void __launch_bounds__(THREADS)
    xent_kernel(float *nats, bf16 *logits, const int32_t *target, int v,
                int64_t rows, int64_t ld, float scale, int grad)
{
    int64_t row = row_of_thread();
    bf16 *z = logits + row * ld;
    int at = static_cast<int>(threadIdx.x) * 4;
    int end = row < rows ? v : 0, t = end ? target[row] : 0;
    int each = static_cast<int>(blockDim.x) * 4;
    float max = -INFINITY, sum = 0, all, inv;

    for (int i = at; i < end; i += each) {
        four a = columns(z, i, v);
        float m = fmaxf(fmaxf(a.v[0], a.v[1]), fmaxf(a.v[2], a.v[3]));

        if (m > max) {
            sum *= __expf(max - m);
            max = m;
        }
        for (int k = 0; k < 4; k++)
            sum += __expf(a.v[k] - max);
    }
    all = block_max(max);
    /* A thread without columns has max = -inf and sum = 0. */
    sum = block_sum(at < end ? sum * __expf(max - all) : 0.0f);
    if (threadIdx.x == 0 && end)
        nats[row] = logf(sum) + all - __bfloat162float(z[t]);
    if (!grad)
        return;
    __syncthreads(); /* z[t] is read before it is written */
    inv = scale / sum;
    for (int i = at; i < end; i += each) {
        four a = columns(z, i, v);

        for (int k = 0; k < 4; k++)
            a.v[k] = inv * __expf(a.v[k] - all) - (i + k == t ? scale : 0.0f);
        store4(z + i, a);
    }
}

void cross_entropy(float *nats, bf16 *logits, const int32_t *target,
                   int64_t rows, int v, int64_t ld, float scale, int grad,
                   cudaStream_t s)
{
    dim3 block = block_for(v, THREADS, THREADS);

    LAUNCH(xent_kernel, grid_for(rows, block), block, 0, s, nats, logits,
           target, v, rows, ld, scale, grad);
}
