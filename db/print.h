/* print: private to db/.  Rows as table, CSV, JSON lines or Markdown. */
#ifndef LOGLOG_DB_PRINT_H
#define LOGLOG_DB_PRINT_H

#include "db/query.h"
#include "db/sql.h"

/* Print all rows of a prepared and bound statement. */
int print_rows(FILE *out, struct sql *q, enum query_format format,
               struct err *e);

/* Column i of the row as text: numbers exact, or rounded for people.  NULL for
 * NULL; else s->text. */
const char *print_value(struct str *s, struct sql *q, int i, int rounded);

/* Append a text as a JSON string, quotes and all; bytes that are not UTF-8
 * become U+FFFD. */
void print_json_text(struct str *s, const char *text);
/* Append a number exactly; "null" when it is not finite. */
void print_json_real(struct str *s, double v);

/* table.c: the format QUERY_TABLE. */
int print_table(FILE *out, struct sql *q, struct err *e);

#endif
