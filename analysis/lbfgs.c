/* L-BFGS; see the header. */
#include "analysis/lbfgs.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct pairs {
    int n, count, next;
    double s[LBFGS_MEMORY][LBFGS_MAX], y[LBFGS_MEMORY][LBFGS_MAX];
    double rho[LBFGS_MEMORY];
};

static double dot(const double *a, const double *b, int n)
{
    double s = 0;

    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

/* d = -H g by the two loops. */
static void direction(double *d, const double *g, const struct pairs *p)
{
    double alpha[LBFGS_MEMORY];
    int n = p->n;

    for (int i = 0; i < n; i++)
        d[i] = -g[i];
    for (int k = 0; k < p->count; k++) {
        int j = (p->next - 1 - k + LBFGS_MEMORY) % LBFGS_MEMORY;
        alpha[j] = p->rho[j] * dot(p->s[j], d, n);
        for (int i = 0; i < n; i++)
            d[i] -= alpha[j] * p->y[j][i];
    }
    if (p->count > 0) {
        int j = (p->next - 1 + LBFGS_MEMORY) % LBFGS_MEMORY;
        double scale = 1 / (p->rho[j] * dot(p->y[j], p->y[j], n));
        for (int i = 0; i < n; i++)
            d[i] *= scale;
    }
    for (int k = p->count - 1; k >= 0; k--) {
        int j = (p->next - 1 - k + LBFGS_MEMORY) % LBFGS_MEMORY;
        double beta = p->rho[j] * dot(p->y[j], d, n);
        for (int i = 0; i < n; i++)
            d[i] += (alpha[j] - beta) * p->s[j][i];
    }
}

static void remember(struct pairs *p, const double *x1, const double *x0,
                     const double *g1, const double *g0)
{
    double *s = p->s[p->next], *y = p->y[p->next];

    for (int i = 0; i < p->n; i++) {
        s[i] = x1[i] - x0[i];
        y[i] = g1[i] - g0[i];
    }
    double sy = dot(s, y, p->n);
    if (!(sy > 1e-14 * sqrt(dot(s, s, p->n) * dot(y, y, p->n))))
        return; /* no curvature seen: the pair would break descent */
    p->rho[p->next] = 1 / sy;
    p->next = (p->next + 1) % LBFGS_MEMORY;
    if (p->count < LBFGS_MEMORY)
        p->count++;
}

/* One line: from x along d; new point, value and gradient.  0: found. */
struct line {
    int n;
    lbfgs_fn *fn;
    void *ctx;
    int evals;
};

static int search(struct line *l, double *x1, double *f1, double *g1,
                  const double *x, double f, const double *g, const double *d,
                  double step)
{
    const double armijo = 1e-4, wolfe = 0.9;
    double slope = dot(g, d, l->n), lo = 0, hi = INFINITY;
    double f_lo = f, slope_lo = slope;

    for (int tries = 0; tries < 25; tries++) {
        for (int i = 0; i < l->n; i++)
            x1[i] = x[i] + step * d[i];
        *f1 = l->fn(g1, x1, l->ctx);
        l->evals++;
        double s1 = dot(g1, d, l->n);
        if (!(*f1 <= f + armijo * step * slope)) {
            hi = step;
            /* the parabola through f_lo, its slope, and this value */
            double h = hi - lo, c = *f1 - f_lo - slope_lo * h;
            double at = -slope_lo * h * h / (2 * c);
            if (!(at > 0.1 * h && at < 0.9 * h))
                at = isfinite(*f1) ? 0.5 * h : 0.1 * h;
            step = lo + at;
        } else if (s1 < wolfe * slope) {
            lo = step;
            f_lo = *f1;
            slope_lo = s1;
            step = isinf(hi) ? 3 * step : 0.5 * (lo + hi);
        } else {
            return 0;
        }
        if (hi - lo < 1e-15 * (hi < INFINITY ? hi : 1))
            break;
    }
    return *f1 < f ? 0 : -1;
}

void lbfgs_min(double *x, int n, lbfgs_fn *fn, void *ctx,
               const struct lbfgs_options *o, struct lbfgs_report *r)
{
    struct pairs p = {.n = n};
    struct line l = {n, fn, ctx, 1};
    double g[LBFGS_MAX], d[LBFGS_MAX], x1[LBFGS_MAX], g1[LBFGS_MAX], f1;
    double f = fn(g, x, ctx);

    BUG_ON(n < 1 || n > LBFGS_MAX);
    r->converged = 0;
    for (r->iters = 0; r->iters < o->max_iter; r->iters++) {
        direction(d, g, &p);
        double slope = dot(g, d, n), most = 0;
        if (!(slope < 0)) {
            if (p.count == 0) {
                r->converged = slope == 0;
                break;
            }
            p.count = 0; /* start again from steepest descent */
            continue;
        }
        if (p.count > 0 && -slope <= o->rel * fabs(f)) {
            r->converged = 1;
            break;
        }
        for (int i = 0; i < n; i++)
            most = fmax(most, fabs(d[i]));
        double step = p.count > 0 ? 1 : 0.1 / most;
        if (step * most > o->step)
            step = o->step / most;
        if (search(&l, x1, &f1, g1, x, f, g, d, step)) {
            if (p.count == 0)
                break;
            p.count = 0;
            continue;
        }
        remember(&p, x1, x, g1, g);
        memcpy(x, x1, (size_t)n * sizeof(*x));
        memcpy(g, g1, (size_t)n * sizeof(*g));
        f = f1;
    }
    r->f = f;
    r->evals = l.evals;
}
