/* plots: what the figures share; see plots_impl.h. */
#include "analysis/plots_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void plot_frame(struct scale *x, struct scale *y, double right)
{
    x->p0 = PLOT_LEFT;
    x->p1 = PLOT_W - right;
    y->p0 = PLOT_H - PLOT_BOTTOM;
    y->p1 = PLOT_TOP;
}

const char *plot_order(int i, int n)
{
    static const char *const name[] = {"q0", "q1", "q2", "q3",
                                       "q4", "q5", "q6", "q7"};
    int k = n > 1 ? (int)lround(7.0 * i / (n - 1)) : 3;

    return name[k < 0 ? 0 : k > 7 ? 7 : k];
}

void plot_power(struct str *out, const char *cls, const struct scale *x,
                const struct scale *y, double coef, double exponent)
{
    double xy[2 * 33];

    for (int i = 0; i <= 32; i++) {
        double C = x->lo * pow(x->hi / x->lo, i / 32.0);
        xy[2 * i] = scale_at(x, C);
        xy[2 * i + 1] = scale_at(y, coef * pow(C, exponent));
    }
    svg_polyline(out, cls, xy, 33);
}

void plot_band(struct str *out, const char *cls, const struct scale *x,
               const struct scale *y, const double *C, const double *lo,
               const double *hi, size_t n)
{
    double *xy = xmalloc((4 * n + 1) * sizeof *xy);

    for (size_t i = 0; i < n; i++) {
        xy[2 * i] = scale_at(x, C[i]);
        xy[2 * i + 1] = scale_at(y, lo[i]);
        xy[2 * (2 * n - 1 - i)] = scale_at(x, C[i]);
        xy[2 * (2 * n - 1 - i) + 1] = scale_at(y, hi[i]);
    }
    svg_polygon(out, cls, xy, 2 * n);
    free(xy);
}

void plot_legend(struct str *out, double x, double y,
                 const struct legend_row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double at = y + 15 * (double)i;
        if (row[i].line)
            svg_line(out, row[i].cls, x, at, x + 18, at);
        else
            svg_mark(out, row[i].cls, row[i].mark, x + 9, at, 4);
        svg_text(out, "key", "start", x + 24, at + 4, row[i].text);
    }
}

void plot_bar(struct str *out, const char *cls, double x, double lo, double hi)
{
    svg_line(out, cls, x, lo, x, hi);
    svg_line(out, cls, x - 4, lo, x + 4, lo);
    svg_line(out, cls, x - 4, hi, x + 4, hi);
}

static int by_y(const void *a, const void *b)
{
    const struct side_label *p = a, *q = b;
    return p->y < q->y ? -1 : p->y > q->y;
}

void plot_side_labels(struct str *out, double x, struct side_label *l, size_t n)
{
    qsort(l, n, sizeof *l, by_y);
    for (size_t i = 1; i < n; i++)
        l[i].y = fmax(l[i].y, l[i - 1].y + 12);
    for (size_t i = n; i-- > 0;) {
        double most = PLOT_H - PLOT_BOTTOM - 12 * (double)(n - 1 - i);
        l[i].y = fmin(l[i].y, most);
    }
    for (size_t i = 0; i < n; i++) {
        char cls[32];
        snprintf(cls, sizeof cls, "key fill %s", l[i].cls);
        svg_text(out, cls, "start", x, l[i].y + 4, l[i].text);
    }
}
