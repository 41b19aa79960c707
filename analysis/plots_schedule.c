/* plots_schedule: what each lane did when. */
#include "analysis/plots_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANE_MOST 24.0 /* height of a lane */
#define LANE_LEAST 5.0
#define LEAST_GAP 0.4 /* bars nearer than that become one */

/* Colour, and a mark that says the same without it. */
static const struct look {
    const char *state, *cls;
    enum svg_mark mark;
    int marked;
} looks[] = {
    {"done", "bubble s2", MARK_DOT, 0},
    {"running", "bubble s0", MARK_DOT, 0},
    {"diverged", "bubble s3", MARK_UP, 1},
    {"failed", "bubble s1", MARK_CROSS, 1},
    {"preempted", "bubble dim", MARK_SQUARE, 1},
    {"stopped", "bubble dim", MARK_SQUARE, 1},
};

static const struct look *look_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(looks); i++)
        if (!strcmp(looks[i].state, state))
            return &looks[i];
    return &looks[ARRAY_LEN(looks) - 1];
}

static int by_place(const void *a, const void *b)
{
    const struct plot_attempt *p = a, *q = b;

    if (p->lane != q->lane)
        return p->lane < q->lane ? -1 : 1;
    return p->from < q->from ? -1 : p->from > q->from;
}

struct view {
    struct scale x;
    double top, height; /* of the first lane; of each */
};

static void draw_bar(struct str *out, const struct view *v,
                     const struct plot_attempt *a, double from, double to)
{
    const struct look *l = look_of(a->state);
    double y = v->top + v->height * a->lane, pad = v->height > 10 ? 2 : 0.5;
    double r = fmin(4, v->height / 3);

    svg_rect(out, l->cls, from, y + pad, fmax(0.6, to - from),
             v->height - 2 * pad);
    if (l->marked)
        svg_mark(out, "mark", l->mark, fmax(from + 1, to - r - 1),
                 y + v->height / 2, r);
}

/* In order of lane and time; neighbours of one state that cannot be told
 * apart are drawn as one. */
static void draw_bars(struct str *out, const struct view *v,
                      const struct plot_attempt *a, size_t n)
{
    for (size_t i = 0; i < n;) {
        double from = scale_at(&v->x, a[i].from), to = scale_at(&v->x, a[i].to);
        size_t k = i + 1;
        for (; k < n && a[k].lane == a[i].lane && to - from < 2 &&
               !strcmp(a[k].state, a[i].state) &&
               scale_at(&v->x, a[k].from) - to < LEAST_GAP;
             k++)
            to = fmax(to, scale_at(&v->x, a[k].to));
        draw_bar(out, v, &a[i], from, to - (to - from > 3 ? 0.8 : 0));
        i = k;
    }
}

static void draw_lanes(struct str *out, const struct view *v,
                       const struct plot_schedule *s)
{
    size_t every = (size_t)ceil(12 / v->height);

    for (size_t i = 0; i < s->n_lane; i += every) {
        char name[16];
        size_t n = strlen(s->lane[i]);
        snprintf(name, sizeof name, "%s%.9s", n > 9 ? ".." : "",
                 s->lane[i] + (n > 9 ? n - 7 : 0));
        svg_text(out, "tick", "end", PLOT_LEFT - 6,
                 v->top + v->height * ((double)i + 0.5) + 4, name);
    }
}

void plot_schedule(struct str *out, const char *id,
                   const struct plot_schedule *s)
{
    struct plot_attempt *a = xmalloc((s->n + 1) * sizeof *a);
    struct scale y = {.lo = 0, .hi = 0};
    struct view v = {.top = PLOT_TOP};
    double busy = 0, bottom;
    char desc[200];

    memcpy(a, s->attempt, s->n * sizeof *a);
    qsort(a, s->n, sizeof *a, by_place);
    scale_empty(&v.x, 0);
    scale_hold(&v.x, 0);
    for (size_t i = 0; i < s->n; i++) {
        scale_hold(&v.x, a[i].to);
        busy += a[i].to - a[i].from;
    }
    scale_finish(&v.x, 0);
    plot_frame(&v.x, &y, PLOT_RIGHT);
    v.height = fmax(LANE_LEAST,
                    fmin(LANE_MOST, 300 / (double)(s->n_lane ? s->n_lane : 1)));
    bottom = v.top + v.height * (double)s->n_lane;
    y.p0 = bottom;
    snprintf(desc, sizeof desc,
             "%zu attempts on %zu lanes over %.0f seconds; the lanes were at "
             "work %.1f percent of the time.",
             s->n, s->n_lane, v.x.hi,
             100 * busy / (v.x.hi * (double)(s->n_lane ? s->n_lane : 1)));
    svg_begin(out, id, PLOT_W, bottom + PLOT_BOTTOM, "Schedule", desc);
    svg_axes(out, &v.x, &y, "seconds since the start", "");
    draw_bars(out, &v, a, s->n);
    draw_lanes(out, &v, s);
    svg_end(out);
    free(a);
}
