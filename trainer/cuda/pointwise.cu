/* pointwise: RoPE and SwiGLU, a thread for four pairs of components or for four
 * columns. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"

#define THREADS 256

static unsigned blocks_of(int64_t n)
{
    return static_cast<unsigned>((n + THREADS - 1) / THREADS);
}

static __device__ __forceinline__ int64_t thread_index()
{
    return static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
}

static __global__ void __launch_bounds__(THREADS)
    rope_kernel(bf16 *x, const float2 *turn, float sign, int64_t n, int64_t ld,
                int heads, int pairs, int seq_len)
{
    int64_t k = thread_index() * 4, row;
    int i, h;
    four a, b, c, s;
    const float2 *t;
    bf16 *p;

    if (k >= n)
        return;
    i = static_cast<int>(k % pairs);
    h = static_cast<int>(k / pairs % heads);
    row = k / pairs / heads;
    p = x + row * ld + static_cast<int64_t>(h) * 2 * pairs + i;
    t = turn + row % seq_len * pairs + i;
    a = load4(p);
    b = load4(p + pairs);
    for (int j = 0; j < 4; j++) {
        float y = sign * t[j].y;

        c.v[j] = a.v[j] * t[j].x - b.v[j] * y;
        s.v[j] = a.v[j] * y + b.v[j] * t[j].x;
    }
    store4(p, c);
    store4(p + pairs, s);
}

static __global__ void __launch_bounds__(THREADS)
    swiglu_kernel(bf16 *act, const bf16 *gu, int64_t n, int f)
{
    int64_t k = thread_index() * 4, row = k / f;
    four gate, up;

    if (k >= n)
        return;
    gate = load4(gu + k + row * f);
    up = load4(gu + k + row * f + f);
    for (int j = 0; j < 4; j++)
        gate.v[j] = gate.v[j] / (1 + __expf(-gate.v[j])) * up.v[j];
    store4(act + k, gate);
}

static __global__ void __launch_bounds__(THREADS)
    swiglu_back_kernel(bf16 *dgu, bf16 *act, const bf16 *dact, const bf16 *gu,
                       int64_t n, int f)
{
    int64_t k = thread_index() * 4, row = k / f;
    four gate, up, d, out;

    if (k >= n)
        return;
    gate = load4(gu + k + row * f);
    up = load4(gu + k + row * f + f);
    d = load4(dact + k);
    for (int j = 0; j < 4; j++) {
        float g = gate.v[j], u = up.v[j], s = 1 / (1 + __expf(-g));

        out.v[j] = g * s * u;
        gate.v[j] = d.v[j] * u * s * (1 + g * (1 - s));
        up.v[j] = d.v[j] * g * s;
    }
    store4(act + k, out);
    store4(dgu + k + row * f, gate);
    store4(dgu + k + row * f + f, up);
}

static __global__ void __launch_bounds__(THREADS)
    to_bf16_kernel(bf16 *w, const float *p, int64_t n)
{
    int64_t k = thread_index() * 4;

    if (k < n)
        store4(w + k, load4(p + k));
}

static __global__ void __launch_bounds__(THREADS)
    copy_columns_kernel(bf16 *w, int64_t ld, const float *p, int64_t n,
                        int columns)
{
    int64_t k = thread_index() * 4;

    if (k < n)
        store4(w + k / columns * ld + k % columns, load4(p + k));
}

static __global__ void __launch_bounds__(THREADS)
    row_sums_kernel(double *sum, const float *nats, int n)
{
    const float *x = nats + static_cast<int64_t>(blockIdx.x) * n;
    double s = 0;

    for (int i = static_cast<int>(threadIdx.x); i < n; i += THREADS)
        s += static_cast<double>(x[i]);
    s = block_sum(s);
    if (threadIdx.x == 0)
        sum[blockIdx.x] = s;
}

void rope(bf16 *x, const float2 *turn, float sign, int64_t rows, int64_t ld,
          int heads, int head_dim, int seq_len, cudaStream_t s)
{
    int64_t n = rows * heads * (head_dim / 2);

    LAUNCH(rope_kernel, dim3(blocks_of(n / 4)), dim3(THREADS), 0, s, x, turn,
           sign, n, ld, heads, head_dim / 2, seq_len);
}

void swiglu_forward(bf16 *act, const bf16 *gu, int64_t rows, int f,
                    cudaStream_t s)
{
    int64_t n = rows * f;

    LAUNCH(swiglu_kernel, dim3(blocks_of(n / 4)), dim3(THREADS), 0, s, act, gu,
           n, f);
}

void swiglu_backward(bf16 *dgu, bf16 *act, const bf16 *dact, const bf16 *gu,
                     int64_t rows, int f, cudaStream_t s)
{
    int64_t n = rows * f;

    LAUNCH(swiglu_back_kernel, dim3(blocks_of(n / 4)), dim3(THREADS), 0, s, dgu,
           act, dact, gu, n, f);
}

void to_bf16(bf16 *w, const float *p, int64_t n, cudaStream_t s)
{
    LAUNCH(to_bf16_kernel, dim3(blocks_of(n / 4)), dim3(THREADS), 0, s, w, p,
           n);
}

void copy_columns(bf16 *w, int64_t ld, const float *p, int64_t rows,
                  int columns, cudaStream_t s)
{
    int64_t n = rows * columns;

    LAUNCH(copy_columns_kernel, dim3(blocks_of(n / 4)), dim3(THREADS), 0, s, w,
           ld, p, n, columns);
}

void row_sums(double *sum, const float *nats, int64_t rows, int n,
              cudaStream_t s)
{
    LAUNCH(row_sums_kernel, dim3(static_cast<unsigned>(rows)), dim3(THREADS), 0,
           s, sum, nats, n);
}
