/* fit_ask: what a fit is asked for, one table.
 *
 * Each row is an option of `loglog fit`: its name, where it is kept, the laws
 * it is for and its help.  The command line, the options that are stored with
 * a fit and `fit --again` all walk the table. */
#ifndef LOGLOG_RUNNER_FIT_ASK_H
#define LOGLOG_RUNNER_FIT_ASK_H

#include "analysis/bootstrap.h"
#include "base/err.h"
#include "runner/opts.h"

#include <jansson.h>

struct fit_plots; /* runner/fit_plots.h */

/* Strings are NULL, numbers NaN and counts -1 where nothing was asked;
 * fit_ask_check fills in what is usual. */
struct fit_ask {
    const char *form, *objective, *method, *size, *response, *resample;
    const char *holdout, *indices, *x, *y, *refit, *interval_name, *trunk;
    const char *smooth, *observation;
    double delta, over, level, window, lambda, L0;
    int64_t bootstrap; /* stays -1: the law's own default */
    int64_t seed;
    int rolling, select, log_loss;
    /* not options of the table */
    int threads;
    enum boot_kind interval;
    int planned;             /* the points are of a study planned here */
    struct fit_plots *plots; /* figures are wanted; NULL: none */
};

void fit_ask_init(struct fit_ask *a);
/* Append the table to opts (room for FIT_ASK_OPTS) from row n on; the rows
 * after it are the caller's, OPT_END included. */
#define FIT_ASK_OPTS 26
int fit_ask_opts(struct opt *opts, int n, struct fit_ask *a);
/* Refuse an option that the law does not have, and values out of range; then
 * the defaults. */
int fit_ask_check(struct fit_ask *a, const char *law, struct err *e);

/* What was asked for, into the options that are stored with the fit, and back;
 * strings are borrowed from *options. */
void fit_ask_store(json_t *options, const struct fit_ask *a, const char *law);
void fit_ask_load(struct fit_ask *a, const json_t *options);

#endif
