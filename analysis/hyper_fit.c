/* hyper_fit: grids -> lr(C) and batch(C) with intervals and a verdict.
 *
 * The estimate is the ordinary regression of the logs of all near-optimal
 * cells (or of one optimum a grid) on log C.  What is independent is the grid,
 * not the cell, and grids that share trunks are one: whole grids are
 * resampled.  Fewer than sixteen of them say where the interval lies, and
 * Student's t of their optima about the law how wide it is (few.h); optima
 * that agree better than their grids' lines can tell are not believed. */
#include "analysis/hyper_fit.h"

#include "analysis/bootstrap.h"
#include "analysis/few.h"
#include "analysis/hyper_impl.h"
#include "analysis/powerlaw.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN 3.0   /* least largest / smallest budget */
#define FLAT 0.2   /* an interval this narrow may contain 0 */
#define WIDEST 1.0 /* widest interval of an exponent that is a result */

void hyper_opts_default(struct hyper_opts *o)
{
    *o = (struct hyper_opts){.optimum = HYPER_NEAR,
                             .near_rel = 0.0025,
                             .near_sd = 2,
                             .level = 0.90,
                             .bootstrap = 1000,
                             .seed = 1,
                             .interval = -1};
}

enum boot_kind hyper_boot(struct boot_options *b, const struct hyper_opts *o)
{
    enum boot_kind kind =
        o->interval < 0 ? BOOT_PERCENTILE : (enum boot_kind)o->interval;

    *b = (struct boot_options){.resamples = (size_t)o->bootstrap,
                               .seed = o->seed,
                               .indices = o->indices,
                               .jackknife = kind == BOOT_BCA};
    return kind;
}

/* --- the points of the regression --- */

struct xy {
    double *C, *y;
    size_t n;
};

static size_t most_points(const struct hyper_fit *f)
{
    size_t n = 1;

    for (int i = 0; i < f->n_grid; i++)
        n += (size_t)f->grid[i].n_cell;
    return n;
}

/* Append the optimum of one grid. */
static void add_points(struct xy *p, const struct hyper_grid *g,
                       enum hyper_axis a, enum hyper_optimum how)
{
    double one = a == AXIS_LR ? g->lr : g->batch;

    if (how == HYPER_NEAR || how == HYPER_POOLED) {
        for (int i = 0; i < g->n_cell; i++) {
            if (!g->cell[i].near)
                continue;
            p->C[p->n] = g->flops;
            p->y[p->n++] = hyper_cell_value(&g->cell[i], a);
        }
        return;
    }
    if (how == HYPER_QUADRATIC && g->quad.ok)
        one = a == AXIS_LR ? g->quad.lr : g->quad.batch;
    p->C[p->n] = g->flops;
    p->y[p->n++] = one;
}

/* Interior grids of this axis: their indices; the count. */
static size_t interior_grids(size_t *at, const struct hyper_fit *f,
                             enum hyper_axis a)
{
    size_t n = 0;

    for (int i = 0; i < f->n_grid; i++)
        if (hyper_enters(f, &f->grid[i], a))
            at[n++] = (size_t)i;
    return n;
}

struct law {
    const struct hyper_fit *f;
    enum hyper_axis axis;
    size_t *at, n;      /* interior grids */
    size_t *set, n_set; /* of which these are independent (hyper_sets) */
    struct xy p;        /* a buffer */
};

static int law_fit(double stat[2], struct law *l)
{
    double coef;

    if (powerlaw_fit_fast(&coef, &stat[1], l->p.C, l->p.y, NULL, l->p.n))
        return -1;
    stat[0] = log(coef);
    return 0;
}

/* --- intervals --- */

static int refit(double *stat, const size_t *idx, size_t m,
                 const struct boot_turn *turn, void *ctx)
{
    struct law *l = ctx;

    (void)turn;
    /* a resample may draw the largest grid every time */
    l->p.C = xrealloc(l->p.C, (m * most_points(l->f) + 1) * sizeof(double));
    l->p.y = xrealloc(l->p.y, (m * most_points(l->f) + 1) * sizeof(double));
    l->p.n = 0;
    for (size_t i = 0; i < m; i++) {
        const struct hyper_grid *g =
            &l->f->grid[l->f->opts.indices ? idx[i] : l->at[idx[i]]];
        if (hyper_enters(l->f, g, l->axis))
            add_points(&l->p, g, l->axis, l->f->opts.optimum);
    }
    return law_fit(stat, l);
}

/* Variance of an optimum that is read off lines: that of a place anywhere
 * between two, in each of the cells that tell it. */
static double resolution(const struct hyper_grid *g, enum hyper_axis a)
{
    double x = hyper_cell_value(&g->cell[g->best], a), line = INFINITY;

    for (int i = 0; i < g->n_cell; i++) {
        double d = fabs(log(hyper_cell_value(&g->cell[i], a) / x));
        if (d > HYPER_SAME)
            line = fmin(line, d);
    }
    return isfinite(line) ? line * line / 12 / g->n_near : 0;
}

/* How wide the intervals of few grids are; -1: not told. */
static int half_widths(double half[FEW_MAX], const struct law *l)
{
    const struct hyper_opts *o = &l->f->opts;
    size_t most = most_points(l->f), n = 0;
    double *X = xmalloc(2 * most * sizeof *X), *y = xmalloc(most * sizeof *y);
    size_t *set = xmalloc(most * sizeof *set);
    struct few few = {X, y, NULL, set, l->p.n, l->n_set, 2, 1, 0};
    int rc;

    /* l->p has the points grid by grid */
    for (size_t k = 0; k < l->n; k++) {
        const struct hyper_grid *g = &l->f->grid[l->at[k]];
        struct xy one = {X, y, 0}; /* to count */
        add_points(&one, g, l->axis, o->optimum);
        for (size_t i = 0; i < one.n; i++)
            set[n++] = l->set[k];
        if (o->optimum != HYPER_QUADRATIC)
            few.least += resolution(g, l->axis) / (double)l->n;
    }
    for (size_t i = 0; i < n; i++) {
        X[2 * i] = 1;
        X[2 * i + 1] = log(l->p.C[i]);
        y[i] = log(l->p.y[i]);
    }
    rc = few_half_widths(half, &few, o->level);
    free(X);
    free(y);
    free(set);
    return rc;
}

/* -1 when the draws that were given cannot be used. */
static int resample_grids(double ci[2][2], struct law *l,
                          const double estimate[2], struct err *e)
{
    const struct hyper_opts *o = &l->f->opts;
    struct boot_options opts;
    enum boot_kind kind = hyper_boot(&opts, o);
    int few = l->n_set < FEW_GROUPS && !o->indices;
    double half[FEW_MAX];
    struct bootstrap b;
    size_t rows = o->indices ? (size_t)l->f->n_grid : l->n;
    size_t sets = o->indices ? rows : l->n_set;
    struct xy keep = l->p;
    int rc = 0;

    if (few && half_widths(half, l))
        return 0;
    l->p = (struct xy){NULL, NULL, 0};
    rc = bootstrap_run(&b, &opts, rows, o->indices ? NULL : l->set, sets,
                       estimate, 2, refit, l, e);
    if (!rc) {
        for (int j = 0; j < 2; j++) {
            bootstrap_interval(&ci[j][0], &ci[j][1], &b, (size_t)j, kind,
                               o->level);
            if (few)
                few_stretch(ci[j], estimate[j], half[j], l->n_set);
        }
        bootstrap_release(&b);
    }
    free(l->p.C);
    free(l->p.y);
    l->p = keep;
    return o->indices ? rc : 0;
}

/* --- verdict --- */

static double span(const struct law *l)
{
    double lo = INFINITY, hi = 0;

    for (size_t k = 0; k < l->n; k++) {
        lo = fmin(lo, l->f->grid[l->at[k]].flops);
        hi = fmax(hi, l->f->grid[l->at[k]].flops);
    }
    return hi / lo;
}

static int varied(const struct hyper_fit *f, enum hyper_axis a)
{
    for (int i = 0; i < f->n_grid; i++)
        if (hyper_axis_n(&f->grid[i], a) > 1)
            return 1;
    return 0;
}

static void verdict(struct hyper_power *y, const struct law *l)
{
    const char *what = l->axis == AXIS_LR ? "lr" : "batch";
    double lo = y->exponent_ci[0], hi = y->exponent_ci[1];
    int percent = (int)lround(100 * l->f->opts.level);

    if (!varied(l->f, l->axis))
        snprintf(y->refused, sizeof y->refused,
                 "the %s was not varied; a grid over it would tell", what);
    else if (l->n < 3)
        snprintf(y->refused, sizeof y->refused,
                 "%zu of %d grids have an interior best %s, an exponent "
                 "needs 3; extend the grids at the edge or add budgets",
                 l->n, l->f->n_grid, what);
    else if (span(l) < SPAN)
        snprintf(y->refused, sizeof y->refused,
                 "the budgets span a factor %.2g, an exponent needs %.2g; add "
                 "a budget ten times the largest",
                 span(l), SPAN);
    else if (!isfinite(lo) || !isfinite(hi))
        snprintf(y->refused, sizeof y->refused,
                 "no interval was made (bootstrap %d)", l->f->opts.bootstrap);
    else if ((lo <= 0 && hi >= 0 && hi - lo > FLAT) || hi - lo > WIDEST)
        snprintf(y->refused, sizeof y->refused,
                 "the %d %% interval of the exponent is %.2f to %.2f%s; more "
                 "seeds, a finer grid or a wider span of budgets would narrow "
                 "it",
                 percent, lo, hi,
                 lo <= 0 && hi >= 0 ? ", its sign is open" : "");
    else
        y->identified = 1;
}

static int fit_law(struct hyper_power *y, const struct hyper_fit *f,
                   enum hyper_axis a, struct err *e)
{
    const struct hyper_opts *o = &f->opts;
    size_t most = most_points(f);
    int rc = 0;
    double estimate[2], ci[2][2] = {{NAN, NAN}, {NAN, NAN}};
    struct law l = {.f = f, .axis = a};

    *y = (struct hyper_power){.coef = NAN, .exponent = NAN};
    l.at = xmalloc(((size_t)f->n_grid + 1) * sizeof *l.at);
    l.n = interior_grids(l.at, f, a);
    l.set = xmalloc((l.n + 1) * sizeof *l.set);
    l.n_set = hyper_sets(l.set, f, l.at, l.n);
    /* Where all hang together, what they share moves the whole law, and the
     * grids tell its exponent by what they do not share. */
    for (size_t k = 0; l.n_set < 3 && k < l.n; k++)
        l.set[k] = k;
    if (l.n_set < 3)
        l.n_set = l.n;
    l.p = (struct xy){xmalloc(most * sizeof(double)),
                      xmalloc(most * sizeof(double)), 0};
    for (size_t k = 0; k < l.n; k++)
        add_points(&l.p, &f->grid[l.at[k]], a, f->opts.optimum);
    y->n_grid = (int)l.n;
    y->n_point = (int)l.p.n;
    if (!law_fit(estimate, &l)) {
        y->coef = exp(estimate[0]);
        y->exponent = estimate[1];
        if ((o->bootstrap > 0 || o->indices) && l.n >= 3)
            rc = resample_grids(ci, &l, estimate, e);
    }
    for (int k = 0; k < 2; k++) {
        y->coef_ci[k] = exp(ci[0][k]);
        y->exponent_ci[k] = ci[1][k];
    }
    verdict(y, &l);
    free(l.at);
    free(l.set);
    free(l.p.C);
    free(l.p.y);
    return rc;
}

int hyper_fit(struct hyper_fit *f, const struct points *p,
              const struct hyper_opts *o, struct err *e)
{
    struct cell_runs c;

    memset(f, 0, sizeof *f);
    f->opts = *o;
    cell_runs_init(&c, p);
    f->n_point = (int)c.n_used;
    f->n_excluded = (int)c.n_excluded;
    f->n_diverged = (int)c.n_diverged;
    hyper_build(f, &c);
    cell_runs_release(&c);
    if (!f->n_grid) {
        hyper_fit_release(f);
        return err_set(e, ERR_FAILED,
                       "no finished run with a learning rate, a batch and a "
                       "loss to fit a grid to");
    }
    points_hash(f->input, p);
    if (fit_law(&f->lr, f, AXIS_LR, e) ||
        fit_law(&f->batch, f, AXIS_BATCH, e) || hyper_fit_multi(f, e)) {
        hyper_fit_release(f);
        return -1;
    }
    hyper_judge(f);
    return 0;
}

void hyper_fit_release(struct hyper_fit *f)
{
    for (int i = 0; i < f->n_grid; i++)
        hyper_grid_release(&f->grid[i]);
    free(f->grid);
    free(f->trunk);
    memset(f, 0, sizeof *f);
}

int hyper_fit_identified(const struct hyper_fit *f)
{
    return f->lr.identified && f->batch.identified;
}
