/* avx2: the kernels over vecs of 8 floats, with fused multiply-add. */
#ifdef __x86_64__
#include "trainer/cpu/fast.h"

static int usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct backend backend_avx2 = FAST_TABLE("avx2", usable, 0, );
const struct backend backend_avx2_bf16 =
    FAST_TABLE("avx2-bf16", usable, 1, _bf16);
#endif
