/* thin: private to db/.  Fewer step rows of a finished run. */
#ifndef LOGLOG_DB_THIN_H
#define LOGLOG_DB_THIN_H

#include "base/err.h"
#include "db/store.h"
#include "sweep/retain.h"

#include <stdint.h>

/* Drop the steps of run `num` (run.num) that the rule does not keep; the first
 * and the last stay.  Inside a transaction.  *dropped, which may be NULL, is
 * increased by their number. */
int thin_run(int64_t *dropped, struct store *db, int64_t num,
             const struct retain *r, struct err *e);

#endif
