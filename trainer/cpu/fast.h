/* fast: the table of one compiled target; included once by each of avx512.c,
 * avx2.c and portable.c, which say what it is called and when it may run. */
#include "trainer/cpu/attention.h"
#include "trainer/cpu/linear.h"
#include "trainer/cpu/normals.h"
#include "trainer/cpu/rows.h"

/* PEAK_CHAINS accumulators hide the latency and leave registers free. */
#define PEAK_CHAINS 12

static double fast_peak(int64_t rounds)
{
    vec acc[PEAK_CHAINS], x = vset(0.5f), y = vset(0.25f), sum = vset(0);
    volatile float sink;

    UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        acc[i] = vset((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < PEAK_CHAINS; i++)
            acc[i] = vfma(acc[i], x, y);
    }
    UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum += acc[i];
    sink = sum[0];
    (void)sink;
    return 2.0 * PEAK_CHAINS * VW * (double)rounds;
}

static size_t fast_scratch_bytes(const struct backend_shape *s)
{
    struct attend w;
    size_t att = attend_carve(&w, &s->att, NULL);
    size_t dw = (size_t)dw_scratch(s->max_k) * sizeof(float);

    return att > dw ? att : dw;
}

static size_t fast_scratch_bytes_bf16(const struct backend_shape *s)
{
    size_t fp32 = fast_scratch_bytes(s);
    size_t bf16 = (size_t)bf16_scratch(s) * sizeof(float);

    return fp32 > bf16 ? fp32 : bf16;
}

/* What is not a linear layer. */
#define FAST_ROWS                                                              \
    .embed = fast_embed, .embed_bwd = fast_embed_bwd, .rmsnorm = fast_rmsnorm, \
    .rmsnorm_bwd = fast_rmsnorm_bwd, .attention = fast_attention,              \
    .attention_bwd = fast_attention_bwd, .swiglu = fast_swiglu,                \
    .swiglu_bwd = fast_swiglu_bwd, .xent = fast_xent,                          \
    .xent_loss = fast_xent_loss, .sum_squares = fast_sum_squares,              \
    .adamw = fast_adamw, .normals = fast_normals

/* SUFFIX is empty, or _bf16. */
#define FAST_TABLE(NAME, USABLE, BF16, SUFFIX)                                 \
    {                                                                          \
        .name = NAME, .bf16 = BF16, .usable = USABLE, .peak = fast_peak,       \
        .pack_bytes = fast_pack_bytes,                                         \
        .scratch_bytes = fast_scratch_bytes##SUFFIX,                           \
        .pack = fast_pack##SUFFIX, .linear = fast_linear##SUFFIX,              \
        .linear_dx = fast_linear_dx##SUFFIX,                                   \
        .linear_dw = fast_linear_dw##SUFFIX, FAST_ROWS                         \
    }
