/* isoflop_fit: runs -> profiles -> accepted or refused optima.
 *
 * Three passes over the budgets.  First the cell means and what seeds say
 * about the noise; then the parabolas, whose residuals say what noise and
 * misfit together are; then the verdict on each minimum, which needs both. */
#include "analysis/isoflop_fit.h"

#include "analysis/cell.h"
#include "analysis/isoflop_impl.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const isoflop_method_name[ISOFLOP_METHODS] = {"parabola", "akima",
                                                          "surface", "spline"};
const char *const isoflop_observation_name[ISOFLOP_OBSERVATIONS] = {"plain",
                                                                    "noised"};
const char *const isoflop_resample_name[ISOFLOP_RESAMPLES] = {
    "auto", "noise", "budgets", "trunks"};

void isoflop_opts_default(struct isoflop_opts *o)
{
    *o = (struct isoflop_opts){.method = ISOFLOP_PARABOLA,
                               .resample = ISOFLOP_RESAMPLE_AUTO,
                               .seed_noise = 0.005,
                               .min_sizes = 4,
                               .curvature = 1.64,
                               .level = 0.90,
                               .bootstrap = 1000,
                               .seed = 1,
                               .interval = -1};
}

static int refuse(struct isoflop_budget *b, int dir, const char *why)
{
    snprintf(b->refused, sizeof b->refused, "%s", why);
    b->dir = dir;
    return -1;
}

static const char *side(int dir)
{
    return dir < 0 ? "smaller" : "larger";
}

/* Which way the profile falls, when its slope is beyond the noise; else the
 * side on which the lowest size lies if it is an end. */
static int fall(const struct isoflop_budget *b, const struct profile *p,
                double sigma, int log_loss)
{
    struct poly f;
    double sd = profile_sd(p, 0, sigma, log_loss) * sqrt(p->w[0]);

    if (!poly_fit(&f, 1, p->x, p->y, p->w, p->n) && sigma >= 0 &&
        fabs(f.c[1]) > 1.64 * sd * sqrt(f.cov[3]))
        return f.c[1] < 0 ? 1 : -1;
    return b->lowest == 0 ? -1 : b->lowest == b->n_size - 1 ? 1 : 0;
}

static int judge_curvature(struct isoflop_fit *f, struct isoflop_budget *b,
                           const struct profile *p, const struct poly *q)
{
    double sd = profile_sd(p, 0, f->sigma, f->opts.log_loss) * sqrt(p->w[0]);
    double var, c2 = parabola_curvature(&var, q);
    char why[160];
    int dir;

    if (isfinite(f->sigma) && sd * sqrt(var) > 0)
        b->curvature_t = c2 / (sd * sqrt(var));
    else
        b->curvature_t = c2 > 0 ? INFINITY : -INFINITY;
    if (b->curvature_t >= f->opts.curvature)
        return 0;
    dir = fall(b, p, f->sigma, f->opts.log_loss);
    if (c2 <= 0)
        snprintf(why, sizeof why, "the parabola opens downwards%s",
                 dir ? "" : " and the profile is flat within the noise");
    else
        snprintf(why, sizeof why,
                 "no curvature beyond the noise (t = %.2g, needs %.2g)",
                 b->curvature_t, f->opts.curvature);
    if (dir) {
        size_t at = strlen(why);
        snprintf(why + at, sizeof why - at,
                 "; the loss falls towards %s models", side(dir));
    }
    return refuse(b, dir, why);
}

static int judge_place(struct isoflop_budget *b, double x)
{
    int n = b->n_size, dir = 0;
    char why[160];

    if (x < log(b->size[0].M) || (b->lowest == 0 && x < log(b->size[1].M)))
        dir = -1;
    if (x > log(b->size[n - 1].M) ||
        (b->lowest == n - 1 && x > log(b->size[n - 2].M)))
        dir = 1;
    if (!dir)
        return 0;
    snprintf(why, sizeof why,
             "the minimum is at the edge: the %s size run has the lowest loss "
             "or the curve's minimum lies beyond it",
             dir < 0 ? "smallest" : "largest");
    return refuse(b, dir, why);
}

static double interpolate_N(const struct isoflop_budget *b, double M)
{
    int i = 0;
    double t;

    if (b->n_size < 2)
        return b->n_size ? b->size[0].N : NAN;
    while (i < b->n_size - 2 && M > b->size[i + 1].M)
        i++;
    t = log(M / b->size[i].M) / log(b->size[i + 1].M / b->size[i].M);
    return b->size[i].N * pow(b->size[i + 1].N / b->size[i].N, t);
}

/* The lowest point of the smooth profile and its standard error. */
static void find_low(struct isoflop_fit *f, struct isoflop_budget *b,
                     const struct profile *p)
{
    int degree = p->n >= 6 ? f->degree : 2, log_loss = f->opts.log_loss;
    double sd = profile_sd(p, 0, f->sigma, log_loss) * sqrt(p->w[0]);
    double x, y, var;
    struct poly q;

    b->low_M = b->size[b->lowest].M;
    b->low = b->size[b->lowest].loss;
    b->low_se = b->low * f->sigma / sqrt(b->size[b->lowest].n);
    if (p->n < 4 || poly_fit(&q, degree, p->x, p->y, p->w, p->n))
        return;
    poly_lowest(&x, &y, &var, &q, p->x[0], p->x[p->n - 1]);
    b->low_M = exp(x);
    b->low = log_loss ? exp(y) : y;
    b->low_se = (log_loss ? b->low : 1) * sd * sqrt(var);
}

static void accept(struct isoflop_fit *f, struct isoflop_budget *b, double x)
{
    b->ok = 1;
    f->n_ok++;
    b->M = exp(x);
    b->D = b->flops / b->M;
    b->N = interpolate_N(b, b->M);
    b->loss = b->low;
    b->loss_se = b->low_se;
}

static int noised(const struct isoflop_opts *o)
{
    return o->method == ISOFLOP_AKIMA && o->observation == ISOFLOP_NOISED;
}

/* Porian et al. ask for nothing but minima inside. */
static void judge_noised(struct isoflop_fit *f, struct isoflop_budget *b,
                         const struct profile *p)
{
    double x, se;
    char why[160];
    int dir;

    if (profile_noised(&x, &se, &dir, why, sizeof why, p, &f->opts,
                       (int)(b - f->budget))) {
        refuse(b, dir, why);
        return;
    }
    accept(f, b, x);
    b->log_M_se = se;
}

static void judge(struct isoflop_fit *f, struct isoflop_budget *b)
{
    int log_loss = f->opts.log_loss;
    double x = NAN, y = NAN, ax, ay, var;
    struct profile p;
    struct poly q;

    b->parabola_M = b->parabola_loss = b->akima_M = b->akima_loss = NAN;
    b->spline_M = b->spline_loss = NAN;
    b->M = b->D = b->N = b->loss = b->log_M_se = b->loss_se = NAN;
    b->c[0] = b->c[1] = b->c[2] = b->M_mid = b->curvature_t = NAN;
    b->M_ci[0] = b->M_ci[1] = b->loss_ci[0] = b->loss_ci[1] = NAN;
    profile_init(&p, b, &f->opts);
    find_low(f, b, &p);
    if (!akima_minimum(&ax, &ay, p.x, p.y, p.n)) {
        b->akima_M = exp(ax);
        b->akima_loss = log_loss ? exp(ay) : ay;
    }
    if (!spline_minimum(&ax, &ay, p.x, p.y, p.n)) {
        b->spline_M = exp(ax);
        b->spline_loss = log_loss ? exp(ay) : ay;
    }
    if (p.n < f->opts.min_sizes) {
        char why[96];
        snprintf(why, sizeof why, "%d sizes, a profile needs %d", p.n,
                 f->opts.min_sizes);
        refuse(b, 0, why);
        goto out;
    }
    if (poly_fit(&q, 2, p.x, p.y, p.w, p.n)) {
        refuse(b, 0, "the sizes do not decide a parabola");
        goto out;
    }
    b->M_mid = exp(q.mid);
    for (int j = 0; j < 3; j++)
        b->c[j] = q.c[j] / pow(q.half, j);
    if (!parabola_minimum(&x, &y, &var, &q)) {
        b->parabola_M = exp(x);
        b->parabola_loss = log_loss ? exp(y) : y;
        b->log_M_se =
            profile_sd(&p, 0, f->sigma, log_loss) * sqrt(p.w[0]) * sqrt(var);
    }
    if (noised(&f->opts)) {
        judge_noised(f, b, &p);
        goto out;
    }
    if (judge_curvature(f, b, &p, &q))
        goto out;
    if (f->opts.method == ISOFLOP_AKIMA || f->opts.method == ISOFLOP_SPLINE) {
        double M = f->opts.method == ISOFLOP_AKIMA ? b->akima_M : b->spline_M;
        x = log(isfinite(M) ? M : b->size[b->lowest].M);
    }
    if (f->opts.method == ISOFLOP_SURFACE) {
        if (!isfinite(b->surface_M)) {
            refuse(b, 0, "the runs do not determine a surface");
            goto out;
        }
        x = log(b->surface_M);
    }
    if (!judge_place(b, x))
        accept(f, b, x);
out:
    if (!b->ok)
        b->log_M_se = NAN;
    profile_release(&p);
}

static double typical_curvature(const struct isoflop_fit *f)
{
    double *v = xmalloc(((size_t)f->n_budget + 1) * sizeof *v), m;
    size_t n = 0;

    for (int i = 0; i < f->n_budget; i++)
        if (f->budget[i].ok)
            v[n++] =
                f->budget[i].c[2] / (f->opts.log_loss ? 1 : f->budget[i].loss);
    m = stat_median(v, n);
    free(v);
    return m;
}

int isoflop_fit(struct isoflop_fit *f, const struct points *p,
                const struct isoflop_opts *o, struct err *e)
{
    struct cell_noise seeds = {0};
    struct cell_runs c;

    cell_runs_init(&c, p);
    if (!c.n_used) {
        cell_runs_release(&c);
        return err_set(e, ERR_FAILED,
                       "no finished run with a size, a budget and a loss to "
                       "fit profiles to");
    }
    memset(f, 0, sizeof *f);
    f->opts = *o;
    f->n_point = (int)c.n_used;
    f->n_excluded = (int)c.n_excluded;
    f->n_diverged = (int)c.n_diverged;
    f->metric_bpb = c.metric == POINT_BPB;
    points_hash(f->input, p);
    isoflop_build(f, &seeds, &c);
    cell_runs_release(&c);
    if (o->resample == ISOFLOP_RESAMPLE_TRUNKS && !f->shared) {
        isoflop_fit_release(f);
        return err_set(e, ERR_USAGE,
                       "--resample trunks: no run shares its first steps with "
                       "one of another budget (--map group=...)");
    }
    for (int i = 0; i < f->n_budget; i++)
        isoflop_window(&f->budget[i], o);
    isoflop_noise(f, &seeds);
    isoflop_surface(f);
    for (int i = 0; i < f->n_budget; i++)
        judge(f, &f->budget[i]);
    f->off = typical_curvature(f);
    if (isoflop_laws(f, e)) {
        isoflop_fit_release(f);
        return -1;
    }
    return 0;
}

void isoflop_fit_release(struct isoflop_fit *f)
{
    for (int i = 0; i < f->n_budget; i++)
        free(f->budget[i].size);
    free(f->budget);
    free(f->trunk);
    memset(f, 0, sizeof *f);
}
