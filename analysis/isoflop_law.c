/* isoflop_law: accepted optima -> M_opt, D_opt and N_opt as powers of compute.
 *
 * Weighted least squares in logs; a weight is the precision of its optimum as
 * far as noise goes (what parabolas miss is a bias, which no weight mends) with
 * a floor of 1 %, the grain of the shapes.  Intervals, see
 * enum isoflop_resample: with few budgets, whole-budget resampling knows less
 * than the runs do, because each profile's own residuals say how far its
 * minimum may move; so there the cell means are drawn again.  If the optima
 * scatter about the law beyond that, the scatter is what counts.  The width of
 * the interval of budgets that were resampled is few.h's. */
#include "analysis/bootstrap.h"
#include "analysis/few.h"
#include "analysis/isoflop_impl.h"
#include "analysis/powerlaw.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#define SE_FLOOR 0.01 /* of log M */
#define FEW_BUDGETS 6 /* below, noise is resampled */
#define BEYOND 4.0    /* a resampled minimum is kept within this factor */

/* The accepted budgets as arrays. */
struct optima {
    double *C, *M, *N, *w;
    int *at; /* index of the budget */
    size_t n;
    int have_N;
};

static void optima_init(struct optima *o, const struct isoflop_fit *f)
{
    size_t n = (size_t)f->n_ok + 1;

    *o = (struct optima){.C = xmalloc(n * sizeof(double)),
                         .M = xmalloc(n * sizeof(double)),
                         .N = xmalloc(n * sizeof(double)),
                         .w = xmalloc(n * sizeof(double)),
                         .at = xmalloc(n * sizeof(int)),
                         .have_N = 1};
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        double se = b->log_M_se * f->noise / f->sigma;
        if (!b->ok)
            continue;
        o->C[o->n] = b->flops;
        o->M[o->n] = b->M;
        o->N[o->n] = b->N;
        if (!isfinite(se))
            se = 0;
        o->w[o->n] = f->opts.observation == ISOFLOP_NOISED
                         ? 1 / (b->log_M_se * b->log_M_se)
                         : 1 / (se * se + SE_FLOOR * SE_FLOOR);
        o->at[o->n++] = i;
        o->have_N &= isfinite(b->N) && b->N > 0;
    }
}

static void optima_release(struct optima *o)
{
    free(o->C);
    free(o->M);
    free(o->N);
    free(o->w);
    free(o->at);
}

/* log coef and exponent of M, then of N (NaN without N). */
enum { M_COEF, M_EXP, N_COEF, N_EXP, STATS };

static int fit_stats(double stat[STATS], const double *C, const double *M,
                     const double *N, const double *w, size_t n, int have_N)
{
    stat[N_COEF] = stat[N_EXP] = NAN;
    if (powerlaw_fit_fast(&stat[M_COEF], &stat[M_EXP], C, M, w, n))
        return -1;
    stat[M_COEF] = log(stat[M_COEF]);
    if (have_N && !powerlaw_fit_fast(&stat[N_COEF], &stat[N_EXP], C, N, w, n))
        stat[N_COEF] = log(stat[N_COEF]);
    return 0;
}

/* --- noise --- */

int isoflop_by_trunk(const struct isoflop_fit *f)
{
    return f->resampled == ISOFLOP_RESAMPLE_TRUNKS;
}

void isoflop_trunk_noise(double *z, const struct isoflop_fit *f, int d)
{
    struct rng r = {f->opts.seed, RNG_BOOT, (uint64_t)(d + 1) << 32};

    for (int t = 0; t < f->n_trunk; t++)
        z[t] = rng_next_normal(&r);
}

/* y of a profile with new noise, in p->z. */
static void draw_profile(struct profile *p, const struct isoflop_fit *f,
                         const struct isoflop_budget *b, struct rng *r,
                         const double *z)
{
    for (int i = 0, k = 0; i < b->n_size; i++) {
        const struct isoflop_size *s = &b->size[i];
        if (!s->in_window)
            continue;
        p->z[k] = p->y[k] + profile_sd(p, k, f->sigma, f->opts.log_loss) *
                                cell_deviate(r, z, f->trunk + s->first, s->n);
        k++;
    }
}

/* B draws of every accepted minimum: x (log M) and y, NaN where there was
 * none; row-major (B, n). */
static void draw_minima(double *x, double *y, const struct isoflop_fit *f,
                        const struct optima *o)
{
    struct rng r = {f->opts.seed, RNG_BOOT, 0};
    double *z = isoflop_by_trunk(f)
                    ? xmalloc(((size_t)f->n_trunk + 1) * sizeof *z)
                    : NULL;

    for (size_t k = 0; k < o->n; k++) {
        const struct isoflop_budget *b = &f->budget[o->at[k]];
        struct profile p;
        profile_init(&p, b, &f->opts);
        for (int d = 0; d < f->opts.bootstrap; d++) {
            size_t at = (size_t)d * o->n + k;
            double lo = p.x[0] - log(BEYOND), hi = p.x[p.n - 1] + log(BEYOND);
            if (z)
                isoflop_trunk_noise(z, f, d);
            draw_profile(&p, f, b, &r, z);
            if (!profile_minimum(&x[at], &y[at], &p, p.z, f->opts.method))
                x[at] = fmin(fmax(x[at], lo), hi);
        }
        profile_release(&p);
    }
    free(z);
}

/* The interval of sorted draws, stretched about the estimate. */
static void stretched(double ci[2], const double *v, size_t n, double estimate,
                      double level, double factor)
{
    ci[0] = stat_quantile_sorted(v, n, (1 - level) / 2);
    ci[1] = stat_quantile_sorted(v, n, (1 + level) / 2);
    ci[0] = estimate + (ci[0] - estimate) * factor;
    ci[1] = estimate + (ci[1] - estimate) * factor;
}

/* Intervals of each budget's own optimum. */
static void budget_intervals(struct isoflop_fit *f, const struct optima *o,
                             const double *x, const double *y)
{
    size_t B = (size_t)f->opts.bootstrap;
    double *v = xmalloc((B + 1) * sizeof *v);
    double widen = few_t_over_z(f->opts.level, f->sigma_dof);

    for (size_t k = 0; k < o->n; k++) {
        struct isoflop_budget *b = &f->budget[o->at[k]];
        double ci[2], level = f->opts.level;
        size_t n = 0;
        for (size_t d = 0; d < B; d++)
            if (isfinite(x[d * o->n + k]))
                v[n++] = x[d * o->n + k];
        stat_sort(v, n);
        stretched(ci, v, n, log(b->M), level, widen);
        b->M_ci[0] = exp(ci[0]);
        b->M_ci[1] = exp(ci[1]);
        if (f->opts.method != ISOFLOP_PARABOLA && n > 1 &&
            f->opts.observation == ISOFLOP_PLAIN)
            b->log_M_se = stat_sd(v, n);
        n = 0;
        for (size_t d = 0; d < B; d++)
            if (isfinite(y[d * o->n + k]))
                v[n++] = y[d * o->n + k];
        stat_sort(v, n);
        stretched(ci, v, n, f->opts.log_loss ? log(b->loss) : b->loss, level,
                  widen);
        b->loss_ci[0] = f->opts.log_loss ? exp(ci[0]) : ci[0];
        b->loss_ci[1] = f->opts.log_loss ? exp(ci[1]) : ci[1];
    }
    free(v);
}

/* Rows of the optima for few.h, by the precisions w. */
static void law_rows(struct few *r, double *X, double *y,
                     const struct optima *o, const double *value,
                     const double *w)
{
    for (size_t k = 0; k < o->n; k++) {
        X[2 * k] = 1;
        X[2 * k + 1] = log(o->C[k]);
        y[k] = log(value[k]);
    }
    *r = (struct few){X, y, w, NULL, o->n, o->n, 2, 0, 0};
}

/* chi2 per degree of freedom of the optima about the law, in units of their own
 * errors alone. */
static double own_chi2(const struct isoflop_fit *f, const struct optima *o)
{
    double *X = xmalloc((4 * o->n + 1) * sizeof *X), *y = X + 2 * o->n,
           *w = y + o->n, chi2;
    struct few r;

    for (size_t k = 0; k < o->n; k++) {
        double se = f->budget[o->at[k]].log_M_se;
        w[k] = 1 / fmax(se * se, 1e-30);
    }
    law_rows(&r, X, y, o, o->M, w);
    chi2 = few_scatter(&r);
    free(X);
    return chi2;
}

/* One residual, of three budgets, says next to nothing about an excess: it
 * counts as one more degree of freedom of the noise, and alone where it
 * contradicts it. */
static double factor_of_three(const struct isoflop_fit *f)
{
    double scale2 = (f->sigma_dof + f->chi2) / (f->sigma_dof + 1);

    if (stat_chi2_cdf(f->chi2, 1) > 0.95)
        scale2 = fmax(scale2, f->chi2);
    return sqrt(scale2) * few_t_over_z(f->opts.level, f->sigma_dof + 1);
}

/* How much wider than the noise the interval must be.  Where the optima
 * scatter about the law by more than their own errors, the excess is error of
 * the law (as in curve_mix.c), and is known by n - 2 residuals: Student's t has
 * the degrees of freedom of the sum of both (Welch and Satterthwaite). */
static double scatter_factor(const struct isoflop_fit *f,
                             const struct optima *o)
{
    double told = (double)o->n - 2, excess, noise;

    if (o->n < 4)
        return factor_of_three(f);
    excess = own_chi2(f, o);
    if (!(excess > 1))
        excess = 1;
    noise = 1 / excess;
    return sqrt(excess) *
           few_t_over_z(f->opts.level,
                        1 / (noise * noise / (f->sigma_dof + told) +
                             (1 - noise * noise) / told));
}

static double N_between(const struct isoflop_budget *b, double log_M)
{
    /* near the optimum N is a power of M; its local exponent suffices */
    const struct isoflop_size *lo = &b->size[0], *hi = &b->size[b->n_size - 1];
    double slope = log(hi->N / lo->N) / log(hi->M / lo->M);

    return b->N * exp(slope * (log_M - log(b->M)));
}

static void noise_intervals(double ci[STATS][2], const struct isoflop_fit *f,
                            const struct optima *o, const double *x,
                            const double estimate[STATS])
{
    size_t B = (size_t)f->opts.bootstrap, good = 0;
    double *v = xmalloc((B + 1) * STATS * sizeof *v), stat[STATS];
    double widen = scatter_factor(f, o);
    double *C = xmalloc(4 * o->n * sizeof *C), *M = C + o->n, *N = M + o->n,
           *w = N + o->n;

    for (size_t d = 0; d < B; d++) {
        size_t n = 0;
        for (size_t k = 0; k < o->n; k++) {
            double xk = x[d * o->n + k];
            if (!isfinite(xk))
                continue;
            C[n] = o->C[k];
            M[n] = exp(xk);
            N[n] = N_between(&f->budget[o->at[k]], xk);
            w[n++] = o->w[k];
        }
        if (fit_stats(stat, C, M, N, w, n, o->have_N))
            continue;
        for (int j = 0; j < STATS; j++)
            v[(size_t)j * B + good] = stat[j];
        good++;
    }
    for (int j = 0; j < STATS; j++) {
        double *column = v + (size_t)j * B;
        stat_sort(column, good);
        stretched(ci[j], column, good, estimate[j], f->opts.level, widen);
    }
    free(v);
    free(C);
}

/* --- budgets --- */

static int refit(double *stat, const size_t *idx, size_t m,
                 const struct boot_turn *turn, void *ctx)
{
    const struct optima *o = ctx;
    double *C = xmalloc((4 * m + 1) * sizeof *C), *M = C + m, *N = M + m,
           *w = N + m;
    int rc;

    (void)turn;
    for (size_t i = 0; i < m; i++) {
        C[i] = o->C[idx[i]];
        M[i] = o->M[idx[i]];
        N[i] = o->N[idx[i]];
        w[i] = o->w[idx[i]];
    }
    rc = fit_stats(stat, C, M, N, w, m, o->have_N);
    free(C);
    return rc;
}

/* Make the intervals as wide as few budgets tell. */
static void few_budgets(double ci[STATS][2], const struct isoflop_fit *f,
                        const struct optima *o, const double estimate[STATS])
{
    double *X = xmalloc((3 * o->n + 1) * sizeof *X), half[FEW_MAX];
    struct few r;

    for (int j = 0; j < STATS; j += 2) {
        law_rows(&r, X, X + 2 * o->n, o, j == M_COEF ? o->M : o->N, o->w);
        if (few_half_widths(half, &r, f->opts.level))
            continue;
        few_stretch(ci[j], estimate[j], half[0], o->n);
        few_stretch(ci[j + 1], estimate[j + 1], half[1], o->n);
    }
    free(X);
}

static int budgets_intervals(double ci[STATS][2], const struct isoflop_fit *f,
                             const struct optima *o,
                             const double estimate[STATS], struct err *e)
{
    enum boot_kind kind = f->opts.interval < 0
                              ? BOOT_PERCENTILE
                              : (enum boot_kind)f->opts.interval;
    struct boot_options opts = {.resamples = (size_t)f->opts.bootstrap,
                                .seed = f->opts.seed,
                                .indices = f->opts.indices,
                                .jackknife = kind == BOOT_BCA};
    struct bootstrap b;

    if (bootstrap_run(&b, &opts, o->n, NULL, o->n, estimate, STATS, refit,
                      (void *)(uintptr_t)o, e))
        return -1;
    for (int j = 0; j < STATS; j++)
        bootstrap_interval(&ci[j][0], &ci[j][1], &b, (size_t)j, kind,
                           f->opts.level);
    bootstrap_release(&b);
    if (!f->opts.indices && o->n < FEW_GROUPS)
        few_budgets(ci, f, o, estimate);
    return 0;
}

/* --- laws --- */

static void set_power(struct isoflop_power *y, const double e[2],
                      double (*ci)[2])
{
    y->coef = exp(e[0]);
    y->exponent = e[1];
    for (int k = 0; k < 2; k++) {
        y->coef_ci[k] = exp(ci[0][k]);
        y->exponent_ci[k] = ci[1][k];
    }
}

/* D = C / M at each optimum, so its law is M's, mirrored. */
static void mirror(struct isoflop_power *D, const struct isoflop_power *M)
{
    D->coef = 1 / M->coef;
    D->exponent = 1 - M->exponent;
    for (int k = 0; k < 2; k++) {
        D->coef_ci[k] = 1 / M->coef_ci[1 - k];
        D->exponent_ci[k] = 1 - M->exponent_ci[1 - k];
    }
}

static double law_chi2(const struct optima *o, const double e[STATS])
{
    double sum = 0;

    for (size_t k = 0; k < o->n; k++) {
        double d = log(o->M[k]) - e[M_COEF] - e[M_EXP] * log(o->C[k]);
        sum += o->w[k] * d * d;
    }
    return o->n > 2 ? sum / (double)(o->n - 2) : NAN;
}

static void choose_resample(struct isoflop_fit *f)
{
    int noise = f->sigma_dof > 0;

    f->resampled = f->opts.resample;
    if (f->resampled == ISOFLOP_RESAMPLE_AUTO && noise && f->shared)
        f->resampled = ISOFLOP_RESAMPLE_TRUNKS;
    if (f->resampled == ISOFLOP_RESAMPLE_AUTO)
        f->resampled = noise && (f->n_ok < FEW_BUDGETS ||
                                 f->opts.method == ISOFLOP_SURFACE)
                           ? ISOFLOP_RESAMPLE_NOISE
                           : ISOFLOP_RESAMPLE_BUDGETS;
}

/* -1 with *e when draws that were given cannot be used. */
static int intervals(double ci[STATS][2], struct isoflop_fit *f,
                     const struct optima *o, const double estimate[STATS],
                     struct err *e)
{
    size_t cells = (size_t)f->opts.bootstrap * o->n;
    double *x, *y;
    int rc = 0;

    if ((f->opts.bootstrap < 1 && !f->opts.indices) || o->n < 1)
        return 0;
    x = xmalloc((cells + 1) * sizeof *x);
    y = xmalloc((cells + 1) * sizeof *y);
    if (f->sigma_dof > 0) {
        draw_minima(x, y, f, o);
        if (f->opts.method == ISOFLOP_SURFACE)
            isoflop_surface_draws(x, f, o->at, o->n);
        budget_intervals(f, o, x, y);
    }
    if (o->n > 2 && f->resampled == ISOFLOP_RESAMPLE_BUDGETS)
        rc = budgets_intervals(ci, f, o, estimate, e);
    else if (o->n > 2 && f->sigma_dof > 0)
        noise_intervals(ci, f, o, x, estimate);
    free(x);
    free(y);
    return f->opts.indices ? rc : 0;
}

int isoflop_laws(struct isoflop_fit *f, struct err *e)
{
    double y[STATS] = {NAN, NAN, NAN, NAN}, ci[STATS][2];
    struct optima o;
    int rc;

    for (int j = 0; j < STATS; j++)
        ci[j][0] = ci[j][1] = NAN;
    optima_init(&o, f);
    choose_resample(f);
    f->chi2 = NAN;
    if (!fit_stats(y, o.C, o.M, o.N, o.w, o.n, o.have_N))
        f->chi2 = law_chi2(&o, y);
    rc = intervals(ci, f, &o, y, e);
    set_power(&f->M, y + M_COEF, ci + M_COEF);
    set_power(&f->N, y + N_COEF, ci + N_COEF);
    mirror(&f->D, &f->M);
    isoflop_verdict(f);
    optima_release(&o);
    return rc;
}
