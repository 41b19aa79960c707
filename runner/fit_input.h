/* fit_input: the points of a fit, from a database or from a file. */
#ifndef LOGLOG_RUNNER_FIT_INPUT_H
#define LOGLOG_RUNNER_FIT_INPUT_H

#include "analysis/points.h"
#include "analysis/series.h"
#include "base/err.h"
#include "db/store.h"

/* What a law is fitted to: the runs of isoflop stages, of hyper stages (of all
 * where a study has none of the kind), or their loss curves: of all runs, or
 * of the best size of each budget with its seeds. */
enum fit_what { FIT_ISOFLOP, FIT_HYPER, FIT_CURVES, FIT_BEST_CURVES };

struct fit_source {
    const char *db;     /* path, or NULL: a file */
    const char *study;  /* its name; NULL: the only one */
    const char *stage;  /* NULL: those that `what` says */
    const char *points; /* CSV or JSON lines */
    const char *map;
    const char *where; /* SQL for a database, a formula for a file */
    enum fit_what what;
};

struct fit_input {
    struct points points;
    struct series_set series; /* empty unless curves were asked for */
    int64_t study;            /* -1: from a file */
    int planned;              /* the study was planned here, not imported */
    int opened;               /* a holdout of the study was opened before */
    char name[256];           /* of the source, for people */
};

/* Read; release what succeeded. */
int fit_input_read(struct fit_input *in, const struct fit_source *s,
                   struct err *e);
void fit_input_release(struct fit_input *in);

/* Record that a holdout of the study is opened now, before its numbers are
 * shown. */
int fit_input_open_holdout(const struct fit_input *in, const char *db,
                           const char *spec, struct err *e);

/* fit_series.c: the curves of the used points (run ids of the database).  best:
 * only of the runs that share shape, rates and steps with the best of a
 * budget. */
int fit_series_read(struct series_set *t, struct store *db,
                    const struct points *p, int best, struct err *e);

#endif
