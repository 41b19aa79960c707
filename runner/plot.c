/* plot: see plot.h.  Braille: a character of U+2800 on has a bit for each of
 * its 2 x 4 dots. */
#include "runner/plot.h"

#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LABEL 9 /* columns left of the vertical axis */

struct axis {
    double from, to; /* of the data, or of their logarithms */
    int log;
};

/* Where drawing happens: dots of `bits`, cells of the grid. */
struct area {
    struct grid *g;
    int top, left, rows, cols;
    struct axis x, y;
    unsigned char *bits;  /* (rows, cols) */
    unsigned char *paint; /* the same */
};

/* The place of v on an axis from 0 to 1; NaN: not on it. */
static double place(const struct axis *a, double v)
{
    if (a->log)
        v = v > 0 ? log10(v) : NAN;
    return (v - a->from) / (a->to - a->from);
}

static void widen(struct axis *a, double v)
{
    if (a->log)
        v = v > 0 ? log10(v) : NAN;
    if (!isfinite(v))
        return;
    a->from = fmin(a->from, v);
    a->to = fmax(a->to, v);
}

/* Both axes from the data; 0 when there are none. */
static int measure(struct area *a, const struct plot *p)
{
    a->x = (struct axis){INFINITY, -INFINITY, p->log_x};
    a->y = (struct axis){INFINITY, -INFINITY, p->log_y};
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->series[i].n; k++) {
            widen(&a->x, p->series[i].x[k]);
            widen(&a->y, p->series[i].y[k]);
        }
    if (!(a->x.from <= a->x.to) || !(a->y.from <= a->y.to))
        return 0;
    if (!(a->x.from < a->x.to))
        a->x.to = a->x.from + 1;
    if (!(a->y.from < a->y.to)) {
        a->y.from -= 0.5;
        a->y.to += 0.5;
    }
    return 1;
}

/* --- dots --- */

static void dot(struct area *a, int x, int y, enum paint paint)
{
    static const unsigned char bit[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int at;

    if (x < 0 || y < 0 || x >= 2 * a->cols || y >= 4 * a->rows)
        return;
    at = y / 4 * a->cols + x / 2;
    a->bits[at] |= bit[y % 4][x % 2];
    a->paint[at] = (unsigned char)paint;
}

static int dot_x(const struct area *a, double v)
{
    return (int)lround(place(&a->x, v) * (2 * a->cols - 1));
}
static int dot_y(const struct area *a, double v)
{
    return (int)lround((1 - place(&a->y, v)) * (4 * a->rows - 1));
}

static void segment(struct area *a, int x0, int y0, int x1, int y1,
                    enum paint paint)
{
    int n = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);

    for (int i = 0; i <= n; i++)
        dot(a, n ? x0 + (x1 - x0) * i / n : x0, n ? y0 + (y1 - y0) * i / n : y0,
            paint);
}

static void draw_line(struct area *a, const struct plot_series *s)
{
    int x0 = 0, y0 = 0, begun = 0;

    for (size_t i = 0; i < s->n; i++) {
        int x, y;

        if (isnan(place(&a->x, s->x[i])) || isnan(place(&a->y, s->y[i])))
            continue;
        x = dot_x(a, s->x[i]);
        y = dot_y(a, s->y[i]);
        segment(a, begun ? x0 : x, begun ? y0 : y, x, y, s->paint);
        x0 = x;
        y0 = y;
        begun = 1;
    }
}

/* What the dots come to. */
static void show_dots(struct area *a)
{
    for (int r = 0; r < a->rows; r++)
        for (int c = 0; c < a->cols; c++) {
            unsigned bits = a->bits[r * a->cols + c];
            char text[4] = {(char)0xe2, (char)(0xa0 | bits >> 6),
                            (char)(0x80 | (bits & 0x3f)), 0};
            if (bits)
                grid_put(a->g, a->top + r, a->left + c,
                         (enum paint)a->paint[r * a->cols + c],
                         a->g->ascii ? "*" : text);
        }
}

static void draw_marks(struct area *a, const struct plot_series *s)
{
    const char text[2] = {s->mark, 0};

    for (size_t i = 0; i < s->n; i++)
        if (!isnan(place(&a->x, s->x[i])) && !isnan(place(&a->y, s->y[i])))
            grid_put(a->g, a->top + dot_y(a, s->y[i]) / 4,
                     a->left + dot_x(a, s->x[i]) / 2, s->paint, text);
}

/* --- axes --- */

static double value(const struct axis *a, double share)
{
    double v = a->from + share * (a->to - a->from);

    return a->log ? pow(10, v) : v;
}

static void draw_axes(struct area *a, const struct plot *p)
{
    char text[32];
    int bottom = a->top + a->rows;

    for (int r = 0; r < a->rows; r++)
        grid_put(a->g, a->top + r, a->left - 1, PAINT_DIM,
                 a->g->ascii ? "|" : "│");
    for (int c = 0; c < a->cols; c++)
        grid_put(a->g, bottom, a->left + c, PAINT_DIM, a->g->ascii ? "-" : "─");
    grid_put(a->g, bottom, a->left - 1, PAINT_DIM, a->g->ascii ? "+" : "└");
    for (int i = 0; i <= 2; i++) {
        int r = (int)lround(i / 2.0 * (a->rows - 1));
        snprintf(text, sizeof text, "%.4g", value(&a->y, 1 - i / 2.0));
        grid_right(a->g, a->top + r, a->left - 2, PAINT_PLAIN, text);
    }
    snprintf(text, sizeof text, "%.6g", value(&a->x, 0));
    grid_put(a->g, bottom + 1, a->left, PAINT_PLAIN, text);
    grid_putf(a->g, bottom + 1, a->left + a->cols / 2 - 8, PAINT_DIM, "%s%s",
              p->x_name, p->log_x ? ", log" : "");
    snprintf(text, sizeof text, "%.6g", value(&a->x, 1));
    grid_right(a->g, bottom + 1, a->left + a->cols, PAINT_PLAIN, text);
    grid_putf(a->g, a->top - 1, a->left, PAINT_DIM, "%s%s", p->y_name,
              p->log_y ? ", log" : "");
}

void plot_draw(struct grid *g, int top, int left, int rows, int cols,
               const struct plot *p)
{
    struct area a = {.g = g,
                     .top = top + 1,
                     .left = left + LABEL,
                     .rows = rows - 3,
                     .cols = cols - LABEL};
    size_t cells;

    if (rows < 4 || cols < 20 || !measure(&a, p))
        return;
    cells = (size_t)a.rows * (size_t)a.cols;
    a.bits = xcalloc(cells, 1);
    a.paint = xcalloc(cells, 1);
    for (size_t i = 0; i < p->n; i++)
        if (!p->series[i].mark)
            draw_line(&a, &p->series[i]);
    show_dots(&a);
    for (size_t i = 0; i < p->n; i++)
        if (p->series[i].mark)
            draw_marks(&a, &p->series[i]);
    draw_axes(&a, p);
    free(a.bits);
    free(a.paint);
}
