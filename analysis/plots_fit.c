/* plots_fit: see plots_fit.h. */
#include "analysis/plots_fit.h"

#include "analysis/cell.h"
#include "analysis/plots_impl.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Axes and frame, then clipped drawing until close_plot. */
static void open_plot(struct str *out, const char *id, struct scale *x,
                      struct scale *y, const char *title, const char *desc,
                      const char *x_name, const char *y_name)
{
    plot_frame(x, y, PLOT_RIGHT);
    svg_begin(out, id, PLOT_W, PLOT_H, title, desc);
    svg_axes(out, x, y, x_name, y_name);
    svg_clip(out, id, x->p0, y->p1, x->p1 - x->p0, y->p0 - y->p1);
}

static void close_plot(struct str *out)
{
    svg_clip_end(out);
    svg_end(out);
}

static void curve_line(struct str *out, const char *cls, const struct scale *x,
                       const struct scale *y, const double *u, const double *v,
                       size_t n)
{
    double *xy = xmalloc((2 * n + 1) * sizeof *xy);

    for (size_t i = 0; i < n; i++) {
        xy[2 * i] = scale_at(x, u[i]);
        xy[2 * i + 1] = scale_at(y, v[i]);
    }
    svg_polyline(out, cls, xy, n);
    free(xy);
}

/* --- surface --- */

#define LINE 33

static void surface_line(struct str *out, const char *colour,
                         const struct scale *x, const struct scale *y,
                         const struct surface *s, double size)
{
    double u[LINE], v[LINE];
    char cls[32];

    for (int i = 0; i < LINE; i++) {
        u[i] = x->lo * pow(x->hi / x->lo, i / (double)(LINE - 1));
        v[i] = surface_loss(s, size, u[i], NAN);
    }
    snprintf(cls, sizeof cls, "line thin %s", colour);
    curve_line(out, cls, x, y, u, v, LINE);
}

void plot_surface(struct str *out, const char *id, const struct surface_fit *f,
                  const struct surface_data *d)
{
    int *size = xmalloc((d->n + 1) * sizeof *size), n;
    struct scale x, y;
    char desc[160], cls[32];

    n = cell_cluster(size, d->size, d->n, 0.01);
    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (size_t i = 0; i < d->n; i++) {
        scale_hold(&x, d->tokens[i]);
        scale_hold(&y, d->loss[i]);
    }
    scale_finish(&x, 0.05);
    scale_finish(&y, 0.05);
    snprintf(desc, sizeof desc,
             "Loss against tokens of %zu runs of %d sizes, light for large, "
             "and the fitted %s surface along up to eight of the sizes.",
             d->n, n, surface_form_name(f->s.form));
    open_plot(out, id, &x, &y, "Loss against tokens", desc, "tokens D", "loss");
    for (int k = 0; k < n && f->s.form != SURFACE_REPEATED; k++) {
        if (n > 8 && k * 7 / (n - 1) == (k - 1) * 7 / (n - 1) && k)
            continue;
        for (size_t i = 0; i < d->n; i++)
            if (size[i] == k) {
                surface_line(out, plot_order(k, n), &x, &y, &f->s, d->size[i]);
                break;
            }
    }
    for (size_t i = 0; i < d->n; i++) {
        snprintf(cls, sizeof cls, "fill %s", plot_order(size[i], n));
        svg_circle(out, cls, scale_at(&x, d->tokens[i]),
                   scale_at(&y, d->loss[i]), 2.5);
    }
    close_plot(out);
    free(size);
}

void plot_profile(struct str *out, const char *id, const char *name,
                  const struct profile *p)
{
    struct scale x, y;
    char title[64], desc[200];
    double top = 2.2 * p->threshold;

    scale_empty(&x, 0);
    scale_empty(&y, 0);
    scale_hold(&y, 0);
    scale_hold(&y, top);
    for (int i = 0; i < p->n; i++)
        if (p->deviance[i] <= top)
            scale_hold(&x, p->value[i]);
    scale_finish(&x, 0.05);
    scale_finish(&y, 0.03);
    snprintf(title, sizeof title, "Profile of %s", name);
    snprintf(desc, sizeof desc,
             "Deviance with %s held and everything else fitted again; it "
             "crosses the %g %% level at %.5g%s and %.5g%s.",
             name, 100 * p->level, p->lo, p->open & 1 ? " (open)" : "", p->hi,
             p->open & 2 ? " (open)" : "");
    open_plot(out, id, &x, &y, title, desc, name, "deviance");
    svg_line(out, "axis", x.p0, scale_at(&y, p->threshold), x.p1,
             scale_at(&y, p->threshold));
    curve_line(out, "line s0", &x, &y, p->value, p->deviance, (size_t)p->n);
    for (int i = 0; i < p->n; i++)
        svg_circle(out, "fill s0", scale_at(&x, p->value[i]),
                   scale_at(&y, p->deviance[i]), 2.5);
    svg_line(out, "line dash s1", scale_at(&x, p->lo), y.p0,
             scale_at(&x, p->lo), y.p1);
    svg_line(out, "line dash s1", scale_at(&x, p->hi), y.p0,
             scale_at(&x, p->hi), y.p1);
    close_plot(out);
}

/* --- curves --- */

void plot_anneal(struct str *out, const char *id, const struct anneal_family *f,
                 const struct series_set *t)
{
    struct legend_row rows[] = {
        {"fill s1", 0, MARK_DOT, "trunk, fitted"},
        {"fill s2", 0, MARK_DOT, "branches"},
        {"line s0", 1, MARK_DOT, "the law"},
    };
    struct scale x, y;
    char desc[200];

    scale_empty(&x, 0);
    scale_empty(&y, 0);
    for (size_t k = 0; k < t->n; k++) {
        const struct series *s = &t->s[k];
        if (strcmp(s->family, f->name) != 0)
            continue;
        scale_hold(&x, series_steps(s));
        for (size_t i = 0; i < s->n; i++)
            if (s->step[i] > 0.1 * series_steps(s) && isfinite(s->loss[i]))
                scale_hold(&y, s->loss[i]);
    }
    scale_hold(&x, 0);
    scale_finish(&x, 0.02);
    scale_finish(&y, 0.05);
    snprintf(desc, sizeof desc,
             "Loss of %d runs of one family and the law fitted to one of them "
             "from its learning rates.",
             f->n_row);
    open_plot(out, id, &x, &y, "Loss from the learning rate", desc, "step",
              "loss");
    for (size_t k = 0; k < t->n; k++) {
        const struct series *s = &t->s[k];
        double *p;
        if (strcmp(s->family, f->name) != 0)
            continue;
        p = xmalloc((s->n + 1) * sizeof *p);
        anneal_predict(p, &f->law, s);
        for (size_t i = 0; i < s->n; i++)
            svg_circle(out, k == f->trunk ? "faint fill s1" : "faint fill s2",
                       scale_at(&x, s->step[i]), scale_at(&y, s->loss[i]), 1.8);
        curve_line(out, "line s0", &x, &y, s->step, p, s->n);
        free(p);
    }
    svg_clip_end(out);
    plot_legend(out, x.p1 - 140, y.p1 + 14, rows, ARRAY_LEN(rows));
    svg_end(out);
}

static double middle(int i)
{
    return (i + 0.5) / COLLAPSE_GRID;
}

void plot_collapse(struct str *out, const char *id,
                   const struct collapse_fit *f)
{
    struct scale x, y;
    double u[COLLAPSE_GRID];
    char desc[200], cls[32];

    scale_empty(&x, 0);
    scale_empty(&y, 0);
    scale_hold(&x, 0);
    scale_hold(&x, 1);
    for (int i = 0; i < COLLAPSE_GRID; i++) {
        u[i] = middle(i);
        if (u[i] < 0.05)
            continue;
        for (size_t k = 0; k < f->n; k++)
            scale_hold(&y, f->run[k].z[i]);
    }
    scale_finish(&x, 0);
    scale_finish(&y, 0.05);
    snprintf(desc, sizeof desc,
             "Loss above L0 = %.5g of %zu runs of %d sizes, as a share of "
             "where each ends; scatter %.2f percent.",
             f->L0, f->n, f->n_cell, 100 * f->scatter_rms);
    open_plot(out, id, &x, &y, "Collapse of the loss curves", desc,
              "share of the run", "(L - L0) / (L_end - L0)");
    for (size_t k = 0; k < f->n; k++) {
        snprintf(cls, sizeof cls, "line thin %s",
                 plot_order(f->run[k].cell_id, f->n_cell));
        curve_line(out, cls, &x, &y, u, f->run[k].z, COLLAPSE_GRID);
    }
    close_plot(out);
}

void plot_collapse_scatter(struct str *out, const char *id,
                           const struct collapse_fit *f)
{
    struct legend_row rows[] = {
        {"line s0", 1, MARK_DOT, "between sizes"},
        {"line dash s1", 1, MARK_DOT, "between seeds"},
    };
    struct scale x, y;
    double u[COLLAPSE_GRID], v[COLLAPSE_GRID], w[COLLAPSE_GRID];

    scale_empty(&x, 0);
    scale_empty(&y, 0);
    scale_hold(&x, 0);
    scale_hold(&x, 1);
    scale_hold(&y, 0);
    for (int i = 0; i < COLLAPSE_GRID; i++) {
        u[i] = middle(i);
        v[i] = 100 * f->scatter[i];
        w[i] = 100 * f->noise[i];
        if (u[i] >= f->opts.from) {
            scale_hold(&y, v[i]);
            scale_hold(&y, w[i]);
        }
    }
    scale_finish(&x, 0);
    scale_finish(&y, 0.1);
    open_plot(out, id, &x, &y, "Scatter of the collapse",
              "Relative standard deviation of the scaled curves between sizes, "
              "beside that between seeds of one size, in percent.",
              "share of the run", "scatter, percent");
    curve_line(out, "line s0", &x, &y, u, v, COLLAPSE_GRID);
    curve_line(out, "line dash s1", &x, &y, u, w, COLLAPSE_GRID);
    svg_clip_end(out);
    plot_legend(out, x.p1 - 130, y.p1 + 14, rows, ARRAY_LEN(rows));
    svg_end(out);
}

void plot_pairs(struct str *out, const char *id, const double *x,
                const double *y, size_t n, double coef, double exponent,
                const char *x_name, const char *y_name)
{
    struct scale sx, sy;
    char desc[200];

    scale_empty(&sx, 1);
    scale_empty(&sy, 1);
    for (size_t i = 0; i < n; i++) {
        scale_hold(&sx, x[i]);
        scale_hold(&sy, y[i]);
    }
    scale_finish(&sx, 0.05);
    scale_finish(&sy, 0.05);
    snprintf(desc, sizeof desc,
             "%zu pairs and %.5g times %s to the power %.5g.", n, coef, x_name,
             exponent);
    open_plot(out, id, &sx, &sy, "Power law", desc, x_name, y_name);
    plot_power(out, "line s0", &sx, &sy, coef, exponent);
    for (size_t i = 0; i < n; i++)
        svg_circle(out, "fill s1", scale_at(&sx, x[i]), scale_at(&sy, y[i]), 3);
    close_plot(out);
}
