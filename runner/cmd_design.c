/* cmd_design: which runs to make next, for a forecast. */
#include "analysis/design.h"
#include "analysis/fit_json.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/fit_input.h"
#include "runner/fit_law.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct fit_source source;
    struct fit_ask ask;
    struct design_options o;
    const char *surface, *goal;
    double noise; /* NaN: the fit's */
    int json;
};

/* E,A,B,alpha,beta: a surface that is assumed. */
static int assumed(struct surface *s, const char *text, struct err *e)
{
    char *copy = xstrdup(text), *save = NULL;
    int n = 0, bad = 0;

    s->form = SURFACE_CHINCHILLA;
    for (char *t = strtok_r(copy, ",", &save); t && n < 6;
         t = strtok_r(NULL, ",", &save), n++)
        bad |= n == 5 || str_to_double(t, &s->p[n]) || !(s->p[n] > 0);
    free(copy);
    if (bad || n != 5)
        return err_set(e, ERR_USAGE,
                       "--surface %.80s: expected E,A,B,alpha,beta, five "
                       "positive numbers",
                       text);
    return 0;
}

/* The surface and what is known of it; *cov is the caller's, or NULL. */
static int learn(struct surface *s, double **cov, struct request *q,
                 struct err *e)
{
    struct surface_fit f;
    struct fit_input in;

    *cov = NULL;
    if (q->surface) {
        if (isnan(q->noise))
            q->noise = design_defaults.noise;
        return assumed(s, q->surface, e);
    }
    if (fit_input_read(&in, &q->source, e))
        return -1;
    q->ask.planned = in.planned;
    int rc = fit_surface_only(&f, &q->o.factor, &in.points, &q->ask, e);
    fit_input_release(&in);
    if (rc)
        return -1;
    if (!f.identified)
        return err_set(e, ERR_FAILED,
                       "the surface is not identified, so it cannot say what "
                       "to run: %s (or assume one: --surface E,A,B,alpha,beta)",
                       f.refused);
    if (isnan(q->noise))
        q->noise = f.resid_sd;
    *s = f.s;
    *cov = xmalloc(sizeof(f.cov));
    memcpy(*cov, f.cov, sizeof(f.cov));
    return 0;
}

static void print_text(const struct design *d)
{
    double z = stat_normal_quantile(0.5 + d->o.level / 2);
    const char *goal = d->o.goal == DESIGN_LOSS ? "loss" : "size";
    const struct {
        const char *what;
        double sd;
    } line[] = {{"now", d->sd_before},
                {"with these runs", d->sd_after},
                {"with the fixed 8 x 10 grid", d->sd_fixed}};
    double least = INFINITY;
    int runs = 0;

    printf("optimal %s at %.3g flops: %.5g\n", goal, d->o.target, d->value);
    for (size_t i = 0; i < ARRAY_LEN(line); i++)
        if (isfinite(line[i].sd))
            printf("  %-28s %+.2f %% .. %+.2f %% (%g %%)\n", line[i].what,
                   100 * expm1(-z * line[i].sd), 100 * expm1(z * line[i].sd),
                   100 * d->o.level);
    for (size_t i = 0; i < d->n; i++) {
        runs += d->run[i].repeats;
        least = fmin(least, d->run[i].flops);
    }
    printf(
        "\n%.3g flops of %.3g in %d runs%s, the smallest of %.3g (--least):\n",
        d->spent, d->o.flops, runs,
        runs == d->o.most ? ", the most allowed (--runs)" : "", least);
    printf("  %-10s %-10s %-10s %-10s %-5s %s\n", "size", "tokens",
           "tokens/size", "flops", "runs", "sd after");
    for (size_t i = 0; i < d->n; i++)
        printf("  %-10.4g %-10.4g %-11.4g %-10.4g %-5d %.3g %%\n",
               d->run[i].size, d->run[i].tokens,
               d->run[i].tokens / d->run[i].size, d->run[i].flops,
               d->run[i].repeats, 100 * d->run[i].sd);
}

static void print_json(const struct design *d)
{
    double z = stat_normal_quantile(0.5 + d->o.level / 2);
    json_t *o = json_object(), *runs = json_array();
    const struct {
        const char *key;
        double v;
    } number[] = {
        {"flops", d->o.flops},
        {"target", d->o.target},
        {"factor", d->o.factor},
        {"noise", d->o.noise},
        {"misfit", d->o.misfit},
        {"level", d->o.level},
        {"value", d->value},
        {"spent", d->spent},
        {"sd_before", d->sd_before},
        {"sd_after", d->sd_after},
        {"sd_fixed", d->sd_fixed},
        {"fixed_flops", d->fixed_spent},
        {"half_width_after", expm1(z * d->sd_after)},
        {"half_width_fixed", expm1(z * d->sd_fixed)},
    };

    json_object_set_new(
        o, "goal", json_string(d->o.goal == DESIGN_LOSS ? "loss" : "size"));
    for (size_t i = 0; i < ARRAY_LEN(number); i++)
        json_object_set_new(o, number[i].key, fit_json_number(number[i].v));
    for (size_t i = 0; i < d->n; i++) {
        const struct design_run *r = &d->run[i];
        json_array_append_new(
            runs, json_pack("{s:f, s:f, s:f, s:i, s:f}", "size", r->size,
                            "tokens", r->tokens, "flops", r->flops, "repeats",
                            r->repeats, "sd", r->sd));
    }
    json_object_set_new(o, "runs", runs);
    json_dumpf(o, stdout, JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(o);
}

static int check(struct request *q, const char **args, int n_args,
                 struct err *e)
{
    if (n_args)
        q->source.db = args[0];
    int sources = (q->source.db != NULL) + (q->source.points != NULL) +
                  (q->surface != NULL);
    if (sources != 1)
        return err_set(e, ERR_USAGE,
                       "design needs one of a database, --points FILE or "
                       "--surface E,A,B,alpha,beta");
    if (!(q->o.flops > 0) || !(q->o.target > 0))
        return err_set(e, ERR_USAGE,
                       "design needs --flops BUDGET and --target FLOPS");
    if (!(q->o.level > 0 && q->o.level < 1))
        return err_set(e, ERR_USAGE, "--level %g: expected between 0 and 1",
                       q->o.level);
    if (q->goal && strcmp(q->goal, "loss") != 0 && strcmp(q->goal, "size") != 0)
        return err_set(e, ERR_USAGE, "--goal %.40s: expected loss or size",
                       q->goal);
    if (q->goal && strcmp(q->goal, "size") == 0)
        q->o.goal = DESIGN_SIZE;
    return fit_ask_check(&q->ask, "surface", e);
}

static int design(struct request *q, struct err *e)
{
    struct surface s = {SURFACE_CHINCHILLA, {0}};
    struct design d;
    double *cov;

    if (learn(&s, &cov, q, e))
        return -1;
    q->o.noise = q->noise;
    int rc = design_runs(&d, &s, cov, &q->o, e);
    free(cov);
    if (rc)
        return -1;
    if (q->json)
        print_json(&d);
    else
        print_text(&d);
    design_release(&d);
    return 0;
}

static int design_main(const struct command *self, int argc, char **argv)
{
    struct request q = {
        .o = design_defaults, .noise = NAN, .source.what = FIT_ISOFLOP};
    int64_t repeats = q.o.repeats, runs = q.o.most;
    const char **args;
    int n_args, rc;
    struct err e;
    const struct opt opts[] = {
        {"flops", 0, OPT_DOUBLE, &q.o.flops, "BUDGET", "to be spent in all"},
        {"target", 0, OPT_DOUBLE, &q.o.target, "FLOPS", "of the forecast"},
        {"goal", 0, OPT_STRING, &q.goal, "WHAT", "loss or size (loss)"},
        {"points", 0, OPT_STRING, &q.source.points, "FILE", "runs so far"},
        {"map", 0, OPT_STRING, &q.source.map, "MAP", "columns of the file"},
        {"where", 0, OPT_STRING, &q.source.where, "EXPR", "use only these"},
        {"study", 0, OPT_STRING, &q.source.study, "NAME", "of a database"},
        {"surface", 0, OPT_STRING, &q.surface, "E,A,B,ALPHA,BETA",
         "no runs so far: assume this surface"},
        {"form", 0, OPT_STRING, &q.ask.form, "FORM", "of the surface"},
        {"size", 0, OPT_STRING, &q.ask.size, "COL", "n, m, n1 or n2"},
        {"noise", 0, OPT_DOUBLE, &q.noise, "X",
         "relative SD of one run (the fit's residuals, or 0.004)"},
        {"misfit", 0, OPT_DOUBLE, &q.o.misfit, "X",
         "relative error of the law per decade (0.001)"},
        {"largest", 0, OPT_DOUBLE, &q.o.largest, "X",
         "share of the budget that one run may take (0.25)"},
        {"least", 0, OPT_DOUBLE, &q.o.least, "FLOPS", "smallest run"},
        {"tpp-from", 0, OPT_DOUBLE, &q.o.tpp_lo, "X",
         "least tokens per unit of size (1)"},
        {"tpp-to", 0, OPT_DOUBLE, &q.o.tpp_hi, "X", "most of them (1000)"},
        {"repeats", 0, OPT_INT, &repeats, "N",
         "seeds of one cell, at most (3)"},
        {"runs", 0, OPT_INT, &runs, "N", "at most (80)"},
        {"level", 0, OPT_DOUBLE, &q.o.level, "P", "of intervals (0.9)"},
        {"json", 0, OPT_FLAG, &q.json, NULL, "one JSON object"},
        OPT_END,
    };

    fit_ask_init(&q.ask);
    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    q.o.repeats = (int)(repeats > 1000 ? 1000 : repeats);
    q.o.most = (int)(runs > 10000 ? 10000 : runs);
    if (check(&q, args, n_args, &e) || design(&q, &e))
        return opts_fail(&e);
    return 0;
}

const struct command cmd_design = {
    .name = "design",
    .synopsis = "design [DB | --points FILE | --surface ...] --flops BUDGET "
                "--target FLOPS",
    .summary = "which runs to make next, for a forecast at a target",
    .help = "Proposes the runs that shrink the interval of the optimal loss "
            "(or size)\n"
            "at the target most for their compute, given what the runs so far "
            "say,\n"
            "and sets them against a fixed grid of 8 budgets x 10 sizes of the "
            "same\n"
            "compute.\n\n"
            "  loglog design study.db --flops 1e18 --target 1e21\n"
            "  loglog design --surface 1.8172,482,2085.4,0.3478,0.3658 \\\n"
            "      --flops 1e20 --target 1e22 --goal size\n",
    .main = design_main,
};
