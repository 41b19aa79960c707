/* `fit --law surface`: options to a fit, its bootstrap and its holdouts. */
#include "analysis/holdout.h"
#include "analysis/plots.h"
#include "analysis/plots_fit.h"
#include "analysis/surface_boot.h"
#include "analysis/surface_result.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/fit_groups.h"
#include "runner/fit_law.h"
#include "runner/fit_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int size_parse(const char *text)
{
    int c = point_col_parse(text);

    return c == POINT_N || c == POINT_M || c == POINT_N1 || c == POINT_N2 ? c
                                                                          : -1;
}

static const char *const when[] = {"off", "auto"};

static int smooth_parse(const char *text)
{
    for (int k = 0; k < 2; k++)
        if (strcmp(text, when[k]) == 0)
            return k;
    return -1;
}

static int options(struct surface_options *o, const struct fit_ask *ask,
                   struct err *e)
{
    const char *forms[SURFACE_FORMS], *objectives[OBJECTIVES];
    const char *methods[METHODS], *refits[REFITS];
    int form = SURFACE_CHINCHILLA, objective = OBJECTIVE_HUBER;
    int method = METHOD_VARPRO, refit = REFIT_VARPRO, smooth = 1;

    for (int i = 0; i < SURFACE_FORMS; i++)
        forms[i] = surface_form_name((enum surface_form)i);
    for (int i = 0; i < OBJECTIVES; i++)
        objectives[i] = surface_objective_name((enum surface_objective)i);
    for (int i = 0; i < METHODS; i++)
        methods[i] = surface_method_name((enum surface_method)i);
    for (int i = 0; i < REFITS; i++)
        refits[i] = surface_refit_name((enum surface_refit_how)i);
    if (fit_word(&form, "form", ask->form, surface_form_parse, forms,
                 SURFACE_FORMS, e) ||
        fit_word(&objective, "objective", ask->objective,
                 surface_objective_parse, objectives, OBJECTIVES, e) ||
        fit_word(&method, "method", ask->method, surface_method_parse, methods,
                 METHODS, e) ||
        fit_word(&refit, "refit", ask->refit, surface_refit_parse, refits,
                 REFITS, e) ||
        fit_word(&smooth, "smooth", ask->smooth, smooth_parse, when, 2, e))
        return -1;
    if (form == SURFACE_FARSEER &&
        (method == METHOD_GRID || refit != REFIT_VARPRO))
        return err_set(e, ERR_USAGE,
                       "the form farseer has no grid of starts: --method and "
                       "--refit varpro alone");
    *o = surface_defaults;
    o->form = (enum surface_form)form;
    o->objective = (enum surface_objective)objective;
    o->method = (enum surface_method)method;
    o->delta = ask->delta;
    o->over = ask->over;
    o->level = ask->level;
    o->threads = ask->threads;
    o->refit = (enum surface_refit_how)refit;
    o->smooth = smooth;
    return 0;
}

/* Which columns are the surface's variables. */
struct columns {
    enum point_col size, response;
    double factor; /* flops = factor * size * tokens */
};

static int choose(struct columns *c, const struct points *p,
                  const struct fit_ask *ask, struct err *e)
{
    static const char *const sizes[] = {"n", "m", "n1", "n2"};
    int only_m = !points_has(p, POINT_N) && points_has(p, POINT_M);
    int size = ask->planned || only_m ? POINT_M : POINT_N;

    if (fit_word(&size, "size", ask->size, size_parse, sizes, 4, e))
        return -1;
    c->size = (enum point_col)size;
    c->factor = c->size == POINT_M ? 1 : 6;
    c->response =
        points_has(p, POINT_BPB) && (ask->planned || !points_has(p, POINT_LOSS))
            ? POINT_BPB
            : POINT_LOSS;
    if (ask->response && strcmp(ask->response, "loss") != 0 &&
        strcmp(ask->response, "bpb") != 0)
        return err_set(e, ERR_USAGE, "--response %.60s: expected loss or bpb",
                       ask->response);
    if (ask->response)
        c->response =
            strcmp(ask->response, "bpb") == 0 ? POINT_BPB : POINT_LOSS;
    return 0;
}

/* The used rows, with what the form needs of them. */
static int gather(struct surface_data *d, struct points *used,
                  const struct columns *c, enum surface_form form,
                  struct err *e)
{
    struct points whole;

    points_need(used, c->size);
    points_need(used, POINT_D);
    points_need(used, c->response);
    if (form == SURFACE_REPEATED)
        points_need(used, POINT_UNIQUE);
    points_init(&whole);
    points_select(&whole, used, NULL);
    points_release(used);
    *used = whole;
    if (points_require(used, c->size, e) || points_require(used, POINT_D, e) ||
        points_require(used, c->response, e) ||
        (form == SURFACE_REPEATED && points_require(used, POINT_UNIQUE, e)))
        return -1;
    *d = (struct surface_data){.n = used->n,
                               .size = used->col[c->size],
                               .tokens = used->col[POINT_D],
                               .loss = used->col[c->response]};
    if (form == SURFACE_REPEATED)
        d->unique = used->col[POINT_UNIQUE];
    for (size_t i = 0; i < used->n; i++)
        if (!(used->col[POINT_FLOPS][i] > 0))
            used->col[POINT_FLOPS][i] = c->factor * d->size[i] * d->tokens[i];
    return 0;
}

static int resample(struct bootstrap *b, const struct surface_fit *f,
                    const struct surface_data *d, const struct points *p,
                    const struct fit_ask *ask, struct err *e)
{
    struct boot_options o = {
        .resamples = ask->bootstrap > 0 ? (size_t)ask->bootstrap : 0,
        .seed = (uint64_t)ask->seed,
        .indices = ask->indices,
        .threads = ask->threads,
        .jackknife = ask->interval == BOOT_BCA};
    size_t *group, n;

    if (fit_groups(&group, &n, d, p, ask->resample, e))
        return -1;
    int rc = surface_bootstrap(b, f, d, group, n, &o, e);
    free(group);
    return rc;
}

/* The parts of the result that look beyond the fit. */
static int out_of_sample(struct fit_result *out, const struct surface_data *d,
                         const struct points *p,
                         const struct surface_options *so,
                         const struct fit_ask *ask, struct err *e)
{
    struct holdout_options o = {
        .surface = *so,
        .resamples = ask->bootstrap > 0 ? (size_t)ask->bootstrap : 200,
        .seed = (uint64_t)ask->seed,
        .threads = ask->threads,
        .level = ask->level};
    struct selection s[SURFACE_FORMS];
    struct rolling_row *row;
    struct holdout_spec spec;
    struct holdout h;
    size_t n_rows;
    int *held = xcalloc(p->n + 1, sizeof(*held)), n, rc = -1;
    const char *text = ask->holdout ? ask->holdout : "flops:25%";

    if (ask->rolling) {
        if (holdout_rolling(&row, &n_rows, d, p->col[POINT_FLOPS], &o.surface,
                            e))
            goto out;
        surface_result_rolling(out, row, n_rows);
        free(row);
    }
    if (ask->holdout || ask->select) {
        if (holdout_parse(&spec, text, e) || holdout_mark(held, p, &spec, e))
            goto out;
    }
    if (ask->holdout) {
        if (holdout_surface(&h, d, p->col[POINT_FLOPS], held, &o, e))
            goto out;
        surface_result_holdout(out, &h, text, ask->level);
        holdout_release(&h);
    }
    if (ask->select) {
        if (holdout_select(s, &n, d, held, &o.surface, e))
            goto out;
        surface_result_selection(out, s, n);
    }
    rc = 0;
out:
    free(held);
    return rc;
}

int fit_surface_only(struct surface_fit *f, double *factor,
                     const struct points *p, const struct fit_ask *ask,
                     struct err *e)
{
    struct surface_options so;
    struct surface_data d;
    struct columns c;
    struct points used;

    points_init(&used);
    points_select(&used, p, NULL);
    int rc = options(&so, ask, e) || choose(&c, &used, ask, e) ||
             gather(&d, &used, &c, so.form, e) || surface_fit(f, &d, &so, e);
    if (rc == 0)
        *factor = c.factor;
    points_release(&used);
    return rc ? -1 : 0;
}

/* The surface over its points, its residuals, and a profile of E and each
 * exponent. */
static void plots(struct fit_plots *to, const struct surface_fit *f,
                  const struct surface_data *d, const struct columns *c,
                  double level)
{
    double *residual;
    struct profile p;
    struct str *svg;

    if (!to)
        return;
    residual = xmalloc((d->n + 1) * sizeof(*residual));
    for (size_t i = 0; i < d->n; i++)
        residual[i] =
            log(d->loss[i]) - log(surface_loss(&f->s, d->size[i], d->tokens[i],
                                               d->unique ? d->unique[i] : NAN));
    if ((svg = fit_plots_add(to, "loss")))
        plot_surface(svg, "loss", f, d);
    if ((svg = fit_plots_add(to, "residuals")))
        plot_residuals(svg, "residuals",
                       c->size == POINT_M ? "model scale M, flops a token"
                                          : "parameters N",
                       d->size, d->tokens, residual, d->n);
    for (int i = 0; i < surface_n_params(f->s.form); i++) {
        const char *name = surface_param_name(f->s.form, i);
        if (!surface_is_exponent(f->s.form, i) && strcmp(name, "E") != 0)
            continue;
        if (profile_of_fit(&p, f, d, i, level, NULL) == 0 &&
            (svg = fit_plots_add(to, "profile-%s", name)))
            plot_profile(svg, "profile", name, &p);
    }
    free(residual);
}

int fit_law_surface(struct fit_result *out, struct fit_input *in,
                    const struct fit_ask *ask, struct err *e)
{
    struct surface_options so;
    struct surface_data d;
    struct surface_fit f;
    struct columns c;
    struct points used;
    struct bootstrap b;
    int boot = ask->bootstrap > 0 || ask->indices, rc = -1;

    points_init(&used);
    points_select(&used, &in->points, NULL);
    if (options(&so, ask, e) || choose(&c, &used, ask, e) ||
        gather(&d, &used, &c, so.form, e) || surface_fit(&f, &d, &so, e))
        goto out;
    if (boot && resample(&b, &f, &d, &used, ask, e))
        goto out;
    surface_result(out, &f, &d, c.factor, boot ? &b : NULL, ask->interval,
                   ask->level);
    if (boot)
        bootstrap_release(&b);
    out->excluded = in->points.n - d.n;
    fit_result_text(out, "size", point_col_name(c.size));
    fit_result_text(out, "response", point_col_name(c.response));
    plots(ask->plots, &f, &d, &c, ask->level);
    rc = out_of_sample(out, &d, &used, &so, ask, e);
    if (rc)
        fit_result_release(out);
out:
    points_release(&used);
    return rc;
}
