#include "analysis/curve_rolling.h"

#include "analysis/curve.h"
#include "analysis/fit_json.h"
#include "analysis/isoflop_fit.h"
#include "analysis/points.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define SAME 1.05 /* a run belongs to the budget of its flops within that */

/* The runs of budgets up to `top`. */
static void select_up_to(struct points *to, const struct points *p, double top)
{
    int *keep = xcalloc(p->n + 1, sizeof *keep);

    points_init(to);
    for (size_t i = 0; i < p->n; i++) {
        double C = p->col[POINT_BUDGET][i];
        if (!isfinite(C))
            C = p->col[POINT_FLOPS][i];
        keep[i] = C <= top * SAME;
    }
    points_select(to, p, keep);
    free(keep);
}

/* The law of the budgets up to the cut-off; 1: none is identified. */
static int fit_up_to(struct curve_fit *f, const struct points *p,
                     const struct isoflop_opts *o, double cutoff)
{
    struct curve_point *at;
    struct isoflop_fit iso;
    struct curve_opts co;
    struct points some;

    select_up_to(&some, p, cutoff);
    int rc = isoflop_fit(&iso, &some, o, NULL);
    points_release(&some);
    if (rc)
        return 1;
    curve_opts_isoflop(&co, &iso);
    co.bootstrap = 0;
    int n = curve_points(&at, &iso);
    rc = curve_fit(f, at, n, iso.noise, &co, NULL);
    free(at);
    isoflop_fit_release(&iso);
    if (rc)
        return 1;
    if (f->identified)
        return 0;
    curve_fit_release(f);
    return 1;
}

static void forecast(struct curve_rolling_row *r, const struct curve_fit *f,
                     const struct curve_point *at, double level)
{
    double se = isfinite(at->se) ? at->se / at->loss : 0;
    struct curve_forecast c;

    curve_forecast(&c, f, at->flops, level, se);
    *r = (struct curve_rolling_row){.cutoff = f->point[f->n - 1].flops,
                                    .flops = at->flops,
                                    .decades = c.decades,
                                    .budgets = f->n,
                                    .observed = at->loss,
                                    .predicted = c.loss,
                                    .lo = c.law_ci[0],
                                    .hi = c.law_ci[1],
                                    .error = c.loss / at->loss - 1,
                                    .misfit = f->misfit};
    r->inside = r->lo <= r->observed && r->observed <= r->hi;
}

int curve_rolling(struct curve_rolling_row **rows, size_t *n,
                  const struct points *p, const struct isoflop_opts *o,
                  struct err *e)
{
    struct isoflop_opts io = *o;
    struct isoflop_fit all;
    struct curve_point *at;

    io.bootstrap = 0; /* of the exponents of M, not asked for here */
    if (isoflop_fit(&all, p, &io, e))
        return -1;
    int budgets = curve_points(&at, &all);
    isoflop_fit_release(&all);
    *n = 0;
    *rows = xcalloc((size_t)budgets * (size_t)budgets + 1, sizeof **rows);
    for (int k = 0; k < budgets - 1; k++) {
        struct curve_fit f;
        if (fit_up_to(&f, p, &io, at[k].flops))
            continue;
        for (int i = k + 1; i < budgets; i++)
            if (!at[i].bound)
                forecast(&(*rows)[(*n)++], &f, &at[i], io.level);
        curve_fit_release(&f);
    }
    free(at);
    if (*n)
        return 0;
    free(*rows);
    return err_set(e, ERR_FAILED,
                   "--rolling: no budget has a larger one above it to "
                   "forecast, with a law of three or more below; %d budgets "
                   "were found, four are the least",
                   budgets);
}

static json_t *row_json(const struct curve_rolling_row *r)
{
    const struct {
        const char *key;
        double value;
    } number[] = {
        {"cutoff", r->cutoff},
        {"flops", r->flops},
        {"decades", r->decades},
        {"observed", r->observed},
        {"predicted", r->predicted},
        {"lo", r->lo},
        {"hi", r->hi},
        {"error", r->error},
        {"misfit", r->misfit},
    };
    json_t *o = json_object();

    for (size_t i = 0; i < ARRAY_LEN(number); i++)
        json_object_set_new(o, number[i].key, fit_json_number(number[i].value));
    json_object_set_new(o, "budgets", json_integer(r->budgets));
    json_object_set_new(o, "inside", json_boolean(r->inside));
    return o;
}

void curve_rolling_result(struct fit_result *r,
                          const struct curve_rolling_row *rows, size_t n)
{
    double sum = 0, squares = 0, inside = 0;
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        sum += rows[i].error;
        squares += rows[i].error * rows[i].error;
        inside += rows[i].inside;
        json_array_append_new(all, row_json(&rows[i]));
    }
    fit_result_number(r, "rolling_mean_error", sum / (double)n);
    fit_result_number(r, "rolling_rms", sqrt(squares / (double)n));
    fit_result_number(r, "rolling_inside", inside / (double)n);
    fit_result_json(r, "rolling", all);
}
