/* scale: axes of figures, their ticks and labels; see svg.h. */
#include "analysis/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double scale_at(const struct scale *s, double v)
{
    double t = s->log ? log(v / s->lo) / log(s->hi / s->lo)
                      : (v - s->lo) / (s->hi - s->lo);
    return s->p0 + t * (s->p1 - s->p0);
}

void scale_empty(struct scale *s, int log_scale)
{
    *s = (struct scale){.lo = INFINITY, .hi = -INFINITY, .log = log_scale};
}

void scale_hold(struct scale *s, double v)
{
    if (!isfinite(v) || (s->log && v <= 0))
        return;
    s->lo = fmin(s->lo, v);
    s->hi = fmax(s->hi, v);
}

void scale_finish(struct scale *s, double margin)
{
    if (s->lo > s->hi) {
        s->lo = s->log ? 1 : 0;
        s->hi = s->log ? 10 : 1;
    }
    if (s->log) {
        double f = pow(s->hi / s->lo, margin);
        if (s->hi < s->lo * 1.0001)
            f = 2;
        s->lo /= f;
        s->hi *= f;
    } else {
        double d = (s->hi - s->lo) * margin;
        if (s->hi - s->lo <= 1e-9 * fabs(s->hi))
            d = fmax(fabs(s->hi) * 0.1, 1e-6);
        s->lo -= d;
        s->hi += d;
    }
}

static void tick(struct ticks *t, const struct scale *s, double v, int label)
{
    double slack = s->log ? 0 : 1e-9 * (s->hi - s->lo);

    if (t->n == SCALE_TICKS || v < s->lo - slack || v > s->hi + slack)
        return;
    t->v[t->n] = v;
    t->label[t->n++] = label;
}

/* About five ticks at multiples of 1, 2 or 5 of a power of ten. */
static void linear_ticks(struct ticks *t, const struct scale *s)
{
    double raw = (s->hi - s->lo) / 5, p = pow(10, floor(log10(raw)));
    double step = raw / p < 1.5 ? p : raw / p < 3.5 ? 2 * p : 5 * p;

    if (raw / p >= 7.5)
        step = 10 * p;
    for (double i = ceil(s->lo / step - 1e-9); i * step <= s->hi + 1e-9 * step;
         i++)
        tick(t, s, i * step, 1);
}

/* Decades, every k-th labelled; 2 and 5 too where the range is short. */
static void log_ticks(struct ticks *t, const struct scale *s)
{
    double decades = log10(s->hi / s->lo);
    int every = (int)ceil(decades / 6);

    for (int d = (int)floor(log10(s->lo)); d <= (int)ceil(log10(s->hi)); d++) {
        double p = pow(10, d);
        tick(t, s, p, d % (every > 0 ? every : 1) == 0);
        if (decades > 4)
            continue;
        for (int k = 2; k < 10; k++)
            tick(t, s, k * p,
                 decades < 0.7                         ? 1
                 : decades < 1.6 && (k == 2 || k == 5) ? 1
                 : decades < 2.5 && k == 3             ? 1
                                                       : 0);
    }
}

void scale_ticks(struct ticks *t, const struct scale *s)
{
    int labels = 0;

    t->n = 0;
    if (!(s->hi > s->lo))
        return;
    if (s->log)
        log_ticks(t, s);
    for (int i = 0; i < t->n; i++)
        labels += t->label[i];
    if (!s->log || labels < 2) { /* less than the step from 1 to 2 */
        t->n = 0;
        linear_ticks(t, s);
    }
}

void scale_label(char buf[STR_DOUBLE], double v, const struct scale *s)
{
    double step = (s->hi - s->lo) / 5;
    int digits = (int)ceil(-log10(step) - 1e-9);

    if (v != 0 && (fabs(v) >= 1e5 || fabs(v) < 1e-3)) {
        char *e;
        snprintf(buf, STR_DOUBLE, "%.3g", v);
        if (!strchr(buf, 'e'))
            snprintf(buf, STR_DOUBLE, "%.0e", v);
        e = strchr(buf, 'e'); /* 1e+12 -> 1e12, 3e-05 -> 3e-5 */
        if (e) {
            char *from = e + 1 + (e[1] == '+'), *to = e + 1;
            if (*from == '-')
                *to++ = *from++;
            while (*from == '0' && from[1])
                from++;
            memmove(to, from, strlen(from) + 1);
        }
    } else if (s->log) {
        snprintf(buf, STR_DOUBLE, "%.6g", v);
    } else {
        snprintf(buf, STR_DOUBLE, "%.*f",
                 digits < 0   ? 0
                 : digits > 6 ? 6
                              : digits,
                 fabs(v) < 1e-9 * (s->hi - s->lo) ? 0 : v);
    }
}

void svg_axes(struct str *out, const struct scale *x, const struct scale *y,
              const char *x_name, const char *y_name)
{
    double left = x->p0, right = x->p1, bottom = y->p0, top = y->p1;
    char buf[STR_DOUBLE];
    struct ticks t;

    scale_ticks(&t, x);
    for (int i = 0; i < t.n; i++) {
        double p = scale_at(x, t.v[i]);
        svg_line(out, t.label[i] ? "grid" : "grid minor", p, top, p, bottom);
        if (!t.label[i])
            continue;
        scale_label(buf, t.v[i], x);
        svg_text(out, "tick", "middle", p, bottom + 15, buf);
    }
    scale_ticks(&t, y);
    for (int i = 0; i < t.n; i++) {
        double p = scale_at(y, t.v[i]);
        svg_line(out, t.label[i] ? "grid" : "grid minor", left, p, right, p);
        if (!t.label[i])
            continue;
        scale_label(buf, t.v[i], y);
        svg_text(out, "tick", "end", left - 6, p + 4, buf);
    }
    svg_rect(out, "frame", left, top, right - left, bottom - top);
    svg_text(out, "name", "middle", (left + right) / 2, bottom + 33, x_name);
    svg_text_up(out, "name", left - 46, (top + bottom) / 2, y_name);
}
