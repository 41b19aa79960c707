/* Fitting a loss surface: search, polish, and what the fit knows of itself. */
#include "analysis/surface.h"

#include "analysis/linfit.h"
#include "analysis/multistart.h"
#include "analysis/problem.h"
#include "analysis/profile.h"
#include "analysis/stat.h"
#include "analysis/surface_identify.h"
#include "analysis/varpro.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct surface_options surface_defaults = {
    .form = SURFACE_CHINCHILLA,
    .objective = OBJECTIVE_HUBER,
    .method = METHOD_VARPRO,
    .delta = 1e-3,
    .over = 10,
    .level = 0.9,
    .profile = 1,
};

static const char *const objective_names[OBJECTIVES] = {
    [OBJECTIVE_HUBER] = "huber",
    [OBJECTIVE_MSE] = "mse",
    [OBJECTIVE_MSE_RAW] = "mse-raw",
    [OBJECTIVE_HUBER_RAW] = "huber-raw",
    [OBJECTIVE_ASYMMETRIC] = "asymmetric",
    [OBJECTIVE_LIKELIHOOD] = "likelihood",
};
static const char *const method_names[METHODS] = {
    [METHOD_VARPRO] = "varpro",
    [METHOD_GRID] = "grid",
};
static const char *const refit_names[REFITS] = {
    [REFIT_VARPRO] = "varpro",
    [REFIT_GRID] = "grid",
    [REFIT_ENDS] = "ends",
};

static int parse(const char *name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

const char *surface_objective_name(enum surface_objective o)
{
    return objective_names[o];
}

int surface_objective_parse(const char *name)
{
    return parse(name, objective_names, OBJECTIVES);
}

const char *surface_method_name(enum surface_method m)
{
    return method_names[m];
}

int surface_method_parse(const char *name)
{
    return parse(name, method_names, METHODS);
}

const char *surface_refit_name(enum surface_refit_how h)
{
    return refit_names[h];
}

int surface_refit_parse(const char *name)
{
    return parse(name, refit_names, REFITS);
}

/* The sum that is minimised, as it is reported. */
static double reported(double f, const struct problem *p)
{
    return p->o.objective == OBJECTIVE_ASYMMETRIC ? f / p->total : f;
}

double surface_objective(const struct surface *s, const struct surface_data *d,
                         const struct surface_options *o)
{
    struct surface_options with = *o;
    struct problem p;
    double q[SURFACE_MAX];

    with.form = s->form;
    if (problem_init(&p, d, &with, NULL))
        return NAN;
    form_to_internal(q, s, &p.frame);
    double f = reported(problem_value(q, &p, NULL), &p);
    problem_release(&p);
    return f;
}

/* Polish each candidate; the best is left in q. */
static double polish(double *q, double (*from)[SURFACE_MAX], int n,
                     const struct problem *p, size_t *reached)
{
    struct rho smooth = problem_smooth(p);
    double f[VARPRO_MAX + 1], best = INFINITY;

    BUG_ON(n > VARPRO_MAX + 1);
    for (int i = 0; i < n; i++) {
        f[i] = INFINITY;
        for (int round = 0; round < 4; round++) {
            double before = f[i];
            if (p->info->map[1] < 0) /* far from its optimum, not convex */
                problem_descend(from[i], p, round ? &p->rho : &smooth, 1e-8,
                                400);
            f[i] = problem_solve(from[i], NULL, p, NULL);
            if (p->info->map[1] >= 0 || !(f[i] < 0.999 * before))
                break;
        }
        if (f[i] < best) {
            best = f[i];
            memcpy(q, from[i], sizeof(from[i]));
        }
    }
    *reached = 0;
    for (int i = 0; i < n; i++)
        *reached += f[i] <= best + 1e-6 * fabs(best) + 1e-20 * p->total;
    return best;
}

/* Huber's objective with a delta far below the residuals has many shallow
 * minima about the deep one, at points where other residuals vanish: try
 * some neighbours. */
static double shake(double *q, double best, const struct problem *p)
{
    struct rng r = {1, RNG_FIT, 0};
    double from[SURFACE_MAX], size = 0.2;

    for (int k = 0; k < 24; k++) {
        for (int i = 0; i < p->info->n; i++) {
            double step = size * rng_next_normal(&r);
            from[i] = q[i] + (p->info->role[i] == ROLE_E ||
                                      p->info->role[i] == ROLE_A ||
                                      p->info->role[i] == ROLE_B ||
                                      p->info->role[i] == ROLE_R
                                  ? step
                                  : step * q[i]);
        }
        double f = problem_solve(from, NULL, p, NULL);
        if (f < best * (1 - 1e-9)) {
            best = f;
            memcpy(q, from, sizeof(from));
        } else if (k % 6 == 5) {
            size *= 0.4;
        }
    }
    return best;
}

static int search(struct surface_fit *f, double *q, double *value,
                  const struct problem *p, struct err *e)
{
    double from[VARPRO_MAX][SURFACE_MAX];
    struct multistart m;

    if (f->options.method == METHOD_GRID &&
        f->options.form != SURFACE_FARSEER) {
        if (multistart(&m, p, f->options.threads, e))
            return -1;
        memcpy(q, m.q, sizeof(m.q));
        f->starts = m.starts;
        f->reached = m.reached;
        *value = problem_solve(q, NULL, p, NULL);
    } else {
        int n = varpro_search(from, VARPRO_MAX, p, 24, NULL);
        f->starts = (size_t)n;
        *value = polish(q, from, n, p, &f->reached);
    }
    int huber = f->options.objective == OBJECTIVE_HUBER ||
                f->options.objective == OBJECTIVE_HUBER_RAW;
    if (huber && p->info->map[1] >= 0 && f->reached < f->starts)
        *value = shake(q, *value, p);
    if (!isfinite(*value))
        return err_set(e, ERR_FAILED,
                       "no surface of the form '%s' fits these points",
                       p->info->name);
    return 0;
}

/* Covariance and conditioning from the Gauss-Newton matrix at the optimum. */
static void curvature(struct surface_fit *f, const double *q,
                      const struct problem *p, double kappa, double slope)
{
    int n = p->info->n;
    double G[SURFACE_MAX * SURFACE_MAX] = {0}, g[SURFACE_MAX];
    double J[SURFACE_MAX * SURFACE_MAX];

    for (size_t i = 0; i < p->n; i++) {
        if (!(p->data.w[i] > 0))
            continue;
        problem_row(g, q, p, i);
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++)
                G[a * n + b] += p->data.w[i] * g[a] * g[b];
    }
    form_unframe(J, p->o.form, q, &p->frame);
    identify_conditions(&f->cond, &f->cond_projected, G, J, p->info);
    identify_covariance(f->cov, G, J, n, 1 / (kappa * slope));
}

/* Profile what is to be identified; a lower objective met on the way is a
 * better start, and then all is done again (once). */
static int profile_all(struct surface_fit *f, double *q, double *value,
                       const struct problem *p)
{
    struct profile pr;

    for (int i = 0; i < SURFACE_MAX; i++)
        f->profile_lo[i] = f->profile_hi[i] = NAN;
    for (int i = 0; i < p->info->n; i++) {
        enum surface_role r = p->info->role[i];
        if (!f->options.profile || r == ROLE_A || r == ROLE_B || r == ROLE_FREE)
            continue;
        profile_run(&pr, p, q, *value, i, f->options.level);
        if (pr.best < *value - 1e-7 * fabs(*value)) {
            memcpy(q, pr.best_q, sizeof(pr.best_q));
            *value = problem_solve(q, NULL, p, NULL);
            return 1;
        }
        f->profile_lo[i] = pr.lo;
        f->profile_hi[i] = pr.hi;
        f->profile_open[i] = pr.open;
    }
    return 0;
}

static void finish(struct surface_fit *f, const double *q, double value,
                   const struct problem *p)
{
    double *r = xmalloc((p->n + 1) * sizeof(*r));
    double slope, sum = 0;
    struct surface_fit *o = f;

    form_from_internal(&o->s, q, &p->frame);
    o->objective = reported(value, p);
    problem_value(q, p, &o->scale);
    problem_residuals(r, q, p);
    double kappa = problem_deviance(r, p, p->info->n, &slope);
    curvature(o, q, p, kappa, slope);
    for (size_t i = 0; i < p->n; i++) {
        double v = p->rho.raw ? log1p(r[i] / p->L[i]) : r[i];
        sum += p->data.w[i] * v * v;
    }
    o->resid_sd = sqrt(sum / fmax(p->total - p->info->n, 1));
    int al = form_find(p->o.form, ROLE_ALPHA);
    int be = form_find(p->o.form, ROLE_BETA);
    o->a = NAN;
    if (al >= 0 && be >= 0)
        o->a = o->s.p[be] / (o->s.p[al] + o->s.p[be]);
    else if (p->o.form == SURFACE_TIED)
        o->a = 0.5;
    free(r);
}

int surface_fit(struct surface_fit *f, const struct surface_data *d,
                const struct surface_options *o, struct err *e)
{
    struct problem p;
    double q[SURFACE_MAX], value;
    int rc = -1;

    memset(f, 0, sizeof(*f));
    f->options = *o;
    f->s.form = o->form;
    f->n = d->n;
    if (problem_init(&p, d, o, e))
        goto out;
    if (search(f, q, &value, &p, e))
        goto out;
    int moved = 1;
    for (int again = 0; again < 4 && moved; again++)
        moved = profile_all(f, q, &value, &p);
    finish(f, q, value, &p);
    identify(f, q, &p);
    if (moved && f->identified) {
        f->identified = 0;
        snprintf(f->refused, sizeof(f->refused),
                 "the parameters of the form '%s' are not determined: the "
                 "objective keeps falling along them; use a form with fewer",
                 p.info->name);
    }
    rc = 0;
out:
    problem_release(&p);
    return rc;
}

int surface_ends(struct start_ends *s, const struct surface_fit *f,
                 const struct surface_data *d, struct err *e)
{
    struct problem p;
    int rc = problem_init(&p, d, &f->options, e);

    memset(s, 0, sizeof(*s));
    if (rc == 0)
        rc = start_ends_find(s, &p, f->options.threads, e);
    problem_release(&p);
    return rc;
}

/* Candidates for the optimum of p; their number, or -1. */
static int candidates(double (*from)[SURFACE_MAX], const struct problem *p,
                      const struct start_ends *s, struct err *e)
{
    struct multistart m;

    if (!s && p->o.refit != REFIT_GRID)
        return p->info->map[1] >= 0 ? varpro_search(from, 2, p, 12, NULL) : 0;
    if (s ? multistart_from(&m, s, p, 1, e) : multistart(&m, p, 1, e))
        return -1;
    memcpy(from[0], m.q, sizeof(m.q));
    return 1;
}

int surface_refit_from(struct surface_fit *f, const struct surface_data *d,
                       const struct start_ends *s, struct err *e)
{
    double from[VARPRO_MAX + 1][SURFACE_MAX], q[SURFACE_MAX];
    struct problem p;
    size_t reached;
    int n, rc = -1;

    if (problem_init(&p, d, &f->options, e))
        goto out;
    n = candidates(from, &p, s, e);
    if (n < 0)
        goto out;
    form_to_internal(from[n++], &f->s, &p.frame);
    double value = polish(q, from, n, &p, &reached);
    if (!isfinite(value)) {
        err_set(e, ERR_FAILED, "no surface fits these points");
        goto out;
    }
    form_from_internal(&f->s, q, &p.frame);
    f->objective = reported(value, &p);
    int al = form_find(f->s.form, ROLE_ALPHA);
    int be = form_find(f->s.form, ROLE_BETA);
    if (al >= 0 && be >= 0)
        f->a = f->s.p[be] / (f->s.p[al] + f->s.p[be]);
    rc = 0;
out:
    problem_release(&p);
    return rc;
}

int surface_refit(struct surface_fit *f, const struct surface_data *d,
                  struct err *e)
{
    return surface_refit_from(f, d, NULL, e);
}
