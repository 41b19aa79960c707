/* `fit --law curve` and `fit --law collapse`: laws of whole loss curves. */
#include "analysis/anneal.h"
#include "analysis/collapse.h"
#include "analysis/plots_fit.h"
#include "runner/fit_law.h"
#include "runner/fit_plots.h"

#include <math.h>

int fit_law_curve(struct fit_result *out, struct fit_input *in,
                  const struct fit_ask *ask, struct err *e)
{
    struct anneal_options o;
    struct anneal_fit f;
    struct str *svg;

    anneal_options_default(&o);
    o.trunk = ask->trunk;
    o.delta = ask->delta;
    o.lambda = ask->lambda;
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    if (ask->interval_name)
        o.interval = (int)ask->interval;
    o.indices = ask->indices;
    if (anneal_fit(&f, &in->series, &o, e))
        return -1;
    anneal_fit_result(out, &f);
    for (size_t k = 0; k < f.n_family; k++)
        if (f.family[k].identified &&
            (svg = fit_plots_add(ask->plots, "%zu", k + 1)))
            plot_anneal(svg, "curve", &f.family[k], &in->series);
    anneal_fit_release(&f);
    return 0;
}

int fit_law_collapse(struct fit_result *out, struct fit_input *in,
                     const struct fit_ask *ask, struct err *e)
{
    struct collapse_options o;
    struct collapse_fit f;
    struct str *svg;

    collapse_options_default(&o);
    o.L0 = ask->L0;
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    if (ask->interval_name)
        o.interval = (int)ask->interval;
    o.indices = ask->indices;
    if (collapse_fit(&f, &in->series, &o, e))
        return -1;
    collapse_fit_result(out, &f);
    if (isfinite(f.scatter_rms)) {
        if ((svg = fit_plots_add(ask->plots, "curves")))
            plot_collapse(svg, "collapse", &f);
        if ((svg = fit_plots_add(ask->plots, "scatter")))
            plot_collapse_scatter(svg, "scatter", &f);
    }
    collapse_fit_release(&f);
    return 0;
}
