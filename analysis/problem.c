/* A surface fit as a problem of minimisation. */
#include "analysis/problem.h"

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
struct rho problem_rho(const struct surface_options *o, double width)
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
    p->rho = problem_rho(o, 1e-12 * p->mean_loss);
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
        residual_jet(&r, &s, q, p, i, 0);
        /* raw: of exp(m) - L, whose derivatives are exp(m) times m's, and once
         * more the product of gradients */
        double L = 1, v = r.v;
        if (rho->raw) {
            L = exp(fmin(r.v + p->data.y[i], 700));
            v = L - p->data.y[i];
        }
        double slope = w * rho_slope(rho, v) * L;
        double curve = w * rho_curve(rho, v) * L * L + (rho->raw ? slope : 0);
        f += w * rho_at(rho, v);
        for (int a = 0; g && a < n; a++)
            g[a] += slope * r.g[a];
        for (int a = 0, at = 0; H && a < n; a++) {
            double bend = curve * r.g[a];
            for (int b = 0; b <= a; b++, at++)
                H[a * n + b] += bend * r.g[b] + slope * r.h[at];
        }
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
    struct rho r = problem_rho(&p->o, 0.02 * unit);

    if (r.hi < 0.05 * unit && p->o.objective != OBJECTIVE_ASYMMETRIC) {
        r.hi = 0.05 * unit;
        r.lo = -r.hi;
    }
    return r;
}
