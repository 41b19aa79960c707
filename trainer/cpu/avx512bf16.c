/* avx512bf16: linear layers by the bf16 instructions of a CPU; see pairs.h. */
#ifdef __x86_64__
#include "trainer/cpu/pairs_table.h"

#define PAIRS_API
#include "trainer/cpu/pairs.h"

#define PEAK_CHAINS 12 /* as in fast.h */

double pairs_peak(int64_t rounds)
{
    vec acc[PEAK_CHAINS], x = vset(0.5f), y = vset(0.25f), sum = vset(0);
    volatile float sink;

    UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        acc[i] = vset((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < PEAK_CHAINS; i++)
            vfma_to(&acc[i], x, y);
    }
    UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum += acc[i];
    sink = sum[0];
    (void)sink;
    return 4.0 * PEAK_CHAINS * VW * (double)rounds;
}
#endif
