/* isoflop_noised: the optimum of a budget as Porian et al. (arXiv 2406.19146)
 * observe it.
 *
 * A loss is taken to scatter by a fixed SD between seeds.  A thousand times it
 * is added to every loss of the profile, and the lowest point of Akima's curve
 * is read off a grid of 25 values a size.  The observation is the median of
 * those that are inside; its standard error their SD, which is taken not to be
 * below a third of the distance of two sizes, over the share that is inside.
 * Weights of the power law are 1/SE^2. */
#include "analysis/isoflop_impl.h"

#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CURVES 1000
#define FINER 25
#define FLOOR 0.33 /* of the distance of two sizes */

/* SD about the mean over n, as it is published. */
static double population_sd(const double *x, size_t n)
{
    return stat_sd(x, n) * sqrt((double)(n - 1) / (double)n);
}

/* Losses with noise, as the profile has them (their logarithms or not). */
static void add_noise(double *z, const struct profile *p,
                      const struct isoflop_opts *o, uint64_t first)
{
    for (int i = 0; i < p->n; i++) {
        double loss = o->log_loss ? exp(p->y[i]) : p->y[i];
        loss +=
            o->seed_noise * rng_normal(o->seed, RNG_BOOT, first + (uint64_t)i);
        z[i] = o->log_loss ? log(loss) : loss;
    }
}

int profile_noised(double *x, double *se, int *dir, char *why, size_t n,
                   const struct profile *p, const struct isoflop_opts *o,
                   int number)
{
    int steps = (p->n - 1) * FINER - 1, ends[2] = {0, 0};
    double *v = xmalloc(CURVES * sizeof *v), *z = p->z;
    double step = (p->x[p->n - 1] - p->x[0]) / steps;
    int own = akima_lowest_step(p->x, p->y, p->n, steps);
    size_t inside = 0;

    for (int k = 0; k < CURVES; k++) {
        add_noise(z, p, o,
                  (uint64_t)number << 40 | (uint64_t)k * (uint64_t)p->n);
        int at = akima_lowest_step(p->x, z, p->n, steps);
        if (at == 0 || at == steps)
            ends[at > 0]++;
        else
            v[inside++] = p->x[0] + step * at;
    }
    *dir = 0;
    if (2 * inside < CURVES || own == 0 || own == steps) {
        *dir = ends[1] > ends[0] ? 1 : -1;
        snprintf(why, n,
                 "the minimum is at the edge: of %d noised curves %d are "
                 "lowest at the %s size run",
                 CURVES, ends[*dir > 0], *dir > 0 ? "largest" : "smallest");
    } else {
        *se = fmax(population_sd(v, inside), FLOOR * FINER * step) * CURVES /
              (double)inside;
        *x = stat_median(v, inside);
    }
    free(v);
    return *dir ? -1 : 0;
}
