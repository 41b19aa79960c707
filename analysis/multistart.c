/* The grid of starts. */
#include "analysis/multistart.h"

#include "analysis/newton.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ROUGH_ROWS 48 /* points of the first descent */
#define REACHED 1e-6
#define SAME_END 1e-4 /* of every variable */
#define GONE 16       /* a term below e^-16 of the loss */

/* Starting values of a role; unused ones have n = 1. */
struct values {
    int n;
    double v[6];
};

static struct values starts_of(enum surface_role r)
{
    static const struct values exponent = {5, {0, 0.5, 1, 1.5, 2}};
    static const struct values coef = {6, {0, 5, 10, 15, 20, 25}};
    static const struct values ln_E = {5, {-1, -0.5, 0, 0.5, 1}};
    static const struct values k = {1, {0.5}}, ln_R = {1, {2.7}};

    switch (r) {
    case ROLE_E:
        return ln_E;
    case ROLE_A:
    case ROLE_B:
        return coef;
    case ROLE_K:
        return k;
    case ROLE_R:
        return ln_R;
    default:
        return exponent;
    }
}

static size_t count_starts(const struct form_info *t)
{
    size_t n = 1;

    for (int i = 0; i < t->n; i++)
        n *= (size_t)starts_of(t->role[i]).n;
    return n;
}

/* The number-th start as internal variables: the coefficients of the grid
 * belong to sizes and tokens as they are, those of q to the frame. */
static void start_at(double *q, size_t number, const struct problem *p)
{
    struct surface s = {p->o.form, {0}};

    for (int i = p->info->n - 1; i >= 0; i--) {
        enum surface_role r = p->info->role[i];
        struct values v = starts_of(r);
        double x = v.v[number % (size_t)v.n];
        number /= (size_t)v.n;
        s.p[i] = r == ROLE_E || r == ROLE_A || r == ROLE_B || r == ROLE_R
                     ? exp(x)
                     : x;
    }
    form_to_internal(q, &s, &p->frame);
}

/* Bring back the terms that have vanished against the rest (below e^-6 of the
 * loss) where the objective falls as they grow; their exponents begin again.
 * Returns how many. */
static int revive(double *q, const struct problem *p, const struct rho *rho)
{
    double g[SURFACE_MAX], top = log(p->mean_loss);
    int n = 0;

    problem_eval(g, NULL, q, p, rho);
    for (int i = 0; i < p->info->n; i++) {
        enum surface_role r = p->info->role[i];
        if (r != ROLE_E && r != ROLE_A && r != ROLE_B)
            continue;
        if (!(g[i] < 0 && q[i] < top - 6))
            continue;
        q[i] = top - 3;
        int al = form_find(p->o.form, r == ROLE_A ? ROLE_ALPHA : ROLE_BETA);
        if (r != ROLE_E && al >= 0)
            q[al] = 0.3;
        n++;
    }
    return n;
}

struct exact {
    const struct problem *p;
    struct rho rho;
};

static double exact_fn(double *g, double *H, const double *q, void *ctx)
{
    struct exact *x = ctx;

    return problem_eval(g, H, q, x->p, &x->rho);
}

struct job {
    const struct problem *p, *rough;
    size_t n, step; /* starts or ends; taken at a time */
    double *f, (*q)[SURFACE_MAX];
    void (*run)(struct job *j, size_t number);
    atomic_size_t next;
};

/* Down the rounder objective, to the end of it where it has one. */
static void run_rough(struct job *j, size_t number)
{
    struct exact x = {j->rough, problem_smooth(j->p)};
    struct newton_options o = {30, 1e-11, 1, 0};
    struct newton_report r;
    double *q = j->q[number];

    start_at(q, number, j->p);
    for (int round = 0; round < 3; round++) {
        problem_descend(q, j->rough, &x.rho, 1e-4, 200);
        if (round == 2 || !revive(q, j->rough, &x.rho))
            break;
    }
    newton_min(q, j->p->info->n, NULL, exact_fn, &x, &o, &r);
}

/* A term has vanished: neither its coefficient nor its exponent matters. */
static int vanished(const double *q, int i, const struct problem *p)
{
    enum surface_role r = p->info->role[i];

    if (r == ROLE_ALPHA || r == ROLE_BETA)
        i = form_find(p->o.form, r == ROLE_ALPHA ? ROLE_A : ROLE_B);
    else if (r != ROLE_E && r != ROLE_A && r != ROLE_B)
        return 0;
    return i >= 0 && q[i] < log(p->mean_loss) - GONE;
}

static int same_end(const double *a, const double *b, const struct problem *p)
{
    for (int i = 0; i < p->info->n; i++)
        if (!(fabs(a[i] - b[i]) <= SAME_END) &&
            !(vanished(a, i, p) && vanished(b, i, p)))
            return 0;
    return 1;
}

/* Starts that have come to one point go on as one. */
static void merge(struct start_ends *to, const struct job *j)
{
    to->starts = xcalloc(j->n, sizeof(*to->starts));
    to->q = xmalloc(j->n * sizeof(*to->q));
    for (size_t i = 0; i < j->n; i++) {
        size_t k = 0;
        while (k < to->n && !same_end(j->q[i], to->q[k], j->p))
            k++;
        if (k == to->n)
            memcpy(to->q[to->n++], j->q[i], sizeof(*to->q));
        to->starts[k]++;
    }
}

/* Newton down a ladder of ever sharper objectives over all points: straight
 * onto the exact one it would have to find the points at its corners one by
 * one. */
static void run_exact(struct job *j, size_t number)
{
    static const double ladder[] = {10, 3, 1};
    const struct problem *p = j->p;
    struct rho smooth = problem_smooth(p);
    struct exact x = {p, p->rho};
    struct newton_report r;

    if (p->o.objective == OBJECTIVE_ASYMMETRIC ||
        p->o.objective == OBJECTIVE_LIKELIHOOD)
        x.rho = smooth; /* the exact one has corners: see problem_solve */
    struct rho exact = x.rho;
    for (size_t k = 0; k < ARRAY_LEN(ladder); k++) {
        int last = k == ARRAY_LEN(ladder) - 1;
        struct newton_options o = {last ? 20 : 4, last ? 1e-10 : 1e-4, 1, 0};
        if (!last && exact.hi * ladder[k] >= smooth.hi)
            continue;
        x.rho.hi = exact.hi * ladder[k];
        x.rho.lo = exact.lo * ladder[k];
        newton_min(j->q[number], p->info->n, NULL, exact_fn, &x, &o, &r);
    }
    j->f[number] = isfinite(r.f) ? r.f : INFINITY;
}

static void *work(void *arg)
{
    struct job *j = arg;

    for (;;) {
        size_t first = atomic_fetch_add(&j->next, j->step);
        if (first >= j->n)
            return NULL;
        for (size_t i = first; i < first + j->step && i < j->n; i++)
            j->run(j, i);
    }
}

/* Run `run` for every one. */
static void share_out(struct job *j, int threads,
                      void (*run)(struct job *j, size_t number))
{
    enum { MOST = 64 };
    pthread_t id[MOST];
    int started = 0;

    j->run = run;
    atomic_store(&j->next, 0);
    for (int t = 1; t < threads && t < MOST; t++)
        if (pthread_create(&id[started], NULL, work, j) == 0)
            started++;
    work(j);
    for (int t = 0; t < started; t++)
        pthread_join(id[t], NULL);
}

/* The problem on a random part of its rows (those with weight). */
static int rough_problem(struct problem *rough, const struct problem *p,
                         struct err *e)
{
    double *block = xcalloc(5 * ROUGH_ROWS, sizeof(*block));
    double *size = block, *tokens = size + ROUGH_ROWS;
    double *loss = tokens + ROUGH_ROWS, *unique = loss + ROUGH_ROWS;
    double *weight = unique + ROUGH_ROWS;
    struct surface_data d = {.size = size, .tokens = tokens, .loss = loss};

    for (size_t k = 0; k < p->n && d.n < ROUGH_ROWS; k++) {
        size_t i = rng_permute(1, RNG_FIT, k, p->n);
        if (!(p->data.w[i] > 0))
            continue;
        size[d.n] = exp(p->data.x[i] + p->frame.x0);
        tokens[d.n] = exp(p->data.d[i] + p->frame.d0);
        loss[d.n] = p->L[i];
        if (p->u)
            unique[d.n] = exp(p->u[i] + p->frame.d0);
        weight[d.n++] = p->data.w[i];
    }
    d.unique = p->u ? unique : NULL;
    d.weight = weight;
    int rc = problem_init(rough, &d, &p->o, e);
    free(block);
    if (rc)
        return -1;
    /* in the frame of the whole, so that variables mean the same */
    double dx = rough->frame.x0 - p->frame.x0;
    double dd = rough->frame.d0 - p->frame.d0;
    double *x = rough->block, *t = x + rough->data.n;
    for (size_t i = 0; i < rough->n; i++) {
        x[i] += dx;
        t[i] += dd;
        if (rough->u)
            rough->u[i] += dd;
    }
    rough->frame = p->frame;
    rough->sx = p->sx;
    rough->sd = p->sd;
    return 0;
}

int start_ends_find(struct start_ends *s, const struct problem *p, int threads,
                    struct err *e)
{
    struct problem rough;
    struct job j = {.p = p, .rough = p, .n = count_starts(p->info), .step = 50};
    int sub = p->n >= 2 * ROUGH_ROWS;

    memset(s, 0, sizeof(*s));
    if (sub && rough_problem(&rough, p, e))
        return -1;
    if (sub)
        j.rough = &rough;
    j.q = xmalloc(j.n * sizeof(*j.q));
    share_out(&j, threads, run_rough);
    merge(s, &j);
    free(j.q);
    if (sub)
        problem_release(&rough);
    return 0;
}

void start_ends_release(struct start_ends *s)
{
    free(s->starts);
    free(s->q);
    memset(s, 0, sizeof(*s));
}

int multistart_from(struct multistart *r, const struct start_ends *s,
                    const struct problem *p, int threads, struct err *e)
{
    struct job j = {.p = p, .n = s->n, .step = 1};
    size_t best = 0;

    j.f = xmalloc(j.n * sizeof(*j.f));
    j.q = xmalloc(j.n * sizeof(*j.q));
    memcpy(j.q, s->q, j.n * sizeof(*j.q));
    share_out(&j, threads, run_exact);
    for (size_t i = 1; i < j.n; i++)
        if (j.f[i] < j.f[best])
            best = i;
    memset(r, 0, sizeof(*r));
    r->f = j.f[best];
    memcpy(r->q, j.q[best], sizeof(r->q));
    /* an exact law ends at rounding errors: they are all the best */
    double floor = 1e-20 * p->total;
    for (size_t i = 0; i < j.n; i++) {
        r->starts += s->starts[i];
        if (j.f[i] <= r->f + REACHED * fabs(r->f) + floor)
            r->reached += s->starts[i];
    }
    free(j.f);
    free(j.q);
    if (!isfinite(r->f))
        return err_set(e, ERR_FAILED,
                       "none of %zu starts found a finite objective",
                       r->starts);
    return 0;
}

int multistart(struct multistart *r, const struct problem *p, int threads,
               struct err *e)
{
    struct start_ends s;
    int rc = start_ends_find(&s, p, threads, e);

    if (rc == 0)
        rc = multistart_from(r, &s, p, threads, e);
    start_ends_release(&s);
    return rc;
}
