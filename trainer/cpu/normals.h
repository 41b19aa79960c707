/* normals: initial weights, many at a time.
 *
 * The numbers of rng_normal (base/rng.h): Philox4x32-10 of (seed, stream,
 * index), then Box-Muller in double.  One by one they cost 50 ns each, most of
 * it in log and cos; here each stage is a plain loop over a block, which the
 * compiler turns into vecs, with series of its own for the two functions: the
 * same on every target and machine, and within 1e-14 of the C library's. */
#ifndef LOGLOG_TRAINER_CPU_NORMALS_H
#define LOGLOG_TRAINER_CPU_NORMALS_H

#include "base/rng.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define NORMALS 256 /* a block */

/* The words of Philox for the indices at, at + 1, ... */
static void philox_block(uint32_t w[4][NORMALS], uint64_t seed, uint64_t at)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    for (int i = 0; i < NORMALS; i++) {
        w[0][i] = (uint32_t)(at + (uint64_t)i);
        w[1][i] = (uint32_t)((at + (uint64_t)i) >> 32);
        w[2][i] = RNG_INIT;
        w[3][i] = 0;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < NORMALS; i++) {
            uint64_t a = (uint64_t)w[0][i] * 0xD2511F53u;
            uint64_t b = (uint64_t)w[2][i] * 0xCD9E8D57u;

            w[0][i] = (uint32_t)(b >> 32) ^ w[1][i] ^ k0;
            w[2][i] = (uint32_t)(a >> 32) ^ w[3][i] ^ k1;
            w[1][i] = (uint32_t)b;
            w[3][i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* 53 bits of hi:lo as a number in [0, 1); each step is exact. */
INLINE double unit53(uint32_t lo, uint32_t hi)
{
    double h = (double)(int32_t)(hi ^ 0x80000000u) + 0x1p31;

    return h * 0x1p-32 + (double)(int32_t)(lo >> 11) * 0x1p-53;
}

/* ln u for 0 < u <= 1: u = 2^e m with m near 1, ln m = 2 atanh s. */
INLINE double series_log(double u)
{
    const uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd;
    uint64_t bits, e;
    double m, s, z, p, whole;

    memcpy(&bits, &u, sizeof bits);
    e = (bits + (one - root_half)) & 0xfff0000000000000;
    bits -= e - one;
    memcpy(&m, &bits, sizeof m);
    whole = (double)((int32_t)(e >> 52) - 1023);
    s = (m - 1) / (m + 1);
    z = s * s;
    p = 2.0 / 21;
    p = p * z + 2.0 / 19;
    p = p * z + 2.0 / 17;
    p = p * z + 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
    p = p * z + 2.0 / 7;
    p = p * z + 2.0 / 5;
    p = p * z + 2.0 / 3;
    p = p * z + 2.0;
    return whole * 0.6931471805599453 + s * p;
}

/* cos(2 pi v) = -sin(x), x = 2 pi (1/4 - |v - 1/2|), by Taylor. */
INLINE double series_cos(double v)
{
    double x = 6.283185307179586 * (0.25 - fabs(v - 0.5)), z = x * x, p;

    p = 1.0 / 51090942171709440000.0;
    p = p * z - 1.0 / 121645100408832000.0;
    p = p * z + 1.0 / 355687428096000.0;
    p = p * z - 1.0 / 1307674368000.0;
    p = p * z + 1.0 / 6227020800.0;
    p = p * z - 1.0 / 39916800.0;
    p = p * z + 1.0 / 362880.0;
    p = p * z - 1.0 / 5040.0;
    p = p * z + 1.0 / 120.0;
    p = p * z - 1.0 / 6.0;
    p = p * z + 1.0;
    return -x * p;
}

/* w[i] = std times the normal number `at` + i of the seed's RNG_INIT. */
static void fast_normals(float *w, uint64_t seed, uint64_t at, double std,
                         size_t n)
{
    uint32_t word[4][NORMALS];
    double x[NORMALS];

    for (size_t from = 0; from < n; from += NORMALS) {
        size_t left = n - from < NORMALS ? n - from : NORMALS;

        philox_block(word, seed, at + from);
        for (int i = 0; i < NORMALS; i++) {
            double u = 1.0 - unit53(word[0][i], word[1][i]);

            x[i] = sqrt(-2.0 * series_log(u)) *
                   series_cos(unit53(word[2][i], word[3][i]));
        }
        for (size_t i = 0; i < left; i++)
            w[from + i] = (float)(std * x[i]);
    }
}

#endif
