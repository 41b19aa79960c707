/* tile: tiles of bf16 in shared memory and the tensor core, for flash_*.cu.
 *
 * A head of HEAD values has tiles of D = TILE_OF(HEAD) columns, those from HEAD
 * on zero, since the tensor core takes 16 at a time.
 *
 * A tile is rows of D values with 8 of padding, so that the eight rows of a
 * matrix that ldmatrix reads lie in different banks.  Fragments are those of
 * mma.sync.m16n8k16: with g = lane / 4 and t = lane % 4 a lane of the result
 * holds rows g (registers 0, 1) and g + 8 (2, 3) at columns 2t, 2t + 1. */
#ifndef LOGLOG_TRAINER_CUDA_TILE_H
#define LOGLOG_TRAINER_CUDA_TILE_H

#include "trainer/cuda/port.h"

#define TILE_PAD 8
#define TILE_OF(head) ((head) < 16 ? 16 : (head))
#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f

#ifdef __CUDACC__
/* d[16, 8] += a[16, 16] b[16, 8] */
static __device__ __forceinline__ void mma(float d[4], const uint32_t a[4],
                                           const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
}

template <bool TRANS>
static __device__ __forceinline__ void ldmatrix(uint32_t r[4], const void *row)
{
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));

    if (TRANS)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
                     "{%0,%1,%2,%3}, [%4];\n"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(at)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                     "{%0,%1,%2,%3}, [%4];\n"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(at)
                     : "memory");
}
#else
static inline void mma(float d[4], const uint32_t a[4], const uint32_t b[2],
                       CUEMU_SITE)
{
    ::cuemu::mma_m16n8k16_bf16(d, a, b, file, line);
}

template <bool TRANS>
static inline void ldmatrix(uint32_t r[4], const void *row, CUEMU_SITE)
{
    ::cuemu::ldmatrix_x4(r, row, TRANS, file, line);
}
#endif

/* The left operand, 16 rows of 16 columns at `at` in a tile. */
template <int D>
static __device__ __forceinline__ void load_a(uint32_t a[4],
                                              const __nv_bfloat16 *at)
{
    unsigned lane = threadIdx.x & 31;

    ldmatrix<false>(a, at + (lane & 15) * (D + TILE_PAD) + (lane >> 4) * 8);
}

/* Two right operands, for 16 columns n of the result, from a tile whose rows
 * are n and whose columns are the index k that is summed over. */
template <int D>
static __device__ __forceinline__ void load_b(uint32_t b[4],
                                              const __nv_bfloat16 *at)
{
    unsigned lane = threadIdx.x & 31;

    ldmatrix<false>(b, at + ((lane >> 4) * 8 + (lane & 7)) * (D + TILE_PAD) +
                           (lane >> 3 & 1) * 8);
}

/* The same where the rows of the tile are k and its columns n. */
template <int D>
static __device__ __forceinline__ void load_bt(uint32_t b[4],
                                               const __nv_bfloat16 *at)
{
    unsigned lane = threadIdx.x & 31;

    ldmatrix<true>(b, at + (lane & 15) * (D + TILE_PAD) + (lane >> 4) * 8);
}

static __device__ __forceinline__ uint32_t pack2(float low, float high)
{
    __nv_bfloat162 x = __floats2bfloat162_rn(low, high);
    uint32_t bits;

    memcpy(&bits, static_cast<const void *>(&x), sizeof bits);
    return bits;
}

/* A result of 16 x 16 as the left operand of the next product. */
static __device__ __forceinline__ void result_as_a(uint32_t a[4],
                                                   const float d[2][4])
{
    a[0] = pack2(d[0][0], d[0][1]);
    a[1] = pack2(d[0][2], d[0][3]);
    a[2] = pack2(d[1][0], d[1][1]);
    a[3] = pack2(d[1][2], d[1][3]);
}

/* Rows [row, row + ROWS) of src, HEAD columns of leading dimension ld, into a
 * tile; zero from row `end` on.  All THREADS threads call; barriers are the
 * caller's. */
template <int HEAD, int ROWS, int THREADS>
static __device__ __forceinline__ void load_tile(__nv_bfloat16 *tile,
                                                 const __nv_bfloat16 *src,
                                                 int64_t ld, int row, int end)
{
    constexpr int D = TILE_OF(HEAD);

    for (int i = static_cast<int>(threadIdx.x); i < ROWS * D / 8;
         i += THREADS) {
        int r = i / (D / 8), c = i % (D / 8) * 8;
        uint4 v = make_uint4(0, 0, 0, 0);

        if (row + r < end && c < HEAD)
            v = *reinterpret_cast<const uint4 *>(
                src + static_cast<int64_t>(row + r) * ld + c);
        *reinterpret_cast<uint4 *>(tile + r * (D + TILE_PAD) + c) = v;
    }
}

/* A left operand straight from memory: rows r0 and r0 + 8, columns from c;
 * zero from row `end` and column HEAD on. */
template <int HEAD>
static __device__ __forceinline__ void
global_a(uint32_t a[4], const __nv_bfloat16 *src, int64_t ld, int r0, int c,
         int end)
{
    int column = c + static_cast<int>(threadIdx.x & 3) * 2;

    for (int i = 0; i < 4; i++) {
        int r = r0 + (i & 1) * 8;

        a[i] = r < end && c + (i >> 1) * 8 < HEAD
                   ? *reinterpret_cast<const uint32_t *>(
                         src + static_cast<int64_t>(r) * ld + column +
                         (i >> 1) * 8)
                   : 0u;
    }
}

/* Rows of results: N tiles of 8 columns, rows r0 and r0 + 8, scaled. */
template <int N>
static __device__ __forceinline__ void store_rows(__nv_bfloat16 *to, int64_t ld,
                                                  const float d[N][4], float s0,
                                                  float s1, int r0, int end)
{
    int column = static_cast<int>(threadIdx.x & 3) * 2;

    for (int n = 0; n < N; n++) {
        __nv_bfloat16 *p = to + static_cast<int64_t>(r0) * ld + n * 8 + column;

        if (r0 < end)
            *reinterpret_cast<uint32_t *>(p) =
                pack2(d[n][0] * s0, d[n][1] * s0);
        if (r0 + 8 < end)
            *reinterpret_cast<uint32_t *>(p + 8 * ld) =
                pack2(d[n][2] * s1, d[n][3] * s1);
    }
}

#endif
