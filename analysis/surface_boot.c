/* The bootstrap of a surface fit. */
#include "analysis/surface_boot.h"

#include "analysis/multistart.h"
#include "analysis/surface_form.h"
#include "analysis/surface_smooth.h"
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
    double bandwidth;              /* 0: resamples of the points themselves */
    uint64_t seed;
    struct smooth_rows *rows;     /* (workers) */
    double from[SURFACE_MAX + 1]; /* the statistics of the smoothed points */
};

static void stats_of(double *stat, const struct surface_fit *f)
{
    int n = surface_n_params(f->s.form);

    memcpy(stat, f->s.p, (size_t)n * sizeof(*stat));
    if (has_a(f->s.form))
        stat[n] = f->a;
}

/* What differs from the optimum of the smoothed points is what the estimate
 * may differ from the truth. */
static void about_estimate(double *stat, const struct refits *r)
{
    const struct surface *s = &r->fit->s;
    double estimate[SURFACE_MAX + 1];

    stats_of(estimate, r->fit);
    for (int k = 0; k < surface_boot_stats(s->form); k++) {
        enum surface_role role = k < surface_n_params(s->form)
                                     ? form_table[s->form].role[k]
                                     : ROLE_FREE;
        if (role == ROLE_A || role == ROLE_B || role == ROLE_R)
            stat[k] *= r->from[k] > 0 ? estimate[k] / r->from[k] : 1;
        else
            stat[k] += estimate[k] - r->from[k];
        if (role == ROLE_E)
            stat[k] = fmax(stat[k], 0);
    }
}

static int refit_smooth(double *stat, const size_t *idx, size_t m,
                        const struct boot_turn *turn, struct refits *r)
{
    struct smooth_rows *rows = &r->rows[turn->worker];
    struct surface_fit f = *r->fit;

    smooth_draw(rows, r->d, idx, m, r->bandwidth, r->seed, turn->number);
    if (surface_refit(&f, &rows->d, NULL))
        return -1;
    stats_of(stat, &f);
    about_estimate(stat, r);
    return 0;
}

static int refit(double *stat, const size_t *idx, size_t m,
                 const struct boot_turn *turn, void *ctx)
{
    struct refits *r = ctx;
    struct surface_data d = *r->d;
    struct surface_fit f = *r->fit;
    double *w = r->weight + (size_t)turn->worker * d.n;

    if (r->bandwidth > 0 && !turn->left_out)
        return refit_smooth(stat, idx, m, turn, r);
    memset(w, 0, d.n * sizeof(*w));
    for (size_t i = 0; i < m; i++)
        w[idx[i]] += r->d->weight ? r->d->weight[idx[i]] : 1;
    d.weight = w;
    if (surface_refit_from(&f, &d, r->ends, NULL))
        return -1;
    stats_of(stat, &f);
    return 0;
}

/* The bandwidth, and the optimum of the smoothed points. */
static void smooth(struct refits *r, const struct boot_options *o)
{
    struct surface_fit f = *r->fit;
    struct smooth_rows all = {0};
    double width = surface_bandwidth(r->fit, r->d);

    if (!f.options.smooth || o->indices || f.options.refit != REFIT_VARPRO ||
        !surface_has_corners(r->fit, r->d) || !(width > 0))
        return;
    smooth_all(&all, r->d, width);
    if (surface_refit(&f, &all.d, NULL) == 0) {
        stats_of(r->from, &f);
        r->bandwidth = width;
    }
    free(all.block);
}

int surface_bootstrap(struct bootstrap *b, const struct surface_fit *fit,
                      const struct surface_data *d, const size_t *group,
                      size_t n_groups, const struct boot_options *o,
                      struct err *e)
{
    double estimate[SURFACE_MAX + 1];
    size_t workers = o->threads > 1 ? (size_t)o->threads : 1;
    struct refits r = {.fit = fit, .d = d, .seed = o->seed};
    struct start_ends ends = {0};

    if (fit->options.refit == REFIT_ENDS) {
        if (surface_ends(&ends, fit, d, e))
            return -1;
        r.ends = &ends;
    }
    r.weight = xmalloc((workers * d->n + 1) * sizeof(*r.weight));
    r.rows = xcalloc(workers, sizeof(*r.rows));
    stats_of(estimate, fit);
    smooth(&r, o);
    int rc =
        bootstrap_run(b, o, d->n, group, n_groups, estimate,
                      (size_t)surface_boot_stats(fit->s.form), refit, &r, e);
    b->smoothed = rc == 0 && r.bandwidth > 0;
    for (size_t i = 0; i < workers; i++)
        free(r.rows[i].block);
    free(r.rows);
    free(r.weight);
    start_ends_release(&ends);
    return rc;
}
