/* cmd_fit: laws from points. */
#include "base/mem.h"
#include "base/str.h"
#include "db/fits.h"
#include "runner/cmd.h"
#include "runner/fit_again.h"
#include "runner/fit_input.h"
#include "runner/fit_law.h"
#include "runner/fit_plots.h"
#include "runner/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct fit_source source;
    struct fit_ask ask;
    const char *law_name, *plots;
    int64_t again; /* id of a stored fit, or -1 */
    const struct fit_law *law;
    int json, store;
};

/* What was asked for becomes part of the stored fit. */
static void note_options(struct fit_result *r, const struct request *q)
{
    const struct {
        const char *key, *value;
    } text[] = {
        {"where", q->source.where},
        {"stage", q->source.stage},
        {"points", q->source.points},
        {"map", q->source.map},
    };

    fit_ask_store(r->options, &q->ask, q->law->name);
    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (text[i].value)
            json_object_set_new(r->options, text[i].key,
                                json_string(text[i].value));
}

static int store_fit(const struct request *q, const struct fit_input *in,
                     const struct fit_law *law, const struct fit_result *r,
                     const char *json, struct err *e)
{
    struct db_fit f = {.law = law->name,
                       .method = r->method,
                       .n = (int64_t)r->n,
                       .identified = r->identified,
                       .refused = r->refused[0] ? r->refused : NULL,
                       .input = r->input,
                       .json = json};
    struct store *db;
    int64_t id;

    if (store_open(&db, q->source.db, STORE_WRITE, e))
        return -1;
    int rc = db_fit_put(&id, db, in->study, &f, e);
    store_close(db);
    return rc;
}

static int print_fit(const struct request *q, const struct fit_result *r,
                     const char *json)
{
    struct str text;

    if (q->json) {
        puts(json);
    } else {
        str_init(&text);
        fit_result_print(&text, r);
        fputs(text.text, stdout);
        str_release(&text);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}

/* What the command knows and the law does not. */
static void complete(struct fit_result *r, const struct fit_input *in,
                     const struct request *q)
{
    if (!r->excluded)
        r->excluded = in->points.n - points_used(&in->points);
    if (!r->input[0])
        points_hash(r->input, &in->points);
    r->repeated = points_repeated(&in->points);
    r->exploratory = in->opened;
    version_stamp(r->version, sizeof r->version);
    note_options(r, q);
    if (q->ask.holdout)
        fit_result_json(r, "holdout_recorded",
                        json_boolean(q->source.db != NULL));
}

/* Everything that is kept, before anything is shown. */
static int keep(const struct request *q, const struct fit_input *in,
                const struct fit_result *r, const char *json, struct err *e)
{
    if (q->ask.holdout && q->source.db && q->again < 0 &&
        fit_input_open_holdout(in, q->source.db, q->ask.holdout, e))
        return -1;
    if (q->plots && fit_plots_write(q->ask.plots, q->plots, q->law->name, e))
        return -1;
    return q->store ? store_fit(q, in, q->law, r, json, e) : 0;
}

static int fit(struct request *q, const struct fit_again *again, int *refused,
               struct err *e)
{
    struct fit_input in;
    struct fit_result r;
    char *json = NULL;
    int rc = -1;

    if (fit_input_read(&in, &q->source, e))
        return -1;
    q->ask.planned = in.planned;
    if (q->law->fit(&r, &in, &q->ask, e)) {
        fit_input_release(&in);
        return -1;
    }
    complete(&r, &in, q);
    json = fit_result_dump(&r);
    if (keep(q, &in, &r, json, e))
        goto out;
    rc = print_fit(q, &r, json);
    if (rc)
        err_errno(e, "standard output");
    *refused = !r.identified;
    if (rc == 0 && again)
        *refused = fit_again_compare(again, &r, q->again);
out:
    free(json);
    fit_result_release(&r);
    fit_input_release(&in);
    return rc;
}

static int check_source(const struct request *q, struct err *e)
{
    const struct fit_source *s = &q->source;

    if (!s->db == !s->points)
        return err_set(e, ERR_USAGE,
                       "fit needs a database or --points FILE, %s",
                       s->db ? "not both" : "found neither");
    if (s->db && s->map)
        return err_set(e, ERR_USAGE, "--map is for --points FILE");
    if (!s->db && (q->store || s->study || s->stage || q->again >= 0))
        return err_set(e, ERR_USAGE,
                       "--store, --again, --study and --stage need a database");
    if (q->again >= 0 && (q->law_name || q->store || q->json))
        return err_set(e, ERR_USAGE,
                       "--again makes a stored fit again as it was: no --law, "
                       "--store or --json beside it");
    if (q->again < 0 && !q->law_name)
        return err_set(e, ERR_USAGE,
                       "fit needs --law: hyper, isoflop, surface, loss, power, "
                       "curve or collapse");
    if (q->ask.threads < 0 || q->ask.threads > 64)
        return err_set(e, ERR_USAGE, "--threads is 0 to 64");
    return 0;
}

static int fit_again_or_new(struct request *q, int *refused, struct err *e)
{
    struct fit_plots *plots = xmalloc(sizeof(*plots));
    struct fit_again again = {0};
    int rc = -1;

    fit_plots_init(plots);
    if (q->plots)
        q->ask.plots = plots;
    if (check_source(q, e) ||
        (q->again >= 0 &&
         fit_again_read(&again, &q->ask, &q->source, q->again, e)))
        goto out;
    q->law = fit_law_find(q->again >= 0 ? again.stored.law : q->law_name, e);
    if (!q->law || fit_ask_check(&q->ask, q->law->name, e))
        goto out;
    q->source.what = q->law->reads;
    rc = fit(q, q->again >= 0 ? &again : NULL, refused, e);
out:
    fit_again_release(&again);
    fit_plots_release(plots);
    free(plots);
    return rc;
}

static int fit_main(const struct command *self, int argc, char **argv)
{
    struct request q = {.again = -1};
    struct fit_source *s = &q.source;
    int64_t threads = 1;
    const char **args;
    int n_args, n = 0, rc, refused = 0;
    struct err e;
    const struct opt first[] = {
        {"law", 0, OPT_STRING, &q.law_name, "LAW",
         "hyper, isoflop, surface, loss, power, curve or collapse"},
        {"points", 0, OPT_STRING, &s->points, "FILE",
         "CSV or JSON lines instead of a database"},
        {"map", 0, OPT_STRING, &s->map, "MAP",
         "columns of the file: n=params*1e6,d=tokens,loss=..."},
        {"where", 0, OPT_STRING, &s->where, "EXPR",
         "use only these points (SQL, or a formula of the file's columns)"},
        {"study", 0, OPT_STRING, &s->study, "NAME", "of several in a database"},
        {"stage", 0, OPT_STRING, &s->stage, "NAME", "points of this stage"},
    };
    const struct opt last[] = {
        {"threads", 't', OPT_INT, &threads, "N", "for starts and resamples"},
        {"plots", 0, OPT_STRING, &q.plots, "DIR", "figures as SVG files"},
        {"store", 0, OPT_FLAG, &q.store, NULL, "keep the fit in the database"},
        {"again", 0, OPT_INT, &q.again, "ID",
         "make a stored fit again and compare every digit"},
        {"json", 0, OPT_FLAG, &q.json, NULL, "one JSON object"},
        OPT_END,
    };
    struct opt opts[ARRAY_LEN(first) + FIT_ASK_OPTS + ARRAY_LEN(last)];

    fit_ask_init(&q.ask);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        opts[n++] = first[i];
    n = fit_ask_opts(opts, n, &q.ask);
    for (size_t i = 0; i < ARRAY_LEN(last); i++)
        opts[n++] = last[i];
    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (n_args)
        s->db = args[0];
    q.ask.threads = (int)(threads > 1000 ? 1000 : threads);
    if (fit_again_or_new(&q, &refused, &e))
        return opts_fail(&e);
    return refused ? ERR_FAILED : 0;
}

const struct command cmd_fit = {
    .name = "fit",
    .synopsis = "fit [DB | --points FILE [--map MAP]] --law LAW [options]",
    .summary = "fit a law to a study's points, or to a file of runs",
    .help =
        "Laws: hyper (learning rate and batch against compute), isoflop "
        "(optimal\nsize and tokens), surface (loss of size and tokens), loss "
        "(best loss\nagainst compute, with and without a constant), power "
        "(any two columns),\ncurve (the loss along a run from its learning "
        "rates; one trunk predicts its\nbranches), collapse (the loss curves "
        "of all sizes as one).  A law that the\npoints do not identify is "
        "refused with the reason and exit status 1; its\nnumbers are printed "
        "all the same.\n\n"
        "  loglog fit study.db --law isoflop --bootstrap 4000 --plots figures\n"
        "  loglog fit --points runs.csv --map "
        "'n=params*1e6,d=tokens,loss=final' \\\n"
        "      --law surface --objective huber --bootstrap 4000 --json\n"
        "  loglog fit --points runs.jsonl --law surface --holdout flops:2 "
        "--select\n"
        "  loglog fit --points curves.csv --map "
        "'group=run,steps=step,lr=lr,loss=loss' \\\n"
        "      --law curve\n"
        "  loglog fit study.db --again 3\n",
    .main = fit_main,
};
