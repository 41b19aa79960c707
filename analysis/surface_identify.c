/* What a design says about the parameters of a surface. */
#include "analysis/surface_identify.h"

#include "analysis/linfit.h"
#include "analysis/profile.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.95      /* of the interval that decides */
#define WIDEST 1.5      /* an exponent known to no better than this ... */
#define WORST 6.0       /* ... and this factor says nothing */
#define ON_A_RAY 0.98   /* correlation of ln size and ln tokens */
#define LEAST_SIZES 3   /* distinct values of either variable */
#define ONE_RATIO 1.02  /* tokens per parameter this close are one */
#define LEAST_RANGE 2.0 /* largest over smallest */

/* Eigenvalue ratio of the symmetric (n,n) A scaled to unit diagonal. */
static double condition(const double *A, int n)
{
    double S[SURFACE_MAX * SURFACE_MAX], value[SURFACE_MAX];

    for (int i = 0; i < n; i++)
        if (!(A[i * n + i] > 0))
            return INFINITY;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            S[i * n + j] = A[i * n + j] / sqrt(A[i * n + i] * A[j * n + j]);
    linfit_eigen(value, NULL, S, n);
    return value[0] > 0 ? value[n - 1] / value[0] : INFINITY;
}

/* G^-1 with the rows and columns scaled to unit diagonal on the way. */
static int invert(double *inv, const double *G, int n)
{
    double S[SURFACE_MAX * SURFACE_MAX] = {0}, root[SURFACE_MAX];

    for (int i = 0; i < n; i++) {
        root[i] = sqrt(G[i * n + i]);
        if (!(root[i] > 0))
            return -1;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            S[i * n + j] = G[i * n + j] / (root[i] * root[j]);
    if (linfit_solve_spd(NULL, inv, S, NULL, n))
        return -1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            inv[i * n + j] /= root[i] * root[j];
    return 0;
}

/* out = A B A' */
static void sandwich(double *out, const double *A, const double *B, int n)
{
    double T[SURFACE_MAX * SURFACE_MAX] = {0};

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                T[i * n + j] += A[i * n + k] * B[k * n + j];
    memset(out, 0, (size_t)(n * n) * sizeof(*out));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                out[i * n + j] += T[i * n + k] * A[j * n + k];
}

void identify_covariance(double *cov, const double *G, const double *J, int n,
                         double scale)
{
    double inv[SURFACE_MAX * SURFACE_MAX];

    if (invert(inv, G, n)) {
        for (int i = 0; i < n * n; i++)
            cov[i] = NAN;
        return;
    }
    sandwich(cov, J, inv, n);
    for (int i = 0; i < n * n; i++)
        cov[i] *= scale;
}

void identify_conditions(double *all, double *projected, const double *G,
                         const double *J, const struct form_info *t)
{
    double inv[SURFACE_MAX * SURFACE_MAX], sub[SURFACE_MAX * SURFACE_MAX];
    double K[SURFACE_MAX * SURFACE_MAX] = {0}, U[SURFACE_MAX * SURFACE_MAX];
    int n = t->n, idx[SURFACE_MAX], m = 0;

    /* J is 1 plus a nilpotent part (log coefficients move with their
     * exponents), so its inverse is 2 - J; farseer is left in its frame */
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double unit = i == j;
            K[j * n + i] =
                t->role[0] == ROLE_FREE ? unit : 2 * unit - J[i * n + j];
        }
    sandwich(U, K, G, n);
    *all = condition(U, n);
    for (int i = 0; i < n; i++)
        if (t->role[i] == ROLE_ALPHA || t->role[i] == ROLE_BETA ||
            t->role[i] == ROLE_BOTH || t->role[i] == ROLE_POWER)
            idx[m++] = i;
    *projected = INFINITY;
    if (invert(inv, G, n))
        return;
    /* the inverse's block is the inverse of the Schur complement, and has its
     * condition number */
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            sub[i * m + j] = inv[idx[i] * n + idx[j]];
    *projected = condition(sub, m);
}

/* Distinct values of exp(x), to 1 %. */
static int distinct(const double *x, const double *w, size_t n)
{
    double *v = xmalloc((n + 1) * sizeof(*v)), last = -INFINITY;
    size_t m = 0;
    int count = 0;

    for (size_t i = 0; i < n; i++)
        if (w[i] > 0)
            v[m++] = x[i];
    stat_sort(v, m);
    for (size_t i = 0; i < m; i++)
        if (v[i] > last + 0.01) {
            count++;
            last = v[i];
        }
    free(v);
    return count;
}

static void refuse(struct surface_fit *f, const char *text)
{
    f->identified = 0;
    if (!f->refused[0])
        snprintf(f->refused, sizeof(f->refused), "%s", text);
}

/* One variable of the design: enough values, far enough apart? */
static void check_axis(struct surface_fit *f, const char *name,
                       const char *exponent, int values, double range)
{
    char text[256];

    if (values < LEAST_SIZES) {
        snprintf(text, sizeof(text),
                 "%s takes %d distinct value%s, so %s is not determined; "
                 "%d or more are needed",
                 name, values, values == 1 ? "" : "s", exponent, LEAST_SIZES);
        refuse(f, text);
    } else if (range < LEAST_RANGE) {
        snprintf(text, sizeof(text),
                 "%s spans a factor of only %.3g, so %s is not determined; "
                 "runs over a factor of 4 or more would settle it",
                 name, range, exponent);
        refuse(f, text);
    }
}

/* Does the interval of an exponent cover the range that was searched, or is it
 * too wide to be an answer? */
static void check_exponent(struct surface_fit *f, const double *q, int i,
                           const struct problem *p, double value)
{
    const char *name = p->info->param[i];
    enum surface_role role = p->info->role[i];
    const char *what = role == ROLE_BETA ? "token counts" : "model sizes";
    struct profile pr;
    char text[256];

    int edge = role != ROLE_POWER && (q[i] <= PROFILE_LO || q[i] >= PROFILE_HI);
    if (!edge) {
        profile_run(&pr, p, q, value, i, LEVEL);
        if (!pr.open && (role == ROLE_POWER || pr.hi <= WORST * pr.lo ||
                         pr.hi - pr.lo <= WIDEST))
            return;
    }
    if (f->collinear > ON_A_RAY)
        snprintf(text, sizeof(text),
                 "%s is not determined: all runs lie near one ray, tokens per "
                 "parameter %.3g to %.3g; runs at other ratios of tokens to "
                 "parameters would settle it",
                 name, f->tpp_lo, f->tpp_hi);
    else if (edge)
        snprintf(text, sizeof(text),
                 "%s = %.3g lies at the end of the search range (%g to %g): "
                 "its term has no curvature in these runs; runs over a wider "
                 "range of %s would settle it",
                 name, q[i], PROFILE_LO, PROFILE_HI, what);
    else
        snprintf(text, sizeof(text),
                 "%s is not determined: anything from %.3g%s to %.3g%s fits "
                 "within %.0f %%; runs over a wider range of %s would settle "
                 "it",
                 name, pr.lo, pr.open & 1 ? " or below" : "", pr.hi,
                 pr.open & 2 ? " or above" : "", 100 * LEVEL, what);
    refuse(f, text);
}

/* R of `repeated` is told by points that saw their text more than once. */
static void check_repeats(struct surface_fit *f, const struct problem *p)
{
    int i = form_find(p->o.form, ROLE_R), open = i < 0 ? 0 : f->profile_open[i];
    char text[256], lo[32] = "0", hi[32] = "infinity";
    size_t n = 0;

    if (!open)
        return;
    for (size_t k = 0; k < p->n; k++)
        n += p->data.w[k] > 0 && p->data.d[k] > p->u[k] + 1e-9;
    if (!(open & 1))
        snprintf(lo, sizeof(lo), "%.3g", f->profile_lo[i]);
    if (!(open & 2))
        snprintf(hi, sizeof(hi), "%.3g", f->profile_hi[i]);
    snprintf(text, sizeof(text),
             "R is not determined: %zu of %zu points saw their text more than "
             "once, and anything from %s to %s fits within %.0f %%; %s",
             n, p->n, lo, hi, 100 * f->options.level,
             n ? "runs of more epochs would settle it"
               : "without repetition it is the form chinchilla");
    refuse(f, text);
}

void identify(struct surface_fit *f, const double *q, const struct problem *p)
{
    const double *x = p->data.x, *d = p->data.d, *w = p->data.w;
    double xr[2] = {INFINITY, -INFINITY}, dr[2] = {INFINITY, -INFINITY};

    f->identified = 1;
    f->tpp_lo = INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        if (!(w[i] > 0))
            continue;
        double tpp = exp(d[i] + p->frame.d0 - x[i] - p->frame.x0);
        f->tpp_lo = fmin(f->tpp_lo, tpp);
        f->tpp_hi = fmax(f->tpp_hi, tpp);
        xr[0] = fmin(xr[0], x[i]);
        xr[1] = fmax(xr[1], x[i]);
        dr[0] = fmin(dr[0], d[i]);
        dr[1] = fmax(dr[1], d[i]);
    }
    f->sizes = distinct(x, w, p->n);
    f->horizons = distinct(d, w, p->n);
    f->collinear = fabs(stat_correlation(x, d, p->n));
    check_axis(f, "model size", p->o.form == SURFACE_TIED ? "E" : "alpha",
               f->sizes, exp(xr[1] - xr[0]));
    check_axis(f, "the number of tokens",
               p->o.form == SURFACE_TIED ? "E" : "beta", f->horizons,
               exp(dr[1] - dr[0]));
    if (f->tpp_hi < ONE_RATIO * f->tpp_lo) {
        char text[256];
        snprintf(text, sizeof(text),
                 "all runs have %.3g tokens per parameter, so what model size "
                 "and what tokens do cannot be told apart; runs at other "
                 "ratios of tokens to parameters would settle it",
                 f->tpp_lo);
        refuse(f, text);
    }
    if (!f->options.profile || !f->identified)
        return;
    double value = problem_value(q, p, NULL);
    for (int i = 0; i < p->info->n; i++) {
        enum surface_role r = p->info->role[i];
        if (r == ROLE_ALPHA || r == ROLE_BETA || r == ROLE_BOTH ||
            r == ROLE_POWER)
            check_exponent(f, q, i, p, value);
    }
    check_repeats(f, p);
}
