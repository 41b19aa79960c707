/* hyper_quad: the minimum of a quadratic in (log lr, log batch).
 *
 * It uses every good cell, so it moves less with the noise than the place of
 * the best cell does; but far from the optimum the loss climbs faster than a
 * quadratic, so only cells near the best enter. */
#include "analysis/hyper_impl.h"

#include "analysis/linfit.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUAD_WITHIN 0.03 /* cells of the quadratic, unless that is too few */
#define QUAD_CELLS 9

static int by_double(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* Cells within this excess enter: 3 %, three thresholds, or what the nine
 * best cells need. */
static double quad_cut(const struct hyper_grid *g)
{
    double *v = xmalloc((size_t)g->n_cell * sizeof *v), cut;
    int n = 0;

    for (int i = 0; i < g->n_cell; i++)
        if (isfinite(g->cell[i].excess))
            v[n++] = g->cell[i].excess;
    qsort(v, (size_t)n, sizeof *v, by_double);
    cut = n ? v[(n < QUAD_CELLS ? n : QUAD_CELLS) - 1] : 0;
    free(v);
    return fmax(cut, fmax(QUAD_WITHIN, 3 * g->threshold));
}

static void quad_terms(double x[6], int kind, double u, double v)
{
    double two[6] = {1, u, v, u * u, u * v, v * v};
    double one = kind == 1 ? u : v;

    memcpy(x, two, sizeof two);
    if (kind != 2) {
        x[1] = one;
        x[2] = one * one;
    }
}

/* Minimum of the fitted terms relative to the origin; -1 if not convex. */
static int quad_solve(double *u, double *v, const double *c, int kind)
{
    double det;

    *u = *v = 0;
    if (kind != 2) {
        double at = -c[1] / (2 * c[2]);
        *(kind == 1 ? u : v) = at;
        return c[2] > 0 ? 0 : -1;
    }
    det = 4 * c[3] * c[5] - c[4] * c[4];
    if (!(c[3] > 0) || !(det > 0))
        return -1;
    *u = (-2 * c[5] * c[1] + c[4] * c[2]) / det;
    *v = (-2 * c[3] * c[2] + c[4] * c[1]) / det;
    return 0;
}

static int inside(const struct hyper_grid *g, enum hyper_axis a, double value)
{
    double lo = INFINITY, hi = 0;

    for (int i = 0; i < g->n_cell; i++) {
        double x = hyper_cell_value(&g->cell[i], a);
        lo = fmin(lo, x);
        hi = fmax(hi, x);
    }
    return value >= lo * (1 - HYPER_SAME) && value <= hi * (1 + HYPER_SAME);
}

static void quad_fail(struct hyper_quad *q, const char *why)
{
    q->ok = 0;
    snprintf(q->why, sizeof q->why, "%s", why);
}

/* kind: 2 both axes, 1 the lr alone, 0 the batch alone. */
void hyper_fit_quad(struct hyper_grid *g)
{
    const struct hyper_cell *best = &g->cell[g->best];
    int kind = g->n_lr >= 3 && g->n_batch >= 3 ? 2 : g->n_lr >= 3 ? 1 : 0;
    int p = kind == 2 ? 6 : 3, n = 0;
    double cut = quad_cut(g), u, v, *X, *y, *w;
    struct linfit fit;

    g->quad = (struct hyper_quad){.residual_sd = NAN};
    if ((kind == 1 && g->n_batch > 1) ||
        (kind == 0 && (g->n_lr > 1 || g->n_batch < 3))) {
        quad_fail(&g->quad, "fewer than three values on an axis");
        return;
    }
    X = xmalloc((size_t)(g->n_cell * 8) * sizeof *X);
    y = X + g->n_cell * 6;
    w = y + g->n_cell;
    for (int i = 0; i < g->n_cell; i++) {
        const struct hyper_cell *c = &g->cell[i];
        double x[6];
        if (!(c->excess <= cut))
            continue;
        quad_terms(x, kind, log(c->lr / best->lr), log(c->batch / best->batch));
        memcpy(X + n * p, x, (size_t)p * sizeof *x);
        y[n] = log(c->loss / best->loss);
        w[n++] = c->n;
    }
    if (n <= p)
        quad_fail(&g->quad, "too few cells near the best");
    else if (linfit(&fit, X, y, w, (size_t)n, p, NULL))
        quad_fail(&g->quad, "the cells do not decide a quadratic");
    else if (quad_solve(&u, &v, fit.coef, kind))
        quad_fail(&g->quad, "the surface is not convex");
    else if (!inside(g, AXIS_LR, best->lr * exp(u)) ||
             !inside(g, AXIS_BATCH, best->batch * exp(v)))
        quad_fail(&g->quad, "its minimum is outside the grid");
    else
        g->quad.ok = 1;
    if (g->quad.ok) {
        double x[6];
        quad_terms(x, kind, u, v);
        g->quad.lr = best->lr * exp(u);
        g->quad.batch = best->batch * exp(v);
        g->quad.loss = best->loss * exp(linfit_at(&fit, x, NULL));
        g->quad.residual_sd = sqrt(fit.sigma2);
    }
    free(X);
}
