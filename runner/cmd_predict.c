/* cmd_predict: what to run for a budget, and what it will score. */
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/laws_db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_FROM 17 /* decades of --table */
#define TABLE_TO 26

enum form { FORM_TEXT, FORM_TABLE, FORM_JSON };

static int print_one(const struct laws *l, double flops, enum form form,
                     struct err *e)
{
    struct prediction p;
    struct str out;
    char *json;

    if (predict(&p, l, flops, e))
        return -1;
    str_init(&out);
    if (form == FORM_JSON) {
        json = prediction_json(&p);
        str_addf(&out, "%s\n", json);
        free(json);
    } else if (form == FORM_TABLE) {
        prediction_row(&out, &p);
    } else {
        prediction_print(&out, &p);
    }
    fputs(out.text, stdout);
    str_release(&out);
    prediction_release(&p);
    return 0;
}

static void print_head(void)
{
    struct str out;

    str_init(&out);
    prediction_row(&out, NULL);
    fputs(out.text, stdout);
    str_release(&out);
}

/* What a table leaves out: how the laws were got, which is the same for all
 * its rows, and what its columns are. */
static void print_notes(const struct laws *l)
{
    struct prediction p;
    struct str out;

    if (predict(&p, l, l->flops_top, NULL))
        return;
    str_init(&out);
    str_addf(&out,
             "\ndecades: beyond the largest budget of the runs; surfaces: by "
             "how much the forms of\nthe surface differ in the loss there; "
             "interval: %.0f %% of one run, a * where it was\nstretched to "
             "what the surface says.  All opinions: --flops C\n%s",
             100 * p.level, p.how.text);
    if (p.refused[0])
        str_addf(&out, "loss: refused: %s\n", p.refused);
    if (p.settle[0])
        str_addf(&out, "to settle what is not identified: %s\n", p.settle);
    fputs(out.text, stdout);
    str_release(&out);
    prediction_release(&p);
}

static int print_all(const struct laws *l, const double *flops, int n,
                     enum form form, struct err *e)
{
    if (form == FORM_TABLE)
        print_head();
    for (int i = 0; i < n; i++) {
        if (form == FORM_TEXT && i)
            putchar('\n');
        if (print_one(l, flops[i], form, e))
            return -1;
    }
    if (form == FORM_TABLE)
        print_notes(l);
    return 0;
}

static int budgets(double *flops, int *n, const struct opt_list *list,
                   int table, struct err *e)
{
    for (*n = 0; *n < list->n; ++*n)
        if (str_to_double(list->value[*n], &flops[*n]) || flops[*n] <= 0)
            return err_set(e, ERR_USAGE,
                           "--flops %s: a positive number of flops expected, "
                           "such as 1e21",
                           list->value[*n]);
    if (!*n && table)
        for (int d = TABLE_FROM; d <= TABLE_TO; d++)
            flops[(*n)++] = pow(10, d);
    if (!*n)
        return err_set(e, ERR_USAGE,
                       "predict needs --flops C, or --table for 1e%d to 1e%d",
                       TABLE_FROM, TABLE_TO);
    return 0;
}

/* Where the runs are. */
struct source {
    const char *db, *study, *points, *map, *where;
};

static int read_runs(struct laws_input *in, const struct source *s,
                     struct err *e)
{
    struct store *db;
    int rc;

    if (s->points)
        return laws_input_file(in, s->points, s->map, s->where, e);
    if (store_open(&db, s->db, STORE_READ, e))
        return -1;
    rc = laws_input_read(in, db, s->study, e);
    store_close(db);
    return rc;
}

static int fit(struct laws *l, const struct source *s, double level,
               int64_t bootstrap, struct err *e)
{
    struct laws_input in;
    struct laws_opts o;
    int rc;

    if (!s->db == !s->points)
        return err_set(e, ERR_USAGE,
                       "predict needs a database or --points FILE, %s",
                       s->db ? "not both" : "found neither");
    if (s->db && (s->map || s->where))
        return err_set(e, ERR_USAGE, "--map and --where are for --points FILE");
    if (read_runs(&in, s, e))
        return -1;
    laws_input_opts(&o, &in);
    o.level = level;
    o.bootstrap = (int)bootstrap;
    rc = laws_fit(l, &in.hyper, &in.isoflop, &o, e);
    laws_input_release(&in);
    return rc;
}

static int check(double level, int64_t bootstrap, struct err *e)
{
    if (!(level > 0 && level < 1))
        return err_set(e, ERR_USAGE, "--level %g: between 0 and 1 expected",
                       level);
    if (bootstrap < 0 || bootstrap > 1000000)
        return err_set(e, ERR_USAGE, "--bootstrap: 0 to 1e6 expected");
    return 0;
}

static int predict_main(const struct command *self, int argc, char **argv)
{
    struct opt_list list = {0};
    int table = 0, json = 0, n_args, n = 0, rc;
    double level = 0.90, flops[OPT_LIST_MAX];
    int64_t bootstrap = 1000;
    struct source source = {0};
    const char **args;
    struct laws laws;
    struct err e;
    const struct opt opts[] = {
        {"flops", 0, OPT_LIST, &list, "C", "the budget; may be repeated"},
        {"table", 0, OPT_FLAG, &table, NULL,
         "one line a budget; without --flops 1e17 to 1e26"},
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object a budget"},
        {"level", 0, OPT_DOUBLE, &level, "P", "of the intervals (0.90)"},
        {"bootstrap", 0, OPT_INT, &bootstrap, "N", "resamples (1000)"},
        {"points", 0, OPT_STRING, &source.points, "FILE",
         "runs as CSV or JSON lines instead of a database"},
        {"map", 0, OPT_STRING, &source.map, "MAP", "columns of the file"},
        {"where", 0, OPT_STRING, &source.where, "FORMULA",
         "only rows of the file for which this is true"},
        {"study", 0, OPT_STRING, &source.study, "NAME",
         "the study, where the file holds several"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (n_args)
        source.db = args[0];
    if (check(level, bootstrap, &e) || budgets(flops, &n, &list, table, &e) ||
        fit(&laws, &source, level, bootstrap, &e))
        return opts_fail(&e);
    rc = print_all(&laws, flops, n,
                   json    ? FORM_JSON
                   : table ? FORM_TABLE
                           : FORM_TEXT,
                   &e);
    laws_release(&laws);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_predict = {
    .name = "predict",
    .synopsis = "predict [F | --points FILE [--map MAP]] --flops C [options]",
    .summary = "what to train for a budget, and the loss to expect",
    .help =
        "From the finished runs: model shape, M (flops a token), N "
        "(parameters), D\n(tokens), batch, learning rate, tokens per parameter "
        "and the loss of one run with\nits interval, and how many decades "
        "beyond the runs that is; what several surfaces\nsay, and the cost of "
        "being off: half and twice the size, and over-training.  What\nthe "
        "runs do not identify is said, with what was used instead and which "
        "runs would\nsettle it.\n\n"
        "  loglog predict s.db --flops 1e15\n"
        "  loglog predict s.db --flops 1e15 --json\n"
        "  loglog predict s.db --table\n"
        "  loglog predict --points runs.csv --map "
        "'n=params,d=tokens,loss=final' --flops 1e21\n",
    .main = predict_main,
};
