/* Variable projection. */
#include "analysis/varpro.h"

#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 32
#define EXPONENT_LO 0.02
#define EXPONENT_HI 4.0

/* A solved cell: value = E + A * pa + B * pb, to some power or through E. */
struct cell {
    double E, A, B, alpha, beta;
    double extra; /* k of skaling, ln R of repeated */
    double f;
    double q[SURFACE_MAX];
};

/* The powers of both variables over the grid, and room to work. */
struct grid {
    const struct problem *p;
    int cells;
    double exponent[CELLS_MAX];
    double *pa, *pb;   /* (cells, padded) */
    double *y, *v, *t; /* target, weight, scratch (padded) */
    double *block;
};

static void powers(double *out, const double *x, double exponent,
                   const struct grid *g)
{
    size_t m = g->p->data.n;

    for (size_t i = 0; i < m; i++)
        g->t[i] = -exponent * x[i];
    lse_exp(0, out, g->t, m);
}

static void token_powers(struct grid *g, const double *d)
{
    for (int c = 0; c < g->cells; c++)
        powers(g->pb + (size_t)c * g->p->data.n, d, g->exponent[c], g);
}

static void grid_init(struct grid *g, const struct problem *p, int cells)
{
    size_t m = p->data.n;

    BUG_ON(cells < 2 || cells > CELLS_MAX);
    g->p = p;
    g->cells = cells;
    g->block = mem_tensor((2 * (size_t)cells + 3) * m * sizeof(double));
    BUG_ON(!g->block);
    g->pa = g->block;
    g->pb = g->pa + (size_t)cells * m;
    g->y = g->pb + (size_t)cells * m;
    g->v = g->y + m;
    g->t = g->v + m;
    for (int c = 0; c < cells; c++) {
        double at = c / (double)(cells - 1);
        g->exponent[c] = EXPONENT_LO * pow(EXPONENT_HI / EXPONENT_LO, at);
        powers(g->pa + (size_t)c * m, p->data.x, g->exponent[c], g);
    }
    token_powers(g, p->data.d);
}

/* Minimise over the columns of `set` (bits: 1, pa, pb) of the normal equations
 * G c = h; c of the others is 0.  Returns the explained sum, or -1 when one of
 * c is negative or the columns are dependent. */
static double subset(double c[3], double G[3][3], const double h[3], int set)
{
    double a[3][4], explained = 0;
    int idx[3], n = 0;

    for (int i = 0; i < 3; i++) {
        c[i] = 0;
        if (set >> i & 1)
            idx[n++] = i;
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            a[i][j] = G[idx[i]][idx[j]];
        a[i][3] = h[idx[i]];
    }
    for (int i = 0; i < n; i++) {
        if (!(a[i][i] > 1e-13 * G[idx[i]][idx[i]]))
            return -1;
        for (int k = i + 1; k < n; k++) {
            double m = a[k][i] / a[i][i];
            for (int j = i; j < n; j++)
                a[k][j] -= m * a[i][j];
            a[k][3] -= m * a[i][3];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        double s = a[i][3];
        for (int j = i + 1; j < n; j++)
            s -= a[i][j] * c[idx[j]];
        c[idx[i]] = s / a[i][i];
        if (!(c[idx[i]] >= 0))
            return -1;
    }
    for (int i = 0; i < 3; i++)
        explained += c[i] * h[i];
    return explained;
}

/* Weighted least squares of y on (1, pa, pb), coefficients not negative.
 * Returns the residual sum. */
static double project(double c[3], const double *pa, const double *pb,
                      const struct grid *g, int with_E)
{
    double G[3][3] = {{0}}, h[3] = {0}, yy = 0, best = -1, trial[3];
    const double *y = g->y, *v = g->v;

    for (size_t i = 0; i < g->p->n; i++) {
        double va = v[i] * pa[i], vb = v[i] * pb[i], vy = v[i] * y[i];
        G[0][0] += v[i];
        G[0][1] += va;
        G[0][2] += vb;
        G[1][1] += va * pa[i];
        G[1][2] += va * pb[i];
        G[2][2] += vb * pb[i];
        h[0] += vy;
        h[1] += va * y[i];
        h[2] += vb * y[i];
        yy += vy * y[i];
    }
    G[1][0] = G[0][1];
    G[2][0] = G[0][2];
    G[2][1] = G[1][2];
    int all = with_E ? 7 : 6;
    best = subset(c, G, h, all);
    if (best >= 0) /* feasible without bounds: the optimum */
        return yy - best;
    for (int set = 1; set < 8; set++) {
        if (set & ~all)
            continue;
        double e = subset(trial, G, h, set);
        if (e > best) {
            best = e;
            memcpy(c, trial, sizeof(trial));
        }
    }
    return best < 0 ? INFINITY : yy - best;
}

/* What makes a linear problem of the form: y to be fitted, and the weight that
 * turns its residuals into those of the objective. */
static void target(struct grid *g, double E, double k)
{
    const struct problem *p = g->p;

    for (size_t i = 0; i < p->n; i++) {
        double L = p->L[i], rise = 1;
        g->y[i] = L;
        if (E > 0 || k != 1) {
            g->y[i] = pow(L - E, 1 / k);
            rise = k * (L - E) / g->y[i];
        }
        double s = p->rho.raw ? rise : rise / L;
        g->v[i] = p->data.w[i] * s * s;
    }
}

/* Internal variables of a cell. */
static void cell_variables(struct cell *c, const struct problem *p)
{
    double floor = 1e-4 * p->mean_loss;

    for (int i = 0; i < p->info->n; i++)
        switch (p->info->role[i]) {
        case ROLE_E:
            c->q[i] = log(fmax(c->E, floor));
            break;
        case ROLE_A:
            c->q[i] = log(fmax(c->A, floor));
            break;
        case ROLE_B:
            c->q[i] = log(fmax(c->B, floor));
            break;
        case ROLE_ALPHA:
        case ROLE_BOTH:
            c->q[i] = c->alpha;
            break;
        case ROLE_BETA:
            c->q[i] = c->beta;
            break;
        default:
            c->q[i] = c->extra;
        }
}

/* Keep the best `most` cells, best first, not two of the same neighbourhood
 * (a factor 1.6 in both exponents) unless they differ in more than that. */
static int keep(struct cell *list, int n, int most, const struct cell *c)
{
    int at;

    for (int i = 0; i < n; i++) {
        int near = fabs(log(list[i].alpha / c->alpha)) < 0.5 &&
                   fabs(log(list[i].beta / c->beta)) < 0.5 &&
                   list[i].extra == c->extra;
        if (near && list[i].f <= c->f)
            return n;
        if (near) {
            memmove(list + i, list + i + 1,
                    (size_t)(n - i - 1) * sizeof(*list));
            n--;
            i--;
        }
    }
    for (at = n; at > 0 && list[at - 1].f > c->f; at--)
        if (at < most)
            list[at] = list[at - 1];
    if (at < most)
        list[at] = *c;
    return n < most && at < most ? n + 1 : n;
}

/* All cells of the exponent grid for one target. */
static int scan(struct cell *list, int n, int most, const struct grid *g,
                double E, double extra, size_t *searched)
{
    enum surface_form form = g->p->o.form;
    int with_E = form != SURFACE_POWER && form != SURFACE_SKALING;
    size_t m = g->p->data.n;

    for (int i = 0; i < g->cells; i++)
        for (int j = 0; j < g->cells; j++) {
            double c[3];
            if (form == SURFACE_TIED && i != j)
                continue;
            ++*searched;
            double f = project(c, g->pa + (size_t)i * m, g->pb + (size_t)j * m,
                               g, with_E);
            if (!isfinite(f) || (n == most && f >= list[n - 1].f))
                continue;
            struct cell cell = {.E = with_E ? c[0] : E,
                                .A = c[1],
                                .B = c[2],
                                .alpha = g->exponent[i],
                                .beta = g->exponent[j],
                                .extra = extra,
                                .f = f};
            n = keep(list, n, most, &cell);
        }
    return n;
}

/* Reweight a cell of a linear form for the shape of the objective. */
static void reweight(struct cell *c, struct grid *g, const struct rho *rho)
{
    const struct problem *p = g->p;
    int with_E = p->o.form != SURFACE_POWER;
    size_t m = p->data.n;
    double *pa = g->pa, *pb = g->pb + (size_t)(g->cells - 1) * m;
    double sol[3] = {c->E, c->A, c->B};

    powers(pa, p->data.x, c->alpha, g);
    powers(pb, p->data.d, c->beta, g);
    for (int pass = 0; pass < 4; pass++) {
        for (size_t i = 0; i < p->n; i++) {
            double L = p->L[i], r = sol[0] + sol[1] * pa[i] + sol[2] * pb[i];
            double unit = rho->raw ? 1 : 1 / L;
            r = (r - L) * unit;
            double tiny = 1e-9 * p->mean_loss;
            double size = fabs(r) < tiny ? tiny : fabs(r);
            double slope = fabs(rho_slope(rho, r < 0 ? -size : size));
            g->v[i] = p->data.w[i] * unit * unit * slope / size;
        }
        double trial[3];
        if (!isfinite(project(trial, pa, pb, g, with_E)))
            return;
        memcpy(sol, trial, sizeof(sol));
    }
    c->E = sol[0];
    c->A = sol[1];
    c->B = sol[2];
}

/* Farseer from a Chinchilla cell: the same surface with its constant
 * exponents, and a few bends of it. */
static int farseer_starts(struct cell *list, int most, const struct cell *base,
                          const struct problem *p)
{
    static const double power[] = {-0.1, -0.25, 0.15};
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(power); i++)
        for (int bend = -1; bend <= 1 && n < most; bend += 2) {
            struct cell c = *base;
            double g = power[i], E = fmax(base->E, 0.05 * p->mean_loss);
            double A = fmax(base->A, 0.01 * p->mean_loss);
            /* ln(E + A e^(-alpha x)) and its slope at the centre x = 0 */
            double level = log(E + A), slope = -base->alpha * A / (E + A);
            double a3 = slope / g, beta = base->beta;
            double b2 = log(fmax(base->B, 1e-3)) + beta * p->frame.d0;
            double q[] = {0.1 * bend, log(beta) - 0.1 * bend,
                          0.1,        b2 - 0.1,
                          a3,         level - a3,
                          0.1,        0.1,
                          g};
            memcpy(c.q, q, sizeof(q));
            list[n++] = c;
        }
    return n;
}

static int scan_form(struct cell *list, int most, struct grid *g,
                     size_t *searched)
{
    static const double ks[] = {0.25, 0.4, 0.65, 1};
    static const double shares[] = {0, 0.35, 0.6, 0.8, 0.92};
    static const double repeats[] = {2, 8, 30, 120};
    const struct problem *p = g->p;
    double lo, hi;
    int n = 0;

    target(g, 0, 1);
    switch (p->o.form) {
    case SURFACE_SKALING:
        stat_range(&lo, &hi, p->L, p->n);
        for (size_t k = 0; k < ARRAY_LEN(ks); k++)
            for (size_t s = 0; s < ARRAY_LEN(shares); s++) {
                target(g, shares[s] * lo, ks[k]);
                n = scan(list, n, most, g, shares[s] * lo, ks[k], searched);
            }
        return n;
    case SURFACE_REPEATED:
        for (size_t k = 0; k < ARRAY_LEN(repeats); k++) {
            double ln_R = log(repeats[k]), *d = g->y;
            for (size_t i = 0; i < p->n; i++)
                d[i] = form_effective(p->data.d[i], p->u[i], ln_R, NULL, NULL);
            token_powers(g, d);
            target(g, 0, 1);
            n = scan(list, n, most, g, 0, ln_R, searched);
        }
        return n;
    default:
        return scan(list, 0, most, g, 0, 0, searched);
    }
}

int varpro_search(double (*q)[SURFACE_MAX], int most, const struct problem *p,
                  int cells, size_t *searched)
{
    struct cell list[VARPRO_MAX], base;
    struct rho rho = p->rho;
    struct grid g;
    size_t count = 0;
    int n, linear = p->o.form != SURFACE_SKALING &&
                    p->o.form != SURFACE_REPEATED &&
                    p->o.form != SURFACE_FARSEER;

    BUG_ON(most < 1 || most > VARPRO_MAX);
    if (p->o.objective == OBJECTIVE_LIKELIHOOD ||
        p->o.objective == OBJECTIVE_ASYMMETRIC)
        rho = problem_smooth(p);
    grid_init(&g, p, cells);
    n = scan_form(list, most, &g, &count);
    for (int i = 0; linear && i < n; i++) {
        target(&g, 0, 1);
        reweight(&list[i], &g, &rho);
    }
    if (p->o.form == SURFACE_FARSEER && n > 0) {
        base = list[0];
        n = farseer_starts(list, most, &base, p);
    } else {
        for (int i = 0; i < n; i++)
            cell_variables(&list[i], p);
    }
    for (int i = 0; i < n; i++)
        memcpy(q[i], list[i].q, sizeof(q[i]));
    if (searched)
        *searched = count;
    mem_tensor_free(g.block);
    return n;
}
