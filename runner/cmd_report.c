/* cmd_report: a study as one page. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/figures.h"
#include "runner/pdf.h"
#include "runner/report_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

struct request {
    const char *out, *format, *figures, *study;
    enum page_format f;
};

static int choose_format(struct request *q, struct err *e)
{
    const char *name = q->format;
    int f;

    if (!name)
        name = q->out && ends_with(q->out, ".md")    ? "md"
               : q->out && ends_with(q->out, ".tex") ? "tex"
                                                     : "html";
    f = page_format_parse(name);
    if (f < 0)
        return err_set(e, ERR_USAGE, "--format %s: html, md or tex expected",
                       name);
    q->f = (enum page_format)f;
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

static void say_no_pdf(void)
{
    log_warn("no figures as PDF, only as SVG: no libloglog_pdf.so; " PDF_FIX);
}

/* The document, and the figures that it names. */
static int write_page(const struct page *p, const struct request *q,
                      const char *stem, struct err *e)
{
    unsigned what = p->format == PAGE_MD    ? FIGURE_SVG
                    : p->format == PAGE_TEX ? FIGURE_PRINT | FIGURE_PDF
                                            : 0;
    struct str prefix;
    int rc, no_pdf;

    if (!q->out) {
        fwrite(p->out.text, 1, p->out.len, stdout);
        return 0;
    }
    str_init(&prefix);
    str_addf(&prefix, "%s-", stem);
    rc = file_write(q->out, p->out.text, p->out.len, e) ||
                 figures_write(p, prefix.text, what, &no_pdf, e)
             ? -1
             : 0;
    str_release(&prefix);
    if (!rc && no_pdf)
        say_no_pdf();
    return rc;
}

/* --figures DIR: all of them, in every form. */
static int write_figures(const struct page *p, const char *dir, struct err *e)
{
    struct str prefix;
    int rc, no_pdf;

    if (file_mkdirs(dir, e))
        return -1;
    str_init(&prefix);
    str_addf(&prefix, "%s/", dir);
    rc = figures_write(p, prefix.text,
                       FIGURE_PRINT | FIGURE_PDF | FIGURE_GNUPLOT, &no_pdf, e);
    str_release(&prefix);
    if (!rc && no_pdf)
        say_no_pdf();
    return rc;
}

static int make_report(struct store *db, const struct request *q, struct err *e)
{
    struct report_input r;
    struct page page;
    const char *slash;
    char *stem;
    int rc = 0;

    if (report_load(&r, db, q->study, e))
        return -1;
    stem = make_stem(q->out ? q->out : "report");
    slash = strrchr(stem, '/');
    report_write(&page, &r.data, q->f, slash ? slash + 1 : stem);
    if (q->figures)
        rc = write_figures(&page, q->figures, e);
    if (!rc && (q->out || !q->figures))
        rc = write_page(&page, q, stem, e);
    page_release(&page);
    report_unload(&r);
    free(stem);
    return rc;
}

static int report_main(const struct command *self, int argc, char **argv)
{
    struct request q = {.f = PAGE_HTML};
    const char **args;
    struct store *db;
    struct err e;
    int n_args, rc;
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &q.out, "FILE",
         "write there instead of standard output"},
        {"format", 0, OPT_STRING, &q.format, "FORMAT",
         "html (default), md or tex; else by the ending of FILE"},
        {"figures", 0, OPT_STRING, &q.figures, "DIR",
         "every figure there as .svg, .pdf, and .gp with .dat for gnuplot"},
        {"study", 0, OPT_STRING, &q.study, "NAME",
         "the study, where the file holds several"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (choose_format(&q, &e) || store_open(&db, args[0], STORE_READ, &e))
        return opts_fail(&e);
    rc = make_report(db, &q, &e);
    store_close(db);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_report = {
    .name = "report",
    .synopsis = "report F [-o FILE] [--format html|md|tex] [--figures DIR] "
                "[--study NAME]",
    .summary = "the study as one page: figures, tables, method, every run",
    .help =
        "One self-contained HTML file (no scripts, nothing fetched), light or "
        "dark as the\nreader's system is: what was predicted and measured, "
        "the laws with their figures\nand the tables behind them, the method, "
        "every run and every exclusion with its\nreason, cost and "
        "provenance.  In Markdown and LaTeX the same; their figures are\nfiles "
        "beside it (FILE-isoflop.svg; .pdf for LaTeX).  --figures without -o "
        "writes\nthe figures alone.  docs/report.md says more.\n\n"
        "  loglog report s.db -o report.html\n"
        "  loglog report s.db -o report.tex && pdflatex report.tex\n"
        "  loglog report s.db --figures figures\n",
    .main = report_main,
};
