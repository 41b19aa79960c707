/* pdf: a figure as a page of PDF, by a plugin (base/plugin.h).
 *
 * libloglog_pdf.so (pdf/) is librsvg and cairo; the program needs neither.  The
 * same SVG gives the same bytes. */
#ifndef LOGLOG_RUNNER_PDF_H
#define LOGLOG_RUNNER_PDF_H

#include "base/err.h"

#include <stddef.h>

#define PDF_ABI 1
#define PDF_FIX                                                                \
    "it is built where librsvg is (Debian: librsvg2-dev), then configure "     \
    "again"
struct pdf_engine {
    size_t bytes;
    /* *pdf: of malloc, the caller's to free.  The page is as large as the
     * figure, a user unit of the SVG being 3/4 point. */
    int (*from_svg)(char **pdf, size_t *len, const char *svg, size_t n,
                    struct err *e);
};

#endif
