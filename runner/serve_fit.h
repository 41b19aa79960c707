/* serve_fit: what is fitted of a study (its laws, the figures, the report),
 * kept until it has changed, and made by a thread of its own: a fit takes from
 * a blink to minutes, and no request waits for it longer than it wants to. */
#ifndef LOGLOG_RUNNER_SERVE_FIT_H
#define LOGLOG_RUNNER_SERVE_FIT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum serve_part {
    SERVE_LAWS,    /* JSON: the objects of `fit --json` */
    SERVE_FIGURES, /* JSON: name, section, caption and SVG of each */
    SERVE_REPORT,  /* HTML */
    SERVE_PARTS
};

struct serve_fit;
struct serve_fit *serve_fit_new(const char *path);
/* A fit that is being made is left to the end of the process. */
void serve_fit_free(struct serve_fit *f);

/* What is asked for: study, the name it has in the file (NULL: the only one),
 * and the state of it in words, of which another fit follows. */
struct serve_want {
    int64_t study;
    const char *name, *mark;
    double wait; /* seconds */
};

/* Append the part.  0: it is of that state.  1: that is still being fitted, for
 * *seconds so far; what is appended is of an earlier state of this study, or
 * nothing.  -1: it could not be made; asked again, it is tried again.  Safe to
 * call from several threads. */
int serve_fit_get(struct str *out, double *seconds, struct serve_fit *f,
                  const struct serve_want *want, enum serve_part part,
                  struct err *e);

#endif
