/* axis: the values of one axis of a grid, as a study file writes them.
 *
 *   1e11                                  one value
 *   [1e10, 3e10, 1e11]                    a list, increasing
 *   {from: 1e-3, to: 3e-2, ratio: 2}      geometric
 *   {from: 1e10, to: 1e12, per_decade: 2}
 *
 * Computed values are rounded to 12 significant digits, so that a plan and the
 * ids in it do not depend on a machine's pow(). */
#ifndef LOGLOG_SWEEP_AXIS_H
#define LOGLOG_SWEEP_AXIS_H

#include "sweep/doc.h"
#include "sweep/study.h"

/* Read a node; at most max values.  `what` names the key in messages. */
int axis_read(struct axis *a, const struct doc *d, int node, const char *what,
              int max, struct err *e);
/* Append "[1, 2, 4]". */
void axis_print(struct str *out, const struct axis *a);

/* v rounded to `digits` significant decimal digits. */
double axis_round(double v, int digits);
/* Are two budgets, or two values of an axis, the same but for rounding? */
int axis_same(double a, double b);

#endif
