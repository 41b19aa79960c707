/* Smoothed resamples of a surface's points. */
#include "analysis/surface_smooth.h"

#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

int surface_has_corners(const struct surface_fit *f,
                        const struct surface_data *d)
{
    double delta = f->options.delta, level = 0;

    switch (f->options.objective) {
    case OBJECTIVE_ASYMMETRIC:
        return 1;
    case OBJECTIVE_LIKELIHOOD:
        return delta * f->scale < f->resid_sd;
    case OBJECTIVE_HUBER:
        return delta < f->resid_sd;
    case OBJECTIVE_HUBER_RAW:
        for (size_t i = 0; i < d->n; i++)
            level += d->loss[i] / (double)d->n;
        return delta < f->resid_sd * level;
    default:
        return 0;
    }
}

double surface_bandwidth(const struct surface_fit *f,
                         const struct surface_data *d)
{
    double *r = xmalloc((d->n + 1) * sizeof *r);

    for (size_t i = 0; i < d->n; i++)
        r[i] =
            log(d->loss[i]) - log(surface_loss(&f->s, d->size[i], d->tokens[i],
                                               d->unique ? d->unique[i] : NAN));
    stat_sort(r, d->n);
    double sd = stat_sd(r, d->n);
    double iqr = stat_quantile_sorted(r, d->n, 0.75) -
                 stat_quantile_sorted(r, d->n, 0.25);
    free(r);
    return 0.9 * fmin(sd, iqr / 1.34) * pow((double)d->n, -0.2);
}

enum { SIZE, TOKENS, LOSS, UNIQUE, WEIGHT, COLUMNS };

static double *column(const struct smooth_rows *r, int k)
{
    return r->block + (size_t)k * r->room;
}

static void rows_init(struct smooth_rows *r, const struct surface_data *d,
                      size_t m)
{
    if (m > r->room) {
        free(r->block);
        r->block = xmalloc(m * COLUMNS * sizeof *r->block);
        r->room = m;
    }
    r->d = (struct surface_data){.n = m,
                                 .size = column(r, SIZE),
                                 .tokens = column(r, TOKENS),
                                 .loss = column(r, LOSS)};
    r->d.unique = d->unique ? column(r, UNIQUE) : NULL;
    r->d.weight = d->weight ? column(r, WEIGHT) : NULL;
}

static void put(struct smooth_rows *r, size_t k, const struct surface_data *d,
                size_t i, double move)
{
    column(r, SIZE)[k] = d->size[i];
    column(r, TOKENS)[k] = d->tokens[i];
    column(r, LOSS)[k] = d->loss[i] * exp(move);
    if (d->unique)
        column(r, UNIQUE)[k] = d->unique[i];
    if (d->weight)
        column(r, WEIGHT)[k] = d->weight[i];
}

void smooth_draw(struct smooth_rows *r, const struct surface_data *d,
                 const size_t *idx, size_t m, double bandwidth, uint64_t seed,
                 size_t number)
{
    rows_init(r, d, m);
    for (size_t k = 0; k < m; k++)
        put(r, k, d, idx[k],
            bandwidth *
                rng_normal(seed, RNG_SMOOTH, (uint64_t)number << 32 | k));
}

void smooth_all(struct smooth_rows *r, const struct surface_data *d,
                double bandwidth)
{
    rows_init(r, d, d->n * SMOOTH_NODES);
    for (size_t i = 0; i < d->n; i++)
        for (size_t k = 0; k < SMOOTH_NODES; k++)
            put(r, i * SMOOTH_NODES + k, d, i,
                bandwidth *
                    stat_normal_quantile(((double)k + 0.5) / SMOOTH_NODES));
}
