/* `fit --law power`: y = coef x^exponent between any two columns. */
#include "analysis/plots_fit.h"
#include "analysis/powerlaw.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/fit_law.h"
#include "runner/fit_plots.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int column(enum point_col *c, const char *option, const char *name,
                  struct err *e)
{
    const char *names[POINT_COLS];
    int v = -1;

    for (int i = 0; i < POINT_COLS; i++)
        names[i] = point_col_name((enum point_col)i);
    if (!name)
        return err_set(e, ERR_USAGE,
                       "--law power needs --x and --y, columns such as n, d, "
                       "flops, loss");
    if (fit_word(&v, option, name, point_col_parse, names, POINT_COLS, e))
        return -1;
    *c = (enum point_col)v;
    return 0;
}

struct pairs {
    const double *x, *y;
};

static int refit_power(double *stat, const size_t *idx, size_t m,
                       const struct boot_turn *turn, void *ctx)
{
    const struct pairs *p = ctx;
    double *x = xmalloc((2 * m + 1) * sizeof(*x));

    (void)turn;
    for (size_t i = 0; i < m; i++) {
        x[i] = p->x[idx[i]];
        x[m + i] = p->y[idx[i]];
    }
    int rc = powerlaw_fit_fast(&stat[0], &stat[1], x, x + m, NULL, m);
    free(x);
    return rc;
}

static int power_result(struct fit_result *out, const struct powerlaw *f,
                        const struct pairs *p, const struct fit_ask *ask,
                        struct err *e)
{
    struct boot_options o = {
        .resamples = ask->bootstrap > 0 ? (size_t)ask->bootstrap : 0,
        .seed = (uint64_t)ask->seed,
        .indices = ask->indices,
        .threads = ask->threads,
        .jackknife = ask->interval == BOOT_BCA};
    double estimate[2] = {f->coef, f->exponent};
    double ci[2][2] = {{f->coef_ci[0], f->coef_ci[1]},
                       {f->exponent_ci[0], f->exponent_ci[1]}};
    double se[2] = {f->coef * f->se_log_coef, f->se_exponent};
    struct bootstrap b;
    int boot = o.resamples > 0 || o.indices;

    if (boot) {
        if (bootstrap_run(&b, &o, f->n, NULL, 0, estimate, 2, refit_power,
                          (void *)(uintptr_t)p, e))
            return -1;
        for (size_t k = 0; k < 2; k++) {
            se[k] = bootstrap_se(&b, k);
            bootstrap_interval(&ci[k][0], &ci[k][1], &b, k, ask->interval,
                               ask->level);
        }
        bootstrap_release(&b);
    }
    fit_result_init(out, "power");
    snprintf(out->method, sizeof(out->method), "ols");
    snprintf(out->interval, sizeof(out->interval), "%s",
             boot ? boot_kind_name(ask->interval) : "t");
    out->n = f->n;
    out->level = ask->level;
    fit_result_add(out, "coef", f->coef, se[0], ci[0][0], ci[0][1]);
    fit_result_add(out, "exponent", f->exponent, se[1], ci[1][0], ci[1][1]);
    fit_result_number(out, "r2", f->r2);
    fit_result_number(out, "residual_sd", f->sigma);
    fit_result_number(out, "log10_coef", log10(f->coef));
    fit_result_text(out, "x", ask->x);
    fit_result_text(out, "y", ask->y);
    if (f->n < 3)
        fit_result_refuse(out, "two points leave no residual to judge by; a "
                               "third would settle it");
    return 0;
}

int fit_law_power(struct fit_result *out, struct fit_input *in,
                  const struct fit_ask *ask, struct err *e)
{
    enum point_col cx = 0, cy = 0;
    struct powerlaw f;
    struct points used;
    struct str *svg;
    int rc = -1;

    if (column(&cx, "x", ask->x, e) || column(&cy, "y", ask->y, e))
        return -1;
    points_init(&used);
    points_need(&in->points, cx);
    points_need(&in->points, cy);
    points_select(&used, &in->points, NULL);
    if (points_require(&used, cx, e) || points_require(&used, cy, e))
        goto out;
    struct pairs pairs = {used.col[cx], used.col[cy]};
    if (powerlaw_fit(&f, pairs.x, pairs.y, NULL, used.n, ask->level, e))
        goto out;
    rc = power_result(out, &f, &pairs, ask, e);
    if (rc == 0)
        out->excluded = in->points.n - used.n;
    if (rc == 0 && (svg = fit_plots_add(ask->plots, "pairs")))
        plot_pairs(svg, "pairs", pairs.x, pairs.y, used.n, f.coef, f.exponent,
                   ask->x, ask->y);
out:
    points_release(&used);
    return rc;
}
