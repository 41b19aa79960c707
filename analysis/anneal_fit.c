/* anneal_fit: families of runs, each with its trunk, and the result. */
#include "analysis/anneal_impl.h"
#include "analysis/bootstrap.h"
#include "analysis/fit_json.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With learning rates all along, and losses. */
static int usable(const struct series *s)
{
    int losses = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->lr[i]) || s->lr[i] < 0)
            return 0;
        losses += isfinite(s->loss[i]);
    }
    return losses > 0 && series_peak(s) > 0;
}

static struct anneal_family *find(struct anneal_fit *f, const char *name)
{
    for (size_t k = 0; k < f->n_family; k++)
        if (strcmp(f->family[k].name, name) == 0)
            return &f->family[k];
    return NULL;
}

/* The families, each with its longest run (or the one that was named) as the
 * trunk; n_row counts runs for now. */
static int gather(struct anneal_fit *f, const struct series_set *t,
                  struct err *e)
{
    const char *want = f->opts.trunk;
    int found = !want;

    f->family = xcalloc(t->n + 1, sizeof *f->family);
    for (size_t i = 0; i < t->n; i++) {
        const struct series *s = &t->s[i];
        struct anneal_family *k = find(f, s->family);
        if (!usable(s))
            continue;
        if (!k) {
            k = &f->family[f->n_family++];
            snprintf(k->name, sizeof k->name, "%s", s->family);
            k->trunk = i;
        }
        k->n_row++;
        if (want && strcmp(want, s->label) == 0) {
            k->trunk = i;
            found = 1;
        } else if (series_steps(s) > series_steps(&t->s[k->trunk]) &&
                   !(want && strcmp(want, t->s[k->trunk].label) == 0)) {
            k->trunk = i;
        }
    }
    if (!f->n_family)
        return err_set(e, ERR_FAILED,
                       "no run with a learning rate and a loss along its "
                       "steps to fit a curve to");
    if (!found)
        return err_set(e, ERR_USAGE, "--trunk %.60s: no run of this name",
                       want);
    return 0;
}

static int by_runs(const void *a, const void *b)
{
    const struct anneal_family *x = a, *y = b;

    if (x->n_row != y->n_row)
        return x->n_row > y->n_row ? -1 : 1;
    if (x->steps != y->steps)
        return x->steps > y->steps ? -1 : 1;
    return x->trunk < y->trunk ? -1 : x->trunk > y->trunk;
}

/* The families worth a fit: that of the trunk that was named, else those with
 * something to predict, else the first. */
static void keep_some(struct anneal_fit *f, const struct series_set *t)
{
    const char *want = f->opts.trunk;
    size_t n = 0;

    for (size_t k = 0; k < f->n_family; k++) {
        const struct anneal_family *g = &f->family[k];
        if (want ? strcmp(t->s[g->trunk].label, want) == 0
                 : g->n_row > 1 || k == 0)
            f->family[n++] = f->family[k];
    }
    f->n_family = n;
}

static void sum_up(struct anneal_fit *f)
{
    double sum = 0, ss = 0, worst = 0;

    for (size_t k = 0; k < f->n_family; k++)
        for (int i = 0; i < f->family[k].n_row; i++) {
            const struct anneal_row *r = &f->family[k].row[i];
            if (r->fitted || !f->family[k].identified || !isfinite(r->error))
                continue;
            f->n_branch++;
            sum += fabs(r->error);
            ss += r->error * r->error;
            worst = fmax(worst, fabs(r->error));
        }
    f->mean_abs = f->n_branch ? sum / f->n_branch : NAN;
    f->rms = f->n_branch ? sqrt(ss / f->n_branch) : NAN;
    f->worst = f->n_branch ? worst : NAN;
}

int anneal_fit(struct anneal_fit *f, const struct series_set *t,
               const struct anneal_options *o, struct err *e)
{
    memset(f, 0, sizeof *f);
    f->opts = *o;
    if (gather(f, t, e)) {
        anneal_fit_release(f);
        return -1;
    }
    for (size_t k = 0; k < f->n_family; k++)
        f->family[k].steps = series_steps(&t->s[f->family[k].trunk]);
    qsort(f->family, f->n_family, sizeof *f->family, by_runs);
    keep_some(f, t);
    for (size_t k = 0; k < f->n_family; k++) {
        struct anneal_family *g = &f->family[k];
        struct anneal_options own = *o;
        if (k) { /* intervals are printed of the first */
            own.bootstrap = 0;
            own.indices = NULL;
        }
        g->row = xcalloc((size_t)g->n_row + 1, sizeof *g->row);
        g->n_row = 0;
        if (anneal_family_fit(g, t, &own, e)) {
            anneal_fit_release(f);
            return -1;
        }
    }
    sum_up(f);
    return 0;
}

void anneal_fit_release(struct anneal_fit *f)
{
    for (size_t k = 0; k < f->n_family; k++)
        free(f->family[k].row);
    free(f->family);
    memset(f, 0, sizeof *f);
}

/* --- result --- */

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static json_t *row_json(const struct anneal_family *f,
                        const struct anneal_row *r)
{
    json_t *o = json_object();

    json_object_set_new(o, "run", json_string(r->run));
    json_object_set_new(o, "family", json_string(f->name));
    json_object_set_new(o, "role", json_string(r->fitted ? "trunk" : "branch"));
    set(o, "steps", r->steps);
    json_object_set_new(o, "n", json_integer(r->n));
    set(o, "observed", r->observed);
    set(o, "predicted", r->predicted);
    set(o, "error", r->error);
    set(o, "rms", r->rms);
    return o;
}

static json_t *family_json(const struct anneal_family *f)
{
    json_t *o = json_object();

    json_object_set_new(o, "family", json_string(f->name));
    json_object_set_new(o, "runs", json_integer(f->n_row));
    set(o, "L0", f->law.L0);
    set(o, "A", f->law.A);
    set(o, "alpha", f->law.alpha);
    set(o, "C", f->law.C);
    set(o, "lambda", f->law.lambda);
    json_object_set_new(o, "identified", json_boolean(f->identified));
    json_object_set_new(o, "refused",
                        f->refused[0] ? json_string(f->refused) : json_null());
    return o;
}

void anneal_fit_result(struct fit_result *r, const struct anneal_fit *f)
{
    const struct anneal_family *g = &f->family[0];
    const double v[5] = {g->law.L0, g->law.A, g->law.alpha, g->law.C,
                         g->law.lambda};
    static const char *const name[5] = {"L0", "A", "alpha", "C", "lambda"};
    json_t *rows = json_array(), *families = json_array();

    fit_result_init(r, "curve");
    snprintf(r->form, sizeof r->form, "L0 + A S1^-alpha - C S2");
    snprintf(r->method, sizeof r->method, "varpro");
    snprintf(r->objective_name, sizeof r->objective_name, "huber");
    r->objective = g->objective;
    r->n = (size_t)g->n;
    r->level = f->opts.level;
    snprintf(r->interval, sizeof r->interval, "%s, blocks",
             boot_kind_name((enum boot_kind)f->opts.interval));
    for (int i = 0; i < 5; i++)
        fit_result_add(r, name[i], v[i], NAN, g->ci[i][0], g->ci[i][1]);
    if (!g->identified)
        fit_result_refuse(r, "%s", g->refused);
    else if (!f->n_branch)
        fit_result_refuse(r,
                          "no family has a second run, so nothing was "
                          "predicted; runs that branch off the trunk to decay "
                          "earlier would test it");
    fit_result_text(r, "trunk", g->n_row ? g->row[0].run : "");
    fit_result_json(r, "branches", json_integer(f->n_branch));
    fit_result_number(r, "mean_abs_error", f->mean_abs);
    fit_result_number(r, "rms_error", f->rms);
    fit_result_number(r, "worst_error", f->worst);
    for (size_t k = 0; k < f->n_family; k++) {
        json_array_append_new(families, family_json(&f->family[k]));
        for (int i = 0; i < f->family[k].n_row; i++)
            json_array_append_new(
                rows, row_json(&f->family[k], &f->family[k].row[i]));
    }
    fit_result_json(r, "runs", rows);
    fit_result_json(r, "families", families);
}
