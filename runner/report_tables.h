/* report_tables: the tables of a report that are rows of the database's views.
 */
#ifndef LOGLOG_RUNNER_REPORT_TABLES_H
#define LOGLOG_RUNNER_REPORT_TABLES_H

#include "analysis/report.h"
#include "db/store.h"

/* Fill all of them for a study; t is zeroed.  The cells are the caller's to
 * free. */
int report_tables(struct report_table t[REPORT_TABLES], struct store *db,
                  int64_t study, struct err *e);

#endif
