/* The kernel at each width, and the choice between them.  No multiplication
 * is fused with an addition (this is C11, where GCC does not; clang is told),
 * and sums run over the same eight lanes at each width, so every machine gets
 * the same bits. */
#include "analysis/lse_kernel.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* both of two vectors */
#define EACH UNROLL for (int j = 0; j < 2; j++)

#define VW 2
#define NAME(f) w2_##f
#define TARGET
#if defined(__x86_64__)
#include <immintrin.h>
#define MIN(a, b) ((vd)_mm_min_pd((__m128d)(a), (__m128d)(b)))
#define MAX(a, b) ((vd)_mm_max_pd((__m128d)(a), (__m128d)(b)))
#else
#define MIN(a, b) ((vd)(((vi)(a) & ((a) < (b))) | ((vi)(b) & ~((a) < (b)))))
#define MAX(a, b) ((vd)(((vi)(a) & ((a) > (b))) | ((vi)(b) & ~((a) > (b)))))
#endif
#include "analysis/lse_kernel.inc"

#if defined(__x86_64__)
#define HAVE_WIDE 1
#define VW 4
#define NAME(f) w4_##f
#define TARGET __attribute__((target("avx2")))
#define MIN(a, b) ((vd)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define MAX(a, b) ((vd)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#include "analysis/lse_kernel.inc"

#define VW 8
#define NAME(f) w8_##f
#define TARGET __attribute__((target("avx512f,avx512dq,avx2")))
#define MIN(a, b) ((vd)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define MAX(a, b) ((vd)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#include "analysis/lse_kernel.inc"
#endif

/* One width's functions; usable says whether this machine runs it. */
struct kernel {
    int width;
    double (*eval)(double *, double *, const struct lse_data *, const double *,
                   int, const struct rho *);
    void (*exp)(double *, const double *, size_t);
    void (*log)(double *, const double *, size_t);
};

static const struct kernel kernels[] = {
#ifdef HAVE_WIDE
    {8, w8_eval, w8_map_exp, w8_map_log},
    {4, w4_eval, w4_map_exp, w4_map_log},
#endif
    {2, w2_eval, w2_map_exp, w2_map_log},
};

static int usable(int width)
{
#ifdef HAVE_WIDE
    if (width == 8)
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx2");
    if (width == 4)
        return __builtin_cpu_supports("avx2");
#endif
    return width == 2;
}

/* The first usable kernel, or the one of this width. */
static const struct kernel *choose(int width)
{
    for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
        if (usable(kernels[i].width) && (!width || width == kernels[i].width))
            return &kernels[i];
    mem_bug(__FILE__, __LINE__, "no kernel of this width");
}

int lse_widths(int width[3])
{
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
        if (usable(kernels[i].width))
            width[n++] = kernels[i].width;
    return n;
}

double lse_eval_width(int width, double *grad, double *hess,
                      const struct lse_data *s, const double *q, int no_E,
                      const struct rho *rho)
{
    return choose(width)->eval(grad, hess, s, q, no_E, rho);
}

double lse_eval(double *grad, double *hess, const struct lse_data *s,
                const double *q, int no_E, const struct rho *rho)
{
    return choose(0)->eval(grad, hess, s, q, no_E, rho);
}

void lse_exp(int width, double *out, const double *x, size_t n)
{
    choose(width)->exp(out, x, n);
}

void lse_log(int width, double *out, const double *x, size_t n)
{
    choose(width)->log(out, x, n);
}

void lse_predict(double *m, const struct lse_data *s, const double *q, int no_E)
{
    double E = no_E ? 0 : exp(q[0]);

    for (size_t i = 0; i < s->n; i++)
        m[i] = log(E + exp(q[1] - q[3] * s->x[i]) + exp(q[2] - q[4] * s->d[i]));
}
