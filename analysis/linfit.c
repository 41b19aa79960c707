/* Weighted linear least squares.
 *
 * Householder QR on the design whose columns are scaled to unit length: the
 * scaling makes the condition number a property of the design and not of the
 * units.  The covariance comes from R^-1, and the singular values of R from
 * the eigenvalues of R'R, good enough for a condition number (to 1e8 or so it
 * is exact, above it is "too large", which is all that is asked). */
#include "analysis/linfit.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COND_MAX 1e12

/* A (n,p) with its right-hand side as column p: Householder QR in place.  The
 * upper triangle of the first p rows is R; diag[j] is R[j][j]. */
static void householder(double *A, double *diag, size_t n, int p)
{
    size_t w = (size_t)p + 1;

    for (int j = 0; j < p; j++) {
        size_t jj = (size_t)j;
        double norm = 0;
        for (size_t i = jj; i < n; i++)
            norm += A[i * w + jj] * A[i * w + jj];
        norm = sqrt(norm);
        if (A[jj * w + jj] > 0)
            norm = -norm;
        diag[j] = norm;
        if (norm == 0)
            continue;
        A[jj * w + jj] -= norm;
        double vv = 0;
        for (size_t i = jj; i < n; i++)
            vv += A[i * w + jj] * A[i * w + jj];
        for (size_t k = jj + 1; k < w; k++) {
            double dot = 0;
            for (size_t i = jj; i < n; i++)
                dot += A[i * w + jj] * A[i * w + k];
            dot *= 2 / vv;
            for (size_t i = jj; i < n; i++)
                A[i * w + k] -= dot * A[i * w + jj];
        }
    }
}

/* One or several sweeps of Jacobi rotations until A is diagonal. */
void linfit_eigen(double *value, double *vec, const double *A, int p)
{
    double S[LINFIT_MAX * LINFIT_MAX], V[LINFIT_MAX * LINFIT_MAX] = {0};

    BUG_ON(p < 1 || p > LINFIT_MAX);
    memcpy(S, A, (size_t)(p * p) * sizeof(*S));
    for (int i = 0; i < p; i++)
        V[i * p + i] = 1;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, on = 0;
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                *(i == j ? &on : &off) += S[i * p + j] * S[i * p + j];
        if (off <= 1e-32 * on)
            break;
        for (int i = 0; i < p; i++)
            for (int j = i + 1; j < p; j++) {
                double sij = S[i * p + j];
                if (sij == 0)
                    continue;
                double theta = (S[j * p + j] - S[i * p + i]) / (2 * sij);
                double t = (theta >= 0 ? 1 : -1) /
                           (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < p; k++) {
                    double a = S[k * p + i], b = S[k * p + j];
                    S[k * p + i] = c * a - s * b;
                    S[k * p + j] = s * a + c * b;
                }
                for (int k = 0; k < p; k++) {
                    double a = S[i * p + k], b = S[j * p + k];
                    S[i * p + k] = c * a - s * b;
                    S[j * p + k] = s * a + c * b;
                    a = V[k * p + i], b = V[k * p + j];
                    V[k * p + i] = c * a - s * b;
                    V[k * p + j] = s * a + c * b;
                }
            }
    }
    int order[LINFIT_MAX];
    for (int i = 0; i < p; i++) {
        int k = i;
        for (; k > 0 && S[order[k - 1] * (p + 1)] > S[i * (p + 1)]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (int i = 0; i < p; i++) {
        value[i] = S[order[i] * (p + 1)];
        for (int k = 0; vec && k < p; k++)
            vec[k * p + i] = V[k * p + order[i]];
    }
}

int linfit_solve_spd(double *x, double *inv, const double *A, const double *b,
                     int p)
{
    double L[LINFIT_MAX * LINFIT_MAX], z[LINFIT_MAX];

    BUG_ON(p < 1 || p > LINFIT_MAX);
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double s = A[i * p + j];
            for (int k = 0; k < j; k++)
                s -= L[i * p + k] * L[j * p + k];
            if (i == j && !(s > 1e-15 * fabs(A[i * p + i])))
                return -1;
            L[i * p + j] = i == j ? sqrt(s) : s / L[j * p + j];
        }
    for (int c = -1; c < (inv ? p : 0); c++) {
        for (int i = 0; i < p; i++) {
            double s = c < 0 ? (b ? b[i] : 0) : i == c;
            for (int k = 0; k < i; k++)
                s -= L[i * p + k] * z[k];
            z[i] = s / L[i * p + i];
        }
        for (int i = p - 1; i >= 0; i--) {
            double s = z[i];
            for (int k = i + 1; k < p; k++)
                s -= L[k * p + i] * z[k];
            z[i] = s / L[i * p + i];
            if (c >= 0)
                inv[i * p + c] = z[i];
        }
        if (c < 0 && x)
            memcpy(x, z, (size_t)p * sizeof(*x));
    }
    return 0;
}

/* The rows with weight, times the root of the weight scaled to mean 1, beside
 * their y; unit columns.  Returns the rows; 0 with *e filled. */
static size_t prepare(double *A, double *length, const double *X,
                      const double *y, const double *w, size_t n, int p,
                      struct err *e)
{
    size_t rows = 0, width = (size_t)p + 1;
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        if (!(wi >= 0) || isinf(wi))
            return err_set(e, ERR_FAILED, "weight %zu is not a number >= 0", i),
                   0;
        sum += wi;
        rows += wi > 0;
    }
    double scale = rows ? (double)rows / sum : 0;
    memset(length, 0, (size_t)p * sizeof(*length));
    rows = 0;
    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        if (wi == 0)
            continue;
        double root = sqrt(wi * scale);
        for (int j = 0; j <= p; j++) {
            double v = j < p ? X[i * (size_t)p + (size_t)j] : y[i];
            if (!isfinite(v))
                return err_set(e, ERR_FAILED,
                               "row %zu of a least-squares problem has a "
                               "number that is not finite",
                               i),
                       0;
            A[rows * width + (size_t)j] = v * root;
            if (j < p)
                length[j] += v * root * v * root;
        }
        rows++;
    }
    for (int j = 0; j < p; j++) {
        length[j] = sqrt(length[j]);
        for (size_t i = 0; i < rows && length[j] > 0; i++)
            A[i * width + (size_t)j] /= length[j];
    }
    return rows;
}

/* Condition number of the R of unit columns, and the coefficients and
 * (R'R)^-1 by back substitution. */
static int back(struct linfit *f, double *inv, const double *A,
                const double *diag, struct err *e)
{
    int p = f->p, w = p + 1;
    double R[LINFIT_MAX * LINFIT_MAX] = {0}, G[LINFIT_MAX * LINFIT_MAX];
    double value[LINFIT_MAX];

    for (int i = 0; i < p; i++) {
        R[i * p + i] = diag[i];
        for (int j = i + 1; j < p; j++)
            R[i * p + j] = A[i * w + j];
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            G[i * p + j] = 0;
            for (int k = 0; k <= (i < j ? i : j); k++)
                G[i * p + j] += R[k * p + i] * R[k * p + j];
        }
    linfit_eigen(value, NULL, G, p);
    f->cond = value[0] > 0 ? sqrt(value[p - 1] / value[0]) : INFINITY;
    for (int i = 0; i < p; i++)
        if (fabs(diag[i]) * COND_MAX < 1)
            return err_set(e, ERR_FAILED,
                           "column %d of a least-squares problem follows from "
                           "the others: not identified",
                           i);
    for (int c = 0; c <= p; c++)
        for (int i = p - 1; i >= 0; i--) {
            double s = c < p ? i == c : A[i * w + p];
            for (int k = i + 1; k < p; k++)
                s -= R[i * p + k] * (c < p ? inv[k * p + c] : f->coef[k]);
            if (c < p)
                inv[i * p + c] = s / R[i * p + i];
            else
                f->coef[i] = s / R[i * p + i];
        }
    return 0;
}

static void residuals(struct linfit *f, const double *X, const double *y,
                      const double *w, size_t n)
{
    double sw = 0, sy = 0, tss = 0, rss = 0;

    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        sw += wi;
        sy += wi > 0 ? wi * y[i] : 0;
    }
    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        if (wi == 0)
            continue;
        double r = y[i] - linfit_at(f, X + i * (size_t)f->p, NULL);
        rss += wi * r * r;
        tss += wi * (y[i] - sy / sw) * (y[i] - sy / sw);
    }
    f->rss = rss;
    f->r2 = tss > 0 ? 1 - rss / tss : NAN;
    f->sigma2 = f->dof > 0 ? rss * (double)f->n / sw / f->dof : NAN;
}

int linfit(struct linfit *f, const double *X, const double *y, const double *w,
           size_t n, int p, struct err *e)
{
    double length[LINFIT_MAX], diag[LINFIT_MAX];
    double inv[LINFIT_MAX * LINFIT_MAX];
    int rc = -1;

    BUG_ON(p < 1 || p > LINFIT_MAX);
    memset(f, 0, sizeof(*f));
    f->p = p;
    double *A = xmalloc((n + 1) * ((size_t)p + 1) * sizeof(*A));
    f->n = prepare(A, length, X, y, w, n, p, e);
    if (f->n == 0 && n > 0)
        goto out;
    if (f->n < (size_t)p) {
        err_set(e, ERR_FAILED, "%zu points cannot determine %d parameters",
                f->n, p);
        goto out;
    }
    f->dof = (int)f->n - p;
    householder(A, diag, f->n, p);
    if (back(f, inv, A, diag, e))
        goto out;
    for (int i = 0; i < p; i++)
        f->coef[i] /= length[i];
    residuals(f, X, y, w, n);
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < p; j++) {
            double s = 0;
            for (int k = 0; k < p; k++)
                s += inv[i * p + k] * inv[j * p + k];
            f->cov[i * p + j] = s * f->sigma2 / (length[i] * length[j]);
        }
        f->se[i] = sqrt(f->cov[i * p + i]);
    }
    rc = 0;
out:
    free(A);
    return rc;
}

double linfit_at(const struct linfit *f, const double *x, double *se)
{
    double v = 0, var = 0;

    for (int i = 0; i < f->p; i++) {
        v += f->coef[i] * x[i];
        for (int j = 0; se && j < f->p; j++)
            var += x[i] * f->cov[i * f->p + j] * x[j];
    }
    if (se)
        *se = sqrt(var);
    return v;
}

/* Least squares on the columns of `set` only; coef of the others is 0. */
static int on_columns(double *coef, const double *X, const double *y,
                      const double *w, size_t n, int p, const int *set,
                      struct err *e)
{
    struct linfit f;
    int col[LINFIT_MAX], q = 0;

    for (int j = 0; j < p; j++) {
        coef[j] = 0;
        if (set[j])
            col[q++] = j;
    }
    if (q == 0)
        return 0;
    double *Z = xmalloc(n * (size_t)q * sizeof(*Z));
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < q; k++)
            Z[i * (size_t)q + (size_t)k] = X[i * (size_t)p + (size_t)col[k]];
    int rc = linfit(&f, Z, y, w, n, q, e);
    for (int k = 0; k < q && rc == 0; k++)
        coef[col[k]] = f.coef[k];
    free(Z);
    return rc;
}

/* The gradient X'W(y - X coef) of column j, relative to its size. */
static double pull(const double *coef, const double *X, const double *y,
                   const double *w, size_t n, int p, int j)
{
    double g = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1, r = y[i];
        if (wi == 0)
            continue;
        for (int k = 0; k < p; k++)
            r -= coef[k] * X[i * (size_t)p + (size_t)k];
        g += wi * X[i * (size_t)p + (size_t)j] * r;
        size += wi * fabs(X[i * (size_t)p + (size_t)j] * y[i]);
    }
    return size > 0 ? g / size : 0;
}

int linfit_nonneg(double *coef, const double *X, const double *y,
                  const double *w, size_t n, int p, const int *nonneg,
                  struct err *e)
{
    int set[LINFIT_MAX];
    double trial[LINFIT_MAX];

    BUG_ON(p < 1 || p > LINFIT_MAX);
    for (int j = 0; j < p; j++)
        set[j] = !nonneg[j];
    if (on_columns(coef, X, y, w, n, p, set, e))
        return -1;
    for (int round = 0; round < 3 * p + 3; round++) {
        int best = -1;
        double most = 1e-13;
        for (int j = 0; j < p; j++) {
            double g = set[j] ? 0 : pull(coef, X, y, w, n, p, j);
            if (g > most)
                most = g, best = j;
        }
        if (best < 0)
            return 0;
        set[best] = 1;
        for (;;) { /* walk towards the free solution, dropping what hits 0 */
            if (on_columns(trial, X, y, w, n, p, set, e))
                return -1;
            double step = 1;
            int hit = -1;
            for (int j = 0; j < p; j++)
                if (nonneg[j] && set[j] && trial[j] <= 0) {
                    double s = coef[j] / (coef[j] - trial[j]);
                    if (!(s >= 0))
                        s = 0;
                    if (hit < 0 || s < step)
                        step = s, hit = j;
                }
            for (int j = 0; j < p; j++)
                coef[j] += step * (trial[j] - coef[j]);
            if (hit < 0)
                break;
            coef[hit] = 0;
            set[hit] = 0;
        }
    }
    return 0;
}
