/* A power law as a straight line in logarithms. */
#include "analysis/powerlaw.h"

#include "analysis/linfit.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct powerlaw *f, const struct linfit *l, double level)
{
    double t = l->dof > 0 ? stat_t_quantile(0.5 + level / 2, l->dof) : NAN;

    f->n = l->n;
    f->coef = exp(l->coef[0]);
    f->exponent = l->coef[1];
    f->se_log_coef = l->se[0];
    f->se_exponent = l->se[1];
    memcpy(f->cov, l->cov, sizeof(f->cov));
    f->sigma = sqrt(l->sigma2);
    f->r2 = l->r2;
    f->level = level;
    f->coef_ci[0] = exp(l->coef[0] - t * l->se[0]);
    f->coef_ci[1] = exp(l->coef[0] + t * l->se[0]);
    f->exponent_ci[0] = f->exponent - t * f->se_exponent;
    f->exponent_ci[1] = f->exponent + t * f->se_exponent;
}

int powerlaw_fit(struct powerlaw *f, const double *x, const double *y,
                 const double *w, size_t n, double level, struct err *e)
{
    struct linfit l;
    int rc = -1;

    memset(f, 0, sizeof(*f));
    f->x_lo = INFINITY;
    f->x_hi = -INFINITY;
    double *X = xmalloc((n + 1) * 3 * sizeof(*X)), *v = X + 2 * n;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] > 0 && y[i] > 0 && isfinite(x[i]) && isfinite(y[i]))) {
            err_set(e, ERR_FAILED,
                    "point %zu of a power law is (%g, %g), expected positive "
                    "numbers",
                    i, x[i], y[i]);
            goto out;
        }
        X[2 * i] = 1;
        X[2 * i + 1] = log(x[i]);
        v[i] = log(y[i]);
        if (!w || w[i] > 0) {
            f->x_lo = fmin(f->x_lo, x[i]);
            f->x_hi = fmax(f->x_hi, x[i]);
        }
    }
    if (!(f->x_hi > f->x_lo)) {
        err_set(e, ERR_FAILED,
                "a power law needs two different values of its variable, "
                "found %d",
                n > 0);
        goto out;
    }
    if (linfit(&l, X, v, w, n, 2, e))
        goto out;
    fill(f, &l, level);
    rc = 0;
out:
    free(X);
    return rc;
}

int powerlaw_fit_fast(double *coef, double *exponent, const double *x,
                      const double *y, const double *w, size_t n)
{
    double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;

    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        if (!(wi > 0))
            continue;
        sw += wi;
        sx += wi * log(x[i]);
        sy += wi * log(y[i]);
    }
    if (!(sw > 0))
        return -1;
    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        if (!(wi > 0))
            continue;
        double dx = log(x[i]) - sx / sw;
        sxx += wi * dx * dx;
        sxy += wi * dx * (log(y[i]) - sy / sw);
    }
    if (!(sxx > 1e-20 * sw) || !isfinite(sxy))
        return -1;
    *exponent = sxy / sxx;
    *coef = exp((sy - *exponent * sx) / sw);
    return 0;
}

double powerlaw_at(const struct powerlaw *f, double x)
{
    return f->coef * pow(x, f->exponent);
}

void powerlaw_interval(double *lo, double *hi, const struct powerlaw *f,
                       double x, double level, int new_point)
{
    double lx = log(x), mid = log(f->coef) + f->exponent * lx;
    double var = f->cov[0] + 2 * lx * f->cov[1] + lx * lx * f->cov[3];
    double dof = (double)f->n - 2;

    if (new_point)
        var += f->sigma * f->sigma;
    double t = dof > 0 ? stat_t_quantile(0.5 + level / 2, dof) : NAN;
    double half = t * sqrt(fmax(var, 0));
    *lo = exp(mid - half);
    *hi = exp(mid + half);
}
