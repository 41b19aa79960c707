/* step_row: private to db/.  A training step as it is stored: whole numbers in
 * small units (schema.sql says which). */
#ifndef LOGLOG_DB_STEP_ROW_H
#define LOGLOG_DB_STEP_ROW_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

#define STEP_NULL INT64_MIN /* of the integers; NaN is that of the loss */

struct step_row {
    int64_t step, tokens, lr_e9, norm_e7, micros;
    double loss;
};

/* Put rows of one attempt, unless it is not its run's current one. */
int step_rows_put(struct store *db, int64_t run, int64_t attempt,
                  const struct step_row *row, size_t n, struct err *e);

#endif
