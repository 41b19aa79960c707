/* curve_out: the fit as the JSON object of `fit --law loss --json`. */
#include "analysis/bootstrap.h"
#include "analysis/curve_impl.h"
#include "analysis/fit_json.h"

#include <math.h>
#include <stdio.h>

static void add_form(struct fit_result *r, const char *prefix,
                     const struct curve_form *m, int with_E)
{
    char name[32];

    if (with_E)
        fit_result_add(r, "E", m->E, NAN, m->E_ci[0], m->E_ci[1]);
    snprintf(name, sizeof name, "%sk", prefix);
    fit_result_add(r, name, m->k, NAN, m->k_ci[0], m->k_ci[1]);
    snprintf(name, sizeof name, "%sp", prefix);
    fit_result_add(r, name, m->p, NAN, m->p_ci[0], m->p_ci[1]);
}

static json_t *points_json(const struct curve_fit *f)
{
    json_t *list = json_array();

    for (int i = 0; i < f->n; i++) {
        const struct curve_point *p = &f->point[i];
        json_t *o = json_object();
        json_object_set_new(o, "flops", fit_json_number(p->flops));
        json_object_set_new(o, "loss", fit_json_number(p->loss));
        json_object_set_new(o, "se", fit_json_number(p->se));
        json_object_set_new(o, "bound", json_boolean(p->bound));
        json_array_append_new(list, o);
    }
    return list;
}

void curve_fit_result(struct fit_result *r, const struct curve_fit *f)
{
    fit_result_init(r, "loss");
    snprintf(r->method, sizeof r->method, "weighted least squares");
    snprintf(r->form, sizeof r->form, "E + k C^-p");
    r->n = (size_t)f->n;
    r->objective = f->with_E.objective;
    snprintf(r->objective_name, sizeof r->objective_name, "chi2");
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "%s",
             boot_kind_name((enum boot_kind)f->opts.interval));
    add_form(r, "", &f->with_E, 1);
    add_form(r, "pure_", &f->pure, 0);
    if (!f->identified)
        fit_result_refuse(r, "%s", f->refused);
    json_object_set_new(r->options, "bootstrap",
                        json_integer(f->opts.bootstrap));
    json_object_set_new(r->options, "seed",
                        json_integer((json_int_t)f->opts.seed));
    json_object_set_new(r->options, "se_dof", fit_json_number(f->opts.se_dof));
    fit_result_number(r, "noise", f->noise);
    fit_result_number(r, "chi2_per_dof", f->chi2);
    fit_result_number(r, "pure_objective", f->pure.objective);
    fit_result_number(r, "rms", f->with_E.rms);
    fit_result_number(r, "pure_rms", f->pure.rms);
    fit_result_json(r, "E_identified", json_boolean(f->E_identified));
    fit_result_json(r, "points", points_json(f));
}
