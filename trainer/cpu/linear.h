/* linear: the three products of a linear layer, and its packed weights; how
 * they are blocked is in gemm.h and blocks.h. */
#ifndef LOGLOG_TRAINER_CPU_LINEAR_H
#define LOGLOG_TRAINER_CPU_LINEAR_H

#include "trainer/cpu/blocks.h"

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

static void fast_linear_dw(float *dw, const float *dy, const float *x,
                           const struct linear *l, int64_t m, int add,
                           void *scratch)
{
    for (int64_t t = 0; t < m; t += KB)
        dw_block(dw, dy + t * l->n, x + t * l->k, l, least(m - t, KB), add || t,
                 scratch);
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
                                const struct linear *l, int64_t m, int add,
                                void *scratch)
{
    float *rdy = (float *)scratch + dw_scratch(l->k), *rx = rdy + KB * l->n;

    for (int64_t t = 0; t < m; t += KB) {
        int64_t steps = least(m - t, KB);

        round_bf16(rdy, dy + t * l->n, steps * l->n);
        round_bf16(rx, x + t * l->k, steps * l->k);
        dw_block(dw, rdy, rx, l, steps, add || t, scratch);
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
