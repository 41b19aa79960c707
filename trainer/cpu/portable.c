/* portable: the kernels over vecs of 4 floats, for any processor; NEON's
 * fused multiply-add on arm64, one made from double elsewhere. */
#include "trainer/cpu/fast.h"

static int usable(void)
{
    return 1;
}

const struct backend backend_portable = FAST_TABLE("portable", usable, 0, );
const struct backend backend_portable_bf16 =
    FAST_TABLE("portable-bf16", usable, 1, _bf16);
