/* plots_grid: heat maps of (lr, batch) grids and the laws through them. */
#include "analysis/plots_impl.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME 1e-6

/* --- heat map --- */

/* Upper ends of the colour steps; what is above the last is h8. */
static const double heat_step[8] = {0.0025, 0.005, 0.01, 0.02,
                                    0.04,   0.08,  0.16, 0.32};

#define DARK_TEXT 0.04 /* the light half of the scale */

static void heat_class(char cls[16], double excess)
{
    int k = 0;

    while (k < 8 && excess > heat_step[k])
        k++;
    snprintf(cls, 16, "h%d", k);
}

static size_t axis_values(double *v, const struct hyper_grid *g, int batch)
{
    size_t n = 0;

    for (int i = 0; i < g->n_cell; i++) {
        double x = batch ? g->cell[i].batch : g->cell[i].lr;
        size_t k = 0;
        while (k < n && v[k] < x * (1 - SAME))
            k++;
        if (k < n && fabs(v[k] / x - 1) < SAME)
            continue;
        memmove(v + k + 1, v + k, (n - k) * sizeof *v);
        v[k] = x;
        n++;
    }
    return n;
}

/* The place of x among the values, in cells from the first's middle. */
static double axis_place(const double *v, size_t n, double x)
{
    size_t i = 0;

    if (n < 2)
        return 0;
    while (i + 2 < n && x > v[i + 1])
        i++;
    return (double)i + log(x / v[i]) / log(v[i + 1] / v[i]);
}

struct heat {
    double *lr, *batch;
    size_t n_lr, n_batch;
    double x0, y0, w, h; /* first cell's corner (bottom left), cell size */
};

static void draw_cell(struct str *out, const struct heat *m,
                      const struct hyper_cell *c)
{
    double x = m->x0 + m->w * round(axis_place(m->lr, m->n_lr, c->lr));
    double y =
        m->y0 - m->h * (round(axis_place(m->batch, m->n_batch, c->batch)) + 1);
    char cls[16] = "diverged", text[16];

    if (isfinite(c->excess))
        heat_class(cls, c->excess);
    svg_rect(out, cls, x + 0.5, y + 0.5, m->w - 1, m->h - 1);
    if (c->near)
        svg_rect(out, "near", x + 2, y + 2, m->w - 4, m->h - 4);
    if (m->w < 26 || m->h < 13)
        return;
    if (isfinite(c->excess))
        snprintf(text, sizeof text, c->excess < 0.0995 ? "%.1f" : "%.0f",
                 100 * c->excess);
    else
        snprintf(text, sizeof text, "div");
    svg_text(out,
             !isfinite(c->excess)     ? "cell off"
             : c->excess <= DARK_TEXT ? "cell dark"
                                      : "cell",
             "middle", x + m->w / 2, y + m->h / 2 + 4, text);
}

static void draw_ticks(struct str *out, const struct heat *m)
{
    struct scale s = {.lo = 1, .hi = 10, .log = 1};
    size_t every = m->w < 34 ? 2 : 1;
    char buf[STR_DOUBLE];

    for (size_t i = 0; i < m->n_lr; i += every) {
        double v = m->lr[i], p = pow(10, floor(log10(v)) - 1);
        scale_label(buf, round(v / p) * p, &s);
        svg_text(out, "tick", "middle", m->x0 + m->w * ((double)i + 0.5),
                 m->y0 + 15, buf);
    }
    for (size_t i = 0; i < m->n_batch; i++) {
        snprintf(buf, sizeof buf, "%.0f", m->batch[i]);
        svg_text(out, "tick", "end", m->x0 - 6,
                 m->y0 - m->h * ((double)i + 0.5) + 4, buf);
    }
    svg_text(out, "name", "middle", m->x0 + m->w * (double)m->n_lr / 2,
             m->y0 + 33, "peak learning rate");
    svg_text_up(out, "name", 12, m->y0 - m->h * (double)m->n_batch / 2,
                "batch, tokens");
}

static void draw_law(struct str *out, const struct heat *m,
                     const struct hyper_grid *g, const struct hyper_law *law)
{
    double u = axis_place(m->lr, m->n_lr, hyper_lr(law, g->flops)) + 0.5;
    double v =
        axis_place(m->batch, m->n_batch, hyper_batch(law, g->flops)) + 0.5;

    if (u < 0 || u > (double)m->n_lr || v < 0 || v > (double)m->n_batch)
        return;
    svg_mark(out, "choice", MARK_DIAMOND, m->x0 + m->w * u, m->y0 - m->h * v,
             5);
}

void plot_grid(struct str *out, const char *id, const struct hyper_grid *g,
               const struct hyper_law *law)
{
    size_t n = (size_t)g->n_cell + 1;
    struct heat m = {.lr = xmalloc(n * sizeof(double)),
                     .batch = xmalloc(n * sizeof(double))};
    char title[96], desc[256];
    double height;

    m.n_lr = axis_values(m.lr, g, 0);
    m.n_batch = axis_values(m.batch, g, 1);
    m.h = fmin(40, fmax(16, 280 / (double)m.n_batch));
    height = PLOT_TOP + m.h * (double)m.n_batch + PLOT_BOTTOM;
    m.x0 = PLOT_LEFT + 8;
    m.w = (PLOT_W - m.x0 - 6) / (double)m.n_lr;
    m.y0 = height - PLOT_BOTTOM;
    snprintf(title, sizeof title, "Excess loss over (lr, batch) at %.3g flops",
             g->flops);
    snprintf(desc, sizeof desc,
             "Each cell: percent above the lowest loss of the grid. %d of %d "
             "cells are near-optimal (within %.2f %%); the best is lr %.3g "
             "with %.0f tokens.",
             g->n_near, g->n_cell, 100 * g->threshold, g->cell[g->best].lr,
             g->cell[g->best].batch);
    svg_begin(out, id, PLOT_W, height, title, desc);
    for (int i = 0; i < g->n_cell; i++)
        draw_cell(out, &m, &g->cell[i]);
    draw_ticks(out, &m);
    if (law)
        draw_law(out, &m, g, law);
    svg_end(out);
    free(m.lr);
    free(m.batch);
}

/* --- laws --- */

static void hold_grids(struct scale *x, struct scale *y,
                       const struct hyper_fit *f, int batch)
{
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        scale_hold(x, g->flops);
        scale_hold(y, batch ? g->batch_lo : g->lr_lo);
        scale_hold(y, batch ? g->batch_hi : g->lr_hi);
    }
}

static void draw_grid_points(struct str *out, const struct scale *x,
                             const struct scale *y, const struct hyper_fit *f,
                             int batch)
{
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        double at = scale_at(x, g->flops);
        int edge = batch ? g->dbatch : g->dlr;
        for (int k = 0; k < g->n_cell; k++)
            if (g->cell[k].near)
                svg_circle(
                    out, "faint s0", at,
                    scale_at(y, batch ? g->cell[k].batch : g->cell[k].lr), 2.5);
        svg_mark(out, edge ? "open s1" : "fill s1",
                 edge ? MARK_UP : MARK_DIAMOND, at,
                 scale_at(y, batch ? g->batch : g->lr), 4.5);
        if (g->quad.ok)
            svg_mark(out, "open s2", MARK_SQUARE, at,
                     scale_at(y, batch ? g->quad.batch : g->quad.lr), 4);
    }
}

void plot_hyper_law(struct str *out, const char *id, const struct hyper_fit *f,
                    const struct hyper_law *law, int batch)
{
    const struct hyper_power *p = batch ? &f->batch : &f->lr;
    const struct hyper_law *eq1 = &hyper_law_deepseek;
    struct legend_row rows[] = {
        {"faint s0", 0, MARK_DOT, "near-optimal cells"},
        {"fill s1", 0, MARK_DIAMOND, "their centre (open: a bound)"},
        {"open s2", 0, MARK_SQUARE, "minimum of the quadratic"},
        {"line s0", 1, MARK_DOT,
         p->identified ? "law, fitted" : "law in use, not identified"},
        {"line dash s3", 1, MARK_DOT, "Eq. 1 of DeepSeek LLM"},
    };
    struct scale x, y;
    char desc[256];

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    hold_grids(&x, &y, f, batch);
    scale_finish(&x, 0.15);
    for (int k = 0; k < 2; k++) {
        double C = k ? x.hi : x.lo;
        scale_hold(&y, batch ? hyper_batch(law, C) : hyper_lr(law, C));
        scale_hold(&y, batch ? hyper_batch(eq1, C) : hyper_lr(eq1, C));
    }
    y.hi *= pow(y.hi / y.lo, 0.45); /* room for the key */
    scale_finish(&y, 0.06);
    plot_frame(&x, &y, PLOT_RIGHT);
    snprintf(desc, sizeof desc,
             "%s against compute: the law in use is %.4g times C to the power "
             "%.4f.",
             batch ? "Best batch in tokens" : "Best peak learning rate",
             batch ? law->batch_coef : law->lr_coef,
             batch ? law->batch_exp : law->lr_exp);
    svg_begin(out, id, PLOT_W, PLOT_H,
              batch ? "Batch against compute" : "Learning rate against compute",
              desc);
    svg_axes(out, &x, &y, "compute C, flops",
             batch ? "batch, tokens" : "peak learning rate");
    svg_clip(out, id, x.p0, y.p1, x.p1 - x.p0, y.p0 - y.p1);
    plot_power(out, "line dash s3", &x, &y,
               batch ? eq1->batch_coef : eq1->lr_coef,
               batch ? eq1->batch_exp : eq1->lr_exp);
    plot_power(out, "line s0", &x, &y, batch ? law->batch_coef : law->lr_coef,
               batch ? law->batch_exp : law->lr_exp);
    draw_grid_points(out, &x, &y, f, batch);
    svg_clip_end(out);
    plot_legend(out, x.p0 + 10, y.p1 + 14, rows, ARRAY_LEN(rows));
    svg_end(out);
}
