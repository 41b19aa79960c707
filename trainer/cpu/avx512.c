/* avx512: the kernels over vecs of 16 floats. */
#ifdef __x86_64__
#include "trainer/cpu/fast.h"

static int usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
}

const struct backend backend_avx512 = FAST_TABLE("avx512", usable, 0, );
const struct backend backend_avx512_bf16 =
    FAST_TABLE("avx512-bf16", usable, 1, _bf16);
#endif
