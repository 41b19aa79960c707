/* The laws, one table, and those that are fitted to the runs of stages: hyper,
 * isoflop and loss.  The others have files of their own. */
#include "runner/fit_law.h"

#include "analysis/curve.h"
#include "analysis/curve_rolling.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "analysis/plots.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/fit_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fit_word(int *v, const char *option, const char *text,
             int (*parse)(const char *), const char *const *names, size_t n,
             struct err *e)
{
    struct str s;

    if (!text)
        return 0;
    *v = parse(text);
    if (*v >= 0)
        return 0;
    const char *near = str_nearest(text, names, n);
    str_init(&s);
    for (size_t i = 0; i < n; i++)
        str_addf(&s, "%s%s", i ? ", " : "", names[i]);
    err_set(e, ERR_USAGE, "--%s %.60s: expected one of %s%s%s%s", option, text,
            s.text, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    str_release(&s);
    return -1;
}

/* Those of analysis/ take bits per byte where there are any: leave them only
 * what was asked for. */
static int choose_response(struct points *p, const char *response,
                           struct err *e)
{
    if (!response)
        return 0;
    if (strcmp(response, "loss") != 0 && strcmp(response, "bpb") != 0)
        return err_set(e, ERR_USAGE, "--response %.60s: expected loss or bpb",
                       response);
    enum point_col other =
        strcmp(response, "loss") == 0 ? POINT_BPB : POINT_LOSS;
    for (size_t i = 0; i < p->n; i++)
        p->col[other][i] = NAN;
    return 0;
}

/* By enum hyper_optimum. */
static const char *const optimum_names[] = {"near", "centre", "quadratic",
                                            "pooled"};

static int optimum_parse(const char *text)
{
    for (int i = 0; i < (int)ARRAY_LEN(optimum_names); i++)
        if (strcmp(text, optimum_names[i]) == 0)
            return i;
    return -1;
}

static void hyper_plots(struct fit_plots *to, const struct hyper_fit *f)
{
    struct hyper_law law;
    struct str how, *svg;

    str_init(&how);
    hyper_fit_use(&law, &how, f);
    str_release(&how);
    for (int batch = 0; batch < 2; batch++)
        if ((svg = fit_plots_add(to, batch ? "batch" : "lr")))
            plot_hyper_law(svg, "law", f, &law, batch);
    for (int i = 0; i < f->n_grid; i++)
        if ((svg = fit_plots_add(to, "grid-%d-%.3g", i + 1, f->grid[i].flops)))
            plot_grid(svg, "grid", &f->grid[i], &law);
}

static int law_hyper(struct fit_result *out, struct fit_input *in,
                     const struct fit_ask *ask, struct err *e)
{
    struct hyper_opts o;
    struct hyper_fit f;
    int kind = -1;

    hyper_opts_default(&o);
    if (fit_word(&kind, "method", ask->method, optimum_parse, optimum_names,
                 (int)ARRAY_LEN(optimum_names), e) ||
        choose_response(&in->points, ask->response, e))
        return -1;
    if (kind >= 0)
        o.optimum = (enum hyper_optimum)kind;
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    if (ask->interval_name)
        o.interval = (int)ask->interval;
    o.indices = ask->indices;
    if (hyper_fit(&f, &in->points, &o, e))
        return in->study < 0 ? err_prefix(e, "%.100s: ", in->name) : -1;
    hyper_fit_result(out, &f);
    hyper_plots(ask->plots, &f);
    hyper_fit_release(&f);
    return 0;
}

static int isoflop_parse(const char *text)
{
    for (int i = 0; i < ISOFLOP_METHODS; i++)
        if (strcmp(text, isoflop_method_name[i]) == 0)
            return i;
    return -1;
}

static int resample_parse(const char *text)
{
    for (int i = 0; i < ISOFLOP_RESAMPLES; i++)
        if (strcmp(text, isoflop_resample_name[i]) == 0)
            return i;
    return -1;
}

static int observation_parse(const char *text)
{
    for (int i = 0; i < ISOFLOP_OBSERVATIONS; i++)
        if (strcmp(text, isoflop_observation_name[i]) == 0)
            return i;
    return -1;
}

static int isoflop_options(struct isoflop_opts *o, const struct fit_ask *ask,
                           struct err *e)
{
    int method, resample, observation;

    isoflop_opts_default(o);
    method = (int)o->method;
    resample = (int)o->resample;
    observation = (int)o->observation;
    if (fit_word(&method, "method", ask->method, isoflop_parse,
                 isoflop_method_name, ISOFLOP_METHODS, e) ||
        fit_word(&resample, "resample", ask->resample, resample_parse,
                 isoflop_resample_name, ISOFLOP_RESAMPLES, e) ||
        fit_word(&observation, "observation", ask->observation,
                 observation_parse, isoflop_observation_name,
                 ISOFLOP_OBSERVATIONS, e))
        return -1;
    o->method = (enum isoflop_method)method;
    o->resample = (enum isoflop_resample)resample;
    o->observation = (enum isoflop_observation)observation;
    if (o->observation == ISOFLOP_NOISED) {
        if (o->method != ISOFLOP_AKIMA)
            return err_set(e, ERR_USAGE,
                           "--observation noised is of --method akima");
        o->min_sizes = 3;
    }
    if (ask->interval_name || ask->indices)
        o->resample = ISOFLOP_RESAMPLE_BUDGETS;
    if (ask->interval_name)
        o->interval = (int)ask->interval;
    else if (ask->indices)
        o->interval = BOOT_PERCENTILE;
    o->indices = ask->indices;
    o->log_loss = ask->log_loss;
    if (ask->window > 1)
        o->window = ask->window;
    o->level = ask->level;
    o->seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o->bootstrap = (int)ask->bootstrap;
    return 0;
}

static int isoflop(struct isoflop_fit *f, struct points *p,
                   const struct fit_ask *ask, struct err *e)
{
    struct isoflop_opts o;

    if (isoflop_options(&o, ask, e) || choose_response(p, ask->response, e))
        return -1;
    return isoflop_fit(f, p, &o, e);
}

static int law_isoflop(struct fit_result *out, struct fit_input *in,
                       const struct fit_ask *ask, struct err *e)
{
    struct isoflop_fit f;
    struct str *svg;

    if (isoflop(&f, &in->points, ask, e))
        return -1;
    isoflop_fit_result(out, &f);
    if ((svg = fit_plots_add(ask->plots, "profiles")))
        plot_isoflop(svg, "profiles", &f);
    for (int data = 0; data < 2; data++)
        if ((svg = fit_plots_add(ask->plots, data ? "D" : "M")))
            plot_allocation(svg, "law", &f, data);
    isoflop_fit_release(&f);
    return 0;
}

static int rolling(struct fit_result *out, const struct points *p,
                   const struct fit_ask *ask, struct err *e)
{
    struct curve_rolling_row *rows;
    struct isoflop_opts o;
    size_t n;

    if (isoflop_options(&o, ask, e) || curve_rolling(&rows, &n, p, &o, e))
        return -1;
    curve_rolling_result(out, rows, n);
    free(rows);
    return 0;
}

static int law_loss(struct fit_result *out, struct fit_input *in,
                    const struct fit_ask *ask, struct err *e)
{
    struct fit_ask profiles = *ask; /* the draws are of the law's budgets */
    struct isoflop_fit f;
    struct curve_point *at = NULL;
    struct curve_opts o;
    struct curve_fit c;
    struct str *svg;

    profiles.interval_name = profiles.indices = NULL;
    if (isoflop(&f, &in->points, &profiles, e))
        return -1;
    curve_opts_isoflop(&o, &f);
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    if (ask->interval_name)
        o.interval = (int)ask->interval;
    o.indices = ask->indices;
    int n = curve_points(&at, &f);
    int rc = curve_fit(&c, at, n, f.noise, &o, e);
    if (rc == 0) {
        curve_fit_result(out, &c);
        snprintf(out->input, sizeof(out->input), "%s", f.input);
        if ((svg = fit_plots_add(ask->plots, "C")))
            plot_loss_law(svg, "law", &c, f.metric_bpb, NULL, 0);
        curve_fit_release(&c);
        if (ask->rolling)
            rc = rolling(out, &in->points, &profiles, e);
        if (rc)
            fit_result_release(out);
    }
    free(at);
    isoflop_fit_release(&f);
    return rc;
}

const struct fit_law fit_laws[FIT_LAWS] = {
    {"hyper", "learning rate and batch size against compute", law_hyper,
     FIT_HYPER},
    {"isoflop", "optimal size and tokens against compute", law_isoflop,
     FIT_ISOFLOP},
    {"surface", "loss as a function of size and tokens", fit_law_surface,
     FIT_ISOFLOP},
    {"loss", "the best loss against compute", law_loss, FIT_ISOFLOP},
    {"power", "y = coef x^exponent between any two columns", fit_law_power,
     FIT_ISOFLOP},
    {"curve", "the loss along a run from its learning rates", fit_law_curve,
     FIT_CURVES},
    {"collapse", "the loss curves of all sizes as one", fit_law_collapse,
     FIT_BEST_CURVES},
};

const struct fit_law *fit_law_find(const char *name, struct err *e)
{
    const char *names[FIT_LAWS];

    for (int i = 0; i < FIT_LAWS; i++) {
        names[i] = fit_laws[i].name;
        if (strcmp(name, names[i]) == 0)
            return &fit_laws[i];
    }
    const char *near = str_nearest(name, names, FIT_LAWS);
    err_set(e, ERR_USAGE,
            "--law %.60s: expected hyper, isoflop, surface, loss, power, "
            "curve or collapse%s%s%s",
            name, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    return NULL;
}
