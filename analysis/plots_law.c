/* plots_law: IsoFLOP profiles, the allocation and the loss law. */
#include "analysis/plots_impl.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- profiles --- */

static void draw_parabola(struct str *out, const char *colour,
                          const struct scale *x, const struct scale *y,
                          const struct isoflop_budget *b, int log_loss)
{
    double lo = b->size[0].M, hi = b->size[b->n_size - 1].M, xy[2 * 41];
    char cls[32];

    if (!isfinite(b->c[2]))
        return;
    for (int i = 0; i <= 40; i++) {
        double M = lo * pow(hi / lo, i / 40.0), u = log(M / b->M_mid);
        double v = b->c[0] + u * (b->c[1] + u * b->c[2]);
        xy[2 * i] = scale_at(x, M);
        xy[2 * i + 1] = scale_at(y, log_loss ? exp(v) : v);
    }
    snprintf(cls, sizeof cls, "line %s%s", colour, b->ok ? "" : " dash");
    svg_polyline(out, cls, xy, 41);
}

static void draw_profile(struct str *out, const char *colour,
                         const struct scale *x, const struct scale *y,
                         const struct isoflop_budget *b, int log_loss)
{
    char fill[32], open[32], line[32];

    snprintf(fill, sizeof fill, "fill %s", colour);
    snprintf(open, sizeof open, "open %s", colour);
    snprintf(line, sizeof line, "thin %s", colour);
    draw_parabola(out, colour, x, y, b, log_loss);
    for (int i = 0; i < b->n_size; i++) {
        const struct isoflop_size *s = &b->size[i];
        double px = scale_at(x, s->M);
        if (s->sd > 0)
            svg_line(out, line, px, scale_at(y, s->loss - s->sd), px,
                     scale_at(y, s->loss + s->sd));
        svg_circle(out, s->in_window ? fill : open, px, scale_at(y, s->loss),
                   3);
    }
    if (b->ok)
        svg_mark(out, "best", MARK_DIAMOND, scale_at(x, b->M),
                 scale_at(y, b->loss), 5);
}

void plot_isoflop(struct str *out, const char *id, const struct isoflop_fit *f)
{
    size_t n = (size_t)f->n_budget;
    struct side_label *l = xcalloc(n + 1, sizeof *l);
    struct scale x, y;
    char desc[256];

    scale_empty(&x, 1);
    scale_empty(&y, 0);
    for (int i = 0; i < f->n_budget; i++)
        for (int k = 0; k < f->budget[i].n_size; k++) {
            scale_hold(&x, f->budget[i].size[k].M);
            scale_hold(&y, f->budget[i].size[k].loss);
        }
    scale_finish(&x, 0.04);
    scale_finish(&y, 0.06);
    plot_frame(&x, &y, PLOT_LABELS);
    snprintf(desc, sizeof desc,
             "One curve a budget, %d budgets; dots are means over seeds, lines "
             "parabolas in log M (dashed where the minimum was refused), "
             "diamonds the %d accepted minima.",
             f->n_budget, f->n_ok);
    svg_begin(out, id, PLOT_W, PLOT_H, "IsoFLOP profiles", desc);
    svg_axes(out, &x, &y, "model scale M, flops a token",
             f->metric_bpb ? "bits per byte" : "loss");
    svg_clip(out, id, x.p0, y.p1, x.p1 - x.p0, y.p0 - y.p1);
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        const char *colour = plot_order(i, f->n_budget);
        draw_profile(out, colour, &x, &y, b, f->opts.log_loss);
        snprintf(l[i].cls, sizeof l[i].cls, "%s", colour);
        scale_label(l[i].text, b->flops, &x);
        l[i].y = scale_at(&y, b->size[b->n_size - 1].loss);
    }
    svg_clip_end(out);
    plot_side_labels(out, x.p1 + 5, l, n);
    svg_end(out);
    free(l);
}

/* --- allocation --- */

static double optimum(const struct isoflop_budget *b, int data)
{
    return data ? b->flops / b->M : b->M;
}

/* The interval of the law over x: the exponent's turns about the middle of
 * the budgets, where the level is known as well as the optima average. */
static void draw_law_band(struct str *out, const struct scale *x,
                          const struct scale *y, const struct isoflop_fit *f,
                          int data)
{
    const struct isoflop_power *p = data ? &f->D : &f->M;
    double half = (p->exponent_ci[1] - p->exponent_ci[0]) / 2, level = 0;
    double mid = 0, C[33], lo[33], hi[33];

    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        if (!b->ok)
            continue;
        mid += log(b->flops) / f->n_ok;
        if (isfinite(b->M_ci[0]))
            level += log(b->M_ci[1] / b->M_ci[0]) / 2 / f->n_ok;
    }
    if (!isfinite(half))
        return;
    level /= sqrt(f->n_ok);
    for (int i = 0; i <= 32; i++) {
        double v, w;
        C[i] = x->lo * pow(x->hi / x->lo, i / 32.0);
        v = p->coef * pow(C[i], p->exponent);
        w = exp(hypot(level, half * (log(C[i]) - mid)));
        lo[i] = v / w;
        hi[i] = v * w;
    }
    plot_band(out, "band s0", x, y, C, lo, hi, 33);
}

void plot_allocation(struct str *out, const char *id,
                     const struct isoflop_fit *f, int data)
{
    const struct isoflop_power *p = data ? &f->D : &f->M;
    const char *what = data ? "D_opt, tokens" : "M_opt, flops a token";
    struct legend_row rows[] = {
        {"fill s1", 0, MARK_DIAMOND, "accepted minima"},
        {"line dash s3", 1, MARK_DOT, "Eq. 4 of DeepSeek LLM"},
        {"line s0", 1, MARK_DOT,
         f->identified ? "law and its interval" : "law, not identified"},
    };
    struct scale x, y;
    char desc[256];

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (int i = 0; i < f->n_budget; i++) {
        scale_hold(&x, f->budget[i].flops);
        if (f->budget[i].ok)
            scale_hold(&y, optimum(&f->budget[i], data));
        else
            scale_hold(&y, data ? f->budget[i].flops / f->budget[i].low_M
                                : f->budget[i].low_M);
    }
    scale_finish(&x, 0.12);
    for (int k = 0; k < 2; k++)
        scale_hold(&y, data ? deepseek_D(k ? x.hi : x.lo)
                            : deepseek_M(k ? x.hi : x.lo));
    y.hi *= pow(y.hi / y.lo, 0.3);
    scale_finish(&y, 0.06);
    plot_frame(&x, &y, PLOT_RIGHT);
    snprintf(desc, sizeof desc,
             "%s against compute: %.4g times C to the power %.4f (%.4f to "
             "%.4f)%s.",
             data ? "Optimal tokens" : "Optimal model scale", p->coef,
             p->exponent, p->exponent_ci[0], p->exponent_ci[1],
             f->identified ? "" : ", not identified");
    svg_begin(out, id, PLOT_W, PLOT_H,
              data ? "Optimal data against compute"
                   : "Optimal model scale against compute",
              desc);
    svg_axes(out, &x, &y, "compute C, flops", what);
    svg_clip(out, id, x.p0, y.p1, x.p1 - x.p0, y.p0 - y.p1);
    if (f->n_ok >= 3)
        draw_law_band(out, &x, &y, f, data);
    plot_power(out, "line dash s3", &x, &y, data ? 5.8316 : 0.1715,
               data ? 0.4757 : 0.5243);
    if (f->n_ok >= 2)
        plot_power(out, "line s0", &x, &y, p->coef, p->exponent);
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        double px = scale_at(&x, b->flops);
        if (b->ok && isfinite(b->M_ci[0]))
            plot_bar(out, "thin s1", px,
                     scale_at(&y, data ? b->flops / b->M_ci[1] : b->M_ci[0]),
                     scale_at(&y, data ? b->flops / b->M_ci[0] : b->M_ci[1]));
        if (b->ok)
            svg_mark(out, "fill s1", MARK_DIAMOND, px,
                     scale_at(&y, optimum(b, data)), 4.5);
    }
    svg_clip_end(out);
    plot_legend(out, x.p0 + 10, y.p1 + 14, rows, f->n_ok >= 2 ? 3 : 2);
    svg_end(out);
}

/* --- loss law --- */

static void draw_form(struct str *out, const char *cls, const struct scale *x,
                      const struct scale *y, const struct curve_form *m)
{
    double xy[2 * 65];

    for (int i = 0; i <= 64; i++) {
        double C = x->lo * pow(x->hi / x->lo, i / 64.0);
        xy[2 * i] = scale_at(x, C);
        xy[2 * i + 1] = scale_at(y, m->E + m->k * pow(C, -m->p));
    }
    svg_polyline(out, cls, xy, 65);
}

static void draw_run_band(struct str *out, const struct scale *x,
                          const struct scale *y, const struct curve_fit *f)
{
    double C[21], lo[21], hi[21];

    for (int i = 0; i <= 20; i++) {
        struct curve_forecast c;
        C[i] = x->lo * pow(x->hi / x->lo, i / 20.0);
        if (curve_forecast(&c, f, C[i], f->opts.level, 0))
            return;
        lo[i] = c.run_ci[0];
        hi[i] = c.run_ci[1];
    }
    plot_band(out, "band s0", x, y, C, lo, hi, 21);
}

static void draw_forecasts(struct str *out, const struct scale *x,
                           const struct scale *y, const struct plot_forecast *p,
                           size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double px = scale_at(x, p[i].flops);
        plot_bar(out, "bold s3", px, scale_at(y, p[i].lo),
                 scale_at(y, p[i].hi));
        svg_mark(out, "open s3", MARK_SQUARE, px, scale_at(y, p[i].bpb), 4);
        for (size_t k = 0; k < p[i].n; k++)
            svg_mark(out, "fill s1", MARK_UP, px, scale_at(y, p[i].measured[k]),
                     4);
    }
}

void plot_loss_law(struct str *out, const char *id, const struct curve_fit *f,
                   int bpb, const struct plot_forecast *p, size_t n)
{
    struct legend_row rows[] = {
        {"fill s0", 0, MARK_DOT, "best of each budget (open: a bound)"},
        {"line s0", 1, MARK_DOT, "E + k C^-p, and the interval of one run"},
        {"line dash s2", 1, MARK_DOT, "k C^-p"},
        {"open s3", 0, MARK_SQUARE, "registered prediction"},
        {"fill s1", 0, MARK_UP, "measured"},
    };
    struct scale x, y;
    char desc[256];

    scale_empty(&x, 1);
    scale_empty(&y, 0);
    for (int i = 0; i < f->n; i++) {
        scale_hold(&x, f->point[i].flops);
        scale_hold(&y, f->point[i].loss);
    }
    for (size_t i = 0; i < n; i++) {
        scale_hold(&x, p[i].flops);
        scale_hold(&y, p[i].lo);
        scale_hold(&y, p[i].hi);
        for (size_t k = 0; k < p[i].n; k++)
            scale_hold(&y, p[i].measured[k]);
    }
    scale_finish(&x, 0.05);
    if (y.hi > y.lo)
        y.hi += 0.3 * (y.hi - y.lo);
    scale_finish(&y, 0.08);
    plot_frame(&x, &y, PLOT_RIGHT);
    snprintf(desc, sizeof desc,
             "Best %s against compute over %d budgets, %s; %zu predictions.",
             bpb ? "bits per byte" : "loss", f->n,
             f->identified ? "with both forms of the law"
                           : "the law was refused",
             n);
    svg_begin(out, id, PLOT_W, PLOT_H, "Loss against compute", desc);
    svg_axes(out, &x, &y, "compute C, flops", bpb ? "bits per byte" : "loss");
    svg_clip(out, id, x.p0, y.p1, x.p1 - x.p0, y.p0 - y.p1);
    if (f->identified) {
        draw_run_band(out, &x, &y, f);
        draw_form(out, "line dash s2", &x, &y, &f->pure);
        draw_form(out, "line s0", &x, &y, &f->with_E);
    }
    for (int i = 0; i < f->n; i++)
        svg_circle(out, f->point[i].bound ? "open s0" : "fill s0",
                   scale_at(&x, f->point[i].flops),
                   scale_at(&y, f->point[i].loss), 3.5);
    draw_forecasts(out, &x, &y, p, n);
    svg_clip_end(out);
    plot_legend(out, x.p0 + 150, y.p1 + 14, rows,
                n ? ARRAY_LEN(rows) : ARRAY_LEN(rows) - 2);
    svg_end(out);
}
