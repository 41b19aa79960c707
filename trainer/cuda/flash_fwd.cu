/* flash_fwd: causal attention without storing the scores (Dao et al.,
 * FlashAttention).  A block is 64 queries of one head, a warp 16 of them; keys
 * and values pass through shared memory, and each row keeps its maximum and
 * its sum of exp, rescaling what it has when the maximum grows.  Scores are in
 * units of log 2, so that exp is exp2. */
#include "trainer/cuda/kernels.h"
#include "trainer/cuda/tile.h"

#define WARPS 4
#define THREADS (WARPS * 32)
#define QUERIES (WARPS * 16)

/* Scores of 16 queries with KEYS keys, masked, in units of log 2. */
template <int D, int KEYS>
static __device__ __forceinline__ void
masked_scores(float s[KEYS / 8][4], const uint32_t q[D / 16][4], const bf16 *k,
              float scale, int r0, int k0)
{
    int t = static_cast<int>(threadIdx.x & 3);

#pragma unroll
    for (int n = 0; n < KEYS / 8; n += 2) {
        for (int x = 0; x < 4; x++)
            s[n][x] = s[n + 1][x] = 0;
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
            uint32_t b[4];

            load_b<D>(b, k + n * 8 * (D + TILE_PAD) + c * 16);
            mma(s[n], q[c], b);
            mma(s[n + 1], q[c], b + 2);
        }
    }
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
        for (int x = 0; x < 4; x++) {
            int key = k0 + n * 8 + t * 2 + (x & 1);

            s[n][x] = key <= r0 + (x >> 1) * 8 ? s[n][x] * scale : -INFINITY;
        }
}

/* Over the four lanes that share a row. */
static __device__ __forceinline__ float row_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
    return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

static __device__ __forceinline__ float row_sum(float v)
{
    v += __shfl_xor_sync(0xffffffffu, v, 1);
    return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

template <int HEAD, int KEYS>
static __global__ void __launch_bounds__(THREADS)
    flash_forward_kernel(bf16 *o, float *lse, const bf16 *qkv, int seq_len,
                         int n_head, int n_kv_head, float scale)
{
    constexpr int D = TILE_OF(HEAD);
    SHARED(bf16, k, [KEYS * (D + TILE_PAD)]);
    SHARED(bf16, v, [KEYS * (D + TILE_PAD)]);
    int h = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
    int group = h / (n_head / n_kv_head), lane = threadIdx.x & 31;
    int q0 = static_cast<int>(blockIdx.x) * QUERIES;
    int r0 = q0 + static_cast<int>(threadIdx.x >> 5) * 16 + (lane >> 2);
    int64_t ld = static_cast<int64_t>(n_head + 2 * n_kv_head) * HEAD;
    const bf16 *row = qkv + static_cast<int64_t>(b) * seq_len * ld;
    int end = q0 + QUERIES < seq_len ? q0 + QUERIES : seq_len;
    float acc[D / 8][4] = {}, max[2] = {-INFINITY, -INFINITY}, sum[2] = {};
    uint32_t q[D / 16][4];

#pragma unroll
    for (int c = 0; c < D / 16; c++)
        global_a<HEAD>(q[c], row + static_cast<int64_t>(h) * HEAD, ld, r0,
                       c * 16, seq_len);
    for (int k0 = 0; k0 < end; k0 += KEYS) {
        float s[KEYS / 8][4], grown[2] = {max[0], max[1]}, shrink[2];

        __syncthreads(); /* the last tile is no longer read */
        load_tile<HEAD, KEYS, THREADS>(k, row + (n_head + group) * HEAD, ld, k0,
                                       seq_len);
        load_tile<HEAD, KEYS, THREADS>(
            v, row + (n_head + n_kv_head + group) * HEAD, ld, k0, seq_len);
        __syncthreads(); /* the tiles are whole */
        masked_scores<D, KEYS>(s, q, k, scale, r0, k0);
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
            for (int x = 0; x < 4; x++)
                grown[x >> 1] = fmaxf(grown[x >> 1], s[n][x]);
        /* Key 0 is seen by every row, so a maximum is finite from the first
         * tile on. */
        for (int i = 0; i < 2; i++) {
            grown[i] = row_max(grown[i]);
            shrink[i] = exp2f(max[i] - grown[i]);
            max[i] = grown[i];
            sum[i] *= shrink[i];
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            for (int x = 0; x < 4; x++)
                acc[n][x] *= shrink[x >> 1];
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
            for (int x = 0; x < 4; x++) {
                s[n][x] = exp2f(s[n][x] - max[x >> 1]);
                sum[x >> 1] += s[n][x];
            }
#pragma unroll
        for (int c = 0; c < KEYS / 16; c++) {
            uint32_t p[4];

            result_as_a(p, s + 2 * c);
#pragma unroll
            for (int n = 0; n < D / 8; n += 2) {
                uint32_t w[4];

                load_bt<D>(w, v + c * 16 * (D + TILE_PAD) + n * 8);
                mma(acc[n], p, w);
                mma(acc[n + 1], p, w + 2);
            }
        }
    }
    for (int i = 0; i < 2; i++)
        sum[i] = row_sum(sum[i]);
    store_rows<HEAD / 8>(o + static_cast<int64_t>(b) * seq_len * n_head * HEAD +
                             static_cast<int64_t>(h) * HEAD,
                         static_cast<int64_t>(n_head) * HEAD, acc, 1 / sum[0],
                         1 / sum[1], r0, seq_len);
    if ((lane & 3) == 0)
        for (int i = 0; i < 2; i++)
            if (r0 + i * 8 < seq_len)
                lse[(static_cast<int64_t>(b) * n_head + h) * seq_len + r0 +
                    i * 8] = (max[i] + log2f(sum[i])) * LN2;
}

template <int HEAD, int KEYS>
static void forward(bf16 *o, float *lse, const bf16 *qkv, struct flash_shape f,
                    cudaStream_t s)
{
    dim3 grid(static_cast<unsigned>((f.seq_len + QUERIES - 1) / QUERIES),
              static_cast<unsigned>(f.n_head), static_cast<unsigned>(f.batch));

    LAUNCH((flash_forward_kernel<HEAD, KEYS>), grid, dim3(THREADS), 0, s, o,
           lse, qkv, f.seq_len, f.n_head, f.n_kv_head,
           LOG2E / sqrtf(static_cast<float>(HEAD)));
}

int flash_supports(int head_dim)
{
    return head_dim == 8 || head_dim == 16 || head_dim == 32 ||
           head_dim == 64 || head_dim == 128;
}

void flash_forward(bf16 *o, float *lse, const bf16 *qkv, struct flash_shape f,
                   cudaStream_t s)
{
    if (f.head_dim == 8)
        forward<8, 64>(o, lse, qkv, f, s);
    else if (f.head_dim == 16)
        forward<16, 64>(o, lse, qkv, f, s);
    else if (f.head_dim == 32)
        forward<32, 64>(o, lse, qkv, f, s);
    else if (f.head_dim == 64)
        forward<64, 64>(o, lse, qkv, f, s);
    else
        forward<128, 32>(o, lse, qkv, f, s);
}
