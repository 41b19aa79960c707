/* table: a CSV or JSON-lines file as rows of text cells.
 *
 * CSV is RFC 4180: quoted cells may hold delimiters, doubled quotes and line
 * breaks; CRLF and a byte-order mark are accepted, empty lines skipped and, at
 * the beginning, lines with a '#'; the delimiter is the most
 * frequent of comma, semicolon and tab in the header.  JSON lines are one
 * flat object a line (a file that begins with '[' is one array of objects);
 * an object inside an object gives columns "outer.inner".  A key that a row
 * does not have is an empty cell, and so are null and NaN. */
#ifndef LOGLOG_ANALYSIS_TABLE_H
#define LOGLOG_ANALYSIS_TABLE_H

#include "base/err.h"

#include <stddef.h>

#define TABLE_COLS 2048        /* columns at most */
#define TABLE_ROWS 5000000     /* rows at most */
#define TABLE_BYTES (1u << 30) /* of the file */

struct table {
    char *path;
    size_t cols, rows;
    char **name;    /* (cols) */
    char **cell;    /* (rows, cols) row-major; never NULL */
    int *line;      /* (rows): where the row begins in the file */
    char delimiter; /* of a CSV file; 0: JSON */
    size_t name_cap, cell_cap, line_cap, stored; /* stored: cols of `cell` */
};

/* Read by the file's content (not its name).  Fails with file:line. */
int table_read(struct table *t, const char *path, struct err *e);
void table_release(struct table *t);

/* The column of this name: exactly, else without regard to case when only one
 * fits; -1: none. */
int table_column(const struct table *t, const char *name);
const char *table_cell(const struct table *t, size_t row, size_t col);

/* The cell as a number.  An empty cell, nan, na, n/a, null, none, - and inf
 * (any case) are NaN; groups of three digits may be separated, 1,234,567.8.
 * -1 with file:line and the column when it is anything
 * else. */
int table_number(double *v, const struct table *t, size_t row, size_t col,
                 struct err *e);

#endif
