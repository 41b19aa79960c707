/* figures: those of a page as files. */
#ifndef LOGLOG_RUNNER_FIGURES_H
#define LOGLOG_RUNNER_FIGURES_H

#include "analysis/page.h"
#include "base/err.h"

enum figure_files {
    FIGURE_SVG = 1,    /* light or dark as the reader's system is */
    FIGURE_PRINT = 2,  /* .svg in the colours of paper, every one written out:
                          what other programs read */
    FIGURE_PDF = 4,    /* .pdf of that, where the plugin is (pdf.h) */
    FIGURE_GNUPLOT = 8 /* .gp and .dat, where the figure has them */
};

/* Append one <svg> as a file that stands alone, its style sheet inside: as
 * FIGURE_SVG, or as FIGURE_PRINT. */
void figure_alone(struct str *out, const struct str *svg, int print);

/* Write every figure as PREFIX + NAME + ending; `what` is a set of
 * figure_files.  *no_pdf: PDF was asked for and there is no plugin. */
int figures_write(const struct page *p, const char *prefix, unsigned what,
                  int *no_pdf, struct err *e);

#endif
