/* query: SQL from users, read-only whatever the SQL says, and how rows look.
 *
 * The file is opened read-only and an authorizer refuses everything but
 * reading (no ATTACH, no PRAGMA that writes). */
#ifndef LOGLOG_DB_QUERY_H
#define LOGLOG_DB_QUERY_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdio.h>

/* TABLE is for people: aligned, numbers rounded.  The others are exact: CSV
 * with a header (RFC 4180, NULL is empty, the empty string is ""), JSON lines
 * (one object a row, NULL is null), MD a Markdown table. */
enum query_format { QUERY_TABLE, QUERY_CSV, QUERY_JSON, QUERY_MD };

/* Run one SELECT and print its rows to out. */
int db_query(FILE *out, struct store *db, const char *sql,
             enum query_format format, struct err *e);

/* The same with values for the parameters :name (or @name, $name) of the SQL:
 * numbers where the text is one, text otherwise.  A parameter without a value
 * is refused, and so is a value without a parameter. */
struct query_param {
    const char *name, *value;
};
int db_query_with(FILE *out, struct store *db, const char *sql,
                  const struct query_param *param, size_t n_param,
                  enum query_format format, struct err *e);

/* A row at a time, for code: `row` is called with the text of each column
 * (numbers exact, NULL for NULL) and their count; nonzero stops. */
int db_each(struct store *db, const char *sql,
            int (*row)(void *ctx, int n, const char *const *value), void *ctx,
            struct err *e);

/* Queries that ship with the program; NULL name ends the table. */
struct query_saved {
    const char *name; /* "frontier" for @frontier */
    const char *help; /* one line */
    const char *sql;
    const struct query_param *param; /* its parameters' defaults ... */
    size_t n_param;                  /* ... and their number */
};
extern const struct query_saved query_saved[];
const struct query_saved *query_find(const char *name); /* or NULL */

#endif
