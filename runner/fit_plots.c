/* fit_plots: see fit_plots.h. */
#include "runner/fit_plots.h"

#include "base/file.h"
#include "runner/figures.h"

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

static int write_one(const char *path, const struct str *svg, struct err *e)
{
    struct str s;
    int rc;

    str_init(&s);
    figure_alone(&s, svg, 0);
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
        rc = write_one(path.text, &p->plot[i].svg, e);
    }
    str_release(&path);
    return rc;
}
