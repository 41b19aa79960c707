/* fit_input: the points of a fit, from a database or from a file. */
#ifndef LOGLOG_RUNNER_FIT_INPUT_H
#define LOGLOG_RUNNER_FIT_INPUT_H

#include "analysis/points.h"
#include "base/err.h"
#include "db/store.h"

struct fit_source {
    const char *db;     /* path, or NULL: a file */
    const char *study;  /* its name; NULL: the only one */
    const char *stage;  /* NULL: those that the law is about */
    const char *points; /* CSV or JSON lines */
    const char *map;
    const char *where; /* SQL for a database, a formula for a file */
    const char *law;   /* which stages: hyper, or isoflop for the others */
};

struct fit_input {
    struct points points;
    int64_t study;  /* -1: from a file */
    int opened;     /* a holdout of the study was opened before */
    char name[256]; /* of the source, for people */
};

/* Read; release what succeeded. */
int fit_input_read(struct fit_input *in, const struct fit_source *s,
                   struct err *e);
void fit_input_release(struct fit_input *in);

/* Record that a holdout of the study is opened now, before its numbers are
 * shown. */
int fit_input_open_holdout(const struct fit_input *in, const char *db,
                           const char *spec, struct err *e);

#endif
