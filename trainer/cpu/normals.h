/* normals: initial weights, many at a time.
 *
 * The numbers of rng_normal (base/rng.h): Philox4x32-10 of (seed, stream,
 * index), then Box-Muller in double.  One by one they cost 50 ns each, most of
 * it in log and cos; here they are made SIDE vecs of double side by side, since
 * each is one long chain, with series of their own for the two functions: the
 * same on every target and machine, and within 1e-14 of the C library's. */
#ifndef LOGLOG_TRAINER_CPU_NORMALS_H
#define LOGLOG_TRAINER_CPU_NORMALS_H

#include "base/rng.h"
#include "trainer/cpu/simd.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DW (VW / 2)         /* doubles in a vec */
#define SIDE 4              /* vecs of them at a time */
#define NORMALS (SIDE * DW) /* normals at a time */

typedef double vecd __attribute__((vector_size(4 * VW)));
typedef uint64_t vecq __attribute__((vector_size(4 * VW)));

INLINE vecd vsetd(double x)
{
    vecd v;

    UNROLL
    for (int i = 0; i < DW; i++)
        v[i] = x;
    return v;
}

INLINE vecq vsetq(uint64_t x)
{
    return (vecq){0} + x;
}

/* The products of the lower halves of the lanes. */
INLINE vecq vmul_low(vecq a, vecq b)
{
#if defined(__AVX512F__)
    return (vecq)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vecq)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vecq)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & vsetq(UINT32_MAX)) * (b & vsetq(UINT32_MAX));
#endif
}

INLINE vecd vsqrtd(vecd x)
{
#if defined(__AVX512F__)
    return (vecd)_mm512_sqrt_pd((__m512d)x);
#elif defined(__AVX2__)
    return (vecd)_mm256_sqrt_pd((__m256d)x);
#elif defined(__SSE2__)
    return (vecd)_mm_sqrt_pd((__m128d)x);
#else
    UNROLL
    for (int i = 0; i < DW; i++)
        x[i] = sqrt(x[i]);
    return x;
#endif
}

/* Whole numbers below 2^52 as doubles: in the lower bits of 2^52. */
INLINE vecd vwhole(vecq n)
{
    return (vecd)(n | vsetq(0x4330000000000000)) - vsetd(0x1p52);
}

/* The words of Philox for the indices at, at + 1, ..., each in the lower half
 * of a lane; what is in the upper halves no product reads. */
INLINE void philox_vec(vecq w[4], vecq index, uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    w[0] = index;
    w[1] = index >> 32;
    w[2] = vsetq(RNG_INIT);
    w[3] = vsetq(0);
    UNROLL
    for (int round = 0; round < 10; round++) {
        vecq a = vmul_low(w[0], vsetq(0xD2511F53u));
        vecq b = vmul_low(w[2], vsetq(0xCD9E8D57u));

        w[0] = (b >> 32) ^ w[1] ^ vsetq(k0);
        w[2] = (a >> 32) ^ w[3] ^ vsetq(k1);
        w[1] = b;
        w[3] = a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* 53 bits of hi:lo as numbers in [0, 1); each step is exact. */
INLINE vecd unit53(vecq lo, vecq hi)
{
    return vwhole(hi & vsetq(UINT32_MAX)) * vsetd(0x1p-32) +
           vwhole(lo << 32 >> 43) * vsetd(0x1p-53);
}

/* p[i] = c[0] z[i]^(n-1) + ... + c[n-1], Horner's way. */
INLINE void horner(vecd p[SIDE], const vecd z[SIDE], const double *c,
                   const int n)
{
    UNROLL
    for (int i = 0; i < SIDE; i++)
        p[i] = vsetd(c[0]);
    UNROLL
    for (int k = 1; k < n; k++)
        UNROLL
    for (int i = 0; i < SIDE; i++)
        p[i] = p[i] * z[i] + vsetd(c[k]);
}

/* x = ln u for 0 < u <= 1: u = 2^e m with m near 1, ln m = 2 atanh s. */
INLINE void series_log(vecd x[SIDE], const vecd u[SIDE])
{
    static const double c[] = {2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15,
                               2.0 / 13, 2.0 / 11, 2.0 / 9,  2.0 / 7,
                               2.0 / 5,  2.0 / 3,  2.0};
    const vecq one = vsetq(0x3ff0000000000000);
    const vecq root_half = vsetq(0x3fe6a09e667f3bcd);
    vecd s[SIDE], z[SIDE], p[SIDE], whole[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++) {
        vecq e = ((vecq)u[i] + (one - root_half)) & vsetq(0xfff0000000000000);
        vecd m = (vecd)((vecq)u[i] - (e - one));

        whole[i] = vwhole(e >> 52) - vsetd(1023);
        s[i] = (m - vsetd(1)) / (m + vsetd(1));
        z[i] = s[i] * s[i];
    }
    horner(p, z, c, 11);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        x[i] = whole[i] * vsetd(0.6931471805599453) + s[i] * p[i];
}

/* x = cos(2 pi v) = -sin(y), y = 2 pi (1/4 - |v - 1/2|), by Taylor. */
INLINE void series_cos(vecd x[SIDE], const vecd v[SIDE])
{
    static const double c[] = {1.0 / 51090942171709440000.0,
                               -1.0 / 121645100408832000.0,
                               1.0 / 355687428096000.0,
                               -1.0 / 1307674368000.0,
                               1.0 / 6227020800.0,
                               -1.0 / 39916800.0,
                               1.0 / 362880.0,
                               -1.0 / 5040.0,
                               1.0 / 120.0,
                               -1.0 / 6.0,
                               1.0};
    vecd y[SIDE], z[SIDE], p[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++) {
        vecd d = v[i] - vsetd(0.5);

        d = (vecd)((vecq)d & vsetq(INT64_MAX));
        y[i] = vsetd(6.283185307179586) * (vsetd(0.25) - d);
        z[i] = y[i] * y[i];
    }
    horner(p, z, c, 11);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        x[i] = -y[i] * p[i];
}

/* x[i] = the normal numbers at, at + 1, ... of the seed's RNG_INIT. */
INLINE void normals_at(vecd x[SIDE], uint64_t seed, uint64_t at)
{
    vecd u[SIDE], v[SIDE], c[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++) {
        vecq index = vsetq(at + (uint64_t)(i * DW)), w[4];

        UNROLL
        for (int j = 0; j < DW; j++)
            index[j] += (uint64_t)j;
        philox_vec(w, index, seed);
        u[i] = vsetd(1) - unit53(w[0], w[1]);
        v[i] = unit53(w[2], w[3]);
    }
    series_log(x, u);
    series_cos(c, v);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        x[i] = vsqrtd(vsetd(-2) * x[i]) * c[i];
}

/* w[i] = std times the normal number `at` + i of the seed's RNG_INIT. */
static void fast_normals(float *w, uint64_t seed, uint64_t at, double std,
                         size_t n)
{
    for (size_t from = 0; from < n; from += NORMALS) {
        size_t left = n - from < NORMALS ? n - from : NORMALS;
        double x[NORMALS];
        vecd v[SIDE];

        normals_at(v, seed, at + from);
        memcpy(x, v, sizeof x);
        for (size_t i = 0; i < left; i++)
            w[from + i] = (float)(std * x[i]);
    }
}

#endif
