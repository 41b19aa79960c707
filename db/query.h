/* query: SQL from users, read-only whatever the SQL says, and export.
 *
 * The file is opened read-only and an authorizer refuses everything but
 * reading (no ATTACH, no PRAGMA that writes). */
#ifndef LOGLOG_DB_QUERY_H
#define LOGLOG_DB_QUERY_H

#include "base/err.h"
#include "db/store.h"

#include <stdio.h>

enum query_format { QUERY_TABLE, QUERY_CSV, QUERY_JSON, QUERY_MD };

/* Run one SELECT and print its rows to out. */
int db_query(FILE *out, struct store *db, const char *sql,
             enum query_format format, struct err *e);

/* A row at a time, for code: `row` is called with the text of each column
 * (NULL for NULL) and their count; nonzero stops. */
int db_each(struct store *db, const char *sql,
            int (*row)(void *ctx, int n, const char *const *value), void *ctx,
            struct err *e);

#endif
