/* collapse: see collapse.h. */
#include "analysis/collapse.h"

#include "analysis/curve.h"
#include "analysis/fit_json.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ODD 4.0

void collapse_options_default(struct collapse_options *o)
{
    *o = (struct collapse_options){.L0 = NAN, .from = 0.2, .level = 0.9};
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

/* Mean over the runs of a cell of v, and its pooled sum of squares. */
static double cell_mean(const struct collapse_fit *f, int cell,
                        double (*v)(const struct collapse_run *, int), int at,
                        double *ss, int *n)
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
static double v_flops(const struct collapse_run *r, int at)
{
    (void)at;
    return r->flops;
}
static double v_z(const struct collapse_run *r, int at)
{
    return r->z[at];
}
static double v_loss(const struct collapse_run *r, int at)
{
    return r->loss[at];
}

/* --- L0 --- */

static void fit_L0(struct collapse_fit *f)
{
    struct curve_point *p = xcalloc((size_t)f->n_cell + 1, sizeof *p);
    struct curve_opts o;
    struct curve_fit c;
    double ss = 0, noise;
    int n = 0, dof = 0, seeds;
    struct err e;

    for (int k = 0; k < f->n_cell; k++) {
        double sq, C = cell_mean(f, k, v_flops, 0, NULL, NULL);
        double L = cell_mean(f, k, v_end, 0, &sq, &seeds);
        ss += sq;
        dof += seeds - 1;
        if (C > 0)
            p[n++] = (struct curve_point){C, L, NAN, 0};
    }
    noise = dof > 0 ? sqrt(ss / dof) : NAN;
    curve_opts_default(&o);
    o.level = f->opts.level;
    f->L0 = f->L0_ci[0] = f->L0_ci[1] = f->k = f->p = NAN;
    if (n < f->n_cell)
        snprintf(f->refused, sizeof f->refused,
                 "%d of %d cells have no compute, which L0 is fitted against; "
                 "map it (flops=...) or give L0 (--L0 X)",
                 f->n_cell - n, f->n_cell);
    else if (curve_fit(&c, p, n, noise, &o, &e))
        snprintf(f->refused, sizeof f->refused, "%.200s", e.text);
    else {
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
}

/* --- scatter --- */

static void common_curve(struct collapse_fit *f)
{
    double *v = xmalloc(((size_t)f->n_cell + 1) * sizeof *v);

    for (int i = 0; i < COLLAPSE_GRID; i++) {
        double ss = 0, sq;
        int dof = 0, seeds;
        for (int k = 0; k < f->n_cell; k++) {
            double L;
            v[k] = cell_mean(f, k, v_z, i, NULL, &seeds);
            L = cell_mean(f, k, v_loss, i, &sq, NULL);
            /* of L - L0, relative, and of a mean of `seeds` */
            sq *= (L / (L - f->L0)) * (L / (L - f->L0));
            if (isfinite(sq)) {
                ss += sq / seeds;
                dof += seeds - 1;
            }
        }
        f->mean[i] = stat_mean(v, (size_t)f->n_cell);
        f->scatter[i] = stat_sd(v, (size_t)f->n_cell) / f->mean[i];
        f->noise[i] = dof > 0 ? sqrt(ss / dof) : NAN;
    }
    free(v);
}

static void sum_up(struct collapse_fit *f)
{
    int n = 0, below = 0;

    for (int i = 0; i < COLLAPSE_GRID - 1; i++) { /* the end is 1 by itself */
        if ((i + 0.5) / COLLAPSE_GRID < f->opts.from)
            continue;
        f->scatter_rms += f->scatter[i] * f->scatter[i];
        f->noise_rms += f->noise[i] * f->noise[i];
        below += f->scatter[i] < f->noise[i];
        n++;
    }
    f->scatter_rms = sqrt(f->scatter_rms / n);
    f->noise_rms = sqrt(f->noise_rms / n);
    f->below = isfinite(f->noise_rms) ? (double)below / n : NAN;
    f->super = f->scatter_rms < f->noise_rms;
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
    memset(f, 0, sizeof *f);
    f->opts = *o;
    f->scatter_rms = f->noise_rms = f->below = 0;
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
        fit_L0(f);
    else
        f->L0 = NAN;
    if (isfinite(f->L0) && !below_L0(f)) {
        for (size_t k = 0; k < f->n; k++)
            for (int i = 0; i < COLLAPSE_GRID; i++)
                f->run[k].z[i] =
                    (f->run[k].loss[i] - f->L0) / (f->run[k].end - f->L0);
        common_curve(f);
        sum_up(f);
        find_odd(f);
    } else {
        f->scatter_rms = f->noise_rms = f->below = NAN;
        f->L0 = isfinite(o->L0) ? o->L0 : NAN;
    }
    f->identified = !f->refused[0];
    return 0;
}

void collapse_fit_release(struct collapse_fit *f)
{
    free(f->run);
    memset(f, 0, sizeof *f);
}

/* --- result --- */

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static json_t *curve_json(const struct collapse_fit *f)
{
    json_t *list = json_array();

    for (int i = 0; i < COLLAPSE_GRID && isfinite(f->scatter_rms); i++) {
        json_t *o = json_object();
        set(o, "x", (i + 0.5) / COLLAPSE_GRID);
        set(o, "z", f->mean[i]);
        set(o, "scatter", f->scatter[i]);
        set(o, "seed_noise", f->noise[i]);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *runs_json(const struct collapse_fit *f)
{
    json_t *list = json_array();

    for (size_t k = 0; k < f->n; k++) {
        const struct collapse_run *r = &f->run[k];
        json_t *o = json_object();
        json_object_set_new(o, "run", json_string(r->label));
        json_object_set_new(o, "cell", json_string(r->cell));
        set(o, "flops", r->flops);
        set(o, "steps", r->steps);
        set(o, "end", r->end);
        set(o, "deviation", isfinite(f->scatter_rms) ? r->deviation : NAN);
        json_object_set_new(o, "odd", json_boolean(r->odd));
        json_array_append_new(list, o);
    }
    return list;
}

void collapse_fit_result(struct fit_result *r, const struct collapse_fit *f)
{
    fit_result_init(r, "collapse");
    snprintf(r->form, sizeof r->form, "(L - L0)/(L_end - L0)");
    snprintf(r->method, sizeof r->method, "%s",
             f->L0_fitted ? "L0 + k C^-p" : "L0 as given");
    r->n = f->n;
    r->excluded = (size_t)f->n_skipped;
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "percentile");
    fit_result_add(r, "L0", f->L0, NAN, f->L0_fitted ? f->L0_ci[0] : NAN,
                   f->L0_fitted ? f->L0_ci[1] : NAN);
    fit_result_add(r, "scatter", f->scatter_rms, NAN, NAN, NAN);
    fit_result_add(r, "seed_noise", f->noise_rms, NAN, NAN, NAN);
    if (!f->identified)
        fit_result_refuse(r, "%s", f->refused);
    fit_result_json(r, "cells", json_integer(f->n_cell));
    fit_result_json(r, "L0_identified",
                    f->L0_fitted ? json_boolean(f->L0_ci[0] > 0) : json_null());
    fit_result_json(r, "supercollapse",
                    isfinite(f->noise_rms) ? json_boolean(f->super)
                                           : json_null());
    fit_result_number(r, "below_noise", f->below);
    fit_result_number(r, "from", f->opts.from);
    fit_result_json(r, "runs", runs_json(f));
    fit_result_json(r, "curve", curve_json(f));
}
