/* export: whole tables, streamed. */
#ifndef LOGLOG_DB_EXPORT_H
#define LOGLOG_DB_EXPORT_H

#include "db/query.h"

/* What can be exported: a name, the view it is, and one line of help; NULL
 * name ends the table. */
struct export_what {
    const char *name, *view, *help;
};
extern const struct export_what export_what[];

/* All rows of one of them, in a stable order, as CSV or JSON lines.  where: a
 * condition on the view's columns, or NULL. */
int db_export(FILE *out, struct store *db, const char *what, const char *where,
              enum query_format format, struct err *e);

#endif
