/* A surface fit as a problem of minimisation. */
#include "analysis/problem.h"

#include "analysis/lbfgs.h"
#include "analysis/newton.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_UP(n) (((n) + LSE_ALIGN - 1) / LSE_ALIGN * LSE_ALIGN)

static int is_raw(enum surface_objective o)
{
    return o == OBJECTIVE_MSE_RAW || o == OBJECTIVE_HUBER_RAW ||
           o == OBJECTIVE_ASYMMETRIC;
}

/* The objective with corners rounded to `width` where it has them. */
static struct rho rho_of(const struct surface_options *o, double width)
{
    struct rho r = {.k = 1, .lo = -o->delta, .hi = o->delta};

    r.raw = is_raw(o->objective);
    if (o->objective == OBJECTIVE_MSE || o->objective == OBJECTIVE_MSE_RAW)
        r.k = 2, r.lo = -1e300, r.hi = 1e300;
    if (o->objective == OBJECTIVE_ASYMMETRIC)
        r.k = 1 / width, r.lo = -1, r.hi = o->over;
    return r;
}

static int check_row(const struct surface_data *d, size_t i, int need_unique,
                     struct err *e)
{
    const struct {
        const char *what;
        double v;
    } cell[] = {{"size", d->size[i]},
                {"tokens", d->tokens[i]},
                {"loss", d->loss[i]},
                {"unique tokens", need_unique ? d->unique[i] : 1}};

    for (size_t k = 0; k < ARRAY_LEN(cell); k++)
        if (!(cell[k].v > 0) || isinf(cell[k].v))
            return err_set(e, ERR_FAILED,
                           "point %zu of a surface fit has %s %g, expected a "
                           "positive number",
                           i, cell[k].what, cell[k].v);
    return 0;
}

int problem_init(struct problem *p, const struct surface_data *d,
                 const struct surface_options *o, struct err *e)
{
    int repeated = o->form == SURFACE_REPEATED;
    size_t n = d->n, m = ROUND_UP(n);

    memset(p, 0, sizeof(*p));
    p->o = *o;
    p->info = &form_table[o->form];
    p->n = n;
    if (repeated && !d->unique)
        return err_set(e, ERR_USAGE,
                       "the form 'repeated' needs unique tokens: map a column "
                       "to 'unique'");
    for (size_t i = 0; i < n; i++)
        if (check_row(d, i, repeated, e))
            return -1;
    if (n < (size_t)p->info->n + 1)
        return err_set(e, ERR_FAILED,
                       "%zu points cannot determine the %d parameters of the "
                       "form '%s'",
                       n, p->info->n, p->info->name);
    p->block = mem_tensor(6 * m * sizeof(double));
    if (!p->block)
        return err_set(e, ERR_ENV, "no memory for %zu points", n);
    double *x = p->block, *t = x + m, *y = t + m, *w = y + m;
    p->L = w + m;
    for (size_t i = 0; i < n; i++) {
        x[i] = log(d->size[i]);
        t[i] = log(d->tokens[i]);
        p->L[i] = d->loss[i];
        y[i] = is_raw(o->objective) ? d->loss[i] : log(d->loss[i]);
        p->mean_loss += d->loss[i] / (double)n;
    }
    p->frame.x0 = stat_mean(x, n);
    p->frame.d0 = stat_mean(t, n);
    p->sx = fmax(stat_sd(x, n), 1e-3);
    p->sd = fmax(stat_sd(t, n), 1e-3);
    for (size_t i = 0; i < n; i++) {
        x[i] -= p->frame.x0;
        t[i] -= p->frame.d0;
    }
    if (d->unique) {
        p->u = p->L + m;
        for (size_t i = 0; i < n; i++)
            p->u[i] = log(d->unique[i]) - p->frame.d0;
    }
    p->data = (struct lse_data){m, x, t, y, w};
    p->rho = rho_of(o, 1e-12 * p->mean_loss);
    problem_weights(p, d->weight);
    return 0;
}

void problem_release(struct problem *p)
{
    mem_tensor_free(p->block);
    p->block = NULL;
}

void problem_weights(struct problem *p, const double *weight)
{
    double *w = p->block + 3 * p->data.n;

    p->total = 0;
    for (size_t i = 0; i < p->n; i++) {
        w[i] = weight ? weight[i] : 1;
        p->total += w[i];
    }
}

/* The kernel's five variables from a form's, and derivatives back. */
static double eval_kernel(double *g, double *H, const double *q,
                          const struct problem *p, const struct rho *rho)
{
    const int *map = p->info->map, n = p->info->n;
    double full[LSE_PARAMS], grad[LSE_PARAMS], hess[LSE_HESS];

    for (int i = 0; i < LSE_PARAMS; i++)
        full[i] = map[i] >= 0 ? q[map[i]] : 0;
    double f = lse_eval(g ? grad : NULL, H ? hess : NULL, &p->data, full,
                        map[0] < 0, rho);
    if (g)
        memset(g, 0, (size_t)n * sizeof(*g));
    if (H)
        memset(H, 0, (size_t)(n * n) * sizeof(*H));
    for (int i = 0, at = 0; i < LSE_PARAMS; i++) {
        if (g && map[i] >= 0)
            g[map[i]] += grad[i];
        for (int j = 0; j <= i; j++, at++) {
            if (!H || map[i] < 0 || map[j] < 0)
                continue;
            H[map[i] * n + map[j]] += hess[at];
            if (i != j)
                H[map[j] * n + map[i]] += hess[at];
        }
    }
    return f;
}

/* The residual of row i as a jet. */
static void residual_jet(struct jet *m, const struct jet_space *s,
                         const double *q, const struct problem *p, size_t i,
                         int raw)
{
    form_jet(m, s, p->o.form, q, &p->frame, p->data.x[i], p->data.d[i],
             p->u ? p->u[i] : p->data.d[i]);
    if (raw)
        jet_exp(m, s, m);
    m->v -= p->data.y[i];
}

static double eval_jets(double *g, double *H, const double *q,
                        const struct problem *p, const struct rho *rho)
{
    int n = p->info->n;
    struct jet_space s = {n, H != NULL};
    struct jet r;
    double f = 0;

    if (g)
        memset(g, 0, (size_t)n * sizeof(*g));
    if (H)
        memset(H, 0, (size_t)(n * n) * sizeof(*H));
    for (size_t i = 0; i < p->n; i++) {
        double w = p->data.w[i];
        if (!(w > 0))
            continue;
        residual_jet(&r, &s, q, p, i, rho->raw);
        double slope = w * rho_slope(rho, r.v);
        double curve = w * rho_curve(rho, r.v);
        f += w * rho_at(rho, r.v);
        for (int a = 0; g && a < n; a++)
            g[a] += slope * r.g[a];
        for (int a = 0, at = 0; H && a < n; a++)
            for (int b = 0; b <= a; b++, at++)
                H[a * n + b] += curve * r.g[a] * r.g[b] + slope * r.h[at];
    }
    for (int a = 0; H && a < n; a++)
        for (int b = a + 1; b < n; b++)
            H[a * n + b] = H[b * n + a];
    return isfinite(f) ? f : INFINITY;
}

double problem_eval(double *g, double *H, const double *q,
                    const struct problem *p, const struct rho *rho)
{
    if (p->info->map[1] >= 0)
        return eval_kernel(g, H, q, p, rho);
    return eval_jets(g, H, q, p, rho);
}

void problem_residuals(double *r, const double *q, const struct problem *p)
{
    struct jet_space s = {p->info->n, 0};
    struct jet m;

    for (size_t i = 0; i < p->n; i++) {
        residual_jet(&m, &s, q, p, i, p->rho.raw);
        r[i] = m.v;
    }
}

void problem_row(double *g, const double *q, const struct problem *p, size_t i)
{
    struct jet_space s = {p->info->n, 0};
    struct jet m;

    residual_jet(&m, &s, q, p, i, p->rho.raw);
    memcpy(g, m.g, (size_t)p->info->n * sizeof(*g));
}

struct rho problem_smooth(const struct problem *p)
{
    double unit = p->rho.raw ? p->mean_loss : 1;
    struct rho r = rho_of(&p->o, 0.02 * unit);

    if (r.hi < 0.05 * unit && p->o.objective != OBJECTIVE_ASYMMETRIC) {
        r.hi = 0.05 * unit;
        r.lo = -r.hi;
    }
    return r;
}

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
    double q[SURFACE_MAX];

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

static int newton(double *q, const int *fixed, struct sharp *s, int max_iter)
{
    struct newton_options o = {max_iter, 1e-13, 1};
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
            if (!(f1 < f - 1e-12 * fabs(f)) && round > 0)
                break;
            f = f1;
            s.rho.k = exp(-2 * ln_s);
            s.rho.hi = delta * exp(-ln_s);
            s.rho.lo = -s.rho.hi;
            *converged = newton(q, fixed, &s, 40);
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
        s.rho = rho_of(&p->o, w * p->mean_loss);
        foresee(q, before, fixed, p->info->n, k > 3, RATIO);
        newton(q, fixed, &s, 40);
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
    *converged = newton(q, fixed, &s, 100);
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
