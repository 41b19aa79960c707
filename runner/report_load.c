/* report_load: rows of the views as the plain data of analysis/report.h. */
#include "runner/report_load.h"

#include "analysis/svg.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/curve.h"
#include "db/fits.h"
#include "db/runs.h"
#include "runner/fit_input.h"
#include "runner/report_tables.h"
#include "runner/schedule_load.h"
#include "runner/version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CURVE_POINTS 160 /* ranges of the log of the step */
#define MAX_CURVES 12

/* --- predictions --- */

static void own(struct report_input *r, char *text)
{
    r->owned =
        mem_grow(r->owned, &r->cap_owned, r->n_owned + 1, sizeof *r->owned);
    r->owned[r->n_owned++] = text;
}

/* Finished runs of the same budget and shape. */
static void find_measured(struct report_prediction *q, const struct points *v)
{
    q->measured = xcalloc(v->n + 1, sizeof *q->measured);
    q->seed = xcalloc(v->n + 1, sizeof *q->seed);
    q->run = xcalloc(v->n + 1, sizeof *q->run);
    for (size_t i = 0; i < v->n; i++) {
        if (!v->used[i] ||
            fabs(v->col[POINT_BUDGET][i] / q->flops - 1) > 1e-9 ||
            v->col[POINT_D_MODEL][i] != (double)q->d_model ||
            v->col[POINT_N_LAYER][i] != (double)q->n_layer ||
            !isfinite(v->col[POINT_BPB][i]))
            continue;
        q->measured[q->n] = v->col[POINT_BPB][i];
        q->seed[q->n] = (int64_t)v->col[POINT_SEED][i];
        q->run[q->n++] = v->run[i];
    }
}

static int load_predictions(struct report_input *r, struct store *db,
                            struct err *e)
{
    struct db_prediction *p;
    size_t n;

    if (db_predictions(&p, &n, db, r->in.id, e))
        return -1;
    r->prediction = xcalloc(n + 1, sizeof *r->prediction);
    for (size_t i = 0; i < n; i++) {
        struct report_prediction *q = &r->prediction[i];
        char *made = xstrdup(p[i].made), *sha = xstrdup(p[i].sha256);
        *q = (struct report_prediction){.flops = p[i].choice.flops,
                                        .M = p[i].M,
                                        .N = p[i].N,
                                        .D = p[i].D,
                                        .lr = p[i].choice.lr,
                                        .batch =
                                            (double)p[i].choice.batch_tokens,
                                        .n_layer = p[i].choice.model.n_layer,
                                        .d_model = p[i].choice.model.d_model,
                                        .bpb = p[i].bpb,
                                        .lo = p[i].bpb_lo,
                                        .hi = p[i].bpb_hi,
                                        .level = p[i].level,
                                        .decades = p[i].decades,
                                        .made = made,
                                        .sha256 = sha};
        own(r, made);
        own(r, sha);
        find_measured(q, &r->in.verify);
        free(p[i].json);
    }
    free(p);
    r->data.prediction = r->prediction;
    r->data.n_prediction = n;
    return 0;
}

/* --- loss curves --- */

/* The training loss of a run in ranges that grow with the step; 0 points when
 * no steps were kept. */
static int load_curve(struct plot_curve *c, struct store *db, int64_t run,
                      double budget, struct err *e)
{
    const struct scale label = {.lo = 1, .hi = 10, .log = 1};
    struct db_curve steps;

    if (db_curve(&steps, db, run, 0, 0, CURVE_POINTS, 1, e))
        return -1;
    c->x = xmalloc(CURVE_POINTS * sizeof *c->x);
    c->y = xmalloc(CURVE_POINTS * sizeof *c->y);
    c->n = 0;
    c->budget = budget;
    scale_label(c->label, budget, &label);
    for (size_t i = 0; i < steps.n; i++) {
        if (!isfinite(steps.at[i].loss))
            continue;
        c->x[c->n] = steps.at[i].flops;
        c->y[c->n++] = steps.at[i].loss;
    }
    db_curve_release(&steps);
    return 0;
}

/* The run with the lowest loss at each budget of a set of points. */
static size_t best_runs(int64_t *run, double *budget, size_t max,
                        const struct points *p)
{
    double best[MAX_CURVES];
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        double b = p->col[POINT_BUDGET][i], y = p->col[POINT_LOSS][i];
        size_t k = 0;
        if (!p->used[i] || !(b > 0) || !isfinite(y))
            continue;
        while (k < n && fabs(budget[k] / b - 1) > 1e-6)
            k++;
        if (k == max || (k < n && best[k] <= y))
            continue;
        n += k == n;
        run[k] = p->run[i];
        budget[k] = b;
        best[k] = y;
    }
    return n;
}

static int by_budget(const void *a, const void *b)
{
    const struct plot_curve *p = a, *q = b;
    return p->budget < q->budget ? -1 : p->budget > q->budget;
}

static int load_curves(struct report_input *r, struct store *db, struct err *e)
{
    const struct points *set[] = {&r->in.isoflop, &r->in.verify};
    int64_t run[MAX_CURVES];
    double budget[MAX_CURVES];
    size_t n = 0;

    r->curve = xcalloc(2 * MAX_CURVES, sizeof *r->curve);
    for (int s = 0; s < 2; s++) {
        size_t m = best_runs(run, budget, MAX_CURVES, set[s]);
        for (size_t i = 0; i < m; i++) {
            if (load_curve(&r->curve[n], db, run[i], budget[i], e))
                return -1;
            r->data.n_curve = ++n;
        }
    }
    qsort(r->curve, n, sizeof *r->curve, by_budget);
    r->data.curve = r->curve;
    for (size_t i = 0; i < n; i++) /* imported runs have no steps */
        if (r->curve[i].n < 2) {
            r->data.n_curve = 0;
            break;
        }
    return 0;
}

/* --- all --- */

static void say_subtitle(struct report_input *r, struct store *db)
{
    time_t now = time(NULL);
    struct tm utc;
    char made[32] = "";

    if (gmtime_r(&now, &utc))
        strftime(made, sizeof made, "%Y-%m-%d %H:%M UTC", &utc);
    snprintf(r->subtitle, sizeof r->subtitle,
             "Report of %s, made %s by loglog %s (%s)", store_path(db), made,
             VERSION_TEXT, version_commit());
}

/* A reason is as good as a figure. */
static void load_collapse(struct report_input *r, struct store *db)
{
    struct collapse_options o;
    struct series_set curves;

    if (!r->in.isoflop.n)
        return;
    series_init(&curves);
    collapse_options_default(&o);
    r->have_collapse =
        !fit_series_read(&curves, db, &r->in.isoflop, 1, &r->no_collapse) &&
        !collapse_fit(&r->collapse, &curves, &o, &r->no_collapse);
    series_release(&curves);
    r->data.collapse = r->have_collapse ? &r->collapse : NULL;
    r->data.no_collapse = r->have_collapse ? NULL : r->no_collapse.text;
}

int report_load(struct report_input *r, struct store *db, const char *name,
                struct err *e)
{
    struct laws_opts o;

    memset(r, 0, sizeof *r);
    if (laws_input_read(&r->in, db, name, e))
        return -1;
    if (db_study_text(&r->text, db, r->in.id, e) ||
        report_tables(r->data.table, db, r->in.id, e) ||
        load_predictions(r, db, e) || load_curves(r, db, e) ||
        schedule_load(&r->schedule, db, r->in.id, e)) {
        report_unload(r);
        return -1;
    }
    load_collapse(r, db); /* reads: before the fits, which take their time */
    laws_input_opts(&o, &r->in);
    r->have_laws =
        !laws_fit(&r->laws, &r->in.hyper, &r->in.isoflop, &o, &r->no_laws);
    say_subtitle(r, db);
    r->data.name = r->in.have_study ? r->in.study.name
                   : name           ? name
                                    : "Imported points";
    r->data.subtitle = r->subtitle;
    r->data.study = r->in.have_study ? &r->in.study : NULL;
    r->data.study_text = r->in.have_study ? r->text : NULL;
    r->data.laws = r->have_laws ? &r->laws : NULL;
    r->data.no_laws = r->have_laws ? NULL : r->no_laws.text;
    r->data.hyper = r->in.have_study ? &r->in.hyper : NULL;
    r->data.isoflop = &r->in.isoflop;
    r->data.verify = &r->in.verify;
    r->data.schedule = r->schedule.n ? &r->schedule : NULL;
    return 0;
}

void report_unload(struct report_input *r)
{
    for (int i = 0; i < REPORT_TABLES; i++) {
        struct report_table *t = &r->data.table[i];
        for (size_t k = 0; k < t->rows * (size_t)t->cols; k++)
            free(t->cell[k]);
        free(t->cell);
    }
    for (size_t i = 0; i < r->data.n_prediction; i++) {
        free(r->prediction[i].measured);
        free(r->prediction[i].seed);
        free(r->prediction[i].run);
    }
    free(r->prediction);
    for (size_t i = 0; i < r->n_owned; i++)
        free(r->owned[i]);
    free(r->owned);
    for (size_t i = 0; r->curve && i < 2 * MAX_CURVES; i++) {
        free(r->curve[i].x);
        free(r->curve[i].y);
    }
    free(r->curve);
    schedule_unload(&r->schedule);
    free(r->text);
    if (r->have_laws)
        laws_release(&r->laws);
    if (r->have_collapse)
        collapse_fit_release(&r->collapse);
    laws_input_release(&r->in);
    memset(r, 0, sizeof *r);
}
