/* The bootstrap of a surface fit. */
#include "analysis/surface_boot.h"

#include "analysis/multistart.h"
#include "analysis/surface_form.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int has_a(enum surface_form f)
{
    return form_find(f, ROLE_ALPHA) >= 0 && form_find(f, ROLE_BETA) >= 0;
}

int surface_boot_stats(enum surface_form f)
{
    return surface_n_params(f) + has_a(f);
}

const char *surface_boot_name(enum surface_form f, int k)
{
    return k < surface_n_params(f) ? surface_param_name(f, k) : "a";
}

struct refits {
    const struct surface_fit *fit;
    const struct surface_data *d;
    double *weight;                /* (workers, n) */
    const struct start_ends *ends; /* of REFIT_ENDS, else NULL */
};

static void stats_of(double *stat, const struct surface_fit *f)
{
    int n = surface_n_params(f->s.form);

    memcpy(stat, f->s.p, (size_t)n * sizeof(*stat));
    if (has_a(f->s.form))
        stat[n] = f->a;
}

static int refit(double *stat, const size_t *idx, size_t m, int worker,
                 void *ctx)
{
    struct refits *r = ctx;
    struct surface_data d = *r->d;
    struct surface_fit f = *r->fit;
    double *w = r->weight + (size_t)worker * d.n;

    memset(w, 0, d.n * sizeof(*w));
    for (size_t i = 0; i < m; i++)
        w[idx[i]] += r->d->weight ? r->d->weight[idx[i]] : 1;
    d.weight = w;
    if (surface_refit_from(&f, &d, r->ends, NULL))
        return -1;
    stats_of(stat, &f);
    return 0;
}

int surface_bootstrap(struct bootstrap *b, const struct surface_fit *fit,
                      const struct surface_data *d, const size_t *group,
                      size_t n_groups, const struct boot_options *o,
                      struct err *e)
{
    double estimate[SURFACE_MAX + 1];
    size_t workers = o->threads > 1 ? (size_t)o->threads : 1;
    struct refits r = {fit, d, NULL, NULL};
    struct start_ends ends = {0};

    if (fit->options.refit == REFIT_ENDS) {
        if (surface_ends(&ends, fit, d, e))
            return -1;
        r.ends = &ends;
    }
    r.weight = xmalloc((workers * d->n + 1) * sizeof(*r.weight));
    stats_of(estimate, fit);
    int rc =
        bootstrap_run(b, o, d->n, group, n_groups, estimate,
                      (size_t)surface_boot_stats(fit->s.form), refit, &r, e);
    free(r.weight);
    start_ends_release(&ends);
    return rc;
}
