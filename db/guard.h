/* guard: private to db/.  While it is on, the connection prepares nothing but
 * reading: SELECT, the columns of tables and views, functions, recursion, and
 * the pragmas that describe the schema.  Refused: everything that writes,
 * ATTACH, other pragmas, functions that touch files. */
#ifndef LOGLOG_DB_GUARD_H
#define LOGLOG_DB_GUARD_H

#include "db/store.h"

void guard_on(struct store *db);
void guard_off(struct store *db);

#endif
