/* upkeep: what is done to a whole file: check, copy, shrink, thin, merge. */
#ifndef LOGLOG_DB_UPKEEP_H
#define LOGLOG_DB_UPKEEP_H

#include "base/err.h"
#include "db/store.h"
#include "sweep/retain.h"

#include <stdint.h>
#include <stdio.h>

/* Is the file sound?  SQLite's own integrity check, foreign keys, hashes of
 * specs, studies and predictions, sums kept in runs, the journal line by line;
 * deep: the journal is replayed and compared with every table.  One line for
 * each thing found on `out`, their number in *found. */
int db_check(int64_t *found, FILE *out, struct store *db, int deep,
             struct err *e);

/* A copy of a database that may be in use, as one file; what is at `to` is
 * replaced when the copy is whole. */
int db_backup(struct store *db, const char *to, struct err *e);

/* Make the file, and its journal, as small as they can be. */
int db_vacuum(struct store *db, struct err *e);

/* Keep a journal beside the file, made from what is in it, or keep none. */
int db_journal(struct store *db, int on, struct err *e);

/* Drop the step rows of finished runs that the rule does not keep; the first
 * and the last of a run always stay, and so does every evaluation.  *dropped
 * counts them.  The file shrinks by db_vacuum. */
int db_thin(int64_t *dropped, struct store *db, const struct retain *r,
            struct err *e);

struct merge {
    int64_t studies, runs, completed, same, conflicts;
};
/* Everything of the database `from` that is not in db yet: studies, plans,
 * runs with their attempts, steps and evaluations, fits, predictions, events.
 * A study whose name is taken here by another text becomes NAME-2 (-3 ...),
 * and one line on `out` says so; its text stays as it is.
 * A run that is finished there and not here is completed from there; what
 * contradicts is left as it is here, one line each on `out`. */
int db_merge(struct merge *m, FILE *out, struct store *db, const char *from,
             struct err *e);

#endif
