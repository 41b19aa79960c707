/* block: what several kernels need inside a block: bf16 in fours, and sums
 * and maxima in one fixed order. */
#ifndef LOGLOG_TRAINER_CUDA_BLOCK_H
#define LOGLOG_TRAINER_CUDA_BLOCK_H

#include "trainer/cuda/port.h"

#define ALL_LANES 0xffffffffu

struct four {
    float v[4];
};

static __device__ __forceinline__ four load4(const float *p)
{
    float4 x = *reinterpret_cast<const float4 *>(p);

    return {{x.x, x.y, x.z, x.w}};
}

static __device__ __forceinline__ four load4(const __nv_bfloat16 *p)
{
    uint2 bits = *reinterpret_cast<const uint2 *>(p);
    __nv_bfloat16 x[4];

    memcpy(static_cast<void *>(x), &bits, sizeof x);
    return {{__bfloat162float(x[0]), __bfloat162float(x[1]),
             __bfloat162float(x[2]), __bfloat162float(x[3])}};
}

static __device__ __forceinline__ void add4(four *sum, four x)
{
    for (int k = 0; k < 4; k++)
        sum->v[k] += x.v[k];
}

static __device__ __forceinline__ void store4(float *p, four x)
{
    *reinterpret_cast<float4 *>(p) =
        make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
}

static __device__ __forceinline__ void store4(__nv_bfloat16 *p, four x)
{
    __nv_bfloat16 y[4];
    uint2 bits;

    for (int k = 0; k < 4; k++)
        y[k] = __float2bfloat16_rn(x.v[k]);
    memcpy(&bits, static_cast<const void *>(y), sizeof bits);
    *reinterpret_cast<uint2 *>(p) = bits;
}

/* Threads of a block that takes a row in fours: whole warps, no idle ones. */
static inline unsigned threads_for(int columns, unsigned most)
{
    unsigned n = (static_cast<unsigned>(columns) + 127) / 128 * 32;

    return n < most ? n : most;
}

/* A block for rows of so many columns: x for the columns, y for the rows. */
static inline dim3 block_for(int columns, unsigned lanes, unsigned threads)
{
    unsigned x = threads_for(columns, lanes);

    return dim3(x, threads / x);
}

static inline dim3 grid_for(int64_t rows, dim3 block)
{
    return dim3(static_cast<unsigned>((rows + block.y - 1) / block.y));
}

/* This thread's row, where blocks have several. */
static __device__ __forceinline__ int64_t row_of_thread()
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
}

template <class T> static __device__ __forceinline__ T warp_sum(T v)
{
    for (int x = 16; x; x >>= 1)
        v += __shfl_xor_sync(ALL_LANES, v, x);
    return v;
}

static __device__ __forceinline__ float warp_max(float v)
{
    for (int x = 16; x; x >>= 1)
        v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, x));
    return v;
}

/* Over the threads of a row of the block (threadIdx.y), whole warps; every
 * thread of the block calls and gets its row's result.  The last barrier lets
 * the next call write `part` again. */
template <class T> static __device__ __forceinline__ T block_sum(T v)
{
    SHARED(T, part, [32]);
    unsigned lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    unsigned first = threadIdx.y * warps;

    v = warp_sum(v);
    if (warps == 1)
        return v;
    if (lane == 0)
        part[first + (threadIdx.x >> 5)] = v;
    __syncthreads();
    v = lane < warps ? part[first + lane] : T(0);
    v = warp_sum(v);
    __syncthreads();
    return v;
}

static __device__ __forceinline__ float block_max(float v)
{
    SHARED(float, part, [32]);
    unsigned lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    unsigned first = threadIdx.y * warps;

    v = warp_max(v);
    if (warps == 1)
        return v;
    if (lane == 0)
        part[first + (threadIdx.x >> 5)] = v;
    __syncthreads();
    v = lane < warps ? part[first + lane] : -INFINITY;
    v = warp_max(v);
    __syncthreads();
    return v;
}

#endif
