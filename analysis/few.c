/* few: Student's t through the weighted means of the sets. */
#include "analysis/few.h"

#include "analysis/linfit.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define LUCK 0.01 /* quantile of residuals that are too small */

/* One row a set: X (n_set,p), y, w. */
struct folded {
    double *X, *y, *w;
    size_t n;
};

static void fold(struct folded *d, const struct few *f)
{
    size_t p = (size_t)f->p;

    d->n = f->set ? f->n_set : f->n;
    d->X = xcalloc((p + 2) * d->n + 1, sizeof *d->X);
    d->y = d->X + p * d->n;
    d->w = d->y + d->n;
    for (size_t i = 0; i < f->n; i++) {
        size_t k = f->set ? f->set[i] : i;
        double w = f->w ? f->w[i] : 1;
        for (size_t j = 0; j < p; j++)
            d->X[p * k + j] += w * f->X[p * i + j];
        d->y[k] += w * f->y[i];
        d->w[k] += w;
    }
    for (size_t k = 0; k < d->n; k++) {
        for (size_t j = 0; j < p; j++)
            d->X[p * k + j] /= d->w[k];
        d->y[k] /= d->w[k];
    }
}

/* What the fit says: the residual variance over its expectation, and the
 * variance of each coefficient per unit of it. */
struct told {
    double scatter, var[FEW_MAX], dof;
};

/* coef and inv = (X'WX)^-1. */
static int solve(double *coef, double *inv, const struct folded *d, int p)
{
    double A[FEW_MAX * FEW_MAX] = {0}, b[FEW_MAX] = {0};

    for (size_t k = 0; k < d->n; k++) {
        const double *x = d->X + (size_t)p * k;
        for (int i = 0; i < p; i++) {
            b[i] += d->w[k] * x[i] * d->y[k];
            for (int j = 0; j < p; j++)
                A[p * i + j] += d->w[k] * x[i] * x[j];
        }
    }
    return linfit_solve_spd(coef, inv, A, b, p);
}

/* c = inv x w: what a unit of y_k adds to each coefficient. */
static void influence(double c[FEW_MAX], const double *inv,
                      const struct folded *d, size_t k, int p)
{
    const double *x = d->X + (size_t)p * k;

    for (int i = 0; i < p; i++) {
        c[i] = 0;
        for (int j = 0; j < p; j++)
            c[i] += inv[p * i + j] * x[j] * d->w[k];
    }
}

static double dot(const double *a, const double *b, int p)
{
    double s = 0;

    for (int i = 0; i < p; i++)
        s += a[i] * b[i];
    return s;
}

/* With errors of variances v times one factor: E sum e_i^2 / v_i is the factor
 * times sum_ij (1 - H)_ij^2 v_j / v_i, whatever the weights of the fit. */
static int tell(struct told *t, const struct few *f)
{
    double coef[FEW_MAX], inv[FEW_MAX * FEW_MAX], c[FEW_MAX], sum = 0, exp = 0;
    struct folded d;
    int p = f->p, rc = -1;

    fold(&d, f);
    *t = (struct told){.dof = (double)d.n - p};
    if (!(t->dof > 0) || solve(coef, inv, &d, p))
        goto out;
    for (size_t j = 0; j < d.n; j++) {
        double v = f->equal ? 1 : 1 / d.w[j];
        influence(c, inv, &d, j, p);
        for (int k = 0; k < p; k++)
            t->var[k] += c[k] * c[k] * v;
        for (size_t i = 0; i < d.n; i++) {
            double r = (i == j) - dot(c, d.X + (size_t)p * i, p);
            exp += r * r * v * (f->equal ? 1 : d.w[i]);
        }
        double e = d.y[j] - dot(coef, d.X + (size_t)p * j, p);
        sum += e * e / v;
    }
    t->scatter = sum / exp;
    rc = 0;
out:
    free(d.X);
    return rc;
}

double few_t_over_z(double level, double dof)
{
    double q = (1 + level) / 2;

    return dof > 0 ? stat_t_quantile(q, dof) / stat_normal_quantile(q) : 1;
}

int few_half_widths(double half[FEW_MAX], const struct few *f, double level)
{
    double q = (1 + level) / 2, sd;
    struct told t;

    if (tell(&t, f))
        return -1;
    sd = stat_t_quantile(q, t.dof) * sqrt(t.scatter);
    if (t.scatter * t.dof < f->least * stat_chi2_quantile(LUCK, t.dof))
        sd = stat_normal_quantile(q) * sqrt(f->least);
    for (int j = 0; j < f->p; j++)
        half[j] = sd * sqrt(t.var[j]);
    return 0;
}

double few_scatter(const struct few *f)
{
    struct told t;

    return tell(&t, f) ? NAN : t.scatter;
}

void few_stretch(double ci[2], double estimate, double half, size_t n)
{
    double lopsided = (ci[0] + ci[1] - 2 * estimate) / (ci[1] - ci[0]);

    lopsided *= (double)n / FEW_GROUPS;
    if (!isfinite(lopsided))
        lopsided = 0;
    ci[0] = estimate + half * (lopsided - 1);
    ci[1] = estimate + half * (lopsided + 1);
}
