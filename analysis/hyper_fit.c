/* hyper_fit: grids -> lr(C) and batch(C) with intervals and a verdict.
 *
 * The estimate is the ordinary regression of the logs of all near-optimal
 * cells (or of one optimum a grid) on log C.  What is independent is the grid,
 * not the cell, and grids that share trunks are one: from six on, whole grids
 * are resampled, below sixteen of them widened by Student's t.  With fewer,
 * resampling three or four grids says little; there every cell mean is drawn
 * again with the noise between seeds, and every optimum is moved within its
 * grid line, which is as finely as it was looked for. */
#include "analysis/hyper_fit.h"

#include "analysis/bootstrap.h"
#include "analysis/hyper_impl.h"
#include "analysis/powerlaw.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW_GRIDS 6   /* below, noise is resampled */
#define MANY_GRIDS 16 /* from here on percentiles stand as they are */
#define SPAN 3.0      /* least largest / smallest budget */
#define FLAT 0.2      /* an interval this narrow may contain 0 */
#define WIDEST 1.0    /* widest interval of an exponent that is a result */

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

/* Append the optimum of one grid, times exp(shift). */
static void add_points(struct xy *p, const struct hyper_grid *g,
                       enum hyper_axis a, enum hyper_optimum how, double shift)
{
    double one = a == AXIS_LR ? g->lr : g->batch;

    if (how == HYPER_NEAR || how == HYPER_POOLED) {
        for (int i = 0; i < g->n_cell; i++) {
            if (!g->cell[i].near)
                continue;
            p->C[p->n] = g->flops;
            p->y[p->n++] = hyper_cell_value(&g->cell[i], a) * exp(shift);
        }
        return;
    }
    if (how == HYPER_QUADRATIC && g->quad.ok)
        one = a == AXIS_LR ? g->quad.lr : g->quad.batch;
    p->C[p->n] = g->flops;
    p->y[p->n++] = one * exp(shift);
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
            add_points(&l->p, g, l->axis, l->f->opts.optimum, 0);
    }
    return law_fit(stat, l);
}

static void stretch(double ci[2][2], const double estimate[2], double factor)
{
    for (int j = 0; j < 2; j++)
        for (int k = 0; k < 2; k++)
            ci[j][k] = estimate[j] + (ci[j][k] - estimate[j]) * factor;
}

static double t_over_z(double level, double dof)
{
    double q = (1 + level) / 2;
    return dof > 0 ? stat_t_quantile(q, dof) / stat_normal_quantile(q) : 1;
}

/* -1 when the draws that were given cannot be used. */
static int resample_grids(double ci[2][2], struct law *l,
                          const double estimate[2], struct err *e)
{
    const struct hyper_opts *o = &l->f->opts;
    struct boot_options opts;
    enum boot_kind kind = hyper_boot(&opts, o);
    double n = (double)l->n_set, widen = 1;
    struct bootstrap b;
    size_t rows = o->indices ? (size_t)l->f->n_grid : l->n;
    size_t sets = o->indices ? rows : l->n_set;
    struct xy keep = l->p;
    int rc = 0;

    l->p = (struct xy){NULL, NULL, 0};
    rc = bootstrap_run(&b, &opts, rows, o->indices ? NULL : l->set, sets,
                       estimate, 2, refit, l, e);
    if (!rc) {
        for (int j = 0; j < 2; j++)
            bootstrap_interval(&ci[j][0], &ci[j][1], &b, (size_t)j, kind,
                               o->level);
        if (l->n_set < MANY_GRIDS && l->n_set > 2 && !o->indices)
            widen = t_over_z(o->level, n - 2) * sqrt(n / (n - 2));
        stretch(ci, estimate, widen);
        bootstrap_release(&b);
    }
    free(l->p.C);
    free(l->p.y);
    l->p = keep;
    return o->indices ? rc : 0;
}

/* Half the log distance between the lines next to the best one. */
static double half_line(const struct hyper_grid *g, enum hyper_axis a)
{
    double x = hyper_cell_value(&g->cell[g->best], a), d = INFINITY;

    for (int i = 0; i < g->n_cell; i++) {
        double s = fabs(log(hyper_cell_value(&g->cell[i], a) / x));
        if (s > HYPER_SAME)
            d = fmin(d, s);
    }
    return isfinite(d) ? d / 2 : 0;
}

/* One draw of a grid: its cells with new noise, marked anew. */
static void draw_grid(struct hyper_grid *to, const struct hyper_grid *from,
                      const struct hyper_fit *f, struct rng *r, const double *z)
{
    double noise = f->noise;

    hyper_grid_copy(to, from);
    for (int i = 0; i < to->n_cell && noise > 0; i++)
        if (isfinite(to->cell[i].loss))
            to->cell[i].loss *=
                1 + noise / sqrt(to->cell[i].n) *
                        cell_deviate(r, z, f->trunk + to->cell[i].first,
                                     to->cell[i].n);
    hyper_mark_near(to);
    if (!to->quad.ok)
        return;
    to->quad.ok = 0;
    hyper_fit_quad(to);
}

/* Scatter of the grids' optima about the law in units of their own spread. */
static double law_chi2(const struct law *l, const double estimate[2],
                       const double *spread)
{
    double sum = 0;

    for (size_t k = 0; k < l->n; k++) {
        const struct hyper_grid *g = &l->f->grid[l->at[k]];
        double y = log(l->axis == AXIS_LR ? g->lr : g->batch);
        double d = y - estimate[0] - estimate[1] * log(g->flops);
        sum += d * d / (spread[k] * spread[k]);
    }
    return l->n > 2 ? sum / (double)(l->n - 2) : 1;
}

static void resample_noise(double ci[2][2], struct law *l,
                           const double estimate[2])
{
    const struct hyper_opts *o = &l->f->opts;
    size_t B = (size_t)o->bootstrap, good = 0;
    double *v = xmalloc(2 * B * sizeof *v), stat[2];
    double *sum = xcalloc(3 * l->n, sizeof *sum), *sum2 = sum + l->n,
           *spread = sum2 + l->n, chi2;
    struct rng r = {o->seed, RNG_BOOT, (uint64_t)l->axis << 40};
    int n_trunk = l->f->n_trunk;
    double *z =
        l->f->shared ? xmalloc(((size_t)n_trunk + 1) * sizeof *z) : NULL;

    for (size_t d = 0; d < B; d++) {
        l->p.n = 0;
        for (int t = 0; z && t < n_trunk; t++)
            z[t] = rng_next_normal(&r);
        for (size_t k = 0; k < l->n; k++) {
            const struct hyper_grid *from = &l->f->grid[l->at[k]];
            double shift = (2 * rng_next_uniform(&r) - 1) *
                           half_line(from, l->axis),
                   y;
            struct hyper_grid g;
            draw_grid(&g, from, l->f, &r, z);
            add_points(&l->p, &g, l->axis, o->optimum, shift);
            y = log(l->axis == AXIS_LR ? g.lr : g.batch) + shift;
            sum[k] += y / (double)B;
            sum2[k] += y * y / (double)B;
            hyper_grid_release(&g);
        }
        if (law_fit(stat, l))
            continue;
        v[good] = stat[0];
        v[B + good++] = stat[1];
    }
    for (size_t k = 0; k < l->n; k++)
        spread[k] = sqrt(fmax(sum2[k] - sum[k] * sum[k], 1e-12));
    chi2 = law_chi2(l, estimate, spread);
    for (int j = 0; j < 2; j++) {
        stat_sort(v + (size_t)j * B, good);
        ci[j][0] =
            stat_quantile_sorted(v + (size_t)j * B, good, (1 - o->level) / 2);
        ci[j][1] =
            stat_quantile_sorted(v + (size_t)j * B, good, (1 + o->level) / 2);
    }
    /* the draws are noisier than the data once: centre them on the estimate */
    for (int j = 0; j < 2; j++) {
        double half = (ci[j][1] - ci[j][0]) / 2;
        ci[j][0] = estimate[j] - half;
        ci[j][1] = estimate[j] + half;
    }
    stretch(ci, estimate,
            sqrt(fmax(chi2, 1)) * t_over_z(o->level, l->f->noise_dof));
    free(v);
    free(sum);
    free(z);
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
    l.p = (struct xy){xmalloc(most * sizeof(double)),
                      xmalloc(most * sizeof(double)), 0};
    for (size_t k = 0; k < l.n; k++)
        add_points(&l.p, &f->grid[l.at[k]], a, f->opts.optimum, 0);
    y->n_grid = (int)l.n;
    y->n_point = (int)l.p.n;
    if (!law_fit(estimate, &l)) {
        y->coef = exp(estimate[0]);
        y->exponent = estimate[1];
        if (o->bootstrap > 0 && l.n >= 3 && l.n_set < FEW_GRIDS &&
            f->noise_dof > 0 && o->interval < 0 && !o->indices)
            resample_noise(ci, &l, estimate);
        else if ((o->bootstrap > 0 || o->indices) && l.n >= 3)
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
