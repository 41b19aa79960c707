/* laws_db: the laws of a stored study, for predict and report. */
#ifndef LOGLOG_RUNNER_LAWS_DB_H
#define LOGLOG_RUNNER_LAWS_DB_H

#include "analysis/points.h"
#include "analysis/predict.h"
#include "base/err.h"
#include "db/store.h"
#include "sweep/study.h"

/* What a study's database holds for its laws. */
struct laws_input {
    int64_t id;     /* of the study */
    int have_study; /* study is filled; 0 for imported points */
    struct study study;
    struct points hyper, isoflop, verify;
};

/* Read the study of this name (NULL: the only one) and its points.  Points
 * that were imported have no stages: those with a learning rate and a batch
 * that vary at one budget are a grid, and all are profiles.  Release what
 * succeeded. */
int laws_input_read(struct laws_input *in, struct store *db, const char *name,
                    struct err *e);
/* The same from a file of runs (analysis/import.h), as if imported. */
int laws_input_file(struct laws_input *in, const char *path, const char *map,
                    const char *where, struct err *e);
void laws_input_release(struct laws_input *in);

/* The options the study asks for. */
void laws_input_opts(struct laws_opts *o, const struct laws_input *in);

#endif
