/* hyper_grid: runs -> grids of cell means -> optima and edges.
 *
 * A cell is one (lr, batch); its seeds are averaged.  A cell in which any run
 * diverged has an infinite loss: it can be next to the optimum and bound it,
 * but never be it. */
#include "analysis/hyper_impl.h"

#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_WITHIN 0.05 /* cells this near to the best tell the noise */

double hyper_cell_value(const struct hyper_cell *c, enum hyper_axis a)
{
    return a == AXIS_LR ? c->lr : c->batch;
}

static int same(double a, double b)
{
    return fabs(a / b - 1) < HYPER_SAME;
}

/* --- cells --- */

static int by_cell(const void *a, const void *b)
{
    const struct cell_run *p = a, *q = b;
    if (p->budget_id != q->budget_id)
        return p->budget_id < q->budget_id ? -1 : 1;
    if (p->M_id != q->M_id)
        return p->M_id < q->M_id ? -1 : 1;
    if (p->batch != q->batch)
        return p->batch < q->batch ? -1 : 1;
    if (p->lr != q->lr)
        return p->lr < q->lr ? -1 : 1;
    return p->y < q->y ? -1 : p->y > q->y; /* the same sum in any order */
}

static int same_grid(const struct cell_run *a, const struct cell_run *b)
{
    return a->budget_id == b->budget_id && a->M_id == b->M_id;
}

static void average(struct hyper_cell *cell, const struct cell_run *r, int n)
{
    double *y = xmalloc((size_t)n * sizeof *y);

    *cell = (struct hyper_cell){
        .lr = r->lr, .batch = r->batch, .first = (int)r->row};
    for (int i = 0; i < n; i++) { /* those that diverged come last */
        if (isfinite(r[i].y))
            y[cell->n++] = r[i].y;
        else
            cell->diverged++;
    }
    cell->loss = cell->diverged ? INFINITY : stat_mean(y, (size_t)cell->n);
    cell->sd = stat_sd(y, (size_t)cell->n) / stat_mean(y, (size_t)cell->n);
    free(y);
}

static int count_values(const struct hyper_grid *g, enum hyper_axis a)
{
    int n = 0;

    for (int i = 0; i < g->n_cell; i++) {
        int seen = 0;
        for (int k = 0; k < i && !seen; k++)
            seen = same(hyper_cell_value(&g->cell[i], a),
                        hyper_cell_value(&g->cell[k], a));
        n += !seen;
    }
    return n;
}

static void build_grid(struct hyper_grid *g, const struct cell_run *r, int n)
{
    *g = (struct hyper_grid){
        .flops = r->budget, .M = r->M, .N = r->N, .wd = r->wd, .best = -1};
    g->cell = xcalloc((size_t)n, sizeof *g->cell);
    for (int i = 0; i < n; i++)
        g->D += r[i].D / n;
    for (int i = 0, j; i < n; i = j) {
        for (j = i + 1;
             j < n && same(r[j].batch, r[i].batch) && same(r[j].lr, r[i].lr);)
            j++;
        average(&g->cell[g->n_cell++], r + i, j - i);
    }
    g->n_lr = count_values(g, AXIS_LR);
    g->n_batch = count_values(g, AXIS_BATCH);
}

int hyper_axis_n(const struct hyper_grid *g, enum hyper_axis a)
{
    return a == AXIS_LR ? g->n_lr : g->n_batch;
}

void hyper_grid_release(struct hyper_grid *g)
{
    free(g->cell);
    g->cell = NULL;
}

/* --- the near-optimal rule --- */

/* best, excess, near, centre of one grid from its cells' losses. */
static void mark_near(struct hyper_grid *g)
{
    double sum_lr = 0, sum_batch = 0;

    g->best = -1;
    for (int i = 0; i < g->n_cell; i++)
        if (isfinite(g->cell[i].loss) &&
            (g->best < 0 || g->cell[i].loss < g->cell[g->best].loss))
            g->best = i;
    g->n_near = 0;
    g->lr_lo = g->batch_lo = INFINITY;
    g->lr_hi = g->batch_hi = 0;
    for (int i = 0; i < g->n_cell; i++) {
        struct hyper_cell *c = &g->cell[i];
        c->excess =
            g->best < 0 ? INFINITY : c->loss / g->cell[g->best].loss - 1;
        c->near = c->excess <= g->threshold;
        if (!c->near)
            continue;
        g->n_near++;
        sum_lr += log(c->lr);
        sum_batch += log(c->batch);
        g->lr_lo = fmin(g->lr_lo, c->lr);
        g->lr_hi = fmax(g->lr_hi, c->lr);
        g->batch_lo = fmin(g->batch_lo, c->batch);
        g->batch_hi = fmax(g->batch_hi, c->batch);
    }
    g->lr = exp(sum_lr / g->n_near);
    g->batch = exp(sum_batch / g->n_near);
}

/* --- edges --- */

/* The nearest value beyond the best cell on this axis, in its own row;
 * NaN when there is none on that side. */
static double neighbour(const struct hyper_grid *g, enum hyper_axis a, int dir)
{
    const struct hyper_cell *b = &g->cell[g->best];
    enum hyper_axis other = a == AXIS_LR ? AXIS_BATCH : AXIS_LR;
    double x = hyper_cell_value(b, a), best = NAN;

    for (int i = 0; i < g->n_cell; i++) {
        double v = hyper_cell_value(&g->cell[i], a);
        if (!same(hyper_cell_value(&g->cell[i], other),
                  hyper_cell_value(b, other)) ||
            same(v, x) || (v > x) != (dir > 0))
            continue;
        if (isnan(best) || fabs(log(v / x)) < fabs(log(best / x)))
            best = v;
    }
    return best;
}

/* Half a line or more inside by the quadratic: the best cell is at the edge
 * only by its noise. */
static int quad_interior(const struct hyper_grid *g, enum hyper_axis a, int dir)
{
    double x = hyper_cell_value(&g->cell[g->best], a);
    double q = a == AXIS_LR ? g->quad.lr : g->quad.batch;
    double inner = neighbour(g, a, -dir);

    return g->quad.ok && isfinite(inner) &&
           log(q / x) * -dir >= 0.5 * fabs(log(inner / x));
}

static int find_edge(const struct hyper_grid *g, enum hyper_axis a)
{
    if (hyper_axis_n(g, a) < 2)
        return 0;
    for (int dir = -1; dir <= 1; dir += 2)
        if (isnan(neighbour(g, a, dir)) && !quad_interior(g, a, dir))
            return dir;
    return 0;
}

int hyper_axis_edge(const struct hyper_grid *g, enum hyper_axis a)
{
    return a == AXIS_LR ? g->dlr : g->dbatch;
}

int hyper_interior(const struct hyper_grid *g, enum hyper_axis a)
{
    return hyper_axis_n(g, a) >= 2 && !hyper_axis_edge(g, a);
}

int hyper_enters(const struct hyper_fit *f, const struct hyper_grid *g,
                 enum hyper_axis a)
{
    return f->opts.optimum == HYPER_POOLED ? hyper_axis_n(g, a) >= 2
                                           : hyper_interior(g, a);
}

static void find_edges(struct hyper_grid *g)
{
    const struct hyper_cell *b = &g->cell[g->best];
    char lr[48] = "", batch[48] = "";

    g->dlr = find_edge(g, AXIS_LR);
    g->dbatch = find_edge(g, AXIS_BATCH);
    if (g->dlr)
        snprintf(lr, sizeof lr, "lr %.3g is the %s tried", b->lr,
                 g->dlr < 0 ? "lowest" : "highest");
    if (g->dbatch)
        snprintf(batch, sizeof batch, "batch %.0f is the %s tried", b->batch,
                 g->dbatch < 0 ? "smallest" : "largest");
    if (g->dlr || g->dbatch)
        snprintf(g->why, sizeof g->why, "at %.3g flops the best %s%s%s",
                 g->flops, lr, *lr && *batch ? " and its " : "", batch);
}

double hyper_log_optimum(const struct hyper_fit *f, const struct hyper_grid *g,
                         enum hyper_axis a)
{
    int noisy = !(f->noise < f->opts.near_rel / 2); /* or unknown */

    if (g->quad.ok && noisy)
        return log(a == AXIS_LR ? g->quad.lr : g->quad.batch);
    return log(a == AXIS_LR ? g->lr : g->batch);
}

/* --- all --- */

static void pool_noise(struct hyper_fit *f, double within)
{
    double ss = 0;

    f->noise_dof = 0;
    for (int i = 0; i < f->n_grid; i++)
        for (int k = 0; k < f->grid[i].n_cell; k++) {
            const struct hyper_cell *c = &f->grid[i].cell[k];
            if (c->n < 2 || !(c->excess <= within))
                continue;
            ss += c->sd * c->sd * (c->n - 1);
            f->noise_dof += c->n - 1;
        }
    f->noise = f->noise_dof ? sqrt(ss / f->noise_dof) : NAN;
}

void hyper_build(struct hyper_fit *f, struct cell_runs *c)
{
    size_t m = 0;

    for (size_t i = 0; i < c->n; i++) /* without lr or batch: in no grid */
        if (c->run[i].lr > 0 && c->run[i].batch > 0)
            c->run[m++] = c->run[i];
    c->n = m;
    qsort(c->run, c->n, sizeof *c->run, by_cell);
    f->trunk = cell_trunks(c);
    f->n_trunk = c->n_trunk;
    f->shared = c->shared;
    for (size_t i = 0; i < c->n; i++)
        c->run[i].row = i;
    f->grid = xcalloc(c->n + 1, sizeof *f->grid);
    for (size_t i = 0, j; i < c->n; i = j) {
        struct hyper_grid *g = &f->grid[f->n_grid];
        for (j = i + 1; j < c->n && same_grid(&c->run[j], &c->run[i]);)
            j++;
        build_grid(g, c->run + i, (int)(j - i));
        mark_near(g);
        if (g->best < 0)
            hyper_grid_release(g);
        else
            f->n_grid++;
    }
    pool_noise(f, NOISE_WITHIN);
    if (!f->noise_dof)
        pool_noise(f, INFINITY);
    for (int i = 0; i < f->n_grid; i++) {
        struct hyper_grid *g = &f->grid[i];
        g->threshold = f->opts.near_rel;
        if (f->opts.optimum != HYPER_POOLED && f->noise_dof)
            g->threshold = fmax(g->threshold, f->opts.near_sd * f->noise);
        mark_near(g);
        hyper_fit_quad(g);
        find_edges(g);
    }
}

/* Some run of grid g is of a trunk that is marked; or mark all of its. */
static int any_marked(const struct hyper_fit *f, const struct hyper_grid *g,
                      const char *mark)
{
    for (int i = 0; i < g->n_cell; i++)
        for (int k = 0; k < g->cell[i].n; k++)
            if (mark[f->trunk[g->cell[i].first + k]])
                return 1;
    return 0;
}

static void mark_all(char *mark, const struct hyper_fit *f,
                     const struct hyper_grid *g)
{
    for (int i = 0; i < g->n_cell; i++)
        for (int k = 0; k < g->cell[i].n; k++)
            mark[f->trunk[g->cell[i].first + k]] = 1;
}

size_t hyper_sets(size_t *set, const struct hyper_fit *f, const size_t *grid,
                  size_t n)
{
    char *mark = xmalloc((size_t)f->n_trunk + 1);
    size_t sets = 0;

    for (size_t i = 0; i < n; i++)
        set[i] = n;
    for (size_t i = 0; i < n; i++) {
        if (set[i] < n)
            continue;
        /* everything that hangs together with grid i */
        memset(mark, 0, (size_t)f->n_trunk + 1);
        mark_all(mark, f, &f->grid[grid[i]]);
        set[i] = sets;
        for (int grown = f->shared; grown;) {
            grown = 0;
            for (size_t k = i + 1; k < n; k++) {
                const struct hyper_grid *g = &f->grid[grid[k]];
                if (set[k] < n || !any_marked(f, g, mark))
                    continue;
                set[k] = sets;
                mark_all(mark, f, g);
                grown = 1;
            }
        }
        sets++;
    }
    free(mark);
    return sets;
}
