/* What a surface fit says of itself. */
#include "analysis/surface_result.h"

#include "analysis/linfit.h"
#include "analysis/surface_boot.h"
#include "analysis/surface_form.h"
#include "analysis/surface_smooth.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double surface_saddle(const struct surface_fit *f, const struct surface_data *d)
{
    enum { P = 6 };
    double mx = 0, md = 0;
    struct linfit l;

    double *X = xmalloc((d->n + 1) * (P + 1) * sizeof(*X));
    double *y = X + d->n * P;
    for (size_t i = 0; i < d->n; i++) {
        mx += log(d->size[i]) / (double)d->n;
        md += log(d->tokens[i]) / (double)d->n;
    }
    for (size_t i = 0; i < d->n; i++) {
        double x = log(d->size[i]) - mx, t = log(d->tokens[i]) - md;
        double row[P] = {1, x, t, x * x, t * t, x * t};
        memcpy(X + i * P, row, sizeof(row));
        y[i] =
            log(d->loss[i]) - log(surface_loss(&f->s, d->size[i], d->tokens[i],
                                               d->unique ? d->unique[i] : NAN));
    }
    int rc = linfit(&l, X, y, d->weight, d->n, P, NULL);
    free(X);
    return rc || l.dof < 1 ? NAN : l.coef[P - 1] / l.se[P - 1];
}

/* The standard error of natural parameter i from the linearised covariance. */
static double linear_se(const struct surface_fit *f, int i)
{
    int n = surface_n_params(f->s.form);
    enum surface_role r = form_table[f->s.form].role[i];
    double se = sqrt(f->cov[i * n + i]);

    if (r == ROLE_E || r == ROLE_A || r == ROLE_B || r == ROLE_R)
        se *= f->s.p[i];
    return se;
}

/* Standard error of a = beta/(alpha+beta) by the delta method. */
static double a_se(const struct surface_fit *f)
{
    int n = surface_n_params(f->s.form);
    int i = form_find(f->s.form, ROLE_ALPHA);
    int j = form_find(f->s.form, ROLE_BETA);
    double s = f->s.p[i] + f->s.p[j];
    double da = -f->s.p[j] / (s * s), db = f->s.p[i] / (s * s);

    return sqrt(da * da * f->cov[i * n + i] + db * db * f->cov[j * n + j] +
                2 * da * db * f->cov[i * n + j]);
}

static void add_params(struct fit_result *r, const struct surface_fit *f,
                       const struct surface_data *d,
                       const struct bootstrap *boot, enum boot_kind kind,
                       double level)
{
    int n = surface_n_params(f->s.form), fell_back = 0;
    int stats = surface_boot_stats(f->s.form);

    for (int i = 0; i < stats; i++) {
        double value = i < n ? f->s.p[i] : f->a, lo = NAN, hi = NAN;
        double se = i < n ? linear_se(f, i) : a_se(f);
        if (boot) {
            se = bootstrap_se(boot, (size_t)i);
            fell_back |=
                bootstrap_interval(&lo, &hi, boot, (size_t)i, kind, level);
        } else if (i < n) {
            lo = f->profile_lo[i];
            hi = f->profile_hi[i];
        }
        fit_result_add(r, surface_boot_name(f->s.form, i), value, se, lo, hi);
    }
    if (fell_back)
        fit_result_text(r, "interval_note",
                        "bca was undefined for some parameters: percentile");
    else if (boot && kind != BOOT_BCA && !boot->smoothed &&
             surface_has_corners(f, d))
        fit_result_text(r, "interval_note",
                        kind == BOOT_BASIC
                            ? "basic falls short where delta is far below the "
                              "residuals: smoothed resamples, or bca"
                            : "percentile runs wide where delta is far below "
                              "the residuals: smoothed resamples, or bca");
}

static void add_diagnostics(struct fit_result *r, const struct surface_fit *f,
                            const struct surface_data *d, double factor)
{
    double coef, exponent;
    const struct {
        const char *key;
        double value;
    } number[] = {
        {"share_reached", (double)f->reached / (double)f->starts},
        {"condition", f->cond},
        {"condition_projected", f->cond_projected},
        {"residual_sd", f->resid_sd},
        {"scale", f->scale},
        {"tpp_lo", f->tpp_lo},
        {"tpp_hi", f->tpp_hi},
        {"collinearity", f->collinear},
        {"saddle_t", surface_saddle(f, d)},
    };

    fit_result_json(r, "starts", json_integer((json_int_t)f->starts));
    fit_result_json(r, "reached", json_integer((json_int_t)f->reached));
    for (size_t i = 0; i < ARRAY_LEN(number); i++)
        fit_result_number(r, number[i].key, number[i].value);
    fit_result_json(r, "sizes", json_integer(f->sizes));
    fit_result_json(r, "horizons", json_integer(f->horizons));
    if (surface_optimum_law(&coef, &exponent, &f->s, factor) == 0) {
        fit_result_number(r, "size_opt_coef", coef);
        fit_result_number(r, "size_opt_exponent", exponent);
        fit_result_number(r, "tokens_opt_coef", 1 / (factor * coef));
        fit_result_number(r, "tokens_opt_exponent", 1 - exponent);
    }
}

/* Exponents that are identified, but hardly. */
static void add_weak(struct fit_result *r, const struct surface_fit *f)
{
    struct str s;

    str_init(&s);
    for (int i = 0; i < surface_n_params(f->s.form); i++)
        if (surface_is_exponent(f->s.form, i) && f->profile_lo[i] > 0 &&
            f->profile_hi[i] > 2.5 * f->profile_lo[i])
            str_addf(&s, "%s%s is known only to %.3g .. %.3g",
                     s.len ? "; " : "", surface_param_name(f->s.form, i),
                     f->profile_lo[i], f->profile_hi[i]);
    if (s.len)
        fit_result_text(r, "weak", s.text);
    str_release(&s);
}

/* The profile of every parameter that has one, whatever the intervals are. */
static void add_profiles(struct fit_result *r, const struct surface_fit *f)
{
    json_t *all = json_object();

    for (int i = 0; i < surface_n_params(f->s.form); i++) {
        if (isnan(f->profile_lo[i]))
            continue;
        json_t *o = json_object();
        json_object_set_new(o, "lo", fit_json_number(f->profile_lo[i]));
        json_object_set_new(o, "hi", fit_json_number(f->profile_hi[i]));
        json_object_set_new(o, "open_below",
                            json_boolean(f->profile_open[i] & 1));
        json_object_set_new(o, "open_above",
                            json_boolean(f->profile_open[i] & 2));
        json_object_set_new(all, surface_param_name(f->s.form, i), o);
    }
    fit_result_json(r, "profile", all);
}

void surface_result(struct fit_result *r, const struct surface_fit *f,
                    const struct surface_data *d, double factor,
                    const struct bootstrap *boot, enum boot_kind kind,
                    double level)
{
    fit_result_init(r, "surface");
    snprintf(r->method, sizeof(r->method), "%s",
             surface_method_name(f->options.method));
    snprintf(r->form, sizeof(r->form), "%s", surface_form_name(f->s.form));
    snprintf(r->objective_name, sizeof(r->objective_name), "%s",
             surface_objective_name(f->options.objective));
    snprintf(r->interval, sizeof(r->interval), "%s",
             boot ? boot_kind_name(kind) : "profile");
    r->n = f->n;
    r->objective = f->objective;
    r->level = level;
    add_params(r, f, d, boot, kind, level);
    add_diagnostics(r, f, d, factor);
    add_profiles(r, f);
    add_weak(r, f);
    if (boot) {
        fit_result_json(r, "bootstrap_groups",
                        json_integer((json_int_t)boot->n_groups));
        fit_result_json(r, "bootstrap_good",
                        json_integer((json_int_t)boot->good));
        fit_result_json(r, "bootstrap_smoothed", json_boolean(boot->smoothed));
    }
    if (!f->identified)
        fit_result_refuse(r, "%s", f->refused);
    json_object_set_new(r->options, "delta", json_real(f->options.delta));
    json_object_set_new(r->options, "over", json_real(f->options.over));
}

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

void surface_result_holdout(struct fit_result *r, const struct holdout *h,
                            const char *spec, double level)
{
    json_t *o = json_object(), *rows = json_array(), *params = json_object();

    for (int i = 0; i < surface_n_params(h->fit.s.form); i++)
        set(params, surface_param_name(h->fit.s.form, i), h->fit.s.p[i]);
    for (size_t i = 0; i < h->n; i++) {
        const struct holdout_row *x = &h->row[i];
        json_t *row = json_object();
        set(row, "flops", x->flops);
        set(row, "decades", x->decades);
        set(row, "observed", x->observed);
        set(row, "predicted", x->predicted);
        set(row, "lo", x->lo);
        set(row, "hi", x->hi);
        set(row, "error", x->error);
        json_object_set_new(row, "inside", json_boolean(x->inside));
        json_array_append_new(rows, row);
    }
    json_object_set_new(o, "spec", json_string(spec));
    json_object_set_new(o, "n", json_integer((json_int_t)h->n));
    json_object_set_new(o, "fitted", json_integer((json_int_t)h->fit.n));
    json_object_set_new(o, "params", params);
    set(o, "mean_error", h->mean_error);
    set(o, "rms", h->rms);
    set(o, "inside", h->inside);
    set(o, "level", level);
    set(o, "decades", h->decades);
    json_object_set_new(o, "rows", rows);
    fit_result_json(r, "holdout", o);
    fit_result_number(r, "holdout_mean_error", h->mean_error);
    fit_result_number(r, "holdout_rms", h->rms);
    fit_result_number(r, "holdout_inside", h->inside);
    fit_result_number(r, "holdout_decades", h->decades);
}

void surface_result_rolling(struct fit_result *r, const struct rolling_row *row,
                            size_t n)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        set(o, "cutoff", row[i].cutoff);
        set(o, "flops", row[i].flops);
        set(o, "decades", row[i].decades);
        json_object_set_new(o, "fitted",
                            json_integer((json_int_t)row[i].fitted));
        json_object_set_new(o, "n", json_integer((json_int_t)row[i].n));
        set(o, "mean_error", row[i].mean_error);
        set(o, "rms", row[i].rms);
        json_object_set_new(o, "identified", json_boolean(row[i].identified));
        json_array_append_new(all, o);
    }
    fit_result_json(r, "rolling", all);
}

void surface_result_selection(struct fit_result *r, const struct selection *s,
                              int n)
{
    json_t *all = json_array();

    for (int i = 0; i < n; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "form",
                            json_string(surface_form_name(s[i].form)));
        set(o, "rms", s[i].rms);
        set(o, "mean_error", s[i].mean_error);
        set(o, "in_sample", s[i].in_sample);
        json_object_set_new(o, "identified", json_boolean(s[i].identified));
        json_array_append_new(all, o);
    }
    fit_result_json(r, "selection", all);
}
