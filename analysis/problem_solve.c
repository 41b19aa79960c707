/* Minimising a surface's problem: L-BFGS for the search, Newton down a ladder
 * of ever sharper objectives for the exact one. */
#include "analysis/lbfgs.h"
#include "analysis/newton.h"
#include "analysis/problem.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scaled variables of L-BFGS: exponents times the spread of what they are
 * exponents of. */
struct descent {
    const struct problem *p;
    const struct rho *rho;
    double scale[SURFACE_MAX];
};

static double descent_fn(double *g, const double *z, void *ctx)
{
    struct descent *d = ctx;
    int n = d->p->info->n;
    double q[SURFACE_MAX] = {0};

    for (int i = 0; i < n; i++)
        q[i] = z[i] / d->scale[i];
    double f = problem_eval(g, NULL, q, d->p, d->rho);
    for (int i = 0; i < n; i++)
        g[i] /= d->scale[i];
    return f;
}

int problem_descend(double *q, const struct problem *p, const struct rho *rho,
                    double rel, int max_iter)
{
    struct descent d = {p, rho, {0}};
    struct lbfgs_options o = {max_iter, rel, 2};
    struct lbfgs_report rep;
    int n = p->info->n;
    double z[SURFACE_MAX];

    for (int i = 0; i < n; i++) {
        enum surface_role r = p->info->role[i];
        d.scale[i] = r == ROLE_ALPHA  ? p->sx
                     : r == ROLE_BETA ? p->sd
                     : r == ROLE_BOTH ? hypot(p->sx, p->sd) / M_SQRT2
                                      : 1;
        z[i] = q[i] * d.scale[i];
    }
    lbfgs_min(z, n, descent_fn, &d, &o, &rep);
    for (int i = 0; i < n; i++)
        q[i] = z[i] / d.scale[i];
    return rep.evals;
}

struct sharp {
    const struct problem *p;
    struct rho rho;
};

static double sharp_fn(double *g, double *H, const double *q, void *ctx)
{
    struct sharp *s = ctx;

    return problem_eval(g, H, q, s->p, &s->rho);
}

/* Farseer has valleys along which hardly anything is told: the last rung, of
 * which there are many rounds, is left where it stalls there. */
static double stall(const struct problem *p)
{
    return p->o.form == SURFACE_FARSEER ? 1e-9 : 0;
}

static int newton(double *q, const int *fixed, struct sharp *s, int max_iter,
                  double stalls)
{
    struct newton_options o = {max_iter, 1e-13, 1, stalls};
    struct newton_report r;

    newton_min(q, s->p->info->n, fixed, sharp_fn, s, &o, &r);
    return r.converged;
}

/* ln of the scale that maximises the likelihood of the residuals: the root of
 * sum w psi(u) u = W, u = r exp(-s). */
static double fit_scale(const double *r, const struct problem *p, double delta)
{
    struct rho rho = {1, -delta, delta, 0};
    double lo = log(1e-16), hi = log(1e6);

    for (int it = 0; it < 200 && hi - lo > 1e-14; it++) {
        double s = 0.5 * (lo + hi), sum = 0, inv = exp(-s);
        for (size_t i = 0; i < p->n; i++) {
            double u = r[i] * inv;
            sum += p->data.w[i] * rho_slope(&rho, u) * u;
        }
        if (sum > p->total)
            lo = s;
        else
            hi = s;
    }
    return 0.5 * (lo + hi);
}

/* - ln likelihood of residuals under a Huber density of this delta and scale
 * exp(s), normalised. */
static double huber_nll(const double *r, const struct problem *p, double delta,
                        double s)
{
    struct rho rho = {1, -delta, delta, 0};
    double norm = sqrt(2 * M_PI) * (1 - 2 * stat_normal_cdf(-delta)) +
                  2 * exp(-0.5 * delta * delta) / delta;
    double f = p->total * (s + log(norm)), inv = exp(-s);

    for (size_t i = 0; i < p->n; i++)
        f += p->data.w[i] * rho_at(&rho, r[i] * inv);
    return f;
}

/* One step down a ladder of sharper objectives: as the rounding w of the
 * corners shrinks by a factor `ratio`, the optimum moves linearly in w, so
 * the next one is foreseen from the last two. */
static void foresee(double *q, double *before, const int *fixed, int n,
                    int have, double ratio)
{
    for (int i = 0; i < n; i++) {
        double now = q[i];
        if (have && !(fixed && fixed[i]))
            q[i] += (now - before[i]) / ratio;
        before[i] = now;
    }
}

#define RATIO 4.0

static double solve_likelihood(double *q, const int *fixed,
                               const struct problem *p, int *converged)
{
    double *r = xmalloc((p->n + 1) * sizeof(*r)), f = INFINITY;
    double before[SURFACE_MAX];
    struct sharp s = {p, p->rho};
    double delta = fmax(1, p->o.delta);

    for (int k = 0;; k++, delta = fmax(delta / RATIO, p->o.delta)) {
        int last = delta <= p->o.delta;
        foresee(q, before, fixed, p->info->n, k > 3, RATIO);
        f = INFINITY;
        for (int round = 0; round < (last ? 30 : 1); round++) {
            problem_residuals(r, q, p);
            double ln_s = fit_scale(r, p, delta);
            double f1 = huber_nll(r, p, delta, ln_s);
            if (!(f1 < f - fmax(1e-12, stall(p)) * fabs(f)) && round > 0)
                break;
            f = f1;
            s.rho.k = exp(-2 * ln_s);
            s.rho.hi = delta * exp(-ln_s);
            s.rho.lo = -s.rho.hi;
            *converged = newton(q, fixed, &s, 40, last ? stall(p) : 0);
        }
        if (last)
            break;
    }
    free(r);
    return problem_value(q, p, NULL);
}

static void solve_asymmetric(double *q, const int *fixed,
                             const struct problem *p)
{
    struct sharp s = {p, p->rho};
    double before[SURFACE_MAX];
    int k = 0;

    for (double w = 3e-3; w > 1e-12; w /= RATIO, k++) {
        s.rho = problem_rho(&p->o, w * p->mean_loss);
        foresee(q, before, fixed, p->info->n, k > 3, RATIO);
        newton(q, fixed, &s, 40, 0);
    }
}

double problem_solve(double *q, const int *fixed, const struct problem *p,
                     int *converged)
{
    struct sharp s = {p, p->rho};
    int ok = 0;

    if (!converged)
        converged = &ok;
    if (p->o.objective == OBJECTIVE_LIKELIHOOD)
        return solve_likelihood(q, fixed, p, converged);
    if (p->o.objective == OBJECTIVE_ASYMMETRIC)
        solve_asymmetric(q, fixed, p);
    *converged = newton(q, fixed, &s, 100, stall(p));
    return problem_value(q, p, NULL);
}

double problem_value(const double *q, const struct problem *p, double *scale)
{
    if (scale)
        *scale = NAN;
    if (p->o.objective != OBJECTIVE_LIKELIHOOD &&
        p->o.objective != OBJECTIVE_ASYMMETRIC)
        return problem_eval(NULL, NULL, q, p, &p->rho);

    double *r = xmalloc((p->n + 1) * sizeof(*r)), f = 0;
    problem_residuals(r, q, p);
    if (p->o.objective == OBJECTIVE_LIKELIHOOD) {
        double s = fit_scale(r, p, p->o.delta);
        f = huber_nll(r, p, p->o.delta, s);
        if (scale)
            *scale = exp(s);
    } else {
        for (size_t i = 0; i < p->n; i++)
            f += p->data.w[i] * (r[i] > 0 ? p->o.over * r[i] : -r[i]);
    }
    free(r);
    return f;
}

double problem_deviance(const double *r, const struct problem *p, int free_,
                        double *slope)
{
    struct rho rho = p->rho;
    double *size = xmalloc((p->n + 1) * sizeof(*size));
    double psi2 = 0, rise = 0, dof = p->total - free_;

    /* E psi' as a difference over a width that holds enough residuals: the
     * density at a corner cannot be read off at the corner itself */
    for (size_t i = 0; i < p->n; i++)
        size[i] = fabs(r[i]);
    double mad = 1.4826 * stat_median(size, p->n);
    double h = fmax(mad * pow(fmax(p->total, 1), -0.2), 1e-15);
    if (p->o.objective == OBJECTIVE_LIKELIHOOD) {
        double s = exp(fit_scale(r, p, p->o.delta));
        rho = (struct rho){1 / (s * s), -p->o.delta / s, p->o.delta / s, 0};
    }
    for (size_t i = 0; i < p->n; i++) {
        double w = p->data.w[i], s = rho_slope(&rho, r[i]);
        psi2 += w * s * s;
        rise += w * (rho_slope(&rho, r[i] + h) - rho_slope(&rho, r[i] - h)) /
                (2 * h);
    }
    free(size);
    if (slope)
        *slope = rise / p->total;
    psi2 /= fmax(dof, 1);
    return p->o.objective == OBJECTIVE_LIKELIHOOD
               ? 1
               : rise / p->total / fmax(psi2, 1e-300);
}
