/* collapse_lay: the scaled curves of all cells laid on each other; see
 * collapse_impl.h. */
#include "analysis/bootstrap.h"
#include "analysis/collapse_impl.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double v_z(const struct collapse_run *r, int at)
{
    return r->z[at];
}
static double v_loss(const struct collapse_run *r, int at)
{
    return r->loss[at];
}

/* What a cell has to say at each stretch: the mean z of its seeds, and the
 * square of the error of its mean loss, relative to L - L0. */
struct cell_curve {
    double z[COLLAPSE_GRID], error[COLLAPSE_GRID];
    int dof;
};

/* What cells that are laid on each other come to. */
struct lay {
    double mean[COLLAPSE_GRID], scatter[COLLAPSE_GRID], noise[COLLAPSE_GRID];
    double scatter_rms, noise_rms, below;
};

static void cell_curve(struct cell_curve *c, const struct collapse_fit *f,
                       int cell)
{
    double L, sq;
    int seeds;

    for (int i = 0; i < COLLAPSE_GRID; i++) {
        c->z[i] = collapse_cell(f, cell, v_z, i, NULL, &seeds);
        L = collapse_cell(f, cell, v_loss, i, &sq, NULL);
        /* of L - L0, relative, and of a mean of `seeds` */
        sq *= (L / (L - f->L0)) * (L / (L - f->L0));
        c->error[i] = sq / seeds;
    }
    c->dof = seeds - 1;
}

/* Over x from `from` on; the end is 1 by itself. */
static void sum_up(struct lay *y, double from)
{
    int n = 0, below = 0;

    y->scatter_rms = y->noise_rms = 0;
    for (int i = 0; i < COLLAPSE_GRID - 1; i++) {
        if ((i + 0.5) / COLLAPSE_GRID < from)
            continue;
        y->scatter_rms += y->scatter[i] * y->scatter[i];
        y->noise_rms += y->noise[i] * y->noise[i];
        below += y->scatter[i] < y->noise[i];
        n++;
    }
    y->scatter_rms = sqrt(y->scatter_rms / n);
    y->noise_rms = sqrt(y->noise_rms / n);
    y->below = isfinite(y->noise_rms) ? (double)below / n : NAN;
}

/* The cells which[0..m), repeats allowed. */
static void lay_cells(struct lay *y, const struct cell_curve *c,
                      const size_t *which, size_t m, double from)
{
    double *v = xmalloc((m + 1) * sizeof *v);

    for (int i = 0; i < COLLAPSE_GRID; i++) {
        double ss = 0;
        int dof = 0;
        for (size_t k = 0; k < m; k++) {
            v[k] = c[which[k]].z[i];
            if (isfinite(c[which[k]].error[i])) {
                ss += c[which[k]].error[i];
                dof += c[which[k]].dof;
            }
        }
        y->mean[i] = stat_mean(v, m);
        y->scatter[i] = stat_sd(v, m) / y->mean[i];
        y->noise[i] = dof > 0 ? sqrt(ss / dof) : NAN;
    }
    free(v);
    sum_up(y, from);
}

/* --- intervals --- */

struct draws {
    const struct cell_curve *c;
    const size_t *order; /* by compute, as the law of the loss has them */
    double from;
    int noise; /* some cell has two seeds */
};

static int lay_again(double *stat, const size_t *idx, size_t m,
                     const struct boot_turn *turn, void *ctx)
{
    const struct draws *w = ctx;
    size_t *which = xmalloc((m + 1) * sizeof *which);
    struct lay y;
    int distinct = 0;

    (void)turn;
    for (size_t k = 0; k < m; k++) {
        which[k] = w->order[idx[k]];
        distinct += k > 0 && idx[k] != idx[0];
    }
    lay_cells(&y, w->c, which, m, w->from);
    free(which);
    stat[0] = y.scatter_rms;
    stat[1] = w->noise ? y.noise_rms : 0;
    return distinct && isfinite(stat[0]) && isfinite(stat[1]) ? 0 : -1;
}

/* Cells by their compute; as they are where one has none. */
static void order_cells(size_t *order, const struct collapse_fit *f)
{
    double *C = xmalloc(((size_t)f->n_cell + 1) * sizeof *C);
    int known = 1;

    for (int k = 0; k < f->n_cell; k++) {
        C[k] = collapse_cell(f, k, collapse_flops, 0, NULL, NULL);
        known &= C[k] > 0;
    }
    for (int k = 0; k < f->n_cell; k++) {
        int at = k;
        for (; known && at > 0 && C[order[at - 1]] > C[k]; at--)
            order[at] = order[at - 1];
        order[at] = (size_t)k;
    }
    free(C);
}

/* Draw the cells again, each with all its seeds, L0 held. */
static int draw_cells(struct collapse_fit *f, const struct cell_curve *c,
                      struct err *e)
{
    const struct collapse_options *o = &f->opts;
    size_t n = (size_t)f->n_cell, *order = xmalloc((n + 1) * sizeof *order);
    struct draws w = {c, order, o->from, isfinite(f->noise_rms)};
    double estimate[2] = {f->scatter_rms, w.noise ? f->noise_rms : 0};
    struct boot_options bo = {.resamples = (size_t)o->bootstrap,
                              .seed = o->seed,
                              .indices = o->indices,
                              .jackknife = o->interval == BOOT_BCA};
    enum boot_kind kind = (enum boot_kind)o->interval;
    struct bootstrap b;

    order_cells(order, f);
    int rc = bootstrap_run(&b, &bo, n, NULL, n, estimate, 2, lay_again, &w, e);
    free(order);
    if (rc)
        return -1;
    bootstrap_interval(&f->scatter_ci[0], &f->scatter_ci[1], &b, 0, kind,
                       o->level);
    if (w.noise)
        bootstrap_interval(&f->noise_ci[0], &f->noise_ci[1], &b, 1, kind,
                           o->level);
    bootstrap_release(&b);
    return 0;
}

int collapse_lay(struct collapse_fit *f, struct err *e)
{
    size_t n = (size_t)f->n_cell, *all = xmalloc((n + 1) * sizeof *all);
    struct cell_curve *c = xmalloc((n + 1) * sizeof *c);
    struct lay y;
    int rc = 0;

    for (size_t k = 0; k < n; k++) {
        all[k] = k;
        cell_curve(&c[k], f, (int)k);
    }
    lay_cells(&y, c, all, n, f->opts.from);
    memcpy(f->mean, y.mean, sizeof f->mean);
    memcpy(f->scatter, y.scatter, sizeof f->scatter);
    memcpy(f->noise, y.noise, sizeof f->noise);
    f->scatter_rms = y.scatter_rms;
    f->noise_rms = y.noise_rms;
    f->below = y.below;
    f->super = f->scatter_rms < f->noise_rms;
    if (!f->refused[0] && (f->opts.bootstrap > 0 || f->opts.indices))
        rc = draw_cells(f, c, e);
    free(all);
    free(c);
    return rc;
}
