/* fast: the table of one compiled target; included once by each of avx512.c,
 * avx2.c and portable.c, which say what it is called and when it may run. */
#include "trainer/cpu/attention.h"
#include "trainer/cpu/linear.h"
#include "trainer/cpu/rows.h"

static size_t fast_scratch_bytes(const struct backend_shape *s)
{
    struct attend w;
    size_t att = attend_carve(&w, &s->att, NULL);
    size_t dw = (size_t)dw_scratch(s->max_k) * sizeof(float);

    return att > dw ? att : dw;
}

#define FAST_TABLE(NAME, USABLE)                                               \
    {                                                                          \
        .name = NAME, .bf16 = 0, .usable = USABLE,                             \
        .pack_bytes = fast_pack_bytes, .scratch_bytes = fast_scratch_bytes,    \
        .pack = fast_pack, .linear = fast_linear, .linear_dx = fast_linear_dx, \
        .linear_dw = fast_linear_dw, .embed = fast_embed,                      \
        .embed_bwd = fast_embed_bwd, .rmsnorm = fast_rmsnorm,                  \
        .rmsnorm_bwd = fast_rmsnorm_bwd, .attention = fast_attention,          \
        .attention_bwd = fast_attention_bwd, .swiglu = fast_swiglu,            \
        .swiglu_bwd = fast_swiglu_bwd, .xent = fast_xent,                      \
        .xent_loss = fast_xent_loss, .sum_squares = fast_sum_squares,          \
        .adamw = fast_adamw                                                    \
    }
