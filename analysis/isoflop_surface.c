/* isoflop_surface: the optima of one surface through all profiles, which does
 * not care where a profile is centred or how wide it is (Czech et al., arXiv
 * 2603.22339). */
#include "analysis/isoflop_impl.h"
#include "analysis/surface.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#define CELLS 8 /* fewest for five parameters */

struct cells {
    double *M, *D, *loss, *w, *sd; /* (n) each, one block that M owns */
    const struct isoflop_size **size;
    size_t n;
};

static void cells_init(struct cells *c, const struct isoflop_fit *f)
{
    size_t n = 1;

    for (int i = 0; i < f->n_budget; i++)
        n += (size_t)f->budget[i].n_size;
    *c = (struct cells){.M = xmalloc(5 * n * sizeof *c->M),
                        .size = xmalloc(n * sizeof *c->size)};
    c->D = c->M + n;
    c->loss = c->D + n;
    c->w = c->loss + n;
    c->sd = c->w + n;
    for (int i = 0; i < f->n_budget; i++)
        for (int k = 0; k < f->budget[i].n_size; k++) {
            const struct isoflop_size *s = &f->budget[i].size[k];
            if (!s->in_window || !(s->D > 0))
                continue;
            c->M[c->n] = s->M;
            c->D[c->n] = s->D;
            c->loss[c->n] = s->loss;
            c->w[c->n] = s->n;
            c->size[c->n] = s;
            c->sd[c->n++] = s->loss * f->sigma / sqrt(s->n);
        }
}

static void cells_release(struct cells *c)
{
    free(c->M);
    free(c->size);
}

static int fit_cells(struct surface_fit *s, const struct cells *c,
                     const double *loss)
{
    struct surface_options o = surface_defaults;
    struct surface_data d = {
        .n = c->n, .size = c->M, .tokens = c->D, .loss = loss, .weight = c->w};

    o.profile = 0;
    return c->n < CELLS ? -1 : surface_fit(s, &d, &o, NULL);
}

static double optimum(const struct surface *s, double flops)
{
    double M, D, loss;

    return surface_optimum(&M, &D, &loss, s, flops, 1, NULL) ? NAN : M;
}

void isoflop_surface(struct isoflop_fit *f)
{
    struct surface_fit s;
    struct cells c;
    int rc;

    cells_init(&c, f);
    rc = fit_cells(&s, &c, c.loss);
    for (int i = 0; i < f->n_budget; i++)
        f->budget[i].surface_M = rc ? NAN : optimum(&s.s, f->budget[i].flops);
    cells_release(&c);
}

void isoflop_surface_draws(double *x, const struct isoflop_fit *f,
                           const int *at, size_t n)
{
    struct rng r = {f->opts.seed, RNG_BOOT, 0};
    struct surface_fit s, again;
    struct surface_data d;
    struct cells c;
    double *loss, *z = NULL;
    int rc;

    cells_init(&c, f);
    loss = xmalloc((c.n + 1) * sizeof *loss);
    rc = fit_cells(&s, &c, c.loss);
    d = (struct surface_data){
        .n = c.n, .size = c.M, .tokens = c.D, .loss = loss, .weight = c.w};
    if (isoflop_by_trunk(f))
        z = xmalloc(((size_t)f->n_trunk + 1) * sizeof *z);
    for (int k = 0; k < f->opts.bootstrap; k++) {
        if (z)
            isoflop_trunk_noise(z, f, k);
        for (size_t i = 0; i < c.n; i++)
            loss[i] = c.loss[i] +
                      c.sd[i] * cell_deviate(&r, z, f->trunk + c.size[i]->first,
                                             c.size[i]->n);
        again = s;
        int bad = rc || surface_refit(&again, &d, NULL);
        for (size_t i = 0; i < n; i++)
            x[(size_t)k * n + i] =
                bad ? NAN : log(optimum(&again.s, f->budget[at[i]].flops));
    }
    free(loss);
    free(z);
    cells_release(&c);
}
