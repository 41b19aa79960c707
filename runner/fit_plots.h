/* fit_plots: the figures of a fit, gathered while it is made and written as
 * SVG files when it stands. */
#ifndef LOGLOG_RUNNER_FIT_PLOTS_H
#define LOGLOG_RUNNER_FIT_PLOTS_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

#define FIT_PLOTS 64

struct fit_plots {
    size_t n;
    struct {
        char name[48]; /* of the file, without .svg */
        struct str svg;
    } plot[FIT_PLOTS];
};

void fit_plots_init(struct fit_plots *p);
void fit_plots_release(struct fit_plots *p);
/* The buffer of a new figure, for one of plots.h; NULL when p is NULL or
 * full. */
struct str *fit_plots_add(struct fit_plots *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* DIR/LAW-NAME.svg for each, the directory made if need be. */
int fit_plots_write(const struct fit_plots *p, const char *dir, const char *law,
                    struct err *e);

#endif
