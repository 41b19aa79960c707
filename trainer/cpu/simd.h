/* simd: one vector type, as wide as the target's registers, and the few
 * operations that GNU C has no operator for.
 *
 * The kernels are written once over `vec` and compiled once per target
 * (avx512.c, avx2.c, portable.c).  VW lanes make a vec.  All of them give the
 * same bits: a fused multiply-add is fused everywhere, no compiler may fuse
 * another (-ffp-contract=off), and sums across lanes are always over 16 lanes,
 * in the tree of vsum16, whether those are one vec, two or four. */
#ifndef LOGLOG_TRAINER_CPU_SIMD_H
#define LOGLOG_TRAINER_CPU_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__AVX512F__)
#define VW 16
#elif defined(__AVX2__)
#define VW 8
#else
#define VW 4
#endif
#define V16 (16 / VW) /* vecs that make 16 lanes */

#define INLINE static inline __attribute__((always_inline, unused))

/* Unroll a loop with a constant count completely. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vec __attribute__((vector_size(4 * VW)));
typedef int32_t veci __attribute__((vector_size(4 * VW)));
typedef uint32_t vecu __attribute__((vector_size(4 * VW)));
typedef float vec_any
    __attribute__((vector_size(4 * VW), aligned(4), may_alias));

INLINE vec vload(const float *p)
{
    return *(const vec_any *)p;
}

INLINE void vstore(float *p, vec v)
{
    *(vec_any *)p = v;
}

/* A constant in a register here and now, for a few uses: else gcc keeps more
 * of them than there are registers and reads one from memory at each use. */
#if defined(__x86_64__)
#define ONE_REGISTER(v) __asm__ volatile("" : "+x"(v))
#else
#define ONE_REGISTER(v) (void)(v)
#endif

INLINE vec vset(float x)
{
#if defined(__AVX512F__)
    return (vec)_mm512_set1_ps(x);
#elif defined(__AVX2__)
    return (vec)_mm256_set1_ps(x);
#else
    return (vec){x, x, x, x};
#endif
}

INLINE veci vseti(int32_t x)
{
    return (veci){0} + x;
}

/* 0, 1, 2, ... */
INLINE veci viota(void)
{
    veci v;

    UNROLL
    for (int i = 0; i < VW; i++)
        v[i] = i;
    return v;
}

/* mask lanes are all ones or all zeros */
INLINE vec vselect(veci mask, vec yes, vec no)
{
    return (vec)((mask & (veci)yes) | (~mask & (veci)no));
}

/* The larger; y where either is not a number. */
INLINE vec vmax(vec x, vec y)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)x, (__m512)y);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)x, (__m256)y);
#else
    return vselect((veci)(x > y), x, y);
#endif
}

#if !defined(__AVX512F__) && !defined(__AVX2__) && !defined(__ARM_NEON)
/* A fused multiply-add of a CPU that has none: the product of two floats is
 * exact in double; the sum is rounded to odd (Boldo and Melquiond), after
 * which rounding to float is as if from the exact value. */
static __attribute__((unused)) float fma_by_double(float a, float b, float c)
{
    double p = (double)a * (double)b, d = (double)c, s = p + d;
    double back = s - p, err = (p - (s - back)) + (d - back);
    int64_t bits;

    memcpy(&bits, &s, sizeof bits);
    if (err != 0 && err == err && !(bits & 1))
        bits += (err > 0) == (s > 0) ? 1 : -1;
    memcpy(&s, &bits, sizeof s);
    return (float)s;
}

/* Called, not inlined: hundreds of copies a tile take a minute to compile. */
static __attribute__((noinline, unused)) vec fma_vec(vec a, vec b, vec c)
{
    vec r;

    UNROLL
    for (int i = 0; i < VW; i++)
        r[i] = fma_by_double(a[i], b[i], c[i]);
    return r;
}
#endif

/* a b + c, rounded once */
INLINE vec vfma(vec a, vec b, vec c)
{
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_NEON)
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return fma_vec(a, b, c);
#endif
}

/* acc += a b, rounded once, in acc's own register.  A product's loop leaves
 * no register free, and gcc left to itself loads b once a use and moves the
 * accumulators about, which costs a fifth of its time: hence an instruction
 * with three registers. */
#ifndef SIMD_PAIRS
INLINE void vfma_to(vec *acc, vec a, vec b)
{
#if defined(__AVX512F__) || defined(__AVX2__)
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(b));
#else
    *acc = vfma(a, b, *acc);
#endif
}
#else
/* Of pairs of bf16 numbers (pairs.h): the high ones, then the low ones. */
INLINE void vfma_to(vec *acc, vec a, vec b)
{
#if defined(__AVX512BF16__)
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(b));
#else /* for tests on a CPU without the instruction */
    const vecu high = (vecu)vseti(-65536);

    *acc = vfma((vec)((vecu)a & high), (vec)((vecu)b & high), *acc);
    *acc = vfma((vec)((vecu)a << 16), (vec)((vecu)b << 16), *acc);
#endif
}
#endif

/* The smaller; y where either is not a number. */
INLINE vec vmin(vec x, vec y)
{
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)x, (__m512)y);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)x, (__m256)y);
#else
    return vselect((veci)(x < y), x, y);
#endif
}

INLINE vec vsqrt(vec x)
{
#if defined(__AVX512F__)
    return (vec)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_sqrt_ps((__m256)x);
#else
    vec r;

    UNROLL
    for (int i = 0; i < VW; i++)
        r[i] = __builtin_sqrtf(x[i]);
    return r;
#endif
}

/* The first n lanes (0 < n < VW) of memory; the others are zero and untouched
 * in memory. */
INLINE vec vload_part(const float *p, int64_t n)
{
#if defined(__AVX512F__)
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    vec v = {0};

#if defined(__AVX2__)
    if (n == 4) /* half of a head of 8 channels */
        return (vec)_mm256_zextps128_ps256(_mm_loadu_ps(p));
#endif
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
#endif
}

INLINE void vstore_part(float *p, vec v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
#if defined(__AVX2__)
    if (n == 4) {
        _mm_storeu_ps(p, _mm256_castps256_ps128((__m256)v));
        return;
    }
#endif
    memcpy(p, &v, (size_t)n * sizeof *p);
#endif
}

/* n lanes, whole or part */
INLINE vec vload_n(const float *p, int64_t n)
{
    return n >= VW ? vload(p) : vload_part(p, n);
}

INLINE void vstore_n(float *p, vec v, int64_t n)
{
    if (n >= VW)
        vstore(p, v);
    else
        vstore_part(p, v, n);
}

/* A vec of a row of which `left` floats remain, perhaps none; `whole`: known to
 * be VW or more. */
INLINE vec vget(const float *p, int64_t left, const int whole)
{
    return whole || left >= VW ? vload(p)
           : left > 0          ? vload_part(p, left)
                               : vset(0);
}

INLINE void vput(float *p, vec v, int64_t left, const int whole)
{
    if (whole || left >= VW)
        vstore(p, v);
    else if (left > 0)
        vstore_part(p, v, left);
}

/* Each lane as bf16 sees it: rounded to the upper 16 bits, ties to even; a
 * NaN stays one. */
INLINE vec vbf16(vec x)
{
    veci u = (veci)x, even = (u >> 16) & vseti(1);
    vec r = (vec)((u + (vseti(0x7fff) + even)) & vseti(-65536));

    return vselect((veci)(x == x), r, x);
}

typedef float vec4 __attribute__((vector_size(16)));
typedef float vec8 __attribute__((vector_size(32)));

/* Sums of 16 lanes: lane i + lane i + 8, then + 4, + 2, + 1. */
INLINE float vsum16(const vec *v)
{
#if VW == 16
    vec8 y = __builtin_shufflevector(v[0], v[0], 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(v[0], v[0], 8, 9, 10, 11, 12, 13, 14, 15);
#elif VW == 8
    vec8 y = v[0] + v[1];
#endif
#if VW == 4
    vec4 x = (v[0] + v[2]) + (v[1] + v[3]);
#else
    vec4 x = __builtin_shufflevector(y, y, 0, 1, 2, 3) +
             __builtin_shufflevector(y, y, 4, 5, 6, 7);
#endif
    x += __builtin_shufflevector(x, x, 2, 3, 2, 3);
    return x[0] + x[1];
}

/* Rows become columns of a square block of VW x VW.  Interleaving rows i and
 * i + VW / 2 moves one bit of the row number to the column number; after
 * log2(VW) rounds all have changed places. */
#if VW == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VW == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

INLINE void vtranspose(vec x[VW])
{
    UNROLL
    for (int round = 1; round < VW; round *= 2) {
        vec y[VW];

        UNROLL
        for (int i = 0; i < VW / 2; i++) {
            y[2 * i] = __builtin_shufflevector(x[i], x[i + VW / 2], LOW);
            y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + VW / 2], HIGH);
        }
        UNROLL
        for (int i = 0; i < VW; i++)
            x[i] = y[i];
    }
}

/* x[i] = 2^x[i], at most 1 unit in the last place off for -126 <= x < 128;
 * below, 0 or a denormal of the right size; a NaN stays one.  The nearest
 * integer goes to the exponent; on the rest, |f| <= 1/2, the polynomial of
 * degree 6 with the least largest relative error (2.0e-9 before rounding).
 * One exponential is a chain of some 45 cycles, and a core does not look far
 * enough ahead to find the next one: n of them go side by side. */
INLINE void vexp2s(vec *x, const int n)
{
    static const float c[] = {1.535336192e-4f,
                              1.339887440e-3f,
                              9.618437358e-3f,
                              5.550332471e-2f,
                              2.402264791e-1f,
                              6.931472029e-1f,
                              1.0f};
    const vec magic = vset(12582912.0f); /* 1.5 2^23: adding it rounds */
    vec f[8], p[8];

    UNROLL
    for (int i = 0; i < n; i++)
        f[i] = vmax(vset(-127.0f), x[i]);
    UNROLL
    for (int i = 0; i < n; i++)
        x[i] = f[i] + magic;
    UNROLL
    for (int i = 0; i < n; i++)
        f[i] = f[i] - (x[i] - magic);
    UNROLL
    for (int i = 0; i < n; i++)
        p[i] = vset(c[0]);
    UNROLL
    for (int k = 1; k < 7; k++) {
        vec ck = vset(c[k]);

        ONE_REGISTER(ck);
        UNROLL
        for (int i = 0; i < n; i++)
            p[i] = vfma(p[i], f[i], ck);
    }
    UNROLL
    for (int i = 0; i < n; i++)
        x[i] = (vec)((vecu)p[i] + ((vecu)x[i] << 23));
}

INLINE vec vexp2(vec x)
{
    vexp2s(&x, 1);
    return x;
}

#define LOG2E 1.4426950408889634f

#endif
