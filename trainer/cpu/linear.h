/* linear: the three products of a linear layer, and its packed weights; how
 * they are blocked is in gemm.h. */
#ifndef LOGLOG_TRAINER_CPU_LINEAR_H
#define LOGLOG_TRAINER_CPU_LINEAR_H

#include "trainer/cpu/gemm.h"

#define DY_COLS 144 /* columns of dy copied at a time in dW */
#define DY_LD (DY_COLS + 16)

/* The panels of W^T, then those of W. */
static size_t fast_pack_bytes(int64_t n, int64_t k)
{
    return (size_t)(padded(n) * k + padded(k) * n) * sizeof(float);
}

static float *pack_w(const struct linear *l)
{
    return (float *)l->pack + padded(l->n) * l->k;
}

static void fast_pack(struct linear *l)
{
    for (int64_t j = 0, w; j < l->n; j += w) {
        w = panel_width(l->n - j);
        to_lanes((float *)l->pack + j * l->k, w, w, l->w + j * l->k, l->k,
                 least(l->n - j, w), l->k);
    }
    for (int64_t j = 0, w; j < l->k; j += w) {
        w = panel_width(l->k - j);
        copy_panel(pack_w(l) + j * l->n, w, l->w + j, l->k, l->n,
                   least(l->k - j, w));
    }
}

/* c[m, n] = init + a[m, k] B[k, n]; init (NULL: zeros) has the layout of c. */
struct packed {
    float *c;
    const float *init, *a, *pack;
    int64_t m, n, k;
};

/* The block of rows i, the panel at column j, the steps from s; next is the
 * start of the panel that comes after it, NULL at the end. */
static void packed_block(const struct packed *g, int64_t i, int64_t j,
                         int64_t s, const float *next)
{
    const float *from = s ? g->c : g->init;
    int64_t w = panel_width(g->n - j);
    struct product p = {.c = g->c + i * g->n + j,
                        .init = from ? from + i * g->n + j : NULL,
                        .a = g->a + i * g->k + s,
                        .b = g->pack + j * g->k + s * w,
                        .ldc = g->n,
                        .ldi = g->n,
                        .lda = g->k,
                        .ldb = w,
                        .m = least(g->m - i, MB),
                        .k = least(g->k - s, KB),
                        .far = g->m * g->n > FAR_FLOATS};

    if (g->n * g->k > FAR_FLOATS && next) {
        p.next = next;
        p.next_floats = p.k * w;
    }
    columns(1, &p, least(g->n - j, w));
}

/* Of a and c, the one that fits stays in the second-level cache while the
 * other passes by. */
static void gemm_packed(const struct packed *g)
{
    int keep_a = least(g->m, MB) * g->k <= KEEP_FLOATS;

    for (int64_t i = 0; i < g->m; i += MB) {
        for (int64_t j = 0, w; keep_a && j < g->n; j += w) {
            const float *b = g->pack + j * g->k;

            w = panel_width(g->n - j);
            for (int64_t s = 0; s < g->k; s += KB)
                packed_block(g, i, j, s, b + least(s + KB, g->k) * w);
        }
        for (int64_t s = 0; !keep_a && s < g->k; s += KB)
            for (int64_t j = 0, w; j < g->n; j += w) {
                int64_t to = j + (w = panel_width(g->n - j));

                packed_block(g, i, j, s,
                             to < g->n ? g->pack + to * g->k +
                                             s * panel_width(g->n - to)
                                       : NULL);
            }
    }
}

static void fast_linear(float *y, const float *x, const float *res,
                        const struct linear *l, int64_t m, void *scratch)
{
    const struct packed g = {y, res, x, l->pack, m, l->n, l->k};

    (void)scratch;
    gemm_packed(&g);
}

static void fast_linear_dx(float *dx, const float *dy, const struct linear *l,
                           int64_t m, void *scratch)
{
    const struct packed g = {dx, NULL, dy, pack_w(l), m, l->k, l->n};

    (void)scratch;
    gemm_packed(&g);
}

/* Floats of scratch that dW needs. */
static int64_t dw_scratch(int64_t k)
{
    return KB * (padded(k) + DY_LD);
}

/* What is added to dw by `steps` tokens. */
static void dw_block(float *dw, const float *dy, const float *x,
                     const struct linear *l, int64_t steps, float *xp)
{
    float *dyp = xp + KB * padded(l->k);
    /* Where a narrow dy is, it stays in cache. */
    int near = l->n <= 256;
    /* So does a narrow x, but a product reads whole vecs of it. */
    int in_place = l->k <= 32 && l->k % VW == 0;

    for (int64_t j = 0, w; !in_place && j < l->k; j += w) {
        w = panel_width(l->k - j);
        copy_panel(xp + j * steps, w, x + j, l->k, steps, least(l->k - j, w));
    }
    for (int64_t i = 0; i < l->n; i += near ? l->n : DY_COLS) {
        int64_t m = near ? l->n : least(l->n - i, DY_COLS);

        for (int64_t t = 0; !near && t < steps; t++)
            for (int64_t c = 0; c < m; c += VW)
                vstore_n(dyp + t * DY_LD + c,
                         vload_n(dy + t * l->n + i + c, m - c), m - c);
        for (int64_t j = 0, w; j < l->k; j += w) {
            float *c = dw + i * l->k + j;
            struct product p = {.c = c,
                                .init = c,
                                .a = near ? dy : dyp,
                                .b = in_place ? x + j : xp + j * steps,
                                .ldc = l->k,
                                .ldi = l->k,
                                .lda = near ? l->n : DY_LD,
                                .ldb = in_place ? l->k : panel_width(l->k - j),
                                .m = m,
                                .k = steps,
                                .far = l->n * l->k > FAR_FLOATS};

            w = panel_width(l->k - j);
            columns(0, &p, least(l->k - j, w));
        }
    }
}

static void fast_linear_dw(float *dw, const float *dy, const float *x,
                           const struct linear *l, int64_t m, void *scratch)
{
    for (int64_t t = 0; t < m; t += KB)
        dw_block(dw, dy + t * l->n, x + t * l->k, l, least(m - t, KB), scratch);
}

/* ---------------------------------------------------------------- bf16 */

/* The same products of operands rounded to bf16.  A product of two bf16
 * numbers is exact in fp32, so these are bf16 products with fp32 sums, on a
 * CPU without instructions for them. */

static void round_bf16(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += VW)
        vstore_n(dst + i, vbf16(vload_n(src + i, n - i)), n - i);
}

static void fast_pack_bf16(struct linear *l)
{
    fast_pack(l);
    round_bf16(l->pack, l->pack,
               (int64_t)(fast_pack_bytes(l->n, l->k) / sizeof(float)));
}

static void fast_linear_bf16(float *y, const float *x, const float *res,
                             const struct linear *l, int64_t m, void *scratch)
{
    round_bf16(scratch, x, m * l->k);
    fast_linear(y, scratch, res, l, m, NULL);
}

static void fast_linear_dx_bf16(float *dx, const float *dy,
                                const struct linear *l, int64_t m,
                                void *scratch)
{
    round_bf16(scratch, dy, m * l->n);
    fast_linear_dx(dx, scratch, l, m, NULL);
}

static void fast_linear_dw_bf16(float *dw, const float *dy, const float *x,
                                const struct linear *l, int64_t m,
                                void *scratch)
{
    float *rdy = (float *)scratch + dw_scratch(l->k), *rx = rdy + KB * l->n;

    for (int64_t t = 0; t < m; t += KB) {
        int64_t steps = least(m - t, KB);

        round_bf16(rdy, dy + t * l->n, steps * l->n);
        round_bf16(rx, x + t * l->k, steps * l->k);
        dw_block(dw, rdy, rx, l, steps, scratch);
    }
}

/* Floats of scratch that the above need. */
static int64_t bf16_scratch(const struct backend_shape *s)
{
    int64_t widest = s->max_n > s->max_k ? s->max_n : s->max_k;
    int64_t dw = dw_scratch(s->max_k) + KB * (s->max_n + s->max_k);
    int64_t x = s->rows * widest;

    return dw > x ? dw : x;
}

#endif
