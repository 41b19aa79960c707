/* cmd_fit: laws from points. */
#include "base/mem.h"
#include "base/str.h"
#include "db/fits.h"
#include "runner/cmd.h"
#include "runner/fit_input.h"
#include "runner/fit_law.h"
#include "runner/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct fit_source source;
    struct fit_ask ask;
    const char *interval;
    int json, store;
};

/* What was asked for becomes part of the stored fit. */
static void note_options(struct fit_result *r, const struct request *q)
{
    const struct {
        const char *key, *value;
    } text[] = {
        {"form", q->ask.form},
        {"objective", q->ask.objective},
        {"method", q->ask.method},
        {"size", q->ask.size},
        {"response", q->ask.response},
        {"resample", q->ask.resample},
        {"indices", q->ask.indices},
        {"holdout", q->ask.holdout},
        {"x", q->ask.x},
        {"y", q->ask.y},
        {"where", q->source.where},
        {"stage", q->source.stage},
        {"points", q->source.points},
        {"map", q->source.map},
    };

    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (text[i].value)
            json_object_set_new(r->options, text[i].key,
                                json_string(text[i].value));
    json_object_set_new(r->options, "level", json_real(q->ask.level));
    json_object_set_new(r->options, "seed", json_integer(q->ask.seed));
    if (q->ask.bootstrap >= 0)
        json_object_set_new(r->options, "bootstrap",
                            json_integer(q->ask.bootstrap));
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

static int fit(const struct request *q, int *refused, struct err *e)
{
    const struct fit_law *law = fit_law_find(q->source.law, e);
    struct fit_input in;
    struct fit_result r;
    char *json = NULL;
    int rc = -1;

    if (!law)
        return -1;
    if (q->store && !law->stored)
        return err_set(e, ERR_USAGE, "--store: the law '%s' is not stored",
                       law->name);
    if (fit_input_read(&in, &q->source, e))
        return -1;
    if (law->fit(&r, &in.points, &q->ask, e)) {
        fit_input_release(&in);
        return -1;
    }
    r.excluded = in.points.n - points_used(&in.points);
    if (!r.input[0])
        points_hash(r.input, &in.points);
    r.exploratory = in.opened;
    snprintf(r.version, sizeof(r.version), "%s %.40s", VERSION_TEXT,
             version_commit());
    note_options(&r, q);
    /* recorded before its numbers are seen */
    if (q->ask.holdout && q->source.db &&
        fit_input_open_holdout(&in, q->source.db, q->ask.holdout, e))
        goto out;
    json = fit_result_dump(&r);
    if (q->store && store_fit(q, &in, law, &r, json, e))
        goto out;
    rc = print_fit(q, &r, json);
    if (rc)
        err_errno(e, "standard output");
    *refused = !r.identified;
out:
    free(json);
    fit_result_release(&r);
    fit_input_release(&in);
    return rc;
}

static int check(struct request *q, const char **args, int n_args,
                 struct err *e)
{
    if (n_args)
        q->source.db = args[0];
    if (!q->source.db == !q->source.points)
        return err_set(e, ERR_USAGE,
                       "fit needs a database or --points FILE, %s",
                       q->source.db ? "not both" : "found neither");
    if (!q->source.law)
        return err_set(e, ERR_USAGE,
                       "fit needs --law: hyper, isoflop, surface, loss or "
                       "power");
    if (q->source.db && q->source.map)
        return err_set(e, ERR_USAGE, "--map is for --points FILE");
    if (!q->source.db && (q->store || q->source.study || q->source.stage))
        return err_set(e, ERR_USAGE,
                       "--store, --study and --stage need a database");
    if (!(q->ask.level > 0 && q->ask.level < 1))
        return err_set(e, ERR_USAGE, "--level %g: expected between 0 and 1",
                       q->ask.level);
    if (q->ask.bootstrap > 10000000 || q->ask.threads < 0 ||
        q->ask.threads > 64)
        return err_set(e, ERR_USAGE,
                       "--bootstrap is 0 to 1e7, --threads 0 to 64");
    if (q->interval) {
        int k = boot_kind_parse(q->interval);
        if (k < 0)
            return err_set(e, ERR_USAGE,
                           "--interval %.40s: expected percentile, basic or "
                           "bca",
                           q->interval);
        q->ask.interval = (enum boot_kind)k;
    }
    q->ask.from_db = q->source.db != NULL;
    return 0;
}

static int fit_main(const struct command *self, int argc, char **argv)
{
    struct request q = {.ask = {.delta = 1e-3,
                                .over = 10,
                                .level = 0.9,
                                .bootstrap = -1,
                                .seed = 1,
                                .interval = BOOT_BCA}};
    struct fit_source *s = &q.source;
    struct fit_ask *a = &q.ask;
    int64_t threads = 1;
    const char **args;
    int n_args, rc, refused = 0;
    struct err e;
    const struct opt opts[] = {
        {"law", 0, OPT_STRING, &s->law, "LAW",
         "hyper, isoflop, surface, loss or power"},
        {"points", 0, OPT_STRING, &s->points, "FILE",
         "CSV or JSON lines instead of a database"},
        {"map", 0, OPT_STRING, &s->map, "MAP",
         "columns of the file: n=params*1e6,d=tokens,loss=..."},
        {"where", 0, OPT_STRING, &s->where, "EXPR",
         "use only these points (SQL, or a formula of the file's columns)"},
        {"study", 0, OPT_STRING, &s->study, "NAME", "of several in a database"},
        {"stage", 0, OPT_STRING, &s->stage, "NAME", "points of this stage"},
        {"form", 0, OPT_STRING, &a->form, "FORM",
         "surface: chinchilla, tied, power, skaling, farseer, repeated"},
        {"objective", 0, OPT_STRING, &a->objective, "OBJ",
         "surface: huber, mse, mse-raw, huber-raw, asymmetric, likelihood"},
        {"method", 0, OPT_STRING, &a->method, "M",
         "surface: varpro, grid; isoflop: parabola, akima; hyper: near, "
         "centre, quadratic"},
        {"delta", 0, OPT_DOUBLE, &a->delta, "X", "of Huber's loss (0.001)"},
        {"over", 0, OPT_DOUBLE, &a->over, "X",
         "weight of over-prediction in asymmetric (10)"},
        {"size", 0, OPT_STRING, &a->size, "COL",
         "surface: n, m, n1 or n2 (m of a study, n of a file)"},
        {"response", 0, OPT_STRING, &a->response, "COL", "loss or bpb"},
        {"bootstrap", 0, OPT_INT, &a->bootstrap, "N", "resamples"},
        {"interval", 0, OPT_STRING, &q.interval, "KIND",
         "of the bootstrap: bca (usual), percentile, basic"},
        {"resample", 0, OPT_STRING, &a->resample, "WHAT",
         "rows, group, or a column whose values are drawn together"},
        {"indices", 0, OPT_STRING, &a->indices, "FILE",
         "draws of the bootstrap, one resample a line"},
        {"refit", 0, OPT_STRING, &a->refit, "HOW",
         "surface: resamples by varpro (usual) or grid (all starts again)"},
        {"level", 0, OPT_DOUBLE, &a->level, "P", "of intervals (0.9)"},
        {"seed", 0, OPT_INT, &a->seed, "S", "of resampling (1)"},
        {"threads", 't', OPT_INT, &threads, "N", "for starts and resamples"},
        {"holdout", 0, OPT_STRING, &a->holdout, "SPEC",
         "surface: flops:2, n:25%, flops>1e20: fit without, predict them"},
        {"rolling", 0, OPT_FLAG, &a->rolling, NULL,
         "surface: predict every budget from those below each cut-off"},
        {"select", 0, OPT_FLAG, &a->select, NULL,
         "surface: compare all forms on the holdout"},
        {"x", 0, OPT_STRING, &a->x, "COL", "power: variable"},
        {"y", 0, OPT_STRING, &a->y, "COL", "power: response"},
        {"store", 0, OPT_FLAG, &q.store, NULL, "keep the fit in the database"},
        {"json", 0, OPT_FLAG, &q.json, NULL, "one JSON object"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    a->threads = (int)(threads > 1000 ? 1000 : threads);
    if (check(&q, args, n_args, &e) || fit(&q, &refused, &e))
        return opts_fail(&e);
    return refused ? ERR_FAILED : 0;
}

const struct command cmd_fit = {
    .name = "fit",
    .synopsis = "fit [DB | --points FILE [--map MAP]] --law LAW [options]",
    .summary = "fit a law to a study's points, or to a file of runs",
    .help =
        "Laws: hyper (learning rate and batch against compute), isoflop "
        "(optimal\n"
        "size and tokens), surface (loss of size and tokens), loss (best loss\n"
        "against compute), power (any two columns).  A law that the points do\n"
        "not identify is refused with the reason and exit status 1; its "
        "numbers\n"
        "are printed all the same.\n\n"
        "  loglog fit study.db --law isoflop --bootstrap 4000\n"
        "  loglog fit --points runs.csv --map n=params*1e6,d=tokens,loss=final "
        "\\\n"
        "      --law surface --objective huber --bootstrap 4000 --json\n"
        "  loglog fit --points runs.jsonl --law surface --holdout flops:2 "
        "--select\n",
    .main = fit_main,
};
