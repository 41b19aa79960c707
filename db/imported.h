/* imported: runs of others, as points beside one's own.
 *
 * They have no spec, no attempts and no curve: only numbers, of which any may
 * be unknown (NaN).  The view `points`, db_points and every fit see them. */
#ifndef LOGLOG_DB_IMPORTED_H
#define LOGLOG_DB_IMPORTED_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

struct db_imported {
    double budget, M, N1, N2, D, flops, flops_exact;
    double lr, batch; /* tokens */
    double d_model, n_layer;
    double seed, steps; /* whole numbers, or NaN */
    double loss, bpb;
    double wd, unique_tokens; /* weight decay; distinct training tokens */
    int used;
    const char *why;     /* when not used; NULL otherwise */
    const char *cluster; /* what is resampled together; NULL: alone */
};

/* Make these the rows of a stage of a study (db_study_put made it), in place
 * of those that were imported into it before.  The stage's row is made if need
 * be, kind 'import', state 'complete'.  source: the file, for people. */
int db_imported_put(struct store *db, int64_t study, int stage,
                    const char *stage_name, const char *source,
                    const struct db_imported *row, size_t n, struct err *e);

#endif
