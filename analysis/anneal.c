/* anneal: see anneal.h. */
#include "analysis/anneal.h"

#include "analysis/anneal_impl.h"
#include "analysis/bootstrap.h"
#include "analysis/linfit.h"
#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALPHA_LO 0.02
#define ALPHA_HI 4.0
#define ALPHAS 24
/* 1 - lambda: from a memory of 2 steps to one of 1e5. */
#define FORGET_LO 1e-5
#define FORGET_HI 0.5
#define FORGETS 16
#define POINTS_MIN 12 /* fewest of a trunk */
#define BLOCK 5       /* neighbouring points are not independent */

void anneal_options_default(struct anneal_options *o)
{
    *o = (struct anneal_options){.delta = 1e-3,
                                 .skip = 0.1,
                                 .lambda = NAN,
                                 .level = 0.9,
                                 .bootstrap = 200,
                                 .interval = BOOT_PERCENTILE,
                                 .seed = 1};
}

/* --- S1 and S2 --- */

void anneal_sums(double *S1, double *S2, const struct series *s, double lambda)
{
    double peak = series_peak(s), s1 = 0, s2 = 0, m = 0, before = 0;

    for (size_t i = 0; i < s->n; i++) {
        double steps = s->step[i] - (i ? s->step[i - 1] : 0), lr = s->lr[i];
        double fall = s->step[i] > peak ? before - lr : 0;
        s1 += steps * lr;
        /* the fall happens at the first step of the stretch */
        m = m * lambda + fall;
        if (lambda < 1) {
            double left = pow(lambda, steps - 1);
            s2 += m * (1 - left * lambda) / (1 - lambda);
            m *= left;
        } else {
            s2 += m * steps;
        }
        before = lr;
        S1[i] = s1;
        S2[i] = s2;
    }
}

/* Sums over the stretch of each row where losses are means of it. */
static void row_sums(double *S1, double *S2, const struct series *s,
                     double lambda)
{
    double b1 = 0, b2 = 0;

    anneal_sums(S1, S2, s, lambda);
    for (size_t i = 0; s->mean && i < s->n; i++) {
        double e1 = S1[i], e2 = S2[i];
        S1[i] = (b1 + e1) / 2;
        S2[i] = (b2 + e2) / 2;
        b1 = e1;
        b2 = e2;
    }
}

static double law_at(const struct anneal_law *law, double S1, double S2)
{
    return law->L0 + law->A * pow(S1, -law->alpha) - law->C * S2;
}

void anneal_predict(double *loss, const struct anneal_law *law,
                    const struct series *s)
{
    double *S1 = xmalloc((2 * s->n + 1) * sizeof *S1), *S2 = S1 + s->n;

    row_sums(S1, S2, s, law->lambda);
    for (size_t i = 0; i < s->n; i++)
        loss[i] = law_at(law, S1[i], S2[i]);
    free(S1);
}

/* --- the points of a trunk --- */

struct trunk {
    const struct series *s;
    const struct anneal_options *o;
    size_t *at, n;   /* rows that enter */
    double *w;       /* (n) weight: how often a resample drew it */
    double *S1, *S2; /* of every row, at the lambda last asked for */
    double lambda;
    double *X;        /* (n,3): of the linear problem */
    int rounds;       /* steps of it at most */
    double tolerance; /* of ln alpha and ln (1 - lambda) */
};

static int judged(const struct series *s, size_t i, double skip)
{
    return isfinite(s->loss[i]) && s->loss[i] > 0 && isfinite(s->lr[i]) &&
           s->step[i] > series_peak(s) && s->step[i] > skip * series_steps(s);
}

static void trunk_init(struct trunk *t, const struct series *s,
                       const struct anneal_options *o)
{
    size_t n = s->n + 1;

    *t = (struct trunk){.s = s, .o = o, .lambda = NAN};
    t->at = xmalloc(n * sizeof *t->at);
    t->w = xmalloc(n * sizeof *t->w);
    t->S1 = xmalloc(n * sizeof *t->S1);
    t->S2 = xmalloc(n * sizeof *t->S2);
    t->X = xmalloc(3 * n * sizeof *t->X);
    for (size_t i = 0; i < s->n; i++)
        if (judged(s, i, o->skip)) {
            t->w[t->n] = 1;
            t->at[t->n++] = i;
        }
}

static void trunk_release(struct trunk *t)
{
    free(t->at);
    free(t->w);
    free(t->S1);
    free(t->S2);
    free(t->X);
}

static void set_lambda(struct trunk *t, double lambda)
{
    if (t->lambda == lambda)
        return;
    row_sums(t->S1, t->S2, t->s, lambda);
    t->lambda = lambda;
}

/* Of the law c in the columns of X. */
static double objective(const struct trunk *t, const double c[3])
{
    double sum = 0, delta = t->o->delta;

    for (size_t k = 0; k < t->n; k++) {
        const double *x = t->X + 3 * k;
        double L = c[0] * x[0] + c[1] * x[1] + c[2] * x[2];
        if (!(L > 0))
            return INFINITY;
        double r = fabs(log(L / t->s->loss[t->at[k]]));
        sum += t->w[k] * (r < delta ? r * r / 2 : delta * (r - delta / 2));
    }
    return sum;
}

/* Minimise c'Gc/2 - h'c over c >= 0 for three variables: the best of the
 * feasible solutions with some of them held at zero. */
static void solve_nonneg(double c[3], const double G[9], const double h[3])
{
    double best = 0;

    c[0] = c[1] = c[2] = 0;
    for (int set = 1; set < 8; set++) {
        double g[9], r[3], x[3], value = 0;
        int at[3], p = 0, good = 1;
        for (int j = 0; j < 3; j++)
            if (set >> j & 1)
                at[p++] = j;
        for (int i = 0; i < p; i++) {
            r[i] = h[at[i]];
            for (int j = 0; j < p; j++)
                g[i * p + j] = G[3 * at[i] + at[j]];
        }
        if (linfit_solve_spd(x, NULL, g, r, p))
            continue;
        for (int i = 0; i < p; i++) {
            good &= x[i] >= 0;
            value += x[i] * r[i]; /* twice the fall of the objective */
        }
        if (!good || value <= best)
            continue;
        best = value;
        c[0] = c[1] = c[2] = 0;
        for (int i = 0; i < p; i++)
            c[at[i]] = x[i];
    }
}

/* Columns of the linear problem, scaled to 1 at the end of the trunk: 1,
 * S1^-alpha and -S2. */
static void set_columns(struct trunk *t, double alpha, double last, double s2)
{
    for (size_t k = 0; k < t->n; k++) {
        size_t i = t->at[k];
        t->X[3 * k] = 1;
        t->X[3 * k + 1] = pow(t->S1[i] / last, -alpha);
        t->X[3 * k + 2] = s2 > 0 ? -t->S2[i] / s2 : 0;
    }
}

/* One step of iteratively reweighted least squares of the linearised log
 * residuals about the losses (first) or about the law c. */
static void reweight(double c[3], const struct trunk *t, int first)
{
    double G[9] = {0}, h[3] = {0}, old[3] = {c[0], c[1], c[2]};

    for (size_t k = 0; k < t->n; k++) {
        const double *x = t->X + 3 * k;
        double L = t->s->loss[t->at[k]], r = 0, w = t->w[k];
        if (!first) {
            double m = old[0] * x[0] + old[1] * x[1] + old[2] * x[2];
            if (m > 0.1 * L) {
                r = log(m / L);
                L = m;
            }
            if (fabs(r) > t->o->delta)
                w *= t->o->delta / fabs(r);
        }
        w /= L * L;
        for (int i = 0; i < 3; i++) {
            h[i] += w * x[i] * L * (1 - r);
            for (int j = 0; j <= i; j++)
                G[3 * i + j] += w * x[i] * x[j];
        }
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < i; j++)
            G[3 * j + i] = G[3 * i + j];
    solve_nonneg(c, G, h);
}

/* The best L0, A and C at this alpha and lambda, in at most `rounds` steps. */
static double solve_linear(struct anneal_law *law, struct trunk *t,
                           double alpha, double lambda, int rounds)
{
    double last, s2 = 0, c[3] = {0}, best = INFINITY;

    set_lambda(t, lambda);
    last = t->S1[t->s->n - 1];
    for (size_t k = 0; k < t->n; k++)
        s2 = fmax(s2, t->S2[t->at[k]]);
    set_columns(t, alpha, last, s2);
    for (int round = 0; round < rounds; round++) {
        reweight(c, t, round == 0);
        struct anneal_law now = {c[0], c[1] * pow(last, alpha), alpha,
                                 s2 > 0 ? c[2] / s2 : 0, lambda};
        double f = objective(t, c);
        if (f < best)
            *law = now;
        if (!(f < best * (1 - 1e-10)))
            break;
        best = f;
    }
    return best;
}

/* --- alpha and lambda --- */

enum which { ALPHA, LAMBDA };

static double try_one(struct anneal_law *law, struct trunk *t, enum which w,
                      double u)
{
    double alpha = w == ALPHA ? exp(u) : law->alpha;
    double lambda = w == LAMBDA ? 1 - exp(u) : law->lambda;

    return solve_linear(law, t, alpha, lambda, t->rounds);
}

/* Golden section in the logarithm of alpha or of 1 - lambda. */
static double golden(struct anneal_law *law, double f, struct trunk *t,
                     enum which w, double width)
{
    const double g = 0.6180339887498949;
    double at = w == ALPHA ? log(law->alpha) : log(1 - law->lambda);
    double lo = fmax(at - width, log(w == ALPHA ? ALPHA_LO : FORGET_LO));
    double hi = fmin(at + width, log(w == ALPHA ? ALPHA_HI : FORGET_HI));
    struct anneal_law p = *law, q = *law;
    double u = hi - g * (hi - lo), v = lo + g * (hi - lo);
    double fu = try_one(&p, t, w, u), fv = try_one(&q, t, w, v);

    while (hi - lo > t->tolerance) {
        if (fu < f) {
            f = fu;
            *law = p;
        }
        if (fv < f) {
            f = fv;
            *law = q;
        }
        if (fu < fv) {
            hi = v;
            v = u;
            fv = fu;
            q = p;
            u = hi - g * (hi - lo);
            fu = try_one(&p, t, w, u);
        } else {
            lo = u;
            u = v;
            fu = fv;
            p = q;
            v = lo + g * (hi - lo);
            fv = try_one(&q, t, w, v);
        }
    }
    return f;
}

/* From a law near the best to the best; its objective. */
static double polish(struct anneal_law *law, double f, struct trunk *t,
                     double width, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        double before = f;
        f = golden(law, f, t, ALPHA, width);
        if (isnan(t->o->lambda))
            f = golden(law, f, t, LAMBDA, 3 * width);
        width = fmax(width / 2, 0.02);
        if (!(f < before * (1 - 1e-8)))
            break;
    }
    return f;
}

static double search(struct anneal_law *best, struct trunk *t)
{
    int forgets = isnan(t->o->lambda) ? FORGETS : 1;
    double f = INFINITY;

    for (int k = 0; k < forgets; k++) {
        double lambda = t->o->lambda;
        if (isnan(lambda))
            lambda = 1 - FORGET_LO * pow(FORGET_HI / FORGET_LO,
                                         k / (double)(FORGETS - 1));
        for (int i = 0; i < ALPHAS; i++) {
            double alpha =
                ALPHA_LO * pow(ALPHA_HI / ALPHA_LO, i / (double)(ALPHAS - 1));
            struct anneal_law law = {0};
            double at = solve_linear(&law, t, alpha, lambda, 6);
            if (at < f) {
                f = at;
                *best = law;
            }
        }
    }
    t->rounds = 60;
    t->tolerance = 1e-8;
    return polish(best, f, t, 0.3, 12);
}

/* --- intervals --- */

struct refit {
    struct trunk *t;
    const struct anneal_law *law;
};

/* idx are rows of the trunk's points, in whole blocks. */
static int refit(double *stat, const size_t *idx, size_t m,
                 const struct boot_turn *turn, void *ctx)
{
    struct refit *r = ctx;
    struct anneal_law law = *r->law;
    double f;

    (void)turn;
    memset(r->t->w, 0, r->t->n * sizeof *r->t->w);
    for (size_t i = 0; i < m; i++)
        r->t->w[idx[i]] += 1;
    f = solve_linear(&law, r->t, law.alpha, law.lambda, r->t->rounds);
    if (!isfinite(f))
        return -1;
    polish(&law, f, r->t, 0.5, 3);
    memcpy(stat, (double[5]){law.L0, law.A, law.alpha, law.C, law.lambda},
           5 * sizeof *stat);
    return 0;
}

static int intervals(struct anneal_family *f, struct trunk *t, struct err *e)
{
    enum boot_kind kind = (enum boot_kind)t->o->interval;
    struct boot_options o = {.resamples = (size_t)t->o->bootstrap,
                             .seed = t->o->seed,
                             .indices = t->o->indices,
                             .jackknife = kind == BOOT_BCA};
    double estimate[5] = {f->law.L0, f->law.A, f->law.alpha, f->law.C,
                          f->law.lambda};
    struct refit r = {t, &f->law};
    size_t *block = xmalloc((t->n + 1) * sizeof *block);
    struct bootstrap b;
    int rc;

    for (size_t k = 0; k < t->n; k++)
        block[k] = k / BLOCK;
    t->rounds = 12;
    t->tolerance = 1e-3;
    rc = bootstrap_run(&b, &o, t->n, block, (t->n + BLOCK - 1) / BLOCK,
                       estimate, 5, refit, &r, e);
    if (!rc) {
        for (size_t k = 0; k < 5; k++)
            bootstrap_interval(&f->ci[k][0], &f->ci[k][1], &b, k, kind,
                               t->o->level);
        bootstrap_release(&b);
    }
    free(block);
    for (size_t k = 0; k < t->n; k++)
        t->w[k] = 1;
    return t->o->indices ? rc : 0;
}

/* --- a family --- */

static int no_decay(const struct trunk *t)
{
    double most = 0, least = INFINITY;

    for (size_t k = 0; k < t->n; k++) {
        most = fmax(most, t->s->lr[t->at[k]]);
        least = fmin(least, t->s->lr[t->at[k]]);
    }
    return !(least < 0.9 * most);
}

static void judge(struct anneal_family *f, const struct trunk *t)
{
    if (t->n < POINTS_MIN)
        snprintf(f->refused, sizeof f->refused,
                 "%zu points after the warm-up, the law needs %d", t->n,
                 POINTS_MIN);
    else if (no_decay(t))
        snprintf(f->refused, sizeof f->refused,
                 "the learning rate of '%.60s' does not fall, so nothing says "
                 "what a fall is worth; fit a run that decays (--trunk RUN)",
                 t->s->label);
    else if (f->law.alpha <= ALPHA_LO * 1.01 || f->law.alpha >= ALPHA_HI * 0.99)
        snprintf(f->refused, sizeof f->refused,
                 "alpha ends at the edge of its range (%g to %g): the curve "
                 "of '%.60s' does not determine it; a longer run would",
                 ALPHA_LO, ALPHA_HI, t->s->label);
    else
        f->identified = 1;
}

static void add_row(struct anneal_family *f, const struct series *s,
                    const struct anneal_options *o, int fitted)
{
    struct anneal_row *r = &f->row[f->n_row++];
    double *p = xmalloc((s->n + 1) * sizeof *p), steps = series_steps(s);
    double o_sum = 0, p_sum = 0, ss = 0;
    int last = 0;

    *r = (struct anneal_row){.fitted = fitted, .steps = steps};
    snprintf(r->run, sizeof r->run, "%s", s->label);
    anneal_predict(p, &f->law, s);
    for (size_t i = s->n; i-- > 0;) {
        if (!judged(s, i, o->skip))
            continue;
        double d = p[i] / s->loss[i] - 1;
        ss += d * d;
        r->n++;
        if (last && s->step[i] <= 0.98 * steps)
            continue;
        o_sum += s->loss[i];
        p_sum += p[i];
        last++;
    }
    r->observed = last ? o_sum / last : NAN;
    r->predicted = last ? p_sum / last : NAN;
    r->error = r->predicted / r->observed - 1;
    r->rms = r->n ? sqrt(ss / r->n) : NAN;
    free(p);
}

int anneal_family_fit(struct anneal_family *f, const struct series_set *t,
                      const struct anneal_options *o, struct err *e)
{
    struct trunk k;
    int rc = 0;

    for (int i = 0; i < 5; i++)
        f->ci[i][0] = f->ci[i][1] = NAN;
    f->law = (struct anneal_law){NAN, NAN, NAN, NAN, NAN};
    f->objective = NAN;
    trunk_init(&k, &t->s[f->trunk], o);
    f->n = (int)k.n;
    if (k.n >= POINTS_MIN)
        f->objective = search(&f->law, &k);
    judge(f, &k);
    if (f->identified && (o->bootstrap > 0 || o->indices))
        rc = intervals(f, &k, e);
    trunk_release(&k);
    if (rc || f->n < POINTS_MIN)
        return rc;
    add_row(f, &t->s[f->trunk], o, 1);
    for (size_t i = 0; i < t->n; i++)
        if (i != f->trunk && strcmp(t->s[i].family, f->name) == 0)
            add_row(f, &t->s[i], o, 0);
    return 0;
}
