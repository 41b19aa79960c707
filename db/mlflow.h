/* mlflow: runs as a run directory that MLflow and its importers read ("file
 * store": mlruns/EXPERIMENT/RUN/{params,metrics,tags}), to look at a study in
 * its pages or to bring it to where other results are.  W&B imports from it. */
#ifndef LOGLOG_DB_MLFLOW_H
#define LOGLOG_DB_MLFLOW_H

#include "base/err.h"
#include "db/store.h"

#include <stdint.h>

/* Make the directory `dir`, which must not be there: a study is an experiment,
 * a run a run (once, however many stages share it), with its columns as
 * parameters and every step and evaluation as metrics.  where: a condition on
 * the view runs, or NULL.  *n counts the runs. */
int db_export_mlflow(int64_t *n, const char *dir, struct store *db,
                     const char *where, struct err *e);

#endif
