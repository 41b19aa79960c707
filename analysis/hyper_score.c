/* hyper_score: what following a law costs, out of sample.
 *
 * Exponents of two laws cannot be compared, their advice can: each grid in
 * turn is left out, the law fitted on the others, its (lr, batch) for the
 * left-out grid looked up there, interpolated between the cells in logs, and
 * compared with that grid's best cell.  The best cell is the luckiest of its
 * noise, so an excess of about one SD between seeds is none. */
#include "analysis/hyper_impl.h"

#include "analysis/linfit.h"
#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const hyper_form_name[HYPER_FORMS] = {
    "C",         "Eq. 1 exponents", "constant",        "(N, D)",
    "(N, D, B)", "timescale",       "Eq. 1 as printed"};

/* --- the loss between cells --- */

static double nearest(const struct hyper_grid *g, double u, double v)
{
    double best = INFINITY, y = INFINITY;

    for (int i = 0; i < g->n_cell; i++) {
        double d = hypot(log(g->cell[i].lr) - u, log(g->cell[i].batch) - v);
        if (d < best) {
            best = d;
            y = g->cell[i].excess;
        }
    }
    return y;
}

/* The neighbours of `at` among the values of an axis, and its place t in
 * [0, 1] between them; beyond the ends, the end. */
static void bracket(double *lo, double *hi, double *t,
                    const struct hyper_grid *g, enum hyper_axis a, double at)
{
    *lo = -INFINITY;
    *hi = INFINITY;
    for (int i = 0; i < g->n_cell; i++) {
        double x = log(hyper_cell_value(&g->cell[i], a));
        if (x <= at)
            *lo = fmax(*lo, x);
        if (x >= at)
            *hi = fmin(*hi, x);
    }
    if (!isfinite(*lo))
        *lo = *hi;
    if (!isfinite(*hi))
        *hi = *lo;
    *t = *hi > *lo ? (at - *lo) / (*hi - *lo) : 0;
}

static double cell_at(const struct hyper_grid *g, double u, double v)
{
    for (int i = 0; i < g->n_cell; i++)
        if (fabs(log(g->cell[i].lr) - u) < HYPER_SAME &&
            fabs(log(g->cell[i].batch) - v) < HYPER_SAME)
            return g->cell[i].excess;
    return NAN;
}

double hyper_excess_at(const struct hyper_grid *g, double log_lr,
                       double log_batch)
{
    double u[2], v[2], s, t, sum = 0;

    bracket(&u[0], &u[1], &s, g, AXIS_LR, log_lr);
    bracket(&v[0], &v[1], &t, g, AXIS_BATCH, log_batch);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            double w = (i ? s : 1 - s) * (k ? t : 1 - t), y;
            if (w < 1e-9)
                continue;
            y = cell_at(g, u[i], v[k]);
            if (!isfinite(y))
                return nearest(g, log_lr, log_batch);
            sum += w * y;
        }
    return sum;
}

/* --- the laws, without one grid --- */

/* Regress an optimum of the other interior grids on up to two variables and
 * evaluate at the left-out one.  -1 when they do not decide it. */
typedef void vars_fn(double x[2], const struct hyper_grid *g);

static int predict_from(double *at, const struct hyper_fit *f, int skip,
                        enum hyper_axis a, vars_fn *vars, int n_vars,
                        double (*value)(const struct hyper_fit *,
                                        const struct hyper_grid *,
                                        enum hyper_axis))
{
    int p = n_vars + 1, n = 0, rc;
    double *X = xmalloc(((size_t)f->n_grid + 1) * 4 * sizeof *X);
    double *y = X + 3 * (f->n_grid + 1), x[3] = {1, 0, 0};
    struct linfit fit;

    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        if (i == skip || !hyper_interior(g, a))
            continue;
        if (n_vars)
            vars(x + 1, g);
        memcpy(X + n * p, x, (size_t)p * sizeof *x);
        y[n++] = value(f, g, a);
    }
    rc = n < p || linfit(&fit, X, y, NULL, (size_t)n, p, NULL);
    if (!rc) {
        if (n_vars)
            vars(x + 1, &f->grid[skip]);
        *at = linfit_at(&fit, x, NULL);
    }
    free(X);
    return rc || !isfinite(*at) ? -1 : 0;
}

static void vars_C(double x[2], const struct hyper_grid *g)
{
    x[0] = log(g->flops);
}

static void vars_ND(double x[2], const struct hyper_grid *g)
{
    x[0] = log(g->N);
    x[1] = log(g->D);
}

static void vars_D(double x[2], const struct hyper_grid *g)
{
    x[0] = log(g->D);
}

static void vars_ratio(double x[2], const struct hyper_grid *g)
{
    x[0] = log(g->D / g->N);
}

/* The optimum over C^(Eq. 1's exponent). */
static double over_eq1(const struct hyper_fit *f, const struct hyper_grid *g,
                       enum hyper_axis a)
{
    return hyper_log_optimum(f, g, a) - hyper_eq1(a) * log(g->flops);
}

/* AdamW's timescale as a fraction of training (Wang & Aitchison; Bergsma et
 * al. 2025): tau = B / (lr wd D). */
static double log_tau(const struct hyper_fit *f, const struct hyper_grid *g,
                      enum hyper_axis a)
{
    (void)a;
    return hyper_log_optimum(f, g, AXIS_BATCH) -
           hyper_log_optimum(f, g, AXIS_LR) - log(g->wd) - log(g->D);
}

static int both(double at[2], const struct hyper_fit *f, int skip,
                vars_fn *vars, int n_vars,
                double (*value)(const struct hyper_fit *,
                                const struct hyper_grid *, enum hyper_axis))
{
    return predict_from(&at[0], f, skip, AXIS_LR, vars, n_vars, value) ||
           predict_from(&at[1], f, skip, AXIS_BATCH, vars, n_vars, value);
}

static int form_C(double at[2], const struct hyper_fit *f, int skip)
{
    return both(at, f, skip, vars_C, 1, hyper_log_optimum);
}

static int form_eq1(double at[2], const struct hyper_fit *f, int skip)
{
    double log_C = log(f->grid[skip].flops);
    int rc = both(at, f, skip, NULL, 0, over_eq1);

    at[0] += hyper_eq1(AXIS_LR) * log_C;
    at[1] += hyper_eq1(AXIS_BATCH) * log_C;
    return rc;
}

static int form_flat(double at[2], const struct hyper_fit *f, int skip)
{
    return both(at, f, skip, NULL, 0, hyper_log_optimum);
}

static int form_ND(double at[2], const struct hyper_fit *f, int skip)
{
    if (!f->lr_nd.ok)
        return -1;
    return predict_from(&at[0], f, skip, AXIS_LR, vars_ND, 2,
                        hyper_log_optimum) ||
           predict_from(&at[1], f, skip, AXIS_BATCH, vars_D, 1,
                        hyper_log_optimum);
}

static int form_NDB(double at[2], const struct hyper_fit *f, int skip)
{
    const struct hyper_grid *g = &f->grid[skip];
    size_t most = 1, n = 0;
    double(*x)[4], *y, q[4];
    struct linfit fit;
    int rc;

    if (!f->lr_ndb.ok ||
        predict_from(&at[1], f, skip, AXIS_BATCH, vars_D, 1, hyper_log_optimum))
        return -1;
    for (int i = 0; i < f->n_grid; i++)
        most += (size_t)f->grid[i].n_batch;
    x = xmalloc(most * sizeof *x);
    y = xmalloc(most * sizeof *y);
    for (int i = 0; i < f->n_grid; i++)
        if (i != skip)
            n += (size_t)hyper_rows(x + n, y + n, &f->grid[i]);
    q[0] = 1;
    q[1] = log(g->N);
    q[2] = log(g->D);
    q[3] = at[1];
    rc = n < 5 || linfit(&fit, &x[0][0], y, NULL, n, 4, NULL);
    if (!rc)
        at[0] = linfit_at(&fit, q, NULL);
    free(x);
    free(y);
    return rc ? -1 : 0;
}

static int form_tau(double at[2], const struct hyper_fit *f, int skip)
{
    const struct hyper_grid *g = &f->grid[skip];
    double lo = INFINITY, hi = 0, tau = NAN;

    for (int i = 0; i < f->n_grid; i++) {
        lo = fmin(lo, f->grid[i].D / f->grid[i].N);
        hi = fmax(hi, f->grid[i].D / f->grid[i].N);
        if (!(f->grid[i].wd > 0))
            return -1;
    }
    if (predict_from(&at[1], f, skip, AXIS_BATCH, vars_D, 1,
                     hyper_log_optimum) ||
        predict_from(&tau, f, skip, AXIS_LR, vars_ratio, hi > 2 * lo, log_tau))
        return -1;
    at[0] = at[1] - tau - log(g->wd) - log(g->D);
    return 0;
}

static int form_paper(double at[2], const struct hyper_fit *f, int skip)
{
    at[0] = log(deepseek_lr(f->grid[skip].flops));
    at[1] = log(deepseek_batch(f->grid[skip].flops));
    return 0;
}

void hyper_judge(struct hyper_fit *f)
{
    static int (*const form[HYPER_FORMS])(double[2], const struct hyper_fit *,
                                          int) = {
        form_C, form_eq1, form_flat, form_ND, form_NDB, form_tau, form_paper};

    for (int k = 0; k < HYPER_FORMS; k++) {
        struct hyper_score *s = &f->score[k];
        *s = (struct hyper_score){0};
        for (int i = 0; i < f->n_grid; i++) {
            double at[2], x;
            if (f->n_grid < 2 || form[k](at, f, i))
                continue;
            x = hyper_excess_at(&f->grid[i], at[0], at[1]);
            s->mean += x;
            s->max = fmax(s->max, x);
            s->n++;
        }
        s->mean = s->n ? s->mean / s->n : NAN;
        s->max = s->n ? s->max : NAN;
    }
}
