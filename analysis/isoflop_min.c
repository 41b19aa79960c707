/* isoflop_min: polynomials in log size, Akima's cubic and the natural spline.
 *
 * The abscissa is centred on its mean and scaled to [-1, 1], so the normal
 * equations of a low degree are well conditioned whatever the size's unit. */
#include "analysis/isoflop_min.h"

#include "analysis/linfit.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static void powers(double f[POLY_MAX], double v)
{
    f[0] = 1;
    for (int j = 1; j < POLY_MAX; j++)
        f[j] = f[j - 1] * v;
}

static int scale(struct poly *f, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        f->mid += x[i] / n;
    for (int i = 0; i < n; i++)
        f->half = fmax(f->half, fabs(x[i] - f->mid));
    return f->half > 0 ? 0 : -1;
}

int poly_fit(struct poly *f, int degree, const double *x, const double *y,
             const double *w, int n)
{
    double A[POLY_MAX * POLY_MAX] = {0}, b[POLY_MAX] = {0}, v[POLY_MAX];
    int p = degree + 1;

    *f = (struct poly){.p = p, .n = n};
    if (n < p || scale(f, x, n))
        return -1;
    for (int i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        powers(v, (x[i] - f->mid) / f->half);
        for (int j = 0; j < p; j++) {
            b[j] += wi * v[j] * y[i];
            for (int k = 0; k < p; k++)
                A[p * j + k] += wi * v[j] * v[k];
        }
    }
    if (linfit_solve_spd(f->c, f->cov, A, b, p))
        return -1;
    for (int i = 0; i < n; i++) {
        double d = y[i] - poly_at(NULL, f, x[i]);
        f->rss += (w ? w[i] : 1) * d * d;
    }
    return isfinite(f->rss) ? 0 : -1;
}

double poly_at(double *var, const struct poly *f, double x)
{
    double v[POLY_MAX], y = 0;

    powers(v, (x - f->mid) / f->half);
    for (int j = 0; j < f->p; j++)
        y += f->c[j] * v[j];
    if (var) {
        *var = 0;
        for (int j = 0; j < f->p; j++)
            for (int k = 0; k < f->p; k++)
                *var += v[j] * f->cov[f->p * j + k] * v[k];
    }
    return y;
}

/* A scan, then the bracket around its lowest point by golden section. */
void poly_lowest(double *x, double *y, double *var, const struct poly *f,
                 double lo, double hi)
{
    const double golden = 0.6180339887498949;
    const int scan = 64;
    double step = (hi - lo) / scan, best = lo, a, b;

    for (int i = 1; i <= scan; i++)
        if (poly_at(NULL, f, lo + i * step) < poly_at(NULL, f, best))
            best = lo + i * step;
    a = fmax(lo, best - step);
    b = fmin(hi, best + step);
    for (int i = 0; i < 80; i++) {
        double l = b - golden * (b - a), r = a + golden * (b - a);
        if (poly_at(NULL, f, l) < poly_at(NULL, f, r))
            b = r;
        else
            a = l;
    }
    *x = (a + b) / 2;
    *y = poly_at(var, f, *x);
}

int parabola_minimum(double *x, double *y, double *var_x, const struct poly *f)
{
    double v = -f->c[1] / (2 * f->c[2]);
    double g[3] = {0, -1 / (2 * f->c[2]), -v / f->c[2]};

    *x = *y = NAN;
    if (!(f->c[2] > 0) || !isfinite(v))
        return -1;
    *x = f->mid + f->half * v;
    *y = poly_at(NULL, f, *x);
    if (!var_x)
        return 0;
    *var_x = 0;
    for (int j = 0; j < 3; j++)
        for (int k = 0; k < 3; k++)
            *var_x += g[j] * f->cov[3 * j + k] * g[k] * f->half * f->half;
    return 0;
}

double parabola_curvature(double *var, const struct poly *f)
{
    double h2 = f->half * f->half;

    *var = f->cov[8] / (h2 * h2);
    return f->c[2] / h2;
}

/* Slopes at the knots.  m[i + 2] is the slope of interval i; two more are
 * extrapolated at each end, as Akima does. */
static void akima_slopes(double *t, const double *x, const double *y, int n)
{
    double *m = xmalloc(((size_t)n + 4) * sizeof *m);

    for (int i = 0; i < n - 1; i++)
        m[i + 2] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    m[1] = 2 * m[2] - m[3];
    m[0] = 2 * m[1] - m[2];
    m[n + 1] = 2 * m[n] - m[n - 1];
    m[n + 2] = 2 * m[n + 1] - m[n];
    for (int i = 0; i < n; i++) {
        double a = fabs(m[i + 3] - m[i + 2]), b = fabs(m[i + 1] - m[i]);
        if (a + b > 1e-9 * (fabs(m[i + 1]) + fabs(m[i + 2]) + 1e-300))
            t[i] = (a * m[i + 1] + b * m[i + 2]) / (a + b);
        else
            t[i] = (m[i + 1] + m[i + 2]) / 2;
    }
    free(m);
}

/* Slopes at the knots of the natural spline: a tridiagonal system, solved from
 * the first knot down. */
static void spline_slopes(double *t, const double *x, const double *y, int n)
{
    double *up = xmalloc((size_t)n * sizeof *up);

    for (int i = 0; i < n; i++) {
        double h0 = i > 0 ? x[i] - x[i - 1] : 0;
        double h1 = i < n - 1 ? x[i + 1] - x[i] : 0;
        double m0 = i > 0 ? (y[i] - y[i - 1]) / h0 : 0;
        double m1 = i < n - 1 ? (y[i + 1] - y[i]) / h1 : 0;
        /* below, diagonal, above and right-hand side */
        double l = i == n - 1 ? h0 : h1, u = i == 0 ? h1 : h0;
        double d = 2 * (h0 + h1), r = 3 * (h1 * m0 + h0 * m1);
        if (i == 0)
            l = 0, r = 3 * h1 * m1;
        if (i == n - 1)
            u = 0, r = 3 * h0 * m0;
        if (i > 0) {
            d -= l * up[i - 1];
            r -= l * t[i - 1];
        }
        up[i] = u / d;
        t[i] = r / d;
    }
    for (int i = n - 2; i >= 0; i--)
        t[i] -= up[i] * t[i + 1];
    free(up);
}

/* Coefficients of interval i in s = x - x[i]. */
static void hermite_cubic(double q[4], const double *t, const double *x,
                          const double *y, int i)
{
    double h = x[i + 1] - x[i], m = (y[i + 1] - y[i]) / h;

    q[0] = y[i];
    q[1] = t[i];
    q[2] = (3 * m - 2 * t[i] - t[i + 1]) / h;
    q[3] = (t[i] + t[i + 1] - 2 * m) / (h * h);
}

static double cubic_at(const double q[4], double s)
{
    return q[0] + s * (q[1] + s * (q[2] + s * q[3]));
}

/* A piecewise cubic by its slopes at the knots. */
typedef void slopes_fn(double *t, const double *x, const double *y, int n);

static double cubics_at(slopes_fn *slopes, const double *x, const double *y,
                        int n, double at)
{
    double *t = xmalloc((size_t)n * sizeof *t), q[4];
    int i = 0;

    while (i < n - 2 && at > x[i + 1])
        i++;
    slopes(t, x, y, n);
    hermite_cubic(q, t, x, y, i);
    free(t);
    return cubic_at(q, at - x[i]);
}

double akima_at(const double *x, const double *y, int n, double at)
{
    return cubics_at(akima_slopes, x, y, n, at);
}

int akima_lowest_step(const double *x, const double *y, int n, int steps)
{
    double *t = xmalloc((size_t)n * sizeof *t), q[4], least = INFINITY;
    int lowest = 0, i = 0;

    akima_slopes(t, x, y, n);
    hermite_cubic(q, t, x, y, i);
    for (int k = 0; k <= steps; k++) {
        double v = x[0] + (x[n - 1] - x[0]) * k / steps;
        int was = i;
        while (i < n - 2 && v > x[i + 1])
            i++;
        if (i != was)
            hermite_cubic(q, t, x, y, i);
        v = cubic_at(q, v - x[i]);
        if (v < least) {
            least = v;
            lowest = k;
        }
    }
    free(t);
    return lowest;
}

double spline_at(const double *x, const double *y, int n, double at)
{
    return cubics_at(spline_slopes, x, y, n, at);
}

/* The inner minimum of a cubic on (0, h), or -1: the root of the derivative
 * where the second derivative is positive. */
static double cubic_dip(const double q[4], double h)
{
    double a = 3 * q[3], b = 2 * q[2], c = q[1], disc = b * b - 4 * a * c, s;

    if (fabs(a) * h * h < 1e-14 * (fabs(b) * h + fabs(c)))
        s = b > 0 ? -c / b : -1;
    else if (disc < 0)
        return -1;
    else /* of the two roots the one with a positive slope of q' */
        s = b > 0 ? -2 * c / (b + sqrt(disc)) : (-b + sqrt(disc)) / (2 * a);
    return s > 0 && s < h ? s : -1;
}

static int cubics_minimum(double *x_min, double *y_min, slopes_fn *slopes,
                          const double *x, const double *y, int n)
{
    double *t, q[4];

    *x_min = *y_min = NAN;
    if (n < 3)
        return -1;
    *x_min = x[0];
    *y_min = y[0];
    t = xmalloc((size_t)n * sizeof *t);
    slopes(t, x, y, n);
    for (int i = 0; i < n - 1; i++) {
        double h = x[i + 1] - x[i], s;
        if (y[i + 1] < *y_min) {
            *x_min = x[i + 1];
            *y_min = y[i + 1];
        }
        hermite_cubic(q, t, x, y, i);
        s = cubic_dip(q, h);
        if (s > 0 && cubic_at(q, s) < *y_min) {
            *x_min = x[i] + s;
            *y_min = cubic_at(q, s);
        }
    }
    free(t);
    return *x_min > x[0] && *x_min < x[n - 1] ? 0 : -1;
}

int akima_minimum(double *x_min, double *y_min, const double *x,
                  const double *y, int n)
{
    return cubics_minimum(x_min, y_min, akima_slopes, x, y, n);
}

int spline_minimum(double *x_min, double *y_min, const double *x,
                   const double *y, int n)
{
    return cubics_minimum(x_min, y_min, spline_slopes, x, y, n);
}
