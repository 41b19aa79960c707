/* Profile intervals: step outwards until the deviance passes the threshold,
 * then close in on the crossing, each fit starting from its neighbour's. */
#include "analysis/profile.h"

#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct profile *out;
    const struct problem *p;
    double f, kappa;
    int fixed[SURFACE_MAX];
    double q[SURFACE_MAX]; /* of the last point */
};

/* The deviance with the parameter at internal value v, others refitted from
 * w->q. */
static double deviance_at(struct walk *w, double v)
{
    struct profile *o = w->out;
    double q[SURFACE_MAX];

    memcpy(q, w->q, sizeof(q));
    q[o->param] = v;
    double f = problem_solve(q, w->fixed, w->p, NULL);
    double dev = fmax(0, 2 * (f - w->f) * w->kappa);

    if (f < o->best) {
        o->best = f;
        memcpy(o->best_q, q, sizeof(q));
    }
    if (isfinite(f))
        memcpy(w->q, q, sizeof(q));
    else
        dev = INFINITY;
    return dev;
}

static void record(struct profile *o, double v, double dev, int is_log)
{
    int at = o->n;

    if (o->n == PROFILE_POINTS || !isfinite(dev))
        return;
    v = is_log ? exp(v) : v;
    for (; at > 0 && o->value[at - 1] > v; at--) {
        o->value[at] = o->value[at - 1];
        o->deviance[at] = o->deviance[at - 1];
    }
    o->value[at] = v;
    o->deviance[at] = dev;
    o->n++;
}

/* Walk from the optimum `start` towards `end` (both internal) with a first
 * step; returns the crossing, or `end` with *open set. */
static double walk(struct walk *w, const double *q0, double start, double end,
                   double step, int is_log, int *open)
{
    double sign = end > start ? 1 : -1, in = start, in_dev = 0;
    double q_in[SURFACE_MAX];

    *open = 0;
    memcpy(w->q, q0, sizeof(w->q));
    memcpy(q_in, q0, sizeof(q_in));
    for (int tries = 0; tries < 24; tries++) {
        double v = in + sign * step;
        int last = sign * (v - end) >= 0;
        if (last)
            v = end;
        double dev = deviance_at(w, v);
        record(w->out, v, dev, is_log);
        if (dev <= w->out->threshold) {
            if (last)
                break;
            in = v;
            in_dev = dev;
            memcpy(q_in, w->q, sizeof(q_in));
            /* deviance grows like a square: aim a little beyond it */
            double grow = dev > 0.02 * w->out->threshold
                              ? 1.15 * sqrt(w->out->threshold / dev)
                              : 4;
            step = fabs(v - start) * fmin(fmax(grow - 1, 0.2), 3);
            continue;
        }
        double out = v, out_dev = dev;
        for (int close = 0; close < 12; close++) {
            /* secant on the root of the deviance */
            double a = sqrt(in_dev), b = sqrt(fmin(out_dev, 1e6));
            double goal = sqrt(w->out->threshold);
            double t = fmin(fmax((goal - a) / (b - a), 0.05), 0.95);
            double mid = in + t * (out - in);
            memcpy(w->q, q_in, sizeof(w->q));
            double d = deviance_at(w, mid);
            record(w->out, mid, d, is_log);
            if (d <= w->out->threshold) {
                in = mid;
                in_dev = d;
                memcpy(q_in, w->q, sizeof(q_in));
            } else {
                out = mid;
                out_dev = d;
            }
            if (fabs(d / w->out->threshold - 1) < 1e-3)
                return mid;
        }
        return 0.5 * (in + out);
    }
    *open = 1;
    return end;
}

void profile_run(struct profile *out, const struct problem *p, const double *q,
                 double f, int param, double level)
{
    enum surface_role role = p->info->role[param];
    int is_log =
        role == ROLE_E || role == ROLE_A || role == ROLE_B || role == ROLE_R;
    struct walk w = {.out = out, .p = p, .f = f};
    double *r = xmalloc((p->n + 1) * sizeof(*r));
    double dof = p->total - p->info->n;
    int open;

    memset(out, 0, sizeof(*out));
    out->param = param;
    out->best = f;
    memcpy(out->best_q, q, (size_t)p->info->n * sizeof(*q));
    out->level = level;
    out->threshold = stat_f_quantile(level, 1, fmax(dof, 1));
    problem_residuals(r, q, p);
    w.kappa = problem_deviance(r, p, p->info->n, NULL);
    free(r);
    w.fixed[param] = 1;

    /* the curvature with the others fixed gives a step that is too short by
     * the collinearity: walk() lengthens it */
    double lo = PROFILE_LO, hi = PROFILE_HI, step = 0.05 * fabs(q[param]);
    if (is_log) {
        lo = q[param] - 12;
        hi = q[param] + 12;
        step = 0.02;
        if (role == ROLE_E) {
            double least, most;
            stat_range(&least, &most, p->L, p->n);
            hi = log(most);
            lo = log(least) - 9;
        }
    } else if (role == ROLE_FREE || role == ROLE_POWER) {
        lo = q[param] - 20 * fmax(fabs(q[param]), 0.1);
        hi = q[param] + 20 * fmax(fabs(q[param]), 0.1);
    }
    step = fmax(step, 1e-4);
    record(out, q[param], 0, is_log);
    out->lo = q[param];
    out->hi = q[param];
    if (q[param] > lo)
        out->lo = walk(&w, q, q[param], lo, step, is_log, &open);
    else
        open = 1;
    out->open = open;
    if (q[param] < hi)
        out->hi = walk(&w, q, q[param], hi, step, is_log, &open);
    else
        open = 1;
    out->open |= open << 1;
    if (is_log) {
        out->lo = role == ROLE_E && (out->open & 1) ? 0 : exp(out->lo);
        out->hi = exp(out->hi);
    }
}

/* Values between the optimum and 1.4 times as far as the end of the interval,
 * each fit starting from its neighbour's. */
static void fill(struct profile *out, const struct problem *p, const double *q,
                 double f, double end)
{
    enum { POINTS = 10 };
    struct walk w = {.out = out, .p = p, .f = f};
    enum surface_role role = p->info->role[out->param];
    int is_log =
        role == ROLE_E || role == ROLE_A || role == ROLE_B || role == ROLE_R;
    double from = q[out->param], to = is_log ? log(end) : end;
    double *r = xmalloc((p->n + 1) * sizeof(*r));

    problem_residuals(r, q, p);
    w.kappa = problem_deviance(r, p, p->info->n, NULL);
    free(r);
    w.fixed[out->param] = 1;
    memcpy(w.q, q, sizeof(w.q));
    for (int k = 1; k <= POINTS && isfinite(to); k++) {
        double v = from + 1.4 * (to - from) * k / POINTS;
        record(out, v, deviance_at(&w, v), is_log);
    }
}

int profile_of_fit(struct profile *out, const struct surface_fit *fit,
                   const struct surface_data *d, int param, double level,
                   struct err *e)
{
    struct problem p;
    double q[SURFACE_MAX];

    if (problem_init(&p, d, &fit->options, e))
        return -1;
    form_to_internal(q, &fit->s, &p.frame);
    double f = problem_solve(q, NULL, &p, NULL);
    profile_run(out, &p, q, f, param, level);
    if (!(out->open & 1))
        fill(out, &p, q, f, out->lo);
    if (!(out->open & 2))
        fill(out, &p, q, f, out->hi);
    problem_release(&p);
    return 0;
}
