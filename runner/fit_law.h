/* fit_law: the laws of `loglog fit`, one table. */
#ifndef LOGLOG_RUNNER_FIT_LAW_H
#define LOGLOG_RUNNER_FIT_LAW_H

#include "analysis/fit_json.h"
#include "analysis/points.h"
#include "base/err.h"
#include "runner/fit_ask.h"
#include "runner/fit_input.h"

struct fit_law {
    const char *name, *help;
    /* Fit and fill *out (initialised by it, the caller's to release). */
    int (*fit)(struct fit_result *out, struct fit_input *in,
               const struct fit_ask *ask, struct err *e);
    enum fit_what reads; /* of fit_input.h */
};

/* NULL with *e and the nearest name when there is none. */
const struct fit_law *fit_law_find(const char *name, struct err *e);
#define FIT_LAWS 7
extern const struct fit_law fit_laws[FIT_LAWS];

/* fit_surface.c, fit_power.c, fit_curve.c */
int fit_law_surface(struct fit_result *out, struct fit_input *in,
                    const struct fit_ask *ask, struct err *e);
int fit_law_power(struct fit_result *out, struct fit_input *in,
                  const struct fit_ask *ask, struct err *e);
int fit_law_curve(struct fit_result *out, struct fit_input *in,
                  const struct fit_ask *ask, struct err *e);
int fit_law_collapse(struct fit_result *out, struct fit_input *in,
                     const struct fit_ask *ask, struct err *e);
/* The surface of the used points alone; *factor: 6 or 1 (surface_optimum). */
struct surface_fit;
int fit_surface_only(struct surface_fit *f, double *factor,
                     const struct points *p, const struct fit_ask *ask,
                     struct err *e);

/* A word of a fixed list, by its parser; *v keeps its value when text is NULL.
 * names/n for the message. */
int fit_word(int *v, const char *option, const char *text,
             int (*parse)(const char *), const char *const *names, size_t n,
             struct err *e);

#endif
