/* lanes: private to db/.  The running runs of a status: where they are, how
 * fast, for how long still, and what their loss looks like. */
#ifndef LOGLOG_DB_LANES_H
#define LOGLOG_DB_LANES_H

#include "db/status.h"

/* Fill running, and add what they have done to the stages (which are there) and
 * to the totals. */
int lanes_read(struct status *s, struct store *db, int64_t study,
               struct err *e);

#endif
