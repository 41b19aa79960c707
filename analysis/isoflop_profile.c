/* isoflop_profile: runs -> cell means -> profiles, and how noisy they are.
 *
 * A size is worth its best (learning rate, batch) where a file brings several;
 * the runs of one setting differ by their seeds and are averaged. */
#include "analysis/isoflop_impl.h"

#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* --- cells --- */

static int by_cell(const void *a, const void *b)
{
    const struct cell_run *p = a, *q = b;
    if (p->budget_id != q->budget_id)
        return p->budget_id < q->budget_id ? -1 : 1;
    if (p->M_id != q->M_id)
        return p->M_id < q->M_id ? -1 : 1;
    if (p->lr != q->lr)
        return p->lr < q->lr ? -1 : p->lr > q->lr;
    if (p->batch != q->batch)
        return p->batch < q->batch ? -1 : p->batch > q->batch;
    return p->y < q->y ? -1 : p->y > q->y; /* the same sum in any order */
}

static int same_setting(double a, double b)
{
    return a == b || (!isfinite(a) && !isfinite(b));
}

/* Average the runs r[0..n) of one size at one (lr, batch).  loss is INFINITY
 * when all of them diverged. */
static void average(struct isoflop_size *s, struct cell_noise *noise,
                    const struct cell_run *r, int n)
{
    double *y = xmalloc((size_t)n * sizeof *y), sum = 0;

    *s = (struct isoflop_size){
        .M = r->M, .N = r->N, .in_window = 1, .first = (int)r->row};
    for (int i = 0; i < n; i++) { /* those that diverged come last */
        if (!isfinite(r[i].y)) {
            s->diverged++;
            continue;
        }
        y[s->n++] = r[i].y;
        sum += r[i].y;
        s->D += r[i].D;
        s->flops += r[i].flops;
    }
    s->loss = s->n ? sum / s->n : INFINITY;
    s->D /= s->n;
    s->flops /= s->n;
    s->sd = stat_sd(y, (size_t)s->n);
    cell_noise_add(noise, y, (size_t)s->n);
    free(y);
}

/* One size: its best (lr, batch), where there are several. */
static void best_setting(struct isoflop_size *best, struct cell_noise *noise,
                         const struct cell_run *r, int n)
{
    *best = (struct isoflop_size){.loss = INFINITY};
    for (int i = 0, j; i < n; i = j) {
        struct isoflop_size s;
        for (j = i + 1; j < n && same_setting(r[j].lr, r[i].lr) &&
                        same_setting(r[j].batch, r[i].batch);)
            j++;
        average(&s, noise, r + i, j - i);
        if (s.loss < best->loss)
            *best = s;
    }
}

static void build_budget(struct isoflop_budget *b, struct cell_noise *noise,
                         const struct cell_run *r, int n)
{
    double sum = 0;

    *b = (struct isoflop_budget){0};
    b->size = xcalloc((size_t)n, sizeof *b->size);
    for (int i = 0; i < n; i++)
        sum += log(r[i].budget);
    b->flops = exp(sum / n);
    if (fabs(r[0].budget / b->flops - 1) < 1e-9)
        b->flops = r[0].budget; /* nominal: to the bit */
    for (int i = 0, j; i < n; i = j) {
        struct isoflop_size s;
        for (j = i + 1; j < n && r[j].M_id == r[i].M_id;)
            j++;
        best_setting(&s, noise, r + i, j - i);
        if (!s.n) {
            b->n_diverged++;
            continue;
        }
        b->size[b->n_size] = s;
        if (s.loss < b->size[b->lowest].loss)
            b->lowest = b->n_size;
        b->n_size++;
    }
}

void isoflop_build(struct isoflop_fit *f, struct cell_noise *noise,
                   struct cell_runs *c)
{
    qsort(c->run, c->n, sizeof *c->run, by_cell);
    f->trunk = cell_trunks(c);
    f->n_trunk = c->n_trunk;
    f->shared = c->shared;
    for (size_t i = 0; i < c->n; i++)
        c->run[i].row = i;
    f->budget = xcalloc((size_t)c->n_budget + 1, sizeof *f->budget);
    for (size_t i = 0, j; i < c->n; i = j) {
        struct isoflop_budget *b = &f->budget[f->n_budget];
        for (j = i + 1; j < c->n && c->run[j].budget_id == c->run[i].budget_id;)
            j++;
        build_budget(b, noise, c->run + i, (int)(j - i));
        if (b->n_size)
            f->n_budget++;
        else
            free(b->size);
    }
}

/* --- profiles --- */

void profile_init(struct profile *p, const struct isoflop_budget *b,
                  const struct isoflop_opts *o)
{
    size_t n = (size_t)b->n_size + 1;

    *p = (struct profile){.x = xmalloc(n * sizeof(double)),
                          .y = xmalloc(n * sizeof(double)),
                          .w = xmalloc(n * sizeof(double)),
                          .z = xmalloc(n * sizeof(double))};
    for (int i = 0; i < b->n_size; i++) {
        const struct isoflop_size *s = &b->size[i];
        if (!s->in_window)
            continue;
        p->x[p->n] = log(s->M);
        p->y[p->n] = o->log_loss ? log(s->loss) : s->loss;
        p->w[p->n++] = s->n;
    }
}

void profile_release(struct profile *p)
{
    free(p->x);
    free(p->y);
    free(p->w);
    free(p->z);
    *p = (struct profile){0};
}

double profile_sd(const struct profile *p, int i, double sigma, int log_loss)
{
    return (log_loss ? 1 : p->y[i]) * sigma / sqrt(p->w[i]);
}

int profile_minimum(double *x, double *y, const struct profile *p,
                    const double *values, enum isoflop_method method)
{
    struct poly f;

    *x = *y = NAN;
    if (method == ISOFLOP_AKIMA)
        return akima_minimum(x, y, p->x, values, p->n);
    if (method == ISOFLOP_SPLINE)
        return spline_minimum(x, y, p->x, values, p->n);
    if (poly_fit(&f, 2, p->x, values, p->w, p->n))
        return -1;
    return parabola_minimum(x, y, NULL, &f);
}

/* Mark the sizes within the window of `centre` (log M); the number marked. */
static int mark_window(struct isoflop_budget *b, double centre, double window)
{
    int n = 0;

    for (int i = 0; i < b->n_size; i++) {
        double d = fabs(log(b->size[i].M) - centre);
        b->size[i].in_window = !(window > 1) || d <= log(window) * (1 + 1e-12);
        n += b->size[i].in_window;
    }
    return n;
}

/* Centre the window on the lowest mean, then on the parabola's minimum while
 * that stays inside; three rounds settle it or nothing will. */
void isoflop_window(struct isoflop_budget *b, const struct isoflop_opts *o)
{
    double centre = log(b->size[b->lowest].M), lo = log(b->size[0].M),
           hi = log(b->size[b->n_size - 1].M), x, y;

    mark_window(b, centre, o->window);
    for (int round = 0; o->window > 1 && round < 3; round++) {
        struct profile p;
        int rc;
        profile_init(&p, b, o);
        rc = profile_minimum(&x, &y, &p, p.y, ISOFLOP_PARABOLA);
        profile_release(&p);
        if (rc || x < lo || x > hi)
            break;
        if (mark_window(b, x, o->window) < o->min_sizes) {
            mark_window(b, centre, o->window);
            break;
        }
        centre = x;
    }
}

/* Relative squared residuals of a fit of the given degree, per run. */
static int add_residuals(struct cell_noise *s, const struct isoflop_budget *b,
                         const struct isoflop_opts *o, int degree)
{
    struct profile p;
    struct poly f;
    int rc;

    profile_init(&p, b, o);
    rc = p.n <= degree + 1 || poly_fit(&f, degree, p.x, p.y, p.w, p.n);
    if (!rc) {
        for (int i = 0; i < p.n; i++) {
            double r = (p.y[i] - poly_at(NULL, &f, p.x[i])) /
                       profile_sd(&p, i, 1, o->log_loss);
            s->ss += r * r;
        }
        s->dof += p.n - degree - 1;
    }
    profile_release(&p);
    return rc ? -1 : 0;
}

/* Do quartics explain significantly more than parabolas? */
static double misfit_test(const struct isoflop_fit *f)
{
    struct cell_noise two = {0}, four = {0};
    double d;

    for (int i = 0; i < f->n_budget; i++)
        if (f->budget[i].n_size >= 6 &&
            !add_residuals(&four, &f->budget[i], &f->opts, 4))
            add_residuals(&two, &f->budget[i], &f->opts, 2);
    d = two.dof - four.dof;
    if (four.dof < 3 || !(four.ss > 0))
        return NAN;
    return 1 - stat_f_cdf((two.ss - four.ss) / d / (four.ss / four.dof), d,
                          four.dof);
}

/* noise is what seeds say, and sigma what seeds and residuals say together,
 * or residuals alone where they are significantly larger. */
void isoflop_noise(struct isoflop_fit *f, const struct cell_noise *seeds)
{
    struct cell_noise r = {0}, smooth = {0}, both;
    double F;

    f->misfit_p = misfit_test(f);
    f->degree = f->misfit_p < 0.01 ? 4 : 2;
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        add_residuals(&r, b, &f->opts, 2);
        add_residuals(&smooth, b, &f->opts, b->n_size >= 6 ? f->degree : 2);
    }
    f->noise_from_seeds = seeds->dof > 0;
    f->noise = cell_noise_sd(f->noise_from_seeds ? seeds : &smooth);
    f->noise_dof = f->noise_from_seeds ? seeds->dof : smooth.dof;
    both = (struct cell_noise){seeds->ss + r.ss, seeds->dof + r.dof};
    F = r.ss / r.dof / (seeds->ss / seeds->dof);
    if (r.dof > 0 && seeds->dof > 0 && stat_f_cdf(F, r.dof, seeds->dof) > 0.95)
        both = r;
    f->sigma = cell_noise_sd(&both);
    f->sigma_dof = both.dof;
}
