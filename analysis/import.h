/* import: runs from a CSV or JSON-lines file as points.
 *
 * A mapping says what the file's columns are, as formulas (expr.h) separated
 * by commas:
 *     n=params*1e6, d=tokens, loss=final_loss, batch=bs*seq, d=flops/(6*n)
 * The left side is a column of points.h, or group (what is resampled
 * together), stage, or used (a condition; rows where it is 0 are kept but
 * excluded).  A formula may use what was mapped before it.  Without a mapping,
 * columns are taken by their usual names (n or params, d or tokens, c or
 * flops or compute, loss, run for the group, ...), in any case, with blanks or
 * '_', inside objects of JSON or not.  What follows from the rest is derived
 * (points_derive). */
#ifndef LOGLOG_ANALYSIS_IMPORT_H
#define LOGLOG_ANALYSIS_IMPORT_H

#include "analysis/points.h"

/* Append the rows of the file at path for which `where` (a formula, or NULL)
 * is true.  map may be NULL.  A row whose loss is missing is kept, excluded
 * as "no loss". */
int points_import(struct points *p, const char *path, const char *map,
                  const char *where, struct err *e);

#endif
