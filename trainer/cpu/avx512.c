/* avx512: the kernels over vecs of 16 floats. */
#ifdef __x86_64__
#include "trainer/cpu/fast.h"
#include "trainer/cpu/pairs_table.h"

static int usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
}

static int usable_pairs(void)
{
    return usable() && __builtin_cpu_supports("avx512bf16");
}

/* AMD's cores (from Zen 4 on) do two of these instructions a cycle, twice the
 * flops of their multiply-adds; an Intel Xeon did one every other cycle, half
 * of them (docs/performance.md). */
static int quick_pairs(void)
{
    return __builtin_cpu_is("amd");
}

static size_t scratch_bytes_pairs(const struct backend_shape *s)
{
    size_t fp32 = fast_scratch_bytes(s), pairs = pairs_scratch_bytes(s);

    return fp32 > pairs ? fp32 : pairs;
}

const struct backend backend_avx512 = FAST_TABLE("avx512", usable, 0, );
const struct backend backend_avx512_bf16 =
    FAST_TABLE("avx512-bf16", usable, 1, _bf16);
const struct backend backend_avx512_pairs = {.name = "avx512-bf16-pairs",
                                             .bf16 = 1,
                                             .usable = usable_pairs,
                                             .quick = quick_pairs,
                                             .peak = pairs_peak,
                                             .pack_bytes = pairs_pack_bytes,
                                             .scratch_bytes =
                                                 scratch_bytes_pairs,
                                             .pack = pairs_pack,
                                             .linear = pairs_linear,
                                             .linear_dx = pairs_linear_dx,
                                             .linear_dw = pairs_linear_dw,
                                             FAST_ROWS};
#endif
