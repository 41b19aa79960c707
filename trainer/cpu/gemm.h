/* gemm: the matrix products, from one micro-kernel.
 *
 * The micro-kernel `tile` computes c = init + A[rows, k] B[k, columns] for as
 * many rows and vecs of columns as keep c in registers: 9 x 3 vecs or 14 x 2
 * with 32 registers; 4 x 3, 6 x 2 or 12 x 1 with 16.  Per step of k it loads
 * one row of B and broadcasts one element of A a row: 27 fused multiply-adds
 * for 12 loads, so the loads hide behind the arithmetic, and there are enough
 * independent chains to hide its latency.
 *
 * Order.  Each element of c is one chain over k, from init, k ascending,
 * whatever the tile's shape, the blocking or the target: c = fma(a, b, c).  So
 * blocking never changes a bit, and neither does the width of a vec.
 *
 * Packing.  A row of B must be contiguous and its rows near each other: a
 * "panel" is 3 vecs of columns of B (2 or 1 at the end: panel_vecs), laid out
 * [k][width], zeros beyond the last column.  The panel that begins at column
 * j begins at float j * k.
 *   forward  y = x W^T    B = W^T: packed when the weights change
 *   dX       dx = dy W    B = W:   packed when the weights change
 *   dW       dw += dy^T x B = x:   copied, KB tokens at a time
 * A is read in place, by rows (element (i, k) at a[i lda + k]) or, in dW, by
 * columns (at a[k lda + i]).
 *
 * Blocking.  A panel of KB steps (24 KB with vecs of 16) stays in the
 * first-level cache while the rows of A stream past it from the second level,
 * one tile after the other; then comes the next panel.  Products with a long
 * k are done KB steps at a time, c kept in memory in between.  What does not
 * fit in the second level (the weights and dW of a wide layer) is prefetched
 * while the tile before is computed. */
#ifndef LOGLOG_TRAINER_CPU_GEMM_H
#define LOGLOG_TRAINER_CPU_GEMM_H

#include "trainer/backend.h"
#include "trainer/cpu/simd.h"

#if VW == 16
#define MR3 9  /* most rows of a tile of 3 vecs */
#define MR2 14 /* ... of 2 */
#define MR1 14 /* ... of 1 */
#else
#define MR3 4
#define MR2 6
#define MR1 12
#endif
#define KB 128  /* steps of k at a time */
#define STEPS 4 /* of k between two looks at the loop counter */
#define MB 256  /* rows of A at a time */
/* More than this many floats do not stay in a second-level cache between two
 * visits. */
#define FAR_FLOATS (1 << 16)
/* A block of this many may be held in it on purpose. */
#define KEEP_FLOATS (1 << 18)

INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ----------------------------------------------------- the micro-kernel */

/* Where the rows of A start, three to a pointer: an address is then pointer +
 * {0, 1, 2} * stride, which the hardware adds for free. */
struct rows {
    const float *p[(MR1 + 2) / 3];
};

/* Keep the compiler from deriving one such pointer from another. */
#define OPAQUE(p) __asm__("" : "+r"(p))

/* One step of k. */
INLINE void step(const int mr, const int nv, const int by_rows, vec acc[MR1][3],
                 struct rows *r, const float **a, int64_t lda, const float **b,
                 int64_t ldb)
{
    vec bv[3];

    UNROLL
    for (int j = 0; j < nv; j++)
        bv[j] = vload(*b + j * VW);
    UNROLL
    for (int i = 0; i < mr; i++) {
        vec av = vset(by_rows ? r->p[i / 3][(i % 3) * lda] : (*a)[i]);

        UNROLL
        for (int j = 0; j < nv; j++)
            vfma_to(&acc[i][j], av, bv[j]);
    }
    *b += ldb;
    if (!by_rows)
        *a += lda;
    UNROLL
    for (int g = 0; g < (mr + 2) / 3; g++)
        r->p[g]++;
    /* No load of the next step before this one: there are no registers. */
    __asm__ volatile("" ::: "memory");
}

INLINE void tile(const int mr, const int nv, const int by_rows, float *c,
                 int64_t ldc, const float *init, int64_t ldi, const float *a,
                 int64_t lda, const float *b, int64_t ldb, int64_t k)
{
    vec acc[MR1][3];
    struct rows r;

    UNROLL
    for (int i = 0; i < mr; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        acc[i][j] = init ? vload(init + i * ldi + j * VW) : vset(0);
    UNROLL
    for (int g = 0; g < (mr + 2) / 3; g++) {
        r.p[g] = by_rows ? a + 3 * g * lda : a;
        if (by_rows)
            OPAQUE(r.p[g]);
    }
    for (; k >= STEPS; k -= STEPS)
        UNROLL
    for (int s = 0; s < STEPS; s++)
        step(mr, nv, by_rows, acc, &r, &a, lda, &b, ldb);
    for (; k > 0; k--)
        step(mr, nv, by_rows, acc, &r, &a, lda, &b, ldb);
    UNROLL
    for (int i = 0; i < mr; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        vstore(c + i * ldc + j * VW, acc[i][j]);
}

/* c[m, columns] = init + A[m, k] B[k, columns].  c is loaded into the cache
 * ahead of time when it is `far`, and so is `next`, what the product after
 * this one will read, a part with each tile. */
struct product {
    float *c;
    const float *init, *a, *b; /* init NULL: zeros */
    int64_t ldc, ldi, lda, ldb, m, k;
    int far;
    const float *next; /* next_floats of them; NULL: nothing */
    int64_t next_floats;
};

INLINE void prefetch_part(const float *p, int64_t floats)
{
    for (int64_t i = 0; i < floats; i += 16)
        __builtin_prefetch(p + i, 0, 2);
}

INLINE void prefetch_tile(const float *c, int64_t ld, int64_t rows,
                          int64_t floats)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < floats; j += 16)
            __builtin_prefetch(c + i * ld + j, 1, 3);
}

/* Rows of the next tile when `left` remain: the most, but two nearly equal
 * tiles rather than a full one and a sliver. */
INLINE int tile_rows(int64_t left, int most)
{
    return (int)(left >= 2 * most ? most : left > most ? (left + 1) / 2 : left);
}

/* The tiles of a panel one after the other: where the next one starts. */
struct place {
    float *c;
    const float *init, *a, *next;
};

INLINE void one_tile(const int mr, const int nv, const int by_rows,
                     const struct product *p, struct place *at)
{
    tile(mr, nv, by_rows, at->c, p->ldc, at->init, p->ldi, at->a, p->lda, p->b,
         p->ldb, p->k);
    at->c += mr * p->ldc;
    if (at->init)
        at->init += mr * p->ldi;
    at->a += by_rows ? mr * p->lda : mr;
}

#define TILE_CASE(n)                                                           \
    case n:                                                                    \
        one_tile(n, nv, by_rows, p, &at);                                      \
        break;

/* nv vecs of columns of B against m rows of A. */
INLINE void panel(const int nv, const int by_rows, const struct product *p)
{
    const int most = nv == 3 ? MR3 : nv == 2 ? MR2 : MR1;
    struct place at = {p->c, p->init, p->a, p->next};
    int64_t part = p->next ? p->next_floats * most / p->m / 16 * 16 + 16 : 0;
    int64_t m = p->m;

    /* Whole tiles, without the switch below. */
    for (; tile_rows(m, most) == most; m -= most) {
        if (part) {
            prefetch_part(at.next, part);
            at.next += part;
        }
        if (p->far)
            prefetch_tile(at.c + most * p->ldc, p->ldc, least(m - most, most),
                          nv * VW);
        one_tile(most, nv, by_rows, p, &at);
    }
    while (m > 0) {
        int mr = tile_rows(m, most);

        switch (mr) {
            TILE_CASE(1)
            TILE_CASE(2)
            TILE_CASE(3)
        default:
            break;
        }
        if (most > 4)
            switch (mr) {
                TILE_CASE(4)
                TILE_CASE(5)
            default:
                break;
            }
        if (most > 6)
            switch (mr) {
                TILE_CASE(6)
                TILE_CASE(7)
                TILE_CASE(8)
            default:
                break;
            }
        if (most > 9)
            switch (mr) {
                TILE_CASE(9)
                TILE_CASE(10)
                TILE_CASE(11)
            default:
                break;
            }
#if MR1 > 12
        switch (mr) {
            TILE_CASE(12)
            TILE_CASE(13)
        default:
            break;
        }
#endif
        m -= mr;
    }
}

/* Each kernel, compiled once. */
#define PANEL(NAME, NV, BY_ROWS)                                               \
    static void NAME(const struct product *p)                                  \
    {                                                                          \
        panel(NV, BY_ROWS, p);                                                 \
    }
PANEL(rows1, 1, 1)
PANEL(rows2, 2, 1)
PANEL(rows3, 3, 1)
PANEL(cols1, 1, 0)
PANEL(cols2, 2, 0)
PANEL(cols3, 3, 0)

/* By by_rows and the number of vecs. */
static void (*const panels[2][4])(const struct product *) = {
    {NULL, cols1, cols2, cols3}, {NULL, rows1, rows2, rows3}};

/* The product for n columns that do not fill vecs: B has whole vecs of them,
 * and they go through a small buffer. */
static __attribute__((noinline)) void
few_columns(const int by_rows, const struct product *whole, int64_t n)
{
    int nv = (int)((n + VW - 1) / VW);
    float buf[MR3 * 3 * VW] = {0}; /* the columns beyond n are computed too */
    struct product p = *whole;

    p.c = buf;
    p.init = p.init ? buf : NULL;
    p.ldc = p.ldi = nv * VW;
    p.next = NULL;
    p.far = 0;
    for (int64_t i = 0; i < whole->m; i += MR3) {
        p.m = least(whole->m - i, MR3);
        p.a = whole->a + (by_rows ? i * p.lda : i);
        for (int64_t j = 0; p.init && j < p.m; j++)
            memcpy(buf + j * p.ldc, whole->init + (i + j) * whole->ldi,
                   (size_t)n * sizeof *buf);
        panels[by_rows][nv](&p);
        for (int64_t j = 0; j < p.m; j++)
            memcpy(whole->c + (i + j) * whole->ldc, buf + j * p.ldc,
                   (size_t)n * sizeof *buf);
    }
}

/* The product for n columns, n <= 3 VW; B has whole vecs of them. */
INLINE void columns(const int by_rows, const struct product *p, int64_t n)
{
    if (n % VW)
        few_columns(by_rows, p, n);
    else
        panels[by_rows][n / VW](p);
}

/* -------------------------------------------------------------- panels */

/* Floats of n columns when they fill whole vecs. */
static int64_t padded(int64_t n)
{
    return (n + VW - 1) / VW * VW;
}

/* Width in floats of the panel that begins with n columns left: 3 vecs, but
 * 2 and 2 rather than 3 and 1. */
static int64_t panel_width(int64_t n)
{
    int64_t vecs = padded(n) / VW;

    return (vecs == 4 ? 2 : least(vecs, 3)) * VW;
}

INLINE void copy_vecs(const int nv, float *dst, const float *src, int64_t ld,
                      int64_t rows)
{
    for (; rows > 0; rows--, dst += nv * VW, src += ld) {
        vec x[3];

        UNROLL
        for (int j = 0; j < nv; j++)
            x[j] = vload(src + j * VW);
        UNROLL
        for (int j = 0; j < nv; j++)
            vstore(dst + j * VW, x[j]);
    }
}

/* dst[rows][width] = the first cols of each row of src, zeros beyond. */
static void copy_panel(float *dst, int64_t width, const float *src, int64_t ld,
                       int64_t rows, int64_t cols)
{
    if (cols == 3 * VW && width == 3 * VW)
        copy_vecs(3, dst, src, ld, rows);
    else if (cols == 2 * VW && width == 2 * VW)
        copy_vecs(2, dst, src, ld, rows);
    else
        for (int64_t i = 0; i < rows; i++, dst += width, src += ld)
            for (int64_t j = 0; j < width; j += VW)
                vstore(dst + j,
                       j < cols ? vload_n(src + j, cols - j) : vset(0));
}

/* dst[c][r] = src[r][c] for r < rows, zeros for the other r < lanes. */
static void to_lanes(float *dst, int64_t ldd, int64_t lanes, const float *src,
                     int64_t ld, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < lanes; r += VW)
        for (int64_t c = 0; c < cols; c += VW) {
            int64_t n = least(cols - c, VW), m = least(rows - r, VW);
            const float *from = src + r * ld + c;
            float *to = dst + c * ldd + r;
            vec x[VW];

            if (n == VW && m == VW) {
                UNROLL
                for (int i = 0; i < VW; i++)
                    x[i] = vload(from + i * ld);
            } else {
                for (int i = 0; i < VW; i++)
                    x[i] = i < m ? vload_n(from + i * ld, n) : vset(0);
            }
            vtranspose(x);
            for (int i = 0; i < n; i++)
                vstore(to + i * ldd, x[i]);
        }
}

#endif
