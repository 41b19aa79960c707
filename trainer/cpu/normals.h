/* normals: initial weights, many at a time.
 *
 * The numbers of rng_normal (base/rng.h): Philox4x32-10 of (seed, stream,
 * index), then Box-Muller in double.  One by one they cost 50 ns each, most of
 * it in log and cos; here they are made SIDE vecs of double side by side, since
 * each is one long chain, with polynomials of their own for the two functions:
 * the same on every target and machine, and within 1e-15 of the C library's,
 * so that one weight in some millions is rounded to its other neighbour. */
#ifndef LOGLOG_TRAINER_CPU_NORMALS_H
#define LOGLOG_TRAINER_CPU_NORMALS_H

#include "base/rng.h"
#include "trainer/cpu/simd.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DW (VW / 2)         /* doubles in a vec */
#define SIDE 6              /* vecs of them at a time */
#define NORMALS (SIDE * DW) /* normals at a time */
#define PAIR 3              /* where each takes four registers */

typedef double vecd __attribute__((vector_size(4 * VW)));
typedef float vech __attribute__((vector_size(2 * VW))); /* DW of them */
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

/* a b + c, rounded once */
INLINE vecd vfmad(vecd a, vecd b, vecd c)
{
#if defined(__AVX512F__)
    return (vecd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__)
    return (vecd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    UNROLL
    for (int i = 0; i < DW; i++)
        a[i] = fma(a[i], b[i], c[i]);
    return a;
#endif
}

/* The lower halves of the lanes as doubles: in the lower bits of 2^52. */
INLINE vecd vlower(vecq n)
{
    return (vecd)((n & vsetq(UINT32_MAX)) | vsetq(0x4330000000000000)) -
           vsetd(0x1p52);
}

/* The words of Philox for PAIR vecs of indices, each in the lower half of a
 * lane; what is in the upper halves no product reads.  Of the first round half
 * is the same for all of them. */
INLINE void philox_vecs(vecq w[4][PAIR], const vecq index[PAIR], uint64_t seed)
{
    const uint64_t init = (uint64_t)RNG_INIT * 0xCD9E8D57u;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    UNROLL
    for (int i = 0; i < PAIR; i++) {
        w[3][i] = vmul_low(index[i], vsetq(0xD2511F53u));
        w[2][i] = (w[3][i] >> 32) ^ vsetq(k1);
        w[1][i] = vsetq(init);
        w[0][i] = (index[i] >> 32) ^ vsetq(init >> 32 ^ k0);
    }
    UNROLL
    for (int round = 1; round < 10; round++) {
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
        UNROLL
        for (int i = 0; i < PAIR; i++) {
            vecq a = vmul_low(w[0][i], vsetq(0xD2511F53u));
            vecq b = vmul_low(w[2][i], vsetq(0xCD9E8D57u));

            w[0][i] = (b >> 32) ^ (w[1][i] ^ vsetq(k0));
            w[2][i] = (a >> 32) ^ (w[3][i] ^ vsetq(k1));
            w[1][i] = b;
            w[3][i] = a;
        }
    }
}

/* start + sign x, x in [0, 1) being the upper 53 bits of hi:lo; exact. */
INLINE vecd unit53(vecq lo, vecq hi, double start, double sign)
{
    vecd part = vfmad(vlower(lo & vsetq(0xfffff800)), vsetd(sign * 0x1p-64),
                      vsetd(start));

    return vfmad(vlower(hi), vsetd(sign * 0x1p-32), part);
}

/* p[i] = c[0] z[i]^(n-1) + ... + c[n-1], Horner's way. */
INLINE void horner(vecd p[SIDE], const vecd z[SIDE], const double *c,
                   const int n)
{
    UNROLL
    for (int i = 0; i < SIDE; i++)
        p[i] = vfmad(vsetd(c[0]), z[i], vsetd(c[1]));
    UNROLL
    for (int k = 2; k < n; k++)
        UNROLL
    for (int i = 0; i < SIDE; i++)
        p[i] = vfmad(p[i], z[i], vsetd(c[k]));
}

/* x = -2 ln u for 0 < u <= 1: u = 2^e m with sqrt(1/2) <= m < sqrt(2), ln m =
 * 2 atanh s, by the polynomial through the Chebyshev nodes of s^2 (off by
 * 1.2e-18 at most before rounding). */
INLINE void minus_2_log(vecd x[SIDE], const vecd u[SIDE])
{
    static const double c[] = {-0x1.2f4d88faff359p-2, -0x1.3999bf5c2399fp-2,
                               -0x1.7466994f5207cp-2, -0x1.c71c50004f156p-2,
                               -0x1.2492494513f87p-1, -0x1.999999997aeaap-1,
                               -0x1.55555555555aep+0, -0x1.0000000000000p+2};
    const vecq one = vsetq(0x3ff0000000000000);
    const vecq root_half = vsetq(0x3fe6a09e667f3bcd);
    vecd s[SIDE], z[SIDE], p[SIDE], whole[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++) {
        vecq e = ((vecq)u[i] + (one - root_half)) & vsetq(0xfff0000000000000);
        vecd m = (vecd)((vecq)u[i] - (e - one));

        whole[i] =
            (vecd)(e >> 52 | vsetq(0x4330000000000000)) - vsetd(0x1p52 + 1023);
        s[i] = (m - vsetd(1)) / (m + vsetd(1));
        z[i] = s[i] * s[i];
    }
    horner(p, z, c, 8);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        x[i] = vfmad(whole[i], vsetd(-1.3862943611198906), s[i] * p[i]);
}

/* x = cos(2 pi v) of d = v - 1/2, which is sin(2 pi y), y = |d| - 1/4, by the
 * polynomial through the Chebyshev nodes of y^2 (off by 3.3e-19 at most). */
INLINE void cos_turns(vecd x[SIDE], const vecd d[SIDE])
{
    static const double c[] = {
        0x1.9d462020fcc78p-4,  -0x1.6f7acdb8f6580p-1, 0x1.e8f3675ee37ddp+1,
        -0x1.e3074dfaf87afp+3, 0x1.5078348551854p+5,  -0x1.32d2cce627c86p+6,
        0x1.466bc6775aa7dp+6,  -0x1.4abbce625be52p+5, 0x1.921fb54442d18p+2};
    vecd y[SIDE], z[SIDE], p[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++) {
        y[i] = (vecd)((vecq)d[i] & vsetq(INT64_MAX)) - vsetd(0.25);
        z[i] = y[i] * y[i];
    }
    horner(p, z, c, 9);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        x[i] = y[i] * p[i];
}

/* x[i] = the normal numbers at, at + 1, ... of the seed's RNG_INIT, times
 * std. */
INLINE void normals_at(float x[NORMALS], uint64_t seed, uint64_t at, double std)
{
    vecd u[SIDE], d[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i += PAIR) {
        vecq index[PAIR], w[4][PAIR];

        UNROLL
        for (int j = 0; j < PAIR * DW; j++)
            index[j / DW][j % DW] = (uint64_t)(i * DW + j);
        UNROLL
        for (int j = 0; j < PAIR; j++)
            index[j] += vsetq(at);
        philox_vecs(w, index, seed);
        UNROLL
        for (int j = 0; j < PAIR; j++) {
            u[i + j] = unit53(w[0][j], w[1][j], 1, -1);
            d[i + j] = unit53(w[2][j], w[3][j], -0.5, 1);
        }
    }
    minus_2_log(u, u);
    cos_turns(d, d);
    UNROLL
    for (int i = 0; i < SIDE; i++) {
        vecd r = vsqrtd(u[i]) * d[i];
        vech f = __builtin_convertvector(vsetd(std) * r, vech);

        memcpy(x + i * DW, &f, sizeof f);
    }
}

/* w[i] = std times the normal number `at` + i of the seed's RNG_INIT. */
static void fast_normals(float *w, uint64_t seed, uint64_t at, double std,
                         size_t n)
{
    float x[NORMALS];
    size_t i = 0;

    for (; i + NORMALS <= n; i += NORMALS)
        normals_at(w + i, seed, at + i, std);
    if (i < n) {
        normals_at(x, seed, at + i, std);
        memcpy(w + i, x, (n - i) * sizeof *w);
    }
}

#endif
