/* expr: small formulas over the columns of a table.
 *
 *   numbers 3e-4   columns params, "Model Size", `x`   text 'abc'
 *   + - * / ^ ( )  log log2 log10 exp sqrt abs min max
 *   = == != < <= > >=   ~ (contains, of text)   and or not && || !
 *
 * A name that no column has is looked up among named values that the caller
 * gives (columns that were mapped before).  A truth is 1 or 0; a comparison
 * with a number that is not known (NaN) is 0. */
#ifndef LOGLOG_ANALYSIS_EXPR_H
#define LOGLOG_ANALYSIS_EXPR_H

#include "analysis/table.h"

#include "base/err.h"

#define EXPR_NAMES 64 /* named values at most */

struct expr; /* opaque */

/* Parse `text` against the table's columns and `names` (n; may be NULL).
 * Errors show where, and the nearest column.  *x is the caller's to free. */
int expr_parse(struct expr **x, const char *text, const struct table *t,
               const char *const *names, int n, struct err *e);
void expr_free(struct expr *x);

/* Its value in a row; named[] holds the values of `names`.  -1 with file:line
 * when a cell it needs is not a number. */
int expr_eval(double *v, const struct expr *x, size_t row, const double *named,
              struct err *e);
/* Its text in a row: a column's cell or a text literal as it is, a number
 * otherwise.  Into buf. */
int expr_text(char *buf, size_t size, const struct expr *x, size_t row,
              const double *named, struct err *e);

#endif
