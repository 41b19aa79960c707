/* figures: see figures.h. */
#include "runner/figures.h"

#include "analysis/svg.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/plugin.h"
#include "base/str.h"
#include "runner/pdf.h"

#include <stdlib.h>
#include <string.h>

void figure_alone(struct str *out, const struct str *svg, int print)
{
    const char *end = strstr(svg->text, "</desc>");

    BUG_ON(!end);
    end += strlen("</desc>");
    str_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    str_add_n(out, svg->text, (size_t)(end - svg->text));
    str_add(out, "<style>");
    if (print)
        svg_style_print(out);
    else
        str_add(out, svg_style);
    str_add(out, "</style>");
    str_add(out, end);
}

static int put(const char *prefix, const char *name, const char *ending,
               const char *text, size_t len, struct err *e)
{
    struct str path;
    int rc;

    str_init(&path);
    str_addf(&path, "%s%s%s", prefix, name, ending);
    rc = file_write(path.text, text, len, e);
    str_release(&path);
    return rc;
}

static int put_pdf(const char *prefix, const char *name, const struct str *svg,
                   const struct pdf_engine *engine, struct err *e)
{
    char *pdf;
    size_t len;
    int rc;

    if (engine->from_svg(&pdf, &len, svg->text, svg->len, e))
        return err_prefix(e, "%s: ", name);
    rc = put(prefix, name, ".pdf", pdf, len, e);
    free(pdf);
    return rc;
}

static int put_figure(const struct page_figure *f, const char *prefix,
                      unsigned what, const struct pdf_engine *engine,
                      struct err *e)
{
    struct str svg;
    int rc = 0;

    str_init(&svg);
    if (what & (FIGURE_SVG | FIGURE_PRINT | FIGURE_PDF))
        figure_alone(&svg, &f->svg, !(what & FIGURE_SVG));
    if (what & (FIGURE_SVG | FIGURE_PRINT))
        rc = put(prefix, f->name, ".svg", svg.text, svg.len, e);
    if (!rc && engine)
        rc = put_pdf(prefix, f->name, &svg, engine, e);
    if (!rc && (what & FIGURE_GNUPLOT) && f->script.len)
        rc = put(prefix, f->name, ".gp", f->script.text, f->script.len, e) ||
                     put(prefix, f->name, ".dat", f->data.text, f->data.len, e)
                 ? -1
                 : 0;
    str_release(&svg);
    return rc;
}

int figures_write(const struct page *p, const char *prefix, unsigned what,
                  int *no_pdf, struct err *e)
{
    const void *table = NULL;
    struct err why;

    *no_pdf = 0;
    if ((what & FIGURE_PDF) &&
        plugin_open(&table, "pdf", PDF_ABI, sizeof(struct pdf_engine), PDF_FIX,
                    &why)) {
        table = NULL;
        *no_pdf = 1;
    }
    for (size_t i = 0; i < p->n_figure; i++)
        if (put_figure(&p->figure[i], prefix, what, table, e))
            return -1;
    return 0;
}
