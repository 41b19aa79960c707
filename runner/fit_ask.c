/* fit_ask: see fit_ask.h. */
#include "runner/fit_ask.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* clang-format off */
static const struct row {
    const char *name;
    enum opt_kind kind;
    size_t offset;
    const char *laws; /* that have it, in blanks; NULL: all */
    const char *arg, *help;
} rows[] = {
#define AT(field) offsetof(struct fit_ask, field)
    {"form", OPT_STRING, AT(form), " surface ", "FORM",
     "surface: chinchilla, tied, power, skaling, farseer, repeated"},
    {"objective", OPT_STRING, AT(objective), " surface ", "OBJ",
     "surface: huber, mse, mse-raw, huber-raw, asymmetric, likelihood"},
    {"method", OPT_STRING, AT(method), " surface isoflop loss hyper ", "M",
     "surface: varpro, grid; isoflop: parabola, akima, spline, surface; hyper: near, "
     "centre, quadratic, pooled (near, edges included)"},
    {"delta", OPT_DOUBLE, AT(delta), " surface curve ", "X",
     "of Huber's loss (0.001)"},
    {"over", OPT_DOUBLE, AT(over), " surface ", "X",
     "weight of over-prediction in asymmetric (10)"},
    {"window", OPT_DOUBLE, AT(window), " isoflop loss ", "X",
     "isoflop: sizes within this factor of the minimum (all)"},
    {"log-loss", OPT_FLAG, AT(log_loss), " isoflop loss ", NULL,
     "isoflop: parabolas of ln loss"},
    {"observation", OPT_STRING, AT(observation), " isoflop ", "WHAT",
     "isoflop, akima: plain (usual), or noised: the median of the minima of "
     "noised curves (Porian et al.)"},
    {"size", OPT_STRING, AT(size), " surface ", "COL",
     "surface: n, m, n1 or n2 (m of a study, n of a file)"},
    {"response", OPT_STRING, AT(response), " surface isoflop loss hyper ",
     "COL", "loss or bpb"},
    {"bootstrap", OPT_INT, AT(bootstrap), NULL, "N", "resamples"},
    {"interval", OPT_STRING, AT(interval_name),
     " surface power isoflop hyper loss curve collapse ", "KIND",
     "of the bootstrap: bca (usual of surface and power), percentile, basic"},
    {"resample", OPT_STRING, AT(resample), " surface isoflop ", "WHAT",
     "surface: runs, trunks (the group), budgets, cells, seeds or a column; "
     "isoflop: budgets, noise, trunks"},
    {"indices", OPT_STRING, AT(indices),
     " surface power isoflop hyper loss curve collapse ", "FILE",
     "draws of the bootstrap, one resample a line"},
    {"refit", OPT_STRING, AT(refit), " surface ", "HOW",
     "surface: resamples by varpro (usual), grid (all starts again) or ends "
     "(where their first descents ended)"},
    {"smooth", OPT_STRING, AT(smooth), " surface ", "WHEN",
     "surface: auto: smoothed resamples where the objective has corners finer "
     "than the residuals; off: the points themselves, always"},
    {"level", OPT_DOUBLE, AT(level), NULL, "P", "of intervals (0.9)"},
    {"seed", OPT_INT, AT(seed), NULL, "S", "of resampling (1)"},
    {"holdout", OPT_STRING, AT(holdout), " surface ", "SPEC",
     "surface: flops:2, n:25%, flops>1e20: fit without, predict them"},
    {"rolling", OPT_FLAG, AT(rolling), " surface loss ", NULL,
     "predict every budget from those below each cut-off"},
    {"select", OPT_FLAG, AT(select), " surface ", NULL,
     "surface: compare all forms on the holdout"},
    {"x", OPT_STRING, AT(x), " power ", "COL", "power: variable"},
    {"y", OPT_STRING, AT(y), " power ", "COL", "power: response"},
    {"trunk", OPT_STRING, AT(trunk), " curve ", "RUN",
     "curve: the run to fit (the longest of each family)"},
    {"lambda", OPT_DOUBLE, AT(lambda), " curve ", "X",
     "curve: memory of a fall of the rate, per step (fitted)"},
    {"L0", OPT_DOUBLE, AT(L0), " collapse ", "X",
     "collapse: the irreducible loss (from the ends of the runs)"},
#undef AT
};
/* clang-format on */

_Static_assert(ARRAY_LEN(rows) == FIT_ASK_OPTS, "room for every option");

static void *at(struct fit_ask *a, const struct row *r)
{
    return (char *)a + r->offset;
}

static const void *at_const(const struct fit_ask *a, const struct row *r)
{
    return (const char *)a + r->offset;
}

void fit_ask_init(struct fit_ask *a)
{
    memset(a, 0, sizeof *a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].kind == OPT_DOUBLE)
            *(double *)at(a, &rows[i]) = NAN;
        if (rows[i].kind == OPT_INT)
            *(int64_t *)at(a, &rows[i]) = -1;
    }
    a->interval = BOOT_BCA;
}

int fit_ask_opts(struct opt *opts, int n, struct fit_ask *a)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        opts[n++] = (struct opt){rows[i].name,    0,           rows[i].kind,
                                 at(a, &rows[i]), rows[i].arg, rows[i].help};
    return n;
}

static int given(const struct fit_ask *a, const struct row *r)
{
    switch (r->kind) {
    case OPT_DOUBLE:
        return !isnan(*(const double *)at_const(a, r));
    case OPT_INT:
        return *(const int64_t *)at_const(a, r) != -1;
    case OPT_FLAG:
        return *(const int *)at_const(a, r) != 0;
    default:
        return *(const char *const *)at_const(a, r) != NULL;
    }
}

static void usual(double *x, double v)
{
    if (isnan(*x))
        *x = v;
}

/* The word LAW between blanks in a list of them. */
static int has(const char *laws, const char *law)
{
    const char *p = strstr(laws, law);

    return p && p[-1] == ' ' && p[strlen(law)] == ' ';
}

int fit_ask_check(struct fit_ask *a, const char *law, struct err *e)
{
    int k;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].laws && given(a, &rows[i]) && !has(rows[i].laws, law))
            return err_set(
                e, ERR_USAGE, "--%s is not for --law %s, but for%.*s",
                rows[i].name, law, (int)strlen(rows[i].laws) - 1, rows[i].laws);
    usual(&a->delta, 1e-3);
    usual(&a->over, 10);
    usual(&a->level, 0.9);
    if (a->seed == -1)
        a->seed = 1;
    if (!(a->level > 0 && a->level < 1))
        return err_set(e, ERR_USAGE, "--level %g: expected between 0 and 1",
                       a->level);
    if (a->bootstrap < -1 || a->bootstrap > 10000000)
        return err_set(e, ERR_USAGE, "--bootstrap: expected 0 to 1e7");
    if (!(a->delta > 0) || !(a->over > 0))
        return err_set(e, ERR_USAGE,
                       "--delta and --over must be positive, found %g and %g",
                       a->delta, a->over);
    if (a->window < 0 || (a->window > 0 && a->window <= 1)) /* 0: all */
        return err_set(e, ERR_USAGE, "--window %g: a factor above 1 expected",
                       a->window);
    if (!isnan(a->lambda) && !(a->lambda >= 0 && a->lambda < 1))
        return err_set(e, ERR_USAGE, "--lambda %g: expected 0 to below 1",
                       a->lambda);
    if (!a->interval_name)
        return 0;
    k = boot_kind_parse(a->interval_name);
    if (k < 0)
        return err_set(e, ERR_USAGE,
                       "--interval %.40s: expected percentile, basic or bca",
                       a->interval_name);
    a->interval = (enum boot_kind)k;
    return 0;
}

void fit_ask_store(json_t *options, const struct fit_ask *a, const char *law)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const void *v = at_const(a, &rows[i]);
        json_t *o;
        if (!given(a, &rows[i]) || (rows[i].laws && !has(rows[i].laws, law)))
            continue;
        switch (rows[i].kind) {
        case OPT_DOUBLE:
            o = json_real(*(const double *)v);
            break;
        case OPT_INT:
            o = json_integer(*(const int64_t *)v);
            break;
        case OPT_FLAG:
            o = json_true();
            break;
        default:
            o = json_string(*(const char *const *)v);
        }
        json_object_set_new(options, rows[i].name, o);
    }
}

void fit_ask_load(struct fit_ask *a, const json_t *options)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const json_t *v = json_object_get(options, rows[i].name);
        void *to = at(a, &rows[i]);
        if (rows[i].kind == OPT_DOUBLE && json_is_number(v))
            *(double *)to = json_number_value(v);
        else if (rows[i].kind == OPT_INT && json_is_integer(v))
            *(int64_t *)to = json_integer_value(v);
        else if (rows[i].kind == OPT_FLAG)
            *(int *)to = json_is_true(v);
        else if (rows[i].kind == OPT_STRING && json_is_string(v))
            *(const char **)to = json_string_value(v);
    }
}
