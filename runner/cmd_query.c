/* cmd_query: SQL on a database, read-only. */
#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"
#include "runner/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX (1 << 20) /* bytes read from standard input */

static void list_saved(void)
{
    for (const struct query_saved *q = query_saved; q->name; q++) {
        char name[64];
        snprintf(name, sizeof name, "@%s", q->name);
        printf("  %-14s %s\n", name, q->help);
    }
}

static int unknown_saved(const char *name, struct err *e)
{
    const char *names[64], *near;
    size_t n = 0;

    for (const struct query_saved *q = query_saved; q->name; q++)
        if (n < ARRAY_LEN(names))
            names[n++] = q->name;
    near = str_nearest(name, names, n);
    return err_set(e, ERR_USAGE, "no saved query '@%s'%s%s%s (see --list)",
                   name, near ? ", did you mean @" : "", near ? near : "",
                   near ? "?" : "");
}

/* --param k=v; the keys are cut off in *copy, which they point into. */
static int split_params(struct query_param *p, char **copy,
                        const struct opt_list *list, struct err *e)
{
    for (int i = 0; i < list->n; i++) {
        char *eq;
        copy[i] = xstrdup(list->value[i]);
        eq = strchr(copy[i], '=');
        if (!eq || eq == copy[i])
            return err_set(e, ERR_USAGE, "--param %s: NAME=VALUE expected",
                           list->value[i]);
        *eq = '\0';
        p[i] = (struct query_param){copy[i], eq + 1};
    }
    return 0;
}

/* The saved query's parameters, given values before defaults.  Returns their
 * number; *missing names one that has neither. */
static size_t with_defaults(struct query_param *all, const char **missing,
                            const struct query_saved *q,
                            const struct query_param *given, size_t n_given)
{
    size_t n = n_given;

    memcpy(all, given, n_given * sizeof *given);
    for (size_t i = 0; i < q->n_param; i++) {
        size_t k = 0;
        while (k < n_given && strcmp(given[k].name, q->param[i].name))
            k++;
        if (k == n_given && !q->param[i].value[0])
            *missing = q->param[i].name;
        if (k == n_given)
            all[n++] = q->param[i];
    }
    return n;
}

static char *read_stdin(void)
{
    char *text = xmalloc(SQL_MAX + 1);
    size_t n = fread(text, 1, SQL_MAX, stdin);

    text[n] = '\0';
    return text;
}

static int run_query(struct store *db, const char *sql,
                     enum query_format format, const struct opt_list *params,
                     struct err *e)
{
    struct query_param given[OPT_LIST_MAX], all[OPT_LIST_MAX + 8];
    char *copy[OPT_LIST_MAX] = {NULL}, *typed = NULL;
    const struct query_saved *saved = NULL;
    size_t n = (size_t)params->n;
    const char *missing = NULL;
    int rc = split_params(given, copy, params, e);

    if (!rc && sql[0] == '@') {
        saved = query_find(sql + 1);
        if (!saved)
            rc = unknown_saved(sql + 1, e);
    }
    if (!rc && saved) {
        n = with_defaults(all, &missing, saved, given, n);
        sql = saved->sql;
        if (missing)
            rc = err_set(e, ERR_USAGE, "@%s: --param %s=... expected",
                         saved->name, missing);
    } else if (!rc) {
        memcpy(all, given, n * sizeof *all);
        if (!strcmp(sql, "-"))
            sql = typed = read_stdin();
    }
    if (!rc)
        rc = db_query_with(stdout, db, sql, all, n, format, e);
    for (int i = 0; i < params->n; i++)
        free(copy[i]);
    free(typed);
    return rc;
}

static int query_main(const struct command *self, int argc, char **argv)
{
    int json = 0, csv = 0, table = 0, md = 0, list = 0, n_args, rc;
    struct opt_list params = {.n = 0};
    enum query_format format;
    struct store *db;
    const char **args;
    struct err e;
    const struct opt opts[] = {
        {"table", 0, OPT_FLAG, &table, NULL, "aligned, rounded (default)"},
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object a row, exact"},
        {"csv", 0, OPT_FLAG, &csv, NULL, "CSV with a header, exact"},
        {"md", 0, OPT_FLAG, &md, NULL, "a Markdown table, exact"},
        {"param", 0, OPT_LIST, &params, "NAME=VALUE",
         "value of :NAME in the SQL; may be repeated"},
        {"list", 0, OPT_FLAG, &list, NULL, "list the saved queries"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 2, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (list) {
        list_saved();
        return 0;
    }
    if (n_args != 2 || table + json + csv + md > 1) {
        err_set(&e, ERR_USAGE,
                n_args != 2 ? "query: a database and a query expected "
                              "(loglog query F \"SELECT ...\")"
                            : "query: one format expected");
        return opts_fail(&e);
    }
    format = json ? QUERY_JSON : csv ? QUERY_CSV : md ? QUERY_MD : QUERY_TABLE;
    if (store_open(&db, args[0], STORE_READ, &e))
        return opts_fail(&e);
    rc = run_query(db, args[1], format, &params, &e);
    store_close(db);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_query = {
    .name = "query",
    .synopsis = "query F \"SELECT ...\"|@NAME|- [--json|--csv|--table|--md] "
                "[--param NAME=VALUE]",
    .summary = "ask a database in SQL; cannot write, whatever the SQL says",
    .help =
        "Prints the rows of one SELECT.  @NAME is a saved query (--list), - "
        "reads the SQL\nfrom standard input.  The views to ask: studies, "
        "stages, runs, points, curves,\nevaluations, attempts, optima, fits, "
        "predictions, cost, events, sessions; their\ncolumns: loglog query F "
        "@schema.  A running study may be asked at any time.\n\n"
        "  loglog query s.db \"SELECT lr, bpb FROM points WHERE budget = 1e12 "
        "ORDER BY bpb\"\n"
        "  loglog query s.db @near-optimal --param percent=1\n"
        "  loglog query s.db @curves --param run=123 --csv > curve.csv\n",
    .main = query_main,
};
