/* fit_groups: what a bootstrap of runs draws together. */
#ifndef LOGLOG_RUNNER_FIT_GROUPS_H
#define LOGLOG_RUNNER_FIT_GROUPS_H

#include "analysis/points.h"
#include "analysis/surface.h"
#include "base/err.h"

#include <stddef.h>

/* group[i] of each row of p, which are those of d in order: by is runs, trunks
 * (the group of the points), budgets, cells (size and tokens), seeds, or a
 * column; NULL: trunks where the points have groups, else runs.  *group, the
 * caller's to free, is NULL where every row is alone. */
int fit_groups(size_t **group, size_t *n, const struct surface_data *d,
               const struct points *p, const char *by, struct err *e);

#endif
