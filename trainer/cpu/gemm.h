/* gemm: the matrix products, from one micro-kernel.
 *
 * The micro-kernel `tile` computes c[mr, NR] = init + A[mr, k] B[k, NR] with
 * the whole of c in registers: per step of k it loads one row of B (two vecs)
 * and broadcasts mr elements of A.  With 12 rows of 2 vecs that is 24 fused
 * multiply-adds for 14 loads, so the loads hide behind the arithmetic, and 24
 * chains hide its latency.
 *
 * Order.  Each element of c is one chain over k, from init, k ascending,
 * whatever the tile's shape, the blocking or the target: c = fma(a, b, c).  So
 * blocking never changes a bit, and neither does the width of a vec.
 *
 * Packing.  A row of B must be contiguous and its rows near each other: a
 * "panel" is NR columns of B, [k][NR], zeros beyond the last column.
 *   forward  y = x W^T    B = W^T: packed when the weights change
 *   dX       dx = dy W    B = W:   packed when the weights change
 *   dW       dw += dy^T x B = x:   in place when its rows are NR wide, else
 *                                  copied, a panel of KB tokens at a time
 * A is read in place, by rows (element (i, k) at a[i lda + k]) or by columns
 * (at a[k lda + i]: dy^T in dW).
 *
 * Blocking.  A panel of KB steps (32 KB at NR = 32) stays in the first-level
 * cache while the rows of A stream past it from the second level, one tile of
 * rows after the other; then comes the next panel.  Products with a long k
 * are done KB steps at a time, c kept in memory in between. */
#ifndef LOGLOG_TRAINER_CPU_GEMM_H
#define LOGLOG_TRAINER_CPU_GEMM_H

#include "trainer/backend.h"
#include "trainer/cpu/simd.h"

#define NR (2 * VW) /* columns of a panel */
#if VW == 16
#define MR 12 /* most rows of a tile: MR * 2 + 3 registers */
#else
#define MR 6
#endif
#define KB 256 /* steps of k at a time */
#define MB 256 /* rows of A at a time */

/* Where the rows of A start, three to a pointer: an address is then pointer +
 * {0, 1, 2} * stride, which the hardware adds for free. */
struct rows {
    const float *p[(MR + 2) / 3];
};

/* Keep the compiler from deriving one such pointer from another. */
#define OPAQUE(p) __asm__("" : "+r"(p))

INLINE void tile(const int mr, const int nv, const int by_rows, float *c,
                 int64_t ldc, const float *init, int64_t ldi, const float *a,
                 int64_t lda, const float *b, int64_t ldb, int64_t k)
{
    vec acc[MR][2];
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
    for (; k > 0; k--) {
        vec bv[2];

        UNROLL
        for (int j = 0; j < nv; j++)
            bv[j] = vload(b + j * VW);
        UNROLL
        for (int i = 0; i < mr; i++) {
            vec av = vset(by_rows ? r.p[i / 3][(i % 3) * lda] : a[i]);

            UNROLL
            for (int j = 0; j < nv; j++)
                acc[i][j] = vfma(av, bv[j], acc[i][j]);
        }
        b += ldb;
        if (!by_rows)
            a += lda;
        UNROLL
        for (int g = 0; g < (mr + 2) / 3; g++)
            r.p[g]++;
    }
    UNROLL
    for (int i = 0; i < mr; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        vstore(c + i * ldc + j * VW, acc[i][j]);
}

/* Rows of the next tile when `left` remain: MR, but two nearly equal tiles
 * rather than a full one and a sliver. */
INLINE int tile_rows(int64_t left)
{
    return (int)(left >= 2 * MR ? MR : left > MR ? (left + 1) / 2 : left);
}

#define TILE_CASE(n)                                                           \
    case n:                                                                    \
        tile(n, nv, by_rows, c, ldc, init, ldi, a, lda, b, ldb, k);            \
        break;

/* nv vecs of columns of B against m rows of A. */
INLINE void panel(const int nv, const int by_rows, float *c, int64_t ldc,
                  const float *init, int64_t ldi, const float *a, int64_t lda,
                  const float *b, int64_t ldb, int64_t m, int64_t k)
{
    while (m > 0) {
        int mr = tile_rows(m);

        switch (mr) {
            TILE_CASE(1)
            TILE_CASE(2)
            TILE_CASE(3)
            TILE_CASE(4)
            TILE_CASE(5)
            TILE_CASE(6)
#if MR == 12
            TILE_CASE(7)
            TILE_CASE(8)
            TILE_CASE(9)
            TILE_CASE(10)
            TILE_CASE(11)
            TILE_CASE(12)
#endif
        }
        c += mr * ldc;
        if (init)
            init += mr * ldi;
        a += by_rows ? mr * lda : mr;
        m -= mr;
    }
}

/* The four kernels, each compiled once. */
static void panel_rows2(float *c, int64_t ldc, const float *init, int64_t ldi,
                        const float *a, int64_t lda, const float *b,
                        int64_t ldb, int64_t m, int64_t k)
{
    panel(2, 1, c, ldc, init, ldi, a, lda, b, ldb, m, k);
}

static void panel_rows1(float *c, int64_t ldc, const float *init, int64_t ldi,
                        const float *a, int64_t lda, const float *b,
                        int64_t ldb, int64_t m, int64_t k)
{
    panel(1, 1, c, ldc, init, ldi, a, lda, b, ldb, m, k);
}

static void panel_cols2(float *c, int64_t ldc, const float *init, int64_t ldi,
                        const float *a, int64_t lda, const float *b,
                        int64_t ldb, int64_t m, int64_t k)
{
    panel(2, 0, c, ldc, init, ldi, a, lda, b, ldb, m, k);
}

static void panel_cols1(float *c, int64_t ldc, const float *init, int64_t ldi,
                        const float *a, int64_t lda, const float *b,
                        int64_t ldb, int64_t m, int64_t k)
{
    panel(1, 0, c, ldc, init, ldi, a, lda, b, ldb, m, k);
}

/* The last columns of c when they do not fill vecs: through a small buffer.
 * B is padded to NR columns. */
static void panel_part(int by_rows, float *c, int64_t ldc, const float *init,
                       int64_t ldi, const float *a, int64_t lda, const float *b,
                       int64_t ldb, int64_t m, int64_t n, int64_t k)
{
    float buf[MR * NR];

    for (int64_t i = 0, mr; i < m; i += mr) {
        mr = m - i < MR ? m - i : MR;
        for (int64_t j = 0; init && j < mr; j++)
            memcpy(buf + j * NR, init + (i + j) * ldi, (size_t)n * sizeof *buf);
        if (by_rows)
            panel_rows2(buf, NR, init ? buf : NULL, NR, a + i * lda, lda, b,
                        ldb, mr, k);
        else
            panel_cols2(buf, NR, init ? buf : NULL, NR, a + i, lda, b, ldb, mr,
                        k);
        for (int64_t j = 0; j < mr; j++)
            memcpy(c + (i + j) * ldc, buf + j * NR, (size_t)n * sizeof *buf);
    }
}

/* n <= NR columns of c. */
static void columns(int by_rows, float *c, int64_t ldc, const float *init,
                    int64_t ldi, const float *a, int64_t lda, const float *b,
                    int64_t ldb, int64_t m, int64_t n, int64_t k)
{
    if (n == NR)
        (by_rows ? panel_rows2 : panel_cols2)(c, ldc, init, ldi, a, lda, b, ldb,
                                              m, k);
    else if (n == VW)
        (by_rows ? panel_rows1 : panel_cols1)(c, ldc, init, ldi, a, lda, b, ldb,
                                              m, k);
    else
        panel_part(by_rows, c, ldc, init, ldi, a, lda, b, ldb, m, n, k);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* c[m, n] = init + a[m, k] times the panels of a packed B[k, n]; init (NULL:
 * zeros) has the layout of c. */
static void gemm_packed(float *c, const float *init, const float *a,
                        const float *pack, int64_t m, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < m; i += MB)
        for (int64_t s = 0; s < k; s += KB)
            for (int64_t j = 0; j < n; j += NR) {
                const float *from = s ? c : init;

                columns(1, c + i * n + j, n, from ? from + i * n + j : NULL, n,
                        a + i * k + s, k, pack + j * k + s * NR, NR,
                        least(m - i, MB), least(n - j, NR), least(k - s, KB));
            }
}

/* ---------------------------------------------------- the linear layers */

static int64_t panels(int64_t n)
{
    return (n + NR - 1) / NR;
}

static size_t fast_pack_bytes(int64_t n, int64_t k)
{
    return (size_t)(panels(n) * k + panels(k) * n) * NR * sizeof(float);
}

/* W's own panels follow those of W^T. */
static float *pack_w(const struct linear *l)
{
    return (float *)l->pack + panels(l->n) * l->k * NR;
}

/* rows x cols of src into dst[rows][NR], zeros beyond cols */
static void copy_panel(float *dst, const float *src, int64_t ld, int64_t rows,
                       int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, dst += NR, src += ld) {
        if (cols == NR) {
            vstore(dst, vload(src));
            vstore(dst + VW, vload(src + VW));
            continue;
        }
        memset(dst, 0, NR * sizeof *dst);
        memcpy(dst, src, (size_t)cols * sizeof *dst);
    }
}

/* dst[c][r] = src[r][c], r < rows <= NR, zeros for the other r < NR. */
static void to_lanes(float *dst, int64_t ldd, const float *src, int64_t ld,
                     int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < NR; r += VW)
        for (int64_t c = 0; c < cols; c += VW) {
            int64_t n = least(cols - c, VW);
            vec x[VW];

            for (int i = 0; i < VW; i++)
                x[i] =
                    r + i < rows ? vload_n(src + (r + i) * ld + c, n) : vset(0);
            vtranspose(x);
            for (int i = 0; i < n; i++)
                vstore(dst + (c + i) * ldd + r, x[i]);
        }
}

/* The way back: dst[r][c] = src[c][r], r < rows; src is [cols][NR].  When ld
 * is a whole number of vecs, columns up to it become zeros. */
static void from_lanes(float *dst, int64_t ld, const float *src, int64_t rows,
                       int64_t cols)
{
    for (int64_t r = 0; r < rows; r += VW)
        for (int64_t c = 0; c < cols; c += VW) {
            int64_t n = least(cols - c, VW), m = least(rows - r, VW);
            vec x[VW];

            for (int i = 0; i < VW; i++)
                x[i] = i < n ? vload(src + (c + i) * NR + r) : vset(0);
            vtranspose(x);
            for (int i = 0; i < m; i++)
                vstore_n(dst + (r + i) * ld + c, x[i], n);
        }
}

static void fast_pack(struct linear *l)
{
    for (int64_t j = 0; j < l->n; j += NR)
        to_lanes((float *)l->pack + j * l->k, NR, l->w + j * l->k, l->k,
                 least(l->n - j, NR), l->k);
    for (int64_t j = 0; j < l->k; j += NR)
        copy_panel(pack_w(l) + j * l->n, l->w + j, l->k, l->n,
                   least(l->k - j, NR));
}

static void fast_linear(float *y, const float *x, const float *res,
                        const struct linear *l, int64_t m, void *scratch)
{
    (void)scratch;
    gemm_packed(y, res, x, l->pack, m, l->n, l->k);
}

static void fast_linear_dx(float *dx, const float *dy, const struct linear *l,
                           int64_t m, void *scratch)
{
    (void)scratch;
    gemm_packed(dx, NULL, dy, pack_w(l), m, l->k, l->n);
}

static void fast_linear_dw(float *dw, const float *dy, const float *x,
                           const struct linear *l, int64_t m, void *scratch)
{
    for (int64_t t = 0; t < m; t += KB) {
        int64_t steps = least(m - t, KB);

        for (int64_t j = 0; j < l->k; j += NR) {
            const float *b = x + t * l->k + j;

            if (l->k != NR) {
                copy_panel(scratch, b, l->k, steps, least(l->k - j, NR));
                b = scratch;
            }
            columns(0, dw + j, l->k, dw + j, l->k, dy + t * l->n, l->n, b, NR,
                    l->n, least(l->k - j, NR), steps);
        }
    }
}

#endif
