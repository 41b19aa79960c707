/* collapse_out: a collapse as the result of a fit. */
#include "analysis/bootstrap.h"
#include "analysis/collapse.h"
#include "analysis/fit_json.h"

#include <math.h>
#include <stdio.h>

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static json_t *curve_json(const struct collapse_fit *f)
{
    json_t *list = json_array();

    for (int i = 0; i < COLLAPSE_GRID && isfinite(f->scatter_rms); i++) {
        json_t *o = json_object();
        set(o, "x", (i + 0.5) / COLLAPSE_GRID);
        set(o, "z", f->mean[i]);
        set(o, "scatter", f->scatter[i]);
        set(o, "seed_noise", f->noise[i]);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *runs_json(const struct collapse_fit *f)
{
    json_t *list = json_array();

    for (size_t k = 0; k < f->n; k++) {
        const struct collapse_run *r = &f->run[k];
        json_t *o = json_object();
        json_object_set_new(o, "run", json_string(r->label));
        json_object_set_new(o, "cell", json_string(r->cell));
        set(o, "flops", r->flops);
        set(o, "steps", r->steps);
        set(o, "end", r->end);
        set(o, "deviation", isfinite(f->scatter_rms) ? r->deviation : NAN);
        json_object_set_new(o, "odd", json_boolean(r->odd));
        json_array_append_new(list, o);
    }
    return list;
}

void collapse_fit_result(struct fit_result *r, const struct collapse_fit *f)
{
    fit_result_init(r, "collapse");
    snprintf(r->form, sizeof r->form, "(L - L0)/(L_end - L0)");
    snprintf(r->method, sizeof r->method, "%s",
             f->L0_fitted ? "L0 + k C^-p" : "L0 as given");
    r->n = f->n;
    r->excluded = (size_t)f->n_skipped;
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "%s",
             boot_kind_name((enum boot_kind)f->opts.interval));
    fit_result_add(r, "L0", f->L0, NAN, f->L0_fitted ? f->L0_ci[0] : NAN,
                   f->L0_fitted ? f->L0_ci[1] : NAN);
    fit_result_add(r, "scatter", f->scatter_rms, NAN, f->scatter_ci[0],
                   f->scatter_ci[1]);
    fit_result_add(r, "seed_noise", f->noise_rms, NAN, f->noise_ci[0],
                   f->noise_ci[1]);
    if (!f->identified)
        fit_result_refuse(r, "%s", f->refused);
    fit_result_json(r, "cells", json_integer(f->n_cell));
    fit_result_json(r, "L0_identified",
                    isfinite(f->L0_ci[0]) && f->L0_fitted
                        ? json_boolean(f->L0_ci[0] > 0)
                        : json_null());
    fit_result_json(r, "supercollapse",
                    isfinite(f->noise_rms) ? json_boolean(f->super)
                                           : json_null());
    fit_result_number(r, "below_noise", f->below);
    fit_result_number(r, "from", f->opts.from);
    fit_result_json(r, "runs", runs_json(f));
    fit_result_json(r, "curve", curve_json(f));
}
