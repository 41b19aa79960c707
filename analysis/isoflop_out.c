/* isoflop_out: the fit as the JSON object of `fit --law isoflop --json`. */
#include "analysis/bootstrap.h"
#include "analysis/fit_json.h"
#include "analysis/isoflop_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static json_t *pair(const double ci[2])
{
    json_t *a = json_array();

    json_array_append_new(a, fit_json_number(ci[0]));
    json_array_append_new(a, fit_json_number(ci[1]));
    return a;
}

static json_t *budget_json(const struct isoflop_budget *b)
{
    json_t *o = json_object();

    set(o, "flops", b->flops);
    json_object_set_new(o, "sizes", json_integer(b->n_size));
    json_object_set_new(o, "sizes_diverged", json_integer(b->n_diverged));
    json_object_set_new(o, "accepted", json_boolean(b->ok));
    json_object_set_new(o, "refused",
                        b->ok ? json_null() : json_string(b->refused));
    json_object_set_new(o, "extend", json_integer(b->dir));
    set(o, "M", b->M);
    set(o, "D", b->D);
    set(o, "N", b->N);
    set(o, "loss", b->loss);
    set(o, "log_M_se", b->log_M_se);
    set(o, "loss_se", b->loss_se);
    json_object_set_new(o, "M_ci", pair(b->M_ci));
    json_object_set_new(o, "loss_ci", pair(b->loss_ci));
    set(o, "lowest_M", b->size[b->lowest].M);
    set(o, "lowest_loss", b->size[b->lowest].loss);
    set(o, "curvature_t", b->curvature_t);
    set(o, "parabola_M", b->parabola_M);
    set(o, "parabola_loss", b->parabola_loss);
    set(o, "akima_M", b->akima_M);
    set(o, "akima_loss", b->akima_loss);
    set(o, "spline_M", b->spline_M);
    set(o, "spline_loss", b->spline_loss);
    set(o, "surface_M", b->surface_M);
    return o;
}

static void add_power(struct fit_result *r, const char *what,
                      const struct isoflop_power *y)
{
    char name[32];

    snprintf(name, sizeof name, "%s_coef", what);
    fit_result_add(r, name, y->coef, NAN, y->coef_ci[0], y->coef_ci[1]);
    snprintf(name, sizeof name, "%s_exponent", what);
    fit_result_add(r, name, y->exponent, NAN, y->exponent_ci[0],
                   y->exponent_ci[1]);
}

static json_t *options_json(const struct isoflop_opts *o)
{
    json_t *j = json_object();

    json_object_set_new(j, "method",
                        json_string(isoflop_method_name[o->method]));
    json_object_set_new(j, "resample",
                        json_string(isoflop_resample_name[o->resample]));
    set(j, "window", o->window);
    json_object_set_new(j, "log_loss", json_boolean(o->log_loss));
    if (o->method == ISOFLOP_AKIMA)
        json_object_set_new(
            j, "observation",
            json_string(isoflop_observation_name[o->observation]));
    json_object_set_new(j, "min_sizes", json_integer(o->min_sizes));
    set(j, "curvature", o->curvature);
    set(j, "level", o->level);
    json_object_set_new(j, "bootstrap", json_integer(o->bootstrap));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    return j;
}

static void diagnostics(struct fit_result *r, const struct isoflop_fit *f)
{
    json_t *list = json_array();

    fit_result_json(r, "budgets", json_integer(f->n_budget));
    fit_result_json(r, "accepted", json_integer(f->n_ok));
    fit_result_json(r, "diverged", json_integer(f->n_diverged));
    fit_result_text(r, "metric", f->metric_bpb ? "bpb" : "loss");
    fit_result_number(r, "noise", f->noise);
    fit_result_json(r, "noise_dof", json_integer(f->noise_dof));
    fit_result_text(r, "noise_from",
                    f->noise_from_seeds ? "seeds" : "residuals");
    fit_result_number(r, "sigma", f->sigma);
    fit_result_number(r, "misfit_p", f->misfit_p);
    fit_result_number(r, "chi2", f->chi2);
    fit_result_number(r, "off", f->off);
    fit_result_json(r, "settle",
                    f->identified ? json_null() : json_string(f->settle));
    fit_result_number(r, "settle_flops", f->identified ? NAN : f->settle_flops);
    for (int i = 0; i < f->n_budget; i++)
        json_array_append_new(list, budget_json(&f->budget[i]));
    fit_result_json(r, "profiles", list);
}

void isoflop_fit_result(struct fit_result *r, const struct isoflop_fit *f)
{
    fit_result_init(r, "isoflop");
    snprintf(r->method, sizeof r->method, "%s",
             isoflop_method_name[f->opts.method]);
    r->n = (size_t)f->n_point;
    r->excluded = (size_t)f->n_excluded;
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "%s, %s",
             f->opts.interval < 0 || f->resampled != ISOFLOP_RESAMPLE_BUDGETS
                 ? "percentile"
                 : boot_kind_name((enum boot_kind)f->opts.interval),
             isoflop_resample_name[f->resampled]);
    snprintf(r->input, sizeof r->input, "%s", f->input);
    add_power(r, "M", &f->M);
    add_power(r, "D", &f->D);
    add_power(r, "N", &f->N);
    if (!f->identified)
        fit_result_refuse(r, "%s", f->refused);
    json_decref(r->options);
    r->options = options_json(&f->opts);
    diagnostics(r, f);
}
