/* fit_plots: see fit_plots.h. */
#include "runner/fit_plots.h"

#include "analysis/svg.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fit_plots_init(struct fit_plots *p)
{
    p->n = 0;
}

void fit_plots_release(struct fit_plots *p)
{
    for (size_t i = 0; i < p->n; i++)
        str_release(&p->plot[i].svg);
    p->n = 0;
}

struct str *fit_plots_add(struct fit_plots *p, const char *fmt, ...)
{
    va_list ap;

    if (!p || p->n == FIT_PLOTS)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p->plot[p->n].name, sizeof p->plot[p->n].name, fmt, ap);
    va_end(ap);
    str_init(&p->plot[p->n].svg);
    return &p->plot[p->n++].svg;
}

int svg_file_write(const char *path, const struct str *svg, struct err *e)
{
    const char *end = strstr(svg->text, "</desc>");
    struct str s;
    int rc;

    BUG_ON(!end);
    end += strlen("</desc>");
    str_init(&s);
    str_add(&s, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    str_add_n(&s, svg->text, (size_t)(end - svg->text));
    str_addf(&s, "<style>%s</style>", svg_style);
    str_add(&s, end);
    rc = file_write(path, s.text, s.len, e);
    str_release(&s);
    return rc;
}

int fit_plots_write(const struct fit_plots *p, const char *dir, const char *law,
                    struct err *e)
{
    struct str path;
    int rc = file_mkdirs(dir, e);

    str_init(&path);
    for (size_t i = 0; i < p->n && rc == 0; i++) {
        str_clear(&path);
        str_addf(&path, "%s/%s-%s.svg", dir, law, p->plot[i].name);
        rc = svg_file_write(path.text, &p->plot[i].svg, e);
    }
    str_release(&path);
    return rc;
}
