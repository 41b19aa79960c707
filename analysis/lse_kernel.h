/* lse_kernel: the inner loop of every surface fit.
 *
 * The model is m = ln(exp(e) + exp(a - alpha x) + exp(b - beta d)) with x, d
 * logarithms of size and tokens, and the objective sum w rho(r) with
 *     r = m - ln L, or exp(m) - L (raw),
 *     rho'(r) = clamp(k r, lo, hi),  rho(0) = 0,
 * so that rho is a square between lo/k and hi/k and a straight line outside:
 * Huber is k = 1, hi = -lo = delta; least squares k = 2 without clamp; an
 * asymmetric absolute error the limit of large k.
 *
 * One source, compiled for vectors of two, four and eight doubles; the widest
 * that the machine has is used.  Its exp and log are our own, to 2 units in
 * the last place. */
#ifndef LOGLOG_ANALYSIS_LSE_KERNEL_H
#define LOGLOG_ANALYSIS_LSE_KERNEL_H

#include <stddef.h>

#define LSE_PARAMS 5 /* e, a, b, alpha, beta */
#define LSE_HESS 15  /* lower triangle, row by row */
#define LSE_ALIGN 8  /* n is a multiple of this */

/* Columns aligned to 64 bytes, n padded to LSE_ALIGN with rows of w = 0. */
struct lse_data {
    size_t n;
    const double *x, *d; /* ln size, ln tokens, usually less their means */
    const double *y;     /* ln L, or L when raw */
    const double *w;
};

struct rho {
    double k, lo, hi;
    int raw;
};

/* rho and its first two derivatives, for a single residual. */
static inline double rho_slope(const struct rho *r, double v)
{
    double s = r->k * v;

    return s < r->lo ? r->lo : s > r->hi ? r->hi : s;
}
static inline double rho_at(const struct rho *r, double v)
{
    double s = rho_slope(r, v);

    return s * (v - s / (2 * r->k));
}
static inline double rho_curve(const struct rho *r, double v)
{
    double s = r->k * v;

    return s < r->lo || s > r->hi ? 0 : r->k;
}

/* The objective at q = (e, a, b, alpha, beta); without E when no_E (q[0] is
 * not read, its derivatives are 0).  grad (5) and hess (15) may be NULL;
 * hess needs grad. */
double lse_eval(double *grad, double *hess, const struct lse_data *s,
                const double *q, int no_E, const struct rho *rho);

/* m of every row. */
void lse_predict(double *m, const struct lse_data *s, const double *q,
                 int no_E);

/* For tests: the widths this machine can run, and the same at one width. */
int lse_widths(int width[3]);
double lse_eval_width(int width, double *grad, double *hess,
                      const struct lse_data *s, const double *q, int no_E,
                      const struct rho *rho);
/* out[i] = exp(x[i]), log(x[i]) by the kernel's own functions; n a multiple
 * of LSE_ALIGN, aligned. */
void lse_exp(int width, double *out, const double *x, size_t n);
void lse_log(int width, double *out, const double *x, size_t n);

#endif
