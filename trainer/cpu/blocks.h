/* blocks: a whole product with packed weights, and one with a gradient, block
 * by block through gemm.h. */
#ifndef LOGLOG_TRAINER_CPU_BLOCKS_H
#define LOGLOG_TRAINER_CPU_BLOCKS_H

#include "trainer/cpu/gemm.h"

#define NEAR_COLS 1024
#define DY_COLS 144 /* columns of a wider dy copied at a time in dW */
#define DY_LD (DY_COLS + 16)

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

/* Floats of scratch that dW needs. */
static int64_t dw_scratch(int64_t k)
{
    return KB * (padded(k) + DY_LD);
}

/* dw[n, k] += dy^T x of `steps` tokens, or = without `add`. */
static void dw_block(float *dw, const float *dy, const float *x,
                     const struct linear *l, int64_t steps, int add, float *xp)
{
    float *dyp = xp + KB * padded(l->k);
    /* A row of dy so narrow is read where it is: a copy costs more than the
     * lines of the second-level cache that a column of it touches. */
    int near = l->n <= NEAR_COLS;
    /* So is x where its rows are short or few products read it, but a product
     * reads whole vecs. */
    int in_place = (l->k <= 32 || l->n <= 40) && l->k % VW == 0;

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
                                .init = add ? c : NULL,
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

#endif
