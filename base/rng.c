/* rng: see rng.h.  Philox4x32-10 is Random123's (Salmon et al., SC11). */
#include "base/rng.h"

#include "base/mem.h"

#include <Random123/philox.h>
#include <math.h>

static philox4x32_ctr_t block(uint64_t seed, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t c = {
        {(uint32_t)index, (uint32_t)(index >> 32), stream, 0}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};

    return philox4x32(c, k);
}

static uint64_t join(uint32_t lo, uint32_t hi)
{
    return (uint64_t)hi << 32 | lo;
}

static double unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

uint64_t rng_u64(uint64_t seed, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t b = block(seed, stream, index);

    return join(b.v[0], b.v[1]);
}

double rng_uniform(uint64_t seed, uint32_t stream, uint64_t index)
{
    return unit(rng_u64(seed, stream, index));
}

double rng_normal(uint64_t seed, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t b = block(seed, stream, index);
    double u = 1.0 - unit(join(b.v[0], b.v[1])); /* in (0, 1] */
    double v = unit(join(b.v[2], b.v[3]));

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586477 * v);
}

uint64_t rng_below(uint64_t seed, uint32_t stream, uint64_t index, uint64_t n)
{
    uint64_t x = rng_u64(seed, stream, index), hi, lo;

    BUG_ON(n == 0);
    /* The high word of the 128-bit product x * n, by 32-bit halves. */
    hi = (x >> 32) * (n >> 32);
    lo = (x & 0xffffffffu) * (n & 0xffffffffu);
    uint64_t m1 = (x >> 32) * (n & 0xffffffffu);
    uint64_t m2 = (x & 0xffffffffu) * (n >> 32);
    uint64_t carry =
        ((lo >> 32) + (m1 & 0xffffffffu) + (m2 & 0xffffffffu)) >> 32;
    return hi + (m1 >> 32) + (m2 >> 32) + carry;
}

double rng_next_uniform(struct rng *r)
{
    return rng_uniform(r->seed, r->stream, r->next++);
}

double rng_next_normal(struct rng *r)
{
    return rng_normal(r->seed, r->stream, r->next++);
}

uint64_t rng_next_below(struct rng *r, uint64_t n)
{
    return rng_below(r->seed, r->stream, r->next++, n);
}

uint64_t rng_permute(uint64_t seed, uint32_t stream, uint64_t index, uint64_t n)
{
    unsigned half = 1; /* bits in each half of the Feistel word */

    BUG_ON(index >= n);
    while (half < 32 && (1ull << (2 * half)) < n)
        half++;
    uint64_t mask = (1ull << half) - 1;
    do {
        uint64_t l = index >> half, r = index & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t f = rng_u64(seed, stream, (round + 1) << 56 | r) & mask;
            uint64_t t = l ^ f;
            l = r;
            r = t;
        }
        index = l << half | r;
    } while (index >= n);
    return index;
}
