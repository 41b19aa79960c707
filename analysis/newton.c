/* Damped Newton; see the header. */
#include "analysis/newton.h"

#include "analysis/linfit.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define STALL_STEPS 8

/* Step s over the free variables; returns the promised decrease, or -1 when
 * the damped matrix is not positive definite. */
static double solve(double *s, const double *g, const double *H, int n,
                    const int *map, int m, double mu)
{
    double A[NEWTON_MAX * NEWTON_MAX], b[NEWTON_MAX], x[NEWTON_MAX];
    double promise = 0, top = 0;

    for (int i = 0; i < m; i++)
        top = fmax(top, fabs(H[map[i] * n + map[i]]));
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++)
            A[i * m + j] = H[map[i] * n + map[j]];
        A[i * m + i] += mu * fmax(fabs(A[i * m + i]), 1e-9 * top);
        b[i] = -g[map[i]];
    }
    if (m == 0 || linfit_solve_spd(x, NULL, A, b, m))
        return -1;
    memset(s, 0, (size_t)n * sizeof(*s));
    for (int i = 0; i < m; i++) {
        s[map[i]] = x[i];
        promise += 0.5 * b[i] * x[i];
    }
    return promise;
}

void newton_min(double *x, int n, const int *fixed, newton_fn *fn, void *ctx,
                const struct newton_options *o, struct newton_report *r)
{
    double g[NEWTON_MAX], H[NEWTON_MAX * NEWTON_MAX], s[NEWTON_MAX];
    double x1[NEWTON_MAX], g1[NEWTON_MAX], H1[NEWTON_MAX * NEWTON_MAX];
    double mu = 0, before;
    int map[NEWTON_MAX], m = 0;

    BUG_ON(n < 1 || n > NEWTON_MAX);
    for (int i = 0; i < n; i++)
        if (!fixed || !fixed[i])
            map[m++] = i;
    memset(r, 0, sizeof(*r));
    r->f = fn(g, H, x, ctx);
    r->evals = 1;
    before = r->f;
    while (r->iters++ < o->max_iter) {
        if (r->iters % STALL_STEPS == 0) {
            if (before - r->f < o->stall * fabs(r->f))
                return;
            before = r->f;
        }
        double promise = solve(s, g, H, n, map, m, mu), most = 0;
        for (int i = 0; i < n && promise >= 0; i++)
            most = fmax(most, fabs(s[i]));
        if (promise >= 0 && promise <= o->rel * fabs(r->f) && mu <= 1e-3) {
            r->converged = 1;
            return;
        }
        if (promise < 0 || !isfinite(most)) {
            if (m == 0 || mu > 1e12)
                return;
            mu = mu > 0 ? 8 * mu : 1e-4;
            continue;
        }
        double cut = most > o->step ? o->step / most : 1;
        for (int i = 0; i < n; i++)
            x1[i] = x[i] + cut * s[i];
        double f1 = fn(g1, H1, x1, ctx);
        r->evals++;
        /* the promise of a step that was cut is at least cut times it */
        if (f1 < r->f - 0.05 * cut * promise) {
            r->f = f1;
            memcpy(x, x1, sizeof(x1[0]) * (size_t)n);
            memcpy(g, g1, sizeof(g1[0]) * (size_t)n);
            memcpy(H, H1, sizeof(H1[0]) * (size_t)(n * n));
            mu = mu > 1e-6 ? mu / 8 : 0;
        } else {
            /* at the last digit of f nothing decreases any more */
            if (promise <= 1e-14 * fabs(r->f)) {
                r->converged = 1;
                return;
            }
            if (mu > 1e12)
                return;
            mu = mu > 0 ? 8 * mu : 1e-4;
        }
    }
}
