/* cmd_report: a study as one page. */
#include "analysis/svg.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/fit_plots.h"
#include "runner/report_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

static int choose_format(enum page_format *f, const char *name, const char *out,
                         struct err *e)
{
    if (!name)
        name = out && ends_with(out, ".md") ? "md" : "html";
    if (!strcmp(name, "html"))
        *f = PAGE_HTML;
    else if (!strcmp(name, "md"))
        *f = PAGE_MD;
    else
        return err_set(e, ERR_USAGE, "--format %s: html or md expected", name);
    return 0;
}

/* report.md -> report, whose figures are report-isoflop.svg, ... */
static char *make_stem(const char *out)
{
    char *stem = xstrdup(out), *dot = strrchr(stem, '.');

    if (dot && !strchr(dot, '/'))
        *dot = 0;
    return stem;
}

static int write_page(const struct page *p, const char *out, const char *stem,
                      struct err *e)
{
    if (!out) {
        fwrite(p->out.text, 1, p->out.len, stdout);
        return 0;
    }
    if (file_write(out, p->out.text, p->out.len, e))
        return -1;
    for (size_t i = 0; p->format == PAGE_MD && i < p->n_figure; i++) {
        struct str path;
        int rc;
        str_init(&path);
        str_addf(&path, "%s-%s.svg", stem, p->figure[i].name);
        rc = svg_file_write(path.text, &p->figure[i].svg, e);
        str_release(&path);
        if (rc)
            return -1;
    }
    return 0;
}

static int make_report(struct store *db, const char *name, const char *out,
                       enum page_format format, struct err *e)
{
    struct report_input r;
    struct page page;
    char *stem;
    const char *slash;
    int rc;

    if (report_load(&r, db, name, e))
        return -1;
    stem = make_stem(out ? out : "report");
    slash = strrchr(stem, '/');
    report_write(&page, &r.data, format, slash ? slash + 1 : stem);
    rc = write_page(&page, out, stem, e);
    page_release(&page);
    report_unload(&r);
    free(stem);
    return rc;
}

static int report_main(const struct command *self, int argc, char **argv)
{
    const char **args, *out = NULL, *format = NULL, *name = NULL;
    enum page_format f = PAGE_HTML;
    struct store *db;
    struct err e;
    int n_args, rc;
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &out, "FILE",
         "write there instead of standard output"},
        {"format", 0, OPT_STRING, &format, "FORMAT",
         "html (default), or md with its figures as FILE-1.svg, ..."},
        {"study", 0, OPT_STRING, &name, "NAME",
         "the study, where the file holds several"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (choose_format(&f, format, out, &e) ||
        store_open(&db, args[0], STORE_READ, &e))
        return opts_fail(&e);
    rc = make_report(db, name, out, f, &e);
    store_close(db);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_report = {
    .name = "report",
    .synopsis = "report F [-o report.html] [--format html|md] [--study NAME]",
    .summary = "the study as one page: figures, tables, method, every run",
    .help =
        "One self-contained HTML file (no scripts, nothing fetched), light or "
        "dark as the\nreader's system is: what was predicted and measured, "
        "the laws with their figures\nand the tables behind them, the method, "
        "every run and every exclusion with its\nreason, cost and "
        "provenance.  With --format md the figures are files beside it.\n\n"
        "  loglog report s.db -o report.html\n"
        "  loglog report s.db -o report.md\n",
    .main = report_main,
};
