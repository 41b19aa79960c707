/* flash_bwd: the way back of flash_fwd, in three kernels without atomics:
 * dot = sum dout o of each row; dq by blocks of queries over their keys; dk
 * and dv by blocks of keys over the queries of all heads of their group.  With
 * s the scaled score, p = exp(s - lse), dp_ij = dout_i . v_j:
 *   ds = p (dp - dot),  dq = scale ds k,  dk = scale ds^T q,  dv = p^T dout
 * Scores are made again, twice: that is cheaper than sums in an order that
 * changes from run to run. */
#include "trainer/cuda/block.h"
#include "trainer/cuda/kernels.h"
#include "trainer/cuda/tile.h"

#define WARPS 4
#define THREADS (WARPS * 32)
#define ROWS (WARPS * 16) /* queries or keys of a block */

/* A thread for eight values of n, its neighbours (row, head) by head. */
static __global__ void __launch_bounds__(THREADS)
    dot_kernel(float *dot, const bf16 *dout, const bf16 *o, int64_t n,
               int seq_len, int n_head, int head_dim)
{
    int64_t at = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) * 8;
    int64_t row = at / head_dim / n_head, h = at / head_dim % n_head;
    float sum = 0;

    for (int i = 0; i < 8 && at < n; i += 4) {
        four a = load4(dout + at + i), b = load4(o + at + i);

        for (int k = 0; k < 4; k++)
            sum += a.v[k] * b.v[k];
    }
    for (int x = head_dim / 16; x; x >>= 1)
        sum += __shfl_xor_sync(ALL_LANES, sum, x);
    if (at < n && at % head_dim == 0)
        dot[(row / seq_len * n_head + h) * seq_len + row % seq_len] = sum;
}

/* d[16, 16] = a[16, D] b^T, b a tile of 16 rows */
template <int D>
static __device__ __forceinline__ void
product(float d[2][4], const uint32_t a[D / 16][4], const bf16 *b)
{
    for (int x = 0; x < 4; x++)
        d[0][x] = d[1][x] = 0;
#pragma unroll
    for (int c = 0; c < D / 16; c++) {
        uint32_t w[4];

        load_b<D>(w, b + c * 16);
        mma(d[0], a[c], w);
        mma(d[1], a[c], w + 2);
    }
}

/* The same with both in tiles. */
template <int D>
static __device__ __forceinline__ void
tile_product(float d[2][4], const bf16 *a, const bf16 *b)
{
    for (int x = 0; x < 4; x++)
        d[0][x] = d[1][x] = 0;
#pragma unroll
    for (int c = 0; c < D / 16; c++) {
        uint32_t u[4], w[4];

        load_a<D>(u, a + c * 16);
        load_b<D>(w, b + c * 16);
        mma(d[0], u, w);
        mma(d[1], u, w + 2);
    }
}

/* acc[16, D] += a[16, 16] b, b a tile of 16 rows */
template <int D>
static __device__ __forceinline__ void
accumulate(float acc[D / 8][4], const float a[2][4], const bf16 *b)
{
    uint32_t u[4];

    result_as_a(u, a);
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
        uint32_t w[4];

        load_bt<D>(w, b + n * 8);
        mma(acc[n], u, w);
        mma(acc[n + 1], u, w + 2);
    }
}

template <int HEAD, int KEYS>
static __global__ void __launch_bounds__(THREADS, 2)
    flash_dq_kernel(bf16 *dqkv, const bf16 *dout, const float *lse,
                    const float *dot, const bf16 *qkv, int seq_len, int n_head,
                    int n_kv_head, float scale)
{
    constexpr int D = TILE_OF(HEAD);
    SHARED(bf16, k, [KEYS * (D + TILE_PAD)]);
    SHARED(bf16, v, [KEYS * (D + TILE_PAD)]);
    int h = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
    int group = h / (n_head / n_kv_head), lane = threadIdx.x & 31;
    int q0 = static_cast<int>(blockIdx.x) * ROWS;
    int r0 = q0 + static_cast<int>(threadIdx.x >> 5) * 16 + (lane >> 2);
    int64_t ld = static_cast<int64_t>(n_head + 2 * n_kv_head) * HEAD;
    int64_t from = static_cast<int64_t>(b) * seq_len;
    const bf16 *row = qkv + from * ld;
    int end = q0 + ROWS < seq_len ? q0 + ROWS : seq_len;
    float acc[D / 8][4] = {}, l[2] = {}, t[2] = {};
    uint32_t q[D / 16][4], d[D / 16][4];

#pragma unroll
    for (int c = 0; c < D / 16; c++) {
        global_a<HEAD>(q[c], row + static_cast<int64_t>(h) * HEAD, ld, r0,
                       c * 16, seq_len);
        global_a<HEAD>(d[c], dout + (from * n_head + h) * HEAD,
                       static_cast<int64_t>(n_head) * HEAD, r0, c * 16,
                       seq_len);
    }
    for (int i = 0; i < 2; i++)
        if (r0 + i * 8 < seq_len) {
            int64_t at = (static_cast<int64_t>(b) * n_head + h) * seq_len + r0;

            l[i] = lse[at + i * 8] * LOG2E;
            t[i] = dot[at + i * 8];
        }
    for (int k0 = 0; k0 < end; k0 += KEYS) {
        __syncthreads(); /* the last tile is no longer read */
        load_tile<HEAD, KEYS, THREADS>(k, row + (n_head + group) * HEAD, ld, k0,
                                       seq_len);
        load_tile<HEAD, KEYS, THREADS>(
            v, row + (n_head + n_kv_head + group) * HEAD, ld, k0, seq_len);
        __syncthreads(); /* the tiles are whole */
        for (int c = 0; c < KEYS; c += 16) {
            float s[2][4], dp[2][4];

            product<D>(s, q, k + c * (D + TILE_PAD));
            product<D>(dp, d, v + c * (D + TILE_PAD));
            for (int x = 0; x < 8; x++) {
                int key = k0 + c + (x >> 2) * 8 + (lane & 3) * 2 + (x & 1);
                int i = x >> 1 & 1;
                float *p = &s[x >> 2][x & 3];

                *p = key <= r0 + i * 8 ? exp2f(*p * scale * LOG2E - l[i]) *
                                             (dp[x >> 2][x & 3] - t[i])
                                       : 0.0f;
            }
            accumulate<D>(acc, s, k + c * (D + TILE_PAD));
        }
    }
    store_rows<HEAD / 8>(dqkv + from * ld + static_cast<int64_t>(h) * HEAD, ld,
                         acc, scale, scale, r0, seq_len);
}

template <int HEAD, int QUERIES>
static __global__ void __launch_bounds__(THREADS, 2)
    flash_dkv_kernel(bf16 *dqkv, const bf16 *dout, const float *lse,
                     const float *dot, const bf16 *qkv, int seq_len, int n_head,
                     int n_kv_head, float scale)
{
    constexpr int D = TILE_OF(HEAD);
    SHARED(bf16, k, [ROWS * (D + TILE_PAD)]);
    SHARED(bf16, v, [ROWS * (D + TILE_PAD)]);
    SHARED(bf16, q, [QUERIES * (D + TILE_PAD)]);
    SHARED(bf16, d, [QUERIES * (D + TILE_PAD)]);
    SHARED(float, l, [QUERIES]);
    SHARED(float, t, [QUERIES]);
    int group = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
    int heads = n_head / n_kv_head, lane = threadIdx.x & 31;
    int k0 = static_cast<int>(blockIdx.x) * ROWS;
    int mine = static_cast<int>(threadIdx.x >> 5) * 16; /* first key */
    int r0 = k0 + mine + (lane >> 2);
    int64_t ld = static_cast<int64_t>(n_head + 2 * n_kv_head) * HEAD;
    int64_t from = static_cast<int64_t>(b) * seq_len;
    const bf16 *row = qkv + from * ld;
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};
    bf16 *out = dqkv + from * ld + static_cast<int64_t>(n_head + group) * HEAD;

    load_tile<HEAD, ROWS, THREADS>(k, row + (n_head + group) * HEAD, ld, k0,
                                   seq_len);
    load_tile<HEAD, ROWS, THREADS>(v, row + (n_head + n_kv_head + group) * HEAD,
                                   ld, k0, seq_len);
    for (int h = group * heads; h < (group + 1) * heads; h++) {
        int64_t stat = (static_cast<int64_t>(b) * n_head + h) * seq_len;

        for (int q0 = k0; q0 < seq_len; q0 += QUERIES) {
            __syncthreads(); /* the last tile is no longer read */
            load_tile<HEAD, QUERIES, THREADS>(
                q, row + static_cast<int64_t>(h) * HEAD, ld, q0, seq_len);
            load_tile<HEAD, QUERIES, THREADS>(
                d, dout + (from * n_head + h) * HEAD,
                static_cast<int64_t>(n_head) * HEAD, q0, seq_len);
            for (int i = static_cast<int>(threadIdx.x); i < QUERIES;
                 i += THREADS) {
                l[i] = q0 + i < seq_len ? lse[stat + q0 + i] * LOG2E : 0.0f;
                t[i] = q0 + i < seq_len ? dot[stat + q0 + i] : 0.0f;
            }
            __syncthreads(); /* the tiles are whole */
            for (int c = 0; c < QUERIES; c += 16) {
                float s[2][4], dp[2][4];

                tile_product<D>(s, k + mine * (D + TILE_PAD),
                                q + c * (D + TILE_PAD));
                tile_product<D>(dp, v + mine * (D + TILE_PAD),
                                d + c * (D + TILE_PAD));
                for (int x = 0; x < 8; x++) {
                    int i = c + (x >> 2) * 8 + (lane & 3) * 2 + (x & 1);
                    int key = r0 + (x >> 1 & 1) * 8;
                    float *p = &s[x >> 2][x & 3], *e = &dp[x >> 2][x & 3];

                    *p = key <= q0 + i && q0 + i < seq_len
                             ? exp2f(*p * scale * LOG2E - l[i])
                             : 0.0f;
                    *e = *p * (*e - t[i]);
                }
                accumulate<D>(dv, s, d + c * (D + TILE_PAD));
                accumulate<D>(dk, dp, q + c * (D + TILE_PAD));
            }
        }
    }
    store_rows<HEAD / 8>(out, ld, dk, scale, scale, r0, seq_len);
    store_rows<HEAD / 8>(out + static_cast<int64_t>(n_kv_head) * HEAD, ld, dv,
                         1, 1, r0, seq_len);
}

template <int HEAD, int TILE>
static void backward(bf16 *dqkv, const bf16 *dout, const float *lse,
                     const float *dot, const bf16 *qkv, struct flash_shape f,
                     cudaStream_t s)
{
    unsigned tiles = static_cast<unsigned>((f.seq_len + ROWS - 1) / ROWS);
    unsigned batch = static_cast<unsigned>(f.batch);
    float scale = 1 / sqrtf(static_cast<float>(HEAD));

    LAUNCH((flash_dq_kernel < HEAD, TILE < 32 ? 32 : TILE >),
           dim3(tiles, static_cast<unsigned>(f.n_head), batch), dim3(THREADS),
           0, s, dqkv, dout, lse, dot, qkv, f.seq_len, f.n_head, f.n_kv_head,
           scale);
    LAUNCH((flash_dkv_kernel<HEAD, TILE>),
           dim3(tiles, static_cast<unsigned>(f.n_kv_head), batch),
           dim3(THREADS), 0, s, dqkv, dout, lse, dot, qkv, f.seq_len, f.n_head,
           f.n_kv_head, scale);
}

void flash_backward(bf16 *dqkv, float *dot, const bf16 *dout, const bf16 *o,
                    const float *lse, const bf16 *qkv, struct flash_shape f,
                    cudaStream_t s)
{
    int64_t n =
        static_cast<int64_t>(f.batch) * f.seq_len * f.n_head * f.head_dim;
    int64_t blocks = (n / 8 + THREADS - 1) / THREADS;

    LAUNCH(dot_kernel, dim3(static_cast<unsigned>(blocks)), dim3(THREADS), 0, s,
           dot, dout, o, n, f.seq_len, f.n_head, f.head_dim);
    if (f.head_dim == 8)
        backward<8, 64>(dqkv, dout, lse, dot, qkv, f, s);
    else if (f.head_dim == 16)
        backward<16, 64>(dqkv, dout, lse, dot, qkv, f, s);
    else if (f.head_dim == 32)
        backward<32, 64>(dqkv, dout, lse, dot, qkv, f, s);
    else if (f.head_dim == 64)
        backward<64, 64>(dqkv, dout, lse, dot, qkv, f, s);
    else
        backward<128, 16>(dqkv, dout, lse, dot, qkv, f, s);
}
