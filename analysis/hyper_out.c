/* hyper_out: the fit as the JSON object of `fit --law hyper --json`. */
#include "analysis/fit_json.h"
#include "analysis/hyper_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const optimum_name[] = {"near-optimal", "centre",
                                           "quadratic", "pooled"};

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static json_t *grid_json(const struct hyper_grid *g)
{
    const struct hyper_cell *b = &g->cell[g->best];
    json_t *o = json_object();

    set(o, "flops", g->flops);
    set(o, "M", g->M);
    set(o, "N", g->N);
    set(o, "D", g->D);
    json_object_set_new(o, "cells", json_integer(g->n_cell));
    json_object_set_new(o, "near", json_integer(g->n_near));
    set(o, "threshold", g->threshold);
    set(o, "best_lr", b->lr);
    set(o, "best_batch", b->batch);
    set(o, "best_loss", b->loss);
    set(o, "lr", g->lr);
    set(o, "batch", g->batch);
    set(o, "lr_lo", g->lr_lo);
    set(o, "lr_hi", g->lr_hi);
    set(o, "batch_lo", g->batch_lo);
    set(o, "batch_hi", g->batch_hi);
    set(o, "quadratic_lr", g->quad.ok ? g->quad.lr : NAN);
    set(o, "quadratic_batch", g->quad.ok ? g->quad.batch : NAN);
    json_object_set_new(o, "quadratic_refused",
                        g->quad.ok ? json_null() : json_string(g->quad.why));
    json_object_set_new(o, "edge_lr", json_integer(g->dlr));
    json_object_set_new(o, "edge_batch", json_integer(g->dbatch));
    json_object_set_new(o, "edge",
                        g->why[0] ? json_string(g->why) : json_null());
    return o;
}

static json_t *multi_json(const struct hyper_multi *m)
{
    json_t *o = json_object();

    if (!m->ok) {
        json_object_set_new(o, "refused", json_string(m->why));
        return o;
    }
    set(o, "coef", m->coef);
    set(o, "N", m->n);
    set(o, "D", m->d);
    set(o, "B", m->b);
    json_object_set_new(o, "N_ci",
                        json_pack("[o, o]", fit_json_number(m->n_ci[0]),
                                  fit_json_number(m->n_ci[1])));
    json_object_set_new(o, "D_ci",
                        json_pack("[o, o]", fit_json_number(m->d_ci[0]),
                                  fit_json_number(m->d_ci[1])));
    json_object_set_new(o, "B_ci",
                        json_pack("[o, o]", fit_json_number(m->b_ci[0]),
                                  fit_json_number(m->b_ci[1])));
    return o;
}

static json_t *scores_json(const struct hyper_fit *f)
{
    json_t *o = json_object();

    for (int k = 0; k < HYPER_FORMS; k++) {
        json_t *s = json_object();
        json_object_set_new(s, "grids", json_integer(f->score[k].n));
        set(s, "mean", f->score[k].mean);
        set(s, "max", f->score[k].max);
        json_object_set_new(o, hyper_form_name[k], s);
    }
    return o;
}

static void add_power(struct fit_result *r, const char *what,
                      const struct hyper_power *y)
{
    char name[32];

    snprintf(name, sizeof name, "%s_coef", what);
    fit_result_add(r, name, y->coef, NAN, y->coef_ci[0], y->coef_ci[1]);
    snprintf(name, sizeof name, "%s_exponent", what);
    fit_result_add(r, name, y->exponent, NAN, y->exponent_ci[0],
                   y->exponent_ci[1]);
}

static json_t *options_json(const struct hyper_opts *o)
{
    json_t *j = json_object();

    json_object_set_new(j, "optimum", json_string(optimum_name[o->optimum]));
    set(j, "near_rel", o->near_rel);
    set(j, "near_sd", o->near_sd);
    set(j, "level", o->level);
    json_object_set_new(j, "bootstrap", json_integer(o->bootstrap));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    return j;
}

static void refusals(struct fit_result *r, const struct hyper_fit *f)
{
    fit_result_json(r, "lr_identified", json_boolean(f->lr.identified));
    fit_result_json(r, "batch_identified", json_boolean(f->batch.identified));
    if (!f->lr.identified && !f->batch.identified)
        fit_result_refuse(r, "lr: %s.  batch: %s", f->lr.refused,
                          f->batch.refused);
    else if (!f->lr.identified)
        fit_result_refuse(r, "lr: %s", f->lr.refused);
    else if (!f->batch.identified)
        fit_result_refuse(r, "batch: %s", f->batch.refused);
}

static void diagnostics(struct fit_result *r, const struct hyper_fit *f)
{
    json_t *grids = json_array();
    struct hyper_law law;
    struct str how;

    str_init(&how);
    hyper_fit_use(&law, &how, f);
    fit_result_json(r, "near_optimal_lr", json_integer(f->lr.n_point));
    fit_result_json(r, "near_optimal_batch", json_integer(f->batch.n_point));
    fit_result_json(r, "grids_lr", json_integer(f->lr.n_grid));
    fit_result_json(r, "grids_batch", json_integer(f->batch.n_grid));
    fit_result_json(r, "diverged", json_integer(f->n_diverged));
    fit_result_number(r, "noise", f->noise);
    fit_result_json(r, "noise_dof", json_integer(f->noise_dof));
    fit_result_json(r, "use",
                    json_pack("{s:f, s:f, s:f, s:f, s:s}", "lr_coef",
                              law.lr_coef, "lr_exponent", law.lr_exp,
                              "batch_coef", law.batch_coef, "batch_exponent",
                              law.batch_exp, "how", how.text));
    fit_result_json(r, "lr_of_N_D", multi_json(&f->lr_nd));
    fit_result_json(r, "batch_of_D", multi_json(&f->batch_d));
    fit_result_json(r, "lr_of_N_D_B", multi_json(&f->lr_ndb));
    fit_result_json(r, "held_out_excess", scores_json(f));
    for (int i = 0; i < f->n_grid; i++)
        json_array_append_new(grids, grid_json(&f->grid[i]));
    fit_result_json(r, "grids", grids);
    str_release(&how);
}

void hyper_fit_result(struct fit_result *r, const struct hyper_fit *f)
{
    fit_result_init(r, "hyper");
    snprintf(r->method, sizeof r->method, "%s", optimum_name[f->opts.optimum]);
    r->n = (size_t)f->n_point;
    r->excluded = (size_t)f->n_excluded;
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "%s",
             f->opts.interval < 0
                 ? "percentile"
                 : boot_kind_name((enum boot_kind)f->opts.interval));
    snprintf(r->input, sizeof r->input, "%s", f->input);
    add_power(r, "lr", &f->lr);
    add_power(r, "batch", &f->batch);
    json_decref(r->options);
    r->options = options_json(&f->opts);
    refusals(r, f);
    diagnostics(r, f);
}
