/* plots_run: loss curves, predictions against measurements, residuals. */
#include "analysis/plots_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void plot_curves(struct str *out, const char *id, const struct plot_curve *c,
                 size_t n)
{
    struct side_label *l = xcalloc(n + 1, sizeof *l);
    struct scale x, y;
    char desc[160];

    scale_empty(&x, 1);
    scale_empty(&y, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c[i].n; k++) {
            scale_hold(&x, c[i].x[k]);
            scale_hold(&y, c[i].y[k]);
        }
    scale_finish(&x, 0.02);
    scale_finish(&y, 0.04);
    plot_frame(&x, &y, PLOT_LABELS);
    snprintf(desc, sizeof desc,
             "Training loss of %zu runs against the compute spent, on a "
             "logarithmic axis.",
             n);
    svg_begin(out, id, PLOT_W, PLOT_H, "Loss curves", desc);
    svg_axes(out, &x, &y, "compute spent, flops", "training loss, nats");
    svg_clip(out, id, x.p0, y.p1, x.p1 - x.p0, y.p0 - y.p1);
    for (size_t i = 0; i < n; i++) {
        double *xy = xmalloc((2 * c[i].n + 1) * sizeof *xy);
        char cls[32];
        snprintf(l[i].cls, sizeof l[i].cls, "%s", plot_order((int)i, (int)n));
        snprintf(l[i].text, sizeof l[i].text, "%.31s", c[i].label);
        snprintf(cls, sizeof cls, "line %s", l[i].cls);
        for (size_t k = 0; k < c[i].n; k++) {
            xy[2 * k] = scale_at(&x, c[i].x[k]);
            xy[2 * k + 1] = scale_at(&y, c[i].y[k]);
        }
        svg_polyline(out, cls, xy, c[i].n);
        if (c[i].n)
            l[i].y = xy[2 * c[i].n - 1];
        free(xy);
    }
    svg_clip_end(out);
    plot_side_labels(out, x.p1 + 5, l, n);
    svg_end(out);
    free(l);
}

#define ROW 34.0

void plot_forecasts(struct str *out, const char *id,
                    const struct plot_forecast *p, size_t n)
{
    double h = PLOT_TOP + ROW * (double)n + PLOT_BOTTOM + 8;
    struct scale x, y = {.lo = 0, .hi = 0}; /* rows, no ticks */
    const struct scale flops = {.lo = 1, .hi = 10, .log = 1}; /* for labels */
    size_t inside = 0, all = 0;
    char desc[200], buf[STR_DOUBLE];

    scale_empty(&x, 0);
    scale_hold(&x, 0);
    for (size_t i = 0; i < n; i++) {
        scale_hold(&x, 100 * (p[i].lo / p[i].bpb - 1));
        scale_hold(&x, 100 * (p[i].hi / p[i].bpb - 1));
        for (size_t k = 0; k < p[i].n; k++, all++) {
            scale_hold(&x, 100 * (p[i].measured[k] / p[i].bpb - 1));
            inside +=
                p[i].measured[k] >= p[i].lo && p[i].measured[k] <= p[i].hi;
        }
    }
    scale_finish(&x, 0.08);
    plot_frame(&x, &y, PLOT_RIGHT);
    y.p0 = h - PLOT_BOTTOM;
    snprintf(desc, sizeof desc,
             "One row a prediction: the interval of one run as a bar, "
             "measured runs as triangles, in percent of the predicted value. "
             "%zu of %zu runs are inside.",
             inside, all);
    svg_begin(out, id, PLOT_W, h, "Predictions against measurements", desc);
    svg_axes(out, &x, &y, "measured over predicted, percent", "");
    svg_line(out, "axis", scale_at(&x, 0), y.p1, scale_at(&x, 0), y.p0);
    for (size_t i = 0; i < n; i++) {
        double at = PLOT_TOP + 4 + ROW * ((double)i + 0.5);
        double lo = scale_at(&x, 100 * (p[i].lo / p[i].bpb - 1));
        double hi = scale_at(&x, 100 * (p[i].hi / p[i].bpb - 1));
        scale_label(buf, p[i].flops, &flops);
        svg_text(out, "tick", "end", PLOT_LEFT - 6, at + 4, buf);
        svg_rect(out, "bar s3", lo, at - 6, hi - lo, 12);
        for (size_t k = 0; k < p[i].n; k++)
            svg_mark(out, "fill s1", MARK_UP,
                     scale_at(&x, 100 * (p[i].measured[k] / p[i].bpb - 1)), at,
                     5);
    }
    svg_end(out);
}

void plot_residuals(struct str *out, const char *id, const char *size,
                    const double *M, const double *D, const double *residual,
                    size_t n)
{
    struct legend_row rows[] = {
        {"fill s1", 0, MARK_DOT, "above the surface"},
        {"fill s0", 0, MARK_DOT, "below it; area: how far"},
    };
    struct scale x, y;
    double most = 0, ss = 0;
    char desc[200];

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (size_t i = 0; i < n; i++) {
        scale_hold(&x, M[i]);
        scale_hold(&y, D[i]);
        if (isfinite(residual[i])) {
            most = fmax(most, fabs(residual[i]));
            ss += residual[i] * residual[i] / (double)n;
        }
    }
    scale_finish(&x, 0.06);
    y.hi *= pow(y.hi / y.lo, 0.15);
    scale_finish(&y, 0.06);
    plot_frame(&x, &y, PLOT_RIGHT);
    snprintf(desc, sizeof desc,
             "Residuals of the surface over model scale and tokens, %zu runs, "
             "root mean square %.2f percent, largest %.2f percent.",
             n, 100 * sqrt(ss), 100 * most);
    svg_begin(out, id, PLOT_W, PLOT_H, "Residuals of the surface", desc);
    svg_axes(out, &x, &y, size, "tokens D");
    for (size_t i = 0; i < n; i++)
        svg_circle(out, residual[i] > 0 ? "bubble s1" : "bubble s0",
                   scale_at(&x, M[i]), scale_at(&y, D[i]),
                   most > 0 ? 1.5 + 7 * sqrt(fabs(residual[i]) / most) : 2);
    plot_legend(out, x.p0 + 10, y.p1 + 14, rows, ARRAY_LEN(rows));
    svg_end(out);
}
