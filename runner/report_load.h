/* report_load: everything a report shows, read from a database. */
#ifndef LOGLOG_RUNNER_REPORT_LOAD_H
#define LOGLOG_RUNNER_REPORT_LOAD_H

#include "analysis/report.h"
#include "runner/laws_db.h"

struct report_input {
    struct report_data data;
    struct laws_input in;
    struct laws laws;
    int have_laws;
    struct err no_laws;
    struct collapse_fit collapse;
    int have_collapse;
    struct err no_collapse;
    char *text; /* of the study */
    struct report_prediction *prediction;
    char **owned; /* strings that the predictions point to */
    size_t n_owned, cap_owned;
    struct plot_curve *curve;
    struct plot_schedule schedule;
    char subtitle[512];
};

/* Read and fit; name may be NULL (the only study).  Release what
 * succeeded. */
int report_load(struct report_input *r, struct store *db, const char *name,
                struct err *e);
void report_unload(struct report_input *r);

#endif
