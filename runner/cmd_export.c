/* cmd_export: whole views of a database, streamed. */
#include "base/file.h"
#include "base/mem.h"
#include "db/export.h"
#include "db/mlflow.h"
#include "runner/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
    struct store *db;
    const char *what, *where;
    enum query_format format;
};

/* For file_write_with: the file is whole or is not there. */
static int fill(int fd, void *ctx, struct err *e)
{
    const struct job *j = ctx;
    int copy = dup(fd), rc;
    FILE *f = copy < 0 ? NULL : fdopen(copy, "w");

    if (!f)
        return err_errno(e, "open");
    rc = db_export(f, j->db, j->what, j->where, j->format, e);
    if (fclose(f) && !rc)
        rc = err_errno(e, "write");
    return rc;
}

static int parse_format(enum query_format *format, const char *name,
                        struct err *e)
{
    static const struct {
        const char *name;
        enum query_format format;
    } formats[] = {
        {"csv", QUERY_CSV},
        {"jsonl", QUERY_JSON},
        {"json", QUERY_JSON},
        {"md", QUERY_MD},
    };

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (!strcmp(formats[i].name, name)) {
            *format = formats[i].format;
            return 0;
        }
    return err_set(e, ERR_USAGE,
                   "--format %s: csv, jsonl, md or mlflow expected", name);
}

/* A directory, not a stream. */
static int export_runs(struct store *db, const char *dir, const char *where,
                       struct err *e)
{
    int64_t n;

    if (!dir)
        return err_set(e, ERR_USAGE, "--format mlflow: -o DIR expected");
    if (db_export_mlflow(&n, dir, db, where, e))
        return -1;
    printf("%s: %lld runs\n", dir, (long long)n);
    return 0;
}

static int export_main(const struct command *self, int argc, char **argv)
{
    const char *what = "points", *format = "csv", *out = NULL, *where = NULL;
    struct job job = {0};
    const char **args;
    struct err e;
    int n_args, rc, mlflow;
    const struct opt opts[] = {
        {"what", 0, OPT_STRING, &what, "WHAT",
         "runs, points (default), steps, evaluations, ..."},
        {"format", 0, OPT_STRING, &format, "FORMAT",
         "csv (default), jsonl, md; mlflow: a run directory"},
        {"out", 'o', OPT_STRING, &out, "FILE",
         "write there instead of standard output"},
        {"where", 0, OPT_STRING, &where, "SQL",
         "only rows for which this holds"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    job.what = what;
    job.where = where;
    mlflow = !strcmp(format, "mlflow");
    if ((!mlflow && parse_format(&job.format, format, &e)) ||
        store_open(&job.db, args[0], STORE_READ, &e))
        return opts_fail(&e);
    rc = mlflow ? export_runs(job.db, out, where, &e)
         : out  ? file_write_with(out, fill, &job, &e)
                : db_export(stdout, job.db, what, where, job.format, &e);
    store_close(job.db);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_export = {
    .name = "export",
    .synopsis =
        "export F [--what WHAT] [--format csv|jsonl|md|mlflow] [-o FILE] "
        "[--where SQL]",
    .summary = "write all runs, steps, points, fits ... as CSV or JSON lines",
    .help =
        "WHAT: runs, points, steps, evaluations, attempts, optima, fits, "
        "predictions, cost,\nevents.  Columns are those of the view of that "
        "name (steps: curves); numbers are\nexact.\n\n"
        "  loglog export s.db --what points -o points.csv\n"
        "  loglog export s.db --what steps --where \"run = 123\" "
        "--format jsonl\n"
        "  loglog export s.db --format mlflow -o mlruns    all runs, for "
        "MLflow\n",
    .main = export_main,
};
