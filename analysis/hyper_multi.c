/* hyper_multi: laws in more than compute.
 *
 *   lr    = k N^n D^d        Step Law (arXiv 2503.04715)
 *   batch = k D^d            the same: hardly any dependence on N
 *   lr    = k N^n D^d B^b    at the best lr of each batch: what reconciles
 *                            laws at fixed batch with laws at the best one
 *
 * They can be told from a law in C only by grids that do not all lie on one
 * line of (log N, log D), so that is asked first.  Grids are resampled. */
#include "analysis/bootstrap.h"
#include "analysis/hyper_impl.h"
#include "analysis/linfit.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRIDS 4        /* fewest */
#define COLLINEAR 0.97 /* |correlation| of log N and log D from which on */
#define SPREAD 0.3     /* least log range of D for a law in D */

/* Which of (1, ln N, ln D, ln B) enter; rows of one grid are resampled
 * together. */
struct multi {
    int use[4], p;
    double *X, *y;         /* (n,4), (n) */
    size_t *grid;          /* (n), its number among all */
    size_t n, n_grid, all; /* n_grid: those that have rows */
    double *bx, *by;       /* a resample */
};

static void multi_init(struct multi *m, const struct hyper_fit *f,
                       const int use[4])
{
    size_t n = 1;

    *m = (struct multi){0};
    for (int i = 0; i < f->n_grid; i++)
        n += (size_t)f->grid[i].n_cell;
    m->all = (size_t)f->n_grid;
    memcpy(m->use, use, sizeof m->use);
    for (int j = 0; j < 4; j++)
        m->p += use[j];
    m->X = xmalloc(4 * n * sizeof *m->X);
    m->y = xmalloc(n * sizeof *m->y);
    m->grid = xmalloc(n * sizeof *m->grid);
}

static void multi_release(struct multi *m)
{
    free(m->X);
    free(m->y);
    free(m->grid);
    free(m->bx);
    free(m->by);
}

static void multi_add(struct multi *m, const double x[4], double y, int grid)
{
    memcpy(m->X + 4 * m->n, x, 4 * sizeof *x);
    m->y[m->n] = y;
    m->grid[m->n++] = (size_t)grid;
}

/* Near-optimal cells of the grids that are interior on this axis. */
static void add_near(struct multi *m, const struct hyper_fit *f,
                     enum hyper_axis a)
{
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        if (!hyper_enters(f, g, a) || !(g->N > 0) || !(g->D > 0))
            continue;
        for (int k = 0; k < g->n_cell; k++) {
            const struct hyper_cell *c = &g->cell[k];
            double x[4] = {1, log(g->N), log(g->D), log(c->batch)};
            if (c->near)
                multi_add(m, x, log(hyper_cell_value(c, a)), i);
        }
        m->n_grid++;
    }
}

/* The best lr of the row of cells [i, j), if it is interior to the row and
 * the row is worth considering (within 2 % of the grid's best). */
static int row_best(double *lr, const struct hyper_grid *g, int i, int j)
{
    double sum = 0, best = INFINITY;
    int at = -1, n = 0;

    for (int k = i; k < j; k++)
        if (g->cell[k].loss < best) {
            best = g->cell[k].loss;
            at = k;
        }
    if (at <= i || at >= j - 1 || g->cell[at].excess > 0.02)
        return -1;
    for (int k = i; k < j; k++)
        if (g->cell[k].loss <= best * (1 + g->threshold)) {
            sum += log(g->cell[k].lr);
            n++;
        }
    *lr = sum / n;
    return 0;
}

int hyper_rows(double (*x)[4], double *y, const struct hyper_grid *g)
{
    int n = 0;

    if (!(g->N > 0) || !(g->D > 0))
        return 0;
    for (int i = 0, j; i < g->n_cell; i = j) {
        double b = g->cell[i].batch;
        for (j = i + 1;
             j < g->n_cell && fabs(g->cell[j].batch / b - 1) < HYPER_SAME;)
            j++;
        if (row_best(&y[n], g, i, j))
            continue;
        x[n][0] = 1;
        x[n][1] = log(g->N);
        x[n][2] = log(g->D);
        x[n++][3] = log(b);
    }
    return n;
}

static void add_rows(struct multi *m, const struct hyper_fit *f)
{
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        double(*x)[4] = xmalloc(((size_t)g->n_batch + 1) * sizeof *x);
        double *y = xmalloc(((size_t)g->n_batch + 1) * sizeof *y);
        int n = hyper_rows(x, y, g);
        for (int k = 0; k < n; k++)
            multi_add(m, x[k], y[k], i);
        m->n_grid += n > 0;
        free(x);
        free(y);
    }
}

static int solve(double coef[4], const struct multi *m, const double *X,
                 const double *y, size_t n)
{
    double *Z = xmalloc((n * (size_t)m->p + 1) * sizeof *Z);
    struct linfit fit;
    int rc, p = 0;

    for (size_t i = 0; i < n; i++)
        for (int j = 0, k = 0; j < 4; j++)
            if (m->use[j])
                Z[i * (size_t)m->p + (size_t)k++] = X[4 * i + (size_t)j];
    rc = linfit(&fit, Z, y, NULL, n, m->p, NULL);
    free(Z);
    for (int j = 0; j < 4 && !rc; j++)
        coef[j] = m->use[j] ? fit.coef[p++] : 0;
    return rc;
}

static int refit(double *stat, const size_t *idx, size_t n,
                 const struct boot_turn *turn, void *ctx)
{
    struct multi *m = ctx;

    (void)turn;
    m->bx = xrealloc(m->bx, (4 * n + 1) * sizeof *m->bx);
    m->by = xrealloc(m->by, (n + 1) * sizeof *m->by);
    for (size_t i = 0; i < n; i++) {
        memcpy(m->bx + 4 * i, m->X + 4 * idx[i], 4 * sizeof(double));
        m->by[i] = m->y[idx[i]];
    }
    return solve(stat, m, m->bx, m->by, n);
}

/* "" when the grids can tell what this law asks. */
static void check(char why[128], const struct multi *m)
{
    double *a = xmalloc((m->n + 1) * sizeof *a);
    double *b = xmalloc((m->n + 1) * sizeof *b), lo, hi, r;

    why[0] = 0;
    for (size_t i = 0; i < m->n; i++) {
        a[i] = m->X[4 * i + 1];
        b[i] = m->X[4 * i + 2];
    }
    stat_range(&lo, &hi, b, m->n);
    r = stat_correlation(a, b, m->n);
    if (m->n_grid < GRIDS)
        snprintf(why, 128, "%zu interior grids, needs %d", m->n_grid, GRIDS);
    else if (!(hi - lo > SPREAD))
        snprintf(why, 128, "the grids hardly differ in tokens");
    else if (m->use[1] && !(fabs(r) < COLLINEAR))
        snprintf(why, 128,
                 "the grids lie on one line in (log N, log D), correlation "
                 "%.3f",
                 r);
    free(a);
    free(b);
}

/* The independent sets of the rows' grids, into m->grid, unless draws of all
 * grids were given; their number. */
static size_t groups(struct multi *m, const struct hyper_fit *f)
{
    size_t *grid = xmalloc((m->n + 1) * sizeof *grid), n = 0;
    size_t *set = xmalloc((m->n + 1) * sizeof *set), sets = m->all;

    if (!f->opts.indices) {
        for (size_t i = 0; i < m->n; i++)
            if (!n || grid[n - 1] != m->grid[i])
                grid[n++] = m->grid[i];
        sets = hyper_sets(set, f, grid, n);
        for (size_t i = 0, k = 0; i < m->n; i++) {
            k += m->grid[i] != grid[k]; /* rows of a grid are together */
            m->grid[i] = set[k];
        }
    }
    free(grid);
    free(set);
    return sets;
}

static int fit_one(struct hyper_multi *y, struct multi *m,
                   const struct hyper_fit *f, struct err *e)
{
    const struct hyper_opts *o = &f->opts;
    struct boot_options opts;
    enum boot_kind kind = hyper_boot(&opts, o);
    double coef[4], *ci[4] = {NULL, y->n_ci, y->d_ci, y->b_ci};
    struct bootstrap b;

    check(y->why, m);
    if (y->why[0])
        return 0;
    if (solve(coef, m, m->X, m->y, m->n)) {
        snprintf(y->why, sizeof y->why, "the grids do not decide it");
        return 0;
    }
    y->ok = 1;
    y->coef = exp(coef[0]);
    y->n = coef[1];
    y->d = coef[2];
    y->b = coef[3];
    if (o->bootstrap < 1 && !o->indices)
        return 0;
    size_t n = groups(m, f);
    if (bootstrap_run(&b, &opts, m->n, m->grid, n, coef, 4, refit, m, e))
        return o->indices ? -1 : 0;
    for (int j = 1; j < 4; j++)
        if (m->use[j])
            bootstrap_interval(&ci[j][0], &ci[j][1], &b, (size_t)j, kind,
                               o->level);
    bootstrap_release(&b);
    return 0;
}

static void multi_clear(struct hyper_multi *y)
{
    *y = (struct hyper_multi){.coef = NAN, .n = NAN, .d = NAN, .b = NAN};
    for (int k = 0; k < 2; k++)
        y->n_ci[k] = y->d_ci[k] = y->b_ci[k] = NAN;
}

int hyper_fit_multi(struct hyper_fit *f, struct err *e)
{
    static const int nd[4] = {1, 1, 1, 0}, d[4] = {1, 0, 1, 0},
                     ndb[4] = {1, 1, 1, 1};
    struct multi m;
    int rc;

    multi_clear(&f->lr_nd);
    multi_clear(&f->batch_d);
    multi_clear(&f->lr_ndb);
    multi_init(&m, f, nd);
    add_near(&m, f, AXIS_LR);
    rc = fit_one(&f->lr_nd, &m, f, e);
    multi_release(&m);
    multi_init(&m, f, d);
    add_near(&m, f, AXIS_BATCH);
    rc = rc ? rc : fit_one(&f->batch_d, &m, f, e);
    multi_release(&m);
    multi_init(&m, f, ndb);
    add_rows(&m, f);
    rc = rc ? rc : fit_one(&f->lr_ndb, &m, f, e);
    multi_release(&m);
    return rc;
}
