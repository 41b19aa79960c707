/* table_impl: what the two readers of table.h share; for no one else. */
#ifndef LOGLOG_ANALYSIS_TABLE_IMPL_H
#define LOGLOG_ANALYSIS_TABLE_IMPL_H

#include "analysis/table.h"

/* Append a column (the name is copied); returns its number. */
int table_add_column(struct table *t, const char *name);
/* Make room for this many columns in every row. */
void table_widen(struct table *t, size_t cols);
/* Append a row of empty cells that begins in this line. */
void table_add_row(struct table *t, int line);
/* The text (copied) of a cell of the last row. */
void table_set_cell(struct table *t, size_t col, const char *text);

/* line: of the file where the text begins */
int table_read_json(struct table *t, const char *text, size_t len, int line,
                    struct err *e);

#endif
