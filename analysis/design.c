/* Optimal design by linearised covariance. */
#include "analysis/design.h"

#include "analysis/linfit.h"
#include "analysis/stat.h"
#include "analysis/surface_form.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct design_options design_defaults = {
    .factor = 6,
    .noise = 0.004,
    .misfit = 0.001,
    .largest = 0.25,
    .tpp_lo = 1,
    .tpp_hi = 1000,
    .repeats = 3,
    .most = 80,
    .level = 0.9,
    .goal = DESIGN_LOSS,
};

#define BUDGETS 25 /* of candidates */
#define RATIOS 13

/* Gradient of ln L at (size, tokens) by surface_internal() parameters. */
static void row_at(double *g, const struct surface *s, double size,
                   double tokens)
{
    struct frame none = {0, 0};
    struct jet_space space = {surface_n_params(s->form), 0};
    struct jet m;
    double q[SURFACE_MAX];

    surface_internal(q, s);
    form_jet(&m, &space, s->form, q, &none, log(size), log(tokens),
             log(tokens));
    memcpy(g, m.g, (size_t)space.n * sizeof(*g));
}

/* The goal at the target and its gradient. */
static int goal_at(double *value, double *h, const struct surface *s,
                   const struct design_options *o, struct err *e)
{
    struct frame none = {0, 0};
    double size, tokens, loss, q[SURFACE_MAX];
    int n = surface_n_params(s->form);

    if (surface_optimum(&size, &tokens, &loss, s, o->target, o->factor, e))
        return -1;
    if (o->goal == DESIGN_LOSS) { /* envelope: the optimum may stay put */
        *value = loss;
        row_at(h, s, size, tokens);
        return 0;
    }
    *value = size;
    surface_internal(q, s);
    for (int i = 0; i < n; i++) {
        double ln[2];
        for (int side = 0; side < 2; side++) {
            struct surface t = {s->form, {0}};
            double q1[SURFACE_MAX], step = 1e-5;
            memcpy(q1, q, sizeof(q));
            q1[i] += side ? step : -step;
            form_from_internal(&t, q1, &none);
            if (surface_optimum(&size, &tokens, &loss, &t, o->target, o->factor,
                                e))
                return -1;
            ln[side] = log(size);
        }
        h[i] = (ln[1] - ln[0]) / 2e-5;
    }
    return 0;
}

/* Variance of one run's ln loss as evidence about the target. */
static double run_variance(const struct design_options *o, double flops)
{
    double off = o->misfit * fmax(0, log10(o->target / flops));

    return o->noise * o->noise + off * off;
}

static double quadratic(const double *h, const double *C, int n)
{
    double v = 0;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            v += h[i] * C[i * n + j] * h[j];
    return fmax(v, 0);
}

/* One more run of gradient g and this variance: C -= (Cg)(Cg)'/(var + g'Cg).
 */
static void observe(double *C, const double *g, double var, int n)
{
    double cg[SURFACE_MAX] = {0}, gcg = 0;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            cg[i] += C[i * n + j] * g[j];
    for (int i = 0; i < n; i++)
        gcg += g[i] * cg[i];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            C[i * n + j] -= cg[i] * cg[j] / (var + gcg);
}

/* How much the goal's variance would fall. */
static double gain(const double *C, const double *h, const double *g,
                   double var, int n)
{
    double hcg = 0, gcg = 0;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            hcg += h[i] * C[i * n + j] * g[j];
            gcg += g[i] * C[i * n + j] * g[j];
        }
    return hcg * hcg / (var + gcg);
}

/* What is known before any run: the given covariance, or a wide guess. */
static void prior(double *C, const struct surface *s, const double *cov)
{
    int n = surface_n_params(s->form);

    if (cov) {
        memcpy(C, cov, (size_t)(n * n) * sizeof(*C));
        return;
    }
    memset(C, 0, (size_t)(n * n) * sizeof(*C));
    for (int i = 0; i < n; i++) {
        enum surface_role r = form_table[s->form].role[i];
        int is_log = r == ROLE_E || r == ROLE_A || r == ROLE_B || r == ROLE_R;
        C[i * n + i] = is_log && r != ROLE_E ? 4 : is_log ? 0.09 : 0.01;
    }
}

struct candidate {
    double size, tokens, flops, var, g[SURFACE_MAX];
    int taken;
};

static size_t candidates(struct candidate *c, const struct surface *s,
                         const struct design_options *o)
{
    double least = o->least > 0 ? o->least : 1e-5 * o->flops;
    double most = o->largest * o->flops;
    size_t n = 0;

    for (int b = 0; b < BUDGETS; b++) {
        double flops = least * pow(most / least, b / (double)(BUDGETS - 1));
        for (int r = 0; r < RATIOS; r++) {
            double tpp = o->tpp_lo *
                         pow(o->tpp_hi / o->tpp_lo, r / (double)(RATIOS - 1));
            struct candidate *x = &c[n++];
            x->size = sqrt(flops / (o->factor * tpp));
            x->tokens = tpp * x->size;
            x->flops = flops;
            x->var = run_variance(o, flops);
            x->taken = 0;
            row_at(x->g, s, x->size, x->tokens);
        }
    }
    return n;
}

/* Take runs at this price per FLOP (of log variance) into c[].taken and
 * order[] (o->most entries, candidates as they were chosen); C becomes what is
 * known then.  Returns how many. */
static int take(struct candidate *c, size_t n, size_t *order, double *C,
                const double *h, int p, const struct design_options *o,
                double price)
{
    double spent = 0;
    int runs = 0;

    for (size_t i = 0; i < n; i++)
        c[i].taken = 0;
    while (runs < o->most) {
        double best = 0, var = quadratic(h, C, p);
        size_t pick = n;
        for (size_t i = 0; i < n; i++) {
            if (c[i].taken >= o->repeats || spent + c[i].flops > o->flops)
                continue;
            double share = gain(C, h, c[i].g, c[i].var, p) / var;
            double worth = -log1p(-fmin(share, 1 - 1e-12)) - price * c[i].flops;
            if (worth > best) {
                best = worth;
                pick = i;
            }
        }
        if (pick == n)
            break;
        observe(C, c[pick].g, c[pick].var, p);
        spent += c[pick].flops;
        c[pick].taken++;
        order[runs++] = pick;
    }
    return runs;
}

/* The runs of the best price, cells merged in the order of choice. */
static void propose(struct design *d, double *C, const double *h,
                    const struct surface *s)
{
    enum { PRICES = 28 };
    struct candidate *c = xcalloc((size_t)BUDGETS * RATIOS, sizeof(*c));
    size_t n = candidates(c, s, &d->o);
    size_t *order = xcalloc((size_t)d->o.most + 1, sizeof(*order));
    size_t *at = xcalloc(n + 1, sizeof(*at));
    int p = surface_n_params(s->form);
    double start[SURFACE_MAX * SURFACE_MAX], best = INFINITY, price = 0;

    memcpy(start, C, sizeof(start));
    for (int k = 0; k < PRICES; k++) {
        double try = 1e-3 / d->o.flops * pow(10, k / 3.5);
        memcpy(C, start, sizeof(start));
        take(c, n, order, C, h, p, &d->o, try);
        double var = quadratic(h, C, p);
        if (var < best) {
            best = var;
            price = try;
        }
    }
    memcpy(C, start, sizeof(start));
    int runs = take(c, n, order, C, h, p, &d->o, price);
    memcpy(C, start, sizeof(start));
    d->run = xcalloc(n + 1, sizeof(*d->run));
    for (size_t i = 0; i < n; i++)
        at[i] = n;
    for (int k = 0; k < runs; k++) {
        const struct candidate *x = &c[order[k]];
        observe(C, x->g, x->var, p);
        if (at[order[k]] == n) {
            at[order[k]] = d->n++;
            d->run[at[order[k]]] =
                (struct design_run){x->size, x->tokens, x->flops, 0, 0};
        }
        d->run[at[order[k]]].repeats++;
        d->run[at[order[k]]].sd = sqrt(quadratic(h, C, p));
        d->spent += x->flops;
    }
    free(at);
    free(order);
    free(c);
}

double design_fixed(struct design_run *run, const struct surface *s,
                    const struct design_options *o)
{
    const double decades = 3.5;
    double share = 0, spent = 0;

    for (int b = 0; b < 8; b++)
        share += 10 * pow(10, -decades * b / 7);
    for (int b = 0; b < 8; b++) {
        double flops = o->flops / share * pow(10, -decades * b / 7);
        double size, tokens, loss;
        if (surface_optimum(&size, &tokens, &loss, s, flops, o->factor, NULL))
            size = sqrt(flops / (20 * o->factor));
        for (int k = 0; k < 10; k++) {
            struct design_run *r = &run[10 * b + k];
            r->size = size * pow(16, k / 9.0 - 0.5);
            r->tokens = flops / (o->factor * r->size);
            r->flops = flops;
            r->repeats = 1;
            r->sd = NAN;
            spent += flops;
        }
    }
    return spent;
}

static int check(const struct design_options *o, struct err *e)
{
    if (!(o->flops > 0) || !(o->target > 0) || isinf(o->flops + o->target))
        return err_set(e, ERR_USAGE,
                       "a design needs positive flops to spend and a target, "
                       "found %g and %g",
                       o->flops, o->target);
    if (!(o->noise > 0) || !(o->misfit >= 0) || !(o->tpp_lo > 0) ||
        !(o->tpp_hi > o->tpp_lo) || o->repeats < 1 || o->most < 1 ||
        !(o->largest > 0 && o->largest <= 1))
        return err_set(e, ERR_USAGE,
                       "a design needs noise > 0, misfit >= 0, 0 < tokens per "
                       "parameter from < to, repeats >= 1, 0 < largest <= 1");
    return 0;
}

int design_runs(struct design *d, const struct surface *s, const double *cov,
                const struct design_options *o, struct err *e)
{
    double C[SURFACE_MAX * SURFACE_MAX] = {0}, h[SURFACE_MAX];
    double g[SURFACE_MAX];
    struct design_run fixed[DESIGN_FIXED];
    int n = surface_n_params(s->form);

    memset(d, 0, sizeof(*d));
    d->o = *o;
    if (check(o, e) || goal_at(&d->value, h, s, o, e))
        return -1;
    prior(C, s, cov);
    for (int i = 0; i < n * n; i++)
        if (!isfinite(C[i]))
            return err_set(e, ERR_FAILED,
                           "the fit has no covariance: its parameters are not "
                           "identified");
    d->sd_before = cov ? sqrt(quadratic(h, C, n)) : INFINITY;
    propose(d, C, h, s);
    d->sd_after = sqrt(quadratic(h, C, n));

    prior(C, s, cov);
    d->fixed_spent = design_fixed(fixed, s, o);
    for (int i = 0; i < DESIGN_FIXED; i++) {
        row_at(g, s, fixed[i].size, fixed[i].tokens);
        observe(C, g, run_variance(o, fixed[i].flops), n);
    }
    d->sd_fixed = sqrt(quadratic(h, C, n));
    return 0;
}

void design_release(struct design *d)
{
    free(d->run);
    memset(d, 0, sizeof(*d));
}
