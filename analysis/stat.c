/* Small statistics.  The incomplete beta and gamma functions are the usual
 * continued fractions (Lentz) and series; quantiles invert the distribution
 * functions by bisection on a bracket, which is slow and exact enough: none
 * of them is in an inner loop. */
#include "analysis/stat.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double stat_mean(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : NAN;
}

double stat_sd(const double *x, size_t n)
{
    double mean = stat_mean(x, n), sum = 0;

    if (n < 2)
        return NAN;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)(n - 1));
}

static int by_value(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;

    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

void stat_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof(*x), by_value);
}

double stat_quantile_sorted(const double *x, size_t n, double q)
{
    if (n == 0)
        return NAN;
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    if (i >= n - 1)
        return x[n - 1];
    return x[i] + (at - (double)i) * (x[i + 1] - x[i]);
}

double stat_quantile(const double *x, size_t n, double q)
{
    if (n == 0)
        return NAN;
    double *copy = xmalloc(n * sizeof(*copy));
    memcpy(copy, x, n * sizeof(*copy));
    stat_sort(copy, n);
    double v = stat_quantile_sorted(copy, n, q);
    free(copy);
    return v;
}

double stat_median(const double *x, size_t n)
{
    return stat_quantile(x, n, 0.5);
}

double stat_correlation(const double *x, const double *y, size_t n)
{
    double mx = stat_mean(x, n), my = stat_mean(y, n);
    double xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

void stat_range(double *lo, double *hi, const double *x, size_t n)
{
    *lo = *hi = n ? x[0] : NAN;
    for (size_t i = 1; i < n; i++) {
        if (x[i] < *lo)
            *lo = x[i];
        if (x[i] > *hi)
            *hi = x[i];
    }
}

double stat_normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

/* Acklam's rational approximation, then one step of Halley's method. */
double stat_normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01,
                               2.445134137142996e+00, 3.754408661907416e+00};
    double x;

    if (!(p > 0 && p < 1))
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (p > 0.5)
        return -stat_normal_quantile(1 - p);
    if (p < 0.02425) {
        double q = sqrt(-2 * log(p));
        x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q +
             c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    } else {
        double q = p - 0.5, r = q * q;
        x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r +
             a[5]) *
            q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    double err = stat_normal_cdf(x) - p;
    double u = err * sqrt(2 * M_PI) * exp(x * x / 2);
    return x - u / (1 + x * u / 2);
}

/* Continued fraction of the incomplete beta function (Lentz). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 500; m++) {
        double am = a + 2 * m;
        double even = m * (b - m) * x / ((am - 1) * am);
        double odd = -(a + m) * (a + b + m) * x / (am * (am + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h;
}

static double beta_regular(double a, double b, double x)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double front =
        exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Lower regularised incomplete gamma function P(a, x). */
static double gamma_regular(double a, double x)
{
    if (!(x > 0))
        return 0;
    double front = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int k = 1; k < 2000 && term > sum * DBL_EPSILON; k++) {
            term *= x / (a + k);
            sum += term;
        }
        return front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int k = 1; k < 2000; k++) {
        double an = -k * (k - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON)
            break;
    }
    return 1 - front * h;
}

double stat_t_cdf(double t, double dof)
{
    double tail = 0.5 * beta_regular(dof / 2, 0.5, dof / (dof + t * t));

    return t > 0 ? 1 - tail : tail;
}

double stat_chi2_cdf(double x, double dof)
{
    return gamma_regular(dof / 2, x / 2);
}

double stat_f_cdf(double x, double d1, double d2)
{
    return x > 0 ? beta_regular(d1 / 2, d2 / 2, d1 * x / (d1 * x + d2)) : 0;
}

/* The x >= 0 with cdf(x; d1, d2) = p, by doubling and bisection. */
static double invert(double (*cdf)(double, double, double), double d1,
                     double d2, double p)
{
    double lo = 0, hi = 1;

    if (!(p > 0))
        return p == 0 ? 0 : NAN;
    if (!(p < 1))
        return p == 1 ? INFINITY : NAN;
    while (cdf(hi, d1, d2) < p && hi < 1e300)
        lo = hi, hi *= 2;
    for (int i = 0; i < 200 && hi - lo > 1e-15 * hi; i++) {
        double mid = 0.5 * (lo + hi);
        if (cdf(mid, d1, d2) < p)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

/* P(|T| <= t), in the shape that invert() takes. */
static double t_central(double t, double dof, double unused)
{
    (void)unused;
    return 1 - beta_regular(dof / 2, 0.5, dof / (dof + t * t));
}

static double chi2_two(double x, double dof, double unused)
{
    (void)unused;
    return stat_chi2_cdf(x, dof);
}

double stat_t_quantile(double p, double dof)
{
    if (p < 0.5)
        return -invert(t_central, dof, 0, 1 - 2 * p);
    return invert(t_central, dof, 0, 2 * p - 1);
}

double stat_chi2_quantile(double p, double dof)
{
    return invert(chi2_two, dof, 0, p);
}

double stat_f_quantile(double p, double d1, double d2)
{
    return invert(stat_f_cdf, d1, d2, p);
}
