/* curve: L = E + k C^-p by search over (E, p) with the level solved exactly.
 *
 * For given E and p the model is linear in its level, so the search has two
 * dimensions and no starts to choose: golden sections, p within E. */
#include "analysis/curve.h"

#include "analysis/bootstrap.h"
#include "analysis/curve_impl.h"
#include "analysis/isoflop_fit.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN 3.0        /* least largest / smallest budget */
#define SE_UNKNOWN 3e-3 /* relative, when nothing is known */
#define SE_FLOOR 1e-5   /* relative */
#define E_SCAN 24       /* values of E tried before the golden section */

void curve_opts_default(struct curve_opts *o)
{
    *o = (struct curve_opts){.level = 0.90,
                             .bootstrap = 400,
                             .seed = 1,
                             .p_min = 0.005,
                             .p_max = 1,
                             .se_dof = 10,
                             .interval = BOOT_PERCENTILE};
}

void curve_opts_isoflop(struct curve_opts *o, const struct isoflop_fit *f)
{
    curve_opts_default(o);
    o->se_dof = fmax(f->sigma_dof, 1);
}

int curve_points(struct curve_point **p, const struct isoflop_fit *f)
{
    *p = xcalloc((size_t)f->n_budget + 1, sizeof **p);
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        (*p)[i] = (struct curve_point){.flops = b->flops,
                                       .loss = b->low,
                                       .se = b->low_se,
                                       .bound = !b->ok};
    }
    return f->n_budget;
}

/* --- the search --- */

double curve_level(double *L0, double *sww, const struct curve_data *d,
                   double E, double p)
{
    double a = 0, b = 0, S = 0;

    for (int i = 0; i < d->n; i++) {
        double t = pow(d->x[i], -p);
        a += d->w[i] * t * t;
        b += d->w[i] * t * (d->y[i] - E * (1 - t));
    }
    *sww = a;
    *L0 = b / a;
    for (int i = 0; i < d->n; i++) {
        double t = pow(d->x[i], -p);
        double r = d->y[i] - E - (*L0 - E) * t;
        S += d->w[i] * r * r;
    }
    return S;
}

static double sum_at_p(const struct curve_data *d, double E, double log_p)
{
    double L0, sww;
    return curve_level(&L0, &sww, d, E, exp(log_p));
}

#define GOLDEN 0.6180339887498949

double curve_best_p(double *p, const struct curve_data *d, double E,
                    const struct curve_opts *o)
{
    double a = log(o->p_min), b = log(o->p_max), l, r, fl, fr;

    l = b - GOLDEN * (b - a);
    r = a + GOLDEN * (b - a);
    fl = sum_at_p(d, E, l);
    fr = sum_at_p(d, E, r);
    while (b - a > 1e-6) {
        if (fl < fr) {
            b = r;
            r = l;
            fr = fl;
            l = b - GOLDEN * (b - a);
            fl = sum_at_p(d, E, l);
        } else {
            a = l;
            l = r;
            fl = fr;
            r = a + GOLDEN * (b - a);
            fr = sum_at_p(d, E, r);
        }
    }
    *p = exp((a + b) / 2);
    return sum_at_p(d, E, (a + b) / 2);
}

static double lowest(const struct curve_data *d)
{
    double lo, hi;

    stat_range(&lo, &hi, d->y, (size_t)d->n);
    return lo;
}

/* The best E in [0, lowest loss): a scan, then golden sections. */
static double best_E(const struct curve_data *d, const struct curve_opts *o)
{
    double top = 0.999 * lowest(d), step = top / E_SCAN, p;
    double best = 0, S = curve_best_p(&p, d, 0, o), a, b;

    for (int i = 1; i <= E_SCAN; i++) {
        double s = curve_best_p(&p, d, i * step, o);
        if (s < S) {
            S = s;
            best = i * step;
        }
    }
    a = fmax(0, best - step);
    b = fmin(top, best + step);
    while (b - a > 1e-7 * top) {
        double l = b - GOLDEN * (b - a), r = a + GOLDEN * (b - a);
        if (curve_best_p(&p, d, l, o) <= curve_best_p(&p, d, r, o))
            b = r;
        else
            a = l;
    }
    return curve_best_p(&p, d, (a + b) / 2, o) < S ? (a + b) / 2 : best;
}

static void fit_form(struct curve_form *m, const struct curve_data *d,
                     double C0, double E, const struct curve_opts *o)
{
    double L0, sww, ss = 0;

    *m = (struct curve_form){.ok = 1, .E = E};
    curve_best_p(&m->p, d, E, o);
    m->objective = curve_level(&L0, &sww, d, E, m->p);
    m->k = (L0 - E) * pow(C0, m->p);
    for (int i = 0; i < d->n; i++) {
        double r = (E + (L0 - E) * pow(d->x[i], -m->p)) / d->y[i] - 1;
        ss += r * r;
    }
    m->rms = sqrt(ss / d->n);
}

/* --- data --- */

static int by_flops(const void *a, const void *b)
{
    const struct curve_point *p = a, *q = b;
    return p->flops < q->flops ? -1 : p->flops > q->flops;
}

static int data_init(struct curve_data *d, struct curve_fit *f, struct err *e)
{
    double sum = 0;

    for (int i = 0; i < f->n; i++) {
        const struct curve_point *p = &f->point[i];
        if (!(p->loss > 0) || !isfinite(p->loss) || !(p->flops > 0) ||
            !isfinite(p->flops))
            return err_set(e, ERR_FAILED,
                           "point %d of the loss law is no loss at a budget: "
                           "%g at %g flops",
                           i + 1, p->loss, p->flops);
        sum += log(p->flops) / f->n;
    }
    f->C0 = exp(sum);
    *d = (struct curve_data){.n = f->n};
    d->x = xmalloc(3 * (size_t)f->n * sizeof *d->x);
    d->y = d->x + f->n;
    d->w = d->y + f->n;
    for (int i = 0; i < f->n; i++) {
        const struct curve_point *p = &f->point[i];
        double se = isfinite(p->se) ? p->se : SE_UNKNOWN * p->loss;
        se = fmax(se, SE_FLOOR * p->loss);
        d->x[i] = p->flops / f->C0;
        d->y[i] = p->loss;
        d->w[i] = 1 / (se * se);
    }
    return 0;
}

/* --- intervals of the parameters --- */

/* What is drawn: the points about one form. */
struct draws {
    const struct curve_fit *f;
    const struct curve_data *d;
    int pure;
};

static void refit_data(double stat[3], const struct draws *w,
                       const struct curve_data *d)
{
    struct curve_form m;

    fit_form(&m, d, w->f->C0, w->pure ? 0 : best_E(d, &w->f->opts),
             &w->f->opts);
    memcpy(stat, (double[3]){m.E, m.k, m.p}, 3 * sizeof *stat);
}

/* Refit on the budgets idx; -1 when they do not span enough. */
static int refit_budgets(double *stat, const size_t *idx, size_t m,
                         const struct boot_turn *turn, void *ctx)
{
    const struct draws *w = ctx;
    struct curve_data d = {.n = (int)m};
    double lo = INFINITY, hi = 0;

    (void)turn;
    d.x = xmalloc((3 * m + 1) * sizeof *d.x);
    d.y = d.x + m;
    d.w = d.y + m;
    for (size_t i = 0; i < m; i++) {
        d.x[i] = w->d->x[idx[i]];
        d.y[i] = w->d->y[idx[i]];
        d.w[i] = w->d->w[idx[i]];
        lo = fmin(lo, d.x[i]);
        hi = fmax(hi, d.x[i]);
    }
    int ok = m > 0 && hi / lo >= SPAN;
    if (ok)
        refit_data(stat, w, &d);
    free(d.x);
    return ok ? 0 : -1;
}

/* Parametric: the points are drawn again about the fitted form, with their
 * standard errors, or with their scatter about it where that is larger. */
static void draw_noise(struct bootstrap *b, const struct draws *w,
                       const struct curve_form *m, struct rng *r)
{
    const struct curve_data *d = w->d;
    double dof = d->n - (w->pure ? 2 : 3);
    double scale = dof > 0 ? sqrt(fmax(1, m->objective / dof)) : 1;
    struct curve_data one = *d;

    one.y = xmalloc((size_t)d->n * sizeof *one.y);
    for (; b->good < b->resamples; b->good++) {
        for (int j = 0; j < d->n; j++)
            one.y[j] = m->E + m->k * pow(d->x[j] * w->f->C0, -m->p) +
                       scale / sqrt(d->w[j]) * rng_next_normal(r);
        refit_data(b->value + 3 * b->good, w, &one);
    }
    free(one.y);
}

/* Each budget left out once, for BCa. */
static void leave_out(struct bootstrap *b, struct draws *w)
{
    size_t n = (size_t)w->d->n, *idx = xmalloc((n + 1) * sizeof *idx);

    b->jack = xcalloc(3 * n + 1, sizeof *b->jack);
    for (size_t i = 0; i < n; i++) {
        size_t m = 0;
        for (size_t k = 0; k < n; k++)
            if (k != i)
                idx[m++] = k;
        if (!refit_budgets(b->jack + 3 * b->n_jack, idx, m, NULL, w))
            b->n_jack++;
    }
    free(idx);
}

static int draw(struct bootstrap *b, struct draws *w,
                const struct curve_form *m, struct rng *r, struct err *e)
{
    const struct curve_opts *o = &w->f->opts;
    const double estimate[3] = {m->E, m->k, m->p};
    struct boot_options bo = {.resamples = (size_t)o->bootstrap,
                              .seed = o->seed,
                              .indices = o->indices,
                              .jackknife = o->interval == BOOT_BCA};
    size_t n = (size_t)w->d->n;

    if (o->indices)
        return bootstrap_run(b, &bo, n, NULL, n, estimate, 3, refit_budgets, w,
                             e);
    *b = (struct bootstrap){
        .n_stat = 3, .n_groups = n, .resamples = bo.resamples};
    b->value = xmalloc((3 * bo.resamples + 1) * sizeof *b->value);
    b->estimate = xmalloc(sizeof estimate);
    memcpy(b->estimate, estimate, sizeof estimate);
    draw_noise(b, w, m, r);
    if (bo.jackknife)
        leave_out(b, w);
    return 0;
}

static int resample(struct curve_fit *f, const struct curve_data *d,
                    struct err *e)
{
    struct curve_form *form[2] = {&f->with_E, &f->pure};
    struct rng r = {f->opts.seed, RNG_BOOT, 0};

    for (int k = 0; k < 2; k++) {
        struct draws w = {f, d, k};
        double *ci[3] = {form[k]->E_ci, form[k]->k_ci, form[k]->p_ci};
        struct bootstrap b;
        if (draw(&b, &w, form[k], &r, e))
            return -1;
        for (size_t j = 0; j < 3; j++)
            bootstrap_interval(&ci[j][0], &ci[j][1], &b, j,
                               (enum boot_kind)f->opts.interval, f->opts.level);
        bootstrap_release(&b);
    }
    return 0;
}

/* --- verdict --- */

/* t value of the fall: slope of log loss on log flops over its error. */
static double fall(const struct curve_data *d)
{
    double W = 0, X = 0, Y = 0, xx = 0, xy = 0;

    for (int i = 0; i < d->n; i++) {
        double w = d->w[i] * d->y[i] * d->y[i];
        W += w;
        X += w * log(d->x[i]);
        Y += w * log(d->y[i]);
    }
    for (int i = 0; i < d->n; i++) {
        double w = d->w[i] * d->y[i] * d->y[i], u = log(d->x[i]) - X / W;
        xx += w * u * u;
        xy += w * u * (log(d->y[i]) - Y / W);
    }
    return -xy / sqrt(xx);
}

static int refuse(struct curve_fit *f, const struct curve_data *d)
{
    double span = f->point[f->n - 1].flops / f->point[0].flops;

    if (f->n < 3)
        snprintf(f->refused, sizeof f->refused,
                 "%d budget%s; a loss law needs three", f->n,
                 f->n == 1 ? "" : "s");
    else if (span < SPAN)
        snprintf(f->refused, sizeof f->refused,
                 "the budgets span a factor %.2g; a loss law needs %.2g", span,
                 SPAN);
    else if (fall(d) < 2)
        snprintf(f->refused, sizeof f->refused,
                 "the loss does not fall with compute beyond its noise (t = "
                 "%.2g); more seeds or larger budgets would show whether it "
                 "does",
                 fall(d));
    return f->refused[0] != 0;
}

static void no_form(struct curve_form *m)
{
    *m = (struct curve_form){.E = NAN, .k = NAN, .p = NAN};
    m->objective = m->rms = NAN;
}

static void no_interval(struct curve_form *m)
{
    for (int k = 0; k < 2; k++)
        m->E_ci[k] = m->k_ci[k] = m->p_ci[k] = NAN;
}

int curve_fit(struct curve_fit *f, const struct curve_point *p, int n,
              double noise, const struct curve_opts *o, struct err *e)
{
    struct curve_data d;

    if (n < 1)
        return err_set(e, ERR_FAILED, "no budget to fit a loss law to");
    *f = (struct curve_fit){
        .opts = *o, .n = n, .noise = noise, .chi2 = NAN, .misfit = 1};
    f->point = xmalloc((size_t)n * sizeof *f->point);
    memcpy(f->point, p, (size_t)n * sizeof *p);
    qsort(f->point, (size_t)n, sizeof *f->point, by_flops);
    if (data_init(&d, f, e)) {
        curve_fit_release(f);
        return -1;
    }
    no_form(&f->with_E);
    no_form(&f->pure);
    if (!refuse(f, &d)) {
        fit_form(&f->pure, &d, f->C0, 0, o);
        fit_form(&f->with_E, &d, f->C0, best_E(&d, o), o);
        f->chi2 = n > 3 ? f->with_E.objective / (n - 3) : NAN;
        f->identified = 1;
        curve_mix(f, &d);
        f->E_identified = curve_mix_E(f, (1 - o->level) / 2) > 0;
    }
    no_interval(&f->with_E);
    no_interval(&f->pure);
    int rc = 0;
    if (f->identified && (o->bootstrap > 0 || o->indices))
        rc = resample(f, &d, e);
    free(d.x);
    if (rc)
        curve_fit_release(f);
    return rc;
}

void curve_fit_release(struct curve_fit *f)
{
    free(f->point);
    free(f->part);
    memset(f, 0, sizeof *f);
}
