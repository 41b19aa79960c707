/* collapse: see collapse.h. */
#include "analysis/collapse.h"

#include "analysis/bootstrap.h"
#include "analysis/collapse_impl.h"
#include "analysis/curve.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ODD 4.0

void collapse_options_default(struct collapse_options *o)
{
    *o = (struct collapse_options){.L0 = NAN,
                                   .from = 0.2,
                                   .level = 0.9,
                                   .bootstrap = 400,
                                   .seed = 1,
                                   .interval = BOOT_PERCENTILE};
}

static int cell_of(const struct collapse_fit *f, const char *cell)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->run[i].cell, cell) == 0)
            return f->run[i].cell_id;
    return f->n_cell;
}

/* The curve of one run on the grid; -1 when it has a gap. */
static int grid_run(struct collapse_run *r, const struct series *s)
{
    double T = series_steps(s);

    *r = (struct collapse_run){.flops = s->flops, .steps = T};
    snprintf(r->label, sizeof r->label, "%s", s->label);
    snprintf(r->cell, sizeof r->cell, "%s", s->cell[0] ? s->cell : s->label);
    for (int i = 0; i < COLLAPSE_GRID; i++) {
        r->loss[i] =
            series_loss(s, T * i / COLLAPSE_GRID, T * (i + 1) / COLLAPSE_GRID);
        if (!isfinite(r->loss[i])) {
            if (i && i * 5 > COLLAPSE_GRID)
                return -1;
            r->loss[i] = NAN; /* before the first row */
        }
    }
    r->end = r->loss[COLLAPSE_GRID - 1];
    return r->end > 0 ? 0 : -1;
}

static void gather(struct collapse_fit *f, const struct series_set *t)
{
    f->run = xcalloc(t->n + 1, sizeof *f->run);
    for (size_t i = 0; i < t->n; i++) {
        struct collapse_run *r = &f->run[f->n];
        if (grid_run(r, &t->s[i])) {
            f->n_skipped++;
            continue;
        }
        r->cell_id = cell_of(f, r->cell);
        f->n_cell += r->cell_id == f->n_cell;
        f->n++;
    }
}

double collapse_cell(const struct collapse_fit *f, int cell, collapse_value *v,
                     int at, double *ss, int *n)
{
    double sum = 0, sq = 0;
    int count = 0;

    for (size_t i = 0; i < f->n; i++)
        if (f->run[i].cell_id == cell) {
            sum += v(&f->run[i], at);
            count++;
        }
    for (size_t i = 0; i < f->n; i++)
        if (f->run[i].cell_id == cell) {
            double d = v(&f->run[i], at) / (sum / count) - 1;
            sq += d * d;
        }
    if (ss)
        *ss = sq;
    if (n)
        *n = count;
    return sum / count;
}

static double v_end(const struct collapse_run *r, int at)
{
    (void)at;
    return r->end;
}
double collapse_flops(const struct collapse_run *r, int at)
{
    (void)at;
    return r->flops;
}

/* --- L0 --- */

/* -1: draws that cannot be used; all else that may fail is a refusal. */
static int fit_L0(struct collapse_fit *f, struct err *e)
{
    struct curve_point *p = xcalloc((size_t)f->n_cell + 1, sizeof *p);
    struct curve_opts o;
    struct curve_fit c;
    double ss = 0, noise;
    int n = 0, dof = 0, seeds, rc = 0;

    for (int k = 0; k < f->n_cell; k++) {
        double sq, C = collapse_cell(f, k, collapse_flops, 0, NULL, NULL);
        double L = collapse_cell(f, k, v_end, 0, &sq, &seeds);
        ss += sq;
        dof += seeds - 1;
        if (C > 0)
            p[n++] = (struct curve_point){C, L, NAN, 0};
    }
    noise = dof > 0 ? sqrt(ss / dof) : NAN;
    curve_opts_default(&o);
    o.level = f->opts.level;
    o.bootstrap = f->opts.bootstrap;
    o.seed = f->opts.seed;
    o.interval = f->opts.interval;
    o.indices = f->opts.indices;
    f->L0 = f->L0_ci[0] = f->L0_ci[1] = f->k = f->p = NAN;
    if (n < f->n_cell)
        snprintf(f->refused, sizeof f->refused,
                 "%d of %d cells have no compute, which L0 is fitted against; "
                 "map it (flops=...) or give L0 (--L0 X)",
                 f->n_cell - n, f->n_cell);
    else if (curve_fit(&c, p, n, noise, &o, e)) {
        rc = o.indices ? -1 : 0;
        snprintf(f->refused, sizeof f->refused, "%.200s",
                 e ? e->text : "the ends of the runs are no losses");
    } else {
        if (c.refused[0])
            snprintf(f->refused, sizeof f->refused,
                     "L0 is not known: %.160s; give it (--L0 X)", c.refused);
        if (c.with_E.ok) {
            f->L0 = c.with_E.E;
            memcpy(f->L0_ci, c.with_E.E_ci, sizeof f->L0_ci);
            f->k = c.with_E.k;
            f->p = c.with_E.p;
            f->L0_fitted = 1;
        }
        curve_fit_release(&c);
    }
    free(p);
    return rc;
}

static void find_odd(struct collapse_fit *f)
{
    double *v = xmalloc((f->n + 1) * sizeof *v), typical;

    for (size_t k = 0; k < f->n; k++) {
        double ss = 0;
        int n = 0;
        for (int i = 0; i < COLLAPSE_GRID - 1; i++) {
            double d = f->run[k].z[i] / f->mean[i] - 1;
            if ((i + 0.5) / COLLAPSE_GRID < f->opts.from)
                continue;
            ss += d * d;
            n++;
        }
        v[k] = f->run[k].deviation = sqrt(ss / n);
    }
    typical = stat_median(v, f->n);
    for (size_t k = 0; k < f->n; k++)
        f->run[k].odd = f->run[k].deviation > ODD * typical;
    free(v);
}

static int below_L0(struct collapse_fit *f)
{
    for (size_t k = 0; k < f->n; k++)
        if (!(f->run[k].end > f->L0)) {
            snprintf(f->refused, sizeof f->refused,
                     "L0 = %.5g is not below the end of '%.60s' (%.5g)", f->L0,
                     f->run[k].label, f->run[k].end);
            return 1;
        }
    return 0;
}

int collapse_fit(struct collapse_fit *f, const struct series_set *t,
                 const struct collapse_options *o, struct err *e)
{
    int rc = 0;

    memset(f, 0, sizeof *f);
    f->opts = *o;
    for (int k = 0; k < 2; k++)
        f->scatter_ci[k] = f->noise_ci[k] = NAN;
    gather(f, t);
    if (!f->n) {
        collapse_fit_release(f);
        return err_set(e, ERR_FAILED,
                       "no run with a loss all along its steps to scale");
    }
    if (f->n_cell < 3)
        snprintf(f->refused, sizeof f->refused,
                 "%d size%s, a common curve needs 3", f->n_cell,
                 f->n_cell == 1 ? "" : "s");
    if (isfinite(o->L0))
        f->L0 = f->L0_ci[0] = f->L0_ci[1] = o->L0;
    else if (!f->refused[0])
        rc = fit_L0(f, e);
    else
        f->L0 = NAN;
    if (rc == 0 && isfinite(f->L0) && !below_L0(f)) {
        for (size_t k = 0; k < f->n; k++)
            for (int i = 0; i < COLLAPSE_GRID; i++)
                f->run[k].z[i] =
                    (f->run[k].loss[i] - f->L0) / (f->run[k].end - f->L0);
        rc = collapse_lay(f, e);
        find_odd(f);
    } else {
        f->scatter_rms = f->noise_rms = f->below = NAN;
        f->L0 = isfinite(o->L0) ? o->L0 : NAN;
    }
    f->identified = !f->refused[0];
    if (rc)
        collapse_fit_release(f);
    return rc;
}

void collapse_fit_release(struct collapse_fit *f)
{
    free(f->run);
    memset(f, 0, sizeof *f);
}
