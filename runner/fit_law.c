/* The laws, and the two small ones: hyper, isoflop and loss are fitted in
 * analysis/, a power law between any two columns here. */
#include "runner/fit_law.h"

#include "analysis/curve.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "analysis/powerlaw.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fit_word(int *v, const char *option, const char *text,
             int (*parse)(const char *), const char *const *names, size_t n,
             struct err *e)
{
    struct str s;

    if (!text)
        return 0;
    *v = parse(text);
    if (*v >= 0)
        return 0;
    const char *near = str_nearest(text, names, n);
    str_init(&s);
    for (size_t i = 0; i < n; i++)
        str_addf(&s, "%s%s", i ? ", " : "", names[i]);
    err_set(e, ERR_USAGE, "--%s %.60s: expected one of %s%s%s%s", option, text,
            s.text, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    str_release(&s);
    return -1;
}

/* Those of analysis/ take bits per byte where there are any: leave them only
 * what was asked for. */
static int choose_response(struct points *p, const char *response,
                           struct err *e)
{
    if (!response)
        return 0;
    if (strcmp(response, "loss") != 0 && strcmp(response, "bpb") != 0)
        return err_set(e, ERR_USAGE, "--response %.60s: expected loss or bpb",
                       response);
    enum point_col other =
        strcmp(response, "loss") == 0 ? POINT_BPB : POINT_LOSS;
    for (size_t i = 0; i < p->n; i++)
        p->col[other][i] = NAN;
    return 0;
}

static int only_method(const struct fit_ask *ask, const char *law,
                       struct err *e)
{
    if (ask->holdout || ask->rolling || ask->select)
        return err_set(e, ERR_USAGE,
                       "--holdout, --rolling and --select are for --law "
                       "surface; %s is judged on left-out budgets by itself",
                       law);
    return 0;
}

static int optimum_parse(const char *text)
{
    static const char *const names[] = {"near", "centre", "quadratic"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

static int law_hyper(struct fit_result *out, struct points *p,
                     const struct fit_ask *ask, struct err *e)
{
    static const char *const names[] = {"near", "centre", "quadratic"};
    static const enum hyper_optimum kinds[] = {HYPER_NEAR, HYPER_CENTRE,
                                               HYPER_QUADRATIC};
    struct hyper_opts o;
    struct hyper_fit f;
    int kind = -1;

    hyper_opts_default(&o);
    if (only_method(ask, "hyper", e) ||
        fit_word(&kind, "method", ask->method, optimum_parse, names, 3, e) ||
        choose_response(p, ask->response, e))
        return -1;
    if (kind >= 0)
        o.optimum = kinds[kind];
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    if (hyper_fit(&f, p, &o, e))
        return -1;
    hyper_fit_result(out, &f);
    hyper_fit_release(&f);
    return 0;
}

static int isoflop_parse(const char *text)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(text, isoflop_method_name[i]) == 0)
            return i;
    return -1;
}

static int isoflop(struct isoflop_fit *f, struct points *p,
                   const struct fit_ask *ask, struct err *e)
{
    struct isoflop_opts o;
    int method;

    isoflop_opts_default(&o);
    method = (int)o.method;
    if (fit_word(&method, "method", ask->method, isoflop_parse,
                 isoflop_method_name, 2, e) ||
        choose_response(p, ask->response, e))
        return -1;
    o.method = (enum isoflop_method)method;
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    return isoflop_fit(f, p, &o, e);
}

static int law_isoflop(struct fit_result *out, struct points *p,
                       const struct fit_ask *ask, struct err *e)
{
    struct isoflop_fit f;

    if (only_method(ask, "isoflop", e) || isoflop(&f, p, ask, e))
        return -1;
    isoflop_fit_result(out, &f);
    isoflop_fit_release(&f);
    return 0;
}

static int law_loss(struct fit_result *out, struct points *p,
                    const struct fit_ask *ask, struct err *e)
{
    struct isoflop_fit f;
    struct curve_point *at = NULL;
    struct curve_opts o;
    struct curve_fit c;

    if (only_method(ask, "loss", e) || isoflop(&f, p, ask, e))
        return -1;
    curve_opts_default(&o);
    o.level = ask->level;
    o.seed = (uint64_t)ask->seed;
    if (ask->bootstrap >= 0)
        o.bootstrap = (int)ask->bootstrap;
    int n = curve_points(&at, &f);
    int rc = curve_fit(&c, at, n, f.noise, &o, e);
    if (rc == 0) {
        curve_fit_result(out, &c);
        snprintf(out->input, sizeof(out->input), "%s", f.input);
        curve_fit_release(&c);
    }
    free(at);
    isoflop_fit_release(&f);
    return rc;
}

/* --- y = coef x^exponent --- */

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

static int refit_power(double *stat, const size_t *idx, size_t m, int worker,
                       void *ctx)
{
    const struct pairs *p = ctx;
    double *x = xmalloc((2 * m + 1) * sizeof(*x));

    (void)worker;
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

static int law_power(struct fit_result *out, struct points *p,
                     const struct fit_ask *ask, struct err *e)
{
    enum point_col cx, cy;
    struct powerlaw f;
    struct points used;
    int rc = -1;

    if (column(&cx, "x", ask->x, e) || column(&cy, "y", ask->y, e) ||
        only_method(ask, "power", e))
        return -1;
    points_init(&used);
    points_select(&used, p, NULL);
    if (points_require(&used, cx, e) || points_require(&used, cy, e))
        goto out;
    struct pairs pairs = {used.col[cx], used.col[cy]};
    if (powerlaw_fit(&f, pairs.x, pairs.y, NULL, used.n, ask->level, e))
        goto out;
    rc = power_result(out, &f, &pairs, ask, e);
out:
    points_release(&used);
    return rc;
}

const struct fit_law fit_laws[FIT_LAWS] = {
    {"hyper", "learning rate and batch size against compute", law_hyper, 1},
    {"isoflop", "optimal size and tokens against compute", law_isoflop, 1},
    {"surface", "loss as a function of size and tokens", fit_law_surface, 1},
    {"loss", "the best loss against compute", law_loss, 1},
    {"power", "y = coef x^exponent between any two columns", law_power, 0},
};

const struct fit_law *fit_law_find(const char *name, struct err *e)
{
    const char *names[FIT_LAWS];

    for (int i = 0; i < FIT_LAWS; i++) {
        names[i] = fit_laws[i].name;
        if (strcmp(name, names[i]) == 0)
            return &fit_laws[i];
    }
    const char *near = str_nearest(name, names, FIT_LAWS);
    err_set(e, ERR_USAGE,
            "--law %.60s: expected hyper, isoflop, surface, loss or power"
            "%s%s%s",
            name, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    return NULL;
}
